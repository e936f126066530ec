"""The one host of a kind of agents whose programs the process host runs: up with the first agent, seen as the spawner is.

Owner: of whether it was reported, and as which process.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence

from engine.agents.processes.child_process import ProcessHost
from engine.agents.runtime import HostSample, Reporter
from engine.clock import Clock, IdFactory
from engine.model.agent_events import HostInfo
from engine.model.agents import Health
from engine.model.ids import HOST_PREFIX, AgentId, HostId
from engine.model.reports import AgentsUp, HealthSeen, HostUp


class SpawnedHost:
    """Tells of the spawner as the host of a kind's agents."""

    def __init__(self, kind: str, report: Reporter, host: ProcessHost, ids: IdFactory, clock: Clock) -> None:  # noqa: PLR0913  # what a kind is made from
        self._kind = kind
        self._report = report
        self._host = host
        self._clock = clock
        self._id = HostId(ids.new(HOST_PREFIX))
        self._is_up = False
        self._pid = 0
        """The spawner's that was reported."""
        host.listen(self._spawner_seen)

    def carry(self, agents: Sequence[AgentId]) -> None:
        """Report agents as ready."""
        if not self._is_up:
            self._is_up = True
            self._pid = self._host.spawner_pid or 0
            self._report(HostUp(HostInfo(self._id, self._kind, self._pid), tuple(agents)))
        else:
            self._report(AgentsUp(self._id, tuple(agents)))

    def samples(self, agents: int) -> Iterable[HostSample]:
        """Return the one host, whose pid is the spawner's."""
        if not self._is_up:
            return ()
        return (HostSample(self._id, self._kind, self._host.spawner_pid or 0, agents, self._clock.now()),)

    def _spawner_seen(self, pid: int, health: Health, evidence: str) -> None:
        """Tell of a new spawner, and of its health; the agents stay up, what they ran has ended with the old one."""
        if not self._is_up:
            return
        if pid != self._pid:
            self._pid = pid
            self._report(HostUp(HostInfo(self._id, self._kind, pid), ()))
        self._report(HealthSeen(self._id, health, evidence))


def is_program(word: str, env: Mapping[str, str]) -> bool:
    """Tell whether a program is there, on the PATH that it would get."""
    return shutil.which(word, path=env.get("PATH", os.environ.get("PATH"))) is not None
