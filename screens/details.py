"""Documents about one thing: tabs, find, copy and YAML; read by queries in a worker, errors shown as text.

Owner: each screen owns what it has read of its thing. It reads again when the thing's row changes, one query at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, cast

from textual import on
from textual.widget import Widget
from textual.widgets import Input
from textual.worker import Worker, WorkerState

from engine.model.commands import (
    Command,
    DrainAgent,
    RedoPlan,
    RestartAgent,
    UndrainAgent,
    UnregisterAgent,
)
from engine.model.errors import FleetError
from engine.model.rows import AgentRow, AuditRow, PlanRow, Row, TaskRow
from screens.acts import cancel_of, priority_of, retry_of, undo_of
from screens.base import FleetScreen
from screens.document import Document
from screens.feed import Changes
from screens.present import age
from screens.present_text import (
    Lines,
    agent_info,
    agent_tasks,
    audit_info,
    diff_lines,
    diff_of,
    log_lines,
    note,
    plan_info,
    pool_info,
    task_info,
    task_payload,
    task_result,
    timeline,
    yaml_lines,
)
from screens.widgets.cells import Cell
from screens.widgets.line import Line
from screens.widgets.statusbar import Part

YAML_TAB = "yaml"


class DocumentScreen(FleetScreen):
    """One thing in full."""

    NAME: ClassVar[str] = "document"
    TABS: ClassVar[tuple[str, ...]] = ("info",)
    TAILS: ClassVar[frozenset[str]] = frozenset({"log", "timeline"})
    """Tabs whose end matters most."""
    HAS_YAML: ClassVar[bool] = True

    def __init__(self, thing: str, tab: str = "") -> None:
        super().__init__()
        self.thing = thing
        """Id of what it is about."""
        self.tab = tab or self.TABS[0]
        self._shown_tab = ""
        self._is_loading = False
        self._is_outdated = False
        self._read_at: float | None = None

    # ---- what a document fills in

    async def read(self, tab: str) -> Lines:
        """Return the lines of a tab. Raises FleetError."""
        raise NotImplementedError

    async def read_plain(self) -> object:
        """Return the thing as plain values, for YAML. Raises FleetError."""
        row = self.row
        return dict(zip(row._fields, row, strict=True)) if row is not None else {}

    def subject(self) -> str:
        """Return what the document is about."""
        return self.thing

    # ---- reading

    @property
    def row(self) -> Row | None:
        """Return the thing's row, None when the console has none."""
        return self.feed.tables[self.KIND].get(self.thing) if self.KIND else None

    def subjects(self) -> Sequence[Row]:
        """Return the row of the thing."""
        row = self.row
        return () if row is None else (row,)

    @property
    def tabs(self) -> tuple[str, ...]:
        """Return all tabs."""
        return (*self.TABS, YAML_TAB) if self.HAS_YAML else self.TABS

    async def ask_engine(self, what: str, **parameters: object) -> Any:  # noqa: ANN401  # plain values
        """Ask the engine. Raises FleetError."""
        return await self.feed.operator.query(what, **parameters)

    def _reload(self) -> None:
        """Read the tab again; when that is under way already, once more after it."""
        if self._is_loading:
            self._is_outdated = True
            return
        self._is_loading = True
        self.run_worker(self._read_tab(self.tab), group="read", exclusive=True, exit_on_error=False)

    async def _read_tab(self, tab: str) -> None:
        try:
            lines = await self._lines_of(tab)
        except FleetError as error:
            lines = note(str(error), "bad")
        self._is_loading = False
        if tab == self.tab:
            is_new, self._shown_tab = self._shown_tab != tab, tab
            self._read_at = self.feed.now()
            self.query_one(Document).show(lines, is_tail=tab in self.TAILS, is_new=is_new)
            self.show_chrome()
        if self._is_outdated or tab != self.tab:
            self._is_outdated = False
            self._reload()

    async def _lines_of(self, tab: str) -> Lines:
        if tab == YAML_TAB:
            return [(line,) for line in yaml_lines(await self.read_plain())]
        return await self.read(tab)

    @on(Worker.StateChanged)
    def _show_failure(self, event: Worker.StateChanged) -> None:
        if event.worker.group == "read" and event.state is WorkerState.ERROR:
            self._is_loading = False
            self.query_one(Document).show(note(f"this cannot be shown: {event.worker.error!r}", "bad"), is_new=True)

    def refresh_rows(self, changes: Changes) -> None:
        """Read again when the thing changed, or may have; ages grow by themselves."""
        if self._read_at is None or changes.is_full or self.concerns(changes) or self.is_moving():
            self._reload()

    def concerns(self, changes: Changes) -> bool:
        """Tell whether what is shown changed."""
        return bool(self.KIND) and (self.thing in changes.changed.get(self.KIND, ()) or self.thing in changes.removed.get(self.KIND, ()))

    def is_moving(self) -> bool:
        """Tell whether what is shown grows without the row changing, as the output of a running task does."""
        return False

    # ---- the chrome

    def compose_body(self) -> Iterable[Widget]:
        """Yield the text and the find line."""
        yield Document(glyphs=self.console.glyphs, id="text")
        line = Line(placeholder="find", id="find", classes="command-line", compact=True)
        line.display = False
        yield line

    def on_mount(self) -> None:
        """Begin to read."""
        self.TITLE = self.subject()  # type: ignore[misc]  # the breadcrumb names the thing, not the class
        super().on_mount()
        self.query_one(Document).focus()

    def heading(self) -> tuple[Sequence[Part], Sequence[Part]]:
        """Name the thing and its tabs; say how old a text is that can no longer be read."""
        tabs = [Cell(f"[{tab}]", "accent") if tab == self.tab else Cell(tab, "dim") for tab in self.tabs]
        right: list[Part] = []
        if self._read_at is not None and self.feed.stale_s():
            right.append(Cell(f"read {age(self.feed.now() - self._read_at)} ago", "warn"))
        elif self._read_at is None:
            right.append(Cell("reading …", "dim"))
        return [Cell(self.subject(), "accent"), *tabs], right

    # ---- keys

    def show_tab(self, tab: str) -> None:
        """Show a tab."""
        self.tab = tab
        self.show_chrome()
        self._reload()

    def action_next_tab(self, step: int) -> None:
        """Show the next tab or the one before."""
        tabs = self.tabs
        self.show_tab(tabs[(tabs.index(self.tab) + step) % len(tabs)])

    def action_yaml(self) -> None:
        """Show the thing as YAML, or its first tab again."""
        if self.HAS_YAML:
            self.show_tab(self.TABS[0] if self.tab == YAML_TAB else YAML_TAB)

    def action_find(self) -> None:
        """Open the find line."""
        line = self.query_one("#find", Input)
        line.display = True
        line.focus()

    @on(Input.Changed, "#find")
    def _find(self, event: Input.Changed) -> None:
        self.query_one(Document).search(event.value)

    @on(Input.Submitted, "#find")
    def _leave_find(self) -> None:
        self.query_one("#find", Input).display = False
        self.query_one(Document).focus()

    def action_next_match(self, step: int) -> None:
        """Go to another match."""
        self.query_one(Document).move_match(step)

    def action_copy(self) -> None:
        """Copy the text to the clipboard (OSC 52)."""
        text = self.query_one(Document).text
        self.app.copy_to_clipboard(text)
        self.console.say(f"copied {text.count(chr(10)) + 1} lines")

    def clear(self) -> bool:
        """End the search before leaving."""
        line, document = self.query_one("#find", Input), self.query_one(Document)
        if line.display or document.is_searching:
            line.value = ""
            line.display = False
            document.search("")
            document.focus()
            return True
        return super().clear()

    def ask_about(self, command: Command | None, refusal: str) -> None:
        """Ask for a verb on the thing, or say why there is nothing to ask for."""
        if command is not None:
            self.console.ask([command])
        else:
            self.console.say(refusal, role="warn")


