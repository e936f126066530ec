"""An operator of an engine that shares its fleet: it acts through the engine that leads, and reads what it has itself.

What was measured, decided or sent, and what programs wrote, only the leader has: that is asked of it too. All other rows come from this engine's own state.
Calls go to the leader as JSON; what they changed is in this engine's state when the answer arrives, or the answer says it is late.

Owner: nobody; a gate is one identity at the desk.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Protocol

import msgspec

from engine.coordinator.tools import CALLING, Calling
from engine.gate import Desk, Gate, undecided
from engine.gate.desk import Waiting
from engine.gate.plans import Said
from engine.gate.standby_look import ANSWER_WITHIN_S, LENT, MEASURED, Rows, StandbyLook
from engine.model import wire
from engine.model.data_commands import BackUpFleet
from engine.model.errors import (
    EngineUnavailable,
    FleetError,
    OutcomeUnknown,
    Unanswered,
    UsageError,
    error_from_code,
)
from engine.model.fleet_commands import StopEngine
from engine.model.ids import PlanId
from engine.model.plans import Answer, Call, Origin, Plan
from engine.model.rows import Frame
from engine.model.task_commands import SubmitTask
from engine.model.tasks import HELD
from engine.model.verbs import Command

AT_LEADER = frozenset(
    {
        "log", "load", "loads", "recommendations", "cost", "metrics", "realtime", "prometheus", "history", "report", "risks", "baselines",
        "pools-heat", "agents-heat", "foreseen", "route", "alert", "alert-test", "measured", "lent", *LENT,
    }
)  # fmt: skip
"""Questions whose answers this engine has not: figures, output of programs, what waits to be sent."""

WITH_FIGURES = MEASURED | {"agent", "explain"}
"""Rows and pages that show what the engine that leads measures."""

OF_THIS_ENGINE = (StopEngine, BackUpFleet)
"""Verbs that are about the engine that is asked, whoever leads."""


class Leader(Protocol):
    """The way to the engine that leads."""

    @property
    def is_here(self) -> bool:
        """Answer whether this engine leads."""
        ...

    async def ask(self, id_: str, call: bytes) -> bytes:
        """Send a call and return its answer. Raises EngineUnavailable when none comes."""
        ...

    async def reached(self, seq: int) -> None:
        """Wait, for a bounded time, until this engine has taken in a record."""
        ...


class _Kept(msgspec.Struct, omit_defaults=True):
    """A plan as the engine that it was asked of keeps it too: the one that made it may be gone when it is to be carried out."""

    commands: list[Call]
    substance: str
    plan: Plan | None = None
    who: str = ""


class _Asked(msgspec.Struct, omit_defaults=True):
    """A call on its way to the leader."""

    method: str
    origin: Origin
    commands: list[Call] = []
    plan: str = ""
    reason: str = ""
    confirm: str = ""
    what: str = ""
    parameters: dict[str, object] = {}
    kept: _Kept | None = None


class _Answered(msgspec.Struct, omit_defaults=True):
    """What comes back: a result, or an error."""

    result: msgspec.Raw = msgspec.Raw(b"null")
    code: str = ""
    message: str = ""
    kept: _Kept | None = None
    """What a plan comes to, beside the plan."""


class RelayedGate(Gate):
    """A gate that acts through the leader while this engine does not lead."""

    def __init__(self, desk: Desk, origin: Origin, leader: Leader, look: StandbyLook) -> None:
        super().__init__(desk, origin)
        self._leader, self._look = leader, look

    async def plan(self, commands: Sequence[Command], *, reason: str = "") -> Plan:
        """Check verbs and describe what they would do; nothing changes. Raises FleetError."""
        if region := self._region_of(commands):
            answered = await self._ask(_Asked("plan", self.origin, _calls(_at(region, commands)), reason=reason), region)
            plan = wire.decode_as(bytes(answered.result), Plan)
            self._desk.note_abroad(plan.id, region)
            return plan
        if self._is_done_here(commands):
            return await super().plan(commands, reason=reason)
        answered = await self._ask(_Asked("plan", self.origin, _calls(commands), reason=reason))
        plan = wire.decode_as(bytes(answered.result), Plan)
        if (kept := answered.kept) is not None:
            self._desk.keep(_waiting(plan, kept, self.origin.actor))
        return plan

    async def execute(self, commands: Sequence[Command] | str, *, reason: str = "", confirm: str = "") -> Answer:
        """Carry out verbs, or a plan by its id; returns when it is durable. Raises FleetError."""
        plan = commands if isinstance(commands, str) else ""
        if region := self._desk.abroad(plan) if isinstance(commands, str) else self._region_of(commands):
            calls = [] if isinstance(commands, str) else _calls(_at(region, commands))
            answer = await self._ask_for(_Asked("execute", self.origin, calls, plan, reason, confirm), region)
            return replace(answer, summary=f"{answer.summary} in {region}", undo_until=0.0)  # its plan is there
        if self._is_done_here(commands):
            return await super().execute(commands, reason=reason, confirm=confirm)
        calls = [] if isinstance(commands, str) else _calls(commands)
        waiting = self._desk.waiting(plan)
        kept = _Kept(_calls(waiting.commands), waiting.said.substance, waiting.plan, waiting.who) if waiting else None
        answer = await self._ask_for(_Asked("execute", self.origin, calls, plan, reason, confirm, kept=kept))
        self._desk.drop(plan)
        await self._leader.reached(answer.seq)
        return answer

    async def query(self, what: str, **parameters: object) -> object:
        """Return plain values. Raises FleetError."""
        if self._leader.is_here:
            return await super().query(what, **parameters)
        if what in AT_LEADER:
            return await self._query_there(what, parameters)
        if what == "explain":
            with suppress(EngineUnavailable, Unanswered, TimeoutError):  # then by what is known here
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    return await self._query_there(what, parameters)
        if what in WITH_FIGURES:
            await self._look.refresh()
        found = await super().query(what, **parameters)
        if what == "task" and isinstance(found, dict) and found["state"] in HELD:
            ask = partial(self._query_there, what, {"id": found["id"]})
            found["progress"] = await self._look.progress(found["id"], found["attempt"], ask) or found["progress"]
        return found

    @asynccontextmanager
    async def follow(self, kinds: Sequence[str]) -> AsyncIterator[AsyncIterator[Frame]]:
        """Follow rows of some kinds, conflated, with what the engine that leads measures, decides and sends. Raises Denied for the program of an attempt that is over."""
        lent = LENT.intersection(kinds)
        with self._look.looking([*lent, *MEASURED.intersection(kinds)]):
            await self._look.borrow(lent)
            async with super().follow(kinds) as first, aclosing(self._frames(first, kinds, lent)) as frames:
                yield frames

    async def _frames(self, first: AsyncIterator[Frame], kinds: Sequence[str], lent: Collection[str]) -> AsyncGenerator[Frame, None]:
        """Give frames, from the beginning again when this engine begins or ends to lead: some rows are those of who leads."""
        frames, stands_by, before = first, self._look.stands_by, dict[str, Rows]()
        async with AsyncExitStack() as stack:
            while True:
                async for frame in frames:
                    if self._look.stands_by is not stands_by:
                        break
                    yield self._look.shown(frame, lent, before) if stands_by else frame
                else:
                    return
                stands_by, before = self._look.stands_by, {}
                frames = await stack.enter_async_context(super().follow(kinds))

    async def _query_there(self, what: str, parameters: dict[str, object]) -> object:
        return wire.decode(bytes((await self._ask(_Asked("query", self.origin, what=what, parameters=parameters))).result))

    def _is_done_here(self, commands: Sequence[Command] | str) -> bool:
        if self._leader.is_here or not commands:
            return True
        if isinstance(commands, str):
            waiting = self._desk.waiting(commands)
            return waiting is not None and isinstance(waiting.commands[0], OF_THIS_ENGINE)
        return isinstance(commands[0], OF_THIS_ENGINE)

    def _region_of(self, commands: Sequence[Command]) -> str:
        """Return the region that tasks go to; empty = this one, or the verbs are no tasks. Raises UsageError."""
        regions = self._desk.sources.regions
        tasks = [command for command in commands if isinstance(command, SubmitTask)]
        return regions.choose(tasks) if regions is not None and tasks else ""

    async def _ask_for(self, asked: _Asked, region: str = "") -> Answer:
        """Have the leader carry something out. Raises FleetError; Unanswered says where to look whether it was done."""
        id_ = self._new_id()
        try:
            return wire.decode_as(bytes((await self._ask(asked, region, id_)).result), Answer)
        except Unanswered as error:
            place = f" of region {region}" * bool(region)
            raise Unanswered(f"{error}; whether it was done is not known: `fleet-tui get audit --filter plan={asked.plan or id_}`{place} has a line if it was") from error

    async def _ask(self, asked: _Asked, region: str = "", id_: str = "") -> _Answered:
        id_, call = id_ or self._new_id(), wire.encode(asked)
        regions = self._desk.sources.regions
        answered = wire.decode_as(await (regions.ask(region, id_, call) if regions and region else self._leader.ask(id_, call)), _Answered)
        if answered.code:
            raise error_from_code(answered.code, answered.message)
        return answered


async def carry_out(gate_of: Callable[[Origin], Gate], id_: str, call: bytes, *, is_again: bool) -> bytes:
    """Carry out what another engine asked for, and return the answer; what it changes is durable together with the answer.

    `is_again`: an engine that led had begun with it, or was about to, and the journal has no answer. Raises OutcomeUnknown
    when the journal may have taken it: look after it again.
    """
    try:
        asked = wire.decode_as(call, _Asked)
        if asked.method not in _METHODS:
            raise UsageError(f"this engine knows no {asked.method!r}: it is older than the one that asks")
        gate = gate_of(asked.origin)
        if asked.kept is not None and asked.kept.plan is not None:
            gate.lay_down(_waiting(asked.kept.plan, asked.kept, asked.kept.who))
        if is_again and asked.method == "execute":
            _check_repeatable([*asked.commands, *(asked.kept.commands if asked.kept else ())])
        token = CALLING.set(Calling(PlanId(id_), _encoded))
        try:
            return await _METHODS[asked.method](gate, asked)
        finally:
            CALLING.reset(token)
    except OutcomeUnknown:
        raise
    except FleetError as error:
        return _encoded(error)


def _check_repeatable(calls: Sequence[Call]) -> None:
    """Raise Unanswered for verbs whose second time is another one: nothing tells whether the engine that had begun with them did them."""
    names = {call.name for call in calls}
    for kind, look in undecided.LOOK.items():
        if kind.name in names:
            raise Unanswered(f"the engine that led was lost with it; `fleet-tui {look}` shows how it is")


async def _plan(gate: Gate, asked: _Asked) -> bytes:
    plan = await gate.plan([wire.command_of(call) for call in asked.commands], reason=asked.reason)
    waiting = gate.laid_down(plan.id)
    kept = _Kept(_calls(waiting.commands), waiting.said.substance) if waiting is not None else None
    return wire.encode(_Answered(msgspec.Raw(wire.encode(plan)), kept=kept))


async def _execute(gate: Gate, asked: _Asked) -> bytes:
    commands = asked.plan or [wire.command_of(call) for call in asked.commands]
    return _encoded(await gate.execute(commands, reason=asked.reason, confirm=asked.confirm))


async def _query(gate: Gate, asked: _Asked) -> bytes:
    return wire.encode(_Answered(msgspec.Raw(wire.encode(await gate.query(asked.what, **asked.parameters)))))


_METHODS: dict[str, Callable[[Gate, _Asked], Awaitable[bytes]]] = {"plan": _plan, "execute": _execute, "query": _query}


def _at(region: str, commands: Sequence[Command]) -> Sequence[Command]:
    """Return tasks for a region as ones that name it."""
    return [replace(command, region=region) if isinstance(command, SubmitTask) else command for command in commands]


def _calls(commands: Sequence[Command]) -> list[Call]:
    return [wire.call_of(command) for command in commands]


def _waiting(plan: Plan, kept: _Kept, who: str) -> Waiting:
    return Waiting(plan, tuple(map(wire.command_of, kept.commands)), who, Said(plan.steps, kept.substance))


def _encoded(outcome: Answer | FleetError) -> bytes:
    if isinstance(outcome, FleetError):
        return wire.encode(_Answered(code=outcome.code, message=str(outcome)))
    return wire.encode(_Answered(msgspec.Raw(wire.encode(outcome))))
