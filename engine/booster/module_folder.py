"""The files that workers read modules of operators from; light, since the engine writes them.

Owner: of a folder (mode 0700) with one file for each module that there is (mode 0600), named by its SHA-256. What is in it
can be made again from the artifacts, and is not trusted: a file that was changed is not run.
"""

import hashlib
import os
import tempfile
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from engine.booster.failures import BadModule
from engine.booster.private_folder import open_private_folder
from engine.model.errors import CommandRefused
from engine.model.modules import SHORT_HASH


class ModuleFolder:
    """Modules by what they hold."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path_of(self, sha256: str) -> Path:
        """Return where a module is, if it is there."""
        return self._folder / f"{sha256}.wasm"

    def read(self, sha256: str) -> bytes:
        """Return a module's bytes; raise `BadModule` for a file that is not there or was changed."""
        try:
            wasm = self.path_of(sha256).read_bytes()
        except OSError as error:
            raise BadModule(f"the module {sha256[:SHORT_HASH]} cannot be read: {error.strerror}; it was removed, or its file was") from None
        if hashlib.sha256(wasm).hexdigest() != sha256:
            raise BadModule(f"the file of module {sha256[:SHORT_HASH]} was changed; start the engine anew, which restores it, or add the module again")
        return wasm

    def has(self, sha256: str) -> bool:
        """Tell whether a module is there, whole."""
        try:
            self.read(sha256)
        except BadModule:
            return False
        return True

    def write(self, sha256: str, wasm: bytes) -> None:
        """Keep a module, in one step: there is a whole file or none. Raises CommandRefused."""
        if open_private_folder(self._folder) is None:
            raise CommandRefused(f"{self._folder} is no folder of yours alone; close it to others: chmod 700")
        name = ""
        try:
            descriptor, name = tempfile.mkstemp(prefix=".new-", dir=self._folder)  # of mode 0600
            with os.fdopen(descriptor, "wb") as file:
                file.write(wasm)
            Path(name).replace(self.path_of(sha256))
        except OSError as error:
            if name:
                with suppress(OSError):
                    Path(name).unlink()
            raise CommandRefused(f"the module cannot be kept in {self._folder}: {error.strerror}") from None

    def tidy(self, keep: Collection[str]) -> None:
        """Remove what is none of these."""
        with suppress(OSError):
            for path in self._folder.iterdir():
                if path.stem not in keep:
                    path.unlink(missing_ok=True)
