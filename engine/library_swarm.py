"""SwarmCoordinator for programs that embed the engine: swarms of the fleet's agents.

Owner: nobody; swarms are the fleet's. Works on a fleet that is given, as `fleet=` or as the seeds do, {"fleetManager": fleet}, or on
one of its own between initialize() and shutdown(). All acts are verbs through the gate: authorised, audited, undoable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engine.coordinator.swarms import find_swarm
from engine.fleet import FleetManager
from engine.gate.seed_swarms import state_of
from engine.library_votes import Voting, checked
from engine.model.errors import UsageError
from engine.model.swarm_commands import (
    CreateSwarm,
    EditSwarm,
    EndSwarm,
    GiveObjective,
    PauseSwarm,
    SendMessage,
    StopSession,
    TakeMessage,
    UnpauseSwarm,
)
from engine.model.swarm_shapes import SwarmState
from engine.model.wire import encode


class SwarmCoordinator(Voting):
    """Makes swarms, changes them and says how they stand. `config` is a fleet's own configuration."""

    def __init__(self, config: Mapping[str, Any] | None = None, *, fleet: FleetManager | None = None) -> None:
        """Take a fleet, or check the configuration of one of its own. Raises ConfigError, UsageError."""
        own = dict(config or {})
        given = own.pop("fleetManager", None) or fleet
        if given is not None and own:
            raise UsageError("give either a fleet or the configuration of one, not both")
        super().__init__(given, own)

    async def create_swarm(self, swarm: str, members: Iterable[str], **settings: Any) -> dict[str, Any]:  # noqa: ANN401  # arguments of the verb
        """Link agents or whole pools as a swarm and return it in full; settings are those of `create-swarm`. Raises FleetError."""
        await self._do(CreateSwarm(swarm, tuple(members), **checked(CreateSwarm, settings)))
        return await self.get_swarm(swarm)

    async def edit_swarm(self, swarm: str, **settings: Any) -> dict[str, Any]:  # noqa: ANN401  # arguments of the verb
        """Change a swarm while it runs and return it in full; settings are those of `edit-swarm`. Raises FleetError."""
        given = checked(EditSwarm, settings)
        if "members" in given:
            given["members"] = tuple(given["members"])
        await self._do(EditSwarm(swarm, **given))
        return await self.get_swarm(swarm)

    async def pause_swarm(self, swarm: str) -> None:
        """Have a swarm begin nothing new. Raises FleetError."""
        await self._do(PauseSwarm(swarm))

    async def unpause_swarm(self, swarm: str) -> None:
        """Have a paused swarm go on. Raises FleetError."""
        await self._do(UnpauseSwarm(swarm))

    async def end_swarm(self, swarm: str, why: str = "") -> None:
        """End a swarm; its agents stay in the fleet. Raises FleetError."""
        await self._do(EndSwarm(swarm, why))

    async def give_objective(self, swarm: str, objective: str, **settings: Any) -> str:  # noqa: ANN401  # arguments of the verb
        """Give a swarm an objective and return the id of its session; settings are those of `give`. Raises FleetError."""
        given = checked(GiveObjective, settings)
        if "parts" in given:
            given["parts"] = tuple(part if isinstance(part, str) else encode(part).decode() for part in given["parts"])
        return str(await self._do(GiveObjective(swarm, objective, **given)))

    async def get_session(self, session: str) -> dict[str, Any]:
        """Return a session in full: its plan, and its parts with who works on each. Raises NotFound."""
        found = await self.fleet.operator().query("session", id=session)
        assert isinstance(found, dict)
        return found

    async def stop_session(self, session: str) -> None:
        """Stop work on an objective. Raises FleetError."""
        await self._do(StopSession(session))

    async def send_message(self, swarm: str, type: str, source: str, **settings: Any) -> str:  # noqa: A002, ANN401  # arguments of the verb
        """Send a message as an agent of a swarm and return its id; settings are those of `send`. Raises FleetError."""
        return str(await self._do(SendMessage(swarm, type, source=source, **checked(SendMessage, settings))))

    async def read_mail(self, agent: str) -> list[dict[str, Any]]:
        """Return the messages that wait for an agent, the most urgent first. Raises NotFound."""
        found = await self.fleet.operator().query("mail", agent=agent)
        assert isinstance(found, list)
        return found

    async def take_message(self, agent: str, message: str) -> None:
        """Take a message out of an agent's mailbox. Raises NotFound."""
        await self._do(TakeMessage(message, agent))

    async def get_swarm(self, swarm: str) -> dict[str, Any]:
        """Return a swarm in full: its settings, its topology as the seeds write it (`layout`), its agents, and the links in use. Raises NotFound."""
        found = await self.fleet.operator().query("swarm", id=swarm)
        assert isinstance(found, dict)
        return found

    async def list_swarms(self) -> list[dict[str, Any]]:
        """Return the rows of all swarms that are known, in the order in which they were made."""
        found = await self.fleet.operator().query("swarms")
        assert isinstance(found, list)
        return found

    async def get_state(self, swarm: str) -> SwarmState:
        """Return a swarm as the seeds' SwarmState. Raises NotFound."""
        state = self.fleet.coordinator.state
        return state_of(state, find_swarm(state, swarm), self.fleet.clock.now())
