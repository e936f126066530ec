"""What an engine makes of versions of an entry that another one has: pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from engine.memory.changing import check_id, check_permissions
from engine.memory.merging import dot_of, held_of, merge_all, version_of
from engine.model.errors import UsageError
from engine.model.memory import Dot, Head
from engine.model.replication import Carried

VERSION_MAX = 1 << 53
INSTANT_MAX = 253_402_300_800.0
"""The year 10000, which no calendar here reaches."""


class Outcome(NamedTuple):
    """What is to be done for an entry."""

    winner: Carried | None
    """Replaces what is there; None = that stays."""
    head: Head
    """Of the entry from now on, with what is known of its conflicts."""
    losers: Sequence[Carried]
    """Of those that came."""
    fell: bool
    """What was there lost and is a conflict now."""
    settled: Sequence[Dot]
    """Conflicts that are none any more."""


def decide_taking(came: Sequence[Carried], old: Head | None, losers: Sequence[Head]) -> Outcome | None:
    """Return what versions of an entry change beside those that are held; None = nothing."""
    held = [*([old] if old else []), *losers]
    names = {dot_of(head) for head in held}
    new = {dot_of(one.head): one for one in came if dot_of(one.head) not in names}
    if not new:
        return None
    merged = merge_all(version_of(head, head) for head in (*held, *(one.head for one in new.values())))
    kept = {version.stamp.dot for version in merged.versions}
    if not kept & new.keys() and names <= kept:
        return None
    winner = merged.winner.stamp.dot
    settled = [dot for dot in map(dot_of, losers) if dot not in kept]
    fresh = [new[version.stamp.dot] for version in merged.conflicts if version.stamp.dot in new]
    head = held_of(merged)
    if old is not None and winner == dot_of(old):
        return Outcome(None, head, fresh, fell=False, settled=settled)
    assert winner in new, "what was written later has the higher version"
    head = msgspec.structs.replace(head, record=0, previous=old.record if old else 0)
    fell = old is not None and dot_of(old) in kept
    return Outcome(new[winner], head, fresh, fell, settled)


def as_sent(head: Head) -> Head:
    """Return a head without what it says of this engine alone."""
    return msgspec.structs.replace(head, record=0, previous=0, rivals=(), heard=(), artifact="")


def check_carried(one: Carried) -> None:
    """Check a version that came from elsewhere. Raises UsageError."""
    head = one.head
    check_id(head.id)
    check_permissions(head.permissions)
    dots = (*head.lineage, *head.spared)
    if not 0 < head.version < VERSION_MAX or head.size < 0 or any(not life or number < 0 for life, number in dots):
        raise UsageError(f"a version of {head.id} is none: its number, size or lineage is out of bounds; nothing was taken")
    if not all(abs(at) < INSTANT_MAX for at in (head.created_at, head.updated_at, head.expires_at or 0.0)):
        raise UsageError(f"a version of {head.id} is of no time that there is; nothing was taken")
    if head.record or head.previous or head.rivals or head.heard or head.artifact:
        raise UsageError(f"a version of {head.id} says what only this engine can say; nothing was taken")
