"""Answers to calls of other engines, kept while what they belong to may have to be written again.

A server that took over may lack the newest records and the answers that became durable with them. Owner: `RecentAnswers`, of the
newest; ANSWERS_MAX of them, BYTES_MAX in all, but always the last.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

ANSWERS_MAX = 10_000
BYTES_MAX = 8 << 20


class RecentAnswers:
    """By the call's id."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[int, bytes]] = OrderedDict()
        self._bytes = 0

    def add(self, last: int, answers: Mapping[str, bytes]) -> None:
        """Keep what became durable with an entry, by the number of its last record."""
        for id_, answer in answers.items():
            self._bytes += len(answer) - len(self._kept.pop(id_, (0, b""))[1])
            self._kept[id_] = last, answer
        while len(self._kept) > ANSWERS_MAX or (self._bytes > BYTES_MAX and len(self._kept) > 1):
            _, (_, gone) = self._kept.popitem(last=False)
            self._bytes -= len(gone)

    def find(self, id_: str) -> bytes | None:
        """Return the answer to a call; None = none is known."""
        return self._kept.get(id_, (0, None))[1]

    def within(self, first: int, last: int) -> dict[str, bytes]:
        """Return those of entries that end between two records, both included."""
        return {id_: answer for id_, (at, answer) in self._kept.items() if first <= at <= last}
