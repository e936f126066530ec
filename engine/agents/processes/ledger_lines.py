"""The ledger as a file: one JSON object a line, appended before a program starts and after it has ended.

Owner: the spawner while one runs (its children append their own line before exec), the engine's sweep before that.
Bounded: rewritten with only the living when it has grown past `COMPACT_AT_BYTES`. Light, like `process_table`.
"""

from __future__ import annotations

import errno
import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

COMPACT_AT_BYTES = 1 << 20


class LedgerEntry:
    """One process that was started: everything needed to know it again, and only it."""

    __slots__ = (
        "boot",
        "engine",
        "engine_pid",
        "engine_start",
        "key",
        "pgid",
        "pid",
        "start",
        "tag",
    )

    def __init__(self, fields: dict[str, object]) -> None:
        self.pid = _whole(fields["pid"])
        self.start = None if fields.get("start") is None else _whole(fields["start"])
        self.pgid = _whole(fields.get("pgid", self.pid))
        self.key = str(fields.get("key", ""))  # the task; empty for the spawner itself
        self.tag = _whole(fields.get("tag", 0))
        self.engine = str(fields.get("engine", ""))
        self.engine_pid = _whole(fields.get("engine_pid", 0))
        self.engine_start = (
            None if fields.get("engine_start") is None else _whole(fields["engine_start"])
        )
        self.boot = str(fields.get("boot", ""))

    def line(self) -> bytes:
        """Return the line of this entry."""
        return _line({name: getattr(self, name) for name in self.__slots__})


class LedgerContents:
    """What a ledger says: the entries without an end, and how many lines could not be read."""

    __slots__ = ("entries", "torn_lines")

    def __init__(self, entries: list[LedgerEntry], torn_lines: int) -> None:
        self.entries = entries
        self.torn_lines = torn_lines


def ended_line(pid: int, start: int | None) -> bytes:
    """Return the line that closes the entry of this process."""
    return _line({"ended": pid, "start": start})


def append_line(path: str, line: bytes) -> None:
    """Append one line in one write; raise OSError if it did not fit, because then nothing may be started."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.write(fd, line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(fd)


def parse_ledger(data: bytes) -> LedgerContents:
    """Return the entries still open in `data`; a line torn by a crash is counted and skipped."""
    entries: dict[tuple[int, int | None], LedgerEntry] = {}
    torn = 0
    for line in data.split(b"\n"):
        record, is_torn = _decode(line)
        torn += is_torn
        if record is None:
            continue
        try:
            if "ended" in record:
                start = record.get("start")
                entries.pop(
                    (_whole(record["ended"]), None if start is None else _whole(start)), None
                )
            else:
                entry = LedgerEntry(record)
                entries[entry.pid, entry.start] = entry
        except (KeyError, TypeError):
            torn += 1
    return LedgerContents(list(entries.values()), torn)


def rewrite_ledger(path: str, entries: Iterable[LedgerEntry]) -> None:
    """Replace the ledger by these entries at once; a crash leaves the old file or the new one, never half."""
    new = f"{path}.new"
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        data = memoryview(b"".join(entry.line() for entry in entries))
        while data:
            data = data[os.write(fd, data) :]
    finally:
        os.close(fd)
    os.replace(new, path)  # noqa: PTH105 - pathlib would double the spawner's start


def _decode(line: bytes) -> tuple[dict[str, object] | None, bool]:
    """Return the record of a line, and whether something before or all of it was torn."""
    if not line.strip(b"\0 \r"):
        return None, False
    # A torn line has no end of its own, so the next record may stand on the same line, after it.
    for start, is_torn in ((0, False), (line.rfind(b'{"'), True)):
        try:
            record = json.loads(line[max(start, 0) :])
        except ValueError:
            continue
        if isinstance(record, dict):
            return record, is_torn
    return None, True


def _line(record: dict[str, object]) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"expected a whole number, found {value!r}")
    return value
