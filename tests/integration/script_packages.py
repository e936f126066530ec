"""Real packages of JavaScript and TypeScript: pinned archives that npm fetches once, and their files.

Owner: `$XDG_CACHE_HOME/fleet-tui/packages`, one folder for each pin. Nothing in them is run, and nothing is installed.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest
from engine.booster.build import cache_folder
from engine.model.code_requests import Language, language_of

from tests.tools.programs import Missing, Program, find_program

FETCH_S = 170
"""Longest that npm may take for one archive."""


@dataclass(frozen=True, slots=True)
class Pin:
    """An archive on the package index, by its hash."""

    project: str
    version: str
    sha256: str

    @property
    def stem(self) -> str:
        return f"{self.project.removeprefix('@').replace('/', '-')}-{self.version}"


PINS = (
    Pin("underscore", "1.13.8", "6547214df2878ae60cc552422ef14af38b8d4e3aa613be5bfe9c52b775d96f7a"),
    Pin("express", "4.22.3", "5414b9a1a1a87a182475559c39b471f8bea7b069160c76a7876818b1da80a09c"),
    Pin("preact", "10.29.8", "b18cb0a457f3d43c7bb30391a74ade7d13e03bc6e77915e061c70c0fe1123299"),
    Pin("immer", "10.2.0", "23e8ffb42851e74536e4cad3354f1d2183aee0d5a9f16e0d92a33e6fbcea74b2"),
    Pin("zod", "3.25.76", "9e1f1a05f0dd0c1dab64ee91ceb9bf55cd44d35368c70edda80a2fdc70a88377"),
    Pin("@types/react", "18.3.31", "c340ddf5ba598073a62de027ca879763bad9c7f237b41b57f2dbd0e9dcc23ca1"),
    Pin("@react-navigation/elements", "2.9.44", "85caf80216108835da662fd51a885f5c9914ce63d9b029de72fc726dc8021eef"),
)
"""JavaScript old and new, also minified; TypeScript, its declarations, and TSX: 1.6 MB packed."""


def need_node() -> Program:
    """Return node, or skip."""
    try:
        return find_program(("node", "nodejs"), ("nodejs",))
    except Missing as missing:
        pytest.skip(f"no node: {missing}")


def need_files() -> list[Path]:
    """Return the sources of all packages, or skip where they cannot be had."""
    try:
        return find_files()
    except Missing as missing:
        pytest.skip(f"no packages of JavaScript: {missing}")


@lru_cache
def find_files() -> list[Path]:
    """Return the sources of all packages, in an order that is always the same. Raises Missing."""
    folders = [find_package(pin) for pin in PINS]
    return [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file() and is_script(path)]


def is_script(path: Path) -> bool:
    return bool(path.suffix) and language_of(path.name) not in (None, "python")


def sample(files: list[Path], count: int, *, seed: int) -> list[Path]:
    """Some of the files, of each language as many."""
    chance = random.Random(seed)
    found: list[Path] = []
    for language in ("javascript", "typescript", "tsx"):
        known = [path for path in files if language_of(path.name) == language]
        found += chance.sample(known, min(count // 3, len(known)))
    return found


def read(path: Path) -> tuple[str, Language]:
    """Return a source as it is written, without its mark, and its language."""
    language = language_of(path.name)
    assert language is not None
    return path.read_bytes().decode("utf-8-sig"), language


def find_package(pin: Pin) -> Path:
    """Return the folder that a package is unpacked in, fetched if need be. Raises Missing."""
    parent = cache_folder().parent / "packages"
    folder = parent / pin.stem
    if folder.is_dir():
        return folder
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent) as name:
        archive = _fetch(pin, Path(name))
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != pin.sha256:
            raise RuntimeError(f"{archive.name} has the SHA-256 {found}, not {pin.sha256}")
        target = Path(name) / "unpacked"
        with tarfile.open(archive) as packed:
            packed.extractall(target, filter="data")
        # Another test run may have been faster: its folder is as good.
        if not folder.is_dir():
            shutil.move(target, folder)
    return folder


def _fetch(pin: Pin, folder: Path) -> Path:
    npm = find_program(("npm",), ("npm",))
    command = [str(npm.path), "pack", "--silent", "--ignore-scripts", "--pack-destination", str(folder), f"{pin.project}@{pin.version}"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=FETCH_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise Missing(f"npm did not fetch {pin.project} within {FETCH_S} s") from error
    archive = folder / f"{pin.stem}.tgz"
    if done.returncode or not archive.is_file():
        raise Missing(f"npm cannot fetch {pin.project}: {done.stderr.strip()[-300:]}")
    return archive
