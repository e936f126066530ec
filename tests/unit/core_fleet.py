"""A fleet without a loop: decide, apply, look; the clock is a number."""

from __future__ import annotations

import random
from typing import Any

from engine.agents.registry import decide_after_work
from engine.config import parse_config
from engine.coordinator.hosts import elsewhere
from engine.coordinator.reports import decide_pools, decide_report
from engine.coordinator.sizing import decide_machine
from engine.coordinator.verbs import decide_commands
from engine.model import events as ev
from engine.model import reports as r
from engine.model.agent_events import JOINED, HostInfo, JoinedHost
from engine.model.agents import Agent
from engine.model.ids import HostId, TaskId
from engine.model.machines import ProgramRoom, Room
from engine.model.plans import Origin
from engine.model.task_commands import SubmitTask
from engine.model.task_events import TasksLeased
from engine.model.tasks import Outcome, Task
from engine.model.verbs import Command
from engine.scheduling import budgets
from engine.scheduling.allocator import FreeAgents
from engine.scheduling.router import decide_placement
from engine.scheduling.task_queue import TaskQueue
from engine.scheduling.timers import Timers, decide_due
from engine.simulation.loop import CountedIds
from engine.state import FleetState, Touched
from engine.state.deciding import Deciding

CODER = {"coder": {"min": 2, "max": 9, "priority": 8}}


def host_joined(name: str, **more: Any) -> r.HostJoined:
    """Return the report of a host that joined, the processes of which are started by nobody."""
    offer = JoinedHost("run", "lab", "1.0", **{"agents_max": 4, "cores": 2.0, "memory_mb": 1_000.0, "kinds": ("python", "command"), **more})
    return r.HostJoined(HostInfo(HostId(name), JOINED, 8, joined=offer), {"cpu": 2_000, "memory": 1_000_000})


class Fleet:
    """One pool of two idle coders, unless told otherwise."""

    def __init__(self, pools: dict[str, Any] | None = None, *, up: bool = True, room: Room | None = None, **config: Any) -> None:
        self.config = parse_config({"fleet": {"default_pools": pools or CODER}, **config}, "test")
        self.state = FleetState()
        self.now = 1_000.0
        self.room = room
        """What the machine can take; None = everything."""
        self.program_room: ProgramRoom | None = None
        """The memory that programs may have; None = they start whatever they take."""
        self.rng = random.Random(0)
        self.ids = CountedIds()
        self.events: list[ev.Event] = []
        self.apply(decide_machine(self.state, self.deciding))
        self.apply(decide_pools(self.state, self.config.pool_specs(), self.deciding))
        self.apply(budgets.decide_configured(self.state, self.config.budgets()))
        if up:
            self.up()

    @property
    def deciding(self) -> Deciding:
        return Deciding(self.now, Origin("ada", "test"), self.config, self.ids, self.rng, room=lambda: self.room)

    def apply(self, events: list[ev.Event]) -> list[ev.Event]:
        for event in events:
            self.state.apply(ev.Record(self.state.seq + 1, self.now, "test", event))
            self.events.append(event)
        touched, self.state.touched = self.state.touched, Touched()
        if events:
            after = [*decide_after_work(self.state, list(touched.agents)), *budgets.decide_after(self.state, events, self.now)]
            self.apply(elsewhere(self.state, after, self.deciding))
        self.state.check()
        return events

    def do(self, *commands: Command) -> list[Any]:
        decision = decide_commands(self.state, commands, self.deciding, self.free())
        self.apply(list(decision.events))
        return list(decision.values)

    def report(self, report: r.Report) -> list[ev.Event]:
        return self.apply(decide_report(self.state, report, self.deciding))

    def up(self, host: str = "hst_1") -> None:
        starting = tuple(id_ for id_, agent in self.state.agents.items() if agent.status == "starting")
        self.report(r.HostUp(HostInfo(HostId(host), "python", 7), starting))

    def join(self, name: str, **more: Any) -> list[ev.Event]:
        """Have a host join: two cores and four agents of any kind, unless told otherwise."""
        return self.report(host_joined(name, **more))

    def down(self, host: str = "hst_1") -> list[ev.Event]:
        return self.report(r.HostDown(HostId(host), "kill -9"))

    def free(self) -> FreeAgents:
        free = FreeAgents(self.config.routing.weights(), self.rng)
        free.rebuild(self.state)
        return free

    def place(self) -> dict[str, str]:
        """Place what can be placed; task -> agent's name."""
        queue = TaskQueue(self.config.tasks.aging_s)
        queue.rebuild(self.state, self.now)
        events = self.apply(decide_placement(self.state, queue, self.free(), self.now, lambda: self.program_room))
        leases = [lease for event in events if isinstance(event, TasksLeased) for lease in event.leases]
        return {lease.task: self.state.agents[lease.agent].spec.name for lease in leases}

    def after(self, seconds: float) -> list[ev.Event]:
        """Let time pass and do what is due."""
        timers = Timers()
        timers.rebuild(self.state)
        for due in budgets.dues_of_all(self.state, self.now):
            timers.add(due)
        self.now += seconds
        taken = timers.take_due(self.now)
        scopes = [name for _at, kind, name, _attempt in taken if kind == budgets.DUE]
        return self.apply([*decide_due(self.state, taken, self.now), *budgets.decide_due(self.state, scopes, self.now)])

    def submit(self, kind: str = "noop", pool: str = "coder", **fields: Any) -> TaskId:
        return TaskId(self.do(SubmitTask(kind, pool, **fields))[0])

    def begin(self, task: str) -> None:
        id_ = TaskId(task)
        self.report(r.TasksBegan(((id_, self.task(task).attempt, self.now),)))

    def run(self, **fields: Any) -> TaskId:
        """Submit a task and have it running."""
        task = self.submit(**fields)
        assert task in self.place()
        self.begin(task)
        return task

    def end(self, task: str, *, ok: bool = True, token: int = 0, **fields: Any) -> list[ev.Event]:
        attempt = token or self.task(task).attempt
        kind = {} if ok else {"error_kind": "bug", "error": "it broke"}
        return self.report(r.TasksEnded((Outcome(TaskId(task), attempt, ok=ok, **{**kind, **fields}),)))

    def task(self, task: str) -> Task:
        return self.state.tasks[TaskId(task)]

    def agent(self, word: str) -> Agent:
        found = self.state.agent_named(word)
        assert found is not None, word
        return found

    def states(self) -> list[str]:
        return [task.state.value for task in self.state.tasks.values()]

    def types(self, since: int = 0) -> list[str]:
        return [event.type for event in self.events[since:]]
