"""Which conversation an attempt began, so that the next attempt of its task goes on with it, after a kill of the engine too.

Owner: the folder `conversations` of the state directory, a small file a task; gone when the task ends. Limits: KEPT_MAX files, the
newer half stays; one that cannot be written is done without: the next attempt then begins anew.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

from engine.model.ids import TaskId

logger = logging.getLogger(__name__)

FOLDER = "conversations"
KEPT_MAX = 1_000
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}")
"""What a conversation may be called: it becomes an argument of a program."""


class Conversations:
    """Knows the conversations of tasks that have not ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._noted: dict[TaskId, str] = {}

    def note(self, task: TaskId, name: str) -> None:
        """Keep what the agent calls the conversation about a task."""
        if self._noted.get(task) == name or not _NAME.fullmatch(name):
            return
        self._noted[task] = name
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self._folder / task).write_text(name, "utf-8")
            self._trim()
        except OSError as error:
            logger.warning("conversation not kept", extra={"task": task, "reason": str(error)})

    def _trim(self) -> None:
        kept = list(self._folder.iterdir())
        if len(kept) > KEPT_MAX:
            for old in sorted(kept, key=lambda path: path.stat().st_mtime)[: -KEPT_MAX // 2]:
                old.unlink(missing_ok=True)

    def find(self, task: TaskId) -> str:
        """Return the conversation that an earlier attempt of a task began; empty = none did."""
        try:
            name = self._noted.get(task) or (self._folder / task).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return ""
        return name if _NAME.fullmatch(name) else ""

    def forget(self, task: TaskId) -> None:
        """Let go of a task's conversation."""
        self._noted.pop(task, None)
        try:
            (self._folder / task).unlink(missing_ok=True)
        except OSError as error:
            logger.warning("conversation not forgotten", extra={"task": task, "reason": str(error)})


def is_name(word: object) -> bool:
    """Tell whether a word can be the name of a conversation."""
    return isinstance(word, str) and _NAME.fullmatch(word) is not None
