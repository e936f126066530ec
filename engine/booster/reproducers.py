"""Files with which a failure of an instance can be repeated: the operation, its arguments, the text, and what happened.

Owner: of the folder, together with the other workers of this engine: at most `FILES_MAX` files and `MAX_BYTES`, the
oldest go first. A file holds somebody's source, so only this user can read it.
"""

import json
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final

FILES_MAX: Final = 20
MAX_BYTES: Final = 64 * 1024 * 1024
logger = logging.getLogger(__name__)


class Reproducers:
    """Writes such files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)

    def write(self, what: Mapping[str, object]) -> str:
        """Keep what a failure can be repeated with, and give the file's path; empty if it cannot be written."""
        path = self._folder / f"{os.getpid()}-{next(self._numbers)}-{what['failure']}.json"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogatepass") as file:
                json.dump(what, file, indent=1)
            self._tidy()
        except OSError as error:
            logger.warning("no reproducer can be written", extra={"path": str(path), "error": str(error)})
            return ""
        return str(path)

    def _tidy(self) -> None:
        files = []
        for path in self._folder.glob("*.json"):
            with suppress(FileNotFoundError):  # another worker tidies too
                status = path.stat()
                files.append((status.st_mtime_ns, status.st_size, path))
        files.sort(reverse=True)
        total = 0
        for number, (_, size, path) in enumerate(files):
            total += size
            if number and (number >= FILES_MAX or total > MAX_BYTES):
                path.unlink(missing_ok=True)
