"""The right of a site to decide for a region: its own server and, with a quorum, servers with most of the votes said so a moment ago.

Each server keeps for each region whose it is, and lets nobody else have it until its holder was quiet for `down_after_s`. A site that got servers with
most of the votes to say so holds the right for HOLD_SHARE of that, counted from before it asked: so it ends before anybody else can have it,
and what it started in that time has been stopped.

Owner: `Right`, of which servers said so, and when.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.clock import Clock

HOLD_SHARE = 0.6
"""Of the quiet after which another site may take over; in the rest agents are stopped."""


class Right:
    """The right to decide for one region, as one engine has it."""

    def __init__(self, region: str, own: str, votes: Mapping[str, int], hold_s: float, clock: Clock) -> None:
        """`own` names the site's own server; `votes` are those of all servers, empty = no quorum is asked for."""
        self.region, self.own = region, own
        self._votes, self._hold_s, self._clock = votes, hold_s, clock
        self._granted: dict[str, float] = {}
        self.epoch = 0
        """The epoch of the region that it lives here by; 0 = it lives elsewhere, or nobody knows yet."""
        self.elsewhere = "the other regions were not asked yet"
        """Why this site does not decide; holds while epoch is 0."""

    def grant(self, server: str, epoch: int, asked_at: float) -> None:
        """Take note that a server said that the region lives here, asked at that instant."""
        if epoch > self.epoch:
            self.epoch, self._granted = epoch, {}
        if epoch == self.epoch:
            self._granted[server] = max(asked_at, self._granted.get(server, 0.0))

    def lose(self, why: str) -> None:
        """Have it no more."""
        self.epoch, self.elsewhere = 0, why
        self._granted.clear()

    @property
    def is_grounded(self) -> bool:
        """Tell whether the site's own server said so a moment ago: without it the region has no journal here."""
        return self._clock.now() - self._granted.get(self.own, -self._hold_s) < self._hold_s

    def left_s(self) -> float:
        """Return for how long this site may decide; 0 or less: it may not."""
        if not self.epoch or self.own not in self._granted:
            return 0.0
        since, left = self._granted[self.own], 0
        if self._votes:
            most = sum(self._votes.values())
            for server, at in sorted(self._granted.items(), key=lambda one: -one[1]):
                since, left = min(since, at), left + self._votes.get(server, 0)
                if 2 * left > most:
                    break
            else:
                return 0.0
        return since + self._hold_s - self._clock.now()

    @property
    def fault(self) -> str:
        """Return why this site may not decide; empty = it may."""
        if self.left_s() > 0:
            return ""
        if not self.epoch:
            return self.elsewhere
        if self.own not in self._granted or not self._votes:
            return f"the server of {self.own} did not answer in time"
        return f"region {self.region} does not reach servers with most of the votes: another region may have taken it over"
