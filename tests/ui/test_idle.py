"""A fleet at rest costs a terminal no byte: on every view, on documents, and with anything open over them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from screens.commandline import VIEWS

from tests.integration.engines import engine, until
from tests.ui.pty_screen import PtyScreen

pytestmark = pytest.mark.xdist_group("terminal")
ESC = b"\x1b"
OVER: dict[str, tuple[str, bytes, str, bytes]] = {
    "a task": ("tasks", b"\r", "Tasks · ", ESC),
    "an agent": ("agents", b"d", "Agents · ", ESC),
    "why an agent is as it is": ("agents", b"X", "it beats in time", ESC),
    "why a pool has its size": ("pools", b"X", "last decision", ESC),
    "a thing as YAML": ("pools", b"y", "failed_agents", ESC),
    "the form of a pool": ("pools", b"e", "shows the plan", ESC),
    "the command line": ("pools", b":scale ", "scale POOL SIZE", ESC),
    "a filter": ("agents", b"/stat", "status=", ESC),
    "a filter that is wrong": ("agents", b"/stat=x", "did you mean", ESC),
    "the sort picker": ("agents", b"S", "Sort by", ESC),
    "the bookmark picker": ("agents", b"B", "Keep agents", ESC),
    "a form": ("pools", b"n", "next field", ESC),
    "a size": ("pools", b"s", "=min or =max", ESC),
    "a plan": ("pools", b":scale coder +1\r", "enter applies", ESC),
    "the palette": ("pools", b"\x10", "pools.scale", ESC),
    "help": ("pools", b"?", "Help: pools", ESC),
    "one line of chrome": ("agents", b"\x05", "28 agents", b"\x05"),
}
"""What may be open: over which view, the keys that open it, what is seen then, and the key that closes it."""
SETTLE_S = 0.8
"""Longer than the slowest tick and answer: what comes later comes by itself."""
WINDOWS_MAX = 6
WINDOW_S = 1.3
"""Longer than a second, in which every clock of ours moves."""
LOAD = "█"
"""What Pulse draws for a task of the last minute, where one waited long enough to be seen: it moves until it is out of sight."""
WAITING = ("STALE ", "reading …", "asking the engine …")
"""What a console says while it has to wait for its engine, as on a machine with other work."""


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PtyScreen]:
    """A console on an engine that has done a bit of everything and rests."""
    root: Path = tmp_path_factory.mktemp("idle")
    with engine(root) as subject:
        for number in range(3):
            subject.run("submit", "noop", "coder", "--title", f"nothing {number}").check_returncode()
        subject.run("remember", "plan", "[1]", "--ttl", "3600", "--yes").check_returncode()
        subject.run("scale", "tester", "+1", "--reason", "more to test").check_returncode()
        until(lambda: subject.get("status")["tasks"]["by_state"].get("succeeded", 0) == 3)
        with PtyScreen(subject.command(), env=subject.environment | {"LANG": "C.UTF-8"}) as terminal:
            terminal.wait_text("LIVE")
            terminal.send(b":pulse\r")
            terminal.wait(lambda shown: "Pulse · " in shown.text and LOAD not in shown.text, timeout_s=120.0)
            yield terminal


TITLES = {"ctx": "Contexts", "dash": "Dashboard", "dead-events": "Dead events", "heatmap": "Heat map", "plugins": "Plug-ins", "xray": "X-ray"}
"""Views whose titles are not their words."""


def has_settled(screen: PtyScreen) -> bool:
    """Return whether everything shown has been read, from an engine that answers: waiting for it is shown by the second."""
    return not any(sign in screen.text for sign in WAITING)


def assert_idle(screen: PtyScreen) -> None:
    """Ages may turn from one minute to the next just now, those of agents that started one after the other in a row; nothing does so for ever."""
    screen.wait(has_settled)
    screen.count_bytes(SETTLE_S)
    windows: list[int] = []
    while len(windows) < WINDOWS_MAX and (not windows or windows[-1]):
        came = screen.count_bytes(WINDOW_S)
        if has_settled(screen):
            windows.append(came)
        else:
            windows.clear()
            screen.wait(has_settled)
            screen.count_bytes(SETTLE_S)
    assert windows[-1] == 0, f"{windows} bytes came by themselves over:\n{screen.text}"


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_at_rest_writes_nothing(screen: PtyScreen, view: str) -> None:
    screen.send(f":{view}\r".encode())
    screen.wait(lambda shown: shown.screen.display[-2].strip().startswith(TITLES.get(view, view.capitalize())))
    assert_idle(screen)


@pytest.mark.parametrize("what", OVER)
def test_what_is_open_over_a_view_at_rest_writes_nothing(screen: PtyScreen, what: str) -> None:
    view, keys, text, close = OVER[what]
    screen.send(f":{view}\r".encode())
    screen.wait(lambda shown: shown.screen.display[-2].strip().startswith(view.capitalize()))
    screen.count_bytes(SETTLE_S)
    try:
        screen.send(keys)
        screen.wait_text(text)
        assert_idle(screen)
    finally:
        screen.send(close)
        screen.count_bytes(SETTLE_S)
