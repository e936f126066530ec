"""Fakes that ship: a journal in memory and agents that are functions of a seed."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.agents.runtime import HostSample, Reporter
from engine.agents.workspaces.git import GitError
from engine.clock import Clock, IdFactory, Rng
from engine.memory.contract import Contents, JournalBatch, StoredArtifact
from engine.model.agent_events import HostInfo
from engine.model.agents import AgentSpec
from engine.model.booster_commands import AddModule
from engine.model.costs import AgentLife, Lives
from engine.model.effects import Assignment
from engine.model.errors import CommandRefused, EngineUnavailable, JournalError
from engine.model.events import Record
from engine.model.ids import HOST_PREFIX, AgentId, HostId, TaskId
from engine.model.modules import MODULE_MEDIA, USER_PREFIX, ModuleFacts, ModuleOperation
from engine.model.plans import Origin
from engine.model.pools import PoolSpec
from engine.model.questions import Reply
from engine.model.region_rows import HEALTHY, RegionRow
from engine.model.replication import Batch, Mark, PeerState, Taken
from engine.model.reports import AgentsFailed, AgentsUp, HostDown, HostUp, TasksBegan, TasksEnded
from engine.model.reviews import Taking, Work, ends_of
from engine.model.scaling import Load
from engine.model.task_commands import SubmitTask
from engine.model.tasks import Outcome, Task
from engine.model.verbs import Command
from engine.state import FleetState


class CountedKeys:
    """Keys that are only counted."""

    is_on = True

    def __init__(self) -> None:
        self.made = 1

    async def rotate(self) -> str:
        """Count one more."""
        self.made += 1
        return f"new keys from now on, wrapped by kek_{self.made}"


class NotedErasures:
    """Erasures that are only noted."""

    def __init__(self) -> None:
        self.owners: list[str] = []

    async def erase(self, owner: str, origin: Origin) -> str:
        """Note whose."""
        self.owners.append(owner)
        return f"{origin.who} erased {owner}"


class ListedRegions:
    """Two regions, of which the other one lives wherever it was moved to."""

    def __init__(self) -> None:
        self.own, self._other = "here", "there"
        self._home = {self.own: self.own, self._other: self._other}

    def rows(self) -> Mapping[str, RegionRow]:
        """Return both."""
        return {name: RegionRow(name, HEALTHY, name == self.own, "", 1.0, "", None, None, 0, 0.0, 0.0, "", 0, 0, 0, "", "", home, 1) for name, home in self._home.items()}

    def check_move(self, region: str, to: str) -> None:
        """Refuse what is so already. Raises CommandRefused."""
        if self._home[region] == to:
            raise CommandRefused(f"region {region} lives at {to} already")

    def choose(self, _commands: Sequence[SubmitTask]) -> str:
        """Keep all tasks here."""
        return ""

    async def ask(self, region: str, id_: str, call: bytes) -> bytes:
        """Reach nobody. Raises EngineUnavailable."""
        raise EngineUnavailable(f"region {region} has no engine that could do {id_} ({len(call)} bytes)")

    async def move(self, region: str, to: str) -> str:
        """Have it live there."""
        self.check_move(region, to)
        self._home[region] = to
        return f"region {region} lives at {to}"


class CountedExchanges:
    """Exchanges with a peer that has nothing; they are only counted."""

    def __init__(self) -> None:
        self.made = 0
        self.known = [PeerState("peer")]

    def states(self) -> Sequence[PeerState]:
        """Return the one peer, or those that a test names."""
        return self.known

    def check(self, peer: str) -> None:
        """Know every peer."""

    async def synchronize(self, peer: str = "") -> str:
        """Count one more."""
        self.made += 1
        return f"{peer or 'peer'}: 0 entries came, 0 went"

    async def changes_since(self, mark: Mark) -> Batch:
        """Return nothing."""
        return Batch(mark, 0.0)

    async def take(self, batch: Batch, origin: Origin) -> Taken:  # noqa: ARG002  # an exchange gets both
        """Know everything."""
        return Taken(known=len(batch.entries))


class MemoryJournal:
    """A journal that keeps records in a list; `broken` makes it fail as a full disk does."""

    def __init__(self, write_s: float = 0.0) -> None:
        self.kept: list[Record] = []
        self.broken = ""
        self.appends = 0
        self.backups: dict[Path, list[Record]] = {}
        self._write_s = write_s
        self._artifacts: dict[str, StoredArtifact] = {}

    async def append(self, batch: JournalBatch) -> None:
        """Keep a batch. Raises JournalError while broken."""
        records = list(batch.records)
        await asyncio.sleep(self._write_s)  # noqa: TID251  # virtual time
        await self.probe()
        self.appends += 1
        self.kept += records
        self._artifacts.update({artifact.id: artifact for artifact in batch.artifacts})

    async def probe(self) -> None:
        """Raise JournalError while broken."""
        if self.broken:
            raise JournalError(self.broken)

    async def load(self, finished_max: int) -> FleetState:
        """Return the state that the kept records make."""
        state = FleetState(finished_max)
        for record in self.kept:
            state.apply(copy.deepcopy(record))
        return state

    async def records(self, *, after: int = 0, limit: int = 1_000, before: int = 0) -> Sequence[Record]:
        """Return kept records, the newest `limit` in the range."""
        return [r for r in self.kept if r.seq > after and (not before or r.seq < before)][-limit:]

    async def story(self, id_: str, *, limit: int = 200, within: int = 0) -> Sequence[Record]:
        """Return the newest records that mention an id."""
        return [r for r in self.kept[-within:] if id_ in repr(r.event)][-limit:]

    async def find_task(self, task_id: TaskId) -> Task | None:
        """Return a task from the kept records."""
        return (await self.load(10**9)).tasks.get(task_id)

    async def load_since(self, since: float, *, limit: int) -> Sequence[Load]:
        """Return the tasks accepted since an instant that have run; dependencies are not looked at."""
        tasks = (await self.load(10**9)).tasks.values()
        ran = [task for task in tasks if task.spec.submitted_at >= since and task.started_at and task.finished_at]
        return [Load(task.spec.submitted_at, task.spec.pool, task.finished_at - task.started_at) for task in ran][-limit:]

    async def lives_since(self, since: float, *, limit: int) -> Lives:
        """Return the agents that there are; those that left and moves of sizes are not looked at."""
        agents = (await self.load(10**9)).agents.values()
        return Lives(tuple(AgentLife(agent.spec.pool, max(since, agent.created_at), 0.0, agent.spec.cost) for agent in agents)[:limit], (), ())

    async def artifact(self, artifact_id: str) -> StoredArtifact | None:
        """Return a kept payload."""
        return self.stored(artifact_id)

    def stored(self, artifact_id: str) -> StoredArtifact | None:
        """Return the same without a wait."""
        return self._artifacts.get(artifact_id)

    async def backup(self, target: Path, *, force: bool = False) -> Contents:
        """Keep a copy of the records under a name, broken or not. Raises CommandRefused."""
        if target in self.backups and not force:
            raise CommandRefused(f"a backup lies at {target} already")
        self.backups[target] = list(self.kept)
        last = self.kept[-1] if self.kept else None
        return Contents(str(target), 0, 1, 1, last.seq if last else 0, last.at if last else 0.0, {"events": len(self.kept), "tasks": 0, "agents": 0})

    async def close(self) -> None:
        """Do nothing."""


SURVIVING = 0.7
"""Share of the attempts under way that outlive a killed engine."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """An attempt under way, and how it will end."""

    key: tuple[TaskId, int]
    agent: AgentId
    began: float
    ends: float
    outcome: Outcome


class SimulatedAgents:
    """Agents of one or more hosts whose tasks take time and fail by chance; hosts can be killed."""

    def __init__(
        self,
        report: Reporter,
        tools: tuple[Clock, Rng, IdFactory],
        *,
        hosts: int = 2,
        work: Callable[[Assignment, Rng], tuple[float, Outcome]],
    ) -> None:
        self._report = report
        self._clock, self._rng, self._ids = tools
        self._hosts_wanted = hosts
        self._work = work
        self.boot_s = 0.0
        """Longest time that a new host takes until it is up."""
        self.broken = ""
        """Why agents cannot start; empty = they can."""
        self.hosts: dict[HostId, set[AgentId]] = {}
        self.booting: dict[HostId, set[AgentId]] = {}
        self.running: dict[tuple[TaskId, int], AgentId] = {}
        self.effects: list[tuple[TaskId, int]] = []
        """Every attempt that ran to its end, in order."""
        self._stopped: set[tuple[TaskId, int]] = set()
        self.answers: list[tuple[tuple[TaskId, int], str, Reply]] = []
        """What agents were told of what they asked."""
        self._begun: dict[tuple[TaskId, int], _Attempt] = {}
        self._starts: asyncio.Queue[Assignment | HostId | _Attempt] = asyncio.Queue()
        self._host_of: dict[AgentId, HostId] = {}

    async def run(self) -> None:
        """Run assignments until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                item = await self._starts.get()
                if isinstance(item, _Attempt):
                    group.create_task(self._follow(item))
                else:
                    group.create_task(self._run_one(item) if isinstance(item, Assignment) else self._boot(item))

    async def _boot(self, host: HostId) -> None:
        await self._clock.sleep(self._rng.random() * self.boot_s)
        self._is_up(host)

    def _is_up(self, host: HostId) -> None:
        self.hosts[host] = self.booting.pop(host)
        self._report(HostUp(HostInfo(host, "python", 1), tuple(sorted(self.hosts[host]))))

    async def _run_one(self, assignment: Assignment) -> None:
        key = (assignment.task, assignment.token)
        seconds, outcome = self._work(assignment, self._rng)
        began = self._clock.now()
        await self._clock.sleep(0)
        if key in self.running:
            await self._follow(_Attempt(key, assignment.agent, began, began + seconds, outcome))

    async def _follow(self, attempt: _Attempt) -> None:
        key, outcome = attempt.key, attempt.outcome
        self._begun[key] = attempt
        self._report(TasksBegan(((*key, attempt.began),)))
        while self._clock.now() < attempt.ends and key in self.running and key not in self._stopped:
            await self._clock.sleep(min(0.05, attempt.ends - self._clock.now()))
        del self._begun[key]
        if self.running.pop(key, None) is None:
            return  # its host died
        if key in self._stopped:
            outcome = Outcome(*key, ok=False, error_kind="stopped", error="told to stop")
        else:
            self.effects.append(key)
        self._report(TasksEnded((outcome,)))

    def survivors(self) -> list[_Attempt]:
        """Return attempts that outlive the engine, as programs under keepers do: some by chance."""
        return [attempt for attempt in self._begun.values() if self._rng.random() < SURVIVING]

    def adopt(self, attempts: Iterable[_Attempt]) -> None:
        """Follow attempts that outlived the former engine; no host carries them."""
        for attempt in attempts:
            self.running[attempt.key] = AgentId("")
            self._begun[attempt.key] = attempt
            self._starts.put_nowait(attempt)

    def start(self, agents: Sequence[tuple[AgentSpec, PoolSpec]]) -> None:
        """Put agents on the least loaded host, also those that were on another."""
        for spec, _pool in agents:
            self.stop((spec.id,))
            if self.broken:
                self._report(AgentsFailed((spec.id,), self.broken))
                continue
            if len(self.hosts) + len(self.booting) < self._hosts_wanted:
                self._new_host()
            places = {**self.hosts, **self.booting}
            host = self._host_of[spec.id] = min(places, key=lambda id_: len(places[id_]))
            places[host].add(spec.id)
            if host in self.hosts:
                self._report(AgentsUp(host, (spec.id,)))
            elif not self.boot_s:
                self._is_up(host)

    def _new_host(self) -> None:
        host = HostId(self._ids.new(HOST_PREFIX))
        self.booting[host] = set()
        if self.boot_s:
            self._starts.put_nowait(host)

    def stop(self, agents: Sequence[AgentId]) -> None:
        """Forget agents."""
        for agent in agents:
            host = self._host_of.pop(agent, None)
            for hosts in (self.hosts, self.booting):
                if host in hosts:
                    hosts[host].discard(agent)

    def deliver(self, assignments: Sequence[Assignment]) -> None:
        """Begin tasks."""
        for assignment in assignments:
            if self._host_of.get(assignment.agent) in self.hosts:
                self.running[assignment.task, assignment.token] = assignment.agent
                self._starts.put_nowait(assignment)

    def stop_runs(self, runs: Sequence[tuple[TaskId, int]], *, grace_s: float | None = None) -> None:  # noqa: ARG002  # they end at once
        """Stop attempts."""
        self._stopped.update(runs)

    def kill_host(self, host: HostId) -> None:
        """End a host as a crash does."""
        agents = self.hosts.pop(host)
        for key in [key for key, agent in self.running.items() if agent in agents]:
            del self.running[key]
        self._report(HostDown(host, "killed by the simulation"))

    def answer(self, run: tuple[TaskId, int], ask: str, reply: Reply) -> None:
        """Note an answer."""
        self.answers.append((run, ask, reply))

    def tell(self, word: str) -> None:
        """Simulated agents are told nothing."""

    def samples(self) -> Iterable[HostSample]:
        """Return the hosts that are up."""
        return [HostSample(id_, "python", 1, len(agents), self._clock.now()) for id_, agents in self.hosts.items()]


