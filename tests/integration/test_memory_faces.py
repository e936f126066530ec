"""Memory of a real engine by command line, over a kill -9, and by the library with agents of a fleet."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest
from engine import FleetManager, SwarmMemory
from engine.api.client import connect
from engine.clock import SystemClock
from engine.model.errors import Denied, NotFound, Unconfirmed, UsageError
from engine.model.memory_commands import RememberEntry
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


def test_totals_by_command_line(tmp_path: Path) -> None:
    with engine(tmp_path, "[memory]\nworking_ttl_s = 0.5\n") as subject:
        out(subject, "remember", "stays", "1", "--yes")
        out(subject, "remember", "goes", "1", "--kind", "working", "--yes")
        until(lambda: "1 entries expired" in out(subject, "memory", "totals"))
        lines = out(subject, "memory", "totals").splitlines()
        assert [line.split() for line in lines[:2]] == [["KIND", "ENTRIES", "BYTES"], ["semantic", "1", "1"]]
        assert lines[2] == "tombstones: 1; entries in conflict: 0"
        found = json.loads(out(subject, "memory", "totals", "-o", "json"))
        assert found["since_start"] == {"expired": 1, "purged": 0}
        until(lambda: "memory_expired" in out(subject, "metrics"))


LARGE, GROWTH_MB = 100 << 20, 64


def peak_mb(pid: int) -> float:
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1_024


async def test_what_cannot_be_kept_is_refused_at_every_face_and_costs_little(tmp_path: Path) -> None:
    with engine(tmp_path) as subject:
        socket = find_paths(subject.directory, environment=subject.environment).socket
        before, large, deep = peak_mb(subject.pid), tmp_path / "large", "[" * 5_000 + "]" * 5_000
        for size, words in ((10 << 20, "the most is 8,388,608; raise memory.value_max_bytes"), (LARGE, "larger than 16,777,216 bytes")):
            large.write_bytes(b"x" * size)
            done = subject.run("remember", "k", f"@{large}")
            assert done.returncode in (2, 4)
            assert words in done.stderr
        for words in (["--kind", "episodical"], ["--level", "secret"]):
            assert f"'{words[1]}' is not one of" in subject.run("remember", "k", "1", *words).stderr
        assert "nested too deeply" in subject.run("remember", "k", deep).stderr
        refused: list[tuple[object, int, str]] = [
            ({"key": "k", "value": "x" * LARGE}, 413, "the body is larger than 16777216 bytes"),
            ({"key": "k", "value": "x" * (10 << 20)}, 413, "the value of .*/k has 10,485,760 bytes"),
            ({"key": "k", "value": deep}, 400, "nested too deeply"),
            (b'{"key": "k", "value": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "nested too deeply"),
            ({"key": "k", "value": "1", "kind": "episodical"}, 400, "kind is one of working, episodic, semantic, vector"),
        ]
        for body, status, words in refused:
            reply = await ask(socket, "POST", "/v1/memory.store", body)
            assert (reply.status, bool(re.search(words, reply.json["message"]))) == (status, True), reply.body
        async with connect(socket, clock=SystemClock()) as operator:
            for command, text in (
                (RememberEntry("k", "x" * LARGE), "the engine takes 16777216: split it"),
                (RememberEntry("k", deep), "nested too deeply"),
                (RememberEntry("k", "1", kind="episodical"), "kind is one of"),
            ):
                with pytest.raises(UsageError, match=text):
                    await operator.execute([command])
        assert out(subject, "memory") == "no entry that you may read\n"
        assert peak_mb(subject.pid) - before < GROWTH_MB


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
        for wrong in ({"kind": "episodical"}, {"level": "secret"}):
            with pytest.raises(UsageError, match=f"Invalid enum value '{next(iter(wrong.values()))}'"):
                await memory.store("k", 1, wrong)
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
