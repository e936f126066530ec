"""The verbs `record-metric`, `save-baseline` and `delete-baseline`, and the baselines as they are listed.

Owner: nobody; functions only.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from engine.gate.history import SWITCHED_OFF, History
from engine.gate.reporting import Wanted, measured_in
from engine.model.data_commands import DeleteBaseline, RecordMetric, SaveBaseline
from engine.model.errors import UsageError
from engine.model.plans import PlanStep
from engine.model.verbs import Command
from engine.model.wire import call_of
from engine.monitoring.baselines import Baseline, Saved
from engine.monitoring.recorded import STANDS_S, check_series, check_value
from engine.state import FleetState

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


def record(history: History | None, command: RecordMetric) -> str:
    """Keep a figure; return in words where it stands. Raises UsageError, CommandRefused."""
    if history is None:
        raise UsageError(SWITCHED_OFF)
    name = history.record(command.metric, command.value, command.source, at=command.at)
    return f"{name}{f' of {command.source}' * bool(command.source)} is {command.value:g}"


async def carry_out(history: History | None, command: SaveBaseline | DeleteBaseline, who: str) -> str:
    """Save or delete a baseline; return in words what came of it. Raises FleetError."""
    if history is None:
        raise UsageError(SWITCHED_OFF)
    if isinstance(command, DeleteBaseline):
        await history.baselines.delete(command.baseline)
        return f"baseline {command.baseline} removed"
    if not _NAME.fullmatch(command.baseline):
        raise UsageError(f"{command.baseline!r} is no name for a baseline: letters, digits, _, - and . only, 63 at most")
    await history.baselines.check_free(command.baseline)
    found = await measured_in(history, Wanted(command.last_s))
    window = found.window
    saved = Saved(command.baseline, history.clock.now(), who, window.since, window.until, window.step)
    await history.baselines.save(Baseline(saved, {one.key: one.steps for one in found.series}))
    return f"baseline {command.baseline}: {len(found.series)} series of {(window.until - window.since) // window.step} minutes"


async def listed(history: History) -> list[dict[str, Any]]:
    """Return the baselines, the newest first. Raises FleetError."""
    history.require()
    return [one._asdict() for one in await history.baselines.listed()]


# ---- what they would do


def _record(_state: FleetState, command: RecordMetric) -> PlanStep:
    key = check_series(command.metric, command.source)
    check_value(command.metric, command.value)
    return PlanStep(call_of(command), " of ".join(word for word in key if word), "", f"{command.value:g}", f"stands until the next one, {STANDS_S:g} s at most")


def _save(_state: FleetState, command: SaveBaseline) -> PlanStep:
    return PlanStep(call_of(command), command.baseline, "", f"has the last {command.last_s / 3_600:g} h of figures", "refused when there is one of that name")


def _delete(_state: FleetState, command: DeleteBaseline) -> PlanStep:
    return PlanStep(call_of(command), command.baseline, "a baseline", "removed", "reports can no longer be compared with it")


DESCRIBE: dict[type[Command], Callable[[FleetState, Any], PlanStep]] = {RecordMetric: _record, SaveBaseline: _save, DeleteBaseline: _delete}
