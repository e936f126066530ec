"""Topologies: built, routed, healed; pure functions of who is a member.

Messages go over links only. A broadcast costs one message for each other member; in a ring one more, for it comes back to whoever
sent it and so shows that everybody had it. Whoever is given first to `build` leads; what is healed keeps everybody else's place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence, Set
from dataclasses import replace
from itertools import combinations

from engine.model.errors import UsageError
from engine.model.swarm_words import AUTO, HIERARCHY_MIN, MEMBERS_MAX, MESH_MAX, RING_MIN, Shape
from engine.model.swarms import Hop, Link, Topology

SPAN = 5
"""Members below one coordinator, at most, when a hierarchy is built; healing may leave more."""
_TOP_MAX = MESH_MAX
"""Coordinators at the top, who all speak with each other."""
_TOP_MIN = 2

def shape_for(members: int) -> Shape:
    """Return the shape that suits so many members: a star of one, a mesh of few, a hierarchy of many (C27)."""
    if members == 1:
        return Shape.STAR
    return Shape.MESH if members <= MESH_MAX else Shape.HIERARCHICAL


def links_of_mesh(members: int) -> int:
    """Return how many links a mesh has."""
    return members * (members - 1) // 2


def build(shape: str, members: Sequence[str]) -> Topology:
    """Link members, the best first; the first one leads. Raises UsageError for a shape that so many members cannot have."""
    count = len(members)
    if not count or len(set(members)) < count:
        raise UsageError("a swarm needs members, each of them once")
    if count > MEMBERS_MAX:
        raise UsageError(f"{count} members are more than the {MEMBERS_MAX} of one swarm; make several swarms of them")
    chosen = shape_for(count) if shape == AUTO else Shape(shape)
    why = _why_not(chosen, count)
    if why:
        raise UsageError(why)
    if chosen is Shape.HIERARCHICAL:
        return _hierarchy(tuple(members))
    return Topology(chosen, tuple(members), members[0])


def _why_not(shape: Shape, count: int) -> str:
    """Return why so many members cannot have a shape; empty = they can."""
    if shape is Shape.MESH and count > MESH_MAX:
        return (
            f"a mesh of {count} members needs {links_of_mesh(count)} links, for they grow with the square of the members; "
            f"at most {MESH_MAX} members, or take hierarchical, star or auto"
        )
    if shape is Shape.MESH and count == 1:
        return "a mesh needs 2 members; one alone is a star"
    if shape is Shape.RING and count < RING_MIN:
        return f"a ring needs {RING_MIN} members, there are {count}"
    if shape is Shape.HIERARCHICAL and count < HIERARCHY_MIN:
        return f"a hierarchy needs {HIERARCHY_MIN} members, there are {count}; take mesh, star or auto"
    return ""


def _hierarchy(members: tuple[str, ...]) -> Topology:
    sizes = _level_sizes(len(members))
    levels: list[tuple[str, ...]] = []
    above: list[tuple[str, str]] = []
    start = 0
    for size in sizes:
        level = members[start : start + size]
        if levels:
            above += [(member, levels[-1][number % len(levels[-1])]) for number, member in enumerate(level)]
        levels.append(level)
        start += size
    return Topology(Shape.HIERARCHICAL, members, members[0], tuple(levels), tuple(above))


def _level_sizes(count: int) -> list[int]:
    """Return how many members each level has, the top first: as few levels as SPAN allows, as few at the top as these allow."""
    depth = 1
    while _TOP_MAX * _per_top(depth) < count:
        depth += 1
    top = max(_TOP_MIN, -(-count // _per_top(depth)))
    coordinators = [top * SPAN**level for level in range(depth)]
    return [*coordinators, count - sum(coordinators)]


def _per_top(depth: int) -> int:
    """Return how many members one coordinator at the top can stand for, itself included, with so many levels below."""
    return sum(SPAN**level for level in range(depth + 1))


# ---- what is linked, and the ways over links


def links(topology: Topology) -> list[Link]:
    """Return every link once."""
    members = topology.members
    match topology.shape:
        case Shape.MESH:
            return list(combinations(members, 2))
        case Shape.STAR:
            return [(topology.leader, member) for member in members if member != topology.leader]
        case Shape.RING:
            # A ring that lost all but two members has one link, not one there and one back.
            return [(member, members[(number + 1) % len(members)]) for number, member in enumerate(members)][: links_of_mesh(len(members))]
        case Shape.HIERARCHICAL:
            top = topology.levels[0] if topology.levels else ()
            return [*combinations(top, 2), *((coordinator, member) for member, coordinator in topology.above)]


def neighbours(topology: Topology) -> dict[str, list[str]]:
    """Return with whom each member speaks."""
    found: dict[str, list[str]] = {member: [] for member in topology.members}
    for one, other in links(topology):
        found[one].append(other)
        found[other].append(one)
    return found


def route(topology: Topology, source: str, target: str) -> list[Hop]:
    """Return the shortest way of a message; nothing for one to oneself. Raises UsageError for who is no member."""
    _check_members(topology, source, target)
    came_from = _reached(topology, source)
    hops: list[Hop] = []
    at = target
    while at != source:
        hops.append((came_from[at], at))
        at = came_from[at]
    return hops[::-1]


def broadcast(topology: Topology, source: str) -> list[Hop]:
    """Return the messages that tell everybody, each after the one that it passes on. Raises UsageError for who is no member."""
    _check_members(topology, source)
    if topology.shape is Shape.RING and len(topology.members) >= RING_MIN:
        start = topology.members.index(source)
        turn = [*topology.members[start:], *topology.members[:start], source]
        return list(zip(turn, turn[1:], strict=False))
    return [(sender, member) for member, sender in _reached(topology, source).items() if member != source]


def _reached(topology: Topology, source: str) -> dict[str, str]:
    """Return from whom each member hears what a member says, the nearest first."""
    speaks_with = neighbours(topology)
    came_from = {source: source}
    waiting = deque([source])
    while waiting:
        at = waiting.popleft()
        for member in speaks_with[at]:
            if member not in came_from:
                came_from[member] = at
                waiting.append(member)
    return came_from


def _check_members(topology: Topology, *members: str) -> None:
    for member in members:
        if member not in topology.members:
            raise UsageError(f"{member!r} is not in the swarm")


# ---- losses and elections


def elect(members: Sequence[str], reliability: Callable[[str], float]) -> str:
    """Return who leads: the most reliable, of several the one with the lowest id; empty = there is nobody."""
    return min(members, key=lambda member: (-reliability(member), member), default="")


def heal(topology: Topology, lost: Set[str], reliability: Callable[[str], float]) -> Topology:
    """Return the topology without some members: everybody else keeps place and shape, and places that matter are filled by election."""
    left = tuple(member for member in topology.members if member not in lost)
    if topology.shape is Shape.HIERARCHICAL:
        return _healed_hierarchy(topology, left, reliability)
    leader = topology.leader if topology.leader in left else elect(left, reliability)
    return replace(topology, members=left, leader=leader)


def _healed_hierarchy(topology: Topology, left: tuple[str, ...], reliability: Callable[[str], float]) -> Topology:
    above = dict(topology.above)
    level_of = {member: number for number, level in enumerate(topology.levels) for member in level}
    for member in sorted(set(topology.members) - set(left), key=lambda one: (-level_of[one], one)):  # so that nobody inherits who is lost too
        _vacate(member, above, level_of, reliability)
    levels = tuple(tuple(member for member in left if level_of[member] == number) for number in range(len(topology.levels)))
    top = levels[0] if levels else ()
    leader = topology.leader if topology.leader in top else elect(top, reliability)
    return Topology(Shape.HIERARCHICAL, left, leader, tuple(level for level in levels if level), tuple((member, above[member]) for member in left if member in above))


def _vacate(member: str, above: dict[str, str], level_of: dict[str, int], reliability: Callable[[str], float]) -> None:
    """Take a member out; the best of those below it takes its place, and so on down."""
    place, coordinator = level_of.pop(member), above.pop(member, "")
    below = [one for one, chief in above.items() if chief == member]
    heir = elect(below, reliability)
    if not heir:
        return
    _vacate(heir, above, level_of, reliability)
    level_of[heir] = place
    if coordinator:
        above[heir] = coordinator
    for one in [one for one, chief in above.items() if chief == member]:
        above[one] = heir
