"""The console in a real terminal, as a process: lost lines, second consoles, the keys of the main job, idle silence."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.engines import EngineProcess, engine, until
from tests.integration.processes import is_gone
from tests.ui.pty_screen import PtyScreen

pytestmark = pytest.mark.xdist_group("terminal")


@pytest.fixture
def subject(tmp_path: Path) -> Iterator[EngineProcess]:
    """A running engine with the sixteen pools."""
    with engine(tmp_path) as running:
        yield running


def console(subject: EngineProcess, columns: int = 120, rows: int = 40) -> PtyScreen:
    """A console attached to the engine."""
    return PtyScreen(subject.command(), columns=columns, rows=rows, env=subject.environment | {"LANG": "C.UTF-8"})


@pytest.mark.row(20)
def test_lost_terminal_ends_the_console_and_nothing_else(subject: EngineProcess) -> None:
    """SIGHUP: the console goes, the engine and its tasks go on, a new console shows the same."""
    done = subject.run("submit", "sleep", "coder", "--payload", '{"seconds": 600}', "--title", "a long sleep", "-o", "json")
    task = json.loads(done.stdout)["values"][0]
    with console(subject) as screen:
        screen.wait_text("LIVE")
        os.kill(screen.pid, signal.SIGHUP)
        until(lambda: is_gone(screen.pid), within_s=60.0)
    assert subject.get("task", task)["state"] == "running"
    with console(subject) as screen:
        screen.wait_text("LIVE")
        screen.send(b":tasks\r")
        screen.wait_text("a long sleep")
        screen.wait_text("running")


def test_keys_that_come_at_once_act_one_after_the_other(subject: EngineProcess) -> None:
    """Over a slow line they do: each is meant for what the one before it opens."""
    with console(subject) as screen:
        screen.wait_text("LIVE")
        screen.send(b":pools\rjs")
        screen.wait_text("│ tester")
        screen.send(b"+2\r")
        screen.wait_text("3 → 5")
        screen.send(b"\x1b")
        screen.wait(lambda pty: "3 → 5" not in pty.text)
        screen.send(b":agents\r/reviewer\rGdy")
        screen.wait_text("Agents · reviewer-2")
        screen.wait_text("[yaml]")
        screen.send(b"\x1b")
        screen.wait(lambda pty: "2 of 26" in pty.text or "2 agents" in pty.text)
        screen.send(b":pulse\r:tasks\r:pools\r:hosts\r:audit\r:pools /tester\r")
        screen.wait(lambda pty: pty.screen.display[-2].strip().startswith("Pools"))


def test_scale_inspect_submit_cancel_and_undo_from_the_keyboard(subject: EngineProcess) -> None:
    """The main job, key by key; the engine's own answers say that it happened."""
    with console(subject) as screen:
        screen.wait_text("LIVE")
        screen.send(b":pools\r")
        screen.wait_text("min..max")
        screen.send(b"s+2\r")
        screen.wait_text("5 → 7")
        screen.send(b"\r")
        until(lambda: subject.get("pool", "coder")["agents"] == 7)
        screen.wait_text("scale coder 5 → 7")
        screen.send(b"u")
        screen.wait_text("7 → 5")
        screen.send(b"\r")
        until(lambda: subject.get("pool", "coder")["agents"] == 5)
        screen.wait_text("undid scale coder")
        screen.send(b":submit sleep coder --payload '{\"seconds\": 600}' --title nap\r")
        screen.wait_text("0 tasks wait in coder")
        screen.send(b"\r")
        screen.wait_text("submit nap")
        until(lambda: any(row["title"] == "nap" and row["state"] == "running" for row in subject.get("tasks")))
        screen.send(b":tasks\r")
        screen.wait_text("x cancel")
        screen.send(b"x")
        screen.wait_text("work may be lost")
        screen.send(b"yes\tenough\r")
        until(lambda: subject.get("tasks")[0]["state"] == "cancelled")
        audit = subject.get("audit")
        assert [line["action"] for line in audit] == ["pool.scale", "plan.undo", "task.submit", "task.cancel"]
        assert audit[-1]["reason"] == "enough"
        assert {line["via"] for line in audit} == {"console"}
        screen.send(b"q")
        until(lambda: is_gone(screen.pid), within_s=60.0)
    assert subject.get("status")["agents"]["total"] == 27


def test_nothing_is_written_while_nothing_changes(subject: EngineProcess) -> None:
    """An idle fleet costs a terminal no byte."""
    with console(subject) as screen:
        screen.wait_text("LIVE")
        screen.send(b":plans\r")
        screen.wait_text("Plans")
        screen.count_bytes(2.0)
        assert screen.count_bytes(3.0) == 0


def test_lost_engine_is_said_and_found_again(subject: EngineProcess) -> None:
    """STALE with its age while the engine is gone; LIVE again without a restart of the console."""
    with console(subject) as screen:
        screen.wait_text("LIVE")
        subject.kill()
        screen.wait_text("STALE")
        subject.start()
        screen.wait_text("LIVE", timeout_s=60.0)
