"""Values as JSON keeps them: what is no JSON is refused where it comes in, not where it would be written.

Owner: nobody; functions only. Light: workers import it. Limits: NESTING_MAX levels, far fewer than any reader of JSON can
follow.
"""

from __future__ import annotations

import re
from math import isfinite

import msgspec

NESTING_MAX = 100

NOT_JSON = (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError)
"""What encoding raises for a value that JSON cannot hold."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_SCALARS = frozenset({str, int, bool, type(None)})


def plain_object(value: dict[str, object]) -> dict[str, object]:
    """Return an object as JSON keeps it: tuples become lists, NaN and infinities null. Raises what is in NOT_JSON."""
    if all(type(name) is str and (type(kept) in _SCALARS or (type(kept) is float and isfinite(kept))) for name, kept in value.items()):
        return value
    data = _encode(value)
    require_shallow(data)
    kept: dict[str, object] = _decode(data)
    return kept


def require_shallow(data: bytes) -> None:
    """Raise ValueError for JSON that is nested deeper than NESTING_MAX."""
    if data.count(b"[") + data.count(b"{") <= NESTING_MAX:
        return
    # A round takes away the innermost level, at the speed of memory.
    brackets = _STRINGS.sub(b"", data).translate(_ONE_KIND, _NO_BRACKETS)
    for _ in range(NESTING_MAX):
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return
    raise ValueError(f"nested deeper than {NESTING_MAX} levels")


def printable(text: str) -> str:
    """Return a text that can be encoded: lone surrogates become escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
