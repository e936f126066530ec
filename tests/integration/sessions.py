"""What the tests of sessions share: agents of kind `session` without an engine, and scripts that speak the protocol."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.agents.commands import CommandPlaces
from engine.agents.processes.child_process import ProcessHost
from engine.agents.sessions.kind import SessionAgents
from engine.clock import OrderedIds, SystemClock, system_rng
from engine.model.agents import AgentSpec
from engine.model.effects import Assignment
from engine.model.ids import AgentId, TaskId
from engine.model.pools import PoolSpec, SessionSpec
from engine.model.reports import TasksBegan, TasksEnded
from engine.model.tasks import Outcome

from tests.integration.processes import open_host, wait_until

WAIT_S = 60.0
AGENT = AgentId("agt_1")

TALKS = """
import json, os, sys, time
def say(**message):
    print(json.dumps(message), flush=True)
def raw(data):
    sys.stdout.buffer.write(data); sys.stdout.flush()
def hear():
    return json.loads(sys.stdin.readline())
def turns():
    say(type="hello", protocol=1)
    for line in sys.stdin:
        told = json.loads(line)
        if told["type"] == "bye":
            return
        if told["type"] == "task":
            yield told["id"], told
"""


def sample(language: str) -> str:
    """The program of docs/agents.md in a language."""
    page = (Path(__file__).parents[2] / "docs" / "agents.md").read_text("utf-8").split("\n## The protocol\n", 1)[1]
    return page.split(f"```{language}\n", 1)[1].split("```\n", 1)[0]


def python(script: str) -> tuple[str, ...]:
    """The argv of an agent in Python that has `say`, `raw`, `hear` and `turns`."""
    return (sys.executable, "-S", "-c", TALKS + script)


class Desk:
    """A kind of session agents, with what it reported."""

    def __init__(self, host: ProcessHost, folder: Path, spec: SessionSpec, starts_per_s: float = 0.0) -> None:
        self.host = host
        self.folder = folder
        self.reports: list[Any] = []
        clock, self.logs = SystemClock(), folder / "logs"
        self.logs.mkdir(exist_ok=True)
        self.kind = SessionAgents(
            lambda report, _artifacts=(): self.reports.append(report), host, OrderedIds(clock, system_rng(1)), clock, CommandPlaces(folder, self.logs), starts_per_s
        )
        self.start(spec)

    def start(self, spec: SessionSpec) -> None:
        """Have the agent started, or anew."""
        self.kind.start([(AgentSpec(AGENT, "coder-1", "coder"), PoolSpec("coder", 1, 1, kind="session", session=spec))])

    async def leave(self) -> None:
        """Have the agent leave, and wait until its process is parted with: one of the same name may then start."""
        self.kind.stop([AGENT])
        await wait_until(lambda: not self.host._by_key, WAIT_S)

    def give(self, number: int, prompt: str = "", token: int = 1, **more: Any) -> tuple[TaskId, int]:
        """Hand over a task."""
        task = TaskId(f"tsk_{number}")
        self.kind.deliver([replace(Assignment(task, token, AGENT, "talk", {"prompt": prompt}), **more)])
        return (task, token)

    def ended(self) -> Sequence[Outcome]:
        """What has ended so far."""
        return [outcome for report in self.reports if isinstance(report, TasksEnded) for outcome in report.outcomes]

    def began(self) -> int:
        """How many tasks have begun."""
        return sum(isinstance(report, TasksBegan) for report in self.reports)

    async def until_ended(self, count: int) -> Outcome:
        """Wait until so many tasks have ended, and return how the last one did."""
        await wait_until(lambda: len(self.ended()) >= count, WAIT_S)
        return self.ended()[count - 1]

    async def done(self, number: int, prompt: str = "", **more: Any) -> Outcome:
        """Have a task done to its end."""
        before = len(self.ended())
        self.give(number, prompt, **more)
        return await self.until_ended(before + 1)

    def pid(self) -> int | None:
        """The process of the agent, if it has one."""
        return next(iter(self.host.pids().values()), None)

    def log(self, number: int) -> str:
        """The log of a task's last attempt."""
        path = self.logs / f"tsk_{number}.log"
        return path.read_text("utf-8") if path.exists() else ""


@asynccontextmanager
async def desk(folder: Path, argv: tuple[str, ...], *, starts_per_s: float = 0.0, **settings: Any) -> AsyncIterator[Desk]:
    """One session agent of a program."""
    async with open_host(folder) as host, asyncio.TaskGroup() as group:
        subject = Desk(host, folder, SessionSpec(argv, **settings), starts_per_s)
        running = group.create_task(subject.kind.run())
        try:
            yield subject
        finally:
            running.cancel()
