"""Where the token and the webhook's secret come from. Read anew at each use, so that a change holds at once; never logged."""

from __future__ import annotations

import os
from pathlib import Path

from engine.model.errors import ConfigError

FILE_BYTES_MAX = 4_096


def read_secret(variable: str, file: Path | None, what: str) -> str:
    """Return a secret from a file, else from a variable. Raises ConfigError that says what to do. Blocks for a small file."""
    if file is not None:
        try:
            with file.open("rb") as stream:
                found = stream.read(FILE_BYTES_MAX).decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise ConfigError(f"github: {file} cannot be read: {reason}; write {what} into it") from error
        place = str(file)
    else:
        found, place = os.environ.get(variable, "").strip(), f"the variable {variable}"
    if not found or not found.isascii() or not found.isprintable():
        raise ConfigError(f"github: {place} holds no {what}; set it and start the engine again")
    return found
