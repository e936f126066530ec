"""One code operation through a sandbox, with the answer that the regular agent would give.

Owner: nobody. What is read, decoded, written and told around an operation is `engine.editing`'s, for both engines; the
module finds things, this asks it and turns its answer into the result of `engine.model.code_results`. An edit has been
read again by the language's grammar inside the module before it comes out; what may not compile is no answer of it.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

from engine.booster.asking import LEFT_TO_AGENT
from engine.booster.failures import BadAnswer
from engine.booster.records import Answer, Description, File, Language, Status
from engine.booster.sandbox import TIMEOUT_S
from engine.editing.edits import Edit, conclude, finish
from engine.editing.source import Source, decode, read_bytes
from engine.editing.splices import Splice
from engine.editing.writing import check_target
from engine.model.code_errors import HandedOn
from engine.model.code_operations import find_operation
from engine.model.code_requests import CodeRequest
from engine.model.errors import UsageError

_LANGUAGES: Final = MappingProxyType(
    {
        "python": Language.PYTHON,
        "javascript": Language.JAVASCRIPT,
        "typescript": Language.TYPESCRIPT,
        "tsx": Language.TSX,
    }
)
_AROUND: Final = frozenset(CodeRequest.model_fields)  # path, source, language, workspace, apply


class Box(Protocol):
    """What is asked: a `Sandbox`, or what gives out others where one was lost."""

    def run(
        self,
        operation: str,
        files: Sequence[File],
        arguments: Mapping[str, str | bool] = ...,
        *,
        timeout_s: float = ...,
    ) -> list[Answer]:
        """Do an operation on a batch of files."""
        ...


class Question(NamedTuple):
    """What the module is asked about one file."""

    operation: str
    file: File
    arguments: Mapping[str, str | bool]


def why_not(description: Description, operation: str, language: str) -> str:
    """Say why a module cannot be asked for an operation on a language; empty if it can."""
    if operation in LEFT_TO_AGENT:
        return f"{operation} is judged by the language's own compiler, which only a regular agent asks"
    row = next((row for row in description.operations if row.name == operation), None)
    if row is None:
        return f"the booster has no {operation}"
    if language not in row.languages:
        return f"the booster's {operation} is not for {language}"
    return ""


def perform(
    sandbox: Box, description: Description, request: CodeRequest, *, timeout_s: float = TIMEOUT_S
) -> dict[str, object]:
    """Carry out a request as the regular agent would.

    Raises `CodeError` as that one does, `HandedOn` where only that one knows for certain, and a `SandboxFailure`,
    after which the sandbox is lost.
    """
    if reason := why_not(description, request.operation, request.language):
        raise HandedOn(reason)
    edits = find_operation(request.operation).edits
    if edits and request.apply:  # refuse before the work, not after it
        check_target(request)
    source = decode(request, read_bytes(request))
    question = put(request, source)
    try:
        (answer,) = sandbox.run(
            question.operation, [question.file], question.arguments, timeout_s=timeout_s
        )
    except UsageError as error:  # the module takes other arguments than the catalogue has
        raise HandedOn(str(error)) from None
    value = judge(answer)
    if not edits:
        return value
    return _conclude(request, source, value, engine=f"booster {description.version}")


def put(request: CodeRequest, source: Source) -> Question:
    """Give what the module is asked; raise `HandedOn` for a text that UTF-8 cannot carry."""
    try:
        data = source.text.encode()
    except UnicodeEncodeError:
        raise HandedOn("the text has characters that UTF-8 cannot carry") from None
    arguments = request.model_dump(exclude=set(_AROUND))
    return Question(request.operation, File(_LANGUAGES[request.language], data), arguments)


def judge(answer: Answer) -> dict[str, Any]:
    """Give the value of an answer that is certain; raise `HandedOn` for one that is not."""
    value = answer.value
    if answer.status is Status.DONE:
        return value
    line = value.get("line")
    place = f" (line {line})" if line is not None else ""
    # A refusal too: the regular agent words it, with what to do next, and its kind.
    raise HandedOn(f"{value.get('reason', 'the module does not say why')}{place}")


def _conclude(
    request: CodeRequest, source: Source, value: Mapping[str, Any], *, engine: str
) -> dict[str, object]:
    try:
        rows, count, notes = value["splices"], value["count"], value["notes"]
        splices = _in_characters(source, rows)
    except (KeyError, TypeError, ValueError) as error:  # ValueError: also a piece that begins inside a character
        raise BadAnswer(f"an edit cannot be read: {error!r}") from None
    edit = Edit.of(splices, count=count, notes=notes)
    after = finish(source, edit, _was_parsed)
    return conclude(request, source, edit, after, engine=engine)


def _was_parsed(_after: Source) -> None:
    """Leave it: the module has read the result again."""


def _in_characters(source: Source, rows: Sequence[tuple[int, int, str]]) -> list[Splice]:
    """Turn offsets into bytes of UTF-8 into those of characters; raise ValueError unless in order and inside."""
    if source.text.isascii():
        splices = [Splice(start, end, text) for start, end, text in rows]
        length = len(source.text)
    else:
        data = source.text.encode()
        length = len(data)
        splices, at, characters = [], 0, 0
        for start, end, text in rows:
            first = characters + len(data[at:start].decode())
            characters = first + len(data[start:end].decode())
            splices.append(Splice(first, characters, text))
            at = end
    at = 0
    for start, end, text in rows:
        if not at <= start <= end <= length or not isinstance(text, str):
            raise ValueError("pieces overlap or lie outside the file")
        at = end
    return splices
