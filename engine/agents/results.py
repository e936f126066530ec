"""Results of agents as the fleet keeps them: small ones with the task, large ones once by their hash."""

from __future__ import annotations

import hashlib

from engine.agents.runtime import INLINE_RESULT_MAX_BYTES, Artifact
from engine.agents.summary import summarise
from engine.model import wire
from engine.model.ids import TaskId


def pack_result(task: TaskId, result: dict[str, object]) -> tuple[dict[str, object], Artifact | None]:
    """Return what stays with the task, and an artifact when the result is larger than the inline limit.

    The summary keeps top-level numbers and short texts and says `truncated`; the artifact is the whole result as JSON.
    """
    data = wire.encode(result)
    if len(data) <= INLINE_RESULT_MAX_BYTES:
        return result, None
    artifact = Artifact(hashlib.sha256(data).hexdigest(), "application/json", data, task)
    return summarise(result, INLINE_RESULT_MAX_BYTES), artifact
