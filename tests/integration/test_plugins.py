"""Plug-ins in a real engine: the package of docs/plugins.md and the three that come with the program at work, broken ones left out."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine import FleetManager
from engine.config import parse_config
from engine.model.channel_commands import TestChannel
from engine.model.task_commands import CancelTask, SubmitTask
from engine.model.tasks import FINISHED, TaskState
from engine.plugins.room import RETRY_FIRST_S, PluginRoom
from engine.plugins.shipped.performance_monitor import PerformanceMonitorPlugin

from tests.integration.words import run_words

DOCS = Path(__file__).resolve().parents[2] / "docs" / "plugins.md"
BROKEN = {
    "raiser": ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
    "leaver": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "dier": ("import os; os._exit(7)", "its process is gone (it ended with 7)"),
    "sleeper": ("import time; time.sleep(600)", "it did not load within 1 s"),
    "future": ("FLEET_API = 99", "it is made for version 99 of the interface, this fleet-tui has version 1"),
    "stranger": ("from engine.plugins.api import hookimpl\nfleet_moon = hookimpl(lambda: 1, specname='fleet_moon')", "unknown hook 'fleet_moon'"),
    "idler": ("", "it adds nothing"),
    "wrong": ("from engine.plugins.api import hookimpl\nfleet_operations = hookimpl(lambda: {'x': lambda t, p: 1}, specname='fleet_operations')", "wrong.x is no function of a module"),
    "starter": (
        "from engine.plugins.api import hookimpl\nclass A:\n    name = version = '1'\n    async def initialize(self, context): raise OSError('no device')\n"
        "    async def execute(self, request): ...\n    async def cleanup(self): ...\nfleet_agent = hookimpl(lambda: A(), specname='fleet_agent')",
        "its agent does not start: OSError: no device",
    ),
    "poolless": (
        "from engine.plugins.api import hookimpl\nfleet_agent_kinds = hookimpl(lambda: {'bot': {'kind': 'session', 'session': {}}}, specname='fleet_agent_kinds')",
        "its kind 'poolless.bot' makes no pool 'odd'",
    ),
}  # fmt: skip
"""Plug-in -> its module, and why it is broken."""


def install(site: Path, project: dict[str, Any], modules: dict[str, str]) -> None:
    """Do what an installer does with a package: its modules, its metadata, its entry points."""
    name, version = project["name"], project["version"]
    for module, text in modules.items():
        (site / f"{module}.py").write_text(text)
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    points = "".join(f"{point} = {value}\n" for point, value in project["entry-points"]["fleet_tui"].items())
    (info / "entry_points.txt").write_text(f"[fleet_tui]\n{points}")


def sample() -> tuple[dict[str, Any], str]:
    """Return the package of the docs: its pyproject.toml and its module."""
    blocks = dict(re.findall(r"`(pyproject\.toml|fleet_acme\.py)`:\n\n```\w+\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL))
    return tomllib.loads(blocks["pyproject.toml"])["project"], blocks["fleet_acme.py"]


EMBEDDER = """
class Tiny:
    name, dimensions = "tiny-2", 2
    def embed(self, texts):
        import numpy
        return numpy.array([[1.0, len(text)] for text in texts], "float32")
fleet_embedders = hookimpl(lambda: {"tiny": Tiny}, specname="fleet_embedders")
"""
FUNCTION = "def shout(request):\n    return {'said': request.prompt.upper(), 'action': request.action}\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages: the sample, and one that is broken in every way."""
    site = tmp_path / "site"
    site.mkdir()
    project, module = sample()
    install(site, project, {"fleet_acme": module + EMBEDDER})
    for name, (text, _) in BROKEN.items():
        install(site, {"name": f"fleet-{name}", "version": "0.1", "entry-points": {"fleet_tui": {name: f"broken_{name}"}}}, {f"broken_{name}": text})
    monkeypatch.syspath_prepend(str(site))
    return site


def config(folder: Path) -> dict[str, Any]:
    pools = {
        "greeter": {"kind": "acme", "min": 1, "max": 1},
        "words": {"hosts": "local", "min": 1, "max": 1},
        "scanners": {"kind": "security-scanner", "min": 1, "max": 1},
        "watchers": {"kind": "performance-monitor", "min": 1, "max": 1},
        "own": {"kind": "custom-agent", "min": 1, "max": 1},
        "odd": {"kind": "poolless.bot", "min": 1, "max": 1},
    }
    policy = {"pool": "words", "metric": "acme.size", "target": 5.0}
    return {
        "fleet": {"default_pools": False, "workers": 1},
        "pools": pools,
        "plugins": {
            **{name: {"timeout_s": 1 if name == "sleeper" else 60} for name in BROKEN},
            "nowhere": {},
            "acme": {"interval_s": 0.1, "timeout_s": 60, "settings": {"greeting": "good day"}},
            "security-scanner": {"timeout_s": 60},
            "performance-monitor": {"interval_s": 0.1, "timeout_s": 60},
            "custom-agent": {"timeout_s": 60, "settings": {"function": "my_agent:shout"}},
        },
        "auto_scaling": {"enabled": False, "policies": {"by-size": policy}},
        "memory": {"embedder": "acme.tiny"},
        "alerting": {"channels": [{"name": "notes", "url": f"acme.file://{folder / 'notes.txt'}", "deadline_s": 60}]},
    }


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


