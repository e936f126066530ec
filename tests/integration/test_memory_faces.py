"""Memory of a real engine by command line, over a kill -9, and by the library with agents of a fleet."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from engine import FleetManager, SwarmMemory
from engine.model.errors import Denied, NotFound, Unconfirmed, UsageError
from fleet_tui.settings import find_paths

from tests.integration.engines import EngineProcess, engine, until
from tests.integration.test_api_rest import ask


def out(subject: EngineProcess, *words: str) -> str:
    done = subject.run(*words)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


@pytest.mark.row(178, 179)
def test_memory_by_command_line_and_after_a_kill(tmp_path: Path) -> None:
    with engine(tmp_path) as subject:
        out(subject, "remember", "plan", '{"steps": [1, 2]}', "--level", "team", "--tags", "x", "--ttl", "3600", "--yes")
        out(subject, "remember", "plan", '{"steps": [3]}', "--yes")
        out(subject, "permit", "plan", "--level", "public", "--read", "agt_x", "--yes")
        os.kill(subject.pid, signal.SIGKILL)
    with engine(tmp_path) as subject:
        assert json.loads(out(subject, "memory", "plan")) == {"steps": [3]}
        [row] = json.loads(out(subject, "memory", "-o", "json", "--prefix", "pl"))
        assert (row["level"], row["read"], row["version"], row["kind"]) == ("public", ["agt_x"], 3, "semantic")
        table = out(subject, "memory").splitlines()
        assert table[0].split()[:5] == ["KEY", "OWNER", "NAMESPACE", "LEVEL", "KIND"]
        assert table[1].startswith("plan ")
        history = out(subject, "memory", "plan", "--history").splitlines()
        assert [line.split()[1] for line in history[1:]] == ["3", "2", "1"]
        out(subject, "forget", "plan", "--yes")
        assert subject.run("memory", "plan").returncode == 4
        assert out(subject, "memory") == "no entry that you may read\n"
        out(subject, "undo", "--yes")
        assert json.loads(out(subject, "memory", "plan")) == {"steps": [3]}
        assert subject.run("memory", "--history").returncode == 2
        assert subject.run("memory", "plan", "--kind", "working").returncode == 2


@pytest.mark.row(195)
async def test_search_by_command_line_and_over_http(tmp_path: Path) -> None:
    with engine(tmp_path) as subject:
        out(subject, "remember", "plan", '{"steps": ["deployment of the payments"]}', "--tags", "release", "--yes")
        out(subject, "remember", "note", "deploy nothing on fridays", "--kind", "vector", "--level", "public", "--yes")
        first, second = (line.split() for line in out(subject, "memory", "search", "deploy", "--by", "words").splitlines()[1:])
        assert {first[0], second[0]} == {"plan", "note"}
        [plan] = json.loads(out(subject, "memory", "search", "deploy pay", "--kind", "semantic", "--since", "1h", "-o", "json"))
        assert (plan["key"], plan["by"], plan["snippet"]) == ("plan", ["words"], "steps deployment of the payments")
        assert 0 < plan["score"] < 1
        assert "value" not in plan
        [like] = json.loads(out(subject, "memory", "search", "--like", "deploys on a friday", "-o", "json"))
        assert (like["key"], like["by"]) == ("note", ["likeness"])
        assert out(subject, "memory", "search", "deploy", "--until", "1h") == "nothing found among the entries that you may read\n"
        assert len(json.loads(out(subject, "memory", "search", "deploy", "--skip", "1", "-o", "json"))) == 1
        for refused in (("memory", "search"), ("memory", "search", "x", "--since", "soon"), ("memory", "search", "x", "--kind", "semantc")):
            assert subject.run(*refused).returncode == 2
        out(subject, "remember", "search", "found by its name", "--yes")
        assert json.loads(out(subject, "memory", "show", "search")) == "found by its name"
        socket = find_paths(subject.directory, environment=subject.environment).socket
        reply = await ask(socket, "GET", "/v1/memory-search?words=deploy&by=words&tag=release&limit=5")
        assert [(row["key"], row["snippet"]) for row in reply.json] == [("plan", "steps deployment of the payments")]
        assert (await ask(socket, "GET", "/v1/memory-search")).status == 400


@pytest.mark.row(177, 178, 179, 187)
async def test_a_program_and_its_agents_share_memory(tmp_path: Path) -> None:
    config = {"fleet": {"default_pools": {"coder": {"min": 2, "max": 2}, "tester": {"min": 1, "max": 1}}, "workers": 1}}
    async with FleetManager(config, directory=tmp_path, state_dir=tmp_path) as fleet:
        memory = SwarmMemory(fleet=fleet)
        agents = {agent.spec.pool: agent.spec for agent in fleet.list_agents()}
        coder, mate, tester = (memory.as_agent(one) for one in ("coder-1", "coder-2", agents["tester"].id))
        head = await coder.store("plan", {"a": 1}, {"level": "team", "ttl": 60, "tags": ["x"]})
        assert (head.team, head.id.owner) == ("coder", fleet.get_agent("coder-1").spec.id)
        assert await mate.retrieve("plan") == {"a": 1}
        with pytest.raises(NotFound):
            await tester.retrieve("plan")
        await coder.set_permissions("plan", {"level": "private", "read": [agents["tester"].id]})
        assert (await tester.get_permissions("plan")).read == (agents["tester"].id,)
        assert await tester.retrieve("plan") == {"a": 1}
        with pytest.raises(NotFound):
            await mate.retrieve("plan")
        assert [one.id.key for one in await memory.list({"tags": ["x"]})] == ["plan"]
        await memory.store_many([("a", 1), ("b", 2, {"kind": "working"})])
        assert [one.id.key for one in await memory.list({"kinds": ["working"]})] == ["b"]
        await coder.delete("plan")
        with pytest.raises(UsageError, match="did you mean 'namespace'"):
            await memory.store("k", 1, {"namespce": "x"})
        with pytest.raises(NotFound, match="no agent"):
            await memory.as_agent("nobody").retrieve("plan")


async def test_guardrails_hold_for_programs_as_for_verbs(tmp_path: Path) -> None:
    rules = [
        {"name": "frozen", "verbs": ["forget"], "deny": "memory is frozen"},
        {"name": "few", "verbs": ["remember"], "max_bulk": 2},
        {"name": "why", "verbs": ["permit"], "reason_required": True},
    ]
    config = {"fleet": {"default_pools": {"coder": {"min": 1, "max": 1}}, "workers": 1}, "operations": {"guardrails": rules}}
    async with FleetManager(config, directory=tmp_path, state_dir=tmp_path) as fleet:
        memory = SwarmMemory(fleet=fleet)
        await memory.store_many([("a", 1), ("b", 2)])
        with pytest.raises(Denied, match="few"):
            await memory.store_many([("c", 1), ("d", 2), ("e", 3)])
        with pytest.raises(Denied, match="memory is frozen"):
            await memory.delete("a")
        with pytest.raises(Unconfirmed, match="give a reason"):
            await memory.set_permissions("a", {"level": "public"})
        assert [head.id.key for head in await memory.list()] == ["a", "b"]
        coder = memory.as_agent("coder-1")
        await coder.store("mine", 1)
        await coder.delete("mine")
    (tmp_path / "other").mkdir()
    lowered = {"fleet": {"default_pools": False}, "operations": {"roles": {"*": "viewer"}}}
    async with FleetManager(lowered, directory=tmp_path, state_dir=tmp_path / "other") as fleet:
        with pytest.raises(Denied, match="needs the role"):
            await SwarmMemory(fleet=fleet).store("a", 1)


@pytest.mark.row(177)
async def test_a_memory_with_a_fleet_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "memory.db"
    for turn in range(2):
        async with SwarmMemory({"backend": "sqlite", "sqlitePath": str(file), "aclEnabled": True}) as memory:
            if not turn:
                await memory.store("k", [1])
            assert await memory.retrieve("k") == [1]
    with pytest.raises(UsageError, match="not both"):
        SwarmMemory({"backend": "sqlite"}, fleet=FleetManager())


def test_a_console_hears_of_changes_without_values(tmp_path: Path) -> None:
    with engine(tmp_path) as subject:
        out(subject, "remember", "plan", "hush-hush", "--yes")
        until(lambda: any(row["type"] == "memory.changed" for row in subject.get("events")))
        texts = json.dumps([subject.get(kind) for kind in ("events", "audit", "plans")])
        assert "hush-hush" not in texts
        assert "stored an entry of memory" in texts
