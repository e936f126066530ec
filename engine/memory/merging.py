"""What becomes of an entry that was written in two places: one version wins everywhere, and what lost is kept for people.

Owner: nobody; pure. The winner is the highest by version, then time, then writer, then name: a total order, so any two replicas
that saw the same versions hold the same winner, whatever came first, twice, or again. A version replaces those that its
writer knew (its lineage), but for conflicts that its writer left open (spared); what is neither the winner nor replaced is
a conflict. A lineage names the newest version of each life of an engine instead of all: within a life, an engine knows its
own earlier versions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import msgspec

from engine.model.memory import Dot, Head

LINEAGE_MAX = 64
"""Lives in a lineage, the newest ones. What comes late from an older one is kept as a conflict: too much rather than lost."""
CONFLICTS_MAX = 64
"""Conflicts kept of an entry, the highest ones."""
ENDED = "-"
"""Begins the life of versions that age alone made: every engine that makes one makes the same."""
AGAIN = "+"
"""Parts the life of an engine from the place of a version among those that it brought back into conflict."""


class Stamp(NamedTuple):
    """What orders the versions of an entry, the higher over the lower."""

    version: int
    at: float
    writer: str
    dot: Dot


@dataclass(frozen=True)
class Version:
    """A version of an entry as it travels between replicas."""

    stamp: Stamp
    lineage: tuple[Dot, ...]
    spared: frozenset[Dot] = frozenset()
    content: object = field(default=None, compare=False)
    """Whatever goes with it; merging does not look at it."""

    def replaces(self, other: Version) -> bool:
        """Answer whether another version is none any more beside this one."""
        dot = other.stamp.dot
        return dot != self.stamp.dot and covers(self.lineage, dot) and dot not in self.spared


@dataclass(frozen=True)
class Merged:
    """What a replica holds of an entry: versions of which none replaces another, at least one."""

    versions: frozenset[Version]

    @cached_property
    def winner(self) -> Version:
        """Give the version that everybody reads."""
        return max(self.versions, key=lambda version: version.stamp)

    @property
    def conflicts(self) -> tuple[Version, ...]:
        """Give what lost, the highest first."""
        return tuple(sorted(self.versions - {self.winner}, key=lambda version: version.stamp, reverse=True))


def merge(one: Merged, other: Merged) -> Merged:
    """Join what two replicas hold: in any order and grouping, and however often, the result is the same."""
    return merge_all((*one.versions, *other.versions))


def merge_all(versions: Iterable[Version]) -> Merged:
    """Join versions, at least one; of two of the same name the first stays."""
    by_dot: dict[Dot, Version] = {}
    for version in versions:
        by_dot.setdefault(version.stamp.dot, version)
    kept = [one for one in by_dot.values() if not any(other.replaces(one) for other in by_dot.values())]
    kept.sort(key=lambda version: version.stamp, reverse=True)
    return Merged(frozenset(kept[: CONFLICTS_MAX + 1]))


def covers(lineage: Iterable[Dot], dot: Dot) -> bool:
    """Answer whether a lineage knows a version."""
    return any(life == dot.life and number >= dot.number for life, number in lineage)


def join(*lineages: Iterable[Dot]) -> tuple[Dot, ...]:
    """Return what several lineages know together; the lives of the later ones come last, and stay when there are too many."""
    newest: dict[str, int] = {}
    for life, number in (dot for lineage in lineages for dot in lineage):
        newest[life] = max(number, newest.pop(life, number))
    return tuple(Dot(life, number) for life, number in newest.items())[-LINEAGE_MAX:]


def lineage_after(old: Head | None, dot: Dot) -> tuple[Dot, ...]:
    """Return the lineage of a version that somebody writes over what is held: all that is known there, and itself."""
    if old is None:
        return (dot,)
    known = old.lineage or (dot_of(old),)
    if len(known) == 1 and known[0].life == dot.life and not old.heard:
        return (dot,)  # the rule where nothing is ever exchanged
    return join((known_dot for known_dot in join(known, old.heard) if known_dot.life != dot.life), (dot,))


def dot_of(head: Head) -> Dot:
    """Return the name of a version; one from before there were lineages has the same in every copy of its database."""
    return head.lineage[-1] if head.lineage else Dot(f"{head.updated_at!r} {head.writer}", head.version)


def version_of(head: Head, content: object = None) -> Version:
    """Return what merging looks at. What only age ended loses against what somebody did at the same time."""
    dot = dot_of(head)
    at = 0.0 if dot.life.startswith(ENDED) else head.updated_at
    return Version(Stamp(head.version, at, head.writer, dot), head.lineage or (dot,), frozenset(head.spared), content)


def end_of(head: Head) -> tuple[Dot, ...]:
    """Return the lineage of the tombstone that age makes of an entry: the same on every engine."""
    last = dot_of(head)
    return join(head.lineage or (last,), (Dot(f"{ENDED}{last.life}", last.number),))


def reopened(losers: Sequence[Head], dot: Dot) -> tuple[Head, ...]:
    """Return versions that lost as they are in conflict once more, after whoever wrote `dot` knew them.

    A version that was replaced somewhere is replaced everywhere, for good: they come back under new names, which nobody knows.
    """
    return tuple(
        msgspec.structs.replace(head, lineage=join(head.lineage or (dot_of(head),), (Dot(f"{dot.life}{AGAIN}{place}", dot.number),)))
        for place, head in enumerate(losers, 1)
    )


def is_reopened(head: Head) -> bool:
    """Answer whether a version lost before, and is in conflict once more."""
    return AGAIN in dot_of(head).life


def held_of(merged: Merged) -> Head:
    """Return the winner's head with what is known of its conflicts. The contents of the versions are heads."""
    head, winner = merged.winner.content, merged.winner
    assert isinstance(head, Head)
    rivals = tuple(version.stamp.dot for version in merged.conflicts)
    heard = tuple(dot for dot in join(*(version.lineage for version in merged.conflicts)) if not covers(winner.lineage, dot))
    return msgspec.structs.replace(head, rivals=rivals, heard=heard)
