"""Modules of operators: WebAssembly files that offer operations named `user.*`, checked and kept by what they hold.

Owner: of a folder (mode 0700) with one file for each module (mode 0600), named by its SHA-256; at most 32. A module gets
what the booster's own gets: memory, and nothing from outside. What it says and answers is not trusted.
"""

import hashlib
import logging
import os
import re
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.booster.failures import BadModule
from engine.booster.module import open_private_folder
from engine.booster.records import File, Language, Operation, Status
from engine.booster.sandbox import Machine, Program, Sandbox
from engine.model.errors import CommandRefused, NotFound, UsageError

MODULE_MAX_BYTES: Final = 8 * 1024 * 1024
MODULES_MAX: Final = 32
OPERATIONS_MAX: Final = 32
ARGUMENTS_MAX: Final = 8
CHECK_TIMEOUT_S: Final = 1.0
CHECK_MEMORY_MAX_BYTES: Final = 64 * 1024 * 1024
_OPERATION: Final = re.compile(r"user\.[a-z][a-z0-9_]{0,47}", re.ASCII)
_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9][\w. -]{0,47}", re.ASCII)
_LANGUAGES: Final = frozenset(language.name.lower() for language in Language)
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UserModule:
    """A module that was checked."""

    sha256: str
    name: str
    version: str
    size_bytes: int
    operations: tuple[Operation, ...]


def check_module(machine: Machine, wasm: bytes) -> UserModule:
    """Say what a module is; raise `UsageError` for one that is too large, `SandboxFailure` for one that does not work.

    The module is compiled, described, and tried with no file, with an empty one and with a short one.
    """
    if len(wasm) > MODULE_MAX_BYTES:
        raise UsageError(
            f"The module has {len(wasm):,} bytes; at most {MODULE_MAX_BYTES:,} are taken. Build it with -O2 and without debug information."
        )
    program = machine.load_bytes(wasm)
    said = program.description
    _require(bool(_NAME.fullmatch(said.name)), f"its name is {said.name!r:.80}: use letters, digits, blanks, dots and dashes")
    _require(bool(_NAME.fullmatch(said.version)), f"its version is {said.version!r:.80}: use letters, digits, blanks, dots and dashes")
    _require(1 <= len(said.operations) <= OPERATIONS_MAX, f"it offers {len(said.operations)} operations, not 1 to {OPERATIONS_MAX}")
    for row in said.operations:
        _check_operation(row)
        _try_operation(program, row)
    return UserModule(hashlib.sha256(wasm).hexdigest(), said.name, said.version, len(wasm), said.operations)


def _check_operation(row: Operation) -> None:
    _require(bool(_OPERATION.fullmatch(row.name)), f"it calls an operation {row.name!r:.80}: use user. and small letters, such as user.count_blanks")
    unknown = set(row.languages) - _LANGUAGES
    _require(bool(row.languages) and not unknown, f"{row.name} is for {sorted(row.languages)}: use some of {', '.join(sorted(_LANGUAGES))}")
    _require(len(set(row.languages)) == len(row.languages), f"{row.name} names a language twice")
    _require(len(set(row.arguments)) == len(row.arguments) <= ARGUMENTS_MAX, f"{row.name} has more than {ARGUMENTS_MAX} arguments, or one twice")
    for word in row.arguments:
        _require(bool(_WORD.fullmatch(word)), f"{row.name} has an argument {word!r:.80}: use small letters, digits and _")


def _try_operation(program: Program, row: Operation) -> None:
    arguments = dict.fromkeys(row.arguments, "x")
    language = Language[row.languages[0].upper()]
    for files in ([], [File(language, b"")], [File(language, b"x\n")]):
        with Sandbox(program, memory_max_bytes=CHECK_MEMORY_MAX_BYTES) as sandbox:
            answers = sandbox.run(row.name, files, arguments, timeout_s=CHECK_TIMEOUT_S)
        for file, answer in zip(files, answers, strict=True):
            if row.edits and answer.status is Status.DONE:
                apply_splices(file.data, answer.value)
            else:
                assert isinstance(answer.value, dict)


def apply_splices(data: bytes, value: object) -> bytes:
    """Give the edited file of an edit's answer; raise `BadModule` for splices that are none.

    They must be in order, apart and inside the file, and what comes out must be UTF-8.
    """
    splices = value.get("splices") if isinstance(value, dict) else None
    if not isinstance(splices, list):
        raise BadModule("an edit's answer has no list of splices")
    pieces, at = [], 0
    for row in splices:
        match row:
            case [int(start), int(end), str(text)] if at <= start <= end <= len(data):
                pieces += [data[at:start], text.encode()]
                at = end
            case _:
                raise BadModule(f"an edit's splice is wrong, or not in its place: {row!r:.80}")
    after = b"".join([*pieces, data[at:]])
    try:
        after.decode()
    except UnicodeDecodeError:
        raise BadModule("an edit cuts a letter in two") from None
    return after


