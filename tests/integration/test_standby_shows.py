"""A console at an engine that stands by shows of running tasks what one at the leader does, and answers their questions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from engine.model.question_commands import AnswerTask
from engine.model.rows import Frame, Row
from engine.model.task_commands import SubmitTask
from engine.model.tasks import TaskState

from tests.integration.redis_servers import one_server
from tests.integration.sessions import python
from tests.integration.test_hosts import ASKS, comes, said_of
from tests.integration.test_turns import member, turns, until

POOLS = {"fleet": {"default_pools": {"asks": {"kind": "session", "min": 1, "max": 2, "session": {"argv": list(python(ASKS))}}}}}


async def shown(frames: AsyncIterator[Frame]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Follow until a question is there, and what its agent and the hosts use; return the rows of each."""
    rows: dict[str, dict[str, Any]] = {"questions": {}, "agents": {}, "hosts": {}}
    async with asyncio.timeout(60):
        async for frame in frames:
            for kind, found in frame.rows.items():
                rows[kind] |= {row.id: row for row in found}
            if rows["questions"] and any(uses(row) for row in rows["agents"].values()) and any(uses(row) for row in rows["hosts"].values()):
                break
    return rows["questions"], rows["agents"], rows["hosts"]


def uses(row: Row) -> bool:
    return row.rss_mb > 0  # type: ignore[union-attr]


async def test_a_standby_shows_progress_use_and_questions_and_answers_them(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, member(server, tmp_path / "a", more=POOLS) as first, member(server, tmp_path / "b", more=POOLS) as second:
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
