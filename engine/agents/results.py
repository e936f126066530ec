"""Results of agents as the fleet keeps them: small ones with the task, large ones once by their hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from engine.agents.runtime import INLINE_RESULT_MAX_BYTES, Artifact
from engine.model import wire
from engine.model.ids import TaskId

SUMMARY_TEXT_MAX = 200


def pack_result(task: TaskId, result: dict[str, object], encoded: bytes | None = None) -> tuple[dict[str, object], Artifact | None]:
    """Return what stays with the task, and an artifact when the result is larger than the inline limit.

    The summary keeps top-level numbers and short texts and says `truncated`; the artifact is the whole result as
    JSON, which `encoded` may give when it is known.
    """
    data = wire.encode(result) if encoded is None else encoded
    if len(data) <= INLINE_RESULT_MAX_BYTES:
        return result, None
    artifact = Artifact(hashlib.sha256(data).hexdigest(), "application/json", data, task)
    return summary_of(result), artifact


def summary_of(result: Mapping[str, object]) -> dict[str, object]:
    """Return the scalars of a result, long texts cut, marked as truncated."""
    summary: dict[str, object] = {}
    for key, value in result.items():
        if isinstance(value, str):
            summary[key] = value if len(value) <= SUMMARY_TEXT_MAX else value[:SUMMARY_TEXT_MAX] + "…"
        elif isinstance(value, bool | int | float) or value is None:
            summary[key] = value
    return {**summary, "truncated": True}
