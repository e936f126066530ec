"""The dialog that asks how what is shown is to be written, and what of it; made from the screen in front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from textual.widgets import Static

from engine.model.errors import UsageError
from engine.model.rows import ROW_KINDS, Row
from engine.model.wire import nearest
from screens.base import FleetScreen
from screens.details import DocumentScreen
from screens.dialogs import Dialog
from screens.document import Document
from screens.events import EventsScreen
from screens.export import SHEET_FORMS, Paper, Sheet, sheet_of
from screens.tables import TableScreen

SHOWN, MARKED, ALL = "shown", "marked", "all"
"""Which rows: those that pass the filter, in the order of the table; those of them that are marked; all there are."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What can be exported of a screen."""

    name: str
    forms: Sequence[str]
    kind: str = ""
    """Of the rows; empty for a text."""
    rows: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    """Which rows there are to choose from."""
    text: str = ""

    @property
    def usual(self) -> str:
        """Return the rows that are meant when nothing is said: as for verbs, what is marked, where anything is."""
        return MARKED if MARKED in self.rows else next(iter(self.rows), "")

    def choose(self, words: Sequence[str]) -> str:
        """Return a form and which rows from words in any order. Raises UsageError."""
        form, choice = "", ""
        for word in words:
            if word in self.forms and not form:
                form = word
            elif word in self.rows and not choice:
                choice = word
            else:
                known = dict.fromkeys((*self.forms, *self.rows), "")
                raise UsageError(f"export {self.name}: {word!r} is no form and no rows{nearest(word, known)}; there are {', '.join(known)}")
        if not form:
            raise UsageError(f"export {self.name}: say a form: {', '.join(self.forms)}")
        return f"{form} {choice or self.usual}"

    def sheet(self, choice: str) -> Sheet:
        """Return the chosen rows."""
        return sheet_of(self.kind, self.rows[choice])

    def paper(self, thing: object) -> Paper:
        """Return the text."""
        return Paper(self.name, self.text, thing)


def subject_of(screen: FleetScreen) -> Subject:
    """Return what can be exported of a screen: rows of a table or stream, a text, else its picture alone."""
    if isinstance(screen, TableScreen):
        table, known = screen.table, screen.rows
        kind = ROW_KINDS[screen.KIND]  # a tree has rows of other kinds, too: a sheet has one
        choices: dict[str, list[Row]] = {SHOWN: [row for id_ in table.shown_ids if id_ in known and isinstance(row := known[id_], kind)]}
        if table.marked_ids:
            choices[MARKED] = [row for row in choices[SHOWN] if row[0] in table.marked_ids]
        return Subject(screen.NAME, SHEET_FORMS, screen.KIND, choices | {ALL: [row for row in known.values() if isinstance(row, kind)]})
    if isinstance(screen, EventsScreen):
        return Subject(screen.NAME, SHEET_FORMS, "events", {ALL: list(screen.feed.events)})
    if isinstance(screen, DocumentScreen):
        return Subject(f"{screen.NAME}-{screen.thing}-{screen.tab}".strip("-"), screen.FORMS, text=screen.query_one(Document).text)
    return Subject(screen.NAME, ("text", "svg"))


class ExportDialog(Dialog):
    """A form and which rows; gives both as `csv shown`, or None."""

    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("export", "dialog")

    def __init__(self, subject: Subject, place: str) -> None:
        self._subject = subject
        self._place = place
        self._choice = subject.usual
        keys = " · ".join(f"{{export.{form}}} {form}" for form in subject.forms)
        keys += " · {export.rows} other rows" if len(subject.rows) > 1 else ""
        super().__init__(f"Export {subject.name}", self._describe(), f"{keys} · {{dialog.drop}} drops it")

    def _describe(self) -> list[str]:
        lines = [f"to {self._place}"]
        if self._subject.rows:
            lines.insert(0, ", ".join(f"[{name}: {len(rows):,}]" if name == self._choice else f"{name}: {len(rows):,}" for name, rows in self._subject.rows.items()))
        return [*lines, "", "every value in full; what looks like a secret is hidden"]

    def action_answer(self, form: str) -> None:
        """Take a form."""
        if form in self._subject.forms:
            self.dismiss(f"{form} {self._choice}")
        else:
            self.show_problem(f"{self._subject.name} has no {form}: {', '.join(self._subject.forms)}")

    def action_rows(self) -> None:
        """Choose other rows."""
        choices = list(self._subject.rows)
        if choices:
            self._choice = choices[(choices.index(self._choice) + 1) % len(choices)]
            self.query_one("#lines", Static).update("\n".join(["", *self._describe(), ""]))
