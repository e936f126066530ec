"""Topologies as the seeds describe them (seed A 5.1): what of a swarm is written out for others to read.

Owner: nobody; values only. Agents are named by their ids.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.model.swarm_words import MESH_MAX


@dataclass(frozen=True, slots=True)
class SwarmConsensus:
    """How a swarm votes. timeout in seconds; depth and policy are those of delegated votes, the decision maker is that of centralized ones."""

    type: str
    threshold: float
    timeout: float
    delegation_depth: int = 0
    escalation_policy: str = ""
    """automatic: what is undecided goes to the leader by itself; manual: an operator breaks it."""
    decision_maker: str = ""
    validation: str = ""


@dataclass(frozen=True, slots=True)
class AgentConnection:
    """Two agents that speak with each other."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class MeshCharacteristics:
    """What a mesh is good for."""

    agent_count_min: int = 2
    agent_count_max: int = MESH_MAX
    connection_pattern: str = "fully-connected"
    communication: str = "peer-to-peer"
    consensus_speed: str = "medium"
    fault_tolerance: str = "high"
    scalability: str = "limited"


MESH_CHARACTERISTICS = MeshCharacteristics()


@dataclass(frozen=True, slots=True)
class MeshTopology:
    """Everybody speaks with everybody."""

    type: str
    agents: tuple[str, ...]
    connections: tuple[AgentConnection, ...]
    consensus: SwarmConsensus
    characteristics: MeshCharacteristics = MESH_CHARACTERISTICS


@dataclass(frozen=True, slots=True)
class CoordinatorAgent:
    """Somebody with members below."""

    agent: str
    level: int
    """0 = the top."""
    below: tuple[str, ...]
    coordinator: str = ""
    """Empty at the top."""


@dataclass(frozen=True, slots=True)
class WorkerAgent:
    """Somebody with nobody below."""

    agent: str
    level: int
    coordinator: str


@dataclass(frozen=True, slots=True)
class HierarchicalCommunication:
    """Who speaks with whom in a hierarchy."""

    upward: str = "workers-to-coordinators"
    downward: str = "coordinators-to-workers"
    lateral: str = "coordinator-to-coordinator"


@dataclass(frozen=True, slots=True)
class HierarchicalTopology:
    """Workers speak with a coordinator, coordinators with one above; those at the top with each other."""

    type: str
    levels: int
    coordinators: tuple[CoordinatorAgent, ...]
    workers: tuple[WorkerAgent, ...]
    consensus: SwarmConsensus
    communication: HierarchicalCommunication = field(default_factory=HierarchicalCommunication)


@dataclass(frozen=True, slots=True)
class CenterAgent:
    """The one through whom the others speak."""

    agent: str


@dataclass(frozen=True, slots=True)
class SatelliteAgent:
    """Somebody who speaks with the center."""

    agent: str


@dataclass(frozen=True, slots=True)
class StarCommunication:
    """Who speaks with whom in a star."""

    pattern: str = "center-mediated"
    broadcast: str = "center-to-all"
    collection: str = "all-to-center"


@dataclass(frozen=True, slots=True)
class StarTopology:
    """Everybody speaks with the center."""

    type: str
    center: CenterAgent
    satellites: tuple[SatelliteAgent, ...]
    consensus: SwarmConsensus
    communication: StarCommunication = field(default_factory=StarCommunication)


@dataclass(frozen=True, slots=True)
class RingTopology:
    """Everybody speaks with a predecessor and a successor (C26)."""

    type: str
    agents: tuple[str, ...]
    """Each the predecessor of the next, the last one of the first."""
    connections: tuple[AgentConnection, ...]
    consensus: SwarmConsensus


ShapeOfSeeds = MeshTopology | HierarchicalTopology | StarTopology | RingTopology


# ---- votes and state of a swarm as the seeds have them (seed A 4.4, 5.2)


@dataclass(frozen=True, slots=True)
class VoteCount:
    """Votes in voters; total are all who may vote (C23), not those who did."""

    total: int
    affirmative: int
    negative: int


@dataclass(frozen=True, slots=True)
class WeightDistribution:
    """Votes in weight; total is that of all who may vote."""

    affirmative: float
    negative: float
    total: float


@dataclass(frozen=True, slots=True)
class ConsensusResult:
    """What came of a proposal."""

    proposal_id: str
    consensus_reached: bool
    vote_count: VoteCount
    weight_distribution: WeightDistribution
    threshold: float
    timestamp: float
    """When it ended."""
    because: str
    """Why it ended so."""


@dataclass(frozen=True, slots=True)
class ConsensusState:
    """How a swarm votes, and on what."""

    settings: SwarmConsensus
    open: tuple[str, ...] = ()
    """Proposals that go on."""
    ended: tuple[str, ...] = ()
    """Those that are kept, oldest first."""


@dataclass(frozen=True, slots=True)
class AgentState:
    """A member of a swarm."""

    id: str
    name: str
    pool: str
    """Empty when it has left the fleet."""
    status: str
    task: str
    """What it works on; empty = nothing."""
    is_leader: bool
    level: int
    """Of a hierarchy, 0 = the top."""
    coordinator: str
    reliability: float
    """0..1."""
    mail: int
    """Messages that wait for it, of all of its swarms."""


@dataclass(frozen=True, slots=True)
class SwarmPerformance:
    """What a swarm came to."""

    objectives_open: int
    objectives_succeeded: int
    objectives_ended: int
    """Of those that are kept."""
    messages: int
    """Sent since it was made."""
    messages_per_s: float
    """Over its links, of about the last ten seconds."""


@dataclass(frozen=True, slots=True)
class SwarmMetadata:
    """When a swarm was made and changed; instants in epoch seconds."""

    created_at: float
    updated_at: float
    version: int
    session_id: str
    """The objective that it works on; empty = none."""


@dataclass(frozen=True, slots=True)
class SwarmState:
    """A swarm as the seeds have it."""

    id: str
    status: str
    topology: str
    agents: tuple[AgentState, ...]
    tasks: tuple[str, ...]
    """Those of its objectives that go on."""
    consensus: ConsensusState
    performance: SwarmPerformance
    metadata: SwarmMetadata
