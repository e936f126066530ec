"""What asks before something happens: a size, and what becomes of the engine; `plan_dialog` has plans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from screens.keyed import Keyed, keymap_of
from screens.present import plural
from screens.widgets.cells import clip
from screens.widgets.line import Line

LINES_SHOWN = 12
CONFIRM_WORD = "yes"


def room_in(width: int) -> int:
    """Return how wide the lines of a dialog may be on a terminal of some width."""
    return min(70, max(30, int(width * 0.9) - 4))


class Dialog(Keyed, ModalScreen[str | None]):
    """A box with a title, lines, perhaps an input, and the keys that answer it; esc gives None."""

    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("dialog",)

    def __init__(self, title: str, lines: Sequence[str], keys: str, *, prompt: str = "") -> None:
        super().__init__()
        self._title = title
        self._lines = lines
        self._keys = keys
        self._prompt = prompt

    def compose(self) -> ComposeResult:
        """Lay out the box."""
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="title", markup=False)
            yield Static("\n".join(["", *self._lines, ""]), id="lines", markup=False)
            if self._prompt:
                yield Line(placeholder=self._prompt, id="answer", compact=True)
            yield Static("", id="problem", classes="bad", markup=False)
            yield Static(self.say_keys(self._keys), classes="note", markup=False)

    def on_mount(self) -> None:
        """Type at once where something is to be typed."""
        if self._prompt:
            self.query_one("#answer", Input).focus()

    async def on_key(self, event: Key) -> None:
        """Take what was typed before the input had the focus."""
        if not self._prompt or self.query_one("#answer", Input).has_focus:
            return
        answer = self.query_one("#answer", Input)
        if event.key in keymap_of(self.app)["line.submit"].keys.split(","):
            await answer.action_submit()
            event.stop()
        elif event.is_printable and event.character:
            answer.insert_text_at_cursor(event.character)
            event.stop()

    def show_problem(self, text: str) -> None:
        """Say what is wrong with the answer."""
        self.query_one("#problem", Static).update(text)

    def action_drop(self) -> None:
        """Change nothing."""
        self.dismiss(None)


class ScaleDialog(Dialog):
    """A size for some pools; gives the words typed, or None."""

    def __init__(self, pools: Sequence[str]) -> None:
        lines = [f"{', '.join(pools[:6])}{' …' if len(pools) > 6 else ''}"]
        super().__init__("Scale", lines, "{line.submit} shows the plan · {dialog.drop} drops it", prompt="12, +3, -2, 150%, =min or =max")

    @on(Input.Submitted)
    def _submit(self, event: Input.Submitted) -> None:
        if event.value.strip():
            self.dismiss(event.value.strip())
        else:
            self.show_problem("write a size: 12, +3, -2, 150%, =min or =max")


class QuitDialog(Dialog):
    """What becomes of the engine that this console started; gives `stop`, `leave` or None."""

    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("quit", "dialog")

    def __init__(self, running: int, waiting: int) -> None:
        lines = [
            f"{plural(running, 'task')} {'runs' if running == 1 else 'run'} and {waiting:,} {'waits' if waiting == 1 else 'wait'}.",
            "",
            "leave: the engine and its agents go on; `fleet-tui` attaches again",
            "stop the engine: running tasks run again at the next start",
        ]
        super().__init__("Quit", lines, "{quit.leave} leave · {quit.stop} stop · {dialog.drop} stay")

    def action_answer(self, word: str) -> None:
        """Answer."""
        self.dismiss(word)


class RunDialog(Dialog):
    """The programs that a command of the user's own would run; gives a text, or None.

    Enter runs them; a dangerous command needs the word `yes`.
    """

    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("confirm", "dialog")

    def __init__(self, title: str, programs: Sequence[str], width: int, *, is_dangerous: bool) -> None:
        lines = [clip(line, width) for line in programs[:LINES_SHOWN]]
        if len(programs) > LINES_SHOWN:
            lines.append(f"… and {len(programs) - LINES_SHOWN} more")
        keys, prompt = "{confirm.run} runs · {dialog.drop} drops it", ""
        if is_dangerous:
            keys, prompt = f"type {CONFIRM_WORD} and press {{line.submit}} · {{dialog.drop}} drops it", CONFIRM_WORD
        super().__init__(title, lines, keys, prompt=prompt)

    @on(Input.Submitted)
    def _submit(self, event: Input.Submitted) -> None:
        if event.value.strip().lower() == CONFIRM_WORD:
            self.dismiss("")
        else:
            self.show_problem(self.say_keys(f"type {CONFIRM_WORD} to go on, {{dialog.drop}} to drop it"))

    def action_answer(self) -> None:
        """Run them, unless a word is asked for."""
        if not self._prompt:
            self.dismiss("")
