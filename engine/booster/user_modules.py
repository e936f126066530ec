"""Checking a module of an operator, before it is kept: what it says and answers is not trusted.

Owner: nobody. A module gets what the booster's own gets: memory, and nothing from outside. This loads the runtime, so an
engine has it done in a process of its own (`engine.booster.checking`).
"""

import hashlib
import re
from typing import Final

from engine.booster.failures import BadModule, SandboxFailure
from engine.booster.module import USERS
from engine.booster.records import File, Language, Operation, Status
from engine.booster.sandbox import Machine, Program, Sandbox
from engine.model.code_requests import CodeRequest
from engine.model.errors import UsageError
from engine.model.modules import ModuleFacts, ModuleOperation

MODULE_MAX_BYTES: Final = 8 * 1024 * 1024
OPERATIONS_MAX: Final = 32
ARGUMENTS_MAX: Final = 8
CHECK_TIMEOUT_S: Final = 1.0
CHECK_MEMORY_MAX_BYTES: Final = 64 * 1024 * 1024
_OPERATION: Final = re.compile(r"user\.[a-z][a-z0-9_]{0,47}", re.ASCII)
_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9][\w. -]{0,47}", re.ASCII)
_LANGUAGES: Final = frozenset(language.name.lower() for language in Language)
_TAKEN: Final = frozenset(CodeRequest.model_fields)


def check_module(machine: Machine, wasm: bytes) -> ModuleFacts:
    """Say what a module is; raise `UsageError` for one that is too large, `SandboxFailure` for one that does not work.

    The module is compiled, described, and tried with no file, with an empty one and with a short one.
    """
    refuse_size(len(wasm))
    try:
        program = machine.load_bytes(wasm, place=USERS, memory_max_bytes=CHECK_MEMORY_MAX_BYTES)
    except BadModule:
        raise
    except SandboxFailure as failure:
        raise type(failure)(f"it cannot say what it offers: {failure.reason}") from None
    said = program.description
    _require(bool(_NAME.fullmatch(said.name)), f"its name is {said.name!r:.80}: use letters, digits, blanks, dots and dashes")
    _require(bool(_NAME.fullmatch(said.version)), f"its version is {said.version!r:.80}: use letters, digits, blanks, dots and dashes")
    _require(1 <= len(said.operations) <= OPERATIONS_MAX, f"it offers {len(said.operations)} operations, not 1 to {OPERATIONS_MAX}")
    for row in said.operations:
        _check_operation(row)
        _try_operation(program, row)
    offered = tuple(ModuleOperation(row.name, row.edits, row.languages, row.arguments) for row in said.operations)
    return ModuleFacts(hashlib.sha256(wasm).hexdigest(), said.name, said.version, len(wasm), program.memory_bytes, program.exports, offered)


def refuse_size(size_bytes: int) -> None:
    """Raise `UsageError` for a module that is too large."""
    if size_bytes > MODULE_MAX_BYTES:
        raise UsageError(
            f"The module has {size_bytes:,} bytes; at most {MODULE_MAX_BYTES:,} are taken. Build it with -O2 and without debug information."
        )


def _check_operation(row: Operation) -> None:
    _require(bool(_OPERATION.fullmatch(row.name)), f"it calls an operation {row.name!r:.80}: use user. and small letters, such as user.count_blanks")
    unknown = set(row.languages) - _LANGUAGES
    _require(bool(row.languages) and not unknown, f"{row.name} is for {sorted(row.languages)}: use some of {', '.join(sorted(_LANGUAGES))}")
    _require(len(set(row.languages)) == len(row.languages), f"{row.name} names a language twice")
    _require(len(set(row.arguments)) == len(row.arguments) <= ARGUMENTS_MAX, f"{row.name} has more than {ARGUMENTS_MAX} arguments, or one twice")
    for word in row.arguments:
        _require(bool(_WORD.fullmatch(word)), f"{row.name} has an argument {word!r:.80}: use small letters, digits and _")
        _require(word not in _TAKEN, f"{row.name} has an argument {word}, which every payload may have: give it another name")


def _try_operation(program: Program, row: Operation) -> None:
    arguments = dict.fromkeys(row.arguments, "x")
    language = Language[row.languages[0].upper()]
    for files in ([], [File(language, b"")], [File(language, b"x\n")]):
        tried = f"{len(files[0].data)} bytes" if files else "no file"
        try:
            with Sandbox(program, memory_max_bytes=CHECK_MEMORY_MAX_BYTES) as sandbox:
                answers = sandbox.run(row.name, files, arguments, timeout_s=CHECK_TIMEOUT_S)
            for file, answer in zip(files, answers, strict=True):
                if row.edits and answer.status is Status.DONE:
                    apply_splices(file.data, answer.value)
                else:
                    assert isinstance(answer.value, dict)
        except SandboxFailure as failure:
            raise type(failure)(f"{row.name} was tried with {tried}: {failure.reason}") from None


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
        raise BadModule(otherwise)
