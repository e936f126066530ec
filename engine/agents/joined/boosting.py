"""The booster of a host that joined: instances by the limits of the fleet's configuration, and the modules of operators that their tasks need.

Owner: `HostedBooster`, of what runs the instances, of attempts that wait for a module, of modules on their way, and of what the workers told
last. Limits: an agent has one attempt; a module comes once, in pieces, is at most MODULE_MAX_BYTES, and is given up when none came for
GET_WITHIN_S; LACKS_MAX modules are remembered that did not come.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from engine.agents.joined import messages as m
from engine.agents.runtime import AgentKind, Artifact, HostSample, Reporter
from engine.clock import Clock
from engine.model.agents import AgentSpec
from engine.model.effects import Assignment
from engine.model.errors import CommandRefused
from engine.model.ids import AgentId, HostId
from engine.model.modules import SHORT_HASH
from engine.model.pools import PoolSpec
from engine.model.questions import Reply
from engine.model.reports import HostDown, HostUp, Report, TasksEnded
from engine.model.tasks import Outcome

ASK_AGAIN_S = 2.0
"""Between two questions for the same piece of a module."""
GET_WITHIN_S = 60.0
MODULE_MAX_BYTES = 64 << 20
LACKS_MAX = 32
CHANGED = "the limits of the booster were changed"


class Shelf(Protocol):
    """Modules of operators on this machine; each call may take its time."""

    def has(self, sha256: str) -> bool:
        """Tell whether a module is there, whole."""
        ...

    def write(self, sha256: str, wasm: bytes) -> None:
        """Keep a module. Raises CommandRefused."""
        ...

    def tidy(self, keep: Collection[str]) -> None:
        """Remove what is none of these."""
        ...


class Make(Protocol):
    """Makes what runs instances."""

    def __call__(self, limits: Mapping[str, object], report: Reporter, beat: Callable[[HostId, dict[str, object] | None], None], /) -> AgentKind:
        """Return it; `beat` gets the figures of its workers."""
        ...


@dataclass(slots=True)
class _Coming:
    """A module on its way here."""

    since: float
    """When it was asked for, or a piece of it came last."""
    ask_at: float = 0.0
    size: int = -1
    data: bytearray = field(default_factory=bytearray)

    @property
    def is_whole(self) -> bool:
        return 0 <= self.size <= len(self.data)


class HostedBooster:
    """Runs instances of the booster as the engine that leads wants them."""

    def __init__(self, make: Make, shelf: Shelf, report: Reporter, clock: Clock) -> None:
        self._make, self._shelf, self._report, self._clock = make, shelf, report, clock
        self._stir: Callable[[], None]
        self._has_run: Callable[[m.Run], bool]
        self._limits: Mapping[str, object] | None = None
        self._inner: AgentKind | None = None
        """What runs instances; None = no engine said yet by which limits."""
        self._life = 0
        """Counts these: what an earlier one still says is not heard."""
        self._renewed = asyncio.Event()
        self._agents: dict[AgentId, tuple[AgentSpec, PoolSpec]] = {}
        self._workers: dict[HostId, dict[str, object] | None] = {}
        """Processes with instances -> their newest figures."""
        self._untold: set[HostId] = set()
        self._held: dict[str, list[Assignment]] = {}
        """Module -> attempts that wait for it."""
        self._here: set[str] = set()
        """Modules that were seen to be here."""
        self._coming: dict[str, _Coming] = {}
        self._lacks: dict[str, str] = {}
        self._keep: Collection[str] | None = None
        """Modules that the fleet has; None = nothing is to be tidied."""
        self._wake = asyncio.Event()

    def connect(self, stir: Callable[[], None], has_run: Callable[[m.Run], bool]) -> None:
        """Say what has wants() asked, and which attempts are this host's; called once, before run()."""
        self._stir, self._has_run = stir, has_run

    # ---- what the leader says of the booster

    def settle(self, terms: m.BoosterTerms | None) -> None:
        """Work by the limits of an engine that leads from now on, and tell it all; with others than before, workers are started anew."""
        self._untold = set(self._workers)
        if terms is None:
            return
        for coming in self._coming.values():
            coming.ask_at = 0.0
            coming.since = self._clock.now()  # which may have been set just now
        self._lacks = {sha256: why for sha256, why in self._lacks.items() if sha256 in terms.modules}
        self._keep = frozenset(terms.modules)
        self._wake.set()
        if terms.limits == self._limits:
            return
        self._limits = terms.limits
        for id_ in list(self._workers):
            self._note(self._life, HostDown(id_, CHANGED))
        self._life += 1
        self._inner = self._make(terms.limits, partial(self._note, self._life), partial(self._beat, self._life))
        self._renewed.set()
        self._inner.start(list(self._agents.values()))

    def take(self, part: m.ModulePart) -> None:
        """Take a piece of a module."""
        coming = self._coming.get(part.sha256)
        if coming is None or coming.is_whole:
            return
        if part.problem:
            self._give_up(part.sha256, part.problem)
        elif part.size > MODULE_MAX_BYTES:
            self._give_up(part.sha256, f"it has {part.size:,} bytes, and {MODULE_MAX_BYTES:,} are the most")
        elif part.start == len(coming.data):
            coming.data += part.data
            coming.size, coming.ask_at, coming.since = part.size, 0.0, self._clock.now()
            self._wake.set()
            self._stir()

    def wants(self) -> list[m.Want]:
        """Return what the leader is to be asked for now."""
        now, found = self._clock.now(), []
        for sha256, coming in list(self._coming.items()):
            if coming.is_whole:
                continue
            if now - coming.since >= GET_WITHIN_S:
                self._give_up(sha256, f"the engine did not send it within {GET_WITHIN_S:g} s")
            elif now >= coming.ask_at:
                coming.ask_at = now + ASK_AGAIN_S
                found.append(m.Want(sha256, len(coming.data)))
        return found

    def news(self) -> m.Boosted | None:
        """Return how the booster is here; None = it never worked here."""
        if self._inner is None:
            return None
        return m.Boosted({id_: figures if id_ in self._untold else None for id_, figures in self._workers.items()}, dict(self._lacks))

    def note_told(self, boosted: m.Boosted | None) -> None:
        """Take note that the leader was told something of it."""
        for id_, figures in boosted.workers.items() if boosted is not None else ():
            if figures is not None and figures is self._workers.get(HostId(id_)):
                self._untold.discard(HostId(id_))

    # ---- what an agent kind does

    async def run(self) -> None:
        """Keep workers alive until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_modules(), name="modules of operators")
            running: asyncio.Task[None] | None = None
            while True:
                await self._renewed.wait()
                self._renewed.clear()
                if running is not None:
                    running.cancel()
                    await asyncio.wait([running])
                assert self._inner is not None, "it was made just now"
                running = group.create_task(self._inner.run(), name="instances of the booster")

    def start(self, agents: Sequence[tuple[AgentSpec, PoolSpec]]) -> None:
        """Bring instances to life."""
        self._agents.update({spec.id: (spec, pool) for spec, pool in agents})
        if self._inner is not None:
            self._inner.start(agents)

    def stop(self, agents: Sequence[AgentId]) -> None:
        """Forget instances."""
        for agent in agents:
            self._agents.pop(agent, None)
        self._stop_held([one for held in self._held.values() for one in held if one.agent in agents])
        if self._inner is not None:
            self._inner.stop(agents)

    def deliver(self, assignments: Sequence[Assignment]) -> None:
        """Begin tasks, those of a module that is not here when it has come."""
        ready = [one for one in assignments if not one.module or one.module in self._here]
        for one in assignments:
            if one.module and one.module not in self._here:
                self._held.setdefault(one.module, []).append(one)
                self._wake.set()
        if ready and self._inner is not None:
            self._inner.deliver(ready)

    def stop_runs(self, runs: Sequence[m.Run], *, grace_s: float | None = None) -> None:
        """Stop attempts."""
        self._stop_held([one for held in self._held.values() for one in held if (one.task, one.token) in runs])
        if self._inner is not None:
            self._inner.stop_runs(runs, grace_s=grace_s)

    def answer(self, run: m.Run, ask: str, reply: Reply) -> None:
        """Instances ask nothing."""

    def tell(self, word: str) -> None:
        """Tell all workers a word."""
        if self._inner is not None:
            self._inner.tell(word)

    def samples(self) -> Iterable[HostSample]:
        """Measure the workers now."""
        return self._inner.samples() if self._inner is not None else ()

    # ---- what its workers say

    def _note(self, life: int, report: Report, artifacts: Sequence[Artifact] = ()) -> None:
        if life != self._life:
            return
        if isinstance(report, HostUp):
            self._workers[report.host.id] = None
        elif isinstance(report, HostDown):
            self._workers.pop(report.host, None)
            self._untold.discard(report.host)
        self._report(report, artifacts)

    def _beat(self, life: int, worker: HostId, figures: dict[str, object] | None) -> None:
        if life == self._life and figures is not None and worker in self._workers:
            self._workers[worker] = figures
            self._untold.add(worker)

    # ---- modules

    async def _keep_modules(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            keep, self._keep = self._keep, None
            if keep is not None:
                keep = {*keep, *self._held}
                self._here &= keep
                await asyncio.to_thread(self._shelf.tidy, keep)
            for sha256 in list(self._held):
                await self._see_to(sha256)

    async def _see_to(self, sha256: str) -> None:
        """Take the next step to have a module here; once it is, its tasks begin."""
        coming = self._coming.get(sha256)
        if coming is None and sha256 not in self._here:
            if not await asyncio.to_thread(self._shelf.has, sha256):
                self._coming[sha256] = _Coming(self._clock.now())
                self._stir()
                return
        elif coming is not None:
            if not coming.is_whole:
                return
            if hashlib.sha256(coming.data).hexdigest() != sha256:
                self._give_up(sha256, "what came is something else, by its hash")
                return
            try:
                await asyncio.to_thread(self._shelf.write, sha256, bytes(coming.data))
            except CommandRefused as error:
                self._give_up(sha256, str(error))
                return
        self._here.add(sha256)
        self._coming.pop(sha256, None)
        self._lacks.pop(sha256, None)
        self.deliver([one for one in self._held.pop(sha256, ()) if self._has_run((one.task, one.token))])

    def _stop_held(self, assignments: Sequence[Assignment]) -> None:
        for one in assignments:
            self._held[one.module].remove(one)
        self._end(assignments, "stopped", "stopped before it began")

    def _give_up(self, sha256: str, why: str) -> None:
        """Have the tasks of a module fail for now: another host may have it, and this one another time."""
        self._coming.pop(sha256, None)
        self._lacks.pop(sha256, None)
        self._lacks[sha256] = why
        while len(self._lacks) > LACKS_MAX:
            del self._lacks[next(iter(self._lacks))]
        self._end(self._held.pop(sha256, ()), "no_module", f"its host has not got the module {sha256[:SHORT_HASH]}: {why}")

    def _end(self, assignments: Iterable[Assignment], kind: str, why: str) -> None:
        outcomes = tuple(Outcome(one.task, one.token, ok=False, error_kind=kind, error=why, ended_at=self._clock.now()) for one in assignments if self._has_run((one.task, one.token)))
        if outcomes:
            self._report(TasksEnded(outcomes))
