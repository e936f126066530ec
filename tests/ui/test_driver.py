"""The cell diff: the terminal shows what a full redraw would show, in few bytes, and a dead terminal stops nobody."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from random import Random

import pytest
from screens import driver
from screens.flow import WINDOW_BYTES

from tests.ui.demo_app import DemoApp, parse_options
from tests.ui.minimal import Amplification
from tests.ui.pty_screen import Picture, PtyScreen, find_differences

FRAMES_LEAST = 20
DEMO = (sys.executable, "-m", "tests.ui.demo_app")
ROOT = Path(__file__).parents[2]
DOWN, UP, PAGE_DOWN, PAGE_UP, END, HOME = (
    b"\x1b[B",
    b"\x1b[A",
    b"\x1b[6~",
    b"\x1b[5~",
    b"\x1b[F",
    b"\x1b[H",
)
REDRAW, FREEZE, SORT = b"\x1b[15~", b"\x1b[17~", b"\x1bOQ"
KEYS = (
    [DOWN] * 6
    + [UP] * 3
    + [
        PAGE_DOWN,
        PAGE_UP,
        END,
        HOME,
        SORT,
        b"\t",
        b" ",
        b"*",
        b"w",
        b"s",
        b"m",
        b"t",
        b"x",
        b"\x1b",
    ]
)
SIZES = ((100, 30), (140, 45), (120, 40), (81, 25))


def open_demo(*options: str, columns: int = 120, rows: int = 40) -> PtyScreen:
    return PtyScreen([*DEMO, *options], columns=columns, rows=rows, env={"PYTHONPATH": str(ROOT)})


def wait_quiet(pty: PtyScreen) -> None:
    """Read until the program has nothing to write for a while."""
    pty.wait(lambda p: p.count_bytes(0.4) == 0)


def stop_data(pty: PtyScreen) -> None:
    """Leave dialogs and other screens, and stop the data."""
    for _ in range(2):
        pty.send(b"\x1b")
        # Escape and the next key, sent at once, would be one key.
        pty.count_bytes(0.2)
    pty.wait_text("tick")
    pty.send(FREEZE)
    pty.wait_text("FROZEN")


def redraw(pty: PtyScreen) -> Picture:
    """Have every cell written again and return what is seen then."""
    before = pty.byte_count
    pty.send(REDRAW)
    pty.wait(lambda p: p.byte_count - before > p.screen.columns * p.screen.lines)
    wait_quiet(pty)
    return pty.picture()


def test_idle_writes_nothing() -> None:
    with open_demo() as pty:
        pty.wait_text("LIVE")
        wait_quiet(pty)
        assert pty.count_bytes(2.0) == 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_shows_what_a_full_redraw_shows(seed: int, tmp_path: Path) -> None:
    rng = Random(seed)
    print(f"replay: pytest {__file__} -k 'full_redraw_shows and {seed}'")
    report = tmp_path / "report.json"
    with open_demo("--interval-s", "0.07", "--seed", str(seed), "--report", str(report)) as pty:
        pty.wait_text("LIVE")
        step = 0
        while step < 60 or pty.frames <= FRAMES_LEAST + 5:  # a loaded machine draws fewer in the same time
            step += 1
            if step % 20 == 0:
                pty.resize(*rng.choice(SIZES))
            else:
                pty.send(rng.choice(KEYS))
            pty.count_bytes(rng.choice((0.02, 0.05, 0.1)))
        stop_data(pty)
        wait_quiet(pty)
        shown = pty.picture()
        assert find_differences(shown, redraw(pty)) == []
    assert json.loads(report.read_text("utf-8"))["frames_written"] > FRAMES_LEAST


def test_shows_what_plain_textual_shows() -> None:
    keys = [DOWN, DOWN, b" ", b"t", END, UP, b"\t", b"s", SORT]
    pictures = []
    for options in ((), ("--no-diff",)):
        with open_demo(*options) as pty:
            pty.wait_text("LIVE")
            for key in keys:
                pty.send(key)
                pty.count_bytes(0.1)
            for key, sign in ((b"m", "agree"), (b"x", "other")):
                pty.send(key)
                pty.wait_text(sign)
                pty.send(b"\x1b")
                pty.wait(lambda p, sign=sign: sign not in p.text)
            stop_data(pty)
            wait_quiet(pty)
            pictures.append(pty.picture())
    assert find_differences(*pictures) == []


def test_terminal_that_stops_reading_does_not_stop_the_program(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    with open_demo("--interval-s", "0.02", "--report", str(report)) as pty:
        pty.wait_text("LIVE")
        time.sleep(2.0)  # Nobody reads: that is what is tested.
        stop_data(pty)
        wait_quiet(pty)
        shown = pty.picture()
        assert find_differences(shown, redraw(pty)) == []
    counters = json.loads(report.read_text("utf-8"))
    assert counters["frames_dropped"] > 0
    assert counters["ticks"] > 40 + 30


def test_writes_all_again_after_a_visit_to_the_shell() -> None:
    with open_demo() as pty:
        pty.wait_text("LIVE")
        wait_quiet(pty)
        shown = pty.picture()
        state = Path(f"/proc/{pty.pid}/stat")
        os.kill(pty.pid, signal.SIGTSTP)
        pty.wait(lambda _: state.read_text("utf-8").rpartition(")")[2].split()[0] == "T")
        pty.screen.erase_in_display(2)
        os.kill(pty.pid, signal.SIGCONT)
        pty.wait(lambda p: find_differences(shown, p.picture()) == [])


def test_a_row_move_is_a_few_hundred_bytes() -> None:
    with open_demo() as pty:
        pty.wait_text("LIVE")
        # Within the view, a page on, and at the lower edge, where all lines move.
        for keys, bytes_max in ((DOWN, 300), (PAGE_DOWN, 6000), (DOWN, 800), (DOWN, 800)):
            wait_quiet(pty)
            before = pty.byte_count
            pty.send(keys)
            pty.wait(lambda p, before=before: p.byte_count > before)
            wait_quiet(pty)
            assert pty.byte_count - before <= bytes_max


async def test_pilot_mode_is_plain_textual() -> None:
    app = DemoApp(parse_options([]))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("down", "m")
        app.forget_shadow()
        await pilot.pause()
    assert (app.frames_written, app.frames_dropped, app.bytes_written) == (0, 0, 0)


def test_says_why_it_does_not_compare(monkeypatch: pytest.MonkeyPatch) -> None:
    assert DemoApp(parse_options([])).no_diff_reason == ""
    assert DemoApp(parse_options(["--no-diff"])).no_diff_reason == "switched off"
    with monkeypatch.context() as patch:
        patch.setattr(driver, "PRIVATE_PARTS", ("_display", "_gone"))
        assert DemoApp(parse_options([])).no_diff_reason == "textual.app.App has no _gone"
    monkeypatch.setattr(driver, "CHOPS_UPDATE", None)
    assert DemoApp(parse_options([])).no_diff_reason == "textual._compositor has other updates"


@pytest.mark.parametrize("data", ["--interval-s=0", "--interval-s=0.2"])
def test_writes_hardly_more_than_the_least(data: str) -> None:
    rng = Random(7)
    with open_demo(data) as pty:
        pty.wait_text("LIVE")
        pty.count_bytes(0.5)
        amplification = Amplification(pty)
        for _ in range(25):
            pty.send(rng.choice(KEYS))
            pty.count_bytes(0.1)
    assert amplification.minimal > 5000
    assert amplification.ratio <= 1.2, amplification.worst


@pytest.mark.parametrize("answers", [True, False])
def test_frames_follow_the_terminal_and_do_not_need_it(answers: bool, tmp_path: Path) -> None:
    """A terminal that answers is followed, one that never does is written to all the same; both show the truth."""
    report = tmp_path / "report.json"
    with open_demo("--interval-s", "0.02", "--report", str(report)) as pty:
        pty.answers = answers
        pty.wait_text("LIVE")
        pty.wait(lambda p: p.byte_count > 40 * WINDOW_BYTES)
        stop_data(pty)
        wait_quiet(pty)
        shown = pty.picture()
        assert find_differences(shown, redraw(pty)) == []
    assert json.loads(report.read_text("utf-8"))["frames_written"] > FRAMES_LEAST
