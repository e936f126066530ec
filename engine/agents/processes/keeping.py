"""What keeper and engine share: the order for a keeper, and the files in the directory of a kept run.

The directory `kept/` in the engine's state has `engine`, which names the engine that is there, and one directory a run:
`ledger` (keeper and program, see `ledger_lines`), `started`, `heard`, and at the end `stdout`, `stderr` and `ended`, the last
of which is written whole or not at all. Owner: the keeper writes, the engine reads and removes; only `ending`, why the program
is to be ended, the engine writes. Light, like `process_table`.
"""

from __future__ import annotations

import json
import os

from . import process_table

OWNER_NAME = "engine"
LEDGER_NAME = "ledger"
STARTED_NAME = "started"
ENDED_NAME = "ended"
ENDING_NAME = "ending"
HEARD_NAME = "heard"
"""Changed when the program last said something, by the monotonic clock, which all processes of a machine share."""
STREAM_NAMES = ("stdout", "stderr")


class KeeperOrder:
    """What a keeper is to run, and where it leaves what became of it."""

    def __init__(self, fields: dict[str, object]) -> None:
        folder = str(fields["folder"])
        program, environment = fields["program"], fields["environment"]
        assert isinstance(program, dict), "the engine sends an object"
        assert isinstance(environment, dict), "the engine sends an object"
        self.key = str(fields["key"])
        self.program: dict[str, object] = program
        """argv, cwd, limits, nice, as for the spawner."""
        self.environment: dict[str, str] = environment
        self.stdin = str(fields["stdin"])
        """In base 64."""
        self.has_stdin = bool(fields["has_stdin"])
        self.output_max_bytes = int(str(fields["output_max_bytes"]))
        self.log_path = str(fields["log_path"])
        self.log_max_bytes = int(str(fields["log_max_bytes"]))
        self.idle_timeout_s = float(str(fields["idle_timeout_s"]))
        self.grace_s = float(str(fields["grace_s"]))
        self.adopt_within_s = float(str(fields["adopt_within_s"]))
        self.owner = f"{os.path.dirname(folder)}/{OWNER_NAME}"  # noqa: PTH120 - pathlib would double the keeper's start
        self.ledger = f"{folder}/{LEDGER_NAME}"
        self.started = f"{folder}/{STARTED_NAME}"
        self.ended = f"{folder}/{ENDED_NAME}"
        self.ending = f"{folder}/{ENDING_NAME}"
        self.heard = f"{folder}/{HEARD_NAME}"
        self.stdout, self.stderr = (f"{folder}/{name}" for name in STREAM_NAMES)


def write_owner(path: str, pid: int) -> None:
    """Name the engine that is there."""
    write_record(path, {"pid": pid, "start": process_table.read_start(pid), "boot": process_table.read_boot()})


def has_engine(path: str) -> bool:
    """Answer whether the engine that is named is alive."""
    record = read_record(path)
    if record is None or record.get("boot") != process_table.read_boot():
        return False
    pid, start = record.get("pid"), record.get("start")
    return isinstance(pid, int) and start is not None and process_table.read_start(pid) == start


def write_record(path: str, record: dict[str, object]) -> None:
    """Write a record at once: a crash leaves all of it or nothing."""
    new = f"{path}.new"
    write_bytes(new, json.dumps(record).encode())
    os.replace(new, path)  # noqa: PTH105 - as above


def read_record(path: str) -> dict[str, object] | None:
    """Return a record, None if there is none that can be read."""
    data = process_table.read_file(path)
    try:
        record = json.loads(data) if data else None
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def write_bytes(path: str, data: bytes) -> None:
    """Write a file anew."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(fd, left) :]
    finally:
        os.close(fd)
