"""Where regions live: rights that servers grant for a while, on a clock that a test moves, with servers that keep the rules of the real ones."""

from __future__ import annotations

import random

import pytest
from engine.regions.homes import COMES_WITHIN_S, NOWHERE, Home, Homes
from tests.ui.fleet import StillClock

NAMES = ("a", "b", "c")
DOWN_S = 3.0


class Servers:
    """What the servers say, by the rules of `home_claim` in functions.lua."""

    def __init__(self, clock: StillClock) -> None:
        self.clock = clock
        self.said: dict[tuple[str, str], tuple[Home, float]] = {}

    def quiet_s(self, server: str, region: str) -> float:
        return self.clock.at - self.said[server, region][1]

    def claim(self, server: str, region: str, home: Home, quiet_s: float) -> bool:
        known, _ = self.said.get((server, region), (NOWHERE, 0.0))
        if known.epoch > home.epoch or (known.epoch == home.epoch and known.server > home.server):
            return False
        if known.server not in ("", home.server) and self.quiet_s(server, region) < quiet_s:
            return False
        self.said[server, region] = (home, self.clock.at)
        return True


class World:
    """Sites, their servers and the lines between them."""

    def __init__(self, *, quorum: bool = True, names: tuple[str, ...] = NAMES) -> None:
        self.clock = StillClock()
        self.servers, self.names = Servers(self.clock), names
        self.sites = {name: self.made(name, quorum=quorum) for name in names}
        self.cut: set[frozenset[str]] = set()
        self.down: set[str] = set()

    def made(self, name: str, *, quorum: bool) -> Homes:
        return Homes(name, dict.fromkeys(self.names, 1), quorum=quorum, down_after_s=DOWN_S, clock=self.clock)

    def reaches(self, site: str, server: str) -> bool:
        return server not in self.down and frozenset((site, server)) not in self.cut

    def round(self, site: str) -> None:
        """Have a site ask all servers that it reaches, and take over what is left."""
        homes = self.sites[site]
        for region in self.names:
            for server in self.names:
                if self.reaches(site, server):
                    self.ask(homes, server, region)
        for server in self.names:
            homes.tried(server)
        for region in self.names:
            if homes.is_left(region):
                new = Home(homes.home(region).epoch + 1, site)
                for server in self.names:
                    if self.reaches(site, server):
                        self.say(homes, server, region, new, DOWN_S)

    def ask(self, homes: Homes, server: str, region: str) -> None:
        claim = homes.claim(server, region, keeps=True)
        if claim is not None:
            self.say(homes, server, region, claim.home, claim.quiet_s)
        elif (server, region) in self.servers.said:
            homes.said(server, region, self.servers.said[server, region][0], self.servers.quiet_s(server, region))
        else:
            homes.said(server, region, NOWHERE, 0.0)

    def say(self, homes: Homes, server: str, region: str, home: Home, quiet_s: float) -> None:
        if self.servers.claim(server, region, home, quiet_s):
            homes.granted(server, region, home, self.clock.at)
        else:
            homes.said(server, region, self.servers.said[server, region][0], self.servers.quiet_s(server, region))

    def run(self, seconds: float, *, sites: tuple[str, ...] | None = None) -> None:
        for _ in range(round(seconds / 0.3)):
            self.clock.at += 0.3
            for site in sites or self.names:
                if site not in self.down:
                    self.round(site)
            self.check()

    def deciders(self, region: str) -> list[str]:
        return [name for name, homes in self.sites.items() if name not in self.down and homes.right(region).left_s() > 0]

    def check(self) -> None:
        for region in self.names:
            assert len(self.deciders(region)) <= 1, f"{self.deciders(region)} decide for {region}"


def test_every_region_decides_for_itself_once_all_servers_were_asked() -> None:
    world = World()
    assert world.sites["a"].claim("a", "a", keeps=True) is None, "none was asked yet"
    world.run(1.2)
    assert [world.deciders(name) for name in NAMES] == [["a"], ["b"], ["c"]]
    assert world.sites["b"].home("a") == Home(1, "a")


def test_a_region_that_is_gone_is_taken_over_and_follows_when_it_comes_back() -> None:
    world = World()
    world.run(3)
    world.down.add("a")
    world.run(DOWN_S + 1.2)
    assert world.deciders("a") == ["b"], "the next by its name"
    world.down.clear()
    world.sites["a"] = world.made("a", quorum=True)
    world.run(3)
    assert world.deciders("a") == ["b"]
    assert "lives at b since its epoch 2" in world.sites["a"].right("a").fault
    world.say(world.sites["b"], "b", "a", Home(3, "a"), 0.0)  # handed back
    world.run(DOWN_S + 3)
    assert world.deciders("a") == ["a"]


