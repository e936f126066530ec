"""Control groups (version 2) for the programs of agents: the kernel holds each with all it started to its memory, and ends it whole.

Used where the engine's own group was delegated to it, as systemd does with `Delegate=memory`, and nobody else is in it: the engine goes
into a leaf of it, for a group that controls others may have no processes, and each program gets one beside that. Nothing outside of
the delegated group is touched. Elsewhere programs are looked at again and again; `find` says which it is, and why.

Owner: `Groups`, of the groups that it made and the leaf. Limits: one group a program, removed after it; those of an engine that was
killed are found by the next one of its state directory. All calls are some reads and writes of kernel files, microseconds each.
"""

from __future__ import annotations

import contextlib
import logging
import os
import zlib
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

from engine.agents.processes.launch import kill_group
from engine.agents.processes.process_table import read_descendants
from engine.model.pools import PoolSpec

logger = logging.getLogger(__name__)

LEAF = "fleet-engine"
DELEGATED = ("user.delegate", "trusted.delegate")
"""By which extended attributes systemd says that a group is its service's own; they are "1"."""
ROUNDS_MAX = 5
"""Processes that fork while they are moved are met again in the next round."""
_MB = 1 << 20
_CAN_TELL = hasattr(os, "getxattr")


class Found(NamedTuple):
    """Where groups can be made."""

    place: Path | None
    """The delegated group; None = nowhere."""
    why: str
    """Why so, in words for people."""
    is_own: bool = False
    """The process is in it, and must leave it first."""


def find(pid: int, root: Path = Path("/")) -> Found:
    """Return where a process can make groups for programs. Changes nothing."""
    path = next((line[3:] for line in _read(root / f"proc/{pid}/cgroup").splitlines() if line.startswith("0::")), "")
    top = next((folder for name in ("sys/fs/cgroup", "sys/fs/cgroup/unified") if ((folder := root / name) / "cgroup.controllers").exists()), None)
    if not path or top is None:
        return Found(None, "there are no control groups of version 2 here")
    if "memory" not in _read(top / "cgroup.controllers").split():
        return Found(None, "the control groups of version 2 here have no memory controller")
    if ".." in path.split("/") or path.endswith(" (deleted)"):
        return Found(None, f"its control group {path} cannot be seen from here")
    own = top / path.lstrip("/")
    place = own.parent if own.name == LEAF and own != top else own
    if not _is_delegated(place, top):
        return Found(None, f"its control group {path} is not delegated to it (Delegate=memory in its systemd unit)")
    if "memory" not in _read(place / "cgroup.controllers").split():
        return Found(None, f"its control group {path} has no memory controller")
    if not all(os.access(one, os.W_OK) for one in (place, place / "cgroup.procs", place / "cgroup.subtree_control")):
        return Found(None, f"its control group {path} may not be written")
    if place == own and (strangers := set(_pids(own)) - {pid, *read_descendants(pid)}):
        return Found(None, f"its control group {path} is shared with other processes, {min(strangers)} for one")
    return Found(place, f"by control groups below {place}", place == own)


