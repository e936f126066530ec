"""A host that joined, as its own worker runs it: does what the engine that leads says with the kinds of agents that a local engine has.

Owner: `Hosting`, of the agents here, the attempts under way, and what was reported and is not known to be in the journal. Limits: as many
agents as it offered, one attempt each; reports are kept while nobody takes them, and without a leader no new work comes that could make more.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from engine.agents.joined import messages as m
from engine.agents.joined.boosting import HostedBooster
from engine.agents.logs import Part
from engine.agents.processes.spec import StopReason
from engine.agents.runtime import AgentKind, Artifact, HostSample
from engine.agents.sessions.session import RUN_PREFIX
from engine.clock import Clock
from engine.model.agent_events import JOINED, HostInfo
from engine.model.agents import AgentSpec, Health
from engine.model.effects import Assignment
from engine.model.errors import EngineUnavailable, JoinRefused, RedisAway, RedisRefused, UsageError
from engine.model.ids import AgentId, HostId, TaskId
from engine.model.pools import PoolSpec
from engine.model.reports import (
    AgentsFailed,
    AgentsMissing,
    AgentsUp,
    HealthSeen,
    HostDown,
    HostUp,
    Report,
    TasksEnded,
)

logger = logging.getLogger(__name__)

BEAT_S = 1.0
AGAIN_S = 0.1
ASK_AGAIN_S = 0.5
"""Between two attempts to join."""
CLOCKS_APART_S = 0.1
"""Below that the clocks of two machines count as one."""
BATCH_MAX = 1_000
"""Reports under one number."""
LOOKS_MAX = 32
_WORST = (Health.LOST, Health.SUSPECT, Health.SLOW, Health.UNKNOWN, Health.HEALTHY)


class Leads(Protocol):
    """Who leads."""

    @property
    def epoch(self) -> int:
        """0 = no engine ever led."""
        ...

    @property
    def engine(self) -> str:
        """Empty = nobody leads."""
        ...


class Way(Protocol):
    """To the engine that leads and from there."""

    async def tell(self, epoch: int, message: bytes) -> Leads:
        """Tell who leads something; when that is another epoch than was thought, nothing is told. Raises RedisAway, RedisRefused."""
        ...

    async def read(self) -> Sequence[bytes]:
        """Return what this host was told since the last call. Raises RedisAway, RedisRefused."""
        ...

    async def trim(self) -> None:
        """Drop what was read. Raises RedisAway, RedisRefused."""
        ...


class Show(Protocol):
    """What somebody may look at here."""

    def __call__(self, task: TaskId, after: int, most: int) -> tuple[Part | None, Mapping[str, object] | None]:
        """Return at most so many bytes of a task's log after a place, and how far its agent says that it is; quick."""
        ...


class Programs(Protocol):
    """The programs here."""

    async def run(self, pool_of: Callable[[str], PoolSpec | None]) -> None:
        """Look at them until cancelled; `pool_of` finds a program's pool by its name."""
        ...

    def news(self) -> m.Seen | None:
        """Return what was found at the last look; None = that was told."""
        ...

    def note_told(self, seen: m.Seen | None) -> None:
        """Take note that the leader was told something of it."""
        ...

    def tell_again(self) -> None:
        """Tell another leader, too."""
        ...

    def end(self, name: str, reason: StopReason, why: str) -> None:
        """End one of which nothing good is expected; nothing where it has ended."""
        ...


class LetGo(Protocol):
    """Attempts that others go on with."""

    def __call__(self, runs: Sequence[tuple[TaskId, int]]) -> None:
        """Have nothing cancelled where attempts handed their tasks over, when they are stopped next."""
        ...


