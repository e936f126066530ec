"""Ask several engines how they are, each on its own: one that hangs or is gone holds up none of the others.

Owner: a Probes owns what it last knew of each context, and while it runs one connection and one task for each. Limits:
CONTEXTS_MAX contexts, one question at a time for each, ANSWER_S for an answer, a pause that doubles up to PAUSE_MAX_S.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Protocol

from engine.clock import Clock
from engine.model.errors import EngineUnavailable, FleetError, UsageError
from engine.model.plans import Authority
from engine.model.rows import ROW_KINDS, FleetStatus, Row
from fleet_tui.contexts import Context
from screens.present_contexts import ContextRow, figures_of, settle_rtt
from screens.present_pulse import find_needs
from screens.widgets.cells import UNICODE

CONTEXTS_MAX = 64
ANSWER_S = 2.0
"""Longest wait for a connection and for each answer; what is silent for longer is stale."""
EVERY_S = 1.0
NEEDS_EVERY_S = 5.0
PAUSE_FIRST_S = 0.2
PAUSE_MAX_S = 0.8
"""Below a second, so that an engine that is back is seen at once; a refused connection costs next to nothing."""
RTTS_KEPT = 10
BAD_TASKS_MAX = 1_000


class Asked(Protocol):
    """An engine, as far as it is asked how it is."""

    @property
    def authority(self) -> Authority:
        """Who this is to the engine."""
        ...

    async def ping(self) -> float:
        """Return the round trip in seconds. Raises EngineUnavailable."""
        ...

    async def query(self, what: str, **parameters: object) -> object:
        """Return the answer to a question. Raises FleetError."""
        ...


Open = Callable[[Context], AbstractAsyncContextManager[Asked]]
"""Makes a connection to enter. Raises FleetError when nobody can know where to."""


class Probes:
    """What is known of contexts; `run` keeps it current."""

    def __init__(self, open_: Open, clock: Clock) -> None:
        self._open = open_
        self._clock = clock
        self._rows: dict[str, ContextRow] = {}

    def row(self, context: Context) -> ContextRow:
        """Return what is known of a context now."""
        known = self._rows.get(context.name)
        if known is None or known.where != context.where:
            state = "unusable" if context.problem else "asking"
            known = self._rows[context.name] = ContextRow(context.name, context.where, state, is_read_only=context.look.read_only, error=context.problem)
            if len(self._rows) > CONTEXTS_MAX:
                del self._rows[next(iter(self._rows))]
        return known

    def rest(self) -> None:
        """Nobody asks any more: what was live is of then, and asked for anew the next time."""
        self._rows = {name: replace(row, state="asking") if row.state == "live" else row for name, row in self._rows.items()}

    async def look(self, contexts: Sequence[Context]) -> None:
        """Ask each context once, all at the same time; returns within the time of one."""
        async with asyncio.TaskGroup() as group:
            for context in contexts[:CONTEXTS_MAX]:
                group.create_task(self._look_once(context))

    async def follow(self, context: Context) -> None:
        """Keep a context's row current until cancelled, over losses of the engine, too."""
        pause = PAUSE_FIRST_S
        while True:
            was_live = await self._look_long(context)
            pause = PAUSE_FIRST_S if was_live else min(pause * 2, PAUSE_MAX_S)
            await self._clock.sleep(pause)

    async def _look_once(self, context: Context) -> None:
        try:
            async with self._open(context) as operator:
                await self._ask(context, operator, deque(), has_needs=True)
        except (FleetError, TimeoutError) as error:
            self._lose(context, error)

    async def _look_long(self, context: Context) -> bool:
        """Ask again and again over one connection until it fails; tell whether it ever answered."""
        rtts: deque[float] = deque(maxlen=RTTS_KEPT)
        needs_at = 0.0
        try:
            async with self._open(context) as operator:
                while True:
                    now = self._clock.now()
                    has_needs = now - needs_at >= NEEDS_EVERY_S
                    needs_at = now if has_needs else needs_at
                    await self._ask(context, operator, rtts, has_needs=has_needs)
                    await self._clock.sleep(EVERY_S)
        except (FleetError, TimeoutError) as error:
            self._lose(context, error)
            return bool(rtts)

    async def _ask(self, context: Context, operator: Asked, rtts: deque[float], *, has_needs: bool) -> None:
        """Take a round trip and a status, and count what needs somebody if that is due. Raises FleetError, TimeoutError."""
        async with asyncio.timeout(ANSWER_S):
            rtts.append(await operator.ping())
            status = await operator.query("status")
        assert isinstance(status, FleetStatus)
        before = self.row(context).figures
        figures = figures_of(status, self._clock.now(), before)
        figures = replace(figures, rtt_s=settle_rtt(before.rtt_s if before else None, min(rtts)))
        self._note(context, state="live", error="", figures=figures, is_read_only=context.look.read_only or bool(operator.authority.read_only))
        if has_needs:
            async with asyncio.timeout(ANSWER_S):
                needs = len(find_needs(status, await _read_tables(operator, figures.failed), UNICODE))
            self._note(context, figures=replace(figures, needs=needs))

    def _lose(self, context: Context, error: Exception) -> None:
        text = _without_address(str(error), context) or f"no answer within {ANSWER_S:g} s: it is stopped, overloaded, or far away"
        if not isinstance(error, EngineUnavailable | TimeoutError):
            self._note(context, state="unusable" if isinstance(error, UsageError) else "denied", error=text)
            return
        self._note(context, state="stale" if self.row(context).figures else "down", error=text)

    def _note(self, context: Context, **changes: object) -> None:
        self._rows[context.name] = replace(self.row(context), **changes)  # type: ignore[arg-type]


def _without_address(text: str, context: Context) -> str:
    """Return what went wrong; where is told already, and would push it out of the row."""
    address = context.paths.remote.url if context.paths.remote else context.paths.socket
    return text.replace(f" at {address}", "").replace(f" (no socket {address})", "")


async def _read_tables(operator: Asked, failed: int) -> Mapping[str, Mapping[str, Row]]:
    """Return what needs are found in: pools, hosts, and the tasks that ended badly if there are any."""
    tables = {"pools": await _rows(operator, "pools"), "hosts": await _rows(operator, "hosts"), "tasks": {}}
    if failed:
        for state in ("failed", "dead"):
            tables["tasks"] |= await _rows(operator, "tasks", filter=f"state={state}", limit=BAD_TASKS_MAX)
    return tables


async def _rows(operator: Asked, kind: str, **parameters: object) -> dict[str, Row]:
    found = await operator.query(kind, **parameters)
    assert isinstance(found, list)
    made = [ROW_KINDS[kind](**{name: row[name] for name in ROW_KINDS[kind]._fields}) if isinstance(row, dict) else ROW_KINDS[kind](*row) for row in found]
    return {row[0]: row for row in made}