class WorkDetails(DocumentScreen):
    """What a task and an agent have in common: keys that open a tab."""

    def action_describe(self) -> None:
        """Show the first tab."""
        self.show_tab("info")

    def action_why(self) -> None:
        """Show why it is as it is, with the evidence."""
        self.show_tab("info")

    def action_log(self) -> None:
        """Show the output of its task."""
        self.show_tab("log")

    def action_timeline(self) -> None:
        """Show what happened to it."""
        self.show_tab("timeline")


class TaskDetails(WorkDetails):
    """A task: why it is where it is, what it was given, what came of it, and its output."""

    NAME: ClassVar[str] = "task"
    KIND: ClassVar[str] = "tasks"
    KINDS: ClassVar[tuple[str, ...]] = ("tasks",)
    TABS: ClassVar[tuple[str, ...]] = ("info", "payload", "result", "diff", "log", "timeline")

    def subject(self) -> str:
        """Return the task's own title."""
        row = cast("TaskRow | None", self.row)
        return (row.title if row is not None else "") or self.thing

    async def read_plain(self) -> object:
        """Return the whole task."""
        return await self.ask_engine("task", id=self.thing)

    async def read(self, tab: str) -> Lines:
        """Read a tab; a large result is fetched."""
        if tab == "timeline":
            return timeline(await self.ask_engine("timeline", id=self.thing), self.console.glyphs)
        data = await self.ask_engine("task", id=self.thing)
        if tab == "log":
            return log_lines(await self.ask_engine("log", id=self.thing), data["state"])
        if tab == "payload":
            return task_payload(data)
        if tab in ("result", "diff"):
            artifact = await self.ask_engine("artifact", id=data["artifact"]) if data["artifact"] else None
            return task_result(data, artifact) if tab == "result" else diff_lines(diff_of(data, artifact))
        return task_info(data, self.feed.now(), self.console.glyphs)

    def is_moving(self) -> bool:
        """The output of a running task grows, and so does its time."""
        row = cast("TaskRow | None", self.row)
        return row is not None and row.state == "running" and self.tab in ("log", "info")

    def action_cancel(self) -> None:
        """Stop it."""
        self.ask_about(cancel_of(self.row) if self.row else None, "it has ended; there is nothing to stop")

    def action_retry(self) -> None:
        """Run it again."""
        self.ask_about(retry_of(self.row) if self.row else None, "only a task that failed, died or was cancelled runs again")

    def action_prioritise(self, step: int) -> None:
        """Move its priority."""
        self.ask_about(priority_of(self.row, step) if self.row else None, "only a waiting task has a priority to change, from 1 to 10")


