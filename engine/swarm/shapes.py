"""A swarm's topology and votes as the seeds write them out; pure."""

from __future__ import annotations

from engine.model.swarm_shapes import (
    AgentConnection,
    CenterAgent,
    CoordinatorAgent,
    HierarchicalTopology,
    MeshTopology,
    RingTopology,
    SatelliteAgent,
    ShapeOfSeeds,
    StarTopology,
    SwarmConsensus,
    WorkerAgent,
)
from engine.model.swarm_words import AUTO, Shape
from engine.model.swarms import SwarmSettings, Topology
from engine.model.vote_words import HALF, TWO_THIRDS, Rule
from engine.swarm.topologies import links

DELEGATION_DEPTH = 3
_RULE_OF = {Shape.MESH: Rule.QUORUM, Shape.RING: Rule.QUORUM, Shape.HIERARCHICAL: Rule.DELEGATED, Shape.STAR: Rule.CENTRALIZED}


def rule_of(topology: Topology, settings: SwarmSettings) -> Rule:
    """Return by which rule a swarm votes: the one that was asked for, or the one that suits its topology."""
    if settings.rule != AUTO:
        return Rule(settings.rule)
    return _RULE_OF[topology.shape] if len(topology.members) > 1 else Rule.QUORUM


def consensus_of(topology: Topology, settings: SwarmSettings) -> SwarmConsensus:
    """Return how a swarm votes."""
    rule = rule_of(topology, settings)
    threshold = settings.threshold or (HALF if rule is Rule.WEIGHTED else TWO_THIRDS)
    return SwarmConsensus(
        rule.value,
        threshold,
        settings.vote_timeout_s,
        DELEGATION_DEPTH if rule is Rule.DELEGATED else 0,
        "automatic" if rule is Rule.DELEGATED else "manual",
        topology.leader if rule is Rule.CENTRALIZED else "",
        "satellite-feedback" if rule is Rule.CENTRALIZED else "",
    )


def written_out(topology: Topology, settings: SwarmSettings) -> ShapeOfSeeds:
    """Return a swarm's topology as the seeds have it."""
    consensus = consensus_of(topology, settings)
    connections = tuple(AgentConnection(*link) for link in links(topology))
    match topology.shape:
        case Shape.MESH:
            return MeshTopology("mesh", topology.members, connections, consensus)
        case Shape.RING:
            return RingTopology("ring", topology.members, connections, consensus)
        case Shape.STAR:
            satellites = tuple(SatelliteAgent(member) for member in topology.members if member != topology.leader)
            return StarTopology("star", CenterAgent(topology.leader), satellites, consensus)
        case Shape.HIERARCHICAL:
            return _hierarchy(topology, consensus)


def _hierarchy(topology: Topology, consensus: SwarmConsensus) -> HierarchicalTopology:
    above = dict(topology.above)
    below: dict[str, list[str]] = {}
    for member, coordinator in topology.above:
        below.setdefault(coordinator, []).append(member)
    placed = [(member, level) for level, members in enumerate(topology.levels) for member in members]
    coordinators = tuple(CoordinatorAgent(member, level, tuple(below.get(member, ())), above.get(member, "")) for member, level in placed if member in below or level == 0)
    workers = tuple(WorkerAgent(member, level, above[member]) for member, level in placed if member not in below and level)
    return HierarchicalTopology("hierarchical", len(topology.levels), coordinators, workers, consensus)
