"""FleetOfSwarms for programs that embed the engine: swarms that belong together, work that goes to the fittest of them, and how they are.

Owner: nobody. A fleet of swarms is the swarms whose names begin with its name and a slash, so it is whatever the engine knows of them,
also after a restart. All acts are verbs through the gate: authorised, audited, undoable.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from engine.coordinator.distributing import candidate
from engine.coordinator.swarms import find_swarm
from engine.library_swarm import SwarmCoordinator
from engine.library_votes import LOOKS_EVERY_S
from engine.model.agents import AgentStatus
from engine.model.errors import CommandRefused, NotFound, UsageError
from engine.model.pool_commands import ScalePool
from engine.model.swarm_words import AUTO
from engine.swarm.fitness import Condition, condition_of_fleet

STARTS_WITHIN_S = 60.0
"""How long agents that a swarm lacks may take to start."""
WHEN_FULL = ("queue", "scale")
_AT_WORK = (AgentStatus.IDLE, AgentStatus.ASSIGNED, AgentStatus.BUSY)


class FleetOfSwarms(SwarmCoordinator):
    """Makes fleets of swarms, gives them work, and says how they are. `config` is a fleet's own configuration."""

    async def initialize_fleet(self, fleet: str, swarms: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Make a fleet of swarms and return it: name -> `agents`, how many of each pool, and settings of `create-swarm`.

        Agents that are in no swarm are taken first; pools that have too few of them are scaled up. Raises UsageError, CommandRefused
        when a pool may not have that many or they do not start.
        """
        if not fleet or "/" in fleet:
            raise UsageError("a fleet's name is a word without a slash")
        if not swarms:
            raise UsageError(f"fleet {fleet} has no swarms; name some")
        for name, config in swarms.items():
            settings = dict(config)
            wanted: Mapping[str, int] = settings.pop("agents", {})
            members = [agent for pool, count in wanted.items() for agent in await self._allocate(pool, count)]
            await self.create_swarm(f"{fleet}/{name}", [*members, *settings.pop("members", ())], **settings)
        return await self.get_fleet(fleet)

    async def get_fleet(self, fleet: str) -> dict[str, Any]:
        """Return a fleet: its swarms in full, and how it is. Raises NotFound."""
        rows = [row for row in await self.list_swarms() if row["name"].startswith(f"{fleet}/") and row["state"] != "completed"]
        if not rows:
            raise NotFound(f"Fleet {fleet} not found")
        swarms = [await self.get_swarm(row["id"]) for row in rows]
        # One may have ended meanwhile.
        status = condition_of_fleet([Condition(swarm["health"]) for swarm in swarms if swarm["health"]])
        return {"id": fleet, "status": status.value, "swarms": swarms, "created_at": min(swarm["created_at"] for swarm in swarms)}

    async def distribute_task(self, fleet: str, objective: str, *, when_full: str = "queue", **settings: Any) -> dict[str, Any]:  # noqa: ANN401  # arguments of the verb
        """Give an objective to the fittest swarm of a fleet and return which took it and why; settings are those of `give`. Raises FleetError.

        Where no swarm has room it waits at the one that suits it best otherwise; with `when_full="scale"` a swarm that suits gets one more
        agent of its leader's pool first. Raises CommandRefused, and gives nothing, when that pool may not have one more.
        """
        if when_full not in WHEN_FULL:
            raise UsageError(f"when_full is {when_full!r}; it is one of {', '.join(WHEN_FULL)}")
        found = await self.get_fleet(fleet)
        if when_full == "scale":
            await self._make_room(found["swarms"], settings.get("needs", ()))
        session = await self.give_objective(f"{fleet}/{AUTO}", objective, **settings)
        taken = await self.get_session(session)
        return {"session": session, "fleet": fleet, "swarm": taken["swarm"], "why": taken["chosen"], "timestamp": taken["asked_at"]}

    async def monitor_fleet_health(self) -> dict[str, Any]:
        """Return how all fleets of swarms are, with the evidence for those swarms that are not healthy."""
        names = dict.fromkeys(row["name"].split("/")[0] for row in await self.list_swarms() if "/" in row["name"] and row["state"] != "completed")
        fleets = [await self.get_fleet(name) for name in names]
        conditions = [fleet["status"] for fleet in fleets]
        return {
            "total": len(fleets),
            **{condition.value: conditions.count(condition.value) for condition in Condition},
            "fleets": {fleet["id"]: {"status": fleet["status"], "swarms": {one["name"]: (one["health"], *one["evidence"]) for one in fleet["swarms"]}} for fleet in fleets},
            "timestamp": self.fleet.status().now,
        }

    async def _make_room(self, swarms: Collection[Mapping[str, Any]], needs: Collection[str]) -> None:
        """Give one more agent to the swarm with the fewest objectives, unless one has somebody free. Raises CommandRefused."""
        state = self.fleet.coordinator.state
        running = [(swarm, candidate(state, find_swarm(state, swarm["id"]), tuple(needs))) for swarm in swarms if swarm["state"] == "active"]
        suiting = [(swarm, found) for swarm, found in running if found.match > 0]
        if not suiting or any(found.free for _, found in suiting):
            return
        swarm, _ = min(suiting, key=lambda one: (one[1].waiting, -one[1].promise, one[1].id))
        pool = next(agent["pool"] for agent in swarm["agents"] if agent["is_leader"])
        more = await self._allocate(pool, 1)
        await self.edit_swarm(swarm["id"], members=[*(agent["id"] for agent in swarm["agents"]), *more])

    async def _allocate(self, pool: str, count: int) -> list[str]:
        """Return agents of a pool that are in no swarm, more of them started if there are too few. Raises CommandRefused."""
        taken = await self._in_swarms()
        coming = await self._outside(pool, taken, (*_AT_WORK, AgentStatus.STARTING))
        if len(coming) < count:
            await self._do(ScalePool(pool, f"+{count - len(coming)}"))
        until = self.fleet.clock.now() + STARTS_WITHIN_S
        while len(free := await self._outside(pool, taken, _AT_WORK)) < count and self.fleet.clock.now() < until:
            await self.fleet.clock.sleep(LOOKS_EVERY_S)
        if len(free) < count:
            raise CommandRefused(f"pool {pool} has {len(free)} agents in no swarm and {count} are needed; more did not start in {STARTS_WITHIN_S:g} s")
        return free[:count]

    async def _in_swarms(self) -> Collection[str]:
        rows = [row for row in await self.list_swarms() if not row["ended_at"]]
        return {agent["id"] for row in rows for agent in (await self.get_swarm(row["id"]))["agents"]}

    async def _outside(self, pool: str, taken: Collection[str], statuses: Collection[AgentStatus]) -> list[str]:
        agents = await self.fleet.operator().query("agents")
        assert isinstance(agents, list)
        return [agent["id"] for agent in agents if agent["pool"] == pool and agent["status"] in statuses and agent["id"] not in taken]
