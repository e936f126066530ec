"""`fleet-tui ctx`, `--context` and FLEET_CONTEXT with real engines: one that runs, one that was killed, one that hangs, a wrong token."""

from __future__ import annotations

import asyncio
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from engine.api.gateway import Gateway, LoopbackPort
from engine.simulation.world import World, instant_success

from tests.integration.cli_shell import Shell

pytestmark = pytest.mark.xdist_group("cli")


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as runtime:
        shell = Shell(tmp_path / "shop", Path(runtime))
        yield shell
        shell.close()


def write(shell: Shell, text: str) -> None:
    directory = Path(shell.environment["HOME"]) / ".config" / "fleet-tui"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "console.toml").write_text(text, "utf-8")


def listed(shell: Shell) -> dict[str, Any]:
    return {row["name"]: row for row in shell.json("ctx")}


@asynccontextmanager
async def served(directory: Path) -> AsyncIterator[tuple[int, Path]]:
    """Serve an engine at a port of this machine; gives the port and the file with its token."""
    world = World({"fleet": {"default_pools": {"coder": {"min": 3, "max": 9}}}}, 1, hosts=1, work=instant_success)
    token = directory / "token"
    async with world.running(), Gateway(directory / "e.sock", world.gate, version="9.9", port=LoopbackPort("127.0.0.1", 0, token)) as gateway:
        yield gateway.port, token


def test_each_engine_is_a_row_whatever_the_others_do(shell: Shell) -> None:
    engine = shell.start_engine()
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(Path(shell.environment["XDG_RUNTIME_DIR"]) / "hung.sock"))
        hung.listen()
        write(
            shell,
            f'[contexts.shop]\ndirectory = "{shell.project}"\nread_only = true\n[contexts.hung]\nsocket = "{hung.getsockname()}"\n'
            '[contexts.gone]\nsocket = "/run/none.sock"\n[contexts.lost]\ndirectory = "/srv/no-such"\n[contexts.bad]\nsokcet = "/x"\n',
        )
        done = shell.run("ctx", "-o", "json")
        rows = listed(shell)
    assert "console.toml: contexts.bad.sokcet is unknown; did you mean socket?" in done.stderr
    assert {name: row["state"] for name, row in rows.items()} == {"shop": "live", "hung": "down", "gone": "down", "lost": "unusable"}
    assert (rows["shop"]["agents"], rows["shop"]["busy"], rows["shop"]["queued"]) == (4, 0, 0)
    assert rows["shop"]["needs"] == 0
    assert {name for name, row in rows.items() if row["read_only"]} == {"shop"}
    assert 0 < rows["shop"]["rtt_s"] < 2
    assert "did not answer within 2 s" in rows["hung"]["error"]
    assert "no engine runs here" in rows["gone"]["error"]
    assert "/srv/no-such" in rows["lost"]["error"]
    shell.end(engine, signal.SIGKILL)
    row = listed(shell)["shop"]
    assert (row["state"], row["agents"]) == ("down", None)
    assert "is gone and left its socket behind" in row["error"]


def test_commands_are_about_the_context_that_is_named_and_only_look_where_it_says_so(shell: Shell, tmp_path: Path) -> None:
    shell.start_engine()
    shell.project = tmp_path / "elsewhere"
    shell.project.mkdir()
    assert [(name, row["state"]) for name, row in listed(shell).items()] == [("project", "live")]  # found by itself
    assert shell.json("--context", "project", "get", "pools")[0]["id"] == "coder"
    shell.run("--context", "project", "scale", "coder", "3")
    shell.environment["FLEET_CONTEXT"] = "project"
    assert shell.json("get", "pools")[0]["size"] == 3
    write(shell, '[contexts.project]\nread_only = true\n')
    assert "this connection is read-only" in shell.run("scale", "coder", "2", code=4).stderr
    shell.run("--write", "scale", "coder", "2")
    assert "no context 'prject'; did you mean 'project'?" in shell.run("--context", "prject", "get", "pools", code=2).stderr
    assert "--context project is for engines that run" in shell.run("--context", "project", "engine", code=2).stderr
    del shell.environment["FLEET_CONTEXT"]
    assert "no engine runs for" in shell.run("get", "pools", code=3).stderr


def test_an_address_wants_its_token(shell: Shell, tmp_path: Path) -> None:
    async def story() -> tuple[dict[str, Any], Any, str]:
        with tempfile.TemporaryDirectory(prefix="g", dir="/tmp") as directory:
            async with served(Path(directory)) as (port, token):
                wrong = tmp_path / "wrong"
                wrong.write_text("x" * 43)
                entries = {"right": token, "wrong": wrong, "none": tmp_path / "none"}
                write(shell, "".join(f'[contexts.{name}]\nurl = "ws://127.0.0.1:{port}"\ntoken_file = "{file}"\n' for name, file in entries.items()))
                return await asyncio.to_thread(
                    lambda: (listed(shell), shell.json("--context", "right", "get", "pools"), shell.run("--context", "wrong", "get", "pools", code=4).stderr)
                )

    rows, pools, refusal = asyncio.run(story())
    assert (rows["right"]["state"], rows["right"]["agents"]) == ("live", 3)
    assert rows["wrong"]["state"] == "denied"
    assert "Authorization: Bearer" in rows["wrong"]["error"]
    assert rows["none"]["state"] == "unusable"
    assert "none cannot be read" in rows["none"]["error"]
    assert pools[0]["id"] == "coder"
    assert "x" * 43 not in refusal
