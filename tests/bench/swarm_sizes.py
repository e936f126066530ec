"""Swarms at size: what a message to all costs in each topology, messages a second, and 20 swarms of 50 agents that all work at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from engine.coordinator.sessions import decide_due
from engine.fleet import FleetManager
from engine.gate import Gate
from engine.gate.swarms import swarm_row
from engine.model.plans import Origin
from engine.model.swarm_commands import CreateSwarm, EndSwarm, GiveObjective, SendMessage
from engine.state.deciding import Deciding
from fleet_tui.bench import Goal

from tests.bench.engines import POOL, light_fleet, median, percentile

SWARMS, MEMBERS = 20, 50
COSTS = {"mesh": (7, 6), "hierarchical": (MEMBERS, MEMBERS - 1), "star": (MEMBERS, MEMBERS - 1), "ring": (MEMBERS, MEMBERS)}
"""Topology -> members, and how many messages one to all may cost: one for each other member, and in a ring one that comes back."""
ROWS = {
    **{f"swarm.broadcast_messages.{topology}": "messages" for topology in COSTS},
    "swarm.messages_per_s": "1/s",
    "swarm.parts_per_s": "1/s",
    "swarm.rows_ms": "ms",
    "swarm.step_p99_ms": "ms",
    "swarm.query_p99_ms": "ms",
}
GOALS = {
    # Half a frame of 20 ms for the rows; a step may give out all parts of an objective at once, and is to be over in about a frame.
    **{f"swarm.broadcast_messages.{topology}": Goal(most, is_most=True) for topology, (_, most) in COSTS.items()},
    "swarm.rows_ms": Goal(10, is_most=True),
    "swarm.step_p99_ms": Goal(25, is_most=True),
}
CALLERS = 64
PARTS = 25
"""Of each objective; each is one task and REVIEWERS reviews."""
REVIEWERS = 3
LONGEST_S = 300


def measure(report: Callable[..., None]) -> None:
    """Measure and report."""
    asyncio.run(_measure(report))


async def _measure(report: Callable[..., None]) -> None:
    pools = {POOL: {"min": SWARMS * MEMBERS, "max": SWARMS * MEMBERS, "handler": "tests.bench.swarm_answers:answer"}}
    async with light_fleet(SWARMS * MEMBERS, pools=pools) as fleet:
        operator = fleet.operator()
        agents = [agent.spec.name for agent in fleet.coordinator.state.agents.values()]
        for topology, (members, _) in COSTS.items():
            report(f"swarm.broadcast_messages.{topology}", await _broadcast(operator, topology, agents[:members]), 1, f"{members} members")
        teams = {f"swarm-{number}": agents[number * MEMBERS : (number + 1) * MEMBERS] for number in range(SWARMS)}
        await operator.execute([CreateSwarm(name, tuple(members)) for name, members in teams.items()])
        size = f"{SWARMS} swarms of {MEMBERS} agents"
        rate = await _messages(operator, teams)
        report("swarm.messages_per_s", rate, SWARMS * MEMBERS, f"{size}, {CALLERS} callers, a message a call")
        seconds, looks = await _work(fleet, list(teams))
        report("swarm.parts_per_s", SWARMS * PARTS / seconds, SWARMS * PARTS, f"{size}, an objective of {PARTS} parts each at once, a part is a task, {REVIEWERS} reviews and a vote")
        report("swarm.rows_ms", median(looks.rows), len(looks.rows), f"rows of all swarms made for a frame, while {size} work; longest {max(looks.rows):.1f} ms")
        report("swarm.step_p99_ms", percentile(looks.steps, 0.99), len(looks.steps), "what follows in one session decided, at that load")
        report("swarm.query_p99_ms", percentile(looks.queries, 0.99), len(looks.queries), "a swarm in full, asked for and answered, at that load")


async def _broadcast(operator: Gate, topology: str, members: list[str]) -> int:
    """Return how many messages over links one message to all came to."""
    await operator.execute([CreateSwarm(topology, tuple(members), topology=topology)])
    await operator.execute([SendMessage(topology, "notice", source=members[-1])])
    swarm = await operator.query("swarm", id=topology)
    assert isinstance(swarm, dict)
    assert swarm["waiting"] == len(members) - 1
    await operator.execute([EndSwarm(topology)], confirm=topology)
    return int(swarm["carried"])


async def _messages(operator: Gate, teams: dict[str, list[str]]) -> float:
    """Return messages a second, one of each agent to the next one of its swarm."""
    messages = iter([SendMessage(name, "notice", members[place - 1], source=agent) for name, members in teams.items() for place, agent in enumerate(members)])
    began = time.perf_counter()
    await asyncio.gather(*(_send(operator, messages) for _ in range(CALLERS)))
    return SWARMS * MEMBERS / (time.perf_counter() - began)


async def _send(operator: Gate, messages: Iterator[SendMessage]) -> None:
    for message in messages:
        await operator.execute([message])


@dataclass
class _Looks:
    """How long looks at swarms that work took, in ms."""

    rows: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    queries: list[float] = field(default_factory=list)


async def _work(fleet: FleetManager, swarms: list[str]) -> tuple[float, _Looks]:
    """Return how many seconds it took until all objectives were reached, and how long looks took meanwhile."""
    operator = fleet.operator()
    parts = tuple(f"part {number}" for number in range(PARTS))
    began = time.perf_counter()
    tasks = 2 * PARTS * (1 + REVIEWERS)
    await operator.execute([GiveObjective(swarm, "measure", "do", parts, review="judge", reviewers=REVIEWERS, budget_tasks=tasks) for swarm in swarms])
    sessions, looks = fleet.coordinator.state.swarming.sessions, _Looks()
    async with asyncio.timeout(LONGEST_S):
        while not all(session.is_over for session in sessions.values()):
            _look(fleet, looks)
            asked = time.perf_counter()
            await operator.query("swarm", id=swarms[len(looks.queries) % len(swarms)])
            looks.queries.append(1e3 * (time.perf_counter() - asked))
            await asyncio.sleep(0.01)
    seconds = time.perf_counter() - began
    assert [session.state for session in sessions.values()] == ["succeeded"] * len(swarms)
    return seconds, looks


def _look(fleet: FleetManager, looks: _Looks) -> None:
    """Make all rows, and decide what follows in every session that is under way, without doing it."""
    state = fleet.coordinator.state
    began = time.perf_counter()
    for swarm in state.swarming.swarms.values():
        swarm_row(state, swarm, fleet.clock.now())
    looks.rows.append(1e3 * (time.perf_counter() - began))
    deciding = Deciding(fleet.clock.now(), Origin("bench", "api", "", 2), fleet.config, fleet.ids, fleet.rng)
    for session in [one.id for one in state.swarming.sessions.values() if not one.is_over]:
        began = time.perf_counter()
        decide_due(state, [session], deciding)
        looks.steps.append(1e3 * (time.perf_counter() - began))
