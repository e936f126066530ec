"""The keys of a region: one place for their names. They share a hash tag, so that one function may use them in a cluster."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RegionKeys:
    """Names of keys."""

    region: str

    def _key(self, *parts: object) -> str:
        return ":".join((f"fleet:{{{self.region}}}", *map(str, parts)))

    @property
    def head(self) -> tuple[str, str, str]:
        """Return the keys that tell how far the journal goes, and who leads."""
        return self.journal, self.leader, self.snapshot

    @property
    def journal(self) -> str:
        """Return the Stream of the journal."""
        return self._key("journal")

    @property
    def leader(self) -> str:
        """Return the hash of who leads, and of who wrote the newest record."""
        return self._key("leader")

    @property
    def lease(self) -> str:
        """Return the key that is there while the leader is."""
        return self._key("lease")

    @property
    def home(self) -> str:
        """Return the hash of which region's server this region lives at."""
        return self._key("home")

    @property
    def snapshot(self) -> str:
        """Return the hash of the newest whole snapshot."""
        return self._key("snapshot")

    def chunk(self, snapshot: str, place: int) -> str:
        """Return the key of a part of a snapshot."""
        return self._key("snapshot", snapshot, place)

    @property
    def members(self) -> str:
        """Return the hash of the engines that share the region, and what they said last."""
        return self._key("members")

    def done(self, command: str) -> str:
        """Return the key of the answer to a command of another engine."""
        return self._key("done", command)

    @property
    def commands(self) -> str:
        """Return the Stream of calls to the leader."""
        return self._key("commands")

    def answers(self, engine: str) -> str:
        """Return the Stream of answers to an engine."""
        return self._key("answers", engine)

    @property
    def bus(self) -> str:
        """Return the hash of how far each source has told its events."""
        return self._key("bus")

    def partition(self, place: int) -> str:
        """Return a Stream of events."""
        return self._key("bus", place)

    def owners(self, group: str) -> str:
        """Return the hash of which consumer of a group reads which partition."""
        return self._key("bus", "owners", group)

    @property
    def dead(self) -> str:
        """Return the Stream of events that a group could not take."""
        return self._key("bus", "dead")


class HostKeys(RegionKeys):
    """Names of the keys by which a region and its hosts talk."""

    @property
    def reports(self) -> str:
        """Return the Stream of what hosts that joined tell the leader."""
        return self._key("reports")

    def work(self, host: str, run: str) -> str:
        """Return the Stream of what the leader tells a host that joined, in one life of its worker."""
        return self._key("work", host, run)
