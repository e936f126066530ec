"""What a console remembers of its operator on this disk: sorts, widths, filters and lines typed, bookmarks.

Owner: one Memory for each console; it alone reads and writes its file. Several consoles may share the file: each writes
only the entries that it changed, over what the others wrote. Without a file everything works and nothing is remembered.
"""

from __future__ import annotations

import contextlib
import json
from copy import deepcopy
from pathlib import Path
from typing import Any

Entries = dict[str, dict[str, Any]]


class Memory:
    """Entries of plain values by name: a view's, or `console` for what belongs to none."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._entries = self._read()
        self._read_as = deepcopy(self._entries)

    def of(self, name: str) -> dict[str, Any]:
        """Return an entry; changing the dict is remembering, saved at the end or by save()."""
        return self._entries.setdefault(name, {})

    def save(self) -> None:
        """Write what changed here. A console that cannot remember still works, so a disk that refuses is no error."""
        if self._path is None:
            return
        changed = {name: entry for name, entry in self._entries.items() if entry != self._read_as.get(name, {})}
        if not changed:
            return
        merged = self._read() | changed
        new = self._path.with_suffix(".new")
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new.write_text(json.dumps(merged, ensure_ascii=False), "utf-8")
            new.replace(self._path)
            self._read_as = deepcopy(self._entries)

    def _read(self) -> Entries:
        if self._path is None:
            return {}
        try:
            kept = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return {str(name): dict(entry) for name, entry in kept.items() if isinstance(entry, dict)} if isinstance(kept, dict) else {}
