"""The row of an engine."""

from __future__ import annotations

from typing import NamedTuple


class EngineRow(NamedTuple):
    """An engine of the fleet. Instants in epoch seconds, 0 = not yet."""

    id: str
    role: str
    """leads, stands by, or silent: it said nothing for a while, and is gone or cannot reach the server."""
    epoch: int
    """The number of its leadership; 0 = it does not lead, or nobody shares the fleet."""
    machine: str
    pid: int
    version: str
    region: str
    """The fleet's name on the server; empty = it is the fleet's only engine."""
    behind: int
    """Records of the shared journal that it had not taken in when it was last heard."""
    started_at: float
    heard_at: float
    """When a silent one was last heard; 0 = it is not silent."""
    is_asked: bool
    """It is the one that this was asked of."""


LEADS, STANDS_BY, SILENT = "leads", "stands by", "silent"
