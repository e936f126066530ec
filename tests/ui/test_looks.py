"""The console on terminals of fewer colours and characters, and on light ones: what a real one writes and shows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import pytest
from fleet_tui.app import FleetApp
from fleet_tui.skins import Skin
from rich.cells import cell_len
from screens.ascii import to_ascii
from screens.line_filter import Terminal
from screens.replies import (
    FollowingDriver,
    ReplyParser,
    TerminalBackground,
    find_driver,
    read_color,
)
from textual import events
from textual.drivers.headless_driver import HeadlessDriver
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message
from themes.palettes import PALETTES
from themes.reduction import Level

from tests.integration.engines import EngineProcess, engine
from tests.ui.fleet import Fleet, Seat
from tests.ui.pty_screen import PtyScreen

pytestmark = pytest.mark.xdist_group("terminal")
QUESTION = b"\x1b]11;?\x1b\\"


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """A running engine with the sixteen pools."""
    with engine(tmp_path_factory.mktemp("looks")) as running:
        yield running


def open_console(subject: EngineProcess, *options: str, **environment: str) -> PtyScreen:
    return PtyScreen([*subject.command(), *options], env=subject.environment | {"LANG": "C.UTF-8", "COLORTERM": ""} | environment)


class Recorded(PtyScreen):
    """A terminal that keeps all that was written to it."""

    def feed(self, data: bytes) -> None:
        self.written = getattr(self, "written", b"") + data
        super().feed(data)


def record(subject: EngineProcess, *options: str, **environment: str) -> Recorded:
    return Recorded([*subject.command(), *options], env=subject.environment | {"LANG": "C.UTF-8", "COLORTERM": ""} | environment)


def sgr_codes(written: bytes) -> set[str]:
    return {found.decode() for found in re.findall(rb"\x1b\[([0-9;]*)m", written)}


def walk(screen: PtyScreen) -> None:
    """See several screens, a plan and help."""
    screen.wait_text("LIVE")
    for typed, sign in ((b":pools\r", "min..max"), (b"s+1\r", "enter applies")):
        screen.send(typed)
        screen.wait_text(sign)
    screen.send(b"\x1b")
    # Escape and the next key, sent at once, would be one key.
    screen.wait(lambda s: "enter applies" not in s.text)
    for typed, sign in ((b"?", "Every table"), (b":tasks\r", "no tasks yet")):
        screen.send(typed)
        screen.wait_text(sign)


@pytest.mark.parametrize(
    ("environment", "options", "wanted", "unwanted"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, (), r"38;2;", r"38;5;"),
        ({"TERM": "xterm-256color"}, (), r"38;5;", r"38;2;"),
        ({"TERM": "xterm"}, (), r"(^|;)9[0-7](;|$)", r"[34]8;[25];"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, ("--colors", "16"), r"(^|;)9[0-7](;|$)", r"[34]8;[25];"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, (), r"(^|;)7(;|$)", r"(^|;)([34][0-8]|9[0-7]|10[0-7])(;|$)"),
        ({"TERM": "vt220"}, (), r"(^|;)1(;|$)", r"(^|;)([34][0-8]|9[0-7]|10[0-7])(;|$)"),
        ({"TERM": "linux"}, ("--theme", "fleet-light"), r"(^|;)47(;|$)", r"(^|;)10[0-7](;|$)"),
    ],
)
def test_only_colours_that_the_terminal_has_are_written(
    subject: EngineProcess, environment: dict[str, str], options: tuple[str, ...], wanted: str, unwanted: str
) -> None:
    with record(subject, *options, **environment) as screen:
        walk(screen)
        codes = sgr_codes(screen.written)
    assert any(re.search(wanted, code) for code in codes), codes
    assert [code for code in codes if re.search(unwanted, code)] == []


@pytest.mark.parametrize(("options", "environment"), [(("--ascii",), {}), ((), {"LANG": "C", "LC_ALL": "C"}), ((), {"TERM": "linux"})])
def test_no_byte_beyond_ascii_is_written(subject: EngineProcess, options: tuple[str, ...], environment: dict[str, str]) -> None:
    with record(subject, *options, **environment) as screen:
        walk(screen)
        written = screen.written
    assert len(written) > 5000
    assert written.isascii()


# ---- light and dark


def test_the_terminal_is_asked_and_followed(subject: EngineProcess) -> None:
    """The answer comes when it comes: no key is made of it, and the colours follow."""
    light, dark = (bytes.fromhex(PALETTES[name].surface[1:]) for name in ("fleet-light", "fleet-dark"))

    def shows(ground: bytes) -> bool:
        return screen.picture()[20][60].background == ground.hex()

    with record(subject, TERM="xterm-256color", COLORTERM="truecolor") as screen:
        screen.wait_text("LIVE")
        screen.wait(lambda s: QUESTION in s.written)
        screen.wait(lambda _: shows(dark))
        screen.send(b"\x1b]11;rgb:ffff/ffff/f0f0\x1b\\")
        screen.wait(lambda _: shows(light))
        screen.send(b"\x1b[?997;1n")
        screen.wait(lambda _: shows(dark))
        screen.answers = False  # a terminal says nothing else in the middle of an answer
        screen.send(b"\x1b]11;rgb:ff/ff")
        screen.count_bytes(0.3)
        screen.send(b"/ff\x07:pools\r")
        screen.answers = True
        screen.wait(lambda _: shows(light))
        screen.wait_text("min..max")
        screen.send(b"q")
        screen.wait(lambda s: b"\x1b[?2031l" in s.written)
    with record(subject, TERM="xterm-256color", COLORTERM="truecolor") as screen:
        screen.wait_text("LIVE")
        screen.wait(lambda _: shows(light))  # Nobody has answered yet: it is as the terminal was the last time.


def test_a_terminal_that_cannot_answer_is_not_asked(subject: EngineProcess) -> None:
    with record(subject, TERM="linux") as screen:
        screen.wait_text("LIVE")
        assert QUESTION not in screen.written


def feed(parser: ReplyParser, *parts: str) -> list[Message]:
    return [message for part in parts for message in parser.feed(part)]


def keys(messages: Iterable[Message]) -> list[str]:
    return [message.key for message in messages if isinstance(message, events.Key)]


@pytest.mark.parametrize("end", ["\x07", "\x1b\\"])
def test_an_answer_is_taken_out_of_the_keys_wherever_a_read_ends(end: str) -> None:
    find_driver(LinuxDriver)
    text = f"a\x1b]11;rgb:ffff/ffff/ffff{end}b\x1b[?997;1nc\x1b[A"
    for cut in range(len(text)):
        found = feed(ReplyParser(), text[:cut], text[cut:]) if cut else feed(ReplyParser(), text)
        assert keys(found) == ["a", "b", "c", "up"], cut
        told = [message.is_light for message in found if isinstance(message, TerminalBackground)]
        assert told == [True, False] or (told == [True] and text[:cut].endswith("b\x1b")), cut


def test_what_is_no_answer_becomes_keys_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("screens.replies.get_time", lambda: now)
    monkeypatch.setattr("textual._parser.get_time", lambda: now)
    parser = ReplyParser()
    assert feed(parser, "\x1b]") == []
    assert list(parser.tick()) == []
    now = 0.2
    assert list(parser.tick()) == []
    now = 0.4
    assert keys(parser.tick()) == ["right_square_bracket"]
    assert feed(parser, "\x1b]11;rgb") == []
    now = 1.5
    assert list(parser.tick()) == [], "a slow line"
    now = 4.0
    assert list(parser.tick()) == []
    now = 5.0
    assert keys(parser.tick())[:3] == ["right_square_bracket", "1", "1"]
    assert feed(parser, "\x1b") == []
    now = 5.2
    assert keys(parser.tick()) == ["escape"], "long after the question Escape waits no longer than in Textual"
    assert feed(parser, "\x1b]8;;" + "x" * 200) != [], "no end in sight: these are keys"


def test_only_a_real_terminal_is_asked() -> None:
    assert find_driver(HeadlessDriver) is HeadlessDriver
    assert find_driver(LinuxDriver) is FollowingDriver


@pytest.mark.parametrize(
    ("told", "color"),
    [("11;rgb:0000/8080/ffff", "#0080ff"), ("11;rgb:0/8/f", "#0088ff"), ("11;rgba:1010/2020/3030/ffff", "#102030"), ("11;#102030", ""),
     ("10;rgb:0/0/0", ""), ("52;c;aGk=", ""), ("11;?", "")],
)  # fmt: skip
def test_colours_as_terminals_write_them(told: str, color: str) -> None:
    assert read_color(told) == color


async def test_a_chosen_theme_does_not_follow_the_terminal() -> None:
    fleet = Fleet()
    async with fleet.world.running():
        app = FleetApp(fleet.connect, clock=fleet.clock, skin=Skin(usual="auto"))
        async with app.run_test(size=(80, 24)) as pilot:
            seat = Seat(fleet, app, pilot)
            app.post_message(TerminalBackground(is_light=True))
            await seat.until(lambda: app.theme == "fleet-light")
            app.keep_theme("nord")
            app.post_message(TerminalBackground(is_light=False))
            await seat.until(lambda: app.settings_of("skin")["light"] is False)
            assert app.theme == "nord"


# ---- ASCII


@pytest.mark.parametrize(
    ("text", "plain"),
    [("plain", "plain"), ("─│╭╮", "-|++"), ("12 → 15*", "12 > 15*"), ("● busy · ○ idle", "@ busy - o idle"), ("Zürich", "Zurich"), ("日本", "????"),
     ("⣿⠀", "* "), ("▁▅█", "_##"), ("é", "e"), ("a…", "a~"), ("“q”", '"q"')],
)  # fmt: skip
def test_ascii_has_the_same_cells(text: str, plain: str) -> None:
    assert to_ascii(text) == plain
    assert cell_len(text) == len(plain)


def test_themes_take_their_own_reduction() -> None:
    """Textual keeps filtered lines by filter: another theme needs another one."""
    app = FleetApp(Fleet().connect, terminal=Terminal(Level.SIXTEEN))
    first = app.get_line_filters()
    assert app.get_line_filters() == first
    app.theme = "nord"
    assert app.get_line_filters() != first
