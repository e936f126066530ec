"""The console over a real sshd: logins by key, sizes, lost lines, kinds of terminals."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator

import psutil
import pytest

from tests.integration.engines import EngineProcess, engine, until
from tests.integration.processes import is_gone
from tests.integration.sshd import Line, SshServer, forced, ssh_server

pytestmark = [pytest.mark.xdist_group("ssh"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """A running engine with the sixteen pools."""
    with engine(tmp_path_factory.mktemp("fleet")) as running:
        yield running


@pytest.fixture(scope="module")
def server(subject: EngineProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """sshd that holds one key to the console of the engine."""
    with ssh_server(tmp_path_factory.mktemp("ssh"), {"ada": forced(subject)}) as running:
        yield running


def consoles(subject: EngineProcess) -> list[int]:
    """Return the pids of this directory's consoles."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "fleet_tui" in words and str(subject.directory) in words and "engine" not in words and "ssh" not in words[0]:
            found.append(process.pid)
    return found


def test_a_key_opens_the_console_and_nothing_else(subject: EngineProcess, server: SshServer) -> None:
    with server.terminal("ada") as screen:
        screen.wait_text("LIVE")
        (pid,) = consoles(subject)
        screen.send(b"q")
        until(lambda: is_gone(pid))
        screen.wait(lambda pty: not pty.is_open)
    # Whatever is asked for, the key's command runs; without a terminal that is a refusal in words.
    done = server.run("ada", "cat /etc/passwd")
    assert (done.returncode, done.stdout) == (2, "")
    assert "needs a terminal" in done.stderr


def test_a_window_that_changes_its_size_is_drawn_anew(server: SshServer) -> None:
    with server.terminal("ada", columns=80, rows=24) as screen:
        screen.wait_text("LIVE")
        screen.send(b":pools\r")
        screen.wait_text("free queue")
        for columns, rows in ((200, 60), (60, 20), (120, 40)):
            screen.resize(columns, rows)
            # The hint line is always the last one: it moves with the size, and is as wide.
            screen.wait(lambda pty: "s scale" in pty.screen.display[-1] and pty.screen.display[0].rstrip().endswith("LIVE"))
        assert "min..max" in screen.text


TERMINALS = {"xterm-256color": 256, "tmux-256color": 256, "screen-256color": 256, "xterm": 16, "screen": 16, "linux": 16, "vt100": 0}
"""TERM, and how many colours may be written to it when nothing more is known."""
ASCII_TERMINALS = {"linux"}
"""Their font lacks most signs."""
ASCII_SIGNS = str.maketrans("▶○–·", ">o--")
COLOUR = re.compile(rb"\x1b\[(?:\d+;)*(?:3|4|9|10)[0-8](?:;\d+)*m")


@pytest.fixture(scope="module")
def reference(server: SshServer) -> list[str]:
    """What the table of pools shows, line by line, but for the header with its clock."""
    with server.terminal("ada") as screen:
        screen.wait_text("LIVE")
        screen.send(b":pools\r")
        screen.wait(lambda pty: pty.text.count("○ idle") == 17 and "s scale" in pty.screen.display[-1])
        return screen.screen.display[1:]


@pytest.mark.parametrize("term", TERMINALS)
def test_every_kind_of_terminal_shows_the_same(term: str, server: SshServer, reference: list[str]) -> None:
    written = bytearray()
    with server.terminal("ada", term=term) as screen:
        screen.on_frame = written.extend
        screen.wait_text("LIVE")
        screen.send(b":pools\r")
        expected = [line.translate(ASCII_SIGNS) for line in reference] if term in ASCII_TERMINALS else reference
        screen.wait(lambda pty: pty.screen.display[1:] == expected)
    assert b"8;2;" not in written, "16 million colours, which this TERM does not promise"
    assert (b"8;5;" in written) is (TERMINALS[term] == 256)
    assert bool(COLOUR.search(written)) is (TERMINALS[term] > 0)
    assert written.isascii() is (term in ASCII_TERMINALS)


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_cannot_place_text_is_refused_in_words(term: str, server: SshServer) -> None:
    written = bytearray()
    with server.terminal("ada", term=term) as screen:
        while screen.is_open:
            written += screen.read(1.0)
        said = " ".join(screen.text.split())
    assert "TERM is not set or dumb" in said
    assert "or use `fleet-tui " in said, "what can be done instead"
    assert "\x1b" not in written.decode(), "colours or cursor moves were written"


def nap(subject: EngineProcess, title: str) -> str:
    """Submit a task that runs until it is stopped, and return its id."""
    done = subject.run("submit", "sleep", "coder", "--payload", '{"seconds": 600}', "--title", title, "-o", "json")
    task = str(json.loads(done.stdout)["values"][0])
    until(lambda: subject.get("task", task)["state"] == "running")
    return task


@pytest.mark.parametrize("how", ["killed", "cut", "hung up"])
def test_a_lost_line_ends_the_console_and_nothing_else(how: str, subject: EngineProcess, server: SshServer) -> None:
    """The console goes, the engine and its tasks go on, and the next login shows the same."""
    task = nap(subject, f"nap, {how}")
    with Line(server.port, bytes_per_s=1e7, latency_s=0.0) as line, server.terminal("ada", port=line.port) as screen:
        screen.wait_text("LIVE")
        screen.send(b":tasks\r")
        screen.wait_text(f"nap, {how}")
        until(lambda: len(consoles(subject)) == 1)  # another test's last one may be on its way out
        (pid,) = consoles(subject)
        if how == "killed":
            os.kill(screen.pid, signal.SIGKILL)
        elif how == "cut":
            line.cut()
        else:
            os.kill(screen.pid, signal.SIGHUP)
        until(lambda: is_gone(pid), within_s=60.0)
    assert subject.process is not None and subject.process.poll() is None
    assert subject.get("task", task)["state"] == "running"
    with server.terminal("ada") as screen:
        screen.wait_text("LIVE")
        screen.send(b":tasks\r")
        screen.wait_text(f"nap, {how}")
        screen.wait_text("running")
        screen.send(b"q")
        screen.wait(lambda pty: not pty.is_open)
    assert subject.run("cancel", task, "--yes").returncode == 0