class AgentDetails(WorkDetails):
    """An agent: how it is and on what evidence, its tasks, the output of its task, and what happened to it."""

    NAME: ClassVar[str] = "agent"
    KIND: ClassVar[str] = "agents"
    KINDS: ClassVar[tuple[str, ...]] = ("agents", "tasks")
    TABS: ClassVar[tuple[str, ...]] = ("info", "tasks", "log", "timeline")

    def subject(self) -> str:
        """Return the agent's name."""
        row = cast("AgentRow | None", self.row)
        return row.name if row is not None else self.thing

    async def read_plain(self) -> object:
        """Return the whole agent without its events."""
        data: Mapping[str, Any] = await self.ask_engine("agent", id=self.thing)
        return {key: value for key, value in data.items() if key != "events"}

    async def read(self, tab: str) -> Lines:
        """Read a tab."""
        now, glyphs = self.feed.now(), self.console.glyphs
        if tab == "tasks":
            return agent_tasks(self._tasks(), now, glyphs)
        if tab == "timeline":
            return timeline(await self.ask_engine("timeline", id=self.thing), glyphs)
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
        return self.tab == "log"

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


class PoolDetails(DocumentScreen):
    """A pool: what it is made of and how it is."""

    KIND: ClassVar[str] = "pools"
    KINDS: ClassVar[tuple[str, ...]] = ("pools",)
    TABS: ClassVar[tuple[str, ...]] = ("info", "timeline")

    async def read_plain(self) -> object:
        """Return the whole pool."""
        return await self.ask_engine("pool", id=self.thing)

    async def read(self, tab: str) -> Lines:
        """Read a tab."""
        if tab == "timeline":
            return timeline(await self.ask_engine("timeline", id=self.thing), self.console.glyphs)
        return pool_info(await self.ask_engine("pool", id=self.thing), self.feed.now(), self.console.glyphs)


class PlanDetails(DocumentScreen):
    """A plan that was carried out: what it did, and what undoing it would do."""

    NAME: ClassVar[str] = "plan"
    KIND: ClassVar[str] = "plans"
    KINDS: ClassVar[tuple[str, ...]] = ("plans",)

    async def read(self, tab: str) -> Lines:
        """Read the plan; the engine says what its undo would do, which changes nothing."""
        row = cast("PlanRow | None", self.row)
        if row is None:
            return note("the engine keeps this plan no longer; the audit has what it did")
        audit = cast("Iterable[AuditRow]", self.feed.tables["audit"].values())
        steps = [line for line in audit if line.plan == row.id and line.result == "done"]
        undo = await self._read_undo(row)
        return plan_info(row, steps, undo, self.feed.now(), self.console.glyphs)

    async def _read_undo(self, row: PlanRow) -> Any:  # noqa: ANN401  # steps, or why there are none
        command = undo_of(row, self.feed.now())
        if command is None:
            if row.undone:
                return self.say_keys("it was undone; {plans.redo} applies it again")
            return "it can no longer be undone" if row.undo_until else "it cannot be undone"
        try:
            return (await self.feed.operator.plan([command])).steps
        except FleetError as error:
            return str(error)

    def action_undo_this(self) -> None:
        """Take it back."""
        command = undo_of(self.row, self.feed.now()) if self.row else None
        self.ask_about(command, "it was undone already, or its window has closed")

    def action_redo_this(self) -> None:
        """Apply it again."""
        row = cast("PlanRow | None", self.row)
        self.ask_about(RedoPlan(row.id) if row is not None and row.undone else None, "only a plan that was undone can be applied again")


class AuditDetails(DocumentScreen):
    """One line of the audit in full."""

    KIND: ClassVar[str] = "audit"
    KINDS: ClassVar[tuple[str, ...]] = ("audit",)

    async def read(self, tab: str) -> Lines:
        """Read the line."""
        row = cast("AuditRow | None", self.row)
        return note("this line is no longer kept") if row is None else audit_info(row, self.console.glyphs)
