"""What waits for a person: found in the feed, acknowledged or snoozed, announced once.

Owner: of what was acknowledged (until it changes), snoozed (until an instant) and announced; it is kept with what the console
remembers. Looked for at most once a second, since all tasks are read for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from screens.feed import Feed, Watch
from screens.present_pulse import NEED_KINDS, Need, find_needs
from screens.widgets.cells import Glyphs

LOOK_EVERY_S = 1.0
AT_ONCE = ("questions",)
"""Kinds that are looked for as soon as they change: an agent stands still meanwhile."""
ANNOUNCE_EVERY_S = 10.0
"""Between two announcements; what comes meanwhile is announced together."""
ANNOUNCE_AGAIN_S = 60.0
"""What goes and comes back sooner is not announced again."""
KEPT_MAX = 500
"""Acknowledged and snoozed things remembered; the oldest are forgotten."""


def needs_of(feed: Feed, glyphs: Glyphs) -> list[Need]:
    """Return what needs whoever looks at a feed, the most pressing first; nothing before it has a status."""
    if feed.status is None:
        return []
    return find_needs(feed.status, feed.tables, glyphs, me=feed.authority.who if feed.authority else "")


class Attention:
    """The inbox of one console."""

    def __init__(self, feed: Feed, glyphs: Glyphs, kept: dict[str, Any]) -> None:
        self._feed = feed
        self._glyphs = glyphs
        self._watch: Watch = feed.watch()
        self._acked: dict[str, str] = dict(kept.get("acked", {}))
        """Need -> how it read when it was acknowledged."""
        self._snoozed: dict[str, float] = dict(kept.get("snoozed", {}))
        self._kept = kept
        self._found: list[Need] = []
        self._announced: set[str] | None = None
        """What was there already; None = nothing was looked for yet."""
        self._told_at: dict[str, float] = {}
        """Need -> when it was announced, for ANNOUNCE_AGAIN_S."""
        self._looked_at = self._announced_at = 0.0
        self._is_outdated = True
        self._told: tuple[object, ...] = ()
        """What the fleet's status said of troubles when it was looked at last."""

    def look(self, now: float) -> None:
        """Find what needs somebody, if it is time and anything changed."""
        if self._feed.status is None:
            return
        status = self._feed.status
        told = (status.read_only, status.damage, status.differences, status.conflicts, status.peers_away, status.redis and status.redis.reason)
        changes = self._watch.take()
        self._is_outdated |= changes.touches(NEED_KINDS) or told != self._told
        if changes.touches(AT_ONCE):
            self._looked_at = 0.0
        self._told = told
        if not self._is_outdated or now - self._looked_at < LOOK_EVERY_S:
            return
        self._is_outdated, self._looked_at = False, now
        self._found = needs_of(self._feed, self._glyphs)
        there = {need.id: _reading(need) for need in self._found}
        for id_ in [id_ for id_, read in self._acked.items() if there.get(id_) != read]:
            del self._acked[id_]
        for id_ in [id_ for id_, until in self._snoozed.items() if until <= now or id_ not in there]:
            del self._snoozed[id_]
        self._feed.needs = len(self.open(now))

    def leave(self) -> None:
        """Follow the feed no more."""
        self._feed.unwatch(self._watch)

    def open(self, now: float) -> list[Need]:
        """Return what is neither acknowledged nor snoozed, the most pressing first."""
        return [need for need in self._found if need.id not in self._acked and self._snoozed.get(need.id, 0.0) <= now]

    def put_away(self) -> int:
        """Return how many are acknowledged or snoozed."""
        return len(self._acked) + len(self._snoozed)

    def acknowledge(self, needs: Sequence[Need]) -> None:
        """Put things away until they change."""
        for need in needs:
            self._acked[need.id] = _reading(need)
        self._remember()

    def snooze(self, needs: Sequence[Need], until: float) -> None:
        """Put things away for a while."""
        for need in needs:
            self._snoozed[need.id] = until
        self._remember()

    def bring_back(self) -> None:
        """Show again what was put away."""
        self._acked.clear()
        self._snoozed.clear()
        self._remember()

    def fresh(self, now: float) -> list[Need]:
        """Return what has come since the last announcement, once each and not too often; what was there at first is no news."""
        there = self.open(now)
        if self._announced is None:
            if self._looked_at:
                self._announced = {need.id for need in there}
            return []
        if now - self._announced_at < ANNOUNCE_EVERY_S:
            return []
        self._told_at = {id_: at for id_, at in self._told_at.items() if now - at < ANNOUNCE_AGAIN_S}
        news = [need for need in there if need.id not in self._announced and need.id not in self._told_at]
        self._announced = {need.id for need in there}
        if news:
            self._announced_at = now
            self._told_at |= dict.fromkeys((need.id for need in news), now)
        return news

    def _remember(self) -> None:
        for kept in (self._acked, self._snoozed):
            for id_ in list(kept)[:-KEPT_MAX]:
                del kept[id_]
        self._kept.update(acked=self._acked, snoozed=self._snoozed)
        self._is_outdated, self._looked_at = True, 0.0


def _reading(need: Need) -> str:
    return f"{need.what.text} {need.why}"
