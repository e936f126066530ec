"""The console over a real sshd and a bad line: 64 kbit/s and 0.2 s each way, or silent for a while. Bytes count, not seconds."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from engine.api.client import Caller, connect
from engine.clock import SystemClock
from engine.model.task_commands import SubmitTask
from screens.flow import WINDOW_BYTES

from tests.integration.engines import EngineProcess, engine, until
from tests.integration.sshd import Line, SshServer, forced, ssh_server
from tests.ui.pty_screen import PtyScreen

pytestmark = [pytest.mark.xdist_group("ssh"), pytest.mark.timeout(600)]

FRAME_BYTES = 5_000
"""A table of 120 x 40 in which every row changed, and some."""
ROW_MOVE_BYTES = 800
BATCH = 100


@pytest.fixture
def subject(tmp_path: Path) -> Iterator[EngineProcess]:
    """A running engine with the sixteen pools."""
    with engine(tmp_path) as running:
        yield running


@pytest.fixture
def server(subject: EngineProcess, tmp_path: Path) -> Iterator[SshServer]:
    """sshd that holds one key to the console of the engine."""
    with ssh_server(tmp_path / "ssh", {"ada": forced(subject)}) as running:
        yield running


class Storm:
    """Tasks without end, so that every row of every table changes all the time."""

    def __init__(self, subject: EngineProcess) -> None:
        self._socket = json.loads(next((subject.root / "state").rglob("engine.lock")).read_text())["socket"]
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._blow()))
        self.submitted = 0

    async def _blow(self) -> None:
        async with connect(self._socket, clock=SystemClock(), caller=Caller("api")) as operator:
            while not self._over.is_set():
                await operator.execute([SubmitTask(type="echo", pool="coder", payload={"n": n}) for n in range(BATCH)])
                self.submitted += BATCH
                await asyncio.sleep(0.1)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """Submit no more."""
        self._over.set()
        self._thread.join()


@contextmanager
def storm(subject: EngineProcess) -> Iterator[Storm]:
    """A storm that ends with the context, at the latest."""
    blowing = Storm(subject)
    blowing.start()
    try:
        yield blowing
    finally:
        blowing.end()


def bytes_until_seen(screen: PtyScreen, key: bytes, text: str) -> int:
    """Return how many bytes come from a key until its answer is on the screen."""
    before = screen.byte_count
    screen.send(key)
    screen.wait(lambda pty: text in pty.text, timeout_s=60)
    return screen.byte_count - before


def test_a_key_is_answered_in_few_bytes(subject: EngineProcess, server: SshServer) -> None:
    with Line(server.port) as line, server.terminal("ada", port=line.port) as screen:
        screen.wait(lambda pty: "LIVE" in pty.text, timeout_s=60)
        assert screen.byte_count <= 3 * FRAME_BYTES, "the first frame"
        bytes_until_seen(screen, b":pools\r", "min..max")
        screen.wait(lambda pty: "s scale" in pty.screen.display[-1], timeout_s=60)
        moves = [bytes_until_seen(screen, b"j", f"▶ {pool}") for pool in ("tester", "reviewer", "architect", "researcher")]
        assert max(moves) <= ROW_MOVE_BYTES


def test_in_a_storm_little_stands_before_the_answer_to_a_key(subject: EngineProcess, server: SshServer) -> None:
    """What is under way is bounded by the window, not by the buffers between."""
    with Line(server.port) as line, server.terminal("ada", port=line.port) as screen, storm(subject) as blowing:
        screen.wait(lambda pty: "LIVE" in pty.text, timeout_s=60)
        bytes_until_seen(screen, b":tasks\r", "x cancel")
        until(lambda: blowing.submitted >= 20 * BATCH)
        for _ in range(5):
            start = blowing.submitted
            screen.wait(lambda _pty, start=start: blowing.submitted >= start + 5 * BATCH, timeout_s=60)
            assert bytes_until_seen(screen, b":", "a view, or a verb") <= WINDOW_BYTES + 2 * FRAME_BYTES
            screen.send(b"\x1b")
            screen.wait(lambda pty: "a view, or a verb" not in pty.text, timeout_s=60)


def test_a_silent_line_fills_no_buffers(subject: EngineProcess, server: SshServer) -> None:
    """While nobody reads, hardly anything is written; afterwards the first that is shown is the truth, not the past."""
    with Line(server.port) as line, server.terminal("ada", port=line.port) as screen:
        screen.wait(lambda pty: "LIVE" in pty.text, timeout_s=60)
        bytes_until_seen(screen, b":tasks\r", "x cancel")
        with storm(subject) as blowing:
            until(lambda: blowing.submitted >= 10 * BATCH)
            line.stall()
            assert screen.count_bytes(10.0) <= WINDOW_BYTES + FRAME_BYTES, "what was already this side of the line"
            assert blowing.submitted >= 30 * BATCH
        until(lambda: subject.get("status")["tasks"]["by_state"].get("succeeded") == blowing.submitted)
        before = screen.byte_count
        line.resume()
        heading = f"{blowing.submitted:,}"
        screen.wait(lambda pty: heading in pty.screen.display[1] or f" {blowing.submitted} " in pty.screen.display[1], timeout_s=60)
        assert screen.byte_count - before <= WINDOW_BYTES + 3 * FRAME_BYTES, "little of the past fits into the window"
