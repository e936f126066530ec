"""The booster's module is made from pinned sources by the build hook, twice the same, or not at all with clear words."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from engine.booster import build
from engine.booster.failures import ModuleMissing
from engine.booster.module import find_module

ROOT = Path(__file__).parent.parent.parent
# The compiler takes both cores for some seconds; one such test at a time.
pytestmark = [pytest.mark.xdist_group("booster-build"), pytest.mark.timeout(600)]


@pytest.fixture(scope="session")
def uv() -> str:
    """The program uv: the one that make used, else the one at hand."""
    found = os.environ.get("UV") or shutil.which("uv") or shutil.which("uv", path=ROOT / ".tools" / "bin")
    assert found, "uv was not found; `make check` fetches it"
    return found


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of built modules; uv keeps its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "fleet-tui" / "booster"


def build_package(uv: str, target: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Build the package as anybody would."""
    uv_cache = subprocess.run([uv, "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()
    return subprocess.run(
        [uv, "build", *words, "--out-dir", str(target), str(ROOT)],
        env=os.environ | {"UV_CACHE_DIR": uv_cache} | environment,
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=300,
    )  # fmt: skip


def hash_of_module(wheel: Path) -> str:
    """Hash the module in a wheel that has what it needs, and check that it has no more."""
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        module = archive.read("engine/booster/booster.wasm")
        licences = archive.read("engine/booster/booster.licences.txt").decode()
    assert licences.count("The MIT License") == len(build.PINS)
    assert "UNICODE" in licences.upper()
    assert not [name for name in names if name.startswith("engine/booster/wasm/")]
    return hashlib.sha256(module).hexdigest()


@pytest.mark.slow  # compiles for half a minute of a processor
@pytest.mark.row(276)
def test_an_empty_cache_gives_the_same_module_in_a_wheel(uv: str, tmp_path: Path) -> None:
    done = build_package(uv, tmp_path / "dist", "--wheel", XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert hash_of_module(wheel) == hashlib.sha256(find_module().read_bytes()).hexdigest()


@pytest.mark.row(276)
def test_what_was_made_before_needs_neither_index_nor_compiler(uv: str, tmp_path: Path, cache: Path) -> None:
    keep_made(cache, find_module().parent)
    assert build_package(uv, tmp_path / "none", "--wheel", FLEET_BOOSTER="skip").returncode == 0, "uv has the build's own requirements now"
    done = build_package(uv, tmp_path / "dist", "--wheel", "--offline", PIP_NO_INDEX="1")
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert hash_of_module(wheel) == hashlib.sha256(find_module().read_bytes()).hexdigest()


def keep_made(cache: Path, module: Path) -> Path:
    """Put a module into a cache as the build does; return its folder."""
    made = cache / "module" / build.recipe_hash()
    made.mkdir(parents=True)
    for name in (build.MODULE, build.LICENCES):
        shutil.copy(module / name, made)
    (made / build.CHECKSUMS).write_text(build._checksums(made))
    return made


def test_a_source_distribution_has_the_sources_and_not_the_module(uv: str, tmp_path: Path) -> None:
    done = build_package(uv, tmp_path, "--sdist")
    assert done.returncode == 0, done.stderr
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"hatch_build.py", "engine/booster/build.py", "engine/booster/wasm/abi.c", "engine/booster/wasm/arena.h"} <= names
    assert "engine/booster/booster.wasm" not in names


def test_without_an_index_the_build_ends_with_what_to_do(uv: str, tmp_path: Path) -> None:
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_FIND_LINKS": "", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
    done = build_package(uv, tmp_path / "dist", "--wheel", XDG_CACHE_HOME=str(tmp_path / "cache"), **nowhere)
    assert done.returncode != 0
    assert "cannot be fetched" in done.stderr
    assert "FLEET_BOOSTER_SOURCES" in done.stderr
    assert "FLEET_BOOSTER=skip" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_package_without_the_booster_can_be_built(uv: str, tmp_path: Path) -> None:
    done = build_package(uv, tmp_path / "dist", "--wheel", XDG_CACHE_HOME=str(tmp_path / "cache"), FLEET_BOOSTER="skip")
    assert done.returncode == 0, done.stderr


def test_other_sources_than_the_pinned_are_refused(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_BOOSTER_SOURCES", str(tmp_path))
    with pytest.raises(build.BuildError, match=r"tree_sitter-.*cannot be read .*fetch it again"):
        build.make()
    (tmp_path / f"{build.CORE.stem}.tar.gz").write_bytes(b"other")
    with pytest.raises(build.BuildError, match="is not the file that the booster is made from: its SHA-256 is"):
        build.make()
    assert not cache.exists()


def test_without_a_compiler_the_build_says_which_one(tmp_path: Path) -> None:
    with pytest.raises(build.BuildError, match=f"pip install ziglang=={build.ZIG_VERSION}"):
        build.compile_module(tmp_path, tmp_path / "out.wasm", tmp_path)


def test_a_module_is_looked_for_in_the_package_then_in_the_cache(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packaged = find_module()
    monkeypatch.setattr(build, "HERE", tmp_path)
    with pytest.raises(ModuleMissing, match="run `make setup`"):
        find_module()
    made = keep_made(cache, packaged.parent)
    assert find_module() == made / build.MODULE
    assert build.requirements() == []
    # A damaged one counts for nothing.
    (made / build.MODULE).write_bytes(b"\0asm")
    with pytest.raises(ModuleMissing):
        find_module()
    assert build.requirements() == list(build.BUILD_REQUIREMENTS)
    monkeypatch.setattr(build, "OWN_SOURCES", tmp_path / "none")
    with pytest.raises(ModuleMissing, match="install fleet-tui again"):
        find_module()