class FleetClock:
    """The fleet's clock, as far as this machine's differs from it."""

    def __init__(self, clock: Clock) -> None:
        self.local, self.ahead_s = clock, 0.0

    def now(self) -> float:
        """Return the instant at the leader."""
        return self.local.now() + self.ahead_s

    async def sleep(self, seconds: float) -> None:
        """Wait. Safe to cancel."""
        await self.local.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a host joins with."""

    info: HostInfo
    capacity: dict[str, int]


class Hosting:
    """Runs what the leader wants run here."""

    def __init__(self, offer: Offer, way: Way, clock: FleetClock, write: Callable[[Report], tuple[Report, bytes]], say: Callable[[str], None]) -> None:
        """`write` returns a report, repaired if need be, with its JSON; `say` tells whoever looks what happens."""
        assert offer.info.joined is not None
        self._offer, self._way, self._clock, self._write, self._say = offer, way, clock, write, say
        self._id, self._run = offer.info.id, offer.info.joined.run
        self._kinds: Mapping[str, AgentKind] = {}
        self._agents: dict[AgentId, tuple[AgentSpec, PoolSpec]] = {}
        self._inner: dict[AgentId, HostId] = {}
        """Agents that can work -> the process that carries them."""
        self._health: dict[HostId, tuple[Health, str]] = {}
        self._told_health = (Health.HEALTHY, "")
        self._runs: dict[m.Run, AgentId] = {}
        self._fresh: list[m.WrittenReport] = []
        self._kept: deque[m.Told] = deque()
        """What was told and is not in the journal yet."""
        self._number = self._acked = self._told_upto = 0
        self._epoch = self._seen = 0
        self._is_in = False
        self._ends = False
        self._joined_once = asyncio.Event()
        self._refusal = ""
        self._stir = asyncio.Event()
        self._booster: HostedBooster | None = None
        self._looks: deque[m.Look] = deque(maxlen=LOOKS_MAX)
        """What somebody wants to see; of too much the oldest is not shown."""

    def connect(self, kinds: Mapping[str, AgentKind], show: Show, programs: Programs, let_go: LetGo) -> None:
        """Say what runs agents here, what shows their logs and progress, what looks at programs, and what lets attempts go; called once, before run()."""
        self._kinds, self._show, self._programs, self._let_go = kinds, show, programs, let_go
        self._booster = next((kind for kind in kinds.values() if isinstance(kind, HostedBooster)), None)
        if self._booster is not None:
            self._booster.connect(self._stir.set, lambda run: run in self._runs)

    async def run(self) -> None:
        """Be a host until cancelled. Raises JoinRefused, EngineUnavailable in an ExceptionGroup."""
        async with asyncio.TaskGroup() as group:
            for name, kind in self._kinds.items():
                group.create_task(kind.run(), name=f"agents of kind {name}")
            group.create_task(self._programs.run(self._pool_of), name="programs")
            group.create_task(self._read(), name="messages of the leader")
            group.create_task(self._talk(), name="reports to the leader")

    async def joined(self, within_s: float) -> None:
        """Wait until the fleet took this host in. Raises JoinRefused, EngineUnavailable when it does not in time."""
        try:
            async with asyncio.timeout(within_s):
                await self._joined_once.wait()
        except TimeoutError:
            if self._refusal:
                raise JoinRefused(self._refusal) from None
            raise EngineUnavailable(f"no engine of this fleet answered within {within_s:g} s; is one running? `fleet-tui get engines` there lists them") from None

    async def leave(self, reason: str) -> None:
        """Tell the fleet that this host ends; once, as it ends anyway."""
        self._ends = True
        if self._is_in:
            await self._tell([m.Leave(reason)])

    # ---- what happens here

    def report(self, report: Report, artifacts: Sequence[Artifact] = ()) -> None:
        """Take a report of a kind, and tell the leader what it means there."""
        if self._ends:
            return
        for one in self._translated(report):
            repaired, text = self._write(one)
            self._fresh.append(m.write_report(repaired, text, artifacts))
        self._stir.set()

    def _translated(self, report: Report) -> list[Report]:
        """Return a report with this host for the processes in it."""
        if isinstance(report, HostUp):
            self._health.setdefault(report.host.id, (Health.HEALTHY, ""))
            return self._up(report.host.id, report.agents)
        if isinstance(report, AgentsUp):
            return self._up(report.host, report.agents)
        if isinstance(report, HostDown):
            return self._down(report)
        if isinstance(report, HealthSeen):
            self._health[report.host] = (report.health, report.evidence)
            return self._worst()
        if isinstance(report, TasksEnded):
            for outcome in report.outcomes:
                self._runs.pop((outcome.task, outcome.token), None)
        return [report]

    def _up(self, inner: HostId, agents: Sequence[AgentId]) -> list[Report]:
        self._inner.update(dict.fromkeys(agents, inner))
        return [AgentsUp(self._id, tuple(agents))] if agents else []

    def _down(self, report: HostDown) -> list[Report]:
        lost = tuple(agent for agent, inner in self._inner.items() if inner == report.host)
        for agent in lost:
            del self._inner[agent]
        gone = set(lost)
        self._runs = {run: agent for run, agent in self._runs.items() if agent not in gone}
        self._health.pop(report.host, None)
        return [*([AgentsMissing(lost, report.reason)] if lost else []), *self._worst()]

    def _worst(self) -> list[Report]:
        worst = min(self._health.values(), key=lambda one: _WORST.index(one[0]), default=(Health.HEALTHY, ""))
        if worst == self._told_health:
            return []
        self._told_health = worst
        return [HealthSeen(self._id, *worst)]

    # ---- telling

    async def _talk(self) -> None:
        """Join, and join again with each new leader; report, and beat."""
        beat_at, clock = 0.0, self._clock.local  # the fleet's may step when this host is welcomed
        while True:
            if not self._is_in:
                await self._tell([m.Join(self._offer.info, self._offer.capacity, self._acked)])
                await self._wait(ASK_AGAIN_S if self._epoch else AGAIN_S)
                continue
            self._number_reports()
            # As of these reports: an attempt that ends from now on is still among those that run when the leader hears of it.
            beat = self._make_beat() if clock.now() >= beat_at else None
            if not await self._tell_reports():
                await clock.sleep(AGAIN_S)
                continue
            if beat is not None and await self._tell([beat]):
                beat_at = clock.now() + BEAT_S
                self._note_told(beat)
                with contextlib.suppress(RedisAway, RedisRefused, TimeoutError):
                    await self._way.trim()
            await self._show_all()
            if not self._fresh:
                await self._wait(max(0.0, beat_at - clock.now()))

    def _make_beat(self) -> m.Beat:
        return m.Beat(self._seen, self._number, list(self._runs), self._sample(), self._programs.news(), self._booster.news() if self._booster else None)

    def _note_told(self, beat: m.Beat) -> None:
        self._programs.note_told(beat.seen_programs)
        if self._booster is not None:
            self._booster.note_told(beat.boosted)

    async def _show_all(self) -> None:
        """Show what was asked for, once: who looks asks again; and ask for what is wanted here."""
        for want in self._booster.wants() if self._booster else ():
            await self._tell([want])
        while self._looks:
            look = self._looks.popleft()
            part, said = self._show(TaskId(look.task), look.after, min(look.most, m.PART_MAX))
            await self._tell([m.Shown(look.number, m.LogPart(*part) if part else None, dict(said) if said else None)])

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stir.wait()
        except TimeoutError:
            return
        self._stir.clear()

    def _number_reports(self) -> None:
        while self._fresh:
            batch, self._fresh = self._fresh[:BATCH_MAX], self._fresh[BATCH_MAX:]
            self._number += 1
            self._kept.append(m.Told(self._number, batch))

    async def _tell_reports(self) -> bool:
        """Tell what is numbered and not told yet; return whether nothing stands in the way."""
        for told in [one for one in self._kept if one.number > self._told_upto]:
            if not await self._tell([told]):
                return False
            if self._told_upto != told.number - 1:
                return True  # the leader wants them from another one on
            self._told_upto = told.number
        return True

    async def _tell(self, said: Sequence[m.FromHost]) -> bool:
        """Tell the leader something; return whether it was taken."""
        epoch = self._epoch
        try:
            leads = await self._way.tell(epoch, m.write_from_host(self._id, self._run, said))
        except (RedisAway, TimeoutError):
            return False
        except RedisRefused as error:
            self._refusal = str(error)
            return False
        if leads.epoch == 0:
            self._refusal = "no engine ever shared a fleet there; start one with `share = true` in its section [redis], or correct the URL or --region"
        if leads.epoch == epoch:
            return bool(epoch)
        if leads.engine:
            self._epoch, self._is_in = leads.epoch, False
            self._stir.set()
        return False

    def _sample(self) -> HostSample:
        """Measure the processes here, taken together."""
        found = [sample for kind in self._kinds.values() for sample in kind.samples()]
        cpu = [sample.cpu for sample in found if sample.cpu >= 0]
        rss = [sample.rss_mb for sample in found if sample.rss_mb >= 0]
        return HostSample(self._id, JOINED, self._offer.info.pid, len(self._inner), 0.0, sum(cpu) if cpu else -1.0, sum(rss) if rss else -1.0)

    # ---- hearing

    async def _read(self) -> None:
        while True:
            try:
                found = await self._way.read()
            except (RedisAway, RedisRefused, TimeoutError):
                await self._clock.sleep(AGAIN_S)
                continue
            for data in found:
                try:
                    self._take(m.read_to_host(data))
                except UsageError as error:
                    raise JoinRefused(f"{error}; install the same fleet-tui as the engine's") from error

    def _take(self, batch: m.ToHostBatch) -> None:
        if batch.epoch != self._epoch:
            return
        if batch.number == 0:
            for message in batch.messages:
                self._take_outside(message)
        elif batch.messages and isinstance(batch.messages[0], m.Welcome):
            self._seen = batch.number
            self._settle(batch.messages[0])
            self._do(batch.messages[1:])
        elif self._is_in and batch.number == self._seen + 1:
            self._seen = batch.number
            self._do(batch.messages)
        elif self._is_in and batch.number > self._seen:
            logger.warning("a message of the leader was lost; this host joins again", extra={"number": self._seen + 1})
            self._is_in = False

    def _take_outside(self, message: m.ToHost) -> None:
        if isinstance(message, m.Refused):
            self._refusal = message.reason
            if message.is_final:
                raise JoinRefused(message.reason)
        elif isinstance(message, m.Gone) and self._is_in:
            self._say(f"the fleet gave this host up: {message.reason}; it stops what runs and joins again")
            self._is_in = False

    def _settle(self, welcome: m.Welcome) -> None:
        """Bring what is here in line with what the leader wants."""
        ahead_s = welcome.now - self._clock.now()
        if abs(ahead_s) > CLOCKS_APART_S:
            self._clock.ahead_s += ahead_s
        wanted = {agent.id: (agent, pool) for agent, pool in welcome.members.pairs()}
        runs = set(welcome.runs)
        self._stop_runs([run for run in self._runs if run not in runs], given_up=True)
        self._forget([agent for agent in self._agents if agent not in wanted])
        if self._booster is not None:
            self._booster.settle(welcome.booster)
        self._start([pair for id_, pair in wanted.items() if self._agents.get(id_) != pair])
        again = tuple(agent for agent in wanted if agent in self._inner)
        self._is_in = True
        self._told_upto = self._acked
        self._told_health = (Health.HEALTHY, "")
        self._programs.tell_again()
        for one in ([AgentsUp(self._id, again)] if again else []) + self._worst():
            self._fresh.append(m.write_report(*self._write(one), ()))
        if not self._joined_once.is_set() or self._refusal:
            self._say(f"joined as {self._id}; {len(wanted)} agents" if wanted else f"joined as {self._id}")
        self._refusal = ""
        self._joined_once.set()
        self._stir.set()

    def _do(self, messages: Sequence[m.ToHost]) -> None:
        for message in messages:
            if isinstance(message, m.Deliver):
                self._deliver(message)
            elif isinstance(message, m.Start):
                self._start(message.members.pairs())
            elif isinstance(message, m.Stop):
                self._forget([AgentId(agent) for agent in message.agents])
            elif isinstance(message, m.StopRuns):
                self._stop_runs(message.runs, message.grace_s, given_up=message.given_up)
            elif isinstance(message, m.Ack):
                self._acked = max(self._acked, message.upto)
                while self._kept and self._kept[0].number <= self._acked:
                    self._kept.popleft()
            elif isinstance(message, m.Again):
                self._told_upto = max(self._acked, message.after)
            elif isinstance(message, m.Look):
                self._looks.append(message)
                self._stir.set()
            else:
                self._tell_agents(message)

    def _tell_agents(self, message: m.ToHost) -> None:
        if isinstance(message, m.EndProgram):
            self._programs.end(message.name, message.reason, message.why)
        elif isinstance(message, m.ModulePart) and self._booster is not None:
            self._booster.take(message)
        for kind in self._kinds.values():
            if isinstance(message, m.Word):
                kind.tell(message.word)
            elif isinstance(message, m.Answer):
                kind.answer(message.run, message.ask, message.reply)

    def _pool_of(self, program: str) -> PoolSpec | None:
        """Return the pool of a program by its name: of an attempt, or of an agent that keeps it."""
        owner, _, number = program.rpartition(".")
        agent = AgentId(owner.removeprefix(RUN_PREFIX))
        if agent not in self._agents and number.isdigit():
            agent = self._runs.get((TaskId(owner), int(number)), agent)
        known = self._agents.get(agent)
        return known[1] if known is not None else None

    def _start(self, pairs: Sequence[tuple[AgentSpec, PoolSpec]]) -> None:
        by_kind: dict[str, list[tuple[AgentSpec, PoolSpec]]] = {}
        for agent, pool in pairs:
            self._agents[agent.id] = (agent, pool)
            by_kind.setdefault(pool.kind, []).append((agent, _local(pool)))
        for name, members in by_kind.items():
            kind = self._kinds.get(name)
            if kind is None:
                self.report(AgentsFailed(tuple(agent.id for agent, _ in members), f"no agents of kind {name!r} on host {self._id}"))
            else:
                kind.start(members)

    def _forget(self, agents: Sequence[AgentId]) -> None:
        for agent in agents:
            known = self._agents.pop(agent, None)
            self._inner.pop(agent, None)
            if known is not None and (kind := self._kinds.get(known[1].kind)) is not None:
                kind.stop((agent,))

    def _stop_runs(self, runs: Sequence[tuple[TaskId, int]], grace_s: float | None = None, *, given_up: bool) -> None:
        mine = [run for run in runs if run in self._runs]
        if given_up:
            self._let_go(mine)
        if mine:
            for kind in self._kinds.values():
                kind.stop_runs(mine, grace_s=grace_s)

    def _deliver(self, message: m.Deliver) -> None:
        """Begin tasks; what an agent gets that cannot work is not among the attempts of the next beat, and so waits again."""
        work: dict[str, list[Assignment]] = {}
        for one in message.assignments:
            if one.agent in self._inner:
                self._runs[one.task, one.token] = one.agent
                work.setdefault(self._agents[one.agent][1].kind, []).append(one)
        for name, share in work.items():
            self._kinds[name].deliver(share)


def _local(pool: PoolSpec) -> PoolSpec:
    """Return a pool as its agents run here: programs end with their worker, for nobody would follow them."""
    if pool.command is None or pool.command.on_engine_death == "kill":
        return pool
    return replace(pool, command=replace(pool.command, on_engine_death="kill"))
