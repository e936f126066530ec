"""What the model is to say: turns from a TOML or JSON-lines file, checked, with the line of what is wrong.

Owner: nobody; a script is frozen. Limits: FILE_BYTES_MAX a file, TURNS_MAX turns.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from engine.model.errors import UsageError
from engine.model.wire import nearest

FILE_BYTES_MAX = 16 * 1024 * 1024
TURNS_MAX = 100_000
SECONDS_MAX = 86_400.0

Seconds = Annotated[float, Meta(ge=0, le=SECONDS_MAX)]
Tokens = Annotated[int, Meta(ge=0, le=1_000_000_000)]

_HEADER = re.compile(r"\s*\[\[\s*turn\s*\]\]\s*(?:#.*)?$")
_KEY_OF_ERROR = re.compile(r"at `\$\.(\w+)")
_UNKNOWN = re.compile(r"unknown field `(\w+)`")
_FORMS = {".toml": "TOML", ".jsonl": "JSON lines", ".ndjson": "JSON lines"}


class Turn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One answer of the model."""

    match: str = ""
    """For conversations whose first message holds this text; empty = for all."""
    text: str = ""
    tool: str = ""
    """Name of the tool that the model wants to use; after the text, if there is one."""
    input: dict[str, object] | str = {}
    """What the tool is to be given; a text is for tools whose input is free."""
    status: Annotated[int, Meta(ge=400, le=599)] | None = None
    """HTTP status of an error instead of an answer."""
    body: dict[str, object] | str | None = None
    """Of the error; without it the API's own form with a plain sentence."""
    retry_after_s: Seconds | None = None
    """Sent as Retry-After with the error."""
    delay_s: Seconds = 0.0
    """Before the first byte."""
    between_s: Seconds = 0.0
    """Before each further piece of a streamed text."""
    cut: Literal["", "before", "during"] = ""
    """Where the connection is cut: before the first byte, or after the first piece."""
    input_tokens: Tokens | None = None
    """What the usage says; None = by the length of the texts, four characters a token."""
    output_tokens: Tokens | None = None
    cached_tokens: Tokens = 0
    """Of the input those that were read from a cache."""
    repeat: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    """How many times in a row."""

    @property
    def fails(self) -> bool:
        """Answer whether its client gets no whole answer, so that it may well ask again."""
        return self.status is not None or self.cut != ""


@dataclass(frozen=True, slots=True)
class Script:
    """Turns by the text that their conversations begin with, in the order of the file."""

    turns: Mapping[str, Sequence[Turn]]

    def match_of(self, first: str) -> str | None:
        """Return which turns a conversation with that first message gets; None = none are for it."""
        return next((match for match in self.turns if match in first), None)


ECHO = Script({})
"""Nothing is scripted: the model repeats what it was told last."""


def load_script(path: Path) -> Script:
    """Read a script. Raises UsageError that names the line and what is wrong."""
    form = _FORMS.get(path.suffix)
    if form is None:
        raise UsageError(f"{path}: a script is a file that ends in {', '.join(_FORMS)}")
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > FILE_BYTES_MAX:
        raise UsageError(f"{path} is larger than {FILE_BYTES_MAX:,} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text in UTF-8: byte {error.start:,} is no part of a character") from error
    places = _read_toml(path, text) if form == "TOML" else _read_lines(path, text)
    return _script_of(path, places)


@dataclass(frozen=True, slots=True)
class _Place:
    """A turn as it is written."""

    value: object
    line: int
    """0 = not known."""
    lines: Mapping[str, int]
    """Key -> its line."""

    def name(self, key: str = "") -> str:
        number = self.lines.get(key, self.line)
        return f"line {number}" if number else "a turn"


def _read_lines(path: Path, text: str) -> Iterator[_Place]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield _Place(msgspec.json.decode(line), number, {})
        except msgspec.DecodeError as error:
            raise UsageError(f"{path} line {number}: {error}") from error


def _read_toml(path: Path, text: str) -> Iterator[_Place]:
    try:
        values: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: {error}") from error
    for key in values:
        if key != "turn":
            raise UsageError(f"{path}: {key!r} is not known; a script is a list of [[turn]] tables")
    turns = values.get("turn", [])
    if not isinstance(turns, list):
        raise UsageError(f"{path}: write [[turn]], in two brackets, for each turn")
    starts, lines = _toml_lines(text)
    if len(starts) != len(turns):  # a header inside of a long text, or an inline list: no line can be told
        starts, lines = [0] * len(turns), [{}] * len(turns)
    return (_Place(*each) for each in zip(turns, starts, lines, strict=True))


def _toml_lines(text: str) -> tuple[list[int], list[dict[str, int]]]:
    """Return the line of each turn, and of its keys."""
    starts: list[int] = []
    lines: list[dict[str, int]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if _HEADER.match(line):
            starts.append(number)
            lines.append({})
        elif lines and (found := re.match(r"\s*\"?(\w+)\"?\s*(?:=|\.)|\s*\[turn\.(\w+)", line)):
            lines[-1].setdefault(found[1] or found[2], number)
    return starts, lines


def _script_of(path: Path, places: Iterator[_Place]) -> Script:
    turns: dict[str, list[Turn]] = {}
    for number, place in enumerate(places, 1):
        if number > TURNS_MAX:
            raise UsageError(f"{path}: more than {TURNS_MAX:,} turns; use repeat")
        turn = _turn_of(path, place)
        turns.setdefault(turn.match, []).append(turn)
    # What is for all conversations comes after what is for some of them.
    return Script({match: turns[match] for match in sorted(turns, key=lambda match: match == "")})


def _turn_of(path: Path, place: _Place) -> Turn:
    try:
        turn = msgspec.convert(place.value, Turn)
    except msgspec.ValidationError as error:
        raise UsageError(f"{path} {_explain(place, str(error))}") from error
    problem = _find_contradiction(turn)
    if problem:
        key, sentence = problem
        raise UsageError(f"{path} {place.name(key)}: {sentence}")
    return turn


def _explain(place: _Place, error: str) -> str:
    if unknown := _UNKNOWN.search(error):
        word = unknown[1]
        return f"{place.name(word)}: {word!r} is not known{nearest(word, set(Turn.__struct_fields__))}"
    found = _KEY_OF_ERROR.search(error)
    key = found[1] if found else ""
    said = error.partition(" - at")[0]
    return f"{place.name(key)}: {key}: {said}" if key else f"{place.name()}: {said}"


def _find_contradiction(turn: Turn) -> tuple[str, str] | None:
    """Return the key and what is wrong with it, when parts of a turn exclude each other."""
    says = bool(turn.text or turn.tool)
    if not says and not turn.fails:
        return "", "the turn says nothing: give it text, tool, status or cut"
    checks = (
        ("status", turn.status is not None and (says or turn.cut), "a turn with a status has no text, tool or cut"),
        ("body", turn.body is not None and turn.status is None, "body belongs to a turn with a status"),
        ("retry_after_s", turn.retry_after_s is not None and turn.status is None, "retry_after_s belongs to a turn with a status"),
        ("input", bool(turn.input) and not turn.tool, "input belongs to a turn with a tool"),
        ("cut", turn.cut == "during" and not says, "cut = 'during' needs a text or a tool that is cut"),
        ("cut", turn.cut == "before" and says, "cut = 'before' sends nothing: leave out text and tool"),
        ("between_s", turn.between_s > 0 and not turn.text, "between_s belongs to a turn with a text"),
    )
    return next(((key, sentence) for key, is_wrong, sentence in checks if is_wrong), None)
