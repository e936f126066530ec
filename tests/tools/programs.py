"""Programs that tests need and a machine may lack: found on it, else taken from its distribution's packages without root.

Owner: `.tools/programs`, where fetched packages are unpacked; `make clean` removes it. Nothing is installed on the machine:
apt brings the packages into a folder of ours, and dpkg-deb unpacks them there.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / ".tools" / "programs"
PLACES = ("usr/bin", "usr/sbin", "usr/lib/chromium")
"""Where programs are: on the machine below /, in unpacked packages below their root."""
FETCH_S = 400
"""Longest that packages may take to come."""
SAID_CHARACTERS = 300


class Missing(Exception):
    """A program that is neither here nor can be had; the text says why."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program that can be run."""

    path: Path
    root: Path = Path("/")
    """Where its files are: the machine's, or those of unpacked packages."""
    environment: dict[str, str] = field(default_factory=dict)
    """What it needs in its environment to find its own files."""


@lru_cache
def find_program(names: tuple[str, ...], packages: tuple[str, ...]) -> Program:
    """Return the first program of these names that the machine has, else that these Debian packages have. Raises Missing."""
    for name in names:
        path = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))
        # Ubuntu's chromium is a script that asks for a snap.
        if path is not None and not _is_snap(Path(path)):
            return Program(Path(path))
    root = fetch_packages(packages)
    for name in names:
        for place in PLACES:
            if os.access(path := root / place / name, os.X_OK):
                return Program(path, root, {"LD_LIBRARY_PATH": os.pathsep.join(map(str, _library_folders(root)))})
    raise Missing(f"none of {', '.join(names)} is in the packages {', '.join(packages)}")


def fetch_packages(packages: Sequence[str]) -> Path:
    """Return the folder with some packages, and those they need and the machine lacks, unpacked. Raises Missing."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise Missing(f"{', '.join(packages)} cannot be fetched: this is no Debian or Ubuntu; install it")
    FOLDER.mkdir(parents=True, exist_ok=True)
    root = FOLDER / "-".join(packages)
    with locked(FOLDER / "lock"):
        if not root.is_dir():
            half = root.with_name(f"{root.name}.half")
            shutil.rmtree(half, ignore_errors=True)
            archives = root.with_name(f"{root.name}.archives")
            for archive in _download(packages, archives):
                _run(["dpkg-deb", "--extract", str(archive), str(half)])
            shutil.rmtree(archives)
            half.rename(root)
    return root


def _download(packages: Sequence[str], archives: Path) -> list[Path]:
    """Return the archives of packages and of what they need; asks for the lists of packages when the machine has none."""
    cache = FOLDER / "apt"
    for folder in (archives / "partial", cache / "lists" / "partial"):
        folder.mkdir(parents=True, exist_ok=True)
    # No lock is taken: the machine's own are root's, and these folders are behind ours.
    own = ["-o", "Debug::NoLocking=1", "-o", f"Dir::Cache={cache}", "-o", f"Dir::Cache::archives={archives}",
           "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::https::Timeout=20"]  # fmt: skip
    if os.getuid() == 0:
        own += ["-o", "APT::Sandbox::User=root"]
    lists = ["-o", f"Dir::State::lists={cache / 'lists'}"]
    install = ["install", "--download-only", "--no-install-recommends", "--yes", "--quiet", *packages]
    try:
        _run(["apt-get", *own, *install])
    except Missing:
        _run(["apt-get", *own, *lists, "update", "--quiet"])
        _run(["apt-get", *own, *lists, *install])
    return sorted(archives.glob("*.deb"))


def _run(argv: Sequence[str]) -> None:
    """Run a program to its end. Raises Missing with the last that it said."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, timeout=FETCH_S, stdin=subprocess.DEVNULL,
            env=os.environ | {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise Missing(f"{argv[0]} took more than {FETCH_S} s") from error
    if done.returncode:
        raise Missing(f"{' '.join(argv[-3:])} failed: {(done.stderr or done.stdout).strip()[-SAID_CHARACTERS:]}")


def _library_folders(root: Path) -> list[Path]:
    return sorted({path.parent for base in ("lib", "usr/lib") for path in (root / base).glob("*-linux-*/**/*.so*")})


def _is_snap(path: Path) -> bool:
    with contextlib.suppress(OSError), path.open("rb") as file:
        head = file.read(2048)
        return head.startswith(b"#!") and b"snap" in head
    return False


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process fetch at a time."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
