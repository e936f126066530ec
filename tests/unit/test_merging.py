"""Replicas of an entry come to the same end, whatever way the versions took."""

import msgspec
import pytest
from engine.memory.changing import ended
from engine.memory.merging import (
    CONFLICTS_MAX,
    LINEAGE_MAX,
    Merged,
    dot_of,
    held_of,
    is_reopened,
    lineage_after,
    merge,
    merge_all,
    reopened,
    version_of,
)
from engine.model.memory import Dot, EntryId, Head
from hypothesis import given
from hypothesis import strategies as st

ID = EntryId("default", "ann", "plan")


def first(version):
    return Merged(frozenset((version,)))


def head(number, *, at=0.0, writer="ann", life="eng_a", count=0):
    return Head(ID, version=number, updated_at=at, writer=writer, lineage=(Dot(life, count or number),))


def version(number, **about):
    return version_of(made := head(number, **about), made)


def written(held, *, at=0.0, writer="ann", life="eng_a", count=0, settles=False):
    """Return what somebody writes over what a replica holds, as the store does."""
    old = held_of(held) if held else None
    rivals = old.rivals if old and not settles else ()
    made = Head(
        ID,
        version=old.version + 1 if old else 1,
        updated_at=at,
        writer=writer,
        lineage=lineage_after(old, Dot(life, count)),
        spared=rivals,
        rivals=rivals,
    )
    new = version_of(made, made)
    return merge(held, first(new)) if held else first(new)


versions = st.builds(
    version,
    st.integers(1, 4),
    at=st.sampled_from([-1e9, 0.0, 1.0, 1e12]),
    writer=st.sampled_from(["ann", "bob"]),
    life=st.sampled_from(["eng_a", "eng_b"]),
)


class Network:
    """Replicas of one entry that write, settle, start anew, and send what they hold; it is lost, doubled and late as it comes."""

    def __init__(self, count):
        self.held = [None] * count
        self.lives = [f"eng_{place}" for place in range(count)]
        self.sent = []
        self.replaced = {}
        self.known = {}
        self.settled = {}

    def write(self, place, at, *, settles=False):
        held = self.held[place]
        number = len(self.replaced) + 1
        self.held[place] = written(held, at=at, writer=f"agt_{place}", life=self.lives[place], count=number, settles=settles)
        before = {one.stamp.dot for one in held.versions} if held else set()
        spared = {one.stamp.dot for one in held.conflicts} if held and not settles else set()
        name = Dot(self.lives[place], number)
        self.known[name] = before.union(*(self.known[dot] for dot in before))
        self.replaced[name] = self.known[name] - spared
        if held and settles:
            self.settled[place] = held.conflicts

    def reopen(self, place, at):
        """Take it back that conflicts were settled, as undo does."""
        losers = self.settled.pop(place, ())
        if not losers or any(is_reopened(one.content) for one in self.held[place].conflicts):
            return
        name = Dot(self.lives[place], len(self.replaced) + 1)
        self.write(place, at)
        for old, again in zip(losers, reopened([one.content for one in losers], name), strict=True):
            self.receive(place, first(version_of(again, again)))
            self.known[dot_of(again)] = self.known[old.stamp.dot] | {old.stamp.dot}
            self.replaced[dot_of(again)] = self.replaced[old.stamp.dot] | {old.stamp.dot}

    def send(self, place):
        if self.held[place]:
            self.sent.append(self.held[place])

    def receive(self, place, message):
        self.held[place] = merge(self.held[place], message) if self.held[place] else message

    def act(self, act, place, which, at):
        if act in ("write", "settle"):
            self.write(place, at, settles=act == "settle")
        elif act == "reopen":
            self.reopen(place, at)
        elif act == "restart":
            self.lives[place] += "'"
        elif act == "send":
            self.send(place)
        elif act == "receive" and self.sent:
            self.receive(place, self.sent[which % len(self.sent)])
        elif act == "lose" and self.sent:
            del self.sent[which % len(self.sent)]


acts = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "settle", "reopen", "send", "send", "receive", "receive", "lose", "restart"]),
        st.integers(0, 2),
        st.integers(0, 99),
        st.floats(-5, 5),
    ),
    max_size=25,
)


def after(steps):
    network = Network(3)
    for step in steps:
        network.act(*step)
    return network


@given(acts, st.randoms(use_true_random=False))
def test_replicas_converge_for_any_order_loss_and_duplication(steps, chance):
    network = after(steps)
    if not network.replaced:
        return
    # In the end each hears of each at least once, in any order, between what is still under way.
    rounds = [(place, held) for held in [*network.held, *network.sent] if held for place in range(3)]
    for _ in range(2):
        chance.shuffle(rounds)
        for place, held in rounds:
            network.receive(place, held)
    assert len(set(network.held)) == 1
    there = {each.stamp.dot for each in network.held[0].versions}
    assert there == network.replaced.keys() - frozenset().union(*network.replaced.values())


