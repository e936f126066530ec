"""Real Claude Code and Codex as agents of a pool, against the mock model: shared by their tests and their benchmark.

Owner: `AgentWorld` owns its engine, its model and its folder. The programs' home is empty, their key is none.
"""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import FleetManager
from engine.clock import SystemClock
from engine.model.task_commands import SubmitTask
from engine.model.tasks import Task
from fleet_tui.mock_model.script import ECHO, Script, Turn
from fleet_tui.mock_model.server import MockModel

from tests.integration.test_scaling_library import until
from tests.tools.agent_programs import AgentPrograms

WAIT_S = 120
KEY = "dummy"


@dataclass(frozen=True)
class AgentWorld:
    """An engine with both programs as pools, and their model."""

    fleet: FleetManager
    model: MockModel
    work: Path

    async def submit(self, pool: str, prompt: str, **more: Any) -> Task:  # noqa: ANN401  # a verb's arguments
        """Hand over a task and return the engine's own record of it."""
        known = set(self.fleet.coordinator.state.tasks)
        await self.fleet.operator().execute([SubmitTask("ask", pool, prompt=prompt, workspace=str(self.work), **{"max_attempts": 1, **more})])
        (new,) = set(self.fleet.coordinator.state.tasks) - known
        return self.fleet.coordinator.state.tasks[new]

    async def finish(self, tasks: Sequence[Task]) -> None:
        """Wait until tasks have ended."""
        await until(lambda: all(task.finished_at for task in tasks), WAIT_S)

    async def ask_both(self, prompt: str) -> tuple[Task, Task]:
        """Give the same task to both, and return them ended."""
        claude, codex = await self.submit("claude", prompt), await self.submit("codex", prompt)
        await self.finish([claude, codex])
        return claude, codex


def commands_of(programs: AgentPrograms, url: str, home: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return how both programs are run against a model, as `[pools.NAME.command]`, with a home that has nothing else."""
    (home / ".codex").mkdir(parents=True)
    (home / ".codex" / "config.toml").write_text(
        f'model = "mock-model"\nmodel_provider = "mock"\n[model_providers.mock]\nname = "mock"\nbase_url = "{url}/v1"\n'
        'wire_api = "responses"\nenv_key = "MOCK_KEY"\n'
    )
    claude = {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": KEY, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
    return {
        "claude": {
            "argv": [str(programs.claude), "-p", "--bare", "--output-format", "json", "--allowedTools", "Bash", "--", "{prompt}"],
            "prompt": "argument", "output": "claude", "env": {"HOME": str(home), **claude},
        },
        "codex": {
            "argv": [str(programs.codex), "exec", "--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "{prompt}"],
            "prompt": "argument", "output": "codex", "env": {"HOME": str(home), "MOCK_KEY": KEY},
        },
    }  # fmt: skip


def claude_session(programs: AgentPrograms, url: str, home: Path) -> Mapping[str, Any]:
    """Return Claude Code as a session of a model, as `[pools.NAME]`."""
    env = {"HOME": str(home), "ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": KEY, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
    return {"kind": "session", "min": 1, "max": 1, "session": {"protocol": "claude", "argv": [str(programs.claude)], "env": env}}


def codex_session(programs: AgentPrograms, home: Path) -> Mapping[str, Any]:
    """Return Codex as a session of the model that its home's configuration names, as `[pools.NAME]`; it asks for what its sandbox forbids."""
    argv = [str(programs.codex), "-c", 'approval_policy="on-request"', "-c", 'sandbox_mode="read-only"']
    return {"kind": "session", "min": 1, "max": 1, "session": {"protocol": "codex", "argv": argv, "env": {"HOME": str(home), "MOCK_KEY": KEY}}}


@asynccontextmanager
async def agent_world(programs: AgentPrograms, root: Path, turns: Sequence[Turn] = ()) -> AsyncIterator[AgentWorld]:
    """Start a model with a script and an engine with both programs, Claude Code also as a session, and as one that works in git worktrees."""
    script: dict[str, list[Turn]] = {}
    for turn in turns:
        script.setdefault(turn.match, []).append(turn)
    work = root / "work"
    work.mkdir()
    async with MockModel(Script(script) if script else ECHO, clock=SystemClock()) as model:
        commands = commands_of(programs, model.url, root / "home")
        pools: dict[str, Any] = {name: {"kind": "command", "min": 1, "max": 1, "command": command} for name, command in commands.items()}
        pools["warm"] = claude_session(programs, model.url, root / "home")
        pools["warm codex"] = codex_session(programs, root / "home")
        pools["reviewed"] = {**claude_session(programs, model.url, root / "home"), "workspace": "worktree", "answers": {"allow": ["Bash"]}}
        async with FleetManager({"fleet": {"default_pools": pools}, "booster": {"enabled": False}}) as fleet:
            yield AgentWorld(fleet, model, work)


def shell(pool: str, command: str) -> tuple[str, dict[str, object]]:
    """Return the tool with which a program runs a command, and what it is given."""
    return ("Bash", {"command": command, "description": "test"}) if pool == "claude" else ("exec_command", {"cmd": command})


def quoted(path: Path) -> str:
    return shlex.quote(str(path))
