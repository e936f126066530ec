"""What the tasks of the load do, in the workers of the engines."""

from __future__ import annotations

from collections.abc import Mapping


def answer(_type: str, payload: Mapping[str, object]) -> dict[str, object]:
    """Return what was asked."""
    return dict(payload)
