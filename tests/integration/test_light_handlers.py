"""Handlers of pools are imported before their agents are up: what is wrong with one is an error of its agents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from engine import FleetManager
from engine.model.agents import AgentSpec
from engine.model.ids import AgentId
from engine.model.pools import PoolSpec
from engine.model.reports import AgentsFailed, AgentsUp, HostDown
from engine.model.task_commands import SubmitTask

from tests.integration.light import HANDLERS, Rig, open_light


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A way to write the module `plugin_under_test`, which workers can import."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return lambda text: (tmp_path / "plugin_under_test.py").write_text(text) and None


def ask(rig: Rig, *names: str, handler: str) -> list[AgentId]:
    """Ask for agents with a handler, without waiting for them."""
    pool = PoolSpec("p", 1, 9, handler=handler)
    rig._specs.update({AgentId(name): (AgentSpec(AgentId(name), name, "p"), pool) for name in names})
    rig.light.start([rig._specs[AgentId(name)] for name in names])
    return [AgentId(name) for name in names]


@pytest.mark.parametrize(
    ("handler", "text"),
    [
        (f"{HANDLERS}:nothing_of_the_kind", "has no attribute 'nothing_of_the_kind'"),
        (f"{HANDLERS}:not_a_function", "is not a function; write module:function"),
        ("no_such_module:run", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
    ],
)
async def test_handler_that_cannot_be_imported_fails_its_agents_and_no_others(handler: str, text: str) -> None:
    async with open_light(2) as rig:
        plain = await rig.start(2)
        agents = ask(rig, "one", "two", "three", handler=handler)
        await rig.until(lambda: sum(len(report.agents) for report in rig.of(AgentsFailed)) == 3)
        assert {agent for report in rig.of(AgentsFailed) for agent in report.agents} == set(agents)
        for report in rig.of(AgentsFailed):
            assert text in report.reason
            assert repr(handler) in report.reason
            assert report.reason.endswith("; correct its pool's handler, then restart its agents")
        assert (await rig.run(plain[0], "echo", {"a": 1})).result == {"a": 1}


async def test_agents_come_up_after_the_import_and_work_at_once(module: Callable[[str], None]) -> None:
    module("import time; time.sleep(0.3)\ndef run(type_, payload): return {'type': type_}")
    async with open_light() as rig:
        plain = (await rig.start())[0]
        [agent] = ask(rig, "slow", handler="plugin_under_test:run")
        assert agent not in rig.where
        await rig.until(lambda: agent in rig.where)
        assert (await rig.run(agent, "t")).result == {"type": "t"}
        assert (await rig.run(plain, "noop")).ok


async def test_corrected_handler_is_imported_when_its_agents_are_restarted(module: Callable[[str], None]) -> None:
    module("import sys; sys.exit('not today')")
    async with open_light() as rig:
        [agent] = ask(rig, "one", handler="plugin_under_test:run")
        await rig.until(lambda: rig.of(AgentsFailed))
        assert "not today" in rig.of(AgentsFailed)[0].reason
        module("def run(type_, payload): return {'ok': 1}  # longer than before")
        ask(rig, "one", handler="plugin_under_test:run")
        await rig.until(lambda: rig.of(AgentsUp))
        assert (await rig.run(agent)).result == {"ok": 1}


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 11)", "time.sleep(60)"])
async def test_import_that_no_worker_survives_is_given_up(module: Callable[[str], None], end: str) -> None:
    module(f"import os, time\n{end}")
    async with open_light(respawn_max_s=0.2, start_timeout_s=3.0) as rig:
        plain = (await rig.start())[0]
        [agent] = ask(rig, "deadly", handler="plugin_under_test:run")
        await rig.until(lambda: rig.of(AgentsFailed))
        assert len(rig.of(HostDown)) == 3
        reason = rig.of(AgentsFailed)[0].reason
        assert "cannot import the handler 'plugin_under_test:run': worker " in reason
        assert ("killed by SIGSEGV" if "kill" in end else "took longer than 3 s") in reason
        await rig.until(lambda: plain in rig.where)
        assert (await rig.run(plain, "noop")).ok
        module("def run(type_, payload): return {}")
        ask(rig, "deadly", handler="plugin_under_test:run")
        assert (await rig.run(agent)).ok


async def test_missing_handler_is_an_error_of_the_pools_agents(tmp_path: Path) -> None:
    config = {"fleet": {"workers": 1, "default_pools": {"mine": {"min": 2, "max": 2, "handler": "no_such_module:run"}, "ui": {"min": 1, "max": 1}}}}
    async with FleetManager(config, state_dir=tmp_path) as fleet:
        agents = fleet.coordinator.state.agents_in("mine")
        while {agent.status for agent in agents} != {"failed"} or not fleet.coordinator.state.agents_in("ui")[0].is_free():
            await fleet.clock.sleep(0.02)
        assert "No module named 'no_such_module'" in agents[0].reason
        await fleet.operator().execute([SubmitTask("x", "mine")])
        assert "none of 2 agents in mine is free: 2 failed" in str(await fleet.operator().query("task", id=next(iter(fleet.coordinator.state.tasks))))


async def test_relative_paths_begin_in_the_workspace_or_the_engines_directory(tmp_path: Path) -> None:
    directory, workspace = tmp_path / "project", tmp_path / "work"
    for folder, name in ((directory, "here"), (workspace, "there")):
        folder.mkdir()
        (folder / "mod.py").write_text(f"def {name}(): pass\n")
    config = {"fleet": {"workers": 1, "default_pools": {"coder": {"min": 1, "max": 1}}}}
    async with FleetManager(config, directory=directory) as fleet:
        outline, rename = {"path": "mod.py"}, {"path": "mod.py", "name": "there", "to": "elsewhere"}
        asked = [
            SubmitTask("code.outline", "coder", payload=outline),
            SubmitTask("code.outline", "coder", payload=outline, workspace=str(workspace)),
            SubmitTask("code.rename", "coder", payload=rename, workspace=str(workspace), apply=True),
        ]
        tasks = [fleet.coordinator.state.tasks[id_] for id_ in (await fleet.operator().execute(asked)).values]  # type: ignore[index]
        while fleet.coordinator.state.unfinished:
            await fleet.clock.sleep(0.02)
        assert [str(task.state) for task in tasks] == ["succeeded"] * 3, tasks
        assert "here" in str(tasks[0].result)
        assert "there" in str(tasks[1].result)
    assert (workspace / "mod.py").read_text() == "def elsewhere(): pass\n"
