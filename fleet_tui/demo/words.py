"""Reads the words of files, to choose what is worth asking the agents; no count of these is in a report.

Owner: nobody; functions only. They read files and belong in a thread.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from fleet_tui.demo.discovery import SourceFile

CALL = re.compile(rb"(?<![A-Za-z0-9_.])([A-Za-z_][A-Za-z0-9_.]*)\(")
"""A name, or names with dots between them, before an opening bracket."""
SEPARATORS = bytes(byte if chr(byte).isalnum() or byte == ord("_") or byte >= 128 else ord(" ") for byte in range(256))
"""Turns all that is not part of a word into spaces."""


@dataclass(slots=True)
class Calls:
    """What looks like a call in the text of files."""

    totals: Counter[str] = field(default_factory=Counter)
    by_file: dict[str, frozenset[str]] = field(default_factory=dict)
    """File -> those of the watched functions that it calls."""


def count_calls(files: Iterable[SourceFile], watched: Collection[str]) -> Calls:
    """Count `name(` and `a.name(`, as written, in files. A file that cannot be read has none."""
    calls = Calls()
    for file in files:
        # One match at a time, not findall: an engine in this process must get its turns in between.
        found = Counter(match[1] for match in CALL.finditer(_read(file)))
        names = {name.decode(): count for name, count in found.items()}
        calls.totals.update(names)
        used = frozenset(name for name in watched if name in names)
        if used:
            calls.by_file[file.name] = used
    return calls


def find_files(files: Iterable[SourceFile], names: Collection[str]) -> dict[str, list[str]]:
    """Return for each name the files that have it as a word, in their order."""
    places: dict[str, list[str]] = {name: [] for name in names}
    wanted = {name.encode(): name for name in names}
    for file in files:
        words = set(_read(file).translate(SEPARATORS).split())
        for word in wanted.keys() & words:
            places[wanted[word]].append(file.name)
    return places


def _read(file: SourceFile) -> bytes:
    try:
        return Path(file.path).read_bytes()
    except OSError:  # its check will tell
        return b""
