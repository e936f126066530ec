"""Operations of operators' modules in a worker: a fresh instance for each call, so that nothing is left from one to the next.

Owner: of the programs that were loaded (at most `MODULES_MAX`, the one used longest ago goes first) and of their figures. Nobody
else does what a module does: what it is not certain of, refuses or fails at ends the task.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import Field, create_model

from engine.booster.cache import AnswerCache, KeptAnswers
from engine.booster.failures import BadAnswer
from engine.booster.figures import ModuleFigures
from engine.booster.module import USERS
from engine.booster.module_folder import ModuleFolder
from engine.booster.operations import LANGUAGES, read_edit
from engine.booster.records import Answer, File, Operation, Status
from engine.booster.sandbox import Machine, Program, Sandbox
from engine.editing.edits import conclude, finish
from engine.editing.source import Source, decode, read_bytes
from engine.editing.writing import check_target
from engine.model.code_errors import CodeError
from engine.model.code_operations import check_payload
from engine.model.code_requests import CodeRequest
from engine.model.modules import MODULES_MAX, SHORT_HASH

FIGURES_MAX: Final = 2 * MODULES_MAX
"""Modules whose figures are told; those of removed ones are the first to be forgotten."""

Parse = Callable[[str, str], Answer]
"""Asks the booster's own module whether a text of a language parses."""


class Asked(NamedTuple):
    """One operation of one module, as a task asks for it."""

    sha256: str
    program: Program
    row: Operation
    request: CodeRequest


class UserWork:
    """What a worker does with modules of operators."""

    def __init__(self, machine: Machine, folder: Path, cache: AnswerCache, memory_max_bytes: int) -> None:
        self._machine = machine
        self._folder = ModuleFolder(folder)
        self._cache = cache
        self._memory_max_bytes = memory_max_bytes
        self._programs: OrderedDict[str, Program] = OrderedDict()
        self._requests: dict[tuple[str, str], type[CodeRequest]] = {}
        self.figures: OrderedDict[str, ModuleFigures] = OrderedDict()

    def find(self, sha256: str, operation: str, payload: Mapping[str, object]) -> Asked:
        """Return what a task asks for. Raises `CodeError`, and `BadModule` for a file that is not there or was changed."""
        if not sha256:
            raise CodeError(
                "no_module", f"No module offers {operation} any more: it was removed after this task was submitted; add it again, then retry the task."
            )
        program = self._load(sha256)
        row = program.operations.get(operation)
        if row is None:
            raise CodeError("no_module", f"The module {sha256[:SHORT_HASH]} has no {operation}; it has {', '.join(program.operations)}.")
        request = check_payload(self._request(sha256, row), payload)
        if request.apply and not row.edits:
            raise CodeError("bad_parameter", f"{operation} only tells something and writes nothing; leave out `apply`.")
        return Asked(sha256, program, row, request)

    def perform(self, asked: Asked, parse: Parse, limit_s: float) -> dict[str, object]:
        """Have a module do its operation. Raises `CodeError`, and `SandboxFailure` for what the module did wrong."""
        request, row = asked.request, asked.row
        if row.edits and request.apply:  # refuse before the work, not after it
            check_target(request)
        source = decode(request, read_bytes(request))
        value = _judge(row.name, self._ask(asked, source, limit_s))
        if not row.edits:
            return value
        said = asked.program.description
        edit = read_edit(source, {"notes": {}, **value}, compiles=request.language == "python")
        if edit.splices:
            _require_parses(parse, source)
        after = finish(source, edit, partial(_check_parses, parse))
        return conclude(request, source, edit, after, engine=f"{said.name} {said.version} {asked.sha256[:SHORT_HASH]}")

    def note(self, sha256: str) -> ModuleFigures:
        """Return the figures of a module, to be changed."""
        figures = self.figures.pop(sha256, None) or ModuleFigures(sha256)
        self.figures[sha256] = figures
        while len(self.figures) > FIGURES_MAX:
            self.figures.popitem(last=False)
        return figures

    def _ask(self, asked: Asked, source: Source, limit_s: float) -> Answer:
        arguments = asked.request.model_dump(include=set(asked.row.arguments))
        box = KeptAnswers(self._cache, partial(self._run, asked), of=asked.sha256)
        try:
            file = File(LANGUAGES[asked.request.language], source.text.encode())
        except UnicodeEncodeError:
            raise CodeError("unreadable", f"{source.label} has characters that UTF-8 cannot carry.") from None
        hits = self._cache.hits
        (answer,) = box.run(asked.row.name, [file], arguments, timeout_s=limit_s)
        self.note(asked.sha256).cache_hits += self._cache.hits - hits
        return answer

    def _run(self, asked: Asked, operation: str, files: Sequence[File], arguments: Mapping[str, str | int], *, timeout_s: float) -> list[Answer]:
        self.note(asked.sha256).calls += 1
        with Sandbox(asked.program, memory_max_bytes=self._memory_max_bytes) as sandbox:
            return sandbox.run(operation, files, arguments, timeout_s=timeout_s)

    def _load(self, sha256: str) -> Program:
        program = self._programs.get(sha256)
        if program is None:
            program = self._machine.load_bytes(self._folder.read(sha256), place=USERS, memory_max_bytes=self._memory_max_bytes)
            self._programs[sha256] = program
            while len(self._programs) > MODULES_MAX:
                gone, _ = self._programs.popitem(last=False)
                self._requests = {key: kind for key, kind in self._requests.items() if key[0] != gone}
        self._programs.move_to_end(sha256)
        return program

    def _request(self, sha256: str, row: Operation) -> type[CodeRequest]:
        kind = self._requests.get((sha256, row.name))
        if kind is None:
            fields: dict[str, Any] = {name: (str | int | bool, Field(description="an argument of the module's operation")) for name in row.arguments}
            kind = create_model("UserRequest", __base__=CodeRequest, **fields)
            kind.operation, kind.languages = row.name, row.languages  # type: ignore[assignment]  # checked when it was added
            self._requests[sha256, row.name] = kind
        return kind


def _judge(operation: str, answer: Answer) -> dict[str, Any]:
    """Return the value of an answer that is certain. Raises `CodeError` for another, `BadAnswer` for none."""
    value = answer.value
    if answer.status is Status.DONE:
        return value
    reason, line, column = value.get("reason"), value.get("line"), value.get("column")
    if not isinstance(reason, str) or not isinstance(line, int | None) or not isinstance(column, int | None):
        raise BadAnswer(f"an answer that is not done has no reason, line and column: {value!r:.200}")
    kind = "bad_parameter" if answer.status is Status.BAD_REQUEST else "module_refused"
    how = "is not certain" if answer.status is Status.UNSURE else "refuses"
    raise CodeError(kind, f"{operation} {how}: {reason[:1_000]}", line, column)


def _require_parses(parse: Parse, before: Source) -> None:
    """Raise `CodeError` for a text that does not parse before it is edited: nobody could tell what an edit broke."""
    answer = parse(before.text, before.language)
    if answer.status is not Status.DONE:
        value = answer.value
        raise CodeError("syntax_error", f"{before.label} has a syntax error; correct it before it is edited: {value['reason']}", value["line"], value["column"])


def _check_parses(parse: Parse, after: Source) -> None:
    answer = parse(after.text, after.language)
    if answer.status is not Status.DONE:
        value = answer.value
        raise CodeError("syntax_error", str(value["reason"]), value["line"], value["column"])
