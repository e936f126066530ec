"""Makes booster.wasm: from our C sources in `wasm/` and pinned source distributions, by a pinned compiler.

Owner: of `$XDG_CACHE_HOME/fleet-tui/booster/module`, one folder for each recipe. The recipe is this file and all
of `wasm/`; its hash names the folder, so what has been made once is taken from there, without network or compiler.
Nothing third-party is kept in the repository: pip fetches the sources and checks their hashes. The build hook
(hatch_build.py) loads this file by its path, in an environment of its own: it imports only what Python brings.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
OWN_SOURCES: Final = HERE / "wasm"
MODULE: Final = "booster.wasm"
LICENCES: Final = "booster.licences.txt"
CHECKSUMS: Final = "SHA256SUMS"
ZIG_VERSION: Final = "0.16.0"
# What the hook asks for when the cache has no module; pip reads the names of the source distributions
# out of them, for which they want setuptools.
BUILD_REQUIREMENTS: Final = (f"ziglang=={ZIG_VERSION}", "pip>=24", "setuptools>=70", "wheel")


@dataclass(frozen=True, slots=True)
class Pin:
    """A source distribution, by its hash."""

    project: str
    version: str
    sha256: str

    @property
    def stem(self) -> str:
        """Name its folder, and its file without the suffix."""
        return f"{self.project.replace('-', '_')}-{self.version}"


# tree-sitter-python 0.25.0 cannot be taken: its source distribution lacks scanner.c.
CORE: Final = Pin(
    "tree-sitter", "0.26.1", "9919cbaf02d17fa9a4cd0e6da496aecf901b758e6eacf122eee393e3ef08aacd"
)
PYTHON: Final = Pin(
    "tree-sitter-python",
    "0.23.6",
    "354bfa0a2f9217431764a631516f85173e9711af2c13dbd796a8815acfe505d9",
)
JAVASCRIPT: Final = Pin(
    "tree-sitter-javascript",
    "0.25.0",
    "329b5414874f0588a98f1c291f1b28138286617aa907746ffe55adfdcf963f38",
)
TYPESCRIPT: Final = Pin(
    "tree-sitter-typescript",
    "0.23.2",
    "7b167b5827c882261cb7a50dfa0fb567975f9b315e87ed87ad0a0a3aedb3834d",
)
PINS: Final = (CORE, PYTHON, JAVASCRIPT, TYPESCRIPT)

_TARGET: Final = [
    "--target=wasm32-wasi",
    "-O2",
    # Each call is counted against the time allowed: with these a parse takes a sixth less.
    "-flto",
    "-mllvm",
    "-inline-threshold=500",
    "-msimd128",
    "-mbulk-memory",
    "-std=gnu11",
    "-DNDEBUG",
    "-fno-sanitize=all",
]
_OWN: Final = ["-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wconversion"]
_THIRD_PARTY: Final = ["-w", "-DTREE_SITTER_HIDE_SYMBOLS", "-include", "heap.h"]
# These grammars are of language ABI 14; the header at hand is that of ABI 15, where some words have changed.
_ABI_14: Final = ["-Dversion=abi_version", "-DTSFieldMapSlice=TSMapSlice"]
# Without the C library (see libc.c): nothing of it has to be compiled, nothing asks the host for anything.
_LINK: Final = ["-nostdlib", "-nostartfiles", "-Wl,--no-entry", "-s", "-Wl,-z,stack-size=1048576"]


class BuildError(Exception):
    """The module cannot be made here; the message says what to do next."""


def cache_folder() -> Path:
    """Name the folder that keeps what the booster can make again; it may not exist yet."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    return root / "fleet-tui" / "booster"


def recipe_hash() -> str:
    """Hash what the module is made from: this file and our sources."""
    total = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(OWN_SOURCES.glob("*.[ch]")):
        total.update(b"%s\0%d\0" % (path.name.encode(), path.stat().st_size))
        total.update(path.read_bytes())
    return total.hexdigest()[:16]


def find_made() -> Path | None:
    """Give the folder of this recipe's module if it has been made and is whole."""
    folder = cache_folder() / "module" / recipe_hash()
    try:
        expected = (folder / CHECKSUMS).read_text("ascii")
        return folder if expected == _checksums(folder) else None
    except OSError:
        return None


def requirements() -> list[str]:
    """List what a build has to install first: nothing where the module has been made before."""
    return [] if find_made() else list(BUILD_REQUIREMENTS)