class SimulatedReviewer:
    """Repositories without git: which commit each branch is at, a merge with a name of its own."""

    def __init__(self) -> None:
        self.branches: dict[str, str] = {}
        self.gone: set[str] = set()
        """Branches of decided work."""

    async def make(self, work: Work, taking: Taking, task: str, title: str, *, at: str = "") -> Taking:  # noqa: ARG002  # there are no messages
        """Return where the branch is, and where it would be."""
        branch = taking.onto or work.onto
        old = at or self.branches.get(branch, work.base)
        return Taking(taking.how, branch, f"{old}..{old}+{work.head}")

    async def has(self, work: Work, task: str) -> bool:  # noqa: ARG002  # branches know commits only
        """Tell whether the branch has the commit."""
        return work.head in self.branches.get(work.onto, "").split("+")

    async def take(self, work: Work, taking: Taking) -> None:
        """Move the branch. Raises GitError when it is elsewhere."""
        self._move(taking.onto, work, *ends_of(taking.made))

    async def give_back(self, work: Work, taking: Taking) -> None:
        """Move the branch back. Raises GitError when it is elsewhere."""
        self._move(taking.onto, work, *reversed(ends_of(taking.made)))

    def _move(self, branch: str, work: Work, old: str, new: str) -> None:
        if self.branches.get(branch, work.base) != old:
            raise GitError(f"{branch} has moved")
        self.branches[branch] = new

    async def retire(self, work: Work) -> None:
        """Take note that the branch is gone."""
        self.gone.add(work.branch)

    async def restore(self, work: Work) -> None:
        """Take note that it is back."""
        self.gone.discard(work.branch)


