"""Objectives that any swarm may take: which one does, from the state of the fleet, and how swarms are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from engine.coordinator.swarms import is_lost, reliability
from engine.model.agents import Agent, AgentStatus, Health
from engine.model.errors import CommandRefused, UsageError
from engine.model.ids import AgentId, SwarmId
from engine.model.swarm_commands import GiveObjective
from engine.model.swarm_words import AUTO, SESSIONS_WAITING_MAX, Inputs, SwarmStatus
from engine.model.swarms import Swarm
from engine.state import FleetState
from engine.swarm.fitness import Candidate, Condition, Vitals, condition_of, ranked, reason

_AUTO_OF = f"/{AUTO}"
_ILL = frozenset({Health.SLOW, Health.SUSPECT, Health.LOST})


def placed(state: FleetState, command: GiveObjective, given: Mapping[SwarmId, int]) -> tuple[GiveObjective, str]:
    """Return a command with the swarm that takes it, and why, if the fleet chose it. `given` counts those that the same plan gives.

    `auto` is any swarm that is active, `NAME/auto` one of those whose names begin with `NAME/`. Raises CommandRefused, UsageError.
    """
    if command.swarm != AUTO and not command.swarm.endswith(_AUTO_OF):
        if command.needs:
            raise UsageError(f"--needs chooses a swarm; give it to `{AUTO}`, or leave it out")
        return command, ""
    prefix = command.swarm.removesuffix(AUTO)
    taking = [swarm for swarm in state.swarming.swarms.values() if swarm.name.startswith(prefix) and _takes(state, swarm, given)]
    order = ranked(candidate(state, swarm, command.needs, given.get(swarm.id, 0)) for swarm in taking)
    if not order:
        raise CommandRefused(_why_none(command, prefix, taking))
    return replace(command, swarm=order[0].id, needs=()), reason(order)


def _why_none(command: GiveObjective, prefix: str, taking: Sequence[Swarm]) -> str:
    if taking:
        return f"no active swarm has anybody who can do {', '.join(command.needs)}; make one that has, or name a swarm"
    named = f" whose name begins with {prefix}" if prefix else ""
    return f"no active swarm{named} takes another objective; make one, unpause one, or wait"


def _takes(state: FleetState, swarm: Swarm, given: Mapping[SwarmId, int]) -> bool:
    waiting = given.get(swarm.id, 0) + state.swarming.tally_of(swarm.id).sessions_open
    most = 1 if swarm.settings.inputs is not Inputs.ENQUEUE else SESSIONS_WAITING_MAX  # nobody's work is ended by an objective that could go elsewhere
    return swarm.status is SwarmStatus.ACTIVE and waiting < most


def candidate(state: FleetState, swarm: Swarm, needs: Sequence[str], given: int = 0) -> Candidate:
    """Return what speaks for giving a swarm an objective."""
    agents = _agents(state, swarm)
    tally = state.swarming.tally_of(swarm.id)
    return Candidate(
        swarm.id,
        swarm.name,
        sum(any(agent.can(word) for agent in agents) for word in needs) / len(needs) if needs else 1.0,
        len(agents),
        sum(agent.status is AgentStatus.IDLE and not agent.cordoned for agent in agents),
        given + tally.sessions_open,
        tally.won,
        tally.won + tally.failed,
        sum(reliability(state, agent.spec.id) for agent in agents) / len(agents) if agents else 0.0,
    )


def fitness(state: FleetState, swarm: Swarm) -> float:
    """Return how well a swarm suits an objective that needs nothing special, 0..1; 0 when it takes none."""
    return candidate(state, swarm, ()).fitness if _takes(state, swarm, {}) else 0.0


def condition(state: FleetState, swarm: Swarm) -> tuple[Condition, tuple[str, ...]]:
    """Return how a swarm is, and the evidence for anything but healthy."""
    agents = _agents(state, swarm)
    able = sum(not agent.cordoned and agent.health not in _ILL for agent in agents)
    failed = swarm.because if swarm.status is SwarmStatus.FAILED else ""
    tally = state.swarming.tally_of(swarm.id)
    return condition_of(Vitals(failed, len(swarm.topology.members), able, tally.won, tally.won + tally.failed))


def conditions(state: FleetState) -> dict[str, int]:
    """Return how many of the swarms that run are healthy, degraded and unhealthy."""
    found = Counter(condition(state, swarm)[0] for swarm in state.swarming.swarms.values() if not swarm.is_over)
    return {one.value: found[one] for one in Condition}


def _agents(state: FleetState, swarm: Swarm) -> list[Agent]:
    return [state.agents[AgentId(member)] for member in swarm.topology.members if not is_lost(state, member)]
