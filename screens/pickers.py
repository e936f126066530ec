"""Dialogs that offer a choice by one key: which column to sort by, which digit to keep a bookmark under."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from screens.keyed import Keyed
from screens.places import SLOTS, Bookmarks
from screens.widgets.cells import Glyphs
from screens.widgets.columns import Column
from screens.widgets.table_lines import Sort


class Choices(Keyed, OptionList):
    """Textual's list with our keys."""

    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("choices",)


class Picker(Keyed, ModalScreen[str | None]):
    """A list to choose from: arrows or first letters move, enter chooses, esc gives None."""

    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("choice",)

    def __init__(self, title: str, choices: Sequence[tuple[str, str]], *, note: str, chosen: str | None = None) -> None:
        """Offer ids with their texts; one of them is chosen already."""
        super().__init__()
        self._title = title
        self._choices = choices
        self._note = note
        self._chosen = chosen

    def compose(self) -> ComposeResult:
        """Lay out the list."""
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="title", markup=False)
            yield Choices(*(Option(Text(text), id=id_) for id_, text in self._choices), compact=True)
            yield Static(self.say_keys(self._note), classes="note", markup=False)

    def on_mount(self) -> None:
        """Begin at what is chosen already."""
        ids = [id_ for id_, _ in self._choices]
        options = self.query_one(OptionList)
        options.highlighted = ids.index(self._chosen) if self._chosen in ids else 0
        options.focus()

    def on_key(self, event: Key) -> None:
        """Go to the next text that begins with the letter typed."""
        letter = (event.character or "").lower()
        if not event.is_printable or not letter.strip():
            return
        event.stop()
        options = self.query_one(OptionList)
        at = options.highlighted if options.highlighted is not None else -1
        places = [index for index, (_, text) in enumerate(self._choices) if text.lstrip("*^v▲▼ ").lower().startswith(letter)]
        if places:
            options.highlighted = next((index for index in places if index > at), places[0])

    @on(OptionList.OptionSelected)
    def _choose(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)

    def action_drop(self) -> None:
        """Choose nothing."""
        self.dismiss(None)


class SortPicker(Picker):
    """The columns of a table; gives the one to sort by, or None. The present one turns round."""

    def __init__(self, columns: Sequence[Column], sort: Sort, *, glyphs: Glyphs) -> None:
        arrow = glyphs.descending if sort.is_reversed else glyphs.ascending
        choices = [(column.id, f"{arrow if column.id == sort.column else ' '} {column.title}") for column in columns]
        super().__init__("Sort by", choices, note="a letter moves · {choice.select} sorts, the same again turns round · {choice.drop} drops", chosen=sort.column)


class BookmarkPicker(Keyed, ModalScreen[int | None]):
    """What the digits hold; a digit gives itself, esc gives None."""

    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("digits", "choice")

    def __init__(self, line: str, bookmarks: Bookmarks) -> None:
        super().__init__()
        self._line = line
        self._bookmarks = bookmarks

    def compose(self) -> ComposeResult:
        """Lay out the digits."""
        lines = [f"{slot}  {place.line if (place := self._bookmarks[slot]) else ''}".rstrip() for slot in SLOTS]
        with Vertical(classes="dialog"):
            yield Static(f"Keep {self._line} under", classes="title", markup=False)
            yield Static("\n".join(lines), markup=False)
            yield Static(self.say_keys("a digit keeps it, and opens it from then on · {choice.drop} drops it"), classes="note", markup=False)

    def action_choose(self, slot: int) -> None:
        """Take a digit."""
        self.dismiss(slot)

    def action_drop(self) -> None:
        """Keep nothing."""
        self.dismiss(None)
