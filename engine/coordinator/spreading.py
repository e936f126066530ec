"""Which host an agent gets where hosts have joined: one that its pool may use, that takes such agents, and that has the fewest agents for its cores.

Owner: `Spread`, of how many agents each host has while one decision starts some.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from engine.model.agent_events import Cordon, JoinedHost
from engine.model.machines import CPU, THIS_MACHINE, THOUSAND, Amounts, Machine, say_amount
from engine.model.pools import ANY, HOSTS_JOINED, LOCAL, PoolSpec, labels_of
from engine.model.secrets import is_secret_name
from engine.state import FleetState, Host

HERE = ""
"""The engine's own machine among places."""
HOSTS = "hosts"
"""What agents lack that no host takes."""
_TOLD_MAX = 3


class Spread:
    """Where agents could start. Owner: one decision."""

    def __init__(self, state: FleetState, without: Collection[str] = ()) -> None:
        """`without` are hosts on which nothing starts."""
        self._state = state
        self._hosts: dict[str, Host] = {id_: host for id_, host in state.hosts.items() if host.info.joined is not None and id_ not in without}
        self._machines: dict[str, Machine] = {id_: state.machines[id_].copy() for id_ in self._hosts if id_ in state.machines}
        self.loads: Counter[str] = Counter()
        """Agents by host; counted where it matters."""
        if self._hosts:
            self.loads.update(agent.spec.machine if agent.spec.machine in state.hosts else HERE for agent in state.agents.values())

    def concerns(self, spec: PoolSpec) -> bool:
        """Answer whether agents of a pool may start elsewhere than here, or must."""
        if spec.hosts == LOCAL:
            return False
        return spec.hosts != ANY or (bool(self._hosts) and not _is_this_machines(_address(spec)))

    def order(self, spec: PoolSpec) -> list[str]:
        """Return the places that take agents of a pool, the least loaded first; HERE is the engine's own machine."""
        taking = [id_ for id_, host in self._hosts.items() if not self._refusal(host, spec)]
        if spec.hosts == ANY:
            taking.append(HERE)
        return sorted(taking, key=lambda id_: (self._load(id_), id_))

    def has_room(self, place: str, amounts: Amounts) -> bool:
        """Answer whether a host has what an agent takes."""
        machine = self._machines.get(place, Machine(place, {}))
        return all(machine.free(name) >= amount for name, amount in amounts.items())

    def take(self, place: str, amounts: Amounts) -> None:
        """Count an agent in."""
        self.loads[place] += 1
        if place in self._machines:
            self._machines[place].take(amounts)

    def why(self, place: str, spec: PoolSpec) -> str:
        """Return why an agent goes to a place, before it is counted in."""
        order = self.order(spec)
        others = [f"{_name(id_)} {self._load(id_):.2g}" for id_ in order if id_ != place][:_TOLD_MAX]
        among = f"; {', '.join(others)}" if others else ""
        chosen = "it had room, and the fewest agents" if len(order) > 1 else "it was the only one that takes them"
        return f"{chosen}: {self._load(place):.2g} a core{among} (hosts = {spec.hosts!r})"

    def why_none(self, spec: PoolSpec, amounts: Mapping[str, int]) -> str:
        """Return why no host takes an agent of a pool."""
        if not self._hosts:
            return "none has joined; start `fleet-tui worker --join URL` on a machine"
        said = []
        for id_, host in self._hosts.items():
            machine = self._machines.get(id_, Machine(id_, {}))
            lacks = next((f"has {say_amount(name, machine.free(name))} left" for name, amount in amounts.items() if machine.free(name) < amount), "")
            said.append(f"{id_} {self._refusal(host, spec) or lacks or 'is kept for others that go first'}")
        more = f", and {len(said) - _TOLD_MAX} more" if len(said) > _TOLD_MAX else ""
        return ", ".join(said[:_TOLD_MAX]) + more

    def _refusal(self, host: Host, spec: PoolSpec) -> str:
        """Return why a host takes no agent of a pool; empty = it does."""
        joined = host.info.joined
        assert joined is not None, "only hosts that joined are asked"
        if host.cordon is not Cordon.OPEN:
            return f"is {host.cordon}"
        if self.loads[host.info.id] >= joined.agents_max:
            return f"has all of its {joined.agents_max} agents"
        if spec.kind not in joined.kinds:
            return f"takes no agents of kind {spec.kind}"
        if joined.pools and spec.name not in joined.pools:
            return f"takes no agents of {spec.name}"
        key = spec.openai.key_env if spec.openai is not None else spec.a2a.token_env if spec.a2a is not None else ""
        if is_secret_name(key) and key not in joined.keys:
            return f"has no {key} in its worker's environment"
        return "" if spec.hosts in (ANY, HOSTS_JOINED) or _has_labels(joined, spec.hosts) else f"is not {spec.hosts}"

    def _load(self, place: str) -> float:
        """Return agents for each core."""
        return self.loads[place] / max(0.01, self._cores(place))

    def _cores(self, place: str) -> float:
        host = self._hosts.get(place)
        if host is not None:
            assert host.info.joined is not None
            return float(host.info.joined.cores)
        here = self._state.machines.get(THIS_MACHINE)
        return here.capacity.get(CPU, THOUSAND) / THOUSAND if here is not None else 1.0


def _has_labels(joined: JoinedHost, text: str) -> bool:
    return all(joined.labels.get(name) == value for name, value in labels_of(text).items())


def _address(spec: PoolSpec) -> str:
    """Return where the model or the agent is that a pool asks; empty = it asks none."""
    return spec.openai.base_url if spec.openai is not None else spec.a2a.url if spec.a2a is not None else ""


def _is_this_machines(address: str) -> bool:
    """Answer whether an address means another machine anywhere else."""
    try:
        name = urlsplit(address).hostname or ""
    except ValueError:
        return False
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _name(place: str) -> str:
    return place or "here"