async def do(fleet: FleetManager, pool: str, type_: str, prompt: str = "", **payload: object) -> Any:
    """Submit a task and return it when it has ended."""
    answer = await fleet.operator().execute([SubmitTask(type_, pool, prompt, payload, max_attempts=1)])
    tasks = fleet.coordinator.state.tasks
    await until(lambda: tasks[answer.first()].state in FINISHED)
    return tasks[answer.first()]


@pytest.mark.row(33, 34)
async def test_plugins_work_and_broken_ones_are_told_of_and_left_out(tmp_path: Path, site: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "my_agent.py").write_text(FUNCTION)
    key = "AKIA" + "ABCDEFGHIJKLMNOP"
    (project / "bad.py").write_text(f"import subprocess\nkey = '{key}'\nsubprocess.run('ls', shell=True)\n")
    async with FleetManager(config(tmp_path), directory=project, state_dir=tmp_path / "state") as fleet:
        rows = {row["id"]: row for row in await fleet.operator().query("plugins")}  # type: ignore[attr-defined]
        for name, (_, why) in BROKEN.items():
            assert rows[name]["state"] == "broken" and why in rows[name]["error"], rows[name]
        assert "it is not installed: no package has an entry point 'nowhere'" in rows["nowhere"]["error"]
        works = {name: row for name, row in rows.items() if row["state"] == "ready"}
        assert set(works) == {"acme", "security-scanner", "performance-monitor", "custom-agent"}
        assert (works["acme"]["version"], works["acme"]["distribution"]) == ("1.0", "fleet-acme 1.0")
        assert works["acme"]["adds"] == "kind acme, operation acme.count_words, channel acme.file, metric acme.size, embedder acme.tiny"

        greeted = await do(fleet, "greeter", "greet", "Ada")
        assert (greeted.state, greeted.result["data"]) == (TaskState.SUCCEEDED, {"said": "good day, Ada"})
        assert (await do(fleet, "words", "acme.count_words", text="a b c")).result == {"words": 3}
        assert (await do(fleet, "own", "say", "hello")).result["data"] == {"said": "HELLO", "action": "say"}
        seen = (await do(fleet, "watchers", "look", seconds=0.05, top=3)).result["data"]
        assert seen["cores"] == os.cpu_count() and 0 < seen["memory_free_mb"] < seen["memory_mb"] and len(seen["top"]) == 3
        found = (await do(fleet, "scanners", "scan", path=".")).result
        assert key not in str(found)
        assert {(entry["path"], entry["line"], entry["rule"]) for entry in found["data"]["findings"]} >= {("bad.py", 2, "secret"), ("bad.py", 3, "call")}
        refused = await do(fleet, "scanners", "scan", path="nowhere")
        assert refused.state is not TaskState.SUCCEEDED and refused.error is not None and "is not there" in refused.error.message

        observations = fleet.scaler.observations
        await until(lambda: dict(observations["words"].custom).keys() >= {"acme.size", "performance-monitor.pressure"})
        assert dict(observations["words"].custom)["acme.size"] == 1.0
        await until(lambda: fleet.scaler.decisions["words"].recommended == 1)
        await until(lambda: fleet.history.recorder.newest.get(("recorded.acme.size", "words")) == 1.0)
        assert fleet.memory.dimensions["tiny-2"] == 2
        await fleet.operator().execute([TestChannel("notes")])
        assert "test" in (tmp_path / "notes.txt").read_text().lower()
        [agent] = [agent for agent in fleet.coordinator.state.agents.values() if agent.spec.pool == "odd"]
        await until(lambda: "no agents of kind 'poolless.bot'" in agent.reason)