def _require(is_so: bool, otherwise: str) -> None:  # noqa: FBT001  # reads as a sentence
    if not is_so:
        raise BadModule(f"The module cannot be taken: {otherwise}.")


class UserModules:
    """The modules that an operator has added."""

    def __init__(self, folder: Path, machine: Machine) -> None:
        """Read the folder; one that cannot be read, or is open to others, is as if empty."""
        self._folder = folder
        self._machine = machine
        self._modules: dict[str, UserModule] = {}
        for path in sorted(folder.glob("*.wasm")) if open_private_folder(folder) else ():
            try:
                module = check_module(machine, self._read(path.stem))
                self._refuse_clashes(module)
            except (BadModule, CommandRefused, UsageError) as error:
                logger.warning("a module is left out", extra={"path": str(path), "reason": str(error)})
                continue
            self._modules[module.sha256] = module

    @property
    def modules(self) -> tuple[UserModule, ...]:
        """All modules, by name."""
        return tuple(sorted(self._modules.values(), key=lambda module: (module.name, module.sha256)))

    def add(self, wasm: bytes) -> UserModule:
        """Check and keep a module; one that is there already is only given. Raises `UsageError`, `CommandRefused`, `SandboxFailure`."""
        module = check_module(self._machine, wasm)
        if module.sha256 in self._modules:
            return module
        if len(self._modules) >= MODULES_MAX:
            raise CommandRefused(f"There are {MODULES_MAX} modules already; remove one first.")
        self._refuse_clashes(module)
        self._write(module.sha256, wasm)
        self._modules[module.sha256] = module
        return module

    def remove(self, word: str) -> bytes:
        """Take a module away, by its name or the beginning of its SHA-256, and give its bytes, so that it can be added again."""
        module = self._find(word)
        wasm = self._read(module.sha256)
        (self._folder / f"{module.sha256}.wasm").unlink()
        del self._modules[module.sha256]
        return wasm

    def load(self, operation: str) -> Program:
        """Give the program that has an operation. Raises `NotFound`, and `BadModule` for a file that was changed."""
        for module in self._modules.values():
            if operation in {row.name for row in module.operations}:
                return self._machine.load_bytes(self._read(module.sha256))
        raise NotFound(f"No module offers {operation!r}; there are {', '.join(self._names()) or 'none'}.")

    def _names(self) -> list[str]:
        return sorted(row.name for module in self._modules.values() for row in module.operations)

    def _find(self, word: str) -> UserModule:
        found = [module for module in self.modules if module.name == word or (len(word) >= 8 and module.sha256.startswith(word))]
        if len(found) != 1:
            known = ", ".join(f"{module.name} ({module.sha256[:8]})" for module in found or self.modules)
            raise NotFound(f"{len(found) or 'No'} modules are called {word!r}; name one by its hash: {known or 'there are none'}.")
        return found[0]

    def _refuse_clashes(self, module: UserModule) -> None:
        offered = {row.name: other for other in self._modules.values() for row in other.operations}
        for row in module.operations:
            if other := offered.get(row.name):
                raise CommandRefused(f"{row.name} is offered by the module {other.name} ({other.sha256[:8]}); remove that first.")

    def _read(self, sha256: str) -> bytes:
        try:
            wasm = (self._folder / f"{sha256}.wasm").read_bytes()
        except OSError as error:
            raise BadModule(f"The module {sha256[:8]} cannot be read: {error.strerror}.") from None
        if hashlib.sha256(wasm).hexdigest() != sha256:
            raise BadModule(f"The file of module {sha256[:8]} was changed; remove it and add the module again.")
        return wasm

    def _write(self, sha256: str, wasm: bytes) -> None:
        """Write in one step: there is a whole file or none."""
        if open_private_folder(self._folder) is None:
            raise CommandRefused(f"{self._folder} is no folder of yours alone; close it to others: chmod 700.")
        descriptor, name = tempfile.mkstemp(prefix=".new-", dir=self._folder)  # of mode 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(wasm)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._folder / f"{sha256}.wasm")
        except OSError as error:
            with suppress(OSError):
                Path(name).unlink()
            raise CommandRefused(f"The module cannot be kept in {self._folder}: {error.strerror}.") from None


def list_operations(modules: Iterable[UserModule]) -> dict[str, Operation]:
    """Give the operations of modules by name."""
    return {row.name: row for module in modules for row in module.operations}
