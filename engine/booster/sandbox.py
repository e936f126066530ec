"""Sandboxes for modules: memory and time are bounded, every failure is told apart, nothing outside is reached.

Owner: a `Machine` owns the compiler, the thread that counts time, and the programs; a `Sandbox` owns one instance
and its memory. A module gets no imports: no files, no network, no clock. One thread at a time may use a sandbox;
its calls let other threads run. After a failure a sandbox is closed and its memory is given back at once.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self

import wasmtime

from engine.booster.failures import BadAnswer, BadModule, OutOfMemory
from engine.booster.instance import Instance
from engine.booster.module import OWN, CompiledModules
from engine.booster.records import (
    ABI_VERSION,
    BOTH_TIERS,
    Answer,
    Description,
    File,
    Operation,
    decode_answer,
    decode_description,
    encode_request,
)
from engine.booster.ticker import Ticker
from engine.model.errors import UsageError

MEMORY_MAX_BYTES: Final = 512 * 1024 * 1024
TIMEOUT_S: Final = 30.0
TICK_S: Final = 0.01
_DESCRIBE_TIMEOUT_S: Final = 1.0
_INTERFACE: Final = MappingProxyType(
    {
        "booster_abi": "-> i32",
        "booster_describe": "-> i64",
        "booster_alloc": "i32 -> i32",
        "booster_run": "i32 i32 i32 -> i64",
    }
)
_MAY_LACK: Final = MappingProxyType({"booster_fault": "-> i32", "booster_used": "-> i32"})


class Machine:
    """What all sandboxes of a process share: make one, and close it at the end."""

    def __init__(self, tick_s: float = TICK_S) -> None:
        config = wasmtime.Config()
        config.epoch_interruption = True
        self.engine = wasmtime.Engine(config)
        self.ticker = Ticker(self.engine, tick_s)
        self._compiled = CompiledModules(self.engine, "epochs")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def load(self, path: Path) -> "Program":
        """Compile the module of a file, or take it from the cache; raise `BadModule`."""
        try:
            wasm = path.read_bytes()
        except OSError as error:
            raise BadModule(f"{path} cannot be read: {error.strerror}") from None
        return self.load_bytes(wasm)

    def load_bytes(
        self,
        wasm: bytes,
        *,
        place: tuple[str, int] = OWN,
        memory_max_bytes: int = MEMORY_MAX_BYTES,
    ) -> "Program":
        """Compile a module, or take it from its place in the cache, and have it describe itself; raise `SandboxFailure`."""
        return Program(self, self._compiled.load(wasm, place), memory_max_bytes)

    def close(self) -> None:
        """End the thread that counts time; no sandbox may run any more."""
        self.ticker.close()


class Program:
    """A compiled module that keeps to the ABI, and the operations it offers."""

    def __init__(
        self,
        machine: Machine,
        module: wasmtime.Module,
        memory_max_bytes: int = MEMORY_MAX_BYTES,
    ) -> None:
        _check_interface(module)
        self.exports: tuple[str, ...] = tuple(row.name for row in module.exports)
        self._linked = wasmtime.Linker(machine.engine).instantiate_pre(module)
        self._ticker = machine.ticker
        self.memory_bytes = 0
        """What an instance begins with."""
        self.description: Description = self._describe(memory_max_bytes)
        self.operations: Mapping[str, Operation] = MappingProxyType(
            {row.name: row for row in self.description.operations}
        )

    def start(self, memory_max_bytes: int) -> Instance:
        """Start an instance; raise `BadModule`."""
        return Instance(self._linked, self._ticker, memory_max_bytes)

    def _describe(self, memory_max_bytes: int) -> Description:
        instance = self.start(memory_max_bytes)
        self.memory_bytes = instance.memory_bytes
        try:
            abi = instance.call("booster_abi", timeout_s=_DESCRIBE_TIMEOUT_S)
            if abi != ABI_VERSION:
                raise BadModule(
                    f"the module keeps to version {abi} of the ABI, this fleet-tui to {ABI_VERSION}"
                )
            packed = instance.call("booster_describe", timeout_s=_DESCRIBE_TIMEOUT_S)
            return decode_description(instance.read(*_unpack(packed)))
        finally:
            instance.close()


class Sandbox:
    """One instance: give it batches of files, one after the other."""

    def __init__(self, program: Program, *, memory_max_bytes: int = MEMORY_MAX_BYTES) -> None:
        """Start an instance, in less than a millisecond; raise `BadModule`."""
        self._program = program
        self._instance = program.start(memory_max_bytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def is_lost(self) -> bool:
        """Has it failed or been closed? Then make a new one."""
        return self._instance.is_closed

    @property
    def memory_bytes(self) -> int:
        """How much memory the instance has taken; it grows only, a new sandbox begins small."""
        return self._instance.memory_bytes

    def measure_used_bytes(self) -> int:
        """Ask how much of its memory the instance has ever used; all of it if the module cannot tell."""
        if not self._instance.has("booster_used"):
            return self.memory_bytes
        return self._instance.call("booster_used", timeout_s=_DESCRIBE_TIMEOUT_S)

    def run(
        self,
        operation: str,
        files: Sequence[File],
        arguments: Mapping[str, str | int] = MappingProxyType({}),
        *,
        timeout_s: float = TIMEOUT_S,
        tiers: int = BOTH_TIERS,
    ) -> list[Answer]:
        """Do an operation on a batch of files, and give their answers in the same order.

        The batch is best of 64 to 256 kB; time and memory are those of the whole batch. Raises `UsageError` for an
        operation or argument that the module does not have, and a `SandboxFailure`, after which the sandbox is lost.
        """
        row = self._program.operations.get(operation)
        if row is None:
            offered = ", ".join(self._program.operations)
            raise UsageError(f"The module has no operation {operation!r}; it has {offered}.")
        request = encode_request(files, row.encode(arguments), tiers)
        data = self._call(row.code, request, timeout_s)
        try:
            return decode_answer(data, len(files), self._program.description.encoding)
        except BadAnswer:
            self.close()
            raise

    def close(self) -> None:
        """Give the memory back; also twice."""
        self._instance.close()

    def _call(self, code: int, request: bytes, timeout_s: float) -> bytes:
        instance = self._instance
        address = instance.call("booster_alloc", len(request), timeout_s=timeout_s) & 0xFFFFFFFF
        if not address:
            self.close()
            raise OutOfMemory(f"the module has no room for a request of {len(request)} bytes")
        instance.write(address, request)
        packed = instance.call("booster_run", code, address, len(request), timeout_s=timeout_s)
        return instance.read(*_unpack(packed))


def _unpack(packed: int) -> tuple[int, int]:
    """Give address and length from the two halves of a number."""
    return packed >> 32 & 0xFFFFFFFF, packed & 0xFFFFFFFF


def _check_interface(module: wasmtime.Module) -> None:
    """Raise `BadModule` unless a module exports what the ABI asks for, and wants nothing."""
    if wanted := [f"{row.module}.{row.name}" for row in module.imports]:
        raise BadModule(
            f"the module asks for {', '.join(wanted[:5])}, but modules get nothing from outside"
        )
    exports = {row.name: row.type for row in module.exports}
    if not isinstance(exports.get("memory"), wasmtime.MemoryType):
        raise BadModule("the module does not export its `memory`")
    for name, expected in (_INTERFACE | _MAY_LACK).items():
        found = exports.get(name)
        if found is None and name in _MAY_LACK:
            continue
        if not isinstance(found, wasmtime.FuncType) or _signature(found) != expected:
            raise BadModule(f"the module does not export the function {name} ({expected})")


def _signature(function: wasmtime.FuncType) -> str:
    words = [str(kind) for kind in function.params]
    return " ".join([*words, "->", *(str(kind) for kind in function.results)])
