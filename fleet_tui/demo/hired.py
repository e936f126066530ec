"""Real command-line agents in the demo: a pool for each, warm, asking for leave, on a mock model of this machine in place of a rented one.

They work through the code base: count the lines of a file by a tool that they ask leave for, and say what it said. Nothing leaves the machine: the
model is `fleet-tui mock-model` and the home that they see is a folder of the demo's state.

Owner: `hired` of the model and the folder while it is entered. Limits: FILES_MAX files.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import shlex
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from engine.api.following_task import Waiting
from engine.clock import Clock
from engine.model.errors import FleetError, UsageError
from engine.model.task_commands import SubmitTask
from engine.model.tasks import FINISHED
from engine.operations import Operator
from fleet_tui.demo.discovery import CodeBase, discover
from fleet_tui.mock_model.script import Script, Turn
from fleet_tui.mock_model.server import MockModel

logger = logging.getLogger(__name__)

FILES_MAX = 200
KEY = "demo"
"""Of no account: the mock model takes any."""
PAUSE_S = 2.0
REFUSED_PAUSE_S = 15.0


class Program(NamedTuple):
    """How an agent of a name is run, and how it runs a command."""

    install: str
    tool: str
    argument: str
    options: tuple[str, ...] = ()
    more: Mapping[str, object] = {}
    """Else it would not ask."""


PROGRAMS: Mapping[str, Program] = {
    "claude": Program("npm install -g @anthropic-ai/claude-code", "Bash", "command"),
    "codex": Program(
        "npm install -g @openai/codex",
        "exec_command",
        "cmd",
        ("-c", 'approval_policy="on-request"', "-c", 'sandbox_mode="read-only"'),
        {"sandbox_permissions": "require_escalated", "justification": "to count the lines"},
    ),
}
CODEX = 'model = "mock-model"\nmodel_provider = "mock"\n[model_providers.mock]\nname = "mock"\nbase_url = "{url}/v1"\nwire_api = "responses"\nenv_key = "MOCK_KEY"\n'


class Hired(NamedTuple):
    """Pools of real agents, as the configuration has them, and what they work on."""

    pools: Mapping[str, Any]
    files: Sequence[str]


def check_programs(names: Sequence[str]) -> None:
    """Check that each name is known and its program here. Raises UsageError with what to do."""
    for name in names:
        if name not in PROGRAMS:
            raise UsageError(f"no agent {name!r} for the demo; there are {', '.join(PROGRAMS)}")
        if shutil.which(name) is None:
            raise UsageError(f"`{name}` is not on PATH: {PROGRAMS[name].install}")


@asynccontextmanager
async def hired(names: Sequence[str], root: Path, folder: Path, clock: Clock) -> AsyncIterator[Hired]:
    """Serve the model of real agents, and give their pools. Raises UsageError."""
    check_programs(names)
    files = _files_of(await asyncio.to_thread(discover, root))
    async with MockModel(Script({_prompt(name, number, file): [_turn(name, file)] for name in names for number, file in enumerate(files)}), clock=clock) as model:
        home = folder / "demo-home"
        await asyncio.to_thread(_furnish, home, model.url)
        yield Hired({name: _pool(name, home, model.url) for name in names}, files)


def _files_of(code_base: CodeBase) -> list[str]:
    return [file.path for file in code_base.files[:FILES_MAX]]


def _prompt(name: str, number: int, file: str) -> str:
    return f"{name}, file {number + 1:03}: how many lines has {file}?"


def _turn(name: str, file: str) -> Turn:
    """Return the one turn that is scripted; then the model says what the tool said."""
    program = PROGRAMS[name]
    return Turn(text="I count them.", tool=program.tool, input={program.argument: f"awk 'END {{print NR}}' {shlex.quote(file)}", **program.more})


def _furnish(home: Path, url: str) -> None:
    (home / ".codex").mkdir(parents=True, exist_ok=True)
    (home / ".codex" / "config.toml").write_text(CODEX.format(url=url), "utf-8")


def _pool(name: str, home: Path, url: str) -> dict[str, Any]:
    own = {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": KEY, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"} if name == "claude" else {"MOCK_KEY": KEY}
    session = {"protocol": name, "argv": [name, *PROGRAMS[name].options], "env": {"HOME": str(home), **own}}
    return {"kind": "session", "min": 1, "max": 2, "session": session}


async def keep_hired_busy(operator: Operator, who: Hired, clock: Clock) -> None:
    """Give each pool of real agents one task after another until cancelled."""
    async with asyncio.TaskGroup() as group:
        for name in who.pools:
            group.create_task(_keep_busy(operator, name, who.files, clock))


async def _keep_busy(operator: Operator, name: str, files: Sequence[str], clock: Clock) -> None:
    for number, file in itertools.cycle(enumerate(files)):
        pause = PAUSE_S
        try:
            answer = await operator.execute([SubmitTask("ask", name, prompt=_prompt(name, number, file), title=f"lines of {Path(file).name}")])
            await Waiting(clock).task(operator, str(answer.values[0]), lambda task: task["state"] in FINISHED)
        except FleetError as error:
            logger.warning("a real agent of the demo has nothing to do", extra={"pool": name, "reason": str(error)})
            pause = REFUSED_PAUSE_S
        await clock.sleep(pause)
