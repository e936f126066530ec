"""Reading what agents send: each field as what it should be, and as nothing where it is something else.

Owner: nobody; pure functions that never raise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from math import isfinite
from typing import Any

from engine.model import wire


def text_of(value: Mapping[str, Any], key: str) -> str:
    """Return a text; empty where there is none."""
    found = value.get(key)
    return found if isinstance(found, str) else ""


def table(value: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return an object; empty where there is none."""
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def rows(value: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return the objects of a list; empty where there is none."""
    found = value.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def number(value: Mapping[str, Any], key: str) -> float | None:
    """Return a figure from 0; None where there is none."""
    found = value.get(key)
    is_figure = isinstance(found, int | float) and not isinstance(found, bool) and isfinite(found) and 0 <= found < 1e15  # noqa: PLR2004  # what a float keeps exactly
    return found if is_figure else None


def call_of(tool: str, given: object) -> str:
    """Return the name of a use of a tool with its arguments: the same ones give the same name."""
    return hashlib.blake2b(wire.encode([tool, given]), digest_size=12).hexdigest()
