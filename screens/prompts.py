"""The lines that are typed into, `:` and `/`: ghost text, completion that tab walks through, history; and the hint above them.

Owner: each prompt owns how far it has walked through candidates and history; the history itself is the caller's list.
Limits: HISTORY_MAX lines, oldest forgotten first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from engine.model.filters import FilterError, split_words
from engine.model.memory_commands import RememberEntry
from screens.commandline import LineError
from screens.completion import Complete
from screens.widgets.cells import ROLES, UNICODE, Cell, Glyphs, clip, measure
from screens.widgets.line import Line
from screens.widgets.segments import merge_segments

HISTORY_MAX = 100
UNREMEMBERED = frozenset({RememberEntry.verb})
"""Verbs whose lines hold values of the fleet's memory."""
HINT_GAP = 2

Fault = LineError | FilterError
"""What is wrong with a text, and the characters that are."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """What a prompt knows of the texts that are typed into it."""

    complete: Complete
    find_fault: Callable[[str], Fault | None]
    explain: Callable[[str], str] = lambda _text: ""
    """How a text goes on, for the hint."""
    is_live: bool = False
    """Whether faults are told while somebody types; else only when the text is to be taken."""


class Prompt(Line):
    """A line with ghost text: tab or right takes it, tab again the next candidate; up and down walk through history."""

    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("prompt", "line")

    def __init__(self, complete: Complete, history: list[str], *, placeholder: str) -> None:
        super().__init__(placeholder=placeholder, classes="prompt")
        self.cursor_blink = False  # a blinking cursor writes for ever
        self._complete = complete
        self._history = history
        self._candidates: list[str] = []
        self._taken = -1
        self._written = ""
        """The text that this prompt put there itself; any other was typed, and what was walked through is over."""
        self._found: list[str] = []
        self._older = 0

    def begin(self, text: str) -> None:
        """Show the line with a text to go on from."""
        self._older = 0
        self._write(text)
        self._look_up(text)

    @property
    def candidates(self) -> Sequence[str]:
        """The lines that the typed one may become, the likeliest first."""
        return self._candidates

    @property
    def taken(self) -> int:
        """Which of the candidates stands in the line; -1 if none does."""
        return self._taken

    def watch_value(self, value: str) -> None:
        """Find what the text may become; a candidate that was put there keeps its neighbours."""
        if value != self._written:
            self._older = 0
            self._look_up(value)

    def _look_up(self, value: str) -> None:
        self._written = ""
        self._candidates, self._taken = self._complete(value), -1
        ghosts = (line for line in (*self._candidates, *reversed(self._history)) if line.startswith(value) and line != value)
        self._suggestion = next(ghosts, "") if value else ""

    def _write(self, text: str) -> None:
        self._written = text
        self.value = text
        self.cursor_position = len(text)

    def action_take(self, step: int) -> None:
        """Put the next candidate (1), the one before (-1) or the ghost text (0) into the line."""
        if not step or not self._candidates:
            if self._suggestion:
                self.value = self._suggestion
                self.cursor_position = len(self.value)
            return
        self._taken = (self._taken + step if self._taken >= 0 else min(0, step)) % len(self._candidates)
        only, text = len(self._candidates) == 1, self._candidates[self._taken]
        self._write(text)
        if only:
            self._look_up(text)

    def action_delete_left_word(self) -> None:
        """Delete back to the blank before, as shells do: words of these lines hold more than letters."""
        kept = self.value[: self.cursor_position].rstrip()
        self.delete(kept.rfind(" ") + 1, self.cursor_position)

    def action_older(self, step: int) -> None:
        """Show an older or newer line of the history, of those that begin with what was typed."""
        if not self._older:
            typed = self.value
            self._found = [typed, *(line for line in reversed(self._history) if line.startswith(typed) and line != typed)]
        self._older = max(0, min(len(self._found) - 1, self._older + step))
        self._suggestion = ""
        self._candidates, self._taken = [], -1
        self._write(self._found[self._older])


class HintBar(Widget):
    """The line above a prompt: what is wrong, under its characters, or how the line may go on."""

    DEFAULT_CSS = "HintBar { height: 1; width: 1fr; }"
    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"bar--{role}" for role in ROLES}

    def __init__(self, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002 - the name every Textual widget has
        super().__init__(id=id)
        self._ellipsis = glyphs.ellipsis
        self._lay_out: Callable[[int], list[Cell]] = lambda _width: []

    def show_fault(self, text: str, start: int, end: int) -> None:
        """Point at the characters from start to end of the prompt, and say what is wrong with them."""
        self._lay_out = lambda width: fault_cells(text, start, end, width, self._ellipsis)
        self.refresh()

    def show_candidates(self, candidates: Sequence[str], taken: int, usage: str) -> None:
        """Say what the line takes, and which words may end it; the one that stands in the line is marked."""
        words = [list(split_words(line))[-1][0].removeprefix("/") for line in candidates]
        self._lay_out = lambda width: candidate_cells(words, taken, usage, width)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the hint."""
        base = self.rich_style
        if y:
            return Strip.blank(self.size.width, base)
        styles = {role: base + self.get_component_rich_style(f"bar--{role}", partial=True) for role in ROLES}
        cells = self._lay_out(self.size.width)
        strip = Strip(merge_segments((cell.text, styles.get(cell.role, base)) for cell in cells))
        return strip.adjust_cell_length(self.size.width, base)


