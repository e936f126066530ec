"""An operator of an engine that shares its fleet: it acts through the engine that leads, and reads what it has itself.

What was measured, and what programs wrote, only the leader has: that is asked of it too. Rows come from this engine's own state.
Calls go to the leader as JSON; what they changed is in this engine's state when the answer arrives, or the answer says it is late.

Owner: nobody; a gate is one identity at the desk.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol

import msgspec

from engine.coordinator.tools import ANSWERING
from engine.gate import Desk, Gate
from engine.model import wire
from engine.model.data_commands import BackUpFleet
from engine.model.errors import FleetError, error_from_code
from engine.model.fleet_commands import StopEngine
from engine.model.ids import PLAN_PREFIX
from engine.model.plans import Answer, Call, Origin, Plan
from engine.model.task_commands import SubmitTask
from engine.model.verbs import Command

AT_LEADER = frozenset(
    {
        "log", "load", "loads", "recommendations", "cost", "metrics", "realtime", "prometheus", "history", "report", "risks", "baselines",
        "pools-heat", "agents-heat", "foreseen", "route", "alert-test",
    }
)  # fmt: skip
"""Questions whose answers this engine has not: figures, output of programs, what waits to be sent."""

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


class _Answered(msgspec.Struct, omit_defaults=True):
    """What comes back: a result, or an error."""

    result: msgspec.Raw = msgspec.Raw(b"null")
    code: str = ""
    message: str = ""


class RelayedGate(Gate):
    """A gate that acts through the leader while this engine does not lead."""

    def __init__(self, desk: Desk, origin: Origin, leader: Leader) -> None:
        super().__init__(desk, origin)
        self._leader = leader

    async def plan(self, commands: Sequence[Command], *, reason: str = "") -> Plan:
        """Check verbs and describe what they would do; nothing changes. Raises FleetError."""
        if region := self._region_of(commands):
            plan = wire.decode_as(await self._ask(_Asked("plan", self.origin, _calls(_at(region, commands)), reason=reason), region), Plan)
            self._desk.note_abroad(plan.id, region)
            return plan
        if self._is_done_here(commands):
            return await super().plan(commands, reason=reason)
        return wire.decode_as(await self._ask(_Asked("plan", self.origin, _calls(commands), reason=reason)), Plan)

    async def execute(self, commands: Sequence[Command] | str, *, reason: str = "", confirm: str = "") -> Answer:
        """Carry out verbs, or a plan by its id; returns when it is durable. Raises FleetError."""
        plan = commands if isinstance(commands, str) else ""
        if region := self._desk.abroad(plan) if isinstance(commands, str) else self._region_of(commands):
            calls = [] if isinstance(commands, str) else _calls(_at(region, commands))
            answer = wire.decode_as(await self._ask(_Asked("execute", self.origin, calls, plan, reason, confirm), region), Answer)
            return replace(answer, summary=f"{answer.summary} in {region}", undo_until=0.0)  # its plan is there
        if self._is_done_here(commands):
            return await super().execute(commands, reason=reason, confirm=confirm)
        calls = [] if isinstance(commands, str) else _calls(commands)
        answer = wire.decode_as(await self._ask(_Asked("execute", self.origin, calls, plan, reason, confirm)), Answer)
        await self._leader.reached(answer.seq)
        return answer

    async def query(self, what: str, **parameters: object) -> object:
        """Return plain values. Raises FleetError."""
        if what not in AT_LEADER or self._leader.is_here:
            return await super().query(what, **parameters)
        return wire.decode(await self._ask(_Asked("query", self.origin, what=what, parameters=parameters)))

    def _is_done_here(self, commands: Sequence[Command] | str) -> bool:
        if self._leader.is_here or not commands:
            return True
        return self._desk.knows(commands) if isinstance(commands, str) else isinstance(commands[0], OF_THIS_ENGINE)

    def _region_of(self, commands: Sequence[Command]) -> str:
        """Return the region that tasks go to; empty = this one, or the verbs are no tasks. Raises UsageError."""
        regions = self._desk.sources.regions
        tasks = [command for command in commands if isinstance(command, SubmitTask)]
        return regions.choose(tasks) if regions is not None and tasks else ""

    async def _ask(self, asked: _Asked, region: str = "") -> bytes:
        id_ = self._desk.coordinator.deciding(self.origin).ids.new(PLAN_PREFIX)
        regions, call = self._desk.sources.regions, wire.encode(asked)
        answered = wire.decode_as(await (regions.ask(region, id_, call) if regions and region else self._leader.ask(id_, call)), _Answered)
        if answered.code:
            raise error_from_code(answered.code, answered.message)
        return bytes(answered.result)


async def carry_out(gate_of: Callable[[Origin], Gate], id_: str, call: bytes) -> bytes:
    """Carry out what another engine asked for, and return the answer; what it changes is durable together with the answer."""
    try:
        asked = wire.decode_as(call, _Asked)
        gate = gate_of(asked.origin)
        token = ANSWERING.set(lambda values, seq: (id_, _result(Answer(asked.plan or id_, tuple(values), seq, "done by the engine that led before"))))  # type: ignore[arg-type]
        try:
            return _result(await _METHODS[asked.method](gate, asked))
        finally:
            ANSWERING.reset(token)
    except FleetError as error:
        return wire.encode(_Answered(code=error.code, message=str(error)))


async def _plan(gate: Gate, asked: _Asked) -> object:
    return await gate.plan([wire.command_of(call) for call in asked.commands], reason=asked.reason)


async def _execute(gate: Gate, asked: _Asked) -> object:
    commands = asked.plan or [wire.command_of(call) for call in asked.commands]
    return await gate.execute(commands, reason=asked.reason, confirm=asked.confirm)


async def _query(gate: Gate, asked: _Asked) -> object:
    return await gate.query(asked.what, **asked.parameters)


_METHODS: dict[str, Callable[[Gate, _Asked], Awaitable[object]]] = {"plan": _plan, "execute": _execute, "query": _query}


def _at(region: str, commands: Sequence[Command]) -> Sequence[Command]:
    """Return tasks for a region as ones that name it."""
    return [replace(command, region=region) if isinstance(command, SubmitTask) else command for command in commands]


def _calls(commands: Sequence[Command]) -> list[Call]:
    return [wire.call_of(command) for command in commands]


def _result(value: object) -> bytes:
    return wire.encode(_Answered(msgspec.Raw(wire.encode(value))))
