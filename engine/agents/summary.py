"""What stays with a task of a result that is too large for it.

Owner: nobody; a function only. Light: workers import it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

SUMMARY_TEXT_MAX = 200
_INT_MAX = 1 << 63
_encode = msgspec.json.Encoder().encode


def summarise(result: Mapping[str, object], most_bytes: int) -> dict[str, object]:
    """Return the scalars of a result as far as they fit, long texts cut, marked as truncated."""
    summary: dict[str, object] = {}
    room = most_bytes - len(_encode({"truncated": True}))
    for key, value in result.items():
        if isinstance(value, str) and len(value) > SUMMARY_TEXT_MAX:
            value = value[:SUMMARY_TEXT_MAX] + "…"
        if value is not None and not isinstance(value, str | bool | int | float):
            continue
        if isinstance(value, int) and abs(value) >= _INT_MAX:
            continue
        room -= len(_encode({key: value}))
        if room >= 0:
            summary[key] = value
    return {**summary, "truncated": True}