def test_a_region_that_is_parted_from_the_others_stops_before_one_of_them_decides() -> None:
    world = World()
    world.run(3)
    world.cut = {frozenset("ab"), frozenset("ac")}
    world.run(DOWN_S * 0.6 + 0.6)
    assert world.deciders("a") == [], "it has stopped, and nobody has begun"
    assert "most of the votes" in world.sites["a"].right("a").fault
    world.run(DOWN_S)
    assert world.deciders("a") == ["b"]
    assert (world.deciders("b"), world.deciders("c")) == (["b"], ["c"])
    world.cut.clear()
    world.run(3)
    assert world.deciders("a") == ["b"], "until somebody hands it back"


def test_a_region_that_has_not_heard_where_it_was_does_not_go_on_from_what_it_had() -> None:
    """It was taken over and handed back between two questions: what was decided meanwhile is not here."""
    world = World()
    world.run(3)
    site = world.sites["a"]
    site.is_drained = lambda _region: False
    site.said("b", "a", Home(3, "a"), 0.0)
    assert [site.claim(server, "a", keeps=True) for server in NAMES] == [None] * 3
    assert site.right("a").left_s() <= 0
    site.said("a", "a", Home(2, "b"), 0.0)
    assert site.is_adopting("a"), "it is fetched from where it was"
    assert site.claim("a", "a", keeps=True) is None
    site.is_drained = lambda _region: True
    assert site.claim("a", "a", keeps=True) is not None


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_region_that_fetches_what_it_lacks_has_the_time_that_it_takes_and_one_that_is_gone_meanwhile_is_taken_over_again(is_lost: bool) -> None:  # noqa: FBT001
    world = World()
    world.run(3)
    world.down.add("a")
    world.run(DOWN_S + 1.2)
    world.down.clear()
    world.run(3)
    site = world.sites["a"]
    site.is_drained = lambda _region: False
    world.say(world.sites["b"], "b", "a", Home(3, "a"), 0.0)  # handed back
    world.run(60)
    assert world.deciders("a") == []
    assert site.is_adopting("a")
    if is_lost:
        world.down.add("a")
        world.run(COMES_WITHIN_S + DOWN_S + 1.5)
        assert world.deciders("a") == ["b"]
    else:
        site.is_drained = lambda _region: True
        world.run(1.2)
        assert world.deciders("a") == ["a"]


def test_what_a_region_has_is_not_copied_from_it_until_it_has_fetched_what_is_here() -> None:
    """It has what it decided alone, or before it was taken over: copied, that would be put over what it is to fetch."""
    world = World()
    world.run(3)
    assert world.sites["b"].is_copied("a")
    site = world.sites["b"]
    for server in NAMES:
        site.said(server, "a", Home(2, "b"), 0.0)
    assert not site.is_copied("a"), "it lives here"
    site.said("b", "a", Home(3, "a"), 0.0)
    assert not site.is_copied("a"), "handed back, and not there yet"
    site.said("a", "a", Home(3, "a"), 0.0)
    assert site.is_copied("a")


def test_without_a_quorum_each_goes_on_alone_and_nobody_takes_over_by_itself() -> None:
    world = World(quorum=False, names=("a", "b"))
    world.run(3)
    world.cut = {frozenset("ab")}
    world.run(12)
    assert (world.deciders("a"), world.deciders("b")) == (["a"], ["b"])


def test_a_site_whose_own_server_is_away_decides_nothing_and_lets_others_have_it() -> None:
    world = World()
    world.run(3)
    world.sites["a"].own = "a"
    world.cut = {frozenset("a")}
    world.run(DOWN_S + 3)
    assert world.deciders("a") == ["b"]


def test_two_that_take_the_same_epoch_come_to_agree() -> None:
    world = World()
    world.run(3)
    world.down.add("a")
    world.run(1.2)
    for site in ("b", "c"):  # each at its own server at the same instant
        world.servers.said[site, "a"] = (Home(2, site), world.clock.at)
    world.run(3 * DOWN_S)
    assert world.deciders("a") == ["c"]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_cut_or_stopped_no_two_sites_decide_for_a_region(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311, TID251  # of a test
    world = World()
    world.run(3)
    for _ in range(30):
        world.cut = {frozenset(pair) for pair in (("a", "b"), ("a", "c"), ("b", "c")) if chance.random() < 0.3}
        world.down = {name for name in NAMES if chance.random() < 0.2}
        world.run(chance.choice((0.3, 0.9, 2.1, 6.0)), sites=tuple(chance.sample(NAMES, 3)))
    world.cut, world.down = set(), set()
    world.run(10 * DOWN_S)
    for region in NAMES:
        assert len(world.deciders(region)) == 1, "in the end somebody decides"
