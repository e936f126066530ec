"""Channels that deliver to nobody, and a database in memory for what waits for them.

Owner: `SimulatedCourier`, of what it was given.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from engine.memory.migrations import read_sql
from engine.model.notifications import Notification, Outcome
from engine.monitoring.notifying.addresses import Address

_T = TypeVar("_T")


class MemoryFiles:
    """The tables of notifications and figures in a database of this process."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        for name in ("notifying", "metrics", "baselines"):
            self.connection.executescript(read_sql(f"{name}.sql"))

    async def write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Do it at once."""
        return work(self.connection)

    async def read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Do it at once."""
        return work(self.connection)


class SimulatedCourier:
    """Ends each attempt as it was told to, and without word well."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        """Of the next attempts, in order."""
        self.given: list[Notification] = []

    async def deliver(self, address: Address, notification: Notification, deadline_s: float) -> Outcome:  # noqa: ARG002  # as a real one
        """Take a notification."""
        self.given.append(notification)
        return self.outcomes.pop(0) if self.outcomes else Outcome(took_s=0.0)

    async def close(self, *, at_once: bool = False) -> None:
        """Have nothing to end."""
