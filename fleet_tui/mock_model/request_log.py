"""A file with a line of JSON for each request, for tests that look at what an agent sent.

Owner: `RequestLog`, of its file. Nothing is read back; a file that cannot be written is given up, and that is logged.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from engine.model.errors import UsageError
from engine.model.secrets import redact

logger = logging.getLogger(__name__)


class RequestLog:
    """Appends lines; `with` it. What looks like a secret is left out."""

    def __init__(self, path: Path, *, with_bodies: bool = False) -> None:
        self._path = path
        self._with_bodies = with_bodies
        self._file = -1

    def __enter__(self) -> Self:
        """Open the file, readable by its owner alone. Raises UsageError."""
        try:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UsageError(f"cannot write the log {self._path}: {error.strerror}") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def add(self, line: Mapping[str, object], body: object) -> None:
        """Write a line that has no secrets, with the body of the request if that is wanted."""
        if self._file < 0:
            return
        try:
            told = {**line, "body": redact(body)} if self._with_bodies else line
        except RecursionError:
            told = {**line, "body": "(nested too deeply)"}
        try:
            os.write(self._file, msgspec.json.encode(told) + b"\n")
        except OSError:
            logger.exception("the log of requests cannot be written")
            os.close(self._file)
            self._file = -1