class SimulatedModules:
    """Modules of operators without WebAssembly: a file called `blanks.wasm` offers `user.blanks`, and is what its path says."""

    def __init__(self) -> None:
        self._facts: dict[str, ModuleFacts] = {}

    def checked(self, sha256: str) -> ModuleFacts | None:
        """Return what is known of a module that was asked for."""
        return self._facts.get(sha256)

    async def pin(self, commands: Sequence[Command]) -> Sequence[Command]:
        """Return verbs with the hash of what their files would hold."""
        return [self._pin(command) if isinstance(command, AddModule) and command.path else command for command in commands]

    async def fetch(self, commands: Sequence[Command], *, lays_out: bool) -> Sequence[StoredArtifact]:  # noqa: ARG002  # there are no workers
        """Return what the journal would keep."""
        return [StoredArtifact(command.sha256, MODULE_MEDIA, b"", "") for command in commands if isinstance(command, AddModule)]

    def tidy(self, commands: Sequence[Command] | str) -> None:
        """Leave all as it is: there are no files."""

    def _pin(self, command: AddModule) -> AddModule:
        sha256 = hashlib.sha256(command.path.encode()).hexdigest()
        stem = command.path.rpartition("/")[2].removesuffix(".wasm")
        offered = (ModuleOperation(f"{USER_PREFIX}{stem}", edits=False, languages=("python",), arguments=()),)
        self._facts[sha256] = ModuleFacts(sha256, stem, "1", size_bytes=1, memory_bytes=65_536, exports=("memory",), operations=offered)
        return dataclasses.replace(command, sha256=sha256)
