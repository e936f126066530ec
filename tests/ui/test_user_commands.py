"""The user's own commands in the console: keys, questions, what they did, and the terminal lent and taken back."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from engine.clock import SystemClock
from engine.model.plans import Origin
from fleet_tui.command_runner import RUNNING_MAX
from fleet_tui.keymap import load_own
from screens.dialogs import RunDialog
from screens.document import Document
from textual.widgets import Input

from tests.integration.engines import EngineProcess, engine
from tests.integration.test_user_programs import is_alive
from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit
from tests.ui.pty_screen import TAKE_SCREEN, PtyScreen

Write = Callable[..., None]
NOTE = "import sys; open(sys.argv[1], 'a').write(repr(sys.argv[2:]) + chr(10)); print('noted', *sys.argv[2:])"


class Own:
    """A commands.toml."""

    def __init__(self, folder: Path) -> None:
        self.path, self.notes = folder / "commands.toml", folder / "notes"

    def add(self, name: str, argv: list[str], **values: Any) -> None:
        given = {"description": f"{name} it", "scopes": ["agents"], "argv": argv, **values}
        with self.path.open("a") as file:
            file.write(f"[commands.{name}]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in given.items()))
        self.path.chmod(0o600)

    def add_note(self, name: str, *arguments: str, **values: Any) -> None:
        """Add a command that writes down what it was given."""
        self.add(name, [sys.executable, "-c", NOTE, str(self.notes), *arguments], **values)

    @property
    def noted(self) -> list[str]:
        return self.notes.read_text().splitlines() if self.notes.exists() else []


def toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "[" + ", ".join(map(toml, value)) + "]" if isinstance(value, list) else json.dumps(value)


@pytest.fixture
def own(tmp_path: Path) -> Own:
    return Own(tmp_path)


@asynccontextmanager
async def at_agents(own: Own, fleet: Fleet | None = None) -> AsyncIterator[Seat]:
    fleet = fleet or Fleet()
    async with sit(fleet, load_own=lambda is_read_only: load_own(None, own.path, is_read_only=is_read_only)) as seat:
        await fleet.ready()
        await seat.open("agents /tester")
        yield seat


async def runs_over(seat: Seat) -> None:
    await seat.until(lambda: bool(seat.app.runs) and all(run.is_over for run in seat.app.runs))


async def test_a_command_runs_for_each_marked_row_and_failures_are_counted(own: Own) -> None:
    code = "import sys; print('looked at', sys.argv[1]); sys.exit(2 if sys.argv[1] == 'tester-2' else 0)"
    own.add("look", [sys.executable, "-c", code, "{name}"], key="L", label="look", background=True)
    async with at_agents(own) as seat:
        assert "L look" in seat.text
        await seat.press("space", "j", "space", "j", "space", "L")
        await runs_over(seat)
        await seat.until(lambda: "look: 1 of 3 failed: exit 2 for tester-2 · `:runs` shows it" in seat.told)
        await seat.open("runs")
        text = await seat.read()
        assert [line.strip() for line in text.splitlines() if "looked at" in line and "-c" not in line] == [f"looked at tester-{n}" for n in (1, 2, 3)]
        assert "tester-2 · exit 2" in text
        assert "tester-3 · done" in text


async def test_it_asks_and_shows_what_it_would_run(own: Own) -> None:
    own.add_note("note", "{name}", "{pool}", key="L", background=True, confirm=True)
    async with at_agents(own) as seat:
        await seat.press("L")
        await seat.until(lambda: isinstance(seat.screen, RunDialog))
        assert "enter runs · esc drops it" in seat.text
        await seat.press("escape")
        assert not seat.app.runs
        await seat.press("L", "enter")
        await runs_over(seat)
        assert own.noted == ["['tester-1', 'tester']"]


async def test_a_dangerous_one_needs_the_word(own: Own) -> None:
    own.add_note("note", "{name}", key="L", background=True, dangerous=True)
    async with at_agents(own) as seat:
        await seat.press("L", "enter")
        await seat.until(lambda: "type yes to go on" in seat.text)
        assert not seat.app.runs
        seat.screen.query_one(Input).value = ""
        await seat.press(*"yes", "enter")
        await runs_over(seat)
        assert own.noted == ["['tester-1']"]


async def test_help_palette_and_keys_have_it(own: Own) -> None:
    own.add_note("note", "{name}", key="L", background=True)
    own.add_note("keyless", "{name}", background=True)
    async with at_agents(own) as seat:
        await seat.press("question_mark")
        await seat.until(lambda: seat.screen.NAME == "help")
        assert "note it (your own)" in await seat.read()
        await seat.press("escape", "ctrl+p", *"keyless")
        await seat.until(lambda: "no key · command.keyless" in seat.text)
        await seat.press("enter")
        await runs_over(seat)
        assert own.noted == ["['tester-1']"]
        await seat.open("keys")
        assert "command.note" in await seat.read()


async def test_it_works_in_the_rows_document_too_and_says_where_it_was_pressed(own: Own) -> None:
    code = "import os; print(os.environ['FLEET_TUI_VIEW'], os.environ['FLEET_ROW_POOL'], os.environ['FLEET_ROW_KIND'])"
    own.add("look", [sys.executable, "-c", code], key="L", background=True)
    async with at_agents(own) as seat:
        await seat.press("enter")
        await seat.until(lambda: seat.screen.NAME == "agent")
        await seat.press("L")
        await runs_over(seat)
        assert [text for _, text in seat.app.runs[0].parts[0].output.lines] == ["agent tester agents"]


async def test_a_read_only_console_offers_nothing_dangerous(own: Own) -> None:
    own.add_note("note", "{name}", key="L", background=True)
    own.add_note("drop", "{name}", key="Q", background=True, dangerous=True)
    fleet = Fleet()
    fleet.gate = fleet.world.gate(Origin("somebody", "console", mode="read-only"))
    async with at_agents(own, fleet) as seat:
        await seat.until(lambda: "command.drop" not in seat.app.keymap)
        await seat.press("Q", "L")
        await runs_over(seat)
        assert [run.name for run in seat.app.runs] == ["note"]


async def test_no_more_than_some_run_at_once_and_one_can_be_stopped(own: Own) -> None:
    own.add("wait", ["sleep", "600"], key="L", background=True)
    async with at_agents(own) as seat:
        await seat.press(*["L"] * (RUNNING_MAX + 1))
        await seat.until(lambda: f"{RUNNING_MAX} commands run already" in seat.told)
        assert len(seat.app.runs) == RUNNING_MAX
        await seat.open("runs")
        await seat.until(lambda: "· running ·" in seat.screen.query_one(Document).text)
        await seat.press("x")
        await seat.until(lambda: seat.app.runs[-1].is_over)
        seat.fleet.clock.at += 2
        await seat.until(lambda: "stopped" in seat.screen.query_one(Document).text)
        assert [run.is_over for run in seat.app.runs] == [False] * (RUNNING_MAX - 1) + [True]
        await seat.press("tab")
        await seat.until(lambda: "· running ·" in seat.screen.query_one(Document).text)


async def test_leaving_the_console_ends_what_runs(own: Own) -> None:
    own.add("wait", [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(600)"], key="L", background=True)
    async with at_agents(own) as seat:
        await seat.press("L")
        await seat.until(lambda: bool(seat.app.runs and seat.app.runs[0].parts[0].output.lines))
        pid = int(seat.app.runs[0].parts[0].output.lines[0][1])
        assert is_alive(pid)
    async with asyncio.timeout(60):
        while is_alive(pid):
            await SystemClock().sleep(0.01)


async def test_what_a_program_writes_does_not_reach_the_terminal_as_it_is(own: Own) -> None:
    own.add("paint", [sys.executable, "-c", r"print('\x1b[31mred\x1b[2J\x07 end')"], key="L", background=True)
    async with at_agents(own) as seat:
        await seat.press("L")
        await runs_over(seat)
        await seat.open("runs")
        await seat.read()
        assert "\x1b" not in seat.text
        assert "end" in seat.text


async def test_without_a_terminal_to_lend_it_says_what_to_do(own: Own) -> None:
    own.add("less", ["less"], key="L")
    async with at_agents(own) as seat:
        await seat.press("L")
        await seat.until(lambda: "less needs a terminal, and this console cannot lend one: give it background = true" in seat.told)


async def test_how_runs_look(own: Own, snap: Snap) -> None:
    # One stream each: two would come in any order.
    script = 'if [ "$1" = tester-1 ]; then echo 12 files; else echo api.py:3 unused import >&2; exit 1; fi'
    own.add("lint", ["sh", "-c", script, "sh", "{name}"], key="L", background=True)
    async with at_agents(own) as seat:
        await seat.press("space", "j", "space", "L")
        await runs_over(seat)
        for part in seat.app.runs[0].parts:
            part.started_at = part.ended_at = 0.0
        await seat.open("runs")
        await seat.read()
        await snap(seat.pilot, "runs")


# ---- with the terminal


class Lent(PtyScreen):
    """A terminal that counts how often the console took it."""

    taken = 0

    def feed(self, data: bytes) -> None:
        self.taken += data.count(TAKE_SCREEN)
        super().feed(data)


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    with engine(tmp_path_factory.mktemp("own")) as running:
        yield running


@pytest.fixture
def screen(subject: EngineProcess, own: Own) -> Iterator[Lent]:
    own.add("ask", ["sh", "-c", 'echo "hello from $1"; read answer; echo "$answer" > "$2"', "sh", "{name}", str(own.notes)], key="L", scopes=["pools"])
    own.add("fail", ["sh", "-c", "echo it went wrong; exit 7"], key="Q", scopes=["pools"])
    own.add("spoil", ["sh", "-c", "stty raw -echo; kill -9 $$"], key="W", scopes=["pools"])
    # Not a shell's two commands: a Ctrl-C between them is lost on some shells.
    own.add("wait", [sys.executable, "-c", "import time; print('sleeping', flush=True); time.sleep(600)"], key="Z", scopes=["pools"])
    with Lent(subject.command(), env=subject.environment | {"FLEET_TUI_COMMANDS": str(own.path)}) as screen:
        screen.wait_text("LIVE")
        screen.send(b":pools\r")
        screen.wait_text("min..max")
        yield screen


@pytest.mark.xdist_group("terminal")
def test_a_program_has_the_terminal_and_gives_it_back(screen: Lent, own: Own) -> None:
    screen.send(b"L")
    screen.wait_text("hello from")
    assert screen.count_bytes(1.0) == 0, "the console writes into the program's screen"
    screen.send(b"an answer\r")
    screen.wait_text("min..max")
    screen.wait_text("ask: done")
    assert own.noted == ["an answer"]
    screen.send(b"j")
    screen.wait(lambda s: "hello from" not in s.text and "LIVE" in s.text)


@pytest.mark.xdist_group("terminal")
def test_a_program_that_fails_is_seen_before_the_console_comes_back(screen: Lent) -> None:
    screen.send(b"Q")
    screen.wait_text("fail: exit 7")
    assert "it went wrong" in screen.text
    screen.send(b"\r")
    screen.wait_text("min..max")


@pytest.mark.xdist_group("terminal")
def test_a_terminal_that_a_program_spoiled_is_as_it_was(screen: Lent, own: Own) -> None:
    screen.send(b"W")
    screen.wait_text("spoil: killed by SIGKILL")
    screen.send(b"\r")
    screen.wait_text("min..max")
    screen.send(b"L")
    screen.wait_text("hello from")
    screen.send(b"echoed\r")
    screen.wait_text("ask: done")
    assert own.noted == ["echoed"]


@pytest.mark.xdist_group("terminal")
def test_ctrl_c_is_the_programs(screen: Lent) -> None:
    screen.send(b"Z")
    screen.wait_text("sleeping")
    screen.send(b"\x03")
    screen.wait_text("enter goes back")
    screen.send(b"\r")
    screen.wait_text("min..max")
    assert is_alive(screen.pid)


@pytest.mark.xdist_group("terminal")
def test_to_the_shell_and_back(subject: EngineProcess) -> None:
    with Lent(["sh", "-i"], env=subject.environment | {"PS1": "ready> "}) as screen:
        screen.wait_text("ready>")
        screen.send(f"{shlex.join(subject.command())}\r".encode())
        screen.wait_text("LIVE")
        screen.send(b"\x1a")
        screen.wait_text("Stopped")
        taken = screen.taken
        screen.send(b"fg\r")
        screen.wait(lambda s: s.taken > taken)
        screen.send(b":agents\r")
        screen.wait_text("tester-1")
        assert "Stopped" not in screen.text
        screen.send(b":q\r")
        screen.wait_text("ready>")
        screen.send(b"exit\r")  # SIGTERM ends no shell that a person types into
        screen.send(b"q")
        screen.wait_text("ready>")
