"""What makes agents run: one `AgentKind` for each kind of pool, and the runtime that hands effects to them.

Owner: fleet.py makes it; the coordinator calls `carry_out` with effects whose events are in the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.model.agents import AgentSpec
from engine.model.effects import Assignment
from engine.model.ids import AgentId, HostId, TaskId
from engine.model.pools import PoolSpec
from engine.model.reports import Report

INLINE_RESULT_MAX_BYTES = 2_048
"""A larger result (as JSON) is stored once by its hash in the artifacts table."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A large payload, stored once under the sha256 of its bytes."""

    id: str
    media: str
    data: bytes
    task: TaskId


@dataclass(frozen=True, slots=True)
class HostSample:
    """A measurement of one host. cpu is a ratio of one core since the last sample, rss in MB; -1 = unknown."""

    host: HostId
    kind: str
    pid: int
    agents: int
    beat_at: float
    cpu: float = -1.0
    rss_mb: float = -1.0


class Reporter(Protocol):
    """Takes reports to the coordinator; plain calls on the engine's loop, never blocks."""

    def __call__(self, report: Report, artifacts: Sequence[Artifact] = ()) -> None:
        """Hand over one report with the artifacts that its outcomes name."""
        ...


class AgentKind(Protocol):
    """One way of running agents. All methods but run() are plain calls on the engine's loop."""

    async def run(self) -> None:
        """Keep hosts alive until cancelled; on the way out no process of it is left."""
        ...

    def start(self, agents: Sequence[tuple[AgentSpec, PoolSpec]]) -> None:
        """Bring agents to life, or anew; answered by HostUp, AgentsUp or AgentsFailed."""
        ...

    def stop(self, agents: Sequence[AgentId]) -> None:
        """Forget agents; they run nothing any more."""
        ...

    def deliver(self, assignments: Sequence[Assignment]) -> None:
        """Begin tasks; answered by TasksBegan and TasksEnded, or HostDown when the host dies."""
        ...

    def stop_runs(self, runs: Sequence[tuple[TaskId, int]]) -> None:
        """Stop attempts in their processes; answered by TasksEnded with error_kind `stopped`, or HostDown."""
        ...

    def samples(self) -> Iterable[HostSample]:
        """Measure the hosts now; cheap, at most one read of /proc a host."""
        ...


KindFactory = Callable[[Reporter], AgentKind]
