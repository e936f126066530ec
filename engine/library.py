"""The seeds' managers for programs that embed the engine: AutoScalingManager.

Each works on a fleet that is given, or on one of its own between initialize() and shutdown(). All acts are verbs
through the gate: authorised, audited, undoable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from engine.fleet import FleetManager
from engine.model.commands import Command, CreatePolicy, DeletePolicy, ScalePool, UpdatePolicy
from engine.model.errors import UsageError
from engine.model.policy_text import policy_table
from engine.model.rows import ScalingRow
from engine.model.scaling import Policy
from engine.scaling.policies import find_pool
from engine.scaling.spreading import Room, spread_down, spread_up


@dataclass(frozen=True, slots=True)
class ScalingStatus:
    """The autoscaler in one look. next_at in epoch seconds, 0 = it does not run."""

    enabled: bool
    policies: int
    agents: int
    next_at: float
    pools: tuple[ScalingRow, ...]


class AutoScalingManager:
    """Policies and scaling by hand. `config` is the section autoScaling of a fleet's configuration."""

    def __init__(self, config: Mapping[str, Any] | None = None, *, fleet: FleetManager | None = None) -> None:
        """Take a fleet, or check the configuration of one of its own. Raises ConfigError."""
        if fleet is not None and config:
            raise UsageError("give the policies to the fleet's own configuration, or create_policy() them; not both a fleet and a config")
        self._owns = fleet is None
        self.fleet = fleet or FleetManager({"auto_scaling": dict(config or {})})

    async def initialize(self) -> None:
        """Start the fleet when it is one of its own. Raises EngineStartError, JournalError."""
        if self._owns:
            await self.fleet.initialize()

    async def shutdown(self) -> None:
        """Stop the fleet when it is one of its own."""
        if self._owns:
            await self.fleet.shutdown()

    async def __aenter__(self) -> Self:
        """Initialize."""
        await self.initialize()
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Shut down."""
        await self.shutdown()

    async def manual_scale_up(self, amount: int, reason: str = "", *, pool: str = "") -> dict[str, int]:
        """Add agents, to a pool or spread by priority and demand; return the new sizes. Raises FleetError."""
        return await self._scale(amount, reason, pool)

    async def manual_scale_down(self, amount: int, reason: str = "", *, pool: str = "") -> dict[str, int]:
        """Let agents go, busy ones when they have finished; return the new sizes. Raises FleetError."""
        return await self._scale(-amount, reason, pool)

    async def get_scaling_status(self) -> ScalingStatus:
        """Return what the autoscaler last decided for every pool, and why."""
        fleet = self.fleet
        rows = [row for pool in fleet.scaler.decisions if isinstance(row := fleet.feed.row("scaling", pool), ScalingRow)]
        state = fleet.coordinator.state
        enabled = fleet.config.auto_scaling.enabled
        return ScalingStatus(enabled, len(state.policies), len(state.agents), fleet.scaler.next_at if enabled else 0.0, tuple(rows))

    async def create_policy(self, policy: Mapping[str, Any] | Policy) -> str:
        """Make a policy, in the seeds' form or ours; return its id. Raises FleetError."""
        table = policy_table(policy) if isinstance(policy, Policy) else dict(policy)
        policy_id = str(table.get("id") or table.get("name") or "")
        if not policy_id:
            raise UsageError("a policy needs an id")
        await self._do([CreatePolicy(policy_id, table)])
        return policy_id

    async def update_policy(self, policy_id: str, updates: Mapping[str, Any]) -> None:
        """Change some keys of a policy; None gives a key its default back. Raises FleetError."""
        await self._do([UpdatePolicy(policy_id, dict(updates))])

    async def delete_policy(self, policy_id: str) -> None:
        """Remove a policy. Raises NotFound."""
        await self._do([DeletePolicy(policy_id)])

    async def list_policies(self) -> tuple[Policy, ...]:
        """Return all policies."""
        return tuple(self.fleet.coordinator.state.policies.values())

    async def _scale(self, amount: int, reason: str, pool: str) -> dict[str, int]:
        state = self.fleet.coordinator.state
        if not amount:
            return {}
        if pool:
            sizes = {pool: find_pool(state, pool).size + amount}
        else:
            spread = spread_up if amount > 0 else spread_down
            sizes = spread(abs(amount), [self._room(name) for name in state.pools])
        await self._do([ScalePool(name, str(size)) for name, size in sizes.items()], reason)
        return sizes

    def _room(self, name: str) -> Room:
        pool = self.fleet.coordinator.state.pools[name]
        busy = pool.agents - pool.by_status.get("idle", 0)
        waiting = self.fleet.coordinator.ready_tasks(name)
        return Room(name, pool.spec.priority, pool.size, pool.spec.min, pool.spec.max, busy, waiting)

    async def _do(self, commands: Sequence[Command], reason: str = "") -> None:
        await self.fleet.operator().execute(commands, reason=reason)
