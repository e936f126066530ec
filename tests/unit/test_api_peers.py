"""Who may enter, and what the audit says of where they come from."""

from __future__ import annotations

import os

import pytest
from engine.api.peers import (
    Doorkeeper,
    KnownOperator,
    Peer,
    address_with_ssh,
    known_operators,
    load_token,
    user_name,
)
from engine.model.errors import CommandRefused, EngineStartError
from engine.model.verbs import Role

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


ADA = KnownOperator("ada", Role.OPERATOR)
BOB = KnownOperator("bob", Role.VIEWER, uid=1002)
SHARED_DOOR = Doorkeeper(1000, {1000: "ops", 0: "root"}, "t" * 32, (ADA, BOB))


@pytest.mark.parametrize(("uid", "account"), [(1000, "ops"), (0, "root")])
def test_a_name_of_a_shared_account_is_taken_from_it(uid: int, account: str) -> None:
    origin = SHARED_DOOR.admit(Peer(7, uid, "pid 7"), name="ada")
    assert (origin.who, origin.role, origin.address) == ("ada", Role.OPERATOR, f"{account} pid 7")
    assert SHARED_DOOR.admit(Peer(7, uid, "pid 7")).who == account, "without a name it is the account"


def test_the_tokens_holder_may_say_a_name() -> None:
    assert SHARED_DOOR.admit(Peer(0, -1, "127.0.0.1:9"), "Bearer " + "t" * 32, "ada").who == "ada"
    with pytest.raises(CommandRefused):
        SHARED_DOOR.admit(Peer(0, -1, "127.0.0.1:9"), "", "ada")


@pytest.mark.parametrize("name", ["mallory", "bob", "ops", "root", "ada ", "Ada", "\x1b[2J"])
def test_names_that_are_not_the_accounts_are_refused(name: str) -> None:
    with pytest.raises(CommandRefused, match="no operator") as refusal:
        SHARED_DOOR.admit(Peer(7, 1000, "pid 7"), name=name)
    assert "\x1b" not in str(refusal.value)


def test_who_has_an_account_is_who_the_kernel_says() -> None:
    origin = SHARED_DOOR.admit(Peer(7, 1002, "pid 7"))
    assert (origin.who, origin.role, origin.address) == ("bob", Role.VIEWER, "pid 7")
    assert SHARED_DOOR.admit(Peer(7, 1002, "pid 7"), name="bob").who == "bob"
    with pytest.raises(CommandRefused, match="you are bob here"):
        SHARED_DOOR.admit(Peer(7, 1002, "pid 7"), name="ada")
    with pytest.raises(CommandRefused, match="belongs to ops"):
        SHARED_DOOR.admit(Peer(7, 1003, "pid 7"))


def test_operators_are_checked_at_the_start() -> None:
    (root,) = known_operators({"ann": ("admin", "root")})
    assert (root.role, root.uid) == (Role.ADMIN, 0)
    with pytest.raises(EngineStartError, match=r"operators\.ann: there is no user 'nobody-of-this-name'"):
        known_operators({"ann": ("admin", "nobody-of-this-name")})
    with pytest.raises(EngineStartError, match="owns this engine"):
        known_operators({user_name(os.getuid()): ("viewer", "")})


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
