"""Operations that the module only finds things for: what it found goes to `engine.editing`, which decides.

Owner: nobody.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from engine.booster.records import Answer, Status
from engine.editing import ecmascript, python
from engine.editing.ecmascript.structure import Structure as ScriptStructure
from engine.editing.ecmascript.structure import read_structure as read_script_structure
from engine.editing.edits import Edit, finish
from engine.editing.matching import replace_matches, show_matches
from engine.editing.source import Source
from engine.editing.structure import Structure, read_structure
from engine.model.code_errors import CodeError, HandedOn
from engine.model.code_requests import MATCHES_MAX, CodeRequest, ReplaceRequest, SearchRequest

# Asks the module for one of its own operations about a text.
Ask: TypeAlias = Callable[[str, str, Mapping[str, str | int]], Answer]


def judge(answer: Answer) -> dict[str, Any]:
    """Give the value of an answer that is certain; raise `HandedOn` for one that is not."""
    value = answer.value
    if answer.status is Status.DONE:
        return value
    line = value.get("line")
    place = f" (line {line})" if line is not None else ""
    # A refusal too: the regular agent words it, with what to do next, and its kind.
    raise HandedOn(f"{value.get('reason', 'the module does not say why')}{place}")


def decide(ask: Ask, request: CodeRequest, source: Source) -> tuple[Edit, Source]:
    """Give the edit that is decided of a structure, and what comes of it; raise `CodeError`, `HandedOn`."""

    def read(of: Source) -> Structure:
        return read_structure(judge(ask("code.structure", of.text, {})), of.text.encode())

    def read_script(of: Source) -> ScriptStructure:
        return read_script_structure(judge(ask("code.structure", of.text, {})), of.text.encode())

    def check(after: Source) -> None:
        judge(ask("code.parses", after.text, {}))

    name = request.operation
    if source.language == "python":
        edit = python.DECISIONS[name](source, request, read)
    else:
        edit = ecmascript.DECISIONS[name](source, request, read_script)
    return edit, finish(source, edit, check)


def search(ask: Ask, request: SearchRequest, source: Source) -> dict[str, object]:
    """Give the answer of code.search; raise `CodeError`."""
    return show_matches(source, _match(ask, request.query, request.max_matches, source))


def replace(ask: Ask, request: ReplaceRequest, source: Source) -> tuple[Edit, Source]:
    """Give the edit of code.replace, and what comes of it; raise `CodeError`: there is nobody to hand it on to."""

    def check(after: Source) -> None:
        answer = ask("code.parses", after.text, {})
        if answer.status is not Status.DONE:
            value = answer.value
            raise CodeError("syntax_error", f"{value['reason']}", value["line"], value["column"])

    edit = replace_matches(source, request, _match(ask, request.query, MATCHES_MAX, source))
    return edit, finish(source, edit, check)


def _match(ask: Ask, query: str, matches_max: int, source: Source) -> dict[str, Any]:
    answer = ask("code.search", source.text, {"query": query, "max_matches": matches_max})
    value = answer.value
    if answer.status is Status.BAD_REQUEST:
        place = "" if value["line"] is None else f" (its line {value['line']}, column {value['column']})"
        raise CodeError("bad_parameter", f"`query` is wrong: {value['reason']}{place}.")
    if answer.status is Status.REFUSED:
        raise CodeError(
            "syntax_error",
            f"{source.label} has a syntax error; correct it before you search it by its tree.",
            value["line"],
            value["column"],
        )
    return judge(answer)
