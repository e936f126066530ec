"""Reading the kernel's table of processes: identity, kinship, and the marks that say whose a process is.

Owner: nobody; every function reads, none keeps anything. Linux reads /proc; elsewhere only start times are known.
Light on purpose (no typing, dataclasses, pathlib): the spawner imports it and must start in milliseconds.

Marks of a process of ours, from surest to weakest:
- *tag*: the soft limit RLIMIT_RTTIME, set to a number unique to the task. It means nothing to a process that is not
  real-time, every descendant inherits it, exec keeps it, and anybody may read it. It survives what defeats the
  environment: `env -i`, programs that write their title over it (PostgreSQL, Redis), undumpable ones (ssh-agent).
- *group*: the process group, until the program calls setsid.
- *environment*: FLEET_TASK_KEY, FLEET_ENGINE_STATE and FLEET_ENGINE_PID, where /proc/PID/environ can be read.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

TASK_KEY = "FLEET_TASK_KEY"
ENGINE_STATE = "FLEET_ENGINE_STATE"
ENGINE_PID = "FLEET_ENGINE_PID"

HAS_PROC = sys.platform == "linux"
DEAD_STATES = frozenset("ZXx")
TAG_FLOOR = 1 << 61
TAG_TASK_BITS = 24


class ProcessStat:
    """One line of /proc/PID/stat, as far as it is needed."""

    __slots__ = ("pgid", "pid", "ppid", "session", "start", "state")

    def __init__(self, pid: int, fields: list[bytes]) -> None:
        self.pid = pid
        self.state = fields[0].decode("ascii", "replace")
        self.ppid = int(fields[1])
        self.pgid = int(fields[2])
        self.session = int(fields[3])
        self.start = int(fields[19])  # field 22 of the file: clock ticks since boot

    @property
    def is_dead(self) -> bool:
        """Answer whether it has ended; a zombie nobody has reaped counts as ended."""
        return self.state in DEAD_STATES


def read_file(path: str) -> bytes | None:
    """Return all of a small file, or None if it cannot be read (the process has gone, or is not ours)."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        parts = []
        while part := os.read(fd, 65536):
            parts.append(part)
        return b"".join(parts)
    except OSError:
        return None
    finally:
        os.close(fd)


def read_stat(pid: int) -> ProcessStat | None:
    """Return what the kernel says of `pid`, or None if there is no such process."""
    data = read_file(f"/proc/{pid}/stat")
    # The name in parentheses may itself hold spaces and parentheses: cut at the last one.
    return ProcessStat(pid, data.rpartition(b")")[2].split()) if data else None


def read_start(pid: int) -> int | None:
    """Return when `pid` started, in a unit of the platform's own, or None if it has ended or cannot be read."""
    if HAS_PROC:
        stat = read_stat(pid)
        return stat.start if stat and not stat.is_dead else None
    return _read_start_darwin(pid) if sys.platform == "darwin" else None


def _read_start_darwin(pid: int) -> int | None:
    import ctypes

    bsd_info = 3  # PROC_PIDTBSDINFO; the two start fields end struct proc_bsdinfo
    size, start_at = 136, 120
    buffer = ctypes.create_string_buffer(size)
    libproc = ctypes.CDLL("/usr/lib/libproc.dylib", use_errno=True)
    if libproc.proc_pidinfo(pid, bsd_info, ctypes.c_uint64(0), buffer, size) != size:
        return None
    seconds = int.from_bytes(buffer.raw[start_at : start_at + 8], "little")
    return seconds * 1_000_000 + int.from_bytes(buffer.raw[start_at + 8 :], "little")


def read_boot() -> str:
    """Return the name of this boot and process namespace: pids and start times mean nothing outside of it."""
    boot = (read_file("/proc/sys/kernel/random/boot_id") or b"").decode("ascii", "replace").strip()
    try:
        namespace = os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116 - pathlib would double the spawner's start
    except OSError:
        namespace = 0
    return f"{boot}:{namespace}"


def iterate_pids() -> Iterator[int]:
    """Yield the id of every process that can be seen; nothing where there is no /proc."""
    if HAS_PROC:
        with os.scandir("/proc") as entries:
            for entry in entries:
                if entry.name.isdigit():
                    yield int(entry.name)


def read_children(pid: int) -> list[int]:
    """Return the direct children of `pid`, dead ones that wait to be reaped included."""
    try:
        with os.scandir(f"/proc/{pid}/task") as threads:
            files = [read_file(f"{thread.path}/children") for thread in threads]
    except OSError:
        return []
    if files and all(data is None for data in files):  # a kernel without CONFIG_PROC_CHILDREN
        return [
            child for child in iterate_pids() if (stat := read_stat(child)) and stat.ppid == pid
        ]
    return [int(child) for data in files if data for child in data.split()]


def read_descendants(pid: int) -> list[int]:
    """Return the children of `pid`, theirs, and so on, nearest first; a snapshot, not a promise."""
    found: list[int] = []
    seen = {pid}
    level = [pid]
    while level:
        level = [child for parent in level for child in read_children(parent) if child not in seen]
        seen.update(level)
        found.extend(level)
    return found


def read_environment(pid: int) -> dict[str, str]:
    """Return the environment `pid` was started with; empty if it is not ours to read or was written over."""
    data = read_file(f"/proc/{pid}/environ") or b""
    pairs = (os.fsdecode(entry).partition("=") for entry in data.split(b"\0") if entry)
    return {name: value for name, _, value in pairs}


def read_tag(pid: int) -> int | None:
    """Return the tag `pid` has inherited, or None if it has none."""
    _, found, rest = (read_file(f"/proc/{pid}/limits") or b"").partition(b"Max realtime timeout")
    soft = rest.split(None, 1)[0] if found else b""
    value = int(soft) if soft.isdigit() else 0
    return value if value >= TAG_FLOOR else None


def tag_family(tag: int) -> int:
    """Return the part of a tag shared by all tasks of one spawner."""
    return tag >> TAG_TASK_BITS
