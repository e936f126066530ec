"""An engine in virtual time for the demo's tests: real coordinator and gate, agents that answer by `ast`."""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from engine.clock import Rng
from engine.model.effects import Assignment
from engine.model.errors import FleetError
from engine.model.plans import Answer
from engine.model.rows import Frame
from engine.model.task_commands import SubmitTask
from engine.model.tasks import FINISHED, Outcome
from engine.model.verbs import Command
from engine.operations import Following
from engine.simulation.loop import run_virtual
from engine.simulation.world import World
from fleet_tui.demo.runs import run_demo

Answers = dict[str, Any] | str
"""A result, or why there is none."""


def answer(type_: str, payload: dict[str, Any]) -> Answers:
    """Answer as the code operations do, by other means."""
    text = Path(payload["path"]).read_text()
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        problem = {"by": "compile", "message": error.msg, "line": error.lineno, "column": 0}
        return {"ok": False, "errors": [problem]} if type_ == "code.syntax_check" else error.msg
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    lines = text.count("\n")
    edit = {"path": payload["path"], "changed": True, "diff": "-a\n+b\n", "edits": 2, "applied": False}
    rows = [
        {"qualname": node.name, "line": node.lineno, "length": node.end_lineno - node.lineno + 1, "complexity": 1}
        for node in functions
    ]  # fmt: skip
    definitions = [
        {"kind": "class" if node in classes else "function", "name": node.name, "qualname": node.name, "line": node.lineno,
         "docstring": ast.get_docstring(node) is not None}
        for node in (*functions, *classes)
    ]  # fmt: skip
    totals = {"functions": len(functions), "classes": len(classes), "lines": lines}
    answers: dict[str, Answers] = {
        "code.syntax_check": {"ok": True, "errors": []},
        "code.outline": {"definitions": definitions, "totals": totals},
        "code.metrics": {"functions": rows, "totals": totals},
        "code.find_references": {"references": [], "totals": {"call": text.count(payload.get("name", "?") + "(")}},
        "code.remove_calls": edit,
        "code.add_docstrings": edit,
    }
    return answers[type_]


def work(assignment: Assignment, _rng: Rng) -> tuple[float, Outcome]:
    """Take 0.02 s for an answer."""
    found = answer(assignment.type, assignment.payload)  # type: ignore[arg-type]
    key = (assignment.task, assignment.token)
    if isinstance(found, str):
        return 0.02, Outcome(*key, ok=False, error_kind="syntax_error", error=found, retryable=False)
    return 0.02, Outcome(*key, ok=True, result=found)


class Watched:
    """An operator that passes everything on and notes what is executed; a test may put something between."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.gate = world.gate()
        self.calls: list[Sequence[Command]] = []
        self.open_max = 0
        self.before: Callable[[Sequence[Command]], None] = lambda _commands: None
        self.frame: Callable[[Frame], Frame] = lambda frame: frame

    async def plan(self, commands: Sequence[Command], *, reason: str = "") -> Any:
        raise NotImplementedError

    async def execute(self, commands: Sequence[Command] | str, *, reason: str = "") -> Answer:
        assert not isinstance(commands, str)
        assert reason.startswith("demo ")
        self.calls.append(commands)
        self.before(commands)
        done = await self.gate.execute(commands, reason=reason)
        tasks = self.world.state.tasks.values()
        self.open_max = max(self.open_max, sum(task.state not in FINISHED for task in tasks))
        return done

    async def query(self, what: str, **parameters: object) -> object:
        return await self.gate.query(what, **parameters)

    def follow(self, kinds: Sequence[str]) -> Following:
        return self._following(kinds)

    @asynccontextmanager
    async def _following(self, kinds: Sequence[str]) -> AsyncIterator[AsyncIterator[Frame]]:
        async with self.gate.follow(kinds) as frames:
            yield (self.frame(frame) async for frame in frames)

    @property
    def submitted(self) -> list[SubmitTask]:
        return [command for call in self.calls for command in call if isinstance(command, SubmitTask)]


def make_tree(root: Path, count: int = 8) -> Path:
    """Write modules, each with a function that all of them call, one without a docstring, and a print."""
    for number in range(count):
        folder = root / f"pkg{number % 3}"
        folder.mkdir(exist_ok=True, parents=True)
        text = f'def only_{number}():\n    """Do."""\n    shared_name()\n    print()\n\n\nclass C:\n    pass\n'
        (folder / f"m{number}.py").write_text(text + ("\n\ndef shared_name():\n    pass\n" if number == 0 else ""))
    return root


Scenario = Callable[[Watched], Any]


def play(scenario: Scenario, config: dict[str, Any] | None = None, do: Any = work) -> Any:
    """Run a scenario against an engine of its own in virtual time, and check the engine's state after it."""

    async def life() -> Any:
        async with World(config, 1, hosts=2, work=do).running() as world:
            try:
                told = await scenario(Watched(world))
            except (FleetError, AssertionError) as error:
                return error  # raised below: the engine's own group would wrap it
            world.state.check()
            return told

    told = run_virtual(life())
    if isinstance(told, Exception):
        raise told
    return told


def demo(operator: Watched, root: Path, **options: Any) -> Any:
    return run_demo(operator, root, clock=operator.world.clock, **options)


async def at_once(call: Callable[..., object], *args: object) -> object:
    """Stand in for asyncio.to_thread."""
    return call(*args)
