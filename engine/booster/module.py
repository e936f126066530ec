"""Keeping compiled modules from one start to the next.

Owner: of `$XDG_CACHE_HOME/fleet-tui/booster/compiled`, at most 8 files, and of `compiled-user` beside it, at most 32, so
that the modules of operators never push the booster's own out. A compiled module is native code, run as it is read: the folder must belong to this user and be closed to all others, else nothing is kept. The name of
a file has the hash of what it was compiled from and the checksum of what it holds; a damaged one is made anew.
"""

import hashlib
import logging
import os
import platform
import tempfile
import zlib
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Final

import wasmtime

from engine.booster import build
from engine.booster.failures import BadModule
from engine.booster.finding import find_module as find_module
from engine.booster.private_folder import open_private_folder

OWN: Final = ("compiled", 8)
"""Folder and most files, for the booster's own module."""
USERS: Final = ("compiled-user", 32)
"""The same for those of operators."""
logger = logging.getLogger(__name__)


class CompiledModules:
    """Compiled modules on disk, for one engine's settings."""

    def __init__(self, engine: wasmtime.Engine, settings: str) -> None:
        self._engine = engine
        self._settings = (
            f"{settings} {version('wasmtime')} {platform.machine()} {platform.system()}"
        )

    def load(self, wasm: bytes, place: tuple[str, int] = OWN) -> wasmtime.Module:
        """Compile a module, or take it from its folder; raise `BadModule` for what is none."""
        name, files_max = place
        key = hashlib.sha256(self._settings.encode() + b"\0" + wasm).hexdigest()[:32]
        folder = open_private_folder(build.cache_folder() / name)
        found = self._find(folder, key) if folder else None
        if found is not None:
            return found
        try:
            module = wasmtime.Module(self._engine, wasm)
        except wasmtime.WasmtimeError as error:
            raise BadModule(f"this is no WebAssembly module: {str(error)[:500]}") from None
        if folder:
            _keep(folder / key, bytes(module.serialize()), files_max)
        return module

    def _find(self, folder: Path, key: str) -> wasmtime.Module | None:
        for path in folder.glob(f"{key}-*.cwasm"):
            try:
                if path.stem == f"{key}-{zlib.crc32(path.read_bytes()):08x}":
                    return wasmtime.Module.deserialize_file(self._engine, str(path))
            except (OSError, wasmtime.WasmtimeError):
                logger.debug("a compiled module cannot be read", extra={"path": str(path)})
            logger.warning(
                "a compiled module is damaged and is made anew", extra={"path": str(path)}
            )
            with suppress(OSError):
                path.unlink()
        return None


def _keep(at: Path, data: bytes, files_max: int) -> None:
    """Write a compiled module; a full disk or another writer is no failure, only no gain."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=".new-", dir=at.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(name).replace(at.with_name(f"{at.name}-{zlib.crc32(data):08x}.cwasm"))
        oldest = sorted(at.parent.glob("*.cwasm"), key=lambda path: path.stat().st_mtime)
        for path in oldest[:-files_max]:
            path.unlink()
    except OSError as error:
        logger.warning("a compiled module cannot be kept", extra={"error": str(error)})
