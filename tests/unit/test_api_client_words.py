"""What the client says when there is no engine: always with what to do next."""

from __future__ import annotations

import errno

import pytest
from engine.api.client import _door_error, _lost_text, _refused_text, _socket_path
from engine.model.errors import CommandRefused, EngineUnavailable


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file"), "no engine runs here (no socket /run/s): start one with `fleet-tui`"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "is gone and left its socket behind: start one"),
        (PermissionError(errno.EACCES, "denied"), "belongs to another user: become that user"),
        (OSError(errno.EMFILE, "Too many open files"), "cannot reach an engine at /run/s (Too many open files): start one"),
        (EOFError("stream ends"), "what answers at /run/s is not an engine: stream ends"),
    ],
)
def test_refusals(error: Exception, said: str) -> None:
    assert said in _refused_text("/run/s", error)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"code":"refused"}'])
def test_a_stranger_at_the_door(body: bytes) -> None:
    error = _door_error(body, "/run/s")
    assert type(error) is EngineUnavailable
    assert "is not an engine" in str(error)


def test_the_doors_own_words() -> None:
    error = _door_error(b'{"code":"refused","message":"not you","status":403}', "/run/s")
    assert (type(error), str(error)) == (CommandRefused, "not you")


def test_lost() -> None:
    assert "(the engine stops)" in _lost_text("/run/s", "the engine stops")
    assert "without a word" in _lost_text("/run/s", "")


@pytest.mark.parametrize("address", ["/run/s", "unix:/run/s", "unix:///run/s"])
def test_addresses_of_a_socket(address: str) -> None:
    assert _socket_path(address) == "/run/s"
