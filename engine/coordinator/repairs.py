"""What the journal could not keep: found before anything is changed; reports that hold it are repaired.

Reports that hold what JSON cannot become ones that say so, for otherwise they would be decided again for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from engine.model import wire
from engine.model.events import Event
from engine.model.plain import NOT_JSON, printable
from engine.model.reports import Report, TasksEnded
from engine.model.tasks import Outcome


class NotJsonError(Exception):
    """An event holds what JSON cannot."""


def encode_all(events: Sequence[Event]) -> list[bytes]:
    """Return events as JSON. Raises NotJsonError."""
    try:
        return [wire.encode(event) for event in events]
    except NOT_JSON as error:
        raise NotJsonError(printable(str(error))) from error


def repaired(report: Report) -> Report:
    """Return a report that can be kept: attempts whose outcome cannot have failed, texts hold escapes for what is no text."""
    if isinstance(report, TasksEnded):
        return TasksEnded(tuple(_kept_or_failed(outcome) for outcome in report.outcomes))
    clean: Report = _printable(report)
    return clean


def _kept_or_failed(outcome: Outcome) -> Outcome:
    try:
        wire.encode(outcome)
    except NOT_JSON as error:
        text = f"its outcome cannot be kept: {printable(str(error))}; agents must report plain JSON"
        return Outcome(
            outcome.task,
            outcome.token,
            ok=False,
            error_kind="not_json",
            error=text,
            retryable=False,
            started_at=outcome.started_at,
            ended_at=outcome.ended_at,
        )
    return outcome


def _printable(value: Any) -> Any:  # noqa: ANN401  # any part of a report
    if type(value) is str:  # an enum is one, too, and stays
        return printable(value)
    if isinstance(value, tuple):
        return tuple(_printable(part) for part in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{spec.name: _printable(getattr(value, spec.name)) for spec in fields(value)})
    return value