async def test_a_cancelled_task_is_cancelled_in_its_plugin(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import asyncio, pathlib\nasync def run(request):\n    path = pathlib.Path(request.prompt)\n    path.write_text('began')\n    try:\n        await asyncio.sleep(600)\n    finally:\n        path.write_text('over')\n")
    plugin = {"timeout_s": 60, "settings": {"function": "slow:run"}}
    given = {"fleet": {"default_pools": False, "workers": 1}, "pools": {"own": {"kind": "custom-agent", "min": 1, "max": 1}}, "plugins": {"custom-agent": plugin}}
    file = tmp_path / "seen"
    async with FleetManager(given, directory=tmp_path, state_dir=tmp_path / "state") as fleet:
        answer = await fleet.operator().execute([SubmitTask("go", "own", str(file))])
        await until(lambda: file.exists() and file.read_text() == "began")
        await fleet.operator().execute([CancelTask(answer.first())])
        await until(lambda: fleet.coordinator.state.tasks[answer.first()].state is TaskState.CANCELLED)
        assert file.read_text() == "over"


class QuickClock:
    """Time passes when somebody waits for it."""

    def __init__(self) -> None:
        self.at = 1_000.0
        self.waits: list[float] = []

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.at += seconds
        await asyncio.sleep(0)


async def test_a_plugin_that_dies_or_hangs_is_started_again_after_growing_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "import os, time\nfrom engine.plugins.api import hookimpl\n"
        "def value(pools):\n    if 'die' in pools: os._exit(9)\n    if 'bad' in pools: raise ValueError('no figure')\n    return {name: 1.0 for name in pools}\n"
        "fleet_metrics = hookimpl(lambda: {'one': value}, specname='fleet_metrics')"
    )
    install(tmp_path, {"name": "fleet-frail", "version": "1", "entry-points": {"fleet_tui": {"frail": "frail"}}}, {"frail": text})
    monkeypatch.syspath_prepend(str(tmp_path))
    clock = QuickClock()
    room = PluginRoom(tmp_path / "state", tmp_path, clock)  # type: ignore[arg-type]
    await room.open(parse_config({"plugins": {"frail": {"interval_s": 1, "timeout_s": 60}}}, "test"))
    asked: list[str] = ["pool", "die", "pool", "bad", "pool"]
    states: list[tuple[str, str]] = []

    def figures() -> dict[str, dict[str, float | None]]:
        row = room.row("frail")
        assert row is not None
        states.append((row.state, row.error))
        if not asked:
            raise asyncio.CancelledError
        return {asked.pop(0): {}}

    values: list[tuple[str, float, str]] = []
    try:
        with pytest.raises(asyncio.CancelledError):
            await room._follow("frail", room._members["frail"], figures, lambda *value: values.append(value))
    finally:
        await room.close()
    assert [state for state, _ in states] == ["ready"] * 6, "it is asked only when it works"
    assert states[4][1] == "frail.one: ValueError: no figure"
    assert values == [("frail.one", 1.0, "pool")] * 3
    assert RETRY_FIRST_S in clock.waits
    assert room.row("frail").failures == 2  # type: ignore[union-attr]


def test_the_performance_monitor_tells_how_much_longer_tasks_take_than_usual() -> None:
    monitor = PerformanceMonitorPlugin()
    seen = {"ready": 2.0, "busy": 2.0, "waiting": 4.0}
    assert monitor.pressure({"a": seen, "b": {**seen, "ready": 0.0}, "c": {**seen, "waiting": None}}) == {"a": 3.0, "b": 6.0}
    for _ in range(10):
        assert monitor.slowdown({"a": {"response_time_ms": 100.0}, "b": {"response_time_ms": None}, "c": {"response_time_ms": 0.0}}) == {"a": 1.0}
    assert monitor.slowdown({"a": {"response_time_ms": 300.0}}) == {"a": 3.0}


async def test_no_process_of_a_plugin_outlives_its_engine(tmp_path: Path, site: Path) -> None:
    room = PluginRoom(tmp_path / "state", tmp_path, QuickClock())  # type: ignore[arg-type]
    await room.open(parse_config({"plugins": {"acme": {"timeout_s": 60}}}, "test"))
    process = room._members["acme"].link._process
    assert process is not None and process.stdin is not None
    process.stdin.close()  # as when the engine is gone
    async with asyncio.timeout(60):
        assert await process.wait() == -signal.SIGKILL


@pytest.mark.parametrize(("given", "told"), [
    ({"pools": {"p": {"kind": "sesion"}}}, "there is no kind 'sesion'; did you mean 'session'"),
    ({"pools": {"p": {"kind": "acme.bot"}}}, "there is no kind 'acme.bot'"),
    ({"plugins": {"Acme": {}}}, "Acme"),
    ({"plugins": {"acme": {"timeout": 3}}}, "unknown key 'plugins.acme.timeout'"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(Exception, match=re.escape(told)):
        parse_config(given, "test")


def test_the_doctor_finds_a_broken_plugin(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text("[plugins.nowhere]\n[plugins.security-scanner]\ntimeout_s = 60\n[plugins.other]\nenabled = false\n")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state"), "XDG_RUNTIME_DIR": str(tmp_path)}
    said = run_words(["-C", str(tmp_path), "doctor"], environment).stdout
    assert "nowhere is left out: it is not installed" in said
    assert "security-scanner: loaded and checked" in said
    assert "other" not in said
