"""What becomes of an entry that was written in two places: one version wins everywhere, and what lost is kept for people.

Owner: nobody; pure. The winner is the highest by version, then time, then writer, then content: a total order, so any two replicas
that saw the same versions hold the same winner, whatever came first, twice, or again. A version that was written in
knowledge of another (its lineage names it) replaces it; what is neither the winner nor replaced is a conflict.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import NamedTuple

LINEAGE_MAX = 32
"""Versions that a version names as its forebears. An older one that comes late is kept as a conflict: too much rather than lost."""
CONFLICTS_MAX = 64
"""Conflicts kept of an entry, the highest ones."""


class Stamp(NamedTuple):
    """What orders the versions of an entry, the higher over the lower."""

    version: int
    at: float
    writer: str
    digest: str = ""
    """Of the content: two writers of one name still differ, as on two machines."""


@dataclass(frozen=True)
class Version:
    """A version of an entry as it travels between replicas."""

    stamp: Stamp
    content: bytes
    """Head and value as they are kept; sealed where values are."""
    lineage: frozenset[Stamp] = frozenset()
    """The versions that it replaces."""


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


def digest_of(content: bytes) -> str:
    """Name a content."""
    return sha256(content).hexdigest()[:16]


def first(version: Version) -> Merged:
    """Begin with one version."""
    return Merged(frozenset((version,)))


def merge(one: Merged, other: Merged) -> Merged:
    """Join what two replicas hold: in any order and grouping, and however often, the result is the same."""
    return _maximal(one.versions | other.versions)


def successor(held: Merged, stamp: Stamp, content: bytes) -> Version:
    """Make the version that replaces all that a replica holds: a write, or what somebody chose between conflicts.

    Its stamp's version must be above the winner's.
    """
    assert stamp.version > held.winner.stamp.version, f"{stamp.version} does not follow {held.winner.stamp.version}"
    known = {version.stamp for version in held.versions}.union(*(version.lineage for version in held.versions))
    return Version(stamp, content, frozenset(sorted(known, reverse=True)[:LINEAGE_MAX]))


def _maximal(versions: Iterable[Version]) -> Merged:
    by_stamp: dict[Stamp, Version] = {}
    for version in versions:
        same = by_stamp.get(version.stamp)
        # The same version may have come with more or less of its lineage.
        by_stamp[version.stamp] = version if same is None else Version(version.stamp, version.content, same.lineage | version.lineage)
    replaced = frozenset[Stamp]().union(*(version.lineage for version in by_stamp.values()))
    kept = sorted((version for stamp, version in by_stamp.items() if stamp not in replaced), key=lambda version: version.stamp, reverse=True)
    return Merged(frozenset(kept[: CONFLICTS_MAX + 1]))
