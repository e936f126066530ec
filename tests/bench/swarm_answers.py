"""What agents of a measured swarm answer: they review at once, and do what they are told without any work."""

from __future__ import annotations


def answer(type_: str, _payload: dict[str, object]) -> dict[str, object]:
    """Return the result of a task."""
    return {"vote": "approve", "confidence": 0.9, "reasoning": "it is fine"} if type_ == "judge" else {"done": True}
