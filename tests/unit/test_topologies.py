"""Topologies: chosen by size, connected by so many links, routed over links only, healed after any loss."""

from __future__ import annotations

import pytest
from engine.model.errors import UsageError
from engine.model.swarm_words import AUTO, HIERARCHY_MIN, MESH_MAX, RING_MIN, Shape
from engine.model.swarms import Hop, Topology
from engine.swarm.topologies import SPAN, broadcast, build, elect, heal, links, neighbours, route
from hypothesis import given
from hypothesis import strategies as st

LEAST = {Shape.MESH: 2, Shape.STAR: 1, Shape.RING: RING_MIN, Shape.HIERARCHICAL: HIERARCHY_MIN}
MOST = {Shape.MESH: MESH_MAX, Shape.STAR: 30, Shape.RING: 30, Shape.HIERARCHICAL: 90}


def members(count: int) -> list[str]:
    return [f"agt_{number:04}" for number in range(count)]


@st.composite
def built(draw: st.DrawFn) -> Topology:
    shape = draw(st.sampled_from(Shape))
    return build(shape, draw(st.permutations(members(draw(st.integers(LEAST[shape], MOST[shape]))))))


def reliability(member: str) -> float:
    """Any of a few values, so that there are ties."""
    return int(member[-1]) % 4 / 4


def everybody_is_reached(topology: Topology) -> bool:
    return not topology.members or {topology.leader, *(member for _, member in broadcast(topology, topology.leader))} == set(topology.members)


def follows_links(topology: Topology, hops: list[Hop]) -> bool:
    allowed = {*links(topology), *((other, one) for one, other in links(topology))}
    return set(hops) <= allowed


@pytest.mark.row(135)
@pytest.mark.row(136)
@pytest.mark.row(137)
@pytest.mark.parametrize(("count", "shape"), [(1, Shape.STAR), (2, Shape.MESH), (7, Shape.MESH), (8, Shape.HIERARCHICAL), (50, Shape.HIERARCHICAL)])
def test_the_number_of_members_chooses_the_shape(count: int, shape: Shape) -> None:
    assert build(AUTO, members(count)).shape is shape


@pytest.mark.row(136)
def test_a_mesh_that_is_too_large_is_refused_with_the_number_of_its_links() -> None:
    with pytest.raises(UsageError, match=r"a mesh of 8 members needs 28 links.*at most 7"):
        build("mesh", members(8))


