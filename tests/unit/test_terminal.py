"""What a terminal can show, by its environment: through ssh there is often no more than TERM."""

from __future__ import annotations

import pytest
from fleet_tui.terminal import answers_questions, find_level, has_unicode_font, is_light, is_utf8
from themes.reduction import Level


@pytest.mark.parametrize(
    ("environment", "level"),
    [
        ({"TERM": "xterm-256color"}, "256"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "truecolor"),
        ({"TERM": "xterm", "COLORTERM": "24bit"}, "truecolor"),
        ({"TERM": "xterm"}, "16"),
        ({"TERM": "linux"}, "16"),
        ({"TERM": "screen"}, "16"),
        ({"TERM": "screen-256color"}, "256"),
        ({"TERM": "tmux-256color", "COLORTERM": "truecolor"}, "truecolor"),
        ({"TERM": "xterm-kitty"}, "truecolor"),
        ({"TERM": "alacritty"}, "truecolor"),
        ({"TERM": "foot-extra"}, "truecolor"),
        ({"TERM": "xterm-direct"}, "truecolor"),
        ({"TERM": "rxvt-unicode"}, "256"),
        ({"TERM": "vt100"}, "none"),
        ({"TERM": "vt220"}, "none"),
        ({"TERM": "xterm-mono"}, "none"),
        ({"TERM": "dumb"}, "none"),
        ({}, "none"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "truecolor"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}, "256"),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7600"}, "truecolor"),
        ({"TERM": "xterm-256color", "VTE_VERSION": "3400"}, "256"),
        ({"TERM": "xterm-256color", "WT_SESSION": "x"}, "truecolor"),
        # A multiplexer started from such a terminal inherits its variables.
        ({"TERM": "screen", "TERM_PROGRAM": "WezTerm"}, "16"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "1"}, "none"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": ""}, "truecolor"),
    ],
)
def test_colours_by_environment(environment: dict[str, str], level: str) -> None:
    assert find_level(environment) == level


@pytest.mark.parametrize("level", list(Level))
def test_what_is_wished_goes_above_all(level: str) -> None:
    assert find_level({"TERM": "linux", "NO_COLOR": "1"}, level) == level


@pytest.mark.parametrize(
    ("environment", "utf8"),
    [
        ({}, True), ({"LANG": "C"}, False), ({"LANG": "POSIX"}, False), ({"LANG": "de_CH.ISO-8859-1"}, False), ({"LANG": "en_US.utf8"}, True),
        ({"LANG": "C.UTF-8"}, True), ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, False), ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, True),
    ],
)  # fmt: skip
def test_encoding_by_locale(environment: dict[str, str], utf8: bool) -> None:
    assert is_utf8(environment) is utf8
    assert has_unicode_font(environment | {"TERM": "xterm"}) is utf8


def test_the_linux_console_has_no_font_for_our_signs() -> None:
    assert not has_unicode_font({"TERM": "linux", "LANG": "C.UTF-8"})


@pytest.mark.parametrize(
    ("value", "light"), [("", None), ("default;default", None), ("15;0", False), ("0;15", True), ("0;default;15", True), ("7;8", False), ("0;7", True)]
)
def test_background_by_environment(value: str, light: bool | None) -> None:
    assert is_light({"COLORFGBG": value}) is light


@pytest.mark.parametrize(
    ("environment", "answers"),
    [
        ({"TERM": "xterm-256color"}, True), ({"TERM": "linux"}, False), ({"TERM": "vt220"}, False), ({}, False), ({"TERM": "screen"}, False),
        ({"TERM": "screen-256color", "TMUX": "/tmp/x"}, True), ({"TERM": "tmux-256color"}, True),
    ],
)  # fmt: skip
def test_who_is_asked_for_the_background(environment: dict[str, str], answers: bool) -> None:
    assert answers_questions(environment) is answers
