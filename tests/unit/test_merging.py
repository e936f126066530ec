"""Replicas of an entry come to the same end, whatever way the versions took."""

import pytest
from engine.memory.merging import (
    CONFLICTS_MAX,
    LINEAGE_MAX,
    Stamp,
    Version,
    digest_of,
    first,
    merge,
    successor,
)
from hypothesis import given
from hypothesis import strategies as st


def version(number, *, at=0.0, writer="ann", content=b"x", lineage=()):
    return Version(Stamp(number, at, writer, digest_of(content)), content, frozenset(lineage))


versions = st.builds(
    version,
    st.integers(1, 4),
    at=st.sampled_from([-1e9, 0.0, 1.0, 1e12]),
    writer=st.sampled_from(["ann", "bob"]),
    content=st.sampled_from([b"a", b"b"]),
)
merged = st.lists(versions, min_size=1, max_size=5).map(lambda several: _folded(map(first, several)))


def _folded(several):
    several = list(several)
    held = several[0]
    for each in several[1:]:
        held = merge(held, each)
    return held


@given(merged, merged, merged)
def test_merging_knows_no_order_no_grouping_and_no_repetition(one, two, three):
    assert merge(one, two) == merge(two, one)
    assert merge(merge(one, two), three) == merge(one, merge(two, three))
    assert merge(one, one) == one
    assert merge(merge(one, two), one) == merge(one, two)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (version(2), version(1, at=9.0, writer="zoe")),
        (version(1, at=2.0), version(1, at=1.0, writer="zoe")),
        (version(1, writer="bob"), version(1, writer="ann")),
    ],
    ids=["version", "then time", "then writer"],
)
def test_the_higher_version_wins_then_the_later_then_the_writer(one, two):
    held = merge(first(one), first(two))
    assert held.winner is one
    assert held.conflicts == (two,)


def test_what_was_written_in_knowledge_of_another_replaces_it():
    old = version(1)
    new = successor(first(old), Stamp(2, 1.0, "bob"), b"new")
    assert merge(first(old), first(new)) == first(new)
    with pytest.raises(AssertionError, match="does not follow"):
        successor(first(new), Stamp(2, 5.0, "bob"), b"again")


def test_choosing_ends_a_conflict_everywhere():
    both = merge(first(version(1, content=b"a")), first(version(1, writer="bob", content=b"b")))
    chosen = successor(both, Stamp(2, 1.0, "op"), b"a")
    assert both.conflicts and merge(both, first(chosen)).conflicts == ()


def test_a_clock_that_is_ahead_decides_only_between_equal_versions():
    ahead = version(1, at=1e12)
    assert merge(first(ahead), first(version(2, at=1.0))).winner.stamp.version == 2


def test_lineage_and_conflicts_are_bounded():
    held = first(version(1))
    for number in range(2, LINEAGE_MAX + 20):
        held = first(successor(held, Stamp(number, 0.0, "ann"), b"x"))
    assert len(held.winner.lineage) == LINEAGE_MAX
    crowd = _folded(first(version(1, writer=f"w{number}")) for number in range(CONFLICTS_MAX + 20))
    assert len(crowd.conflicts) == CONFLICTS_MAX


class Network:
    """Replicas of one entry that write, and send what they hold; what is sent is lost, doubled and late as it comes."""

    def __init__(self, count):
        self.held = [None] * count
        self.sent = []
        self.known = [frozenset()] * count
        self.ever = {}

    def write(self, place, at):
        held = self.held[place]
        number = held.winner.stamp.version + 1 if held else 1
        content = b"%d at %d" % (len(self.ever), place)
        stamp = Stamp(number, at, f"agt_{place}", digest_of(content))
        new = successor(held, stamp, content) if held else Version(stamp, content)
        self.ever[stamp] = frozenset(v.stamp for v in held.versions).union(*(self.ever[v.stamp] for v in held.versions)) if held else frozenset()
        self.held[place] = first(new)

    def send(self, place):
        if self.held[place]:
            self.sent.append(self.held[place])

    def receive(self, place, message):
        self.held[place] = merge(self.held[place], message) if self.held[place] else message


steps = st.lists(
    st.tuples(st.sampled_from(["write", "write", "send", "send", "receive", "receive", "lose"]), st.integers(0, 2), st.integers(0, 99), st.floats(-5, 5)),
    max_size=25,
)


@given(steps, st.randoms(use_true_random=False))
def test_replicas_converge_for_any_order_loss_and_duplication(steps, chance):
    network = Network(3)
    for act, place, which, at in steps:
        if act == "write":
            network.write(place, at)
        elif act == "send":
            network.send(place)
        elif act == "receive" and network.sent:
            network.receive(place, network.sent[which % len(network.sent)])
        elif act == "lose" and network.sent:
            del network.sent[which % len(network.sent)]
    if not network.ever:
        return
    # In the end each hears of each at least once, in any order, between what is still under way.
    rounds = [(place, held) for held in [*network.held, *network.sent] if held for place in range(3)]
    for _ in range(2):
        chance.shuffle(rounds)
        for place, held in rounds:
            network.receive(place, held)
    assert len(set(network.held)) == 1
    there = {each.stamp for each in network.held[0].versions}
    replaced = frozenset().union(*network.ever.values())
    assert there == network.ever.keys() - replaced
    assert network.held[0].winner.stamp == max(network.ever)
