"""What was denied, for the audit: the first denial at once, those that repeat it within a minute as one line with a count.

Owner: `Denials`, of the lines that wait and of the counts. Limits: COUNTED_MAX pairs of principal and entry are
counted; when there are more, the oldest count is written early.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.model.entry_rows import path_of
from engine.model.memory import Action, EntryId, Principal
from engine.model.plans import AuditEntry

WINDOW_S = 60.0
COUNTED_MAX = 1_000
WAITING_MAX = 1_000

_Pair = tuple[str, Action, EntryId]


@dataclass(slots=True)
class _Count:
    since: float
    entry: AuditEntry
    more: int = 0


class Denials:
    """Counts denials and gives out the lines that are due."""

    def __init__(self) -> None:
        self._counts: dict[_Pair, _Count] = {}
        self._waiting: list[AuditEntry] = []

    def note(self, principal: Principal, action: Action, id_: EntryId, because: str, now: float) -> None:
        """Take a denial."""
        pair = (principal.name, action, id_)
        count = self._counts.get(pair)
        if count is not None and now < count.since + WINDOW_S:
            count.more += 1
            return
        if count is not None:
            self._end(pair)
        elif len(self._counts) >= COUNTED_MAX:
            self._end(next(iter(self._counts)))
        entry = AuditEntry(now, principal.name, principal.kind, "", f"memory.{action}", str(id_), "", f"denied: {because}", "", entry=path_of(id_))
        self._counts[pair] = _Count(now, entry)
        self._wait(entry)

    def take(self, now: float) -> list[AuditEntry]:
        """Return the lines that are due."""
        for pair in [pair for pair, count in self._counts.items() if now >= count.since + WINDOW_S]:
            self._end(pair)
        waiting, self._waiting = self._waiting, []
        return waiting

    def give_back(self, entries: Sequence[AuditEntry]) -> None:
        """Take lines back that could not be written."""
        self._waiting[:0] = entries

    def _end(self, pair: _Pair) -> None:
        count = self._counts.pop(pair)
        if count.more:
            self._wait(replace(count.entry, result=f"{count.entry.result}; {count.more} more times within {WINDOW_S:g} s"))

    def _wait(self, entry: AuditEntry) -> None:
        if len(self._waiting) < WAITING_MAX:
            self._waiting.append(entry)
