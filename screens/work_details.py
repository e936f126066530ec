"""A task and an agent in full: what a task was given, what came of it and its output; what an agent did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, cast

from engine.model.agent_commands import DrainAgent, RestartAgent, UndrainAgent, UnregisterAgent
from engine.model.question_rows import QuestionRow
from engine.model.rows import AgentRow, TaskRow
from screens.acts import cancel_of, priority_of, retry_of
from screens.answering import Answering
from screens.details import ThingDocument
from screens.feed import Changes
from screens.linked import Link, Linked
from screens.present_asked import asked_lines
from screens.present_text import (
    TASKS_SHOWN,
    Lines,
    agent_info,
    agent_tasks,
    diff_lines,
    diff_of,
    log_lines,
    note,
    task_info,
    task_payload,
    task_result,
)


class TaskDetails(Answering, ThingDocument):
    """A task: why it is where it is, what it was given, what came of it, and its output."""

    NAME: ClassVar[str] = "task"
    KIND: ClassVar[str] = "tasks"
    KINDS: ClassVar[tuple[str, ...]] = ("tasks",)
    TABS: ClassVar[tuple[str, ...]] = ("info", "why", "payload", "result", "diff", "log", "timeline")

    def subject(self) -> str:
        """Return the task's own title."""
        row = cast("TaskRow | None", self.row)
        return (row.title if row is not None else "") or self.thing

    async def read_plain(self) -> object:
        """Return the whole task."""
        return await self.ask_engine("task", id=self.thing)

    async def read_own(self, tab: str) -> Lines | Linked:
        """Read a tab; a large result is fetched."""
        data = await self.ask_engine("task", id=self.thing)
        if tab == "log":
            return log_lines(await self.ask_engine("log", id=self.thing), data["state"])
        if tab == "payload":
            return task_payload(data)
        if tab in ("result", "diff"):
            artifact = await self.ask_engine("artifact", id=data["artifact"]) if data["artifact"] else None
            return task_result(data, artifact) if tab == "result" else diff_lines(diff_of(data, artifact))
        return [*asked_lines(data, self.feed.now()), *task_info(data, self.feed.now(), self.console.glyphs)]

    def is_moving(self) -> bool:
        """The output of a running task grows, and so does its time."""
        row = cast("TaskRow | None", self.row)
        return super().is_moving() or (row is not None and row.state in ("running", "needs_input") and self.tab in ("log", "info"))

    def asked(self) -> Sequence[QuestionRow]:
        """Return what its agent asks."""
        return self.questions_of([self.thing])

    def action_cancel(self) -> None:
        """Stop it."""
        self.ask_about(cancel_of(self.row) if self.row else None, "it has ended; there is nothing to stop")

    def action_retry(self) -> None:
        """Run it again."""
        self.ask_about(retry_of(self.row) if self.row else None, "only a task that failed, died or was cancelled runs again")

    def action_prioritise(self, step: int) -> None:
        """Move its priority."""
        self.ask_about(priority_of(self.row, step) if self.row else None, "only a waiting task has a priority to change, from 1 to 10")


class AgentDetails(ThingDocument):
    """An agent: how it is and on what evidence, its tasks, the output of its task, and what happened to it."""

    NAME: ClassVar[str] = "agent"
    KIND: ClassVar[str] = "agents"
    KINDS: ClassVar[tuple[str, ...]] = ("agents", "tasks")
    TABS: ClassVar[tuple[str, ...]] = ("info", "why", "tasks", "log", "timeline")

    def subject(self) -> str:
        """Return the agent's name."""
        row = cast("AgentRow | None", self.row)
        return row.name if row is not None else self.thing

    async def read_plain(self) -> object:
        """Return the whole agent without its events."""
        data: Mapping[str, Any] = await self.ask_engine("agent", id=self.thing)
        return {key: value for key, value in data.items() if key != "events"}

    async def read_own(self, tab: str) -> Lines | Linked:
        """Read a tab."""
        now, glyphs = self.feed.now(), self.console.glyphs
        if tab == "tasks":
            tasks = self._tasks()
            return Linked(agent_tasks(tasks, now, glyphs), {number: Link("tasks", row.id) for number, row in enumerate(tasks[:TASKS_SHOWN])})
        data = await self.ask_engine("agent", id=self.thing)
        if tab == "log":
            if not data["task"]:
                return note("it has no task now; the outputs of its earlier ones are with those tasks")
            return log_lines(await self.ask_engine("log", id=data["task"]), "running")
        return agent_info(data, now, glyphs)

    def _tasks(self) -> list[TaskRow]:
        tasks = cast("Iterable[TaskRow]", self.feed.tables["tasks"].values())
        name = self.subject()
        return sorted((row for row in tasks if row.agent == name), key=lambda row: -row.submitted_at)

    def concerns(self, changes: Changes) -> bool:
        """The list of its tasks changes when a task does."""
        return super().concerns(changes) or (self.tab == "tasks" and "tasks" in changes.changed)

    def is_moving(self) -> bool:
        """The output of its task grows."""
        return super().is_moving() or self.tab == "log"

    def action_drain(self) -> None:
        """Give it no more work."""
        self.console.ask([DrainAgent(self.thing)])

    def action_undrain(self) -> None:
        """Give it work again."""
        self.console.ask([UndrainAgent(self.thing)])

    def action_restart(self) -> None:
        """Start it anew when its task has ended."""
        self.console.ask([RestartAgent(self.thing)])

    def action_unregister(self) -> None:
        """Take it out of its pool for good."""
        self.console.ask([UnregisterAgent(self.thing)])
