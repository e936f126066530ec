"""What faces may ask, and the words in which wrong questions are refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from engine.agents import logs
from engine.memory.contract import StoredArtifact
from engine.model.errors import FleetError, NotFound, UsageError
from engine.model.rows import ROW_KINDS, FleetStatus
from engine.model.task_commands import SubmitTask
from engine.simulation.loop import run_virtual
from engine.simulation.world import World, instant_success

CONFIG = {"fleet": {"default_pools": {"coder": {"min": 2, "max": 9}}}}


def live(work: Callable[[World, str], Awaitable[Any]]) -> None:
    """Run a story on an engine that has done one task, `noop`, by ada."""

    async def story() -> None:
        world = World(CONFIG, 1, hosts=1, work=instant_success)
        async with world.running():
            await world.until(lambda: world.state.totals.by_status.get("idle", 0) == 2)
            [task] = (await world.gate().execute([SubmitTask("noop", "coder", title="the one")])).values
            await world.until(lambda: world.state.totals.succeeded == 1)
            await work(world, str(task))

    run_virtual(story())


def test_rows_of_every_kind_are_plain() -> None:
    async def story(world: World, _task: str) -> None:
        for kind, row in ROW_KINDS.items():
            found: Any = await world.gate().query(kind)
            if found:
                assert isinstance(found[0], dict)
                assert set(found[0]) == set(row._fields)
        assert [row["title"] for row in await world.gate().query("tasks")] == ["the one"]  # type: ignore[attr-defined]

    live(story)


@pytest.mark.row(55)
def test_status_in_one_look() -> None:
    async def story(world: World, _task: str) -> None:
        status = await world.gate().query("status")
        assert isinstance(status, FleetStatus)
        assert (status.agents.total, len(status.pools), status.tasks.succeeded, status.read_only) == (2, 1, 1, "")

    live(story)


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 1), ("the one", 1), ("THE", 1), ("two", 0), ("!two", 1), ("!one", 0), ("state=succeeded", 1), ("state=failed", 0), ("noop pool=coder", 1)],
)
def test_filters(text: str, count: int) -> None:
    async def story(world: World, _task: str) -> None:
        found: Any = await world.gate().query("tasks", filter=text)
        assert len(found) == count

    live(story)


def test_limits() -> None:
    async def story(world: World, _task: str) -> None:
        everything: Any = await world.gate().query("events")
        newest: Any = await world.gate().query("events", limit=2)
        assert newest == everything[-2:]
        later: Any = await world.gate().query("events", after=world.state.seq - 1)
        assert len(later) == 1
        assert await world.gate().query("agents", limit=1) == (await world.gate().query("agents"))[:1]  # type: ignore[index]

    live(story)


@pytest.mark.parametrize(
    ("what", "parameters", "error", "text"),
    [
        ("task", {}, UsageError, "this query needs an id"),
        ("task", {"id": 3}, UsageError, "this query needs an id"),
        ("tusks", {}, UsageError, "no query 'tusks'; did you mean 'tasks'"),
        ("tasks", {"limit": -1}, UsageError, "limit must be a whole number from 0, not -1"),
        ("tasks", {"limit": True}, UsageError, "limit must be a whole number from 0, not True"),
        ("tasks", {"filter": "stat=x"}, UsageError, "tasks have no field 'stat'; did you mean 'state'"),
        ("task", {"id": "tsk_x"}, NotFound, "no task 'tsk_x'; `get tasks` lists them"),
        ("agent", {"id": "x"}, NotFound, "no agent 'x'; `get agents` lists them"),
        ("pool", {"id": "codr"}, NotFound, "no pool 'codr'; did you mean 'coder'"),
        ("artifact", {"id": "x"}, NotFound, "no artifact 'x'"),
    ],
)
def test_wrong_questions(what: str, parameters: dict[str, Any], error: type[FleetError], text: str) -> None:
    async def story(world: World, _task: str) -> None:
        with pytest.raises(error, match=text):
            await world.gate().query(what, **parameters)

    live(story)


@pytest.mark.row(51, 52)
def test_one_thing_in_full() -> None:
    async def story(world: World, task: str) -> None:
        gate = world.gate()
        found: Any = await gate.query("task", id=task)
        assert (found["title"], found["state"], found["in_memory"], found["dependents"]) == ("the one", "succeeded", True, [])
        assert found["why"][0].startswith("attempt 1 went to coder-")
        agent: Any = await gate.query("agent", id="coder-1")
        assert (agent["name"], agent["cordoned"], agent["host_row"]["kind"]) == ("coder-1", False, "python")
        pool: Any = await gate.query("pool", id="coder")
        assert (pool["spec"]["max"], pool["by_state"]["succeeded"]) == (9, 1)
        story_: Any = await gate.query("timeline", id=task)
        assert story_

    live(story)


def test_log_is_the_tail_of_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logs, "KEPT_BYTES", 4)

    async def story(world: World, task: str) -> None:
        empty: Any = await world.gate().query("log", id=task)
        assert (empty["text"], empty["bytes"]) == ("", 0)
        (tmp_path / f"{task}.log").write_bytes(b"abcd\xffgh")
        found: Any = await world.gate().query("log", id=task)
        assert (found["text"], found["bytes"], found["left_out"]) == ("d\ufffdgh", 7, 3)
        more: Any = await world.gate().query("log", id=task, after=6)
        assert (more["text"], more["bytes"], more["left_out"], more["note"]) == ("h", 7, 6, "")

    live(story)


def test_artifact_comes_back_decoded() -> None:
    async def story(world: World, task: str) -> None:
        world.journal._artifacts["abc"] = StoredArtifact("abc", "application/json", b'{"n": 1}', task)
        assert await world.gate().query("artifact", id="abc") == {
            "id": "abc", "media": "application/json", "task": task, "data": {"n": 1},
        }  # fmt: skip

    live(story)


def test_commands_config_and_schema_answer() -> None:
    async def story(world: World, _task: str) -> None:
        for what in ("commands", "config", "schema"):
            assert await world.gate().query(what)

    live(story)