def make() -> Path:
    """Make the module, or find it in the cache, and give its folder; raise `BuildError`."""
    made = find_made()
    if made is not None:
        return made
    parent = cache_folder() / "module"
    with tempfile.TemporaryDirectory(prefix="fleet-booster-") as name:
        work = Path(name)
        sources = fetch(work / "fetched")
        unpack(sources, work / "sources")
        result = work / "result"
        result.mkdir()
        compile_module(work / "sources", result / MODULE, work)
        (result / LICENCES).write_text(collect_licences(work / "sources"), "utf-8")
        (result / CHECKSUMS).write_text(_checksums(result), "ascii")
        return _publish(result, parent / recipe_hash())


def install(target: Path) -> None:
    """Put the module and the licences of its parts into a folder; raise `BuildError`."""
    made = make()
    for name in (MODULE, LICENCES):
        fresh = target / f".{name}.{os.getpid()}"
        shutil.copyfile(made / name, fresh)
        fresh.replace(target / name)


def fetch(folder: Path) -> Path:
    """Get the pinned source distributions, from `$FLEET_BOOSTER_SOURCES` or by pip; give their folder."""
    local = os.environ.get("FLEET_BOOSTER_SOURCES")
    if local:
        check_hashes(Path(local))
        return Path(local)
    folder.mkdir()
    wanted = folder / "wanted.txt"
    wanted.write_text(
        "".join(f"{pin.project}=={pin.version} --hash=sha256:{pin.sha256}\n" for pin in PINS)
    )
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-build-isolation", "--no-binary", ":all:", "--require-hashes"]
    command += ["--requirement", str(wanted), "--dest", str(folder)]
    _run(
        command,
        "The sources of the booster's grammars cannot be fetched. With a package index in reach try again; "
        "without one put their source distributions "
        f"({', '.join(f'{pin.stem}.tar.gz' for pin in PINS)}) into a folder and name it in FLEET_BOOSTER_SOURCES.",
        env=_pip_environment(os.environ),
    )
    check_hashes(folder)
    return folder


def check_hashes(folder: Path) -> None:
    """Compare the source distributions in a folder with their pins; raise `BuildError`."""
    for pin in PINS:
        path = folder / f"{pin.stem}.tar.gz"
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise BuildError(
                f"{path} cannot be read ({error.strerror}); fetch it again."
            ) from error
        if found != pin.sha256:
            raise BuildError(
                f"{path} is not the file that the booster is made from: its SHA-256 is {found}, not {pin.sha256}. "
                "Delete it, fetch it again, and ask where it came from."
            )


def unpack(folder: Path, target: Path) -> None:
    """Take the C sources and licences out of the source distributions."""
    for pin in PINS:
        with tarfile.open(folder / f"{pin.stem}.tar.gz") as archive:
            wanted = [
                member
                for member in archive.getmembers()
                if member.isfile() and member.name.endswith((".c", ".h", "LICENSE"))
            ]
            archive.extractall(target, members=wanted, filter="data")


def compile_module(sources: Path, output: Path, work: Path) -> None:
    """Compile and link everything; raise `BuildError`."""
    compiler = _compiler()
    env = os.environ | {
        "ZIG_GLOBAL_CACHE_DIR": str(work / "zig"),
        "ZIG_LOCAL_CACHE_DIR": str(work / "zig"),
    }

    def compile_unit(unit: tuple[Path, list[str]]) -> str:
        source, flags = unit
        # Two grammars have a parser.c: the folders make the names of the objects differ.
        name = "-".join(source.with_suffix(".o").parts[-3:])
        target = str(work / name)
        command = [*compiler, *_TARGET, *flags, "-c", str(source), "-o", target]
        _run(command, f"{source.name} of the booster does not compile.", env=env)
        return target

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        objects = list(threads.map(compile_unit, _units(sources)))
    link = [*compiler, *_TARGET, *_LINK, *objects, "-o", str(output)]
    _run(link, "The booster's module cannot be linked.", env=env)


