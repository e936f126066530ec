"""An ACL user with the rights that docs/redis.md names, and no others, on a real server: engines that share a fleet do all they do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from engine import FleetManager
from engine.model.errors import FleetError
from engine.model.memory_commands import RememberEntry
from engine.model.task_commands import SubmitTask

from tests.integration.redis_servers import Server, one_server

PAGE = (Path(__file__).parents[2] / "docs" / "redis.md").read_text()
USER, PASSWORD = "fleet", "not-a-secret-0123456789"
POOLS = {"coder": {"min": 1, "max": 2, "handler": "tests.integration.light_handlers:describe"}}


def rights() -> list[str]:
    """Return all that the page says an ACL user needs."""
    sentences = [part for paragraph in PAGE.split("\n\n") for part in paragraph.split("An ACL user")[1:]]
    return sorted({word for sentence in sentences for quoted in re.findall(r"`([^`]+)`", sentence) for word in quoted.split() if word[0] in "+~&"})


async def admit(admin: Any, *words: str) -> None:
    await admin.execute_command("ACL", "SETUSER", USER, "reset", "on", f">{PASSWORD}", *words)


@contextlib.asynccontextmanager
async def member(server: Server, root: Path, **redis: object) -> AsyncIterator[FleetManager]:
    config: dict[str, Any] = {
        "fleet": {"default_pools": POOLS},
        "operators": {"planner": {"role": "operator"}},
        "redis": {"url": server.url, "username": USER, "password": PASSWORD, "share": True, "listen": True, "bus": True, "operator": "planner", **redis},
    }
    (root / "state").mkdir(parents=True, exist_ok=True)
    async with FleetManager(config, directory=root, state_dir=root / "state", socket=root / "s") as made:
        yield made


async def until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


async def test_the_rights_that_the_page_names_are_enough_and_none_of_them_is_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.memory.shared_journal.SNAPSHOT_RECORDS", 5)
    async with one_server(tmp_path) as server, server.client() as admin, contextlib.AsyncExitStack() as stack:
        await admit(admin, *rights())
        first = await stack.enter_async_context(member(server, tmp_path / "a"))
        async with member(server, tmp_path / "b") as second:
            await second.operator().execute([SubmitTask("echo", "coder") for _ in range(5)])
            await second.operator().execute([RememberEntry("large", json.dumps("x" * 40_000))])
            for one in (first, second):
                assert (await one.operator().query("entry", key="large"))["value"] == "x" * 40_000  # type: ignore[index]
            asked = {"id": "m1", "source": "test", "type": "task.submit", "payload": {"type": "echo", "pool": "coder"}, "timestamp": 0}
            async with asyncio.timeout(60):
                while not await admin.publish("tasks:queue", json.dumps(asked)):  # nobody listens yet
                    await asyncio.sleep(0.05)
            await until(lambda: first.coordinator.state.totals.succeeded >= 6)
            async with asyncio.timeout(60):
                while not await admin.exists("fleet:{local}:snapshot"):
                    await asyncio.sleep(0.05)
            async with member(server, tmp_path / "c") as third:
                assert third.coordinator.state.totals.succeeded >= 5
            await stack.aclose()
            await until(lambda: second.turns is not None and second.turns.standing.leads)
            await second.operator().execute([SubmitTask("echo", "coder")])
            await until(lambda: second.coordinator.state.totals.succeeded >= 7)
        assert await admin.acl_log() == []
        used = {name.removeprefix("cmdstat_") for name in await admin.info("commandstats")}
        assert {word[1:] for word in rights() if word[0] == "+"} - used <= RARE


RARE = {
    "cluster|info", "cluster|shards", "cluster|slots", "command",  # in a cluster
    "hincrby", "xinfo|groups", "xpending",  # of a bus: when it drops, each second, and when a group follows it
    "wait",  # with Sentinels, a cluster or durability = "replicated"
    "xrange",  # after an answer that was lost
    "xtrim",  # of more than the newest 10,000 records
    "unlink", "unsubscribe",  # of what left, and of who leads no more
}  # fmt: skip


@pytest.mark.parametrize("word", ["+info", "+fcall", "~fleet:*"])
async def test_a_start_without_a_right_that_it_needs_is_refused_with_its_name(tmp_path: Path, word: str) -> None:
    async with one_server(tmp_path) as server, server.client() as admin:
        await admit(admin, *(right for right in rights() if right != word))
        with pytest.raises(FleetError, match="the user may not do this") as caught:
            async with member(server, tmp_path):
                pass
    assert (f"'{word[1:]}' command" if word[0] == "+" else "a key") in str(caught.value)
    assert "docs/redis.md" in str(caught.value)


async def test_what_else_lacks_a_right_is_said_while_the_engine_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    missing = {"publish": "other programs are not told by redis", "subscribe": "programs cannot ask by redis", "xreadgroup": "other engines cannot ask this one"}
    async with one_server(tmp_path) as server, server.client() as admin:
        await admit(admin, *(right for right in rights() if right[1:] not in missing))
        async with member(server, tmp_path) as one:
            await one.operator().execute([SubmitTask("echo", "coder")])
            for word, said in missing.items():
                await until(lambda word=word, said=said: any(said in line.message and f"'{word}' command" in getattr(line, "reason", "") for line in caplog.records))


async def test_an_engine_that_may_take_the_lease_and_not_write_starts_as_a_standby_that_says_why(tmp_path: Path) -> None:
    async with one_server(tmp_path) as server, server.client() as admin:
        await admit(admin, *(right for right in rights() if right != "+xadd"))
        async with member(server, tmp_path) as one:
            await until(lambda: "the user may not do this" in one.coordinator.read_only and "'xadd' command" in one.coordinator.read_only)