@pytest.mark.parametrize(("shape", "count", "said"), [("ring", 2, "needs 3"), ("hierarchical", 7, "needs 8"), ("mesh", 1, "needs 2"), ("star", 1001, "more than the 1000"), ("auto", 0, "needs members")])
def test_a_shape_that_so_few_or_many_cannot_have_is_refused(shape: str, count: int, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        build(shape, members(count))


def test_nobody_is_in_a_swarm_twice() -> None:
    with pytest.raises(UsageError, match="each of them once"):
        build("auto", ["agt_1", "agt_1"])


@pytest.mark.row(136)
@pytest.mark.row(138)
@pytest.mark.row(139)
@given(built())
def test_a_shape_has_as_many_links_as_it_is_known_for(topology: Topology) -> None:
    n = len(topology.members)
    top = len(topology.levels[0]) if topology.levels else 0
    wanted = {Shape.MESH: n * (n - 1) // 2, Shape.STAR: n - 1, Shape.RING: n, Shape.HIERARCHICAL: n - top + top * (top - 1) // 2}
    assert len(links(topology)) == len({frozenset(link) for link in links(topology)}) == wanted[topology.shape]


@pytest.mark.row(137)
@given(st.integers(HIERARCHY_MIN, 1_000))
def test_a_hierarchy_has_coordinators_who_speak_with_each_other_and_nobody_has_too_many_below(count: int) -> None:
    topology = build("hierarchical", members(count))
    top, *_, workers = topology.levels
    assert sum(map(len, topology.levels)) == count
    assert 2 <= len(top) <= MESH_MAX
    assert workers
    below = [chief for _, chief in topology.above]
    assert max(below.count(chief) for chief in set(below)) <= SPAN
    level_of = {member: number for number, level in enumerate(topology.levels) for member in level}
    assert all(level_of[member] == level_of[chief] + 1 for member, chief in topology.above)
    assert all(other in neighbours(topology)[one] for one in top for other in top if one != other)


@pytest.mark.row(138)
def test_satellites_of_a_star_speak_through_its_center() -> None:
    topology = build("star", members(5))
    assert route(topology, "agt_0003", "agt_0004") == [("agt_0003", "agt_0000"), ("agt_0000", "agt_0004")]
    assert broadcast(topology, "agt_0000") == [("agt_0000", member) for member in members(5)[1:]]


@pytest.mark.row(139)
def test_in_a_ring_a_message_goes_the_shorter_way_and_a_broadcast_comes_back() -> None:
    topology = build("ring", members(5))
    assert route(topology, "agt_0000", "agt_0004") == [("agt_0000", "agt_0004")]
    assert [source for source, _ in broadcast(topology, "agt_0002")] == ["agt_0002", "agt_0003", "agt_0004", "agt_0000", "agt_0001"]
    assert broadcast(topology, "agt_0002")[-1] == ("agt_0001", "agt_0002")


@given(built(), st.data())
def test_a_message_follows_links_and_arrives(topology: Topology, data: st.DataObject) -> None:
    source, target = (data.draw(st.sampled_from(topology.members)) for _ in range(2))
    hops = route(topology, source, target)
    assert follows_links(topology, hops)
    assert [at for at, _ in hops] + [target] == [source] + [at for _, at in hops]
    assert len({at for at, _ in hops}) == len(hops)


@given(built(), st.data())
def test_a_broadcast_tells_everybody_once_after_whoever_passes_it_on_knows(topology: Topology, data: st.DataObject) -> None:
    source = data.draw(st.sampled_from(topology.members))
    hops = broadcast(topology, source)
    assert follows_links(topology, hops)
    is_ring = topology.shape is Shape.RING
    assert len(hops) == len(topology.members) - (not is_ring)
    knows = {source}
    for sender, member in hops:
        assert sender in knows
        knows.add(member)
    assert knows == set(topology.members)


def test_nobody_speaks_with_who_is_not_there() -> None:
    topology = build("mesh", members(3))
    for one, other in (("agt_0000", "eve"), ("eve", "agt_0000")):
        with pytest.raises(UsageError, match="'eve' is not in the swarm"):
            route(topology, one, other)


@given(built(), st.data())
def test_after_any_losses_in_any_order_everybody_left_is_connected(topology: Topology, data: st.DataObject) -> None:
    for _ in range(4):
        if not topology.members:
            break
        lost = data.draw(st.sets(st.sampled_from(topology.members), min_size=1))
        healed = heal(topology, lost, reliability)
        assert healed.members == tuple(member for member in topology.members if member not in lost)
        assert healed.shape is topology.shape
        assert everybody_is_reached(healed)
        assert (healed.leader in healed.members) == bool(healed.members)
        if topology.leader not in lost:
            assert healed.leader == topology.leader
        elif topology.shape is not Shape.HIERARCHICAL:
            assert healed.leader == elect(healed.members, reliability)
        topology = healed


@given(st.integers(HIERARCHY_MIN, 200), st.data())
def test_a_lost_coordinator_is_followed_by_the_best_of_those_below_and_nobody_else_moves(count: int, data: st.DataObject) -> None:
    topology = build("hierarchical", members(count))
    above = dict(topology.above)
    coordinator = data.draw(st.sampled_from(sorted(set(above.values()))))
    healed = heal(topology, {coordinator}, reliability)
    heir = elect([member for member, chief in topology.above if chief == coordinator], reliability)
    after = dict(healed.above)
    assert after.get(heir) == above.get(coordinator)
    assert all(after[member] == heir for member, chief in topology.above if chief == coordinator and member != heir)
    untouched = [member for member, chief in topology.above if chief not in (coordinator, heir) and member not in (coordinator, heir)]
    assert all(after[member] == above[member] for member in untouched)


def test_the_most_reliable_is_elected_and_of_equals_the_lowest_id() -> None:
    assert elect(["b", "a", "c"], {"a": 0.5, "b": 0.9, "c": 0.9}.__getitem__) == "b"
    assert elect([], reliability) == ""
