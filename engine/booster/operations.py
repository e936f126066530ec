"""One code operation through a sandbox, with the answer that the regular agent would give.

Owner: nobody. What is read, decoded, written and told around an operation is `engine.editing`'s, for both engines; the
module finds things, this asks it and turns its answer into the result of `engine.model.code_results`. An edit has been
read again by the language's grammar inside the module before it comes out; what may not compile is no answer of it.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol

from engine.booster.asking import FOUND_BY, asked_of, is_left
from engine.booster.deciding import Ask, decide, judge, replace, search
from engine.booster.failures import BadAnswer
from engine.booster.records import Answer, Description, File, Language
from engine.booster.sandbox import TIMEOUT_S
from engine.editing.edits import Edit, conclude, finish
from engine.editing.source import Source, decode, read_bytes
from engine.editing.splices import Splice
from engine.editing.writing import check_target
from engine.model.code_errors import CodeError, HandedOn
from engine.model.code_operations import find_operation
from engine.model.code_requests import CodeRequest, ReplaceRequest, SearchRequest
from engine.model.errors import UsageError

LANGUAGES: Final = MappingProxyType(
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
        arguments: Mapping[str, str | int] = ...,
        *,
        timeout_s: float,
    ) -> list[Answer]:
        """Do an operation on a batch of files."""
        ...


def why_not(description: Description, operation: str, language: str) -> str:
    """Say why a module cannot be asked for an operation on a language; empty if it can."""
    if is_left(operation, language):
        return f"{operation} of {language} is judged by a reader of the regular agent"
    row = next((row for row in description.operations if row.name == asked_of(operation)), None)
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
    source = _decode(request)

    def ask(operation: str, text: str, arguments: Mapping[str, str | int]) -> Answer:
        file = File(LANGUAGES[request.language], _encode(text))
        try:
            (answer,) = sandbox.run(operation, [file], arguments, timeout_s=timeout_s)
        except UsageError as error:  # the module takes other arguments than the catalogue has
            raise HandedOn(str(error)) from None
        return answer

    if isinstance(request, SearchRequest):
        return search(ask, request, source)
    if not edits:
        return judge(ask(request.operation, source.text, _list_arguments(request)))
    engine = f"booster {description.version}"
    edit, after = _edit(ask, request, source)
    return conclude(request, source, edit, after, engine=engine)


def _edit(ask: Ask, request: CodeRequest, source: Source) -> tuple[Edit, Source]:
    if isinstance(request, ReplaceRequest):
        return replace(ask, request, source)
    if FOUND_BY.get(request.operation) == "code.structure":
        return decide(ask, request, source)
    value = judge(ask(request.operation, source.text, _list_arguments(request)))
    edit = read_edit(source, value)
    return edit, finish(source, edit, _was_parsed)


def _decode(request: CodeRequest) -> Source:
    data = read_bytes(request)
    try:
        return decode(request, data)
    except CodeError as error:
        if request.operation != "code.syntax_check":
            raise
        raise HandedOn(error.message) from None  # of bytes that are no text, too, it has to say what is wrong


def _encode(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise HandedOn("the text has characters that UTF-8 cannot carry") from None


def _list_arguments(request: CodeRequest) -> dict[str, str | int]:
    return request.model_dump(exclude=set(_AROUND))


def read_edit(source: Source, value: Mapping[str, Any], *, compiles: bool = False) -> Edit:
    """Turn an edit's answer into an edit; raise `BadAnswer` for one that cannot be."""
    try:
        rows, count, notes = value["splices"], value["count"], value["notes"]
        splices = _in_characters(source, rows)
    except (KeyError, TypeError, ValueError) as error:  # ValueError: also a piece that begins inside a character
        raise BadAnswer(f"an edit cannot be read: {error!r}") from None
    if not isinstance(count, int) or not isinstance(notes, dict):
        raise BadAnswer(f"an edit cannot be read: its count is {count!r:.80}, its notes {notes!r:.80}")
    return Edit.of(splices, count=count, notes=notes, compiles=compiles)


def _was_parsed(_after: Source) -> None:
    """Leave it: the module has read the result again."""


def _in_characters(source: Source, rows: Sequence[tuple[int, int, str]]) -> list[Splice]:
    """Turn offsets into bytes of UTF-8 into those of characters; raise ValueError unless in order and inside."""
    if any(type(start) is not int or type(end) is not int for start, end, _ in rows):
        raise ValueError("an offset is no whole number")
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
