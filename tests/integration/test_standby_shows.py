"""A console at an engine that stands by shows what one at the leader does, in every view, and answers questions of running tasks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from engine import FleetManager
from engine.gate.standby_look import LENT
from engine.model.question_commands import AnswerTask
from engine.model.rows import ROW_KINDS, Frame, Row
from engine.model.task_commands import SubmitTask
from engine.model.tasks import TaskState
from engine.model.wire import to_plain

from tests.integration.redis_servers import one_server
from tests.integration.sessions import python
from tests.integration.test_hosts import ASKS, comes, said_of
from tests.integration.test_turns import member, turns, until

POOLS = {
    "fleet": {"default_pools": {"asks": {"kind": "session", "min": 1, "max": 2, "session": {"argv": list(python(ASKS))}}}},
    "booster": {"enabled": True},
    "alerting": {"channels": [{"name": "hook", "url": "json://127.0.0.1:9/"}]},
}
OWN = {"engines": {"is_asked"}}
"""Fields that are each engine's own."""
ALWAYS = {"scaling", "boosters", "instances", "routes", "rules", "channels"}
"""Kinds of the leader's that any such fleet has."""


async def shown(frames: AsyncIterator[Frame]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Follow until a question is there, and what its agent and the hosts use; return the rows of each."""
    rows: dict[str, dict[str, Any]] = {"questions": {}, "agents": {}, "hosts": {}}
    async with asyncio.timeout(60):
        async for frame in frames:
            for kind, found in frame.rows.items():
                rows[kind] |= {row.id: row for row in found if kind != "agents" or row.pool == "asks"}  # type: ignore[union-attr]
            if rows["questions"] and any(uses(row) for row in rows["agents"].values()) and any(uses(row) for row in rows["hosts"].values()):
                break
    return rows["questions"], rows["agents"], rows["hosts"]


def uses(row: Row) -> bool:
    return row.rss_mb > 0  # type: ignore[union-attr]


async def test_a_standby_shows_progress_use_and_questions_and_answers_them(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, AsyncExitStack() as leading:
        first = await leading.enter_async_context(member(server, tmp_path / "a", more=POOLS))
        async with member(server, tmp_path / "b", more=POOLS) as second:
            assert (turns(first).standing.leads, turns(second).standing.leads) == (True, False)
            operator = second.operator()
            task = str((await operator.execute([SubmitTask("x", "asks")])).values[0])
            async with operator.follow(["questions", "agents", "hosts"]) as frames:
                questions, agents, _ = await shown(frames)
            assert [(row.task, row.text) for row in questions.values()] == [(task, "Which?")]
            assert {row.task for row in agents.values() if uses(row)} == {task}
            await comes(lambda: said_of(second, task), ("weighed both", 0.5, ""))
            await until(lambda: second.coordinator.state.tasks[task].spent.get("tokens") == 7)
            await operator.execute([AnswerTask(task, "that one")])
            await until(lambda: second.coordinator.state.tasks[task].state is TaskState.SUCCEEDED)
            assert second.coordinator.state.tasks[task].result["text"] == "that one"
            await operator.execute([SubmitTask("code.outline", "booster", payload={"source": "x = 1\n", "language": "python"})])
            await until(lambda: second.coordinator.state.totals.succeeded == 2)
            for kind in ROW_KINDS:
                await same_at_both(kind, first, second)
            await comes(lambda: explains_as(second, first), True)
            async with operator.follow([*LENT]) as frames:
                await shows_what_the_leader_has(frames, first)
                await leading.aclose()
                await shows_its_own(frames)


async def shows_its_own(frames: AsyncIterator[Frame]) -> None:
    """Follow an engine until it leads and gives all that it has."""
    async with asyncio.timeout(60):
        async for frame in frames:
            assert frame.status.standing is not None
            if frame.full and frame.status.standing.leads:
                assert [row.id for row in frame.rows["channels"]] == ["hook"]
                assert frame.status.standing.told_at is None
                return


async def rows_of(one: FleetManager, kind: str) -> list[dict[str, Any]]:
    found = await one.operator().query(kind)
    assert isinstance(found, list)
    rows = [{name: value for name, value in row.items() if name not in OWN.get(kind, ())} for row in found]
    return sorted(rows, key=lambda row: str(row["id"]))


def agree(before: list[dict[str, Any]], there: list[dict[str, Any]], after: list[dict[str, Any]]) -> bool:
    """Answer whether the rows are the same, but for fields that move at the leader."""
    if not [row["id"] for row in before] == [row["id"] for row in there] == [row["id"] for row in after]:
        return False
    return all(first[name] == row[name] for first, row, last in zip(before, there, after, strict=True) for name in first if first[name] == last[name])


async def same_at_both(kind: str, leader: FleetManager, standby: FleetManager) -> None:
    """Wait until a standby lists what the leader does."""
    async with asyncio.timeout(60):
        while True:
            before, there, after = await rows_of(leader, kind), await rows_of(standby, kind), await rows_of(leader, kind)
            if agree(before, there, after) and (there or kind not in ALWAYS):
                return
            await asyncio.sleep(0.1)


async def explains_as(standby: FleetManager, leader: FleetManager) -> bool:
    """Answer whether a standby says why a pool has its size as the leader does: it decides none itself."""
    said = [await one.operator().query("explain", kind="scaling", id="booster") for one in (leader, standby, leader)]
    heads = [one["headline"] for one in said if isinstance(one, dict)]
    return heads[1] in (heads[0], heads[2])


async def shows_what_the_leader_has(frames: AsyncIterator[Frame], leader: FleetManager) -> None:
    """Follow a standby until it shows of every kind what the leader lists."""
    rows: dict[str, dict[str, Any]] = {kind: {} for kind in LENT}
    async with asyncio.timeout(60):
        async for frame in frames:
            for kind, found in frame.rows.items():
                rows[kind] |= {row.id: row._asdict() for row in found}
            for kind, gone in frame.removed.items():
                rows[kind] = {id_: row for id_, row in rows[kind].items() if id_ not in gone}
            assert frame.status.standing is not None
            assert not frame.status.standing.leads
            are_all = all([sorted(rows[kind]) == [row["id"] for row in await rows_of(leader, kind)] for kind in sorted(LENT)])
            if are_all and to_plain([*rows["channels"].values()]) == await rows_of(leader, "channels"):
                return