@given(acts)
def test_merging_knows_no_order_no_grouping_and_no_repetition(steps):
    network = after(steps)
    states = [*network.held, *network.sent]
    one, two, three = (next((held for held in states[place:] if held), first(version(1))) for place in range(3))
    assert merge(one, two) == merge(two, one)
    assert merge(merge(one, two), three) == merge(one, merge(two, three))
    assert merge(one, one) == one
    assert merge(merge(one, two), one) == merge(one, two)


@given(st.lists(versions, min_size=1, max_size=6, unique_by=lambda each: each.stamp.dot))
def test_any_versions_have_one_winner_whatever_their_order(several):
    assert merge_all(several) == merge_all(several[::-1])


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (version(2), version(1, at=9.0, writer="zoe", life="eng_b")),
        (version(1, at=2.0), version(1, at=1.0, writer="zoe", life="eng_b")),
        (version(1, writer="bob"), version(1, writer="ann", life="eng_b")),
    ],
    ids=["version", "then time", "then writer"],
)
def test_the_higher_version_wins_then_the_later_then_the_writer(one, two):
    held = merge(first(one), first(two))
    assert held.winner is one
    assert held.conflicts == (two,)


def test_what_was_written_in_knowledge_of_another_replaces_it():
    old = first(version(1))
    new = written(old, writer="bob", life="eng_b", count=9)
    assert new.conflicts == () and new.winner.stamp.version == 2
    assert merge(new, old) == new


def test_a_write_leaves_conflicts_open_and_settling_ends_them_everywhere():
    both = merge(first(version(1)), first(version(1, writer="bob", life="eng_b")))
    blind = written(both, life="eng_a", count=5)
    assert blind.winner.stamp.version == 2
    assert blind.conflicts == both.conflicts
    chosen = written(blind, life="eng_a", count=6, settles=True)
    assert chosen.conflicts == ()
    assert merge(merge(both, chosen), blind) == chosen


def test_a_clock_that_is_ahead_decides_only_between_equal_versions():
    assert merge(first(version(1, at=1e12)), first(version(2, at=1.0, life="eng_b"))).winner.stamp.version == 2


def test_what_ended_by_age_is_the_same_on_both_sides_and_loses_against_a_write():
    old = msgspec.structs.replace(head(3, at=50.0), expires_at=60.0)
    one, two = (version_of(end, end) for end in (ended(old), ended(msgspec.structs.replace(old, rivals=(Dot("life_z", 1),), heard=(Dot("life_z", 1),)))))
    assert merge_all((one, two)) == first(one) == first(two)
    longer = written(first(version_of(old, old)), at=51.0, writer="bob", life="eng_b", count=1)
    assert merge(first(two), longer).winner == longer.winner


def test_an_entry_from_before_lineages_is_the_same_in_every_copy_and_is_followed():
    old = Head(ID, version=7, updated_at=5.0, writer="ann")
    held = first(version_of(old, old))
    assert merge(held, first(version_of(old, old))) == held
    new = written(held, life="eng_b", count=2)
    assert merge(new, held) == new
    other = msgspec.structs.replace(old, updated_at=6.0)
    assert len(merge(held, first(version_of(other, other))).versions) == 2


def test_lineage_and_conflicts_are_bounded():
    held = first(version(1))
    for number in range(2, LINEAGE_MAX + 20):
        held = written(held, life=f"eng_{number}", count=1)
    assert len(held.winner.lineage) == LINEAGE_MAX
    assert held.winner.lineage[-1] == held.winner.stamp.dot
    crowd = merge_all(version(1, writer=f"w{number}", life=f"eng_{number}") for number in range(CONFLICTS_MAX + 20))
    assert len(crowd.conflicts) == CONFLICTS_MAX


def test_a_hot_key_costs_no_more_with_every_write():
    held = first(version(1))
    for number in range(2, 500):
        held = written(held, life="eng_a", count=number)
    assert held.winner.lineage == (Dot("eng_a", 499),)


def test_settled_conflicts_that_are_opened_again_are_open_everywhere():
    network = Network(2)
    network.write(0, 1.0)
    network.write(1, 2.0)
    for place in (0, 1):
        network.receive(place, network.held[1 - place])
    for act in ("settle", "reopen", "settle"):
        network.act(act, 0, 0, 3.0)
        network.receive(1, network.held[0])
        assert network.held[0] == network.held[1]
        assert len(network.held[1].conflicts) == (act == "reopen")