def _units(sources: Path) -> list[tuple[Path, list[str]]]:
    """List what is compiled, each with its own flags; the largest come first."""
    core = sources / CORE.stem / "tree_sitter" / "core" / "lib"
    javascript = sources / JAVASCRIPT.stem / "src"
    python = sources / PYTHON.stem / "src"
    typescript = sources / TYPESCRIPT.stem
    third_party = [f"-I{OWN_SOURCES}", *_THIRD_PARTY]
    # The header tree_sitter/parser.h comes with the grammar of JavaScript.
    grammar = [f"-I{javascript}", f"-I{core / 'include'}", f"-I{core / 'src'}", *third_party]
    lexer, scanning = [*grammar, "-include", "lexing.h"], [*grammar, "-include", "scanning.h"]
    scanner = f'-DJAVASCRIPT_SCANNER="{javascript / "scanner.c"}"'
    units = [
        (typescript / "tsx" / "src" / "parser.c", [*lexer, *_ABI_14]),
        (typescript / "typescript" / "src" / "parser.c", [*lexer, *_ABI_14]),
        (python / "parser.c", [*lexer, *_ABI_14]),
        (javascript / "parser.c", lexer),
        (python / "scanner.c", scanning),
        (javascript / "scanner.c", scanning),
    ]
    special = {
        "libc.c": [*_OWN, "-fno-builtin"],  # else its loops would become calls of themselves
        "typescript_scanner.c": [*scanning, scanner],
        "tree_sitter_core.c": [f"-I{core / 'include'}", f"-I{core / 'src'}", *third_party],
    }
    own = [f"-I{core / 'include'}", f'-DBOOSTER_VERSION="{recipe_hash()}"', *_OWN]
    for path in sorted(OWN_SOURCES.glob("*.c")):
        units.append((path, special.get(path.name, own)))
    return units


def collect_licences(sources: Path) -> str:
    """Write the licences of all that is compiled into the module, each under the name of its part."""
    texts = {f"{pin.project} {pin.version}": sources / pin.stem / "LICENSE" for pin in PINS}
    texts["Unicode tables in tree-sitter"] = (
        sources / CORE.stem / "tree_sitter" / "core" / "lib" / "src" / "unicode" / "LICENSE"
    )
    return "\n".join(
        f"{'=' * 80}\n{name}\n{'=' * 80}\n\n{path.read_text('utf-8').strip()}\n"
        for name, path in texts.items()
    )


def _publish(result: Path, folder: Path) -> Path:
    """Move what was made to its place in one step; without a cache that can be written, beside it."""
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    except OSError:
        staging = Path(tempfile.mkdtemp(prefix="fleet-booster-"))
        return Path(shutil.copytree(result, staging, dirs_exist_ok=True))
    shutil.copytree(result, staging, dirs_exist_ok=True)
    # A damaged folder makes way; one that another build has just put there is as good as ours.
    if folder.exists() and find_made() is None:
        shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        staging.rename(folder)
    if staging.exists():
        shutil.rmtree(staging, ignore_errors=True)
    return folder


def _checksums(folder: Path) -> str:
    """Write the checksums of a folder's files as `sha256sum` does."""
    return "".join(
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"
        for name in (MODULE, LICENCES)
    )


def _compiler() -> list[str]:
    """Give the compiler's command; raise `BuildError` if it is missing or another version."""
    if importlib.util.find_spec("ziglang") is None:
        raise BuildError(
            "There is no compiler for the booster's module here; "
            f"install it with `pip install ziglang=={ZIG_VERSION}` and try again."
        )
    zig = [sys.executable, "-m", "ziglang"]
    found = _run([*zig, "version"], "The compiler of the package ziglang does not start.").strip()
    if found != ZIG_VERSION:
        raise BuildError(
            f"The booster is made by zig {ZIG_VERSION}, but ziglang {found} is installed; "
            f"`pip install ziglang=={ZIG_VERSION}`."
        )
    return [*zig, "cc"]


def _run(command: Iterable[str], failure: str, *, env: Mapping[str, str] | None = None) -> str:
    """Run a program to its end and give what it wrote; raise `BuildError` with the end of its errors."""
    done = subprocess.run(
        list(command),
        env=env,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise BuildError(f"{failure}\n{done.stderr.strip()[-2000:]}")
    return done.stdout


def _pip_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Let pip ask the index that uv was told of, unless pip itself was told."""
    given = dict(environment)
    index = given.get("UV_DEFAULT_INDEX") or given.get("UV_INDEX_URL")
    if index and not given.get("PIP_INDEX_URL"):
        given["PIP_INDEX_URL"] = index
    return given


if __name__ == "__main__":
    try:
        install(HERE)
    except BuildError as problem:
        sys.exit(str(problem))
