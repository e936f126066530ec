"""The engine's log: JSON lines, bounded, without secrets, and never a reason to stop."""

from __future__ import annotations

import errno
import io
import json
import logging
import stat
from pathlib import Path
from typing import Any

import pytest
from engine.model.errors import EngineStartError
from fleet_tui import logs
from fleet_tui.logs import HIDDEN, conceal, open_log

logger = logging.getLogger("tests.cli.logs")


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_record_is_an_object(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    with open_log(path, "INFO", echo=False):
        logger.debug("not wanted")
        logger.info("pool %s scaled", "coder", extra={"pool": "coder", "size": 3, "ids": ("a", Path("b")), "more": {"x": None}})
        try:
            raise ValueError("broken\nin two lines")
        except ValueError:
            logger.exception("failed")
    first, second = lines_of(path)
    assert first.pop("at").endswith("+00:00")
    assert first == {
        "level": "INFO", "logger": "tests.cli.logs", "message": "pool coder scaled",
        "pool": "coder", "size": 3, "ids": ["a", "b"], "more": {"x": None},
    }  # fmt: skip
    assert second["level"] == "ERROR"
    assert "ValueError: broken\nin two lines" in second["error"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_log_ends_with_its_context(tmp_path: Path) -> None:
    before = logging.getLogger().handlers[:], logging.getLogger().level
    with open_log(tmp_path / "log", "DEBUG", echo=True):
        pass
    assert (logging.getLogger().handlers, logging.getLogger().level) == before


def test_warnings_are_echoed_when_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_log(tmp_path / "log", "INFO", echo=True):
        logger.info("quiet")
        logger.warning("loud")
    assert capsys.readouterr().err == "WARNING tests.cli.logs: loud\n"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("authorization: Bearer abc.def-ghi done", "authorization: Bearer [hidden] done"),
        ("POST /x?token=abc&y=1", "POST /x?token=[hidden]"),
        ("password = hunter2, user = bob", "password = [hidden], user = bob"),
        ("API_KEY:xyz", "API_KEY:[hidden]"),
        ("used sk-" + "a1" * 12, "used [hidden]"),
        ("the task is risky, ask twice", "the task is risky, ask twice"),
        ("3 tokens used", "3 tokens used"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str, kept: str) -> None:
    assert conceal(text) == kept


def test_secrets_by_key_are_hidden(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with open_log(path, "INFO", echo=False):
        logger.info("called", extra={"api_key": "abc", "headers": {"Authorization": "abc", "accept": "x"}, "url": "wss://h/?token=abc"})
    text = path.read_text()
    assert "abc" not in text
    (line,) = lines_of(path)
    assert line["api_key"] == HIDDEN
    assert line["headers"] == {"Authorization": HIDDEN, "accept": "x"}


def test_the_log_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES_MAX", 2_000)
    path = tmp_path / "log"
    with open_log(path, "INFO", echo=False):
        for number in range(200):
            logger.info("line", extra={"number": number, "text": "x" * 100})
        logger.info("long", extra={"text": "y" * 100_000})
    files = sorted(tmp_path.iterdir())
    assert len(files) == 1 + logs.FILES_KEPT
    assert max(file.stat().st_size for file in files) < logs.VALUE_CHARACTERS_MAX + 500
    assert "(100000 characters)" in path.read_text()


class FullDisk(io.StringIO):
    def write(self, _text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_drops_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler = logs.BoundedFile(tmp_path / "log")
    handler.close()
    handler.stream = FullDisk()
    handler.handle(logging.makeLogRecord({"msg": "x", "levelno": logging.INFO}))
    assert handler.dropped == 1
    assert capsys.readouterr().err == ""


def test_a_log_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EngineStartError, match="cannot write the log"), open_log(tmp_path / "file/log", "INFO", echo=False):
        pass
