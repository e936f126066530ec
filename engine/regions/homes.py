"""Where each region lives: at its own server, or at that of a region that took it over; decided by epochs and votes, without input or output.

What a server says of a region is a record: an epoch, and whose server it lives at. The highest epoch is right; a site decides
for a region by the `Right` that servers grant. A region that comes back and finds a higher epoch than its own follows until it is handed back.

Owner: `Homes`, of what each server said last. Limits: one record a server and region.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from engine.clock import Clock
from engine.regions.right import HOLD_SHARE, Right

LOOKED_S = 1.5
"""What a server said longer ago is nothing to decide by."""
COMES_WITHIN_S = 10.0
"""A region that was handed over and of which nothing is heard is given so long more. One that fetches what it lacks says so, and has all the time it needs."""
TURN_SHARE = 0.5
"""Of the quiet, which the second in turn waits longer, the third twice as long."""


class Home(NamedTuple):
    """Where a region lives."""

    epoch: int
    """0 = nobody said yet."""
    server: str
    """Whose server it is."""


NOWHERE = Home(0, "")


class Claim(NamedTuple):
    """What a server is asked to say."""

    home: Home
    quiet_s: float
    """For which nobody else may have said it."""


@dataclass(slots=True)
class _Said:
    """What a server said of a region."""

    home: Home
    spoken_at: float
    """When the holder said it there last, by our clock."""
    looked_at: float
    """When the server was asked."""


@dataclass(slots=True)
class _Region:
    """What is known of one region."""

    right: Right
    said: dict[str, _Said] = field(default_factory=dict)


class Homes:
    """Where all regions live."""

    def __init__(self, own: str, votes: Mapping[str, int], *, quorum: bool, down_after_s: float, clock: Clock) -> None:
        """`own` is the region of this engine; with `quorum` a site needs most of the votes to decide."""
        self.own, self.votes, self.quorum, self.down_after_s = own, votes, quorum, down_after_s
        self._clock = clock
        counted = votes if quorum else {}
        self._regions = {name: _Region(Right(name, own, counted, HOLD_SHARE * down_after_s, clock)) for name in votes}
        self._tried: set[str] = set()
        self.is_drained: Callable[[str], bool] = lambda _region: True
        """Tells whether all that a region's former home had is here."""
        self.may_keep: Callable[[str, str], bool] = lambda _site, _region: True
        """Tells whether what a region has may be at the server of another one."""

    # ---- what is taken in

    def right(self, region: str) -> Right:
        """Return this site's right to decide for a region."""
        return self._regions[region].right

    def tried(self, server: str) -> None:
        """Take note that a server was asked, whether it answered or not: nobody decides before all were."""
        self._tried.add(server)

    def said(self, server: str, region: str, home: Home, quiet_s: float) -> None:
        """Take in what a server says of a region: where it lives, and for how long its holder was quiet there."""
        known = self._regions[region]
        now = self._clock.now()
        known.said[server] = _Said(home, now - quiet_s, now)
        best = self.home(region)
        if best.server != self.own or self.recorded(region) != best:
            known.right.lose(self._elsewhere(region, best))

    def granted(self, server: str, region: str, home: Home, asked_at: float) -> None:
        """Take note that a server says what it was asked to say."""
        self.said(server, region, home, 0.0)
        if home.server == self.own and home == self.recorded(region) == self.home(region):
            self._regions[region].right.grant(server, home.epoch, asked_at)

    # ---- what follows

    def home(self, region: str) -> Home:
        """Return where a region lives, by the highest epoch that any server said."""
        return max((one.home for one in self._regions[region].said.values()), default=NOWHERE)

    def recorded(self, region: str) -> Home:
        """Return what this site's own server says."""
        return self.said_at(self.own, region)

    def said_at(self, server: str, region: str) -> Home:
        """Return what a server said last."""
        found = self._regions[region].said.get(server)
        return found.home if found else NOWHERE

    def is_adopting(self, region: str) -> bool:
        """Tell whether a region was handed over to this site, which does not have it yet."""
        return self.home(region).server == self.own and self.recorded(region).server not in ("", self.own)

    def _is_fetching(self, region: str) -> bool:
        """Tell whether a region comes here and this site's own server answers."""
        own = self._regions[region].said.get(self.own)
        return own is not None and self._clock.now() - own.looked_at < LOOKED_S and self.is_adopting(region)

    def is_copied(self, region: str) -> bool:
        """Tell whether what a region decides is to be copied to this site, from where its server says that it lives.

        A server that it was handed to says so once it has all: until then that one copies from here, and what it has may be short of that.
        """
        home = self.recorded(region)
        lives_there = self.said_at(home.server, region).epoch >= home.epoch
        return bool(home.epoch) and home.server != self.own and lives_there and self.may_keep(self.own, region)

    def claim(self, server: str, region: str, *, keeps: bool) -> Claim | None:
        """Return what a server is to be asked to say of a region; None = it is only to be asked what it says.

        `keeps`: this engine looks after the other regions at this site.
        """
        if self._tried < self.votes.keys():
            return None
        best, recorded = self.home(region), self.recorded(region)
        comes = server != self.own and keeps and self._is_fetching(region)
        if server != self.own and not (comes or self._regions[region].right.is_grounded):
            return None  # a site whose own server is away lets others have it
        if best == NOWHERE:
            return Claim(Home(1, self.own), self.down_after_s) if region == self.own else None
        if server == self.own and best.server != self.own and recorded != best:
            return Claim(best, 0.0)  # it takes note
        if best.server != self.own or (region != self.own and not keeps):
            return None
        # A server that lost all that it had says nothing. One that says an older epoch of its own has not heard where the region was meanwhile.
        is_here = not recorded.epoch or recorded == best
        if is_here or (server == self.own and keeps and self.is_drained(region)):
            return Claim(best, self.down_after_s)
        return Claim(best, 0.0) if comes else None  # only so that nobody else takes it meanwhile

    def quiet_votes(self, region: str, for_s: float) -> int:
        """Return the votes of servers that say now that the holder of a region was quiet there for so long."""
        now, said = self._clock.now(), self._regions[region].said
        return sum(self.votes[server] for server, one in said.items() if now - one.spoken_at >= for_s and now - one.looked_at < LOOKED_S)

    def rank(self, region: str) -> int:
        """Return in which place this site is among those that may take a region over: 0 = the first, by the order of names from the region's on."""
        names = sorted(self.votes)
        place = names.index(region)
        gone = (region, self.home(region).server)
        # A server without engines never said that its region lives there.
        others = [name for name in (*names[place:], *names[:place]) if name not in gone and self.home(name) != NOWHERE and self.may_keep(name, region)]
        return others.index(self.own)

    def is_left(self, region: str) -> bool:
        """Tell whether most votes say that whoever has a region is gone, for long enough that it is this site's turn to take it over."""
        home = self.home(region)
        if not self.quorum or not home.epoch or self.own in (region, home.server) or not self.may_keep(self.own, region) or self.home(self.own) == NOWHERE:
            return False
        comes_s = 0.0 if self.said_at(home.server, region) == home else COMES_WITHIN_S
        return self.is_most(self.quiet_votes(region, comes_s + self.down_after_s * (1 + TURN_SHARE * self.rank(region))))

    def is_most(self, votes: int) -> bool:
        """Tell whether these are most of all votes."""
        return 2 * votes > sum(self.votes.values())

    def _elsewhere(self, region: str, best: Home) -> str:
        if not best.epoch:
            return "nobody says where it lives yet"
        if best.server == region:
            return f"region {region} lives at its own server"
        if best.server != self.own:
            return f"region {region} lives at {best.server} since its epoch {best.epoch}, until `region.fail-back {region}` there"
        return f"region {region} comes here in its epoch {best.epoch}: what is left of it is fetched"
