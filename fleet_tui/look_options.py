"""The options that say how a console looks; before a subcommand or after it, the nearer one counts.

Owner: nobody. Imports click; the way to the first frame does not come by here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from fleet_tui.preferences import COLORS, PLAIN_VARIABLE, Wishes

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--theme", default="", metavar="NAME", help="Colours of the console, such as nord; auto: light or dark as the terminal is."),
    click.option("--colors", type=click.Choice(COLORS), default=None, help="How many colours the terminal has; default: by TERM, COLORTERM, NO_COLOR."),
    click.option("--ascii/--unicode", "is_ascii", default=None, help="Draw with ASCII alone, or not; default: by the locale."),
    click.option("--plain", "is_plain", is_flag=True, default=None, help=f"Words, numbers and lines alone, for screen readers; also by {PLAIN_VARIABLE}=1."),
    click.option("--keys", default="", metavar="FILE", help="Keys of the console; default: FLEET_TUI_KEYS, else keys.toml of the user's configuration."),
    click.option("--mouse/--no-mouse", default=None, help="Take the mouse, or leave it to the terminal's own selection."),
)


def look_options(command: F) -> F:
    """Give a command the options of the console's look."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def find_wishes() -> Wishes:
    """Return what the options of this command line wish."""
    context = click.get_current_context()
    root, own = context.find_root().params, context.params

    def wish(name: str) -> Any:  # noqa: ANN401  # typed by the options
        return own[name] if own.get(name) not in (None, "") else root.get(name)

    is_ascii = wish("is_ascii")
    shapes = "plain" if wish("is_plain") else "" if is_ascii is None else "ascii" if is_ascii else "unicode"
    return Wishes(wish("theme") or "", wish("colors") or "", shapes, wish("mouse"), wish("keys") or "")
