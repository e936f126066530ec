"""Starts of agents: the states they pass and the time each may take; and whether what runs is what should run.

Owner: of what the last looks found. It changes no state: what is late, due or missing goes to the coordinator as a report.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from engine.agents.runtime import HostSample
from engine.model.agent_events import AgentsBroken, AgentsRegistered, AgentsRemoved
from engine.model.agents import Agent, AgentStatus
from engine.model.events import Event
from engine.model.ids import AGENT_PREFIX, AgentId, HostId
from engine.model.reports import AgentsMissing, LaunchesDue, LaunchesLate, Report
from engine.state import FleetState
from engine.state.deciding import Deciding

logger = logging.getLogger(__name__)

LOOKS_MIN = 3
"""Looks in a row that must find the same difference: reports are on their way for a moment."""
ASKED_S = 10.0
"""How long what runs agents may not have been told of one that the journal holds."""
TOLD_S = 60.0
"""How long a difference that was put right is told."""
BACK_OFF_FIRST_S = 2.0
BACK_OFF_MAX_S = 300.0


class Launch(StrEnum):
    """Where the start of an agent is."""

    ASKED = "asked"
    """It is in the journal; what runs agents was not told yet."""
    STARTING = "starting"
    """What runs agents was told; no process carries it yet."""
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds that a start may stay in a state."""

    asked_s: float
    starting_s: float


class Running(Protocol):
    """What runs agents."""

    def known(self) -> Collection[AgentId]:
        """Return the agents that it was told to run."""
        ...

    def samples(self) -> Iterable[HostSample]:
        """Measure the hosts now."""
        ...

    def forget(self, agents: Sequence[AgentId]) -> None:
        """Stop agents that the fleet does not have."""
        ...


def launch_of(agent: Agent, known: Collection[AgentId]) -> Launch:
    """Return where the start of an agent is."""
    if agent.status is AgentStatus.FAILED:
        return Launch.FAILED
    if agent.status is not AgentStatus.STARTING:
        return Launch.READY
    return Launch.STARTING if agent.spec.id in known else Launch.ASKED


def back_off_s(misses: int) -> float:
    """Return the wait before agents of a pool are replaced that start too slowly: it doubles with each miss in a row."""
    return min(BACK_OFF_MAX_S, BACK_OFF_FIRST_S * 2.0 ** min(16, max(0, misses - 1)))


class LaunchWatch:
    """Looks after starts, and compares what runs with what should."""

    def __init__(self, state: Callable[[], FleetState], running: Running, report: Callable[[Report], None], deadlines: Deadlines) -> None:
        self._state = state
        self._running = running
        self._report = report
        self._limits = {Launch.ASKED: deadlines.asked_s, Launch.STARTING: deadlines.starting_s}
        self._seen: dict[str, int] = {}
        """Difference -> looks in a row that found it."""
        self._told: dict[str, float] = {}
        """Difference that was put right -> when it was found."""

    def look(self, now: float) -> None:
        """Report starts that are late or to be tried again, stop what should not run, report what should and does not."""
        state, known = self._state(), self._running.known()
        late: dict[Launch, list[AgentId]] = {}
        due = []
        for agent in state.agents.values():
            launch = launch_of(agent, known)
            since_s = now - agent.updated_at
            if launch in self._limits and since_s >= self._limits[launch]:
                late.setdefault(launch, []).append(agent.spec.id)
            elif launch is Launch.FAILED and agent.missed and since_s >= back_off_s(state.pools[agent.spec.pool].launch_misses):
                due.append(agent.spec.id)
        for launch, agents in late.items():
            self._report(LaunchesLate(tuple(agents), launch, self._limits[launch]))
        if due:
            self._report(LaunchesDue(tuple(due)))
        self._compare(state, known, now)

    def differences(self, now: float) -> tuple[str, ...]:
        """Return where what runs is not what should run, in sentences."""
        lasting = [text for text, looks in self._seen.items() if looks >= LOOKS_MIN]
        return (*lasting, *(text for text, at in self._told.items() if now - at < TOLD_S and text not in lasting))

    def _compare(self, state: FleetState, known: Collection[AgentId], now: float) -> None:
        strays = [agent_id for agent_id in known if agent_id not in state.agents]
        missing = [id_ for id_, agent in state.agents.items() if agent.host is not None and id_ not in known]
        found = [f"{_agents(strays)} that the fleet does not have: stopped"] if strays else []
        found += [f"{_agents(missing)} that should run and did not: started anew"] if missing else []
        lasting = self._follow([*found, *_hosts_differ(state, self._running.samples())])
        for text in lasting & set(found):
            logger.warning("what runs is not what should run", extra={"difference": text})
            self._told[text] = now
            del self._seen[text]
            if text.endswith("stopped"):
                self._running.forget(strays)
            else:
                self._report(AgentsMissing(tuple(missing)))
        for text in [text for text, at in self._told.items() if now - at >= TOLD_S]:
            del self._told[text]

    def _follow(self, found: Sequence[str]) -> set[str]:
        """Count looks; return what was found often enough to be true."""
        self._seen = {text: self._seen.get(text, 0) + 1 for text in found}
        return {text for text, looks in self._seen.items() if looks >= LOOKS_MIN}


def _agents(ids: Sequence[AgentId]) -> str:
    return f"agent {ids[0]}" if len(ids) == 1 else f"{len(ids)} agents ({ids[0]}, …)"


def _hosts_differ(state: FleetState, samples: Iterable[HostSample]) -> list[str]:
    """Return where measured hosts are not those of the fleet; one may carry more: agents that are not ready yet."""
    measured: dict[HostId, HostSample] = {sample.host: sample for sample in samples}
    found = [f"process {sample.pid} carries agents and is no host of the fleet" for id_, sample in measured.items() if id_ not in state.hosts]
    for id_, host in state.hosts.items():
        sample = measured.get(id_)
        if sample is None:
            found.append(f"host {id_} (process {host.info.pid}) cannot be found")
        elif sample.agents < len(host.agents):
            found.append(f"process {sample.pid} carries {sample.agents} of the {len(host.agents)} agents that it should")
    return found


def decide_late(state: FleetState, report: LaunchesLate, deciding: Deciding) -> list[Event]:
    """Agents that were too long in a state of their start have failed; those that are up by now are left out."""
    late = tuple(id_ for id_ in report.agents if _is(state, id_, AgentStatus.STARTING) and deciding.now - state.agents[id_].updated_at >= report.limit_s)
    reason = f"it did not start: {report.launch} for more than {report.limit_s:g} s; it is replaced after a wait"
    return [AgentsBroken(late, reason, missed=True)] if late else []


def decide_due(state: FleetState, report: LaunchesDue, deciding: Deciding) -> list[Event]:
    """Replace agents that did not start in time by new ones of their kind."""
    gone = [state.agents[id_] for id_ in report.agents if _is(state, id_, AgentStatus.FAILED) and state.agents[id_].missed]
    if not gone:
        return []
    made: dict[str, int] = {}
    specs = []
    for agent in gone:
        if agent.retiring:
            continue
        name = agent.spec.pool
        made[name] = made.get(name, state.pools[name].created) + 1
        specs.append(replace(agent.spec, id=AgentId(deciding.ids.new(AGENT_PREFIX)), name=f"{name}-{made[name]}"))
    removed = AgentsRemoved(tuple(agent.spec.id for agent in gone), "did not start in time; replaced")
    return [removed, *([AgentsRegistered(tuple(specs))] if specs else [])]


def _is(state: FleetState, agent_id: AgentId, status: AgentStatus) -> bool:
    return agent_id in state.agents and state.agents[agent_id].status is status
