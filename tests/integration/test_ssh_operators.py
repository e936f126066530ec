"""One account, several keys, several people: who did it, from where, and what each may do; and people with accounts of their own."""

from __future__ import annotations

import contextlib
import grp
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.engines import EngineProcess, engine, until
from tests.integration.sshd import SshServer, forced, ssh_server

pytestmark = [pytest.mark.xdist_group("ssh"), pytest.mark.timeout(600)]

OPERATORS = """
[operators.ada]
role = "operator"

[operators.bob]
role = "viewer"

[operators.eve]
role = "operator"
"""
NOBODY = 65534


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """An engine that knows three people by name."""
    with engine(tmp_path_factory.mktemp("fleet"), OPERATORS) as running:
        yield running


@pytest.fixture(scope="module")
def server(subject: EngineProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """sshd with a key for each of them, and one for somebody whom the engine does not know."""
    keys = {name: forced(subject, "--as", name) for name in ("ada", "bob", "eve", "mallory")}
    with ssh_server(tmp_path_factory.mktemp("ssh"), keys) as running:
        yield running


def last_audit(subject: EngineProcess) -> dict[str, str]:
    return subject.get("audit")[-1]


def size_of(subject: EngineProcess, pool: str) -> int:
    return int(subject.get("pool", pool)["agents"])


def test_two_keys_are_two_people(subject: EngineProcess, server: SshServer) -> None:
    """Each act has its name and address; each has a stack of undo of their own."""
    with server.terminal("ada") as ada, server.terminal("eve") as eve:
        for screen, pool in ((ada, "coder"), (eve, "tester")):
            screen.wait_text("LIVE")
            screen.send(f":scale {pool} +2\r".encode())
            screen.wait_text("→")
            screen.send(b"\r")
            until(lambda pool=pool: [row["target"] for row in subject.get("audit")][-1:] == [pool])
        one, other = subject.get("audit")[-2:]
        assert (one["who"], one["target"], other["who"], other["target"]) == ("ada", "coder", "eve", "tester")
        for entry in (one, other):
            assert entry["via"] == "console"
            assert entry["address"].startswith(f"{server.user} pid ")
            assert " via ssh from 127.0.0.1:" in entry["address"]
        assert one["address"] != other["address"]
        until(lambda: (size_of(subject, "coder"), size_of(subject, "tester")) == (7, 5))
        ada.send(b"u")
        ada.wait_text("7 → 5")
        ada.send(b"\r")
        until(lambda: size_of(subject, "coder") == 5)
        assert size_of(subject, "tester") == 5, "what eve did stays"
        assert last_audit(subject)["who"] == "ada"


def test_a_viewer_looks_and_changes_nothing(subject: EngineProcess, server: SshServer) -> None:
    before = size_of(subject, "analyst")
    with server.terminal("bob") as screen:
        screen.wait_text("LIVE")
        screen.send(b":scale analyst +2\r")
        screen.wait_text("bob is viewer")
    assert size_of(subject, "analyst") == before


def test_no_key_leads_to_a_shell(subject: EngineProcess, server: SshServer) -> None:
    """ctrl+z, the account's own programs, and what a shell would take for commands: there is the console, or nothing."""
    folder = Path(subject.environment["XDG_CONFIG_HOME"]) / "fleet-tui"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "commands.toml").write_text('[commands.shell]\nkey = "f9"\ndescription = "a shell"\nscopes = ["all"]\nargv = ["sh"]\n')
    with server.terminal("bob") as screen:
        screen.wait_text("LIVE")
        screen.send(b"\x1b[20~")
        screen.send(b"?")
        screen.wait_text("keys of this view")
        assert "a shell" not in screen.text
        screen.send(b"\x1b")
        screen.wait(lambda pty: "keys of this view" not in pty.text)
        screen.send(b"\x1a")
        screen.send(b":pools\r")
        screen.wait_text("min..max")
        screen.send(b":audit\r")
        screen.wait_text("Audit")
        screen.send(b"\x03echo leaked\r")
        screen.wait(lambda pty: not pty.is_open)
        assert "leaked" not in screen.text