class Groups:
    """The groups of the programs of one state directory."""

    def __init__(self, state_dir: str, root: Path = Path("/")) -> None:
        self.pool_of: Callable[[str], PoolSpec | None] = lambda _key: None
        """Finds a program's pool by its name; programs without one get no group."""
        self.why = "it was not looked for"
        self._root = root
        self._prefix = f"fleet-{zlib.crc32(state_dir.encode()):08x}-"
        self._place: Path | None = None
        self._is_moved = False
        self._known: dict[str, Path] = {}
        self._left: list[Path] = []
        """Of programs that have ended, and which the kernel did not let go of yet."""

    def open(self) -> None:
        """Make ready for groups, where that is allowed; before anything is started."""
        found = find(os.getpid(), self._root)
        self.why = found.why
        if found.place is None:
            logger.info("programs are looked at for their memory", extra={"reason": found.why})
            return
        try:
            if found.is_own:
                self._move(found.place, found.place / LEAF)
                self._is_moved = True
            (found.place / "cgroup.subtree_control").write_text("+memory", "ascii")
        except OSError as error:
            self.why = f"{found.place} refuses it: {error.strerror}"
            logger.warning("programs are looked at for their memory: control groups cannot be used", extra={"reason": self.why})
            self._move_back(found.place)
            return
        self._place = found.place
        logger.info("programs are held to their memory by control groups", extra={"place": str(found.place)})

    def keep_only(self, keys: Collection[str]) -> None:
        """Know the groups of programs that outlived a former engine, and end and remove what else that left."""
        for folder in self._folders():
            key = folder.name.removeprefix(self._prefix)
            self._known[key] = folder
            if key not in keys:
                self.remove(key)

    def make(self, key: str) -> str:
        """Make a group for a program, which puts itself into it, and return where; empty = there is none for it."""
        pool = self.pool_of(key) if self._place is not None else None
        if self._place is None or pool is None:
            return ""
        folder = self._place / f"{self._prefix}{key}"
        try:
            folder.mkdir(exist_ok=True)
            if pool.memory_max:
                _write(folder / "memory.oom.group", "1")
                if (folder / "memory.swap.max").exists():
                    _write(folder / "memory.swap.max", "0")
                _write(folder / "memory.max", str(pool.memory_max * _MB))
        except OSError as error:
            logger.warning("a program has no control group; it is looked at for its memory", extra={"key": key, "reason": str(error)})
            with contextlib.suppress(OSError):
                folder.rmdir()
            return ""
        self._known[key] = folder
        return str(folder)

    def measure(self, key: str) -> tuple[float, float] | None:
        """Return CPU seconds so far and megabytes that the kernel would not simply drop; None = it has no group, or is not in it."""
        folder = self._known.get(key)
        if folder is None or not _figures(folder / "cgroup.events").get("populated"):
            return None
        memory, cpu = _figures(folder / "memory.stat"), _figures(folder / "cpu.stat")
        held = _read(folder / "memory.current").strip()
        if not held.isdigit() or "usage_usec" not in cpu:
            return None
        return cpu["usage_usec"] / 1e6, max(0, int(held) - memory.get("inactive_file", 0)) / _MB

    def outgrown(self, key: str) -> str:
        """Return in a sentence that the kernel has ended a program for its memory; empty = it has not."""
        folder = self._known.get(key)
        events = _figures(folder / "memory.events") if folder is not None else {}
        if folder is None or not events.get("oom_kill"):
            return ""
        most, pool = _read(folder / "memory.max").strip(), self.pool_of(key)
        peak = _read(folder / "memory.peak").strip()
        had = f"it had {int(peak) / _MB:.0f} MB with all it started" if peak.isdigit() else "with all it started it had too much memory"
        if events.get("oom") and most.isdigit():
            return f"{had}, and pool {pool.name if pool is not None else '?'} allows {int(most) // _MB} MB (memory_max)"
        return f"{had} when the machine, or what the engine may have of it, ran out of memory"

    def remove(self, key: str) -> None:
        """Forget the group of a program that has ended, with whatever may be left in it."""
        folder = self._known.pop(key, None)
        if folder is not None:
            self._left.append(folder)
            kill_group(str(folder))
        self._left = [one for one in self._left if not _remove(one)]

    def close(self) -> None:
        """Remove what is empty, and leave the engine's group as it was found, unless programs go on in theirs."""
        for folder in self._folders():
            _remove(folder)
        if self._place is not None and self._is_moved and not any(True for _ in self._place.glob("fleet-????????-*")):
            with contextlib.suppress(OSError):
                (self._place / "cgroup.subtree_control").write_text("-memory", "ascii")
                self._move_back(self._place)
        self._place = None

    def _folders(self) -> list[Path]:
        return sorted(self._place.glob(f"{self._prefix}*")) if self._place is not None else []

    def _move(self, place: Path, leaf: Path) -> None:
        """Move all of this engine's processes from one group to another. Raise OSError."""
        leaf.mkdir(exist_ok=True)
        for _ in range(ROUNDS_MAX):
            pids = _pids(place)
            if not pids:
                return
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    _write(leaf / "cgroup.procs", str(pid))

    def _move_back(self, place: Path) -> None:
        with contextlib.suppress(OSError):
            self._move(place / LEAF, place)
            (place / LEAF).rmdir()
        self._is_moved = False


def _remove(folder: Path) -> bool:
    """Remove a group; False if something is still in it."""
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:  # there are processes in it, or groups that a program made for itself
        try:
            for inner in sorted((one for one in folder.rglob("*") if one.is_dir()), reverse=True):
                inner.rmdir()
            folder.rmdir()
        except OSError:
            return False
    return True


def _is_delegated(folder: Path, top: Path) -> bool:
    """Answer whether a group was handed over to who runs in it: by its mark, or as the whole of what a container sees."""
    if folder == top:
        return (top / "cgroup.type").exists()  # the machine's own root has no type
    for name in DELEGATED if _CAN_TELL else ():
        with contextlib.suppress(OSError):
            return os.getxattr(folder, name) == b"1"
    return False


def _pids(folder: Path) -> list[int]:
    return [int(word) for word in _read(folder / "cgroup.procs").split()]


def _figures(path: Path) -> dict[str, int]:
    """Return what a file of names and numbers says."""
    pairs = (line.split() for line in _read(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}  # noqa: PLR2004  # name and number


def _write(path: Path, text: str) -> None:
    """Write one of the kernel's files, which is never made. Raise OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode("ascii"))
    finally:
        os.close(fd)


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""
