"""Which code tasks are for the booster, and why the others are not; pure.

Owner: nobody. The booster does deterministic analysis and edits. It claims no generation: that needs a model (C46). What
it takes and is not certain of it hands on, so a wrong guess here costs a millisecond and no wrong answer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from engine.booster.asking import is_left
from engine.model.code_operations import OPERATIONS
from engine.model.code_requests import language_of
from engine.model.code_routes import CodeClass, CodeRoute

SOURCE_MAX_BYTES: Final = 8 * 1024 * 1024


class Facts(NamedTuple):
    """What is known of the booster now."""

    absent: str
    """Why there is none, or none that works; empty = there is."""
    operations: Mapping[str, Collection[str]]
    """Operation -> its languages, as the module told; empty = it has not told yet."""
    breakers: Collection[str]
    """Operations (with their language) that it leaves to regular agents for now."""


def classify(type_: str, payload: Mapping[str, object], facts: Facts) -> CodeRoute:
    """Say who does a code task."""
    if type_ not in OPERATIONS:
        return _regular(f"{type_} is no operation on a syntax tree; what needs a model the booster does not claim")
    language = _language(payload)
    if is_left(type_, language):
        return _regular(f"{type_} of {language} is judged by a reader of the regular agent")
    if facts.operations:
        if type_ not in facts.operations:
            return _regular(f"the booster has no {type_}")
        if language not in facts.operations[type_]:
            return _regular(f"the booster's {type_} is not for {language}")
    source = payload.get("source")
    if isinstance(source, str) and len(source) > SOURCE_MAX_BYTES:
        return _regular(f"the source is larger than {SOURCE_MAX_BYTES // 2**20} MB")
    if facts.absent:
        return CodeRoute(CodeClass.FALLBACK, facts.absent)
    if f"{type_} {language}" in facts.breakers:
        return CodeRoute(CodeClass.FALLBACK, f"{type_} on {language} failed too often in the booster and is left alone for a while")
    return CodeRoute(CodeClass.BOOSTER, f"{type_} on {language} is done by the booster, and handed on where it is not certain")


def _regular(reason: str) -> CodeRoute:
    return CodeRoute(CodeClass.REGULAR, reason)


def _language(payload: Mapping[str, object]) -> str:
    told, path = payload.get("language"), payload.get("path")
    if isinstance(told, str):
        return told
    return (language_of(path) or "an unknown language") if isinstance(path, str) else "python"
