"""The console over several real engines in a terminal: one killed while it is looked at, one that hangs, a wrong token, none at all."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet_tui.attach import find_engine

from tests.integration.cli_shell import SMALL, Shell
from tests.integration.test_contexts_command import served, write
from tests.ui.pty_screen import PtyScreen

pytestmark = pytest.mark.xdist_group("cli")
PATIENCE_S = 30.0


class Fleets(Shell):
    """A user with several fleets: shop, blog, …, each in a directory of its own."""

    def at(self, name: str) -> Fleets:
        """Be in a fleet's directory."""
        self.project = Path(self.environment["HOME"]) / name
        self.project.mkdir(exist_ok=True)
        (self.project / "fleet.toml").write_text(SMALL)
        return self

    def start(self, name: str) -> subprocess.Popen[str]:
        return self.at(name).start_engine()


@pytest.fixture
def fleets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleets]:
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as runtime:
        fleets = Fleets(tmp_path, Path(runtime))
        # PtyScreen adds to this process's environment.
        for name in ("HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"):
            monkeypatch.setenv(name, fleets.environment[name])
        for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "FLEET_CONTEXT"):
            monkeypatch.delenv(name, raising=False)
        yield fleets
        fleets.close()


def header(pty: PtyScreen) -> str:
    return pty.text.splitlines()[0].strip()


def wait_header(pty: PtyScreen, *parts: str) -> None:
    pty.wait(lambda pty: all(part in header(pty) for part in parts), timeout_s=PATIENCE_S)


def row(pty: PtyScreen, name: str) -> str:
    return next((line for line in pty.text.splitlines()[2:] if line[2:].startswith(f"{name} ")), "")


def wait_row(pty: PtyScreen, name: str, *parts: str) -> None:
    pty.wait(lambda pty: all(part in row(pty, name) for part in parts), timeout_s=PATIENCE_S)


def type_line(pty: PtyScreen, line: str, *parts: str) -> None:
    """Type a command line, and wait for what the line below the view says then."""
    pty.send(f":{line}\r".encode())
    pty.wait(lambda pty: all(part in pty.text for part in parts), timeout_s=PATIENCE_S)


def agents(pty: PtyScreen) -> int:
    found = re.search(r"(\d+) agents", header(pty))
    return int(found[1]) if found else -1


def test_an_engine_killed_while_it_is_looked_at_is_stale_and_comes_back_by_itself(fleets: Fleets) -> None:
    fleets.start("shop")
    blog = fleets.start("blog")
    with PtyScreen(fleets.argv("-C", Path(fleets.environment["HOME"]) / "shop")) as pty:
        wait_header(pty, "@shop", "4 agents", "LIVE")
        type_line(pty, "ctx", "Contexts")
        wait_row(pty, "shop", "live")
        wait_row(pty, "blog", "live", " 4 ")
        assert any(pty.count_bytes(1.5) == 0 for _ in range(10)), "the list goes on writing while nothing changes"
        type_line(pty, "agents @blog", "Agents")
        wait_header(pty, "@blog", "4 agents", "LIVE")
        fleets.end(blog, signal.SIGKILL)
        wait_header(pty, "@blog", "4 agents", "STALE")  # what was known stays
        type_line(pty, "pools", "Pools", "coder")
        assert "STALE" in header(pty)
        pty.send(b"?")
        pty.wait_text("Help: pools", timeout_s=PATIENCE_S)
        pty.send(b"\x1b")
        type_line(pty, "ctx", "Contexts")
        wait_row(pty, "blog", "stale", " 4 ")
        wait_row(pty, "shop", "live", " 4 ")
        type_line(pty, "pools", "Pools", "coder")
        fleets.start("blog")
        wait_header(pty, "@blog", "4 agents", "LIVE")
        assert pty.is_open
        type_line(pty, "ctx", "Contexts")
        wait_row(pty, "blog", "live", " 4 ")
        pty.send(b"-")
        pty.wait_text("Pools", timeout_s=PATIENCE_S)