def test_the_client_does_not_choose_who_it_is(subject: EngineProcess, server: SshServer) -> None:
    """The key's command runs, whatever is asked for; variables that sshd takes over say nothing about it."""
    from tests.ui.pty_screen import PtyScreen

    words = server.ssh("bob", "fleet-tui", "--as", "ada", options=("-tt", "-o", "SetEnv=FLEET_AS=ada"))
    with PtyScreen(words) as screen:
        screen.wait_text("LIVE")
        screen.send(b":scale analyst +2\r")
        screen.wait_text("bob is viewer")


def test_a_key_of_nobody_known_is_refused_in_words(subject: EngineProcess, server: SshServer) -> None:
    with server.terminal("mallory", columns=160) as screen:
        screen.wait_text("no operator 'mallory' here")


def test_commands_act_under_a_name_too(subject: EngineProcess) -> None:
    assert subject.run("--as", "ada", "scale", "optimizer", "+1").returncode == 0
    assert last_audit(subject)["who"] == "ada"
    refused = subject.run("--as", "bob", "scale", "optimizer", "+1")
    assert refused.returncode == 4 and "bob is viewer" in refused.stderr
    stopped = subject.run("--as", "ada", "stop", "--yes")
    assert stopped.returncode == 4 and "needs the role admin" in stopped.stderr
    unknown = subject.run("--as", "mallory", "get", "pools")
    assert unknown.returncode == 4 and "no operator 'mallory'" in unknown.stderr


# ---- people with accounts of their own


@contextlib.contextmanager
def as_user(uid: int, groups: list[int]) -> Iterator[None]:
    """Be another user for what connects: the kernel notes the effective ids."""
    before = os.getgroups()
    os.setgroups(groups)
    os.setegid(groups[0])
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


def ask(path: Path, method: str, target: str, body: str = "", **headers: str) -> str:
    """Ask over the socket and return the whole answer."""
    lines = [f"{method} {target} HTTP/1.1", "Host: engine", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall("\r\n".join([*lines, "", body]).encode())
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def group_of(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        pytest.skip(f"group {gid} has no name here")


def test_the_socket_opens_to_a_group(tmp_path: Path) -> None:
    door = tmp_path / "door"
    door.mkdir(mode=0o750)
    with engine(tmp_path, f'[access]\ngroup = "{group_of(os.getgid())}"\n', args=(), before=("--socket", str(door / "engine.sock"))) as subject:
        assert (door / "engine.sock").stat().st_mode & 0o777 == 0o660
        assert subject.run("--socket", str(door / "engine.sock"), "get", "status").returncode == 0
        assert subject.get("status")["pid"] == subject.pid, "its own account finds it by itself"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else; test_the_socket_opens_to_a_group is for the rest")
def test_the_kernel_says_who_has_an_account(tmp_path: Path) -> None:
    import pwd

    door = tmp_path / "door"
    door.mkdir(mode=0o755)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o001 == 0:
            folder.chmod(folder.stat().st_mode | 0o011)
    path = door / "engine.sock"
    config = f'[access]\ngroup = "{group_of(NOBODY)}"\n[operators.bob]\nrole = "viewer"\nuser = "{pwd.getpwuid(NOBODY).pw_name}"\n[operators.ada]\n'
    with engine(tmp_path, config, before=("--socket", str(path))):
        with as_user(NOBODY, [NOBODY]):
            assert ask(path, "GET", "/v1/status").startswith("HTTP/1.1 200")
            refused = ask(path, "POST", "/v1/pool.scale", '{"pool": "coder", "size": "+1"}')
            assert " 403 " in refused.splitlines()[0] and "bob is viewer" in refused
            assert "you are bob here" in ask(path, "GET", "/v1/status", Fleet_As="ada")
        with as_user(NOBODY - 1, [NOBODY]):
            assert "belongs to root" in ask(path, "GET", "/v1/status"), "the group opens the socket, the name opens the door"
        with as_user(NOBODY - 1, [NOBODY - 1]), pytest.raises(PermissionError):
            ask(path, "GET", "/v1/status")
