"""Baselines: what was measured in a span, kept by name; reports compare later spans with it.

Owner: of the table metric_baselines. A baseline has the values of every series of a report, a value for each minute, and stays until it is
deleted. Limits: BASELINES_MAX baselines, spans that reports read by the minute; of a day of 17 series of 20 metrics some 700 kB.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Mapping
from typing import NamedTuple

from engine.model.errors import CommandRefused, NotFound
from engine.model.wire import nearest
from engine.monitoring.archive import Files, Key
from engine.monitoring.comparing import Steps

BASELINES_MAX = 20
DIGITS = 7
"""Significant ones of a value, as many as a sample of 32 bits has."""
_COLUMNS = "name, saved_at, who, since, until, step"


class Saved(NamedTuple):
    """Which span a baseline is of, and who saved it when."""

    name: str
    saved_at: float
    who: str
    since: int
    until: int
    step_s: int


class Baseline(NamedTuple):
    """A baseline with its values."""

    saved: Saved
    steps: Mapping[Key, Steps]


class Baselines:
    """The baselines in the database."""

    def __init__(self, files: Files) -> None:
        self._files = files

    async def listed(self) -> list[Saved]:
        """Return all baselines, the newest first. Raises JournalError."""
        sql = f"SELECT {_COLUMNS} FROM metric_baselines ORDER BY saved_at DESC"  # noqa: S608  # a constant
        return [Saved(*row) for row in await self._files.read(lambda connection: connection.execute(sql).fetchall())]

    async def check_free(self, name: str) -> None:
        """Raise CommandRefused when a baseline cannot be saved under a name."""
        names = [one.name for one in await self.listed()]
        if name in names:
            raise CommandRefused(f"there is a baseline {name!r}; delete it first, or take another name. Nothing was saved")
        if len(names) >= BASELINES_MAX:
            raise CommandRefused(f"there are {BASELINES_MAX} baselines, more are not kept; delete one first. Nothing was saved")

    async def save(self, baseline: Baseline) -> None:
        """Keep a baseline. Raises CommandRefused, JournalError."""
        await self.check_free(baseline.saved.name)
        sql = f"INSERT OR IGNORE INTO metric_baselines ({_COLUMNS}, data) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608  # a constant
        if not await self._files.write(lambda connection: connection.execute(sql, (*baseline.saved, packed(baseline.steps))).rowcount):
            raise CommandRefused(f"there is a baseline {baseline.saved.name!r} by now. Nothing was saved")

    async def find(self, name: str) -> Baseline:
        """Return a baseline. Raises NotFound, JournalError."""
        sql = f"SELECT {_COLUMNS}, data FROM metric_baselines WHERE name = ?"  # noqa: S608  # a constant

        def work(connection: sqlite3.Connection) -> Baseline | None:
            row = connection.execute(sql, (name,)).fetchone()
            return Baseline(Saved(*row[:-1]), unpacked(row[-1])) if row is not None else None

        found = await self._files.read(work)
        if found is None:
            raise await self._none(name)
        return found

    async def delete(self, name: str) -> None:
        """Remove a baseline. Raises NotFound, JournalError."""
        sql = "DELETE FROM metric_baselines WHERE name = ?"
        if not await self._files.write(lambda connection: connection.execute(sql, (name,)).rowcount):
            raise await self._none(name)

    async def _none(self, name: str) -> NotFound:
        names = {one.name for one in await self.listed()}
        return NotFound(f"no baseline {name!r}{nearest(name, names)}; `fleet-tui baseline list` lists them")


def packed(steps: Mapping[Key, Steps]) -> bytes:
    """Return the values of series, compressed."""
    rows = [[*key, [None if value is None else float(f"{value:.{DIGITS}g}") for value in values]] for key, values in steps.items()]
    return zlib.compress(json.dumps(rows, separators=(",", ":")).encode(), 6)


def unpacked(data: bytes) -> dict[Key, Steps]:
    """Return the values of packed series."""
    return {(name, label): values for name, label, values in json.loads(zlib.decompress(data))}