class PromptBox(Vertical):
    """A prompt and its hint over the lowest two lines of a view; it takes the focus, and gives it back when it is closed."""

    # On a layer of its own: what lies below keeps its place, so that opening costs just these two lines.
    DEFAULT_CSS = "PromptBox { layer: prompt; dock: bottom; height: 2; display: none; } PromptBox > Prompt { height: 1; }"

    class PromptMessage(Message):
        """A message of `box` about its text."""

        def __init__(self, box: PromptBox, text: str) -> None:
            super().__init__()
            self.box = box
            self.text = text

        @property
        def control(self) -> PromptBox:
            """Return the box that sent it."""
            return self.box

    class Typed(PromptMessage):
        """The text changed."""

    class Taken(PromptMessage):
        """The text is complete and has no fault; the box is closed."""

    class Dropped(PromptMessage):
        """The text is not wanted; the box is closed."""

    def __init__(self, grammar: Grammar, history: list[str], *, placeholder: str, glyphs: Glyphs, id: str) -> None:  # noqa: A002, PLR0913 - the name every Textual widget has
        super().__init__(id=id)
        self._grammar = grammar
        self._history = history
        self._placeholder = placeholder
        self._glyphs = glyphs
        self._fault: Fault | None = None
        self._focus_before: Widget | None = None

    def compose(self) -> ComposeResult:
        """Lay out the hint above the prompt."""
        yield HintBar(glyphs=self._glyphs)
        yield Prompt(self._grammar.complete, self._history, placeholder=self._placeholder)

    @property
    def prompt(self) -> Prompt:
        """Return what is typed into."""
        return self.query_one(Prompt)

    def open(self, text: str) -> None:
        """Show the box with a text to go on from; what is typed from now on goes into it."""
        if not self.display:
            self._focus_before = self.screen.focused
            self.display = True
        self._fault = None
        self.prompt.begin(text)
        self.screen.set_focus(self.prompt)
        self._show_hint()

    def close(self) -> None:
        """Hide the box and give the keys back."""
        self.display = False
        before = self._focus_before
        self.screen.set_focus(before if before is not None and before.is_attached else None)

    def drop(self) -> None:
        """Close the box without doing what it says."""
        self.close()
        self.post_message(self.Dropped(self, self.prompt.value))

    @on(Input.Changed)
    def _follow(self, event: Input.Changed) -> None:
        event.stop()
        if not self.display:
            return
        self._fault = self._grammar.find_fault(event.value) if self._grammar.is_live else None
        self._show_hint()
        self.post_message(self.Typed(self, event.value))

    @on(Input.Submitted)
    def _take(self, event: Input.Submitted) -> None:
        event.stop()
        self._fault = self._grammar.find_fault(event.value)
        if self._fault is not None:
            self._show_hint()
            return
        self.close()
        text = event.value.strip()
        if text:
            remember(self._history, text)
        self.post_message(self.Taken(self, text))

    def _show_hint(self) -> None:
        """Say above the prompt what is wrong with it, else how it may go on."""
        bar, prompt = self.query_one(HintBar), self.prompt
        if self._fault is not None:
            bar.show_fault(str(self._fault), self._fault.start, self._fault.end)
        else:
            bar.show_candidates(prompt.candidates, prompt.taken, self._grammar.explain(prompt.value))


def remember(history: list[str], line: str) -> None:
    """Put a line at the end of a history, once."""
    if line.lstrip(": ").split(" ", 1)[0] in UNREMEMBERED:
        return  # a value may be a secret, and the history is kept on this disk
    if line in history:
        history.remove(line)
    history.append(line)
    del history[:-HISTORY_MAX]


def fault_cells(text: str, start: int, end: int, width: int, ellipsis: str) -> list[Cell]:
    """Return a caret over the characters from start to end that are wrong, and what is wrong with them, where there is room."""
    start = min(start, max(width - 1, 0))
    caret = Cell("^" * max(1, min(end, width) - start), "bad")
    right = width - start - len(caret.text) - 1
    if max(right, start - 1) < 1:
        return [Cell(" " * start), caret]
    if measure(text) <= right or right >= start:
        return [Cell(" " * start), caret, Cell(" " + clip(text, right, ellipsis), "bad")]
    said = clip(text, start - 1, ellipsis)
    return [Cell(" " * (start - 1 - measure(said)) + said + " ", "bad"), caret]


def candidate_cells(words: Sequence[str], taken: int, usage: str, width: int) -> list[Cell]:
    """Return how a line goes on: what it takes, then the words that may end it, the one that is taken marked."""
    cells = [Cell(usage, "dim")] if usage else []
    used = measure(usage)
    for index, word in enumerate(words[max(0, taken - 3) :], max(0, taken - 3)):
        gap = HINT_GAP if cells else 0
        used += gap + measure(word)
        if used > width:
            break
        cells += [Cell(" " * gap), Cell(word, "accent" if index == taken else "")]
    return [cell for cell in cells if cell.text]
