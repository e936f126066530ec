"""`:inbox`: everything that waits for a person, the most pressing first, to be opened, acknowledged or snoozed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on
from textual.widget import Widget

from engine.model.budget_rows import BudgetRow
from engine.model.question_rows import QuestionRow
from screens.answering import Answering
from screens.base import FleetScreen
from screens.budgeting import Budgeting
from screens.feed import Changes
from screens.places import Place
from screens.present import plural
from screens.present_pulse import NEED_COLUMNS, NEED_KINDS, Need, need_cells
from screens.pulse_panels import screen_of
from screens.widgets.cells import Cell
from screens.widgets.statusbar import Part
from screens.widgets.table import Table

HOUR_S = 3_600.0


class InboxScreen(Answering, Budgeting, FleetScreen):
    """What needs somebody."""

    NAME: ClassVar[str] = "inbox"
    TITLE: ClassVar[str] = "Inbox"
    KINDS: ClassVar[tuple[str, ...]] = NEED_KINDS

    def __init__(self, _text: str = "") -> None:
        super().__init__()
        self._needs: dict[str, Need] = {}

    def place(self) -> Place:
        """Return where somebody would come back to."""
        return Place(self.NAME)

    @property
    def table(self) -> Table:
        """Return the list."""
        return self.query_one(Table)

    def compose_body(self) -> Iterable[Widget]:
        """Yield the list."""
        yield Table(NEED_COLUMNS, glyphs=self.console.glyphs, empty="nothing needs you", now=self.feed.now, id="table")

    def on_mount(self) -> None:
        """Begin at the first."""
        super().on_mount()
        self.table.focus()

    def refresh_rows(self, changes: Changes) -> None:  # noqa: ARG002  # what is open decides
        """Show what is open."""
        now, table = self.feed.now(), self.table
        attention = self.console.attention
        attention.look(now)
        self._needs = {need.id: need for need in attention.open(now)}
        cells = {id_: need_cells(need, now, self.console.glyphs) for id_, need in self._needs.items()}
        if list(table.shown_ids) == list(cells):
            table.update_rows(cells)
        else:
            table.set_rows(list(cells), list(cells.values()))

    def heading(self) -> tuple[Sequence[Part], Sequence[Part]]:
        """Say how many there are, and how many are put away."""
        away = self.console.attention.put_away()
        right: list[Part] = [plural(len(self._needs), "thing")] if self._needs else []
        return [Cell(self.TITLE, "accent")], [*([Cell(f"{away} put away", "dim")] if away else []), *right]

    def _chosen(self) -> list[Need]:
        table = self.table
        ids = table.marked_ids or ([table.pointed_id] if table.pointed_id else [])
        return [self._needs[id_] for id_ in ids if id_ in self._needs]

    def asked(self) -> Sequence[QuestionRow]:
        """Return the chosen needs that are questions."""
        questions = self.feed.tables["questions"]
        return [row for need in self._chosen() if isinstance(row := questions.get(need.id), QuestionRow)]

    def limits(self) -> list[BudgetRow]:
        """Return the chosen needs that are limits."""
        budgets = self.feed.tables["budgets"]
        return [row for need in self._chosen() if isinstance(row := budgets.get(need.id), BudgetRow)]

    def action_raise_limit(self) -> None:
        """Raise the chosen limit."""
        if self.limits():
            super().action_raise_limit()
        else:
            self.console.say("nothing here is a limit", role="warn")

    def _again(self) -> None:
        self.table.clear_marks()
        self.refresh_rows(Changes())
        self.show_chrome()

    @on(Table.Opened)
    def _open(self, event: Table.Opened) -> None:
        need = self._needs.get(event.row_id)
        if need is not None:
            self.console.drill(screen_of(need))

    def action_acknowledge(self) -> None:
        """Put the chosen things away until they change."""
        chosen = self._chosen()
        if chosen:
            self.console.attention.acknowledge(chosen)
            self.console.say(f"{plural(len(chosen), 'thing')} put away until changed")
            self._again()

    def action_snooze(self, hours: int) -> None:
        """Put the chosen things away for some hours."""
        chosen = self._chosen()
        if chosen:
            self.console.attention.snooze(chosen, self.feed.now() + hours * HOUR_S)
            self.console.say(f"{plural(len(chosen), 'thing')} put away for {plural(hours, 'hour')}")
            self._again()

    def action_bring_back(self) -> None:
        """Show again what was put away."""
        self.console.attention.bring_back()
        self._again()
