"""Finds the Python files of a code base: sorted, bounded, without following symbolic links.

Owner: nobody; functions only. Limits: FILES_MAX files, ENTRIES_MAX directory entries looked at, LEFT_OUT_MAX
things named that were left out (all are counted).
"""

from __future__ import annotations

import os
import stat
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path

from engine.model.errors import UsageError

FILES_MAX = 5_000
ENTRIES_MAX = 500_000
LEFT_OUT_MAX = 100

TOP_LEVEL = "(top level)"
"""The package of modules that lie directly in the root."""

NOT_SOURCE = frozenset({"__pycache__", "site-packages", "dist-packages"})
NOT_OURS = frozenset({"venv", "node_modules"})
TESTS = frozenset({"test", "tests", "idle_test"})


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A Python file to work on."""

    path: str
    name: str
    """Path below the root, with `/`; what people read."""
    package: str
    """First folder below the root, or TOP_LEVEL."""
    size: int
    """Bytes."""
    version: str
    """Changes when the file changes."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that is not worked on, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class CodeBase:
    """The Python files below a root, in the order of their names."""

    root: str
    files: tuple[SourceFile, ...]
    left_out: tuple[LeftOut, ...] = ()
    """The first LEFT_OUT_MAX."""
    left_out_count: int = 0


@dataclass(slots=True)
class _Walk:
    root: Path
    skipped_folders: frozenset[str]
    files_max: int
    entries_max: int
    files: list[SourceFile] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    left_out_count: int = 0
    entries: int = 0
    """Looked at so far."""

    def leave_out(self, path: str, reason: str) -> None:
        self.left_out_count += 1
        if len(self.left_out) < LEFT_OUT_MAX:
            name = name_below(self.root, path).encode("utf-8", "replace").decode()
            self.left_out.append(LeftOut(name, reason))


def standard_library() -> Path:
    """Return the folder of this interpreter's standard library."""
    return Path(sysconfig.get_path("stdlib"))


def discover(
    root: str | Path | None = None, *, files_max: int = FILES_MAX, entries_max: int = ENTRIES_MAX
) -> CodeBase:
    """Find the Python files below a path, or the path itself if it is one; None = the standard library.

    Reads folders, so it belongs in a thread when there is a loop. Raises UsageError when there is nothing to do.
    """
    given = standard_library() if root is None else Path(root).expanduser()
    try:
        path = given.resolve(strict=True)
        is_folder = path.is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"cannot use {str(given)!r}: {explain(error)}; name a folder that exists") from error
    skipped = NOT_SOURCE | (TESTS if path == standard_library().resolve() else NOT_OURS)
    walk = _Walk(path if is_folder else path.parent, skipped, files_max, entries_max)
    if is_folder:
        _walk_folders(walk)
    else:
        _consider_file(walk, str(path))
    if not walk.files:
        raise UsageError(f"no Python file to work on in {str(given)!r}{_first_reason(walk)}; name another path")
    return CodeBase(str(walk.root), tuple(walk.files), tuple(walk.left_out), walk.left_out_count)


def _first_reason(walk: _Walk) -> str:
    return f" ({walk.left_out[0].name}: {walk.left_out[0].reason})" if walk.left_out else ""


def _walk_folders(walk: _Walk) -> None:
    """Visit folders depth first, each one's entries in the order of their names."""
    ahead = [str(walk.root)]
    while ahead:
        folder = ahead.pop()
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            walk.leave_out(folder, explain(error))
            continue
        walk.entries += len(entries)
        if walk.entries > walk.entries_max:
            walk.leave_out(folder, f"the search ended here, after {walk.entries_max:,} entries; name a smaller path")
            break
        inner = [path for entry in entries if (path := _consider_entry(walk, entry))]
        ahead += reversed(inner)
    walk.files.sort(key=lambda file: file.name)


def _consider_entry(walk: _Walk, entry: os.DirEntry[str]) -> str:
    """Take an entry if it is a Python file; return its path if it is a folder to visit."""
    if entry.is_symlink():
        if entry.name.endswith(".py") or _is_linked_folder(entry):
            walk.leave_out(entry.path, "a symbolic link; links are not followed")
        return ""
    if entry.is_dir(follow_symlinks=False):
        skipped = entry.name.startswith(".") or entry.name in walk.skipped_folders
        return "" if skipped else entry.path
    if entry.name.endswith(".py"):
        _consider_file(walk, entry.path)
    return ""


def _is_linked_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _consider_file(walk: _Walk, path: str) -> None:
    if len(walk.files) >= walk.files_max:
        walk.leave_out(path, f"beyond the first {walk.files_max:,} files")
        return
    name = name_below(walk.root, path)
    try:
        status = Path(path).lstat()
        name.encode()
    except OSError as error:
        walk.leave_out(path, explain(error))
        return
    except UnicodeEncodeError:
        walk.leave_out(path, "its name is not UTF-8")
        return
    if not stat.S_ISREG(status.st_mode):
        walk.leave_out(path, "not a regular file")
    elif not name.endswith(".py"):
        walk.leave_out(path, "not a Python file: its name does not end in .py")
    elif not os.access(path, os.R_OK):
        walk.leave_out(path, "may not be read")
    else:
        package = name.partition("/")[0] if "/" in name else TOP_LEVEL
        version = f"{status.st_size:x}.{status.st_mtime_ns:x}"
        walk.files.append(SourceFile(path, name, package, status.st_size, version))


def name_below(root: Path, path: str) -> str:
    """Return a path as people read it: below the root, with `/`."""
    return Path(path).relative_to(root).as_posix()


def explain(error: Exception) -> str:
    """Return why the operating system refused, in its own words, without the path."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error)
