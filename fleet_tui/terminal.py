"""What the terminal at hand can show, from what its environment says; pure.

Owner: nobody. ssh forwards TERM and, by default, neither COLORTERM nor TERM_PROGRAM; so TERM alone must do. Imports
nothing of the console: whoever opens one decides before Textual is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping

NONE, SIXTEEN, MANY, TRUE = "none", "16", "256", "truecolor"
LEVELS = (NONE, SIXTEEN, MANY, TRUE)
"""Numbers of colours; the same words as `themes.reduction.Level`, which is too much to load for `--help`."""

TRUE_TERMS = ("xterm-kitty", "xterm-ghostty", "ghostty", "alacritty", "foot", "wezterm", "contour", "iterm2", "konsole", "mintty", "vte")
"""Terminals of 16 million colours that say so by their name."""
TRUE_PROGRAMS = frozenset({"iTerm.app", "WezTerm", "vscode", "ghostty", "mintty", "Tabby", "rio", "Hyper", "WarpTerminal"})
"""The same by TERM_PROGRAM, where it is known."""
COLOURLESS_TERMS = ("vt", "dumb", "lpr", "printer")
SILENT_TERMS = ("linux", "vt", "dumb", "ansi", "cygwin", "sun", "screen")
"""Terminals that would print a question about their background instead of answering it."""
VTE_TRUE_VERSION = 3600


def find_level(environment: Mapping[str, str], wanted: str = "auto") -> str:
    """Return how many colours there are: what is wanted, else none for NO_COLOR, else what the terminal has."""
    if wanted in LEVELS:
        return wanted
    if environment.get("NO_COLOR"):
        return NONE
    term = environment.get("TERM", "")
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit", "yes") or term.endswith("-direct"):
        return TRUE
    if term.startswith(TRUE_TERMS) or _is_true_program(environment):
        return TRUE
    if "256" in term or term.startswith(("tmux", "rxvt-unicode")):
        return MANY
    return NONE if not term or term.startswith(COLOURLESS_TERMS) or term.endswith(("-m", "-mono")) else SIXTEEN


def _is_true_program(environment: Mapping[str, str]) -> bool:
    """Tell whether the terminal program of this machine, known by its own variables, has all colours."""
    if environment.get("TERM", "").startswith(("screen", "tmux", "linux")):
        return False  # The variables may be those of another terminal, from which a multiplexer was started.
    vte = environment.get("VTE_VERSION", "")
    return (
        environment.get("TERM_PROGRAM", "") in TRUE_PROGRAMS
        or "WT_SESSION" in environment
        or "KONSOLE_VERSION" in environment
        or (vte.isdecimal() and int(vte) >= VTE_TRUE_VERSION)
    )


def is_utf8(environment: Mapping[str, str]) -> bool:
    """Tell whether the locale's encoding is UTF-8; where none is set, terminals of today are."""
    locale = environment.get("LC_ALL") or environment.get("LC_CTYPE") or environment.get("LANG") or "UTF-8"
    return "utf-8" in locale.lower() or "utf8" in locale.lower()


def has_unicode_font(environment: Mapping[str, str]) -> bool:
    """Tell whether signs such as a bar of eighths can be drawn; the Linux console's font has no room for them."""
    return is_utf8(environment) and environment.get("TERM", "") != "linux"


def answers_questions(environment: Mapping[str, str]) -> bool:
    """Tell whether a terminal may be asked for its background."""
    term = environment.get("TERM", "")
    return bool(term) and (not term.startswith(SILENT_TERMS) or ("screen" in term and "TMUX" in environment))


def is_light(environment: Mapping[str, str]) -> bool | None:
    """Tell from COLORFGBG whether the background is light; None where it is not set or says `default`."""
    ground = environment.get("COLORFGBG", "").rpartition(";")[2]
    return int(ground) not in (*range(7), 8) if ground.isdecimal() else None
