"""Agents on hosts that joined, as the engine that leads runs them: a kind whose hosts are elsewhere.

What the runtime asks of it becomes messages to the host; what the host reports is handed on as if it had happened here.

Owner: `JoinedAgents`, of what each host was told and has said. Limits: a host has at most the agents that it offers, each of them one
attempt; what is to be sent waits until it is, or the host is given up. What somebody looks at there is `looking`'s.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from engine.agents.joined import messages as m
from engine.agents.joined.looking import Looks
from engine.agents.joined.modules import Boosts, ModuleSource
from engine.agents.processes.spec import StopReason
from engine.agents.program_usage import ProgramSample
from engine.agents.runtime import Artifact, HostSample, Reporter
from engine.clock import Clock
from engine.model.agent_events import HostInfo
from engine.model.agents import AgentSpec, Health
from engine.model.effects import Assignment
from engine.model.errors import Fenced, ReadOnly, RedisAway, RedisRefused, UsageError
from engine.model.ids import AgentId, HostId, TaskId
from engine.model.journal_entries import Leadership
from engine.model.pools import PoolSpec
from engine.model.questions import Reply
from engine.model.reports import HealthSeen, HostDown, HostJoined, Report, RoomSeen, TasksEnded
from engine.model.tasks import HELD, Outcome
from engine.state import FleetState

logger = logging.getLogger(__name__)

LOOK_S = 0.25
AGAIN_S = 0.1
LATE_S = 2.0
"""A beat is due every second."""
BEHIND_MAX = 3
"""Beats that have not seen what was sent, after which it is sent anew."""
TAKEN_S = 2.5
"""A host that was heard of so recently lives: another one of its name is refused."""
ENDED_WITH_HOST = "engine_restart"
"""Outcome.error_kind of an attempt that ended through no doing of its own: it waits again, and does not count."""


class Way(Protocol):
    """To the hosts and from there."""

    by: Leadership

    @property
    def is_up(self) -> bool:
        """Answer whether the server was there when it was last asked."""
        ...

    async def send(self, host: str, run: str, message: bytes) -> None:
        """Tell a host something. Raises Fenced, RedisAway, RedisRefused."""
        ...

    async def read(self) -> Sequence[bytes]:
        """Return what hosts told since the last call. Raises RedisAway, RedisRefused."""
        ...

    async def trim(self) -> None:
        """Drop what was read. Raises RedisAway, RedisRefused."""
        ...


@dataclass(frozen=True, slots=True)
class Around:
    """What it needs of the engine."""

    state: Callable[[], FleetState]
    report: Reporter
    reported: Callable[[], Awaitable[None]]
    """Waits until what was reported is durable. Raises ReadOnly."""
    clock: Clock
    silent_s: float
    """A host that says nothing for so long is given up."""
    goes_on: bool = True
    """Hosts that the state knows go on with this engine; otherwise they join it anew."""
    boosts: Boosts | None = None
    """None = there is no booster."""


@dataclass(slots=True)
class _Guest:
    """A host, as this leader knows it."""

    info: HostInfo
    agents: dict[AgentId, tuple[AgentSpec, PoolSpec]] = field(default_factory=dict)
    runs: dict[m.Run, int] = field(default_factory=dict)
    """Attempts that it should have -> number of the batch by which it heard of them; 0 = of a former leader."""
    is_in: bool = False
    """It was welcomed by this leader."""
    is_left: bool = False
    """A former leader had it, and what it told that one comes again."""
    outbox: list[m.ToHost] = field(default_factory=list)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    sent: int = 0
    heard: int = 0
    """Number of its last batch of reports that was handed on."""
    acked: int = 0
    silent_s: float = 0.0
    is_late: bool = False
    behind: int = 0
    """Beats in a row of which each had seen no more than the one before, and not all that was sent."""
    seen: int = 0
    sample: HostSample | None = None
    programs: list[m.ProgramSeen] = field(default_factory=list)
    programs_at: float = 0.0
    """When it looked at them."""

    @property
    def run(self) -> str:
        assert self.info.joined is not None
        return self.info.joined.run

    @property
    def silence(self) -> str:
        if not self.is_in:
            return f"host {self.info.id} is joining"
        return f"host {self.info.id} has said nothing for {self.silent_s:.0f} s" if self.silent_s >= LATE_S else ""

    def say(self, message: m.ToHost) -> None:
        self.outbox.append(message)
        self.wake.set()

    def take_back(self, message: m.ToHost) -> None:
        self.outbox = [one for one in self.outbox if one is not message]


class JoinedAgents:
    """Runs agents on hosts that joined."""

    def __init__(self, way: Way, around: Around) -> None:
        self._way, self._around = way, around
        self._guests: dict[HostId, _Guest] = {}
        self._senders: dict[HostId, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup
        self._unacked = asyncio.Event()
        self._host_of: dict[AgentId, _Guest] = {}
        self._hears = True
        """The server answered when hosts were last listened to."""
        self.looks = Looks(self._guests.get, around.clock)
        self._modules = ModuleSource(around.boosts, self._guests.get)
        self._some = asyncio.Event()
        """There are hosts."""
        if around.goes_on:
            self._take_over(around.state())

    def _take_over(self, state: FleetState) -> None:
        """Know the hosts of the former leader, and what runs there."""
        for id_, host in state.hosts.items():
            if host.info.joined is not None:
                self._guests[id_] = _Guest(host.info, is_left=True)
        for agent in state.agents.values():
            guest = self._guests.get(HostId(agent.spec.machine))
            if guest is not None:
                guest.agents[agent.spec.id] = (agent.spec, state.pools[agent.spec.pool].spec)
                self._host_of[agent.spec.id] = guest
                if agent.task is not None:
                    guest.runs[agent.task, state.tasks[agent.task].attempt] = 0

    # ---- what the runtime asks

    async def run(self) -> None:
        """Tell and hear hosts until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for id_, guest in self._guests.items():
                self._begin(id_, guest)
            group.create_task(self._read(), name="reports of hosts")
            group.create_task(self._acknowledge(), name="acknowledgements to hosts")
            group.create_task(self._modules.run(), name="modules for hosts")
            group.create_task(self._watch(), name="watch over hosts")

    def start(self, agents: Sequence[tuple[AgentSpec, PoolSpec]]) -> None:
        """Have agents brought to life on their hosts; those of a host that is gone are left to its HostDown."""
        by_host: dict[str, list[tuple[AgentSpec, PoolSpec]]] = {}
        for spec, pool in agents:
            by_host.setdefault(spec.machine, []).append((spec, pool))
        for id_, members in by_host.items():
            guest = self._guests.get(HostId(id_))
            if guest is not None:
                guest.agents.update({spec.id: (spec, pool) for spec, pool in members})
                self._host_of.update({spec.id: guest for spec, _ in members})
                if guest.is_in:
                    guest.say(m.Start(m.members_of(members)))

    def stop(self, agents: Sequence[AgentId]) -> None:
        """Have agents forgotten."""
        for agent in agents:
            guest = self._host_of.pop(agent, None)
            if guest is not None:
                del guest.agents[agent]
                if guest.is_in:
                    guest.say(m.Stop([agent]))

    def deliver(self, assignments: Sequence[Assignment]) -> None:
        """Have tasks begun; those of a host that is gone are left to its HostDown."""
        work: dict[str, tuple[_Guest, list[Assignment]]] = {}
        for one in assignments:
            found = self._host_of.get(one.agent)
            if found is not None:
                found.runs[one.task, one.token] = found.sent + 1
                work.setdefault(found.info.id, (found, []))[1].append(one)
        for guest, share in work.values():
            guest.say(m.Deliver(share))

    def stop_runs(self, runs: Sequence[tuple[TaskId, int]], *, grace_s: float | None = None) -> None:
        """Have attempts stopped."""
        for guest in self._guests.values():
            mine = [run for run in runs if run in guest.runs]
            if mine:
                guest.say(m.StopRuns(mine, grace_s))

    def answer(self, run: tuple[TaskId, int], ask: str, reply: Reply) -> None:
        """Tell an agent what it asked."""
        for guest in self._guests.values():
            if run in guest.runs:
                guest.say(m.Answer(run, ask, reply))

    def tell(self, word: str) -> None:
        """Tell all workers a word."""
        for guest in self._guests.values():
            guest.say(m.Word(word))

    def samples(self) -> Iterable[HostSample]:
        """Return what the hosts measured last."""
        return [guest.sample for guest in self._guests.values() if guest.sample is not None]

    def programs(self) -> list[ProgramSample]:
        """Return what the hosts found last of their programs."""
        return [
            ProgramSample(one.name, one.cores if one.cores >= 0 else None, one.rss_mb, one.cpu_s, one.quiet_s, guest.programs_at)
            for guest in self._guests.values()
            for one in guest.programs
        ]

    def end_program(self, name: str, reason: StopReason, why: str) -> bool:
        """Have a program ended of which nothing good is expected; False if no host has it."""
        for guest in self._guests.values():
            if any(one.name == name for one in guest.programs):
                guest.say(m.EndProgram(name, reason, why))
                return True
        return False

    # ---- telling

    def _begin(self, id_: HostId, guest: _Guest) -> None:
        self._senders[id_] = self._group.create_task(self._send(guest), name=f"messages to {id_}")

    async def _send(self, guest: _Guest) -> None:
        while True:
            await guest.wake.wait()
            guest.wake.clear()
            if not guest.is_in or not guest.outbox:
                continue
            said, guest.outbox = guest.outbox, []
            guest.sent += 1
            data = m.write_to_host(self._way.by.epoch, guest.sent, said)
            while not await self._deliver_batch(guest.info.id, guest.run, data):
                await self._around.clock.sleep(AGAIN_S)

    async def _deliver_batch(self, host: str, run: str, data: bytes) -> bool:
        """Send a batch; return whether it need not be sent again."""
        try:
            await self._way.send(host, run, data)
        except (RedisAway, TimeoutError):
            return False
        except RedisRefused as error:
            logger.warning("a host cannot be told anything", extra={"host": host, "reason": str(error)})
            return False
        except Fenced:
            logger.info("another engine leads by now: hosts hear no more of this one")
        return True

    async def _say_once(self, host: str, run: str, message: m.ToHost) -> None:
        """Tell somebody that is no host, or no more, outside of the row."""
        await self._deliver_batch(host, run, m.write_to_host(self._way.by.epoch, 0, [message]))

    # ---- hearing

    async def _read(self) -> None:
        while True:
            try:
                found = await self._way.read()
                self._hears = True
            except (RedisAway, RedisRefused, TimeoutError):
                self._hears = False
                await self._around.clock.sleep(AGAIN_S)
                continue
            for data in found:
                try:
                    await self._hear(m.read_header(data))
                except UsageError as error:
                    logger.warning("what a host said cannot be read", extra={"reason": str(error)})

    async def _hear(self, batch: m.FromHostBatch) -> None:
        if batch.protocol != m.PROTOCOL:
            text = f"it speaks version {batch.protocol} of the hosts' protocol, this engine {m.PROTOCOL}; install the same fleet-tui on both"
            await self._say_once(batch.host, batch.run, m.Refused(text, is_final=True))
            return
        said = m.read_from_host(batch)
        guest = self._guests.get(HostId(batch.host))
        if guest is not None and guest.run == batch.run:
            guest.silent_s = 0.0
        for message in said:
            if isinstance(message, m.Join):
                await self._join(message)
            elif guest is None or guest.run != batch.run:
                await self._say_once(batch.host, batch.run, m.Gone("this engine does not know it, or gave it up"))
                return
            elif guest.is_in:
                self._take(guest, message)

    def _take(self, guest: _Guest, message: m.FromHost) -> None:
        if isinstance(message, m.Told):
            self._take_reports(guest, message)
        elif isinstance(message, m.Beat):
            guest.sample = replace(message.sample, beat_at=self._around.clock.now())
            if message.seen_programs is not None:
                guest.programs, guest.programs_at = message.seen_programs.programs, guest.sample.beat_at - message.seen_programs.age_s
            if message.boosted is not None and self._around.boosts is not None:
                self._around.boosts.heard(guest.info.id, message.boosted)
            self._compare(guest, message)
        elif isinstance(message, m.Want):
            self._modules.take(guest.info.id, message)
            self._unacked.set()  # so that it is trimmed
        elif isinstance(message, m.Shown):
            self.looks.take(message)
            self._unacked.set()  # so that it is trimmed
        elif isinstance(message, m.Leave):
            self._give_up(guest, message.reason, left=True)

    async def _join(self, join: m.Join) -> None:
        """Take a host in, or say why not."""
        info, state = join.info, self._around.state()
        assert info.joined is not None, "a host says what it is"
        guest = self._guests.get(info.id)
        if guest is not None and guest.run != info.joined.run:
            if guest.silent_s >= TAKEN_S:
                self._give_up(guest, "another worker of its name joined")
            there = guest.info.joined.machine if guest.info.joined else ""
            text = f"the name {info.id!r} is taken by process {guest.info.pid} of {there}; give another one by --name, or stop that one"
            await self._say_once(info.id, info.joined.run, m.Refused(text, is_final=False))
            return
        if guest is None:
            if info.id in state.hosts:  # it was given up, and that is not decided yet
                await self._say_once(info.id, info.joined.run, m.Refused("the last one of its name is being given up", is_final=False))
                return
            guest = self._guests[info.id] = _Guest(info)
            self._some.set()
            self._begin(info.id, guest)
        guest.heard = max(guest.heard, join.acked)
        guest.info, guest.is_in, guest.silent_s = info, True, 0.0
        self._around.report(HostJoined(info, join.capacity))
        self._around.report(RoomSeen())
        self._welcome(guest)

    def _welcome(self, guest: _Guest) -> None:
        """Tell a host all that it should have, in place of what it was told and may have missed."""
        tasks, guest.behind = self._around.state().tasks, 0
        members = m.members_of(list(guest.agents.values()))
        guest.runs = dict.fromkeys(guest.runs, 0)  # what it was sent and has not begun it does not begin any more
        stopping = [run for run in guest.runs if run[0] in tasks and tasks[run[0]].stopping]
        answers = [message for message in guest.outbox if isinstance(message, m.Answer)]  # all else is in the welcome
        terms = self._around.boosts.terms() if self._around.boosts is not None else None
        guest.outbox = [m.Welcome(self._around.clock.now(), members, list(guest.runs), terms), m.StopRuns(stopping), *answers]
        guest.wake.set()

    def _take_reports(self, guest: _Guest, told: m.Told) -> None:
        if told.number != guest.heard + 1:
            return  # it came twice, or one is missing: what is not acknowledged comes again
        guest.heard = told.number
        for written in told.reports:
            report, artifacts = m.read_report(written)
            self._hand_on(guest, report, artifacts)
        self._unacked.set()

    def _hand_on(self, guest: _Guest, report: Report, artifacts: Sequence[Artifact]) -> None:
        if isinstance(report, TasksEnded):
            if guest.is_left:  # what the former leader took and could not acknowledge any more
                report = TasksEnded(tuple(one for one in report.outcomes if (one.task, one.token) in guest.runs))
            for outcome in report.outcomes:
                guest.runs.pop((outcome.task, outcome.token), None)
            if not report.outcomes:
                return
        self._around.report(report, artifacts)

    def _compare(self, guest: _Guest, beat: m.Beat) -> None:
        """Find what it should run and does not, and the other way round: a message was lost, or the former leader's never went out."""
        if beat.told > guest.heard:
            guest.say(m.Again(guest.heard))
            return
        guest.behind = guest.behind + 1 if beat.seen == guest.seen < guest.sent else 0
        guest.seen = beat.seen
        if guest.behind >= BEHIND_MAX:
            logger.warning("a host was told something that did not arrive; it is told all anew", extra={"host": guest.info.id})
            self._welcome(guest)
            return
        guest.is_left = False  # what it had told before came before its first beat
        there = set(beat.runs)
        missing = [run for run, number in guest.runs.items() if number <= beat.seen and run not in there]
        for run in missing:
            del guest.runs[run]
        outcomes = tuple(_handed_back(run, f"{guest.info.id} never heard of it") for run in missing if self._holds(run))
        if outcomes:
            self._around.report(TasksEnded(outcomes))
        strays = [run for run in there if run not in guest.runs]
        if strays:
            guest.say(m.StopRuns(strays, given_up=True))

    def _holds(self, run: m.Run) -> bool:
        task = self._around.state().tasks.get(run[0])
        return task is not None and task.attempt == run[1] and task.state in HELD

    async def _acknowledge(self) -> None:
        """Tell hosts what is durable of what they reported, so that they need not keep it."""
        while True:
            await self._unacked.wait()
            self._unacked.clear()
            heard = {id_: guest.heard for id_, guest in self._guests.items() if guest.heard > guest.acked}
            try:
                await self._around.reported()
                await self._way.trim()
            except (ReadOnly, RedisAway, RedisRefused, TimeoutError):
                self._unacked.set()
                await self._around.clock.sleep(AGAIN_S)
                continue
            for id_, number in heard.items():
                guest = self._guests.get(id_)
                if guest is not None and number > guest.acked:
                    guest.acked = number
                    guest.say(m.Ack(number))

    # ---- hosts that go

    async def _watch(self) -> None:
        """Give up hosts that say nothing. While the server is away, or this engine was late itself, silence means nothing."""
        while True:
            if not self._guests:  # an engine without hosts does not wake up for them
                self._some.clear()
                await self._some.wait()
            before = self._around.clock.now()
            await self._around.clock.sleep(LOOK_S)
            self.looks.forget_old()
            on_time = self._around.clock.now() - before < 2 * LOOK_S
            for guest in list(self._guests.values()):
                if not (self._way.is_up and self._hears):
                    guest.silent_s = 0.0
                elif on_time:
                    guest.silent_s += LOOK_S
                self._judge(guest)
                if guest.silent_s >= self._around.silent_s:
                    self._give_up(guest, f"it said nothing for {guest.silent_s:.1f} s")

    def _judge(self, guest: _Guest) -> None:
        """Tell of a host whose beats are late, and of its return."""
        if (guest.silent_s >= LATE_S) is guest.is_late:
            return
        guest.is_late = not guest.is_late
        evidence = f"no beat for {LATE_S:g} s; it is given up after {self._around.silent_s:g} s" if guest.is_late else ""
        self._around.report(HealthSeen(guest.info.id, Health.SUSPECT if guest.is_late else Health.HEALTHY, evidence))

    def _give_up(self, guest: _Guest, reason: str, *, left: bool = False) -> None:
        id_ = guest.info.id
        logger.warning("a host that joined is gone", extra={"host": id_, "reason": reason, "agents": len(guest.agents)})
        del self._guests[id_]
        for agent in guest.agents:
            del self._host_of[agent]
        self._senders.pop(id_).cancel()
        if left and guest.runs:
            self._around.report(TasksEnded(tuple(_handed_back(run, f"its host left: {reason}") for run in guest.runs)))
        self._around.report(HostDown(id_, reason))


def _handed_back(run: m.Run, why: str) -> Outcome:
    return Outcome(*run, ok=False, error_kind=ENDED_WITH_HOST, error=why)
