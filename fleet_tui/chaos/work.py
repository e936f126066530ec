"""What the tasks of the load do, in the workers of the engines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HOLD = "hold"


def answer(type_: str, payload: Mapping[str, Any]) -> dict[str, object]:
    """Return what was asked. A `note` notes in a file that it began and, after some work, that it ended."""
    if type_ == "note":
        _note(Path(payload["notes"]), "b", payload["number"])
        time.sleep(payload["work_s"])
        _note(Path(payload["notes"]), "e", payload["number"])
    return dict(payload)


async def answer_hosted(type_: str, payload: Mapping[str, Any]) -> dict[str, object]:
    """Return what was asked. A `hold` takes as long as it says, side by side with others in its process."""
    if type_ == HOLD:
        await asyncio.sleep(payload["work_s"])  # noqa: TID251  # in a worker, which has no clock
    return dict(payload)


def _note(file: Path, word: str, number: int) -> None:
    with file.open("ab", buffering=0) as notes:
        notes.write(f"{word} {number}\n".encode())
