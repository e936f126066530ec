"""From the command line to the console: is there a terminal, is there an engine, then open it.

Owner: nobody. Imports no click and no Textual: `fleet-tui` without a word is on its way to the first frame.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.model.errors import UsageError
from fleet_tui.preferences import Preferences, Wishes, load_preferences
from fleet_tui.terminal import NONE, SIXTEEN, find_level

if TYPE_CHECKING:
    from fleet_tui.attach import Attached
    from fleet_tui.contexts import Context
    from fleet_tui.settings import Paths

READ_ONLY = "read-only"
PAGE_DRIVER = "textual.drivers.web_driver:WebDriver"
"""What textual-serve has Textual write with."""
ESCAPE_MS = "20"
"""How long an escape waits for the rest of a longer key. Textual's 100 ms are felt at each; keys come in one piece, over SSH too."""
GARBAGE_THRESHOLD = 50_000
"""New objects before garbage is looked for; what the feed brings and screens draw is in no cycles."""


@dataclass(frozen=True, slots=True)
class Guise:
    """As whom the engine is to take a console."""

    mode: str = ""
    """read-only (the engine refuses every verb of this console), write, or as the engine is configured."""
    name: str = ""
    """A name of the engine's account (`--as`); empty for the account itself."""

    @property
    def words(self) -> list[str]:
        """Return the options that say the same."""
        return [f"--{self.mode}"] * bool(self.mode) + ["--as", self.name] * bool(self.name)


@dataclass(frozen=True, slots=True)
class Opening:
    """What a console is opened on, and how it looks."""

    context: Context
    attached: Attached
    preferences: Preferences
    level: str
    """How many colours the terminal has."""
    theme: str = ""
    """What the command line wishes; empty for nothing."""
    guise: Guise = Guise()
    keys: str = ""
    """The file of keys; empty for the usual one."""


def open_here(paths: Paths, argv_extra: Sequence[str] = (), wishes: Wishes = Wishes(), guise: Guise = Guise()) -> None:  # noqa: B008  # values
    """Open the console on the engine of these paths; start one, with more words for it, if there is none. Raises FleetError.

    None is started for who only looks, or acts under a name: an engine is for its account to start.
    """
    from fleet_tui.attach import Attached, ensure_engine, require_engine
    from fleet_tui.contexts import mode_in

    require_terminal()
    preferences = wishes.apply(load_preferences())
    context = _here(paths, preferences)
    if guise.name or mode_in(context, guise.mode) == READ_ONLY:
        attached = Attached(require_engine(paths), started=False)
    else:
        attached = ensure_engine(paths, argv_extra, _tell)
    _open(context, attached, preferences, wishes, guise)


def open_attached(target: str | None, paths: Paths, wishes: Wishes = Wishes(), guise: Guise = Guise()) -> None:  # noqa: B008  # values
    """Open the console on an engine that runs: of these paths, of a directory, or at a socket. Raises FleetError."""
    from fleet_tui.attach import Attached, attach_to

    require_terminal()
    preferences = wishes.apply(load_preferences())
    paths, socket = attach_to(target, paths)
    _open(_here(paths, preferences), Attached(socket, started=False), preferences, wishes, guise)


def open_context(context: Context, wishes: Wishes = Wishes(), guise: Guise = Guise()) -> None:  # noqa: B008  # values
    """Open the console on a context that was named; one that is down is shown as such until it answers. Raises FleetError."""
    from fleet_tui.attach import Attached

    require_terminal()
    _open(context, Attached(context.paths.socket, started=False), wishes.apply(load_preferences()), wishes, guise)


def _here(paths: Paths, preferences: Preferences) -> Context:
    from fleet_tui.contexts import context_here

    return context_here(paths, preferences, os.environ)


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _open(context: Context, attached: Attached, preferences: Preferences, wishes: Wishes, guise: Guise) -> None:
    level = find_level(os.environ, preferences.colors)
    os.environ.update(textual_environment(os.environ, level))
    # Start-up makes tens of thousands of objects that stay: looking for garbage among them takes a tenth of it.
    gc.set_threshold(GARBAGE_THRESHOLD)
    from fleet_tui.app import run_console
    from fleet_tui.diverting import console_output

    with console_output(context.paths.console_printed):
        run_console(Opening(context, attached, preferences, level, wishes.theme, guise, wishes.keys))


def require_terminal() -> None:
    """Check that a console can be opened here. Raises UsageError that says what can be done instead."""
    if not has_terminal():
        raise UsageError(
            "the console needs a terminal, and here is none. In a script: `fleet-tui get tasks -o json`, `fleet-tui submit …`,"
            " `fleet-tui watch`, `fleet-tui demo --headless`; `fleet-tui engine` runs without one. `fleet-tui --help` lists all"
        )
    if os.environ.get("TERM", "") in ("", "dumb"):
        raise UsageError(
            "TERM is not set or dumb, so the console cannot place text: set TERM to what the terminal is (xterm-256color), or use"
            " `fleet-tui --plain`, which needs no more than lines"
        )


def has_terminal() -> bool:
    """Tell whether somebody can see and type: at a terminal, or on the page of `fleet-tui web`."""
    return os.environ.get("TEXTUAL_DRIVER") == PAGE_DRIVER or (sys.stdin.isatty() and sys.stdout.isatty())


def textual_environment(environment: Mapping[str, str], level: str) -> dict[str, str]:
    """Return what Textual reads at its import and would not choose well by itself; what the user has set stays."""
    # 60, the default, makes a key wait for up to 16 ms; our own frames are capped elsewhere.
    chosen = {"TEXTUAL_FPS": "240", "TEXTUAL_ANIMATIONS": "none", "ESCDELAY": ESCAPE_MS}
    chosen["TEXTUAL_COLOR_SYSTEM"] = "standard" if level in (NONE, SIXTEEN) else level
    return {name: value for name, value in chosen.items() if name not in environment}
