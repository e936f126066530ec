"""Who may enter, and what the audit says of where they come from."""

from __future__ import annotations

import os

import pytest
from engine.api.peers import Doorkeeper, Peer, address_with_ssh, load_token, user_name
from engine.model.commands import Role
from engine.model.errors import CommandRefused, EngineStartError

DOOR = Doorkeeper(1000, {1000: "ann", 0: "root"}, token="t" * 32)


@pytest.mark.parametrize(("uid", "who"), [(1000, "ann"), (0, "root")])
def test_own_user_and_root_are_admins(uid: int, who: str) -> None:
    origin = DOOR.admit(Peer(4711, uid, "pid 4711"))
    assert (origin.who, origin.role, origin.address, origin.via) == (who, Role.ADMIN, "pid 4711", "api")


@pytest.mark.parametrize("uid", [1, 1001, 65534])
def test_others_are_refused(uid: int) -> None:
    with pytest.raises(CommandRefused, match="belongs to ann"):
        DOOR.admit(Peer(1, uid, "pid 1"), "Bearer " + "t" * 32)


@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer x", "Basic " + "t" * 32, "Bearer " + "t" * 33, "Bearer \xff" + "t" * 31])
def test_tcp_needs_the_token(shown: str) -> None:
    with pytest.raises(CommandRefused, match="Bearer"):
        DOOR.admit(Peer(0, -1, "127.0.0.1:9"), shown)


def test_tcp_with_the_token() -> None:
    origin = DOOR.admit(Peer(0, -1, "127.0.0.1:9"), "Bearer " + "t" * 32)
    assert (origin.who, origin.address) == ("ann", "127.0.0.1:9")


def test_no_token_lets_nobody_in_over_tcp() -> None:
    with pytest.raises(CommandRefused):
        Doorkeeper(1000, {1000: "ann"}).admit(Peer(0, -1, "127.0.0.1:9"), "Bearer ")


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("10.1.2.3 51234 10.0.0.1 22", "pid 7 via ssh from 10.1.2.3:51234"),
        ("fe80::1%eth0 51234 fe80::2 22", "pid 7 via ssh from fe80::1%eth0:51234"),
        ("", "pid 7"),
        ("10.1.2.3", "pid 7"),
        ("10.1.2.3\nroot did it 22", "pid 7"),
        ("x" * 100 + " 22", "pid 7"),
    ],
)
def test_ssh_address_is_believed_only_in_its_form(said: str, address: str) -> None:
    assert address_with_ssh("pid 7", said) == address


def test_unknown_user_has_a_name() -> None:
    assert user_name(3_999_999_999) == "uid 3999999999"
    assert Doorkeeper.of_this_process().names[os.getuid()] == user_name(os.getuid())


def test_token_is_made_once_and_private(tmp_path) -> None:
    path = tmp_path / "token"
    token = load_token(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_token(path) == token
    assert len(token) >= 32


def test_token_that_others_can_read_is_refused(tmp_path) -> None:
    path = tmp_path / "token"
    load_token(path)
    path.chmod(0o644)
    with pytest.raises(EngineStartError, match="chmod 600"):
        load_token(path)


def test_short_or_torn_token_is_refused(tmp_path) -> None:
    path = tmp_path / "token"
    path.touch(0o600)
    with pytest.raises(EngineStartError, match="too short"):
        load_token(path)
    path.write_bytes(b"\xff" * 40)
    with pytest.raises(EngineStartError, match="cannot read"):
        load_token(path)
    with pytest.raises(EngineStartError, match="cannot write"):
        load_token(tmp_path / "absent" / "token")
