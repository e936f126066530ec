"""The engine's log: one JSON object a line, in a file that is rotated and so bounded, without secrets.

Owner: the handlers that `open_log` installs, until its context ends. Limits: FILE_BYTES_MAX a file, FILES_KEPT older ones,
VALUE_CHARACTERS_MAX a value. A log that cannot be written (full disk) is dropped and never stops the engine.
"""

from __future__ import annotations

import contextlib
import json
import logging
import logging.handlers
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from engine.model import secrets
from engine.model.errors import EngineStartError
from engine.model.secrets import HIDDEN

FILE_BYTES_MAX = 5_000_000
FILES_KEPT = 3
VALUE_CHARACTERS_MAX = 8_192

_OWN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; the rest came by `extra`."""


class JsonLines(logging.Formatter):
    """A record as one JSON object: at, level, logger, message, and what came by `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": conceal(record.getMessage()),
        }
        for key, value in vars(record).items():
            if key not in _OWN_ATTRIBUTES:
                line[key] = HIDDEN if secrets.is_secret_name(key) else plain(value)
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = conceal(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


class BoundedFile(logging.handlers.RotatingFileHandler):
    """A rotating file, readable by its user only, that gives up a line it cannot write."""

    def __init__(self, path: Path) -> None:
        # Opened here, before any thread logs: logging itself would open it with the umask's mode.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        super().__init__(path, maxBytes=FILE_BYTES_MAX, backupCount=FILES_KEPT, encoding="utf-8", errors="backslashreplace")
        self.dropped = 0

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the library's name
        """Count a line that could not be written; the journal, not the log, decides whether the engine goes on."""
        del record
        self.dropped += 1


@contextlib.contextmanager
def open_log(path: Path, level: str, *, echo: bool) -> Iterator[None]:
    """Log to a file, and warnings to standard error too when `echo`, until the context ends. Raises EngineStartError."""
    try:
        file = BoundedFile(path)
    except OSError as error:
        raise EngineStartError(f"cannot write the log {path}: {error.strerror}") from error
    file.setFormatter(JsonLines())
    handlers: list[logging.Handler] = [file]
    if echo:
        stream = logging.StreamHandler()
        stream.setLevel(logging.WARNING)
        stream.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        handlers.append(stream)
    root = logging.getLogger()
    before = root.level
    root.setLevel(level)
    for handler in handlers:
        root.addHandler(handler)
    try:
        yield
    finally:
        root.setLevel(before)
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()


def plain(value: object) -> object:
    """Return a value as JSON has it; long texts are cut, objects become text, secrets in texts are hidden."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {str(key): HIDDEN if secrets.is_secret_name(str(key)) else plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return conceal(str(value))


def conceal(text: str) -> str:
    """Return a text without what looks like a secret, cut to VALUE_CHARACTERS_MAX."""
    if len(text) > VALUE_CHARACTERS_MAX:
        text = f"{text[:VALUE_CHARACTERS_MAX]}… ({len(text)} characters)"
    return secrets.conceal(text)
