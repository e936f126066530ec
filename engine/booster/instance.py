"""One instance of a module and its memory: calls with a deadline, checked reads and writes, told-apart failures.

Owner: of the instance's store, until `close` or the first failure. A failure is raised without the error it came
from: the traceback of that one would keep the store, up to 512 MB, alive for as long as somebody keeps the failure.
"""

import ctypes
from typing import Final

import wasmtime

from engine.booster.failures import (
    BadAnswer,
    BadModule,
    OutOfMemory,
    SandboxFailure,
    StackOverflow,
    TimedOut,
    Trapped,
)
from engine.booster.ticker import Ticker

START_TIMEOUT_S: Final = 1.0
_FAULT_OUT_OF_MEMORY: Final = 1


class Instance:
    """A module at work."""

    def __init__(self, linked: wasmtime.InstancePre, ticker: Ticker, memory_max_bytes: int) -> None:
        """Start an instance; raise `BadModule`, also if it begins with more memory than it may have."""
        self._ticker = ticker
        self._memory_max_bytes = memory_max_bytes
        store = wasmtime.Store(ticker.engine)
        store.set_limits(memory_size=memory_max_bytes, instances=1, memories=1, tables=8)
        store.set_epoch_deadline(ticker.count(START_TIMEOUT_S))
        reason = ""
        try:
            with ticker.running():
                exports = linked.instantiate(store).exports(store)
            self._exports = {name: exports[name] for name in exports}
        except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
            reason = f"the module does not start: {_why_no_start(error)}"
        if reason:
            store.close()
            raise BadModule(reason)
        memory = self._exports["memory"]
        assert isinstance(memory, wasmtime.Memory), "checked when the module was loaded"
        self._memory = memory
        self._store: wasmtime.Store | None = store

    @property
    def is_closed(self) -> bool:
        """Has it failed or been closed?"""
        return self._store is None

    @property
    def memory_bytes(self) -> int:
        """How much memory the instance has taken; it grows only."""
        return 0 if self._store is None else self._memory.data_len(self._store)

    def has(self, name: str) -> bool:
        """Does the module export that function?"""
        return isinstance(self._exports.get(name), wasmtime.Func)

    def close(self) -> None:
        """Give the memory back; also twice."""
        if self._store is not None:
            self._store.close()
            self._store = None
        self._exports = {}

    def call(self, name: str, *arguments: int, timeout_s: float) -> int:
        """Call an exported function and give its number; raise a `SandboxFailure`."""
        function = self._exports.get(name)
        assert self._store is not None, "the instance is closed"
        assert isinstance(function, wasmtime.Func), name
        self._store.set_epoch_deadline(self._ticker.count(timeout_s))
        failure: SandboxFailure
        try:
            with self._ticker.running():
                result: int = function(self._store, *arguments)
            return result
        except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
            failure = self._explain(error, timeout_s)
        self.close()
        try:
            raise failure
        finally:
            del failure  # else the failure's traceback would lead to this frame and back to it

    def write(self, address: int, data: bytes) -> None:
        """Put bytes into the memory; raise `BadAnswer` if the module named a place outside it."""
        ctypes.memmove(self._locate(address, len(data)), data, len(data))

    def read(self, address: int, length: int) -> bytes:
        """Copy bytes out of the memory; raise `BadAnswer` if the module named a place outside it."""
        return ctypes.string_at(self._locate(address, length), length)

    def _locate(self, address: int, length: int) -> int:
        assert self._store is not None, "the instance is closed"
        size = self._memory.data_len(self._store)
        if address < 0 or length < 0 or address + length > size:
            self.close()
            raise BadAnswer(f"the module named {length} bytes at {address} of a memory of {size}")
        return ctypes.addressof(self._memory.data_ptr(self._store).contents) + address

    def _explain(
        self, error: wasmtime.WasmtimeError | wasmtime.Trap, timeout_s: float
    ) -> SandboxFailure:
        code = error.trap_code if isinstance(error, wasmtime.Trap) else None
        if code is wasmtime.TrapCode.INTERRUPT:
            return TimedOut(f"stopped after {timeout_s:g} s")
        if code is wasmtime.TrapCode.STACK_OVERFLOW:
            return StackOverflow("the module's calls nest too deep")
        if self._ran_out_of_memory():
            megabytes = self._memory_max_bytes // 2**20
            return OutOfMemory(f"the module wanted more than its {megabytes} MB")
        return Trapped(_first_line(error))

    def _ran_out_of_memory(self) -> bool:
        """Ask the module, if it can tell."""
        fault = self._exports.get("booster_fault")
        if self._store is None or not isinstance(fault, wasmtime.Func):
            return False
        self._store.set_epoch_deadline(self._ticker.count(START_TIMEOUT_S))
        try:
            with self._ticker.running():
                told: int = fault(self._store)
            return told == _FAULT_OUT_OF_MEMORY
        except (wasmtime.WasmtimeError, wasmtime.Trap):
            return False


def _why_no_start(error: wasmtime.WasmtimeError | wasmtime.Trap) -> str:
    code = error.trap_code if isinstance(error, wasmtime.Trap) else None
    if code is wasmtime.TrapCode.INTERRUPT:
        return f"it was stopped after {START_TIMEOUT_S:g} s"
    if code is wasmtime.TrapCode.STACK_OVERFLOW:
        return "its calls nest too deep"
    return _first_line(error)


def _first_line(error: Exception) -> str:
    """Say what went wrong without the module's backtrace."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    wanted = [line for line in lines if "wasm trap" in line] or lines[-1:]
    return wanted[0][:300] if wanted else type(error).__name__
