"""Reads the words of files, to choose what is worth asking the agents; no count of these is in a report.

Owner: nobody; functions only. They read files and belong in a thread.
"""

from __future__ import annotations

import io
import re
import tokenize
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
    files: Counter[str] = field(default_factory=Counter)
    """Name -> how many files call it."""
    by_file: dict[str, frozenset[str]] = field(default_factory=dict)
    """File -> those of the watched functions that it calls where a statement can begin."""
    undecodable: set[str] = field(default_factory=set)
    """Files that are no text in the encoding that they declare; their check says more."""


def count_calls(files: Iterable[SourceFile], watched: Collection[str]) -> Calls:
    """Count `name(` and `a.name(`, as written, in files. A file that cannot be read has none."""
    calls = Calls()
    begins = {name: re.compile(rb"(?:^|[:;])[ \t]*" + re.escape(name.encode()) + rb"\(", re.MULTILINE) for name in watched}
    for file in files:
        data = _read(file)
        if not is_text(data):
            calls.undecodable.add(file.name)
        # One match at a time, not findall: an engine in this process must get its turns in between.
        found = Counter(match[1] for match in CALL.finditer(data))
        names = {name.decode(): count for name, count in found.items()}
        calls.totals.update(names)
        calls.files.update(names.keys())
        used = frozenset(name for name in watched if name in names and begins[name].search(data))
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


def is_text(data: bytes) -> bool:
    """Whether a source can be decoded by its own declaration (PEP 263)."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        data.decode(encoding)
    except (SyntaxError, ValueError, LookupError):
        return False
    return True


def _read(file: SourceFile) -> bytes:
    try:
        return Path(file.path).read_bytes()
    except OSError:  # its check will tell
        return b""
