"""An entry of a journal that engines share: one group commit, as who led wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import msgspec

from engine.model.artifacts import StoredArtifact
from engine.model.errors import UsageError
from engine.model.events import EVENTS, Event, Record
from engine.model.wire import decode_as


class Leadership(NamedTuple):
    """Who leads a fleet, and for which time: no two engines have the same epoch."""

    epoch: int
    engine: str


NOBODY = Leadership(0, "")
"""Who wrote before the first record."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Records that became durable together, with what else is true from then on."""

    epoch: int
    engine: str
    records: tuple[Record, ...]
    """At least one; numbers without a gap."""
    texts: tuple[bytes, ...]
    """Their events as JSON."""
    artifacts: tuple[StoredArtifact, ...] = ()
    answers: Mapping[str, bytes] = field(default_factory=dict)
    """To commands of other engines, by the command's id."""
    previous: Leadership | None = None
    """Who wrote the record before the first one; None when it is not known, as before it was appended."""

    @property
    def by(self) -> Leadership:
        """Return who wrote it."""
        return Leadership(self.epoch, self.engine)

    @property
    def first(self) -> int:
        """Return the number of the first record."""
        return self.records[0].seq

    @property
    def last(self) -> int:
        """Return the number of the last record."""
        return self.records[-1].seq


def record_of(seq: int, at: float, cause: str, type_name: str, data: bytes | str) -> Record:
    """Rebuild a record of the journal. Raises UsageError for an unknown type or a torn row."""
    kind = EVENTS.get(type_name)
    if kind is None:
        raise UsageError(f"journal row {seq} has the unknown type {type_name!r}; it is from a newer version")
    try:
        event = _decoder(kind).decode(data)
    except msgspec.DecodeError:
        event = decode_as(data, kind)  # raises in plain words
    return Record(seq, at, cause, event)


@cache
def _decoder(kind: type[Event]) -> msgspec.json.Decoder[Event]:
    """Return the decoder of an event; made anew for each record it would take half of the time."""
    return msgspec.json.Decoder(kind)
