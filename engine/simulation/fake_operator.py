"""An Operator without an engine: rows in memory, every call recorded, changes pushed by hand; for tests of the faces.

Owner: FakeOperator owns its rows, its calls and its feeds. A feed keeps one changed row an id, and the newest events.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

from engine.model import wire
from engine.model.agent_commands import DrainAgent, UndrainAgent
from engine.model.errors import FleetError, NotFound, UsageError
from engine.model.fleet_commands import UndoPlan
from engine.model.ids import PlanId
from engine.model.plans import Answer, Authority, Origin, Plan, PlanStep
from engine.model.pool_commands import PausePool, ScalePool, UnpausePool
from engine.model.rows import (
    ROW_KINDS,
    AgentCounts,
    AgentRow,
    EventRow,
    FleetStatus,
    Frame,
    PlanRow,
    PoolRow,
    Row,
    TaskCounts,
    TaskRow,
)
from engine.model.task_commands import CancelTask, PrioritiseTask, SubmitTask
from engine.model.verbs import Command, Danger
from engine.operations import EVENTS_IN_FRAME_MAX, Following

UNDO_S = 300.0

ONE_OF = {"pool": "pools", "agent": "agents", "task": "tasks"}

Change = tuple[str, str, Row | None]
"""Kind, id, and the row before (None = there was none)."""


def make_pool(id: str = "coder", **fields: Any) -> PoolRow:  # noqa: A002, ANN401  # the row's own words
    """Return an idle pool of two agents, with other values where given."""
    empty = PoolRow(id, id, 5, 0, 10, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.0, paused=False, reason="", blocked=0)
    return empty._replace(**fields)


def make_agent(id: str = "agt_1", **fields: Any) -> AgentRow:  # noqa: A002, ANN401
    """Return an idle agent, with other values where given."""
    empty = AgentRow(id, id, "coder", "coder", "idle", "healthy", "", "", "hst_1", 0, 0, 0.0, 0.0, 1.0, 1.0, 1.0, "")
    return empty._replace(**fields)


def make_task(id: str = "tsk_1", **fields: Any) -> TaskRow:  # noqa: A002, ANN401
    """Return a pending task, with other values where given."""
    empty = TaskRow(id, id, "noop", "coder", "pending", 5, "", 0, 1.0, 0.0, 0.0, 0.0, "", 0, "", 0, 3, 0)
    return empty._replace(**fields)


@dataclass(frozen=True, slots=True)
class Asked:
    """One call that an operator made."""

    method: str
    what: object
    reason: str = ""


class _Feed:
    """Changes that one follower has not taken yet, conflated."""

    def __init__(self, operator: FakeOperator, kinds: Sequence[str]) -> None:
        self._operator = operator
        self._kinds = tuple(kinds)
        self._changed: dict[str, dict[str, Row | None]] = {}
        self._events: deque[EventRow] = deque(maxlen=EVENTS_IN_FRAME_MAX)
        self._events_seen = 0
        self._is_new = True
        self._wake = asyncio.Event()
        self._end: FleetError | None = None
        self._wake.set()

    def note(self, kind: str, id: str, row: Row | None) -> None:  # noqa: A002
        """Keep the newest row of an id."""
        if kind in self._kinds:
            self._changed.setdefault(kind, {})[id] = row
            self._wake.set()

    def note_event(self, event: EventRow) -> None:
        """Keep the newest events and count the rest."""
        if "events" in self._kinds:
            self._events.append(event)
            self._events_seen += 1
            self._wake.set()

    def end(self, error: FleetError) -> None:
        """End with an error after the frames that are due."""
        self._end = error
        self._wake.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        await self._wake.wait()
        if self._end is not None:
            raise self._end
        self._wake.clear()
        operator = self._operator
        if self._is_new:
            rows = {kind: list(operator.rows[kind].values()) for kind in self._kinds}
            frame = Frame(operator.seq, operator.now, True, operator.status(), rows)  # noqa: FBT003  # a frame's own order
        else:
            rows = {kind: [row for row in ids.values() if row is not None] for kind, ids in self._changed.items()}
            removed = {kind: [id_ for id_, row in ids.items() if row is None] for kind, ids in self._changed.items()}
            left_out = self._events_seen - len(self._events)
            frame = Frame(
                operator.seq, operator.now, False, operator.status(), rows, removed, list(self._events), left_out  # noqa: FBT003
            )
        self._is_new = False
        self._changed, self._events_seen = {}, 0
        self._events.clear()
        return frame


class FakeOperator:
    """Implements Operator over plain rows; some verbs change them, the others are only recorded."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.rows: dict[str, dict[str, Row]] = {kind: {} for kind in ROW_KINDS}
        self.asked: list[Asked] = []
        self.origins: list[Origin] = []
        self.refusal: BaseException | None = None
        """Raised by every call while set."""
        self.open = asyncio.Event()
        """Calls wait while it is cleared."""
        self.open.set()
        self.costs: dict[str, object] = {}
        """What the query `cost` answers."""
        self.artifacts: dict[str, object] = {}
        self.now = 1.0
        self.seq = 0
        self._feeds: list[_Feed] = []
        self._last_plan = 0
        self._plans: dict[str, list[Command]] = {}
        self._undo: dict[str, list[Change]] = {}
        self._changes: list[Change] = []
        kinds = {row: kind for kind, row in ROW_KINDS.items()}
        for row in rows:
            self.rows[kinds[type(row)]][row[0]] = row

    def for_origin(self, origin: Origin) -> FakeOperator:
        """Note who acts and return itself; the factory that a gateway asks."""
        self.origins.append(origin)
        return self

    @property
    def followers(self) -> int:
        """How many feeds are open."""
        return len(self._feeds)

    # What a test pushes

    def put(self, row: Row) -> None:
        """Add or change a row and tell the followers."""
        kind = next(kind for kind, type_ in ROW_KINDS.items() if type_ is type(row))
        self._changes.append((kind, row[0], self.rows[kind].get(row[0])))
        self.rows[kind][row[0]] = row
        self.seq += 1
        for feed in self._feeds:
            feed.note(kind, row[0], row)

    def change(self, kind: str, id: str, **fields: object) -> str:  # noqa: A002
        """Change fields of a row and tell the followers; returns its id. Raises NotFound."""
        self.put(self._row(kind, id)._replace(**fields))  # type: ignore[arg-type]
        return id

    def remove(self, kind: str, id: str) -> None:  # noqa: A002
        """Remove a row and tell the followers."""
        self._changes.append((kind, id, self.rows[kind].pop(id, None)))
        self.seq += 1
        for feed in self._feeds:
            feed.note(kind, id, None)

    def say(self, event: EventRow) -> None:
        """Tell the followers of an event."""
        self.rows["events"][event.id] = event
        self.seq += 1
        for feed in self._feeds:
            feed.note_event(event)

    def end_feeds(self, error: FleetError) -> None:
        """End every feed with an error."""
        for feed in self._feeds:
            feed.end(error)

    # Operator

    def status(self) -> FleetStatus:
        """Return the fleet in one look, counted from the rows."""
        agents = Counter(str(row[4]) for row in self.rows["agents"].values())
        tasks = Counter(str(row[4]) for row in self.rows["tasks"].values())
        total = len(self.rows["tasks"])
        done = TaskCounts(total, tasks["succeeded"], tasks["failed"], tasks["dead"], tasks["cancelled"], 0, dict(tasks))
        count = sum(agents.values())
        return FleetStatus(
            "fake", "eng_fake", "0", 1, 0.0, self.now, self.seq, "", tuple(self.rows["pools"]), len(self.rows["hosts"]),
            AgentCounts(count, count, dict(agents)), done,
        )  # fmt: skip

    @property
    def authority(self) -> Authority:
        """Who the last one to come said that they are."""
        origin = self.origins[-1] if self.origins else Origin("fake", role=2)
        return Authority(origin.who, origin.role, "it was opened with --read-only" if origin.mode == "read-only" else "")

    async def plan(self, commands: Sequence[Command], *, reason: str = "") -> Plan:
        """Describe verbs; the plan can be executed by its id."""
        await self._note("plan", list(commands), reason)
        plan = self._new_plan()
        self._plans[plan] = list(commands)
        steps = []
        for command in commands:
            call = wire.call_of(command)
            target = str(next(iter(call.args.values()), ""))
            steps.append(PlanStep(call, target, "as it is", command.verb, f"{command.help}."))
        danger = Danger.DESTRUCTIVE if any(c.danger is Danger.DESTRUCTIVE for c in commands) else Danger.REVERSIBLE
        return Plan(plan, tuple(steps), danger, reason, all(c.inverse for c in commands), self.now, self.seq, len(commands))

    async def execute(self, commands: Sequence[Command] | str, *, reason: str = "", confirm: str = "") -> Answer:  # noqa: ARG002  # the fake has no rules
        """Carry out verbs at once."""
        await self._note("execute", commands if isinstance(commands, str) else list(commands), reason)
        if isinstance(commands, str):
            if commands not in self._plans:
                raise NotFound(f"no plan {commands}")
            plan, commands = PlanId(commands), self._plans[commands]
        else:
            plan = self._new_plan()
        self._changes = []
        values = tuple(self._apply(command) for command in commands)
        changes = self._undo[plan] = self._changes
        summary = ", ".join(f"{count} {verb}" for verb, count in Counter(c.verb for c in commands).items())
        self.put(PlanRow(plan, self.now, "fake", "api", summary, reason, self.now + UNDO_S, undone=False))
        changes.pop()
        return Answer(plan, values, self.seq, summary, self.now + UNDO_S)

    async def query(self, what: str, **parameters: object) -> object:
        """Return status, rows, one row, an artifact, or a plain answer for the rest."""
        await self._note("query", (what, parameters), "")
        if what == "status":
            return self.status()
        if what in ROW_KINDS:
            rows = [wire.row_to_dict(row) for row in self.rows[what].values()]
            limit = parameters.get("limit")
            return rows[:limit] if isinstance(limit, int) else rows
        id_ = str(parameters.get("id", ""))
        if what in ONE_OF:
            return wire.row_to_dict(self._row(ONE_OF[what], id_))
        if what == "artifact":
            if id_ not in self.artifacts:
                raise NotFound(f"no artifact {id_}")
            return self.artifacts[id_]
        if what == "cost":
            return self.costs
        if what in ("log", "timeline", "commands", "config", "schema", "can-i"):
            return {"what": what, **parameters}
        raise UsageError(f"no query {what!r}")

    def follow(self, kinds: Sequence[str]) -> Following:
        """Follow rows: a full frame, then what changed since the last frame that was taken."""
        return self._following(kinds)

    @asynccontextmanager
    async def _following(self, kinds: Sequence[str]) -> AsyncIterator[AsyncIterator[Frame]]:
        await self._note("follow", list(kinds), "")
        feed = _Feed(self, kinds)
        self._feeds.append(feed)
        try:
            yield feed
        finally:
            self._feeds.remove(feed)

    async def _note(self, method: str, what: object, reason: str) -> None:
        self.asked.append(Asked(method, what, reason))
        await self.open.wait()
        if self.refusal is not None:
            raise self.refusal

    def _new_plan(self) -> PlanId:
        self._last_plan += 1
        return PlanId(f"pln_{self._last_plan}")

    # Verbs

    def _row(self, kind: str, id: str) -> Row:  # noqa: A002
        if id not in self.rows[kind]:
            raise NotFound(f"no {kind.removesuffix('s')} {id!r}")
        return self.rows[kind][id]

    def _apply(self, command: Command) -> object:
        match command:
            case ScalePool():
                if not command.size.isdecimal():
                    raise UsageError(f"size {command.size!r}: the fake takes plain numbers only")
                return self.change("pools", command.pool, size=int(command.size))
            case PausePool() | UnpausePool():
                return self.change("pools", command.pool, paused=isinstance(command, PausePool))
            case DrainAgent():
                return self.change("agents", command.agent, status="draining")
            case UndrainAgent():
                return self.change("agents", command.agent, status="idle")
            case CancelTask():
                return self.change("tasks", command.task, state="cancelled")
            case PrioritiseTask():
                return self.change("tasks", command.task, priority=command.priority)
            case SubmitTask():
                return self._submit(command)
            case UndoPlan():
                return self._take_back(command)
        return None

    def _submit(self, command: SubmitTask) -> str:
        task = f"tsk_{len(self.rows['tasks']) + 1}"
        title = command.title or command.type
        self.put(make_task(task, title=title, type=command.type, pool=command.pool, priority=command.priority))
        return task

    def _take_back(self, command: UndoPlan) -> str:
        plan = command.plan or next(reversed(self._undo), "")
        if plan not in self._undo:
            raise NotFound(f"no plan {plan!r} to take back")
        for kind, id_, before in reversed(self._undo[plan]):
            if before is None:
                self.remove(kind, id_)
            else:
                self.put(before)
        return plan