def test_one_that_accepts_and_never_answers_holds_up_no_other_and_no_key(fleets: Fleets) -> None:
    fleets.start("shop")
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(Path(fleets.environment["XDG_RUNTIME_DIR"]) / "hung.sock"))
        hung.listen()
        write(fleets, f'[contexts.hung]\nsocket = "{hung.getsockname()}"\n[contexts.gone]\nsocket = "/run/none.sock"\n[contexts.typo]\nsokcet = "/x"\n')
        with PtyScreen(fleets.argv("-C", fleets.project)) as pty:
            wait_header(pty, "@shop", "LIVE")
            pty.wait_text("contexts.typo.sokcet is unknown", timeout_s=PATIENCE_S)
            type_line(pty, "ctx", "Contexts")
            wait_row(pty, "shop", "live")
            wait_row(pty, "gone", "down")
            wait_row(pty, "hung", "down", "did not answer")
            type_line(pty, "tasks @hung", "Tasks")
            wait_header(pty, "@hung")
            type_line(pty, "agents", "Agents")
            pty.wait(lambda pty: "@hung" in header(pty) and "did not answer" in pty.text, timeout_s=PATIENCE_S)
            type_line(pty, "agents @shop", "coder-1")
            wait_header(pty, "@shop", "LIVE")
            pty.send(b"[")
            wait_header(pty, "@hung")
            pty.send(b"q")
            pty.wait(lambda pty: not pty.is_open or pty._process.poll() is not None, timeout_s=PATIENCE_S)
            assert pty.close() == 0


def test_a_wrong_token_is_denied_and_the_right_one_is_another_engine(fleets: Fleets, tmp_path: Path) -> None:
    fleets.start("shop")

    def look(port: int, token: Path) -> None:
        wrong = tmp_path / "wrong"
        wrong.write_text("x" * 43)
        write(fleets, "".join(f'[contexts.{name}]\nurl = "ws://127.0.0.1:{port}"\ntoken_file = "{file}"\n' for name, file in (("lab", token), ("mallory", wrong))))
        with PtyScreen(fleets.argv("-C", fleets.project)) as pty:
            wait_header(pty, "@shop", "LIVE")
            type_line(pty, "ctx", "Contexts")
            wait_row(pty, "lab", "live", " 3 ")
            wait_row(pty, "mallory", "denied", "Authorization: Bearer")
            type_line(pty, "ctx lab", "@lab")
            wait_header(pty, "@lab", "3 agents", "LIVE")
            type_line(pty, "ctx mallory", "@mallory", "Authorization: Bearer")
            assert agents(pty) == -1  # nothing of the one before is shown under this name
            assert "xxxx" not in pty.text

    async def story() -> None:
        with tempfile.TemporaryDirectory(prefix="g", dir="/tmp") as directory:
            async with served(Path(directory)) as (port, token):
                await asyncio.to_thread(look, port, token)

    asyncio.run(story())


def test_a_context_that_is_down_can_be_opened_and_waited_for(fleets: Fleets) -> None:
    fleets.at("shop")
    write(fleets, f'[contexts.prod]\ndirectory = "{fleets.project}"\nbar = "bad"\nread_only = true\n')
    with PtyScreen(fleets.argv("--context", "prod", "--no-mouse")) as pty:
        wait_header(pty, "@prod", "no engine runs here")
        type_line(pty, "agents", "Agents")
        fleets.start("shop")
        wait_header(pty, "@prod", "4 agents", "RO", "LIVE")
        type_line(pty, "scale coder 3", "read-only")
        assert fleets.json("--context", "prod", "get", "pools")[0]["size"] == 2


def test_no_engine_is_started_for_a_fleet_that_is_only_looked_at(fleets: Fleets) -> None:
    fleets.at("shop")
    write(fleets, "[contexts.shop]\nread_only = true\n")
    with PtyScreen(fleets.argv("-C", fleets.project)) as pty:
        pty.wait_text("no engine runs for", timeout_s=PATIENCE_S)
        pty.wait(lambda pty: not pty.is_open or pty._process.poll() is not None, timeout_s=PATIENCE_S)
        assert pty.close() == 3
    assert find_engine(fleets.paths) is None


def test_leaving_from_another_context_settles_the_engine_that_was_started_here(fleets: Fleets) -> None:
    fleets.start("blog")
    fleets.at("shop")
    with PtyScreen(fleets.argv("-C", fleets.project)) as pty:
        wait_header(pty, "@shop", "4 agents", "LIVE")
        type_line(pty, "pools @blog", "Pools")
        wait_header(pty, "@blog", "LIVE")
        assert find_engine(fleets.paths) == fleets.paths.socket
        pty.send(b"q")
        pty.wait(lambda pty: not pty.is_open or pty._process.poll() is not None, timeout_s=PATIENCE_S)
        assert pty.close() == 0
    assert find_engine(fleets.paths) is None
    assert find_engine(fleets.at("blog").paths) is not None
