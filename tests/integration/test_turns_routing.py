"""What was learned of routing by one engine is what the next one to lead goes on from, also one that had read an older state of it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from engine import FleetManager
from engine.model.task_commands import SubmitTask
from engine.scheduling.learned_router import LEARN_FIRST

from tests.integration.redis_servers import one_server
from tests.integration.test_turns import member, turns, until

ROUTING = {"routing": {"looks_per_s": 1_000}}


def kept(fleet: FleetManager) -> int:
    """Return the outcomes that a fleet's state says were learned from."""
    record = fleet.coordinator.state.routers.get("coder")
    return record.model.outcomes if record is not None and record.model is not None else 0


async def shown(fleet: FleetManager) -> int:
    """Return the same as `routes` shows it."""
    rows: Any = await fleet.operator().query("routes")
    return max((row["outcomes"] for row in rows), default=0)


async def learn(fleet: FleetManager) -> int:
    """Have a fleet's leader learn from some tasks and keep that; return of how many outcomes it has learned."""
    before = kept(fleet)
    while fleet.router.course("coder").model.outcomes < before + LEARN_FIRST:
        wanted = fleet.coordinator.state.totals.succeeded + LEARN_FIRST
        await fleet.operator().execute([SubmitTask("echo", "coder") for _ in range(LEARN_FIRST)])
        await until(lambda wanted=wanted: fleet.coordinator.state.totals.succeeded >= wanted)  # type: ignore[misc]
    fleet.router.keep(everything=True)
    await until(lambda: kept(fleet) >= before + LEARN_FIRST)
    return kept(fleet)


async def test_a_standby_that_looked_at_routes_leads_with_what_the_other_engine_learned_since(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(member(server, tmp_path / "a", more=ROUTING))
        async with member(server, tmp_path / "b", more=ROUTING) as second:
            for _ in range(2):
                learned = await learn(first)
                await until(lambda learned=learned: kept(second) == learned)  # type: ignore[misc]
                assert await shown(second) >= learned  # the leader's, which may have learned more than it has kept
            await stack.aclose()  # it keeps the last of it as it ends
            await until(lambda: turns(second).standing.leads)
            assert second.router.course("coder").model.outcomes == kept(second) >= learned
            assert await learn(second) >= learned + LEARN_FIRST
