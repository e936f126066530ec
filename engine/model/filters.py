"""The filter grammar: terms that must all hold, what they mean for rows, and which characters of a text they met; pure.

A term is a word, `"two words"`, `!not`, `-r regex`, `-f fuzzy`, or a field compared with a value: `state=busy`,
`state=failed,dead` (one of them), `reason~timeout` (holds it), `priority>7`, `age<2h`. What must be taken literally is
put in quotes; a quote within quotes is doubled. A quote that is still open ends with the text, since filters are live.

Owner: nobody; `Texts` may be kept by who filters.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple

from engine.model.fields import Field, Kind

Span = tuple[int, int]
"""First character and the one after the last."""

_OPERATOR = r"<=|>=|!=|=|<|>|~"
_PIECE = re.compile(
    rf"""\s*(?:(?P<bang>!)(?=\S))?(?:
        (?P<flag>-[rf])(?=\s|$)
      | (?P<head>[A-Za-z_]\w*(?:{_OPERATOR}))?
        (?:(?P<quote>["'])(?P<quoted>(?:(?!(?P=quote)).|(?P=quote)(?P=quote))*)(?:(?P=quote)|$)|(?P<bare>\S*)))""",
    re.VERBOSE | re.DOTALL,
)
_PATTERN = re.compile(r"""\s*(?:(?P<quote>["'])(?P<quoted>(?:(?!(?P=quote)).|(?P=quote)(?P=quote))*)(?:(?P=quote)|$)|(?P<bare>\S+))""", re.DOTALL)
_HEAD = re.compile(rf"([A-Za-z_]\w*)({_OPERATOR})")
_LONE = re.compile(_OPERATOR)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge,
}  # fmt: skip


class FilterError(ValueError):
    """A filter that cannot be read: what is wrong, and the characters that are."""

    def __init__(self, text: str, start: int, end: int) -> None:
        super().__init__(text)
        self.start = start
        self.end = max(end, start + 1)


@dataclass(frozen=True, slots=True)
class Term:
    """One condition."""

    kind: Literal["word", "regex", "fuzzy", "compare"]
    values: tuple[str, ...]
    """The word or pattern; of a comparison what the field may be, several only for `=`, `!=` and `~`."""
    field: str = ""
    operator: str = ""
    is_negated: bool = False


class Placed(NamedTuple):
    """A term, and where in the text it and its value stand."""

    term: Term
    start: int
    value_at: int
    end: int


# ---- reading and writing


def read_terms(text: str) -> list[Placed]:
    """Return the terms of a text. Raises FilterError."""
    placed: list[Placed] = []
    at = 0
    while text[at:].strip():
        match = _PIECE.match(text, at)
        assert match is not None  # a piece may be any characters
        start = match.start() + len(match[0]) - len(match[0].lstrip())
        if match["flag"]:
            pattern = _PATTERN.match(text, match.end())
            if pattern is None:
                raise FilterError(f"{match['flag']} needs {'a regular expression' if match['flag'] == '-r' else 'letters'} after it", start, match.end())
            at = pattern.end()
            term = Term("regex" if match["flag"] == "-r" else "fuzzy", (_unquoted(pattern),), is_negated=bool(match["bang"]))
            placed.append(Placed(term, start, pattern.start("quoted" if pattern["quote"] else "bare"), at))
            continue
        at = match.end()
        placed.append(_read_word(match, start))
    return [entry for entry in placed if entry.term.kind == "compare" or entry.term.values != ("",)]


def _read_word(match: re.Match[str], start: int) -> Placed:
    text, is_negated = _unquoted(match), bool(match["bang"])
    if not match["head"]:
        lone = None if match["quote"] else _LONE.match(text)
        if lone:
            raise FilterError(f"write a field, {lone[0]} and a value without spaces, as in priority>7", start, match.end())
        return Placed(Term("word", (text,), is_negated=is_negated), start, start, match.end())
    head = _HEAD.fullmatch(match["head"])
    assert head is not None
    is_list = not match["quote"] and head[2] in ("=", "!=", "~")
    values = tuple(part for part in text.split(",") if part) if is_list else (text,)
    if not match["quote"] and not any(values):
        raise FilterError(f"{match['head']} needs a value", start, match.end())
    value_at = match.start("quoted") if match["quote"] else match.start("bare")
    return Placed(Term("compare", values, head[1], head[2], is_negated), start, value_at, match.end())


def _unquoted(match: re.Match[str]) -> str:
    quote = match["quote"]
    return str(match["quoted"]).replace(quote * 2, quote) if quote else str(match["bare"])


def format_terms(terms: Iterable[Term]) -> str:
    """Return the text that means these terms."""
    return " ".join(map(_format, terms))


def _format(term: Term) -> str:
    bang = "!" if term.is_negated else ""
    if term.kind == "compare":
        listed = len(term.values) > 1
        return f"{bang}{term.field}{term.operator}{','.join(term.values) if listed else quote_value(term.values[0])}"
    if term.kind == "word":
        return bang + quote_word(term.values[0])
    pattern, flag = term.values[0], "-r" if term.kind == "regex" else "-f"
    return f"{bang}{flag} {_quote(pattern, is_needed=pattern.startswith('@') or _needs_quotes(pattern))}"


def quote_word(word: str) -> str:
    """Return a word as it must be written to mean just itself."""
    is_special = word in ("-r", "-f") or word.startswith(("!", "@")) or bool(_HEAD.match(word) or _LONE.match(word))
    return _quote(word, is_needed=is_special or _needs_quotes(word))


def quote_value(value: str) -> str:
    """Return a value as it must be written after an operator to mean just itself."""
    return _quote(value, is_needed="," in value or value.startswith("=") or _needs_quotes(value))


def _needs_quotes(text: str) -> bool:
    return not text or text[0] in "\"'" or any(letter.isspace() for letter in text)


def _quote(text: str, *, is_needed: bool) -> str:
    return '"' + text.replace('"', '""') + '"' if is_needed else text


# ---- meaning


Test = Callable[[Any, float], bool]
"""Whether a row passes at an instant."""


@dataclass(slots=True)
class Filter:
    """Terms made ready for rows of one kind."""

    read_texts: Callable[[Any], str] = str
    terms: tuple[Term, ...] = ()
    tests: list[Test] = field(default_factory=list)
    """One for each term, the cheapest first."""
    has_clock: bool = False
    """Whether rows may pass or fail later without having changed."""
    patterns: list[re.Pattern[str]] = field(default_factory=list)
    """What is marked wherever it occurs."""
    fuzzy: list[str] = field(default_factory=list)
    """Letters that are marked in names, in their order."""

    def passes(self, row: object, now: float) -> bool:
        """Tell whether a row has all terms at an instant."""
        return all(test(row, now) for test in self.tests)

    def select(self, ids: Iterable[str], rows: Mapping[str, Any], now: float) -> list[str]:
        """Return those ids, in their order, whose rows have all terms at an instant."""
        kept = [id_ for id_ in ids if id_ in rows]
        for test in self.tests:
            kept = [id_ for id_ in kept if test(rows[id_], now)]
        return kept

    def find_marks(self, text: str, *, is_name: bool) -> list[Span]:
        """Return what of a cell's text the terms met, in order and without overlaps."""
        spans = [match.span() for pattern in self.patterns for match in pattern.finditer(text) if match[0]]
        for letters in self.fuzzy if is_name else ():
            spans += [(at, at + 1) for at in find_letters(letters, text.lower()) or ()]
        return _merged(spans)


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def find_letters(letters: str, text: str) -> list[int] | None:
    """Return where the letters stand in a text, in their order, each as early as can be; None if they do not."""
    places = []
    at = -1
    for letter in letters:
        at = text.find(letter, at + 1)
        if at < 0:
            return None
        places.append(at)
    return places


class Texts:
    """Reads the texts of rows, each row once: a filter that is typed letter by letter reads ten thousand rows for each.

    Owner: whoever filters the same rows again and again. Limits: one text by id; forget() drops those that are gone.
    """

    def __init__(self, kind: Kind) -> None:
        self._read = kind.texts
        self._known: dict[str, tuple[object, str]] = {}

    def __call__(self, row: Any) -> str:  # noqa: ANN401  # the kind's own row
        """Return all texts of a row in lower case."""
        known = self._known.get(row[0])
        if known is not None and known[0] is row:
            return known[1]
        text = self._read(row)
        self._known[row[0]] = (row, text)
        return text

    def forget(self, ids: Iterable[str]) -> None:
        """Drop the texts of rows that are gone."""
        for id_ in ids:
            self._known.pop(id_, None)


def parse_filter(text: str, kind: Kind, texts: Texts | None = None) -> Filter:
    """Return what a text means for rows of a kind. Raises FilterError, which says where it is wrong."""
    found = Filter(read_texts=texts or kind.texts)
    costs: list[tuple[int, Test]] = []
    placed = read_terms(text)
    for entry in placed:
        cost, test = _test_of(entry, kind, found)
        costs.append((cost, _negated(test) if entry.term.is_negated else test))
    found.terms = tuple(entry.term for entry in placed)
    found.tests = [test for _, test in sorted(costs, key=operator.itemgetter(0))]
    return found


def _negated(test: Test) -> Test:
    return lambda row, now: not test(row, now)


def _test_of(entry: Placed, kind: Kind, found: Filter) -> tuple[int, Test]:
    term = entry.term
    if term.kind == "compare":
        return 0, _comparison(entry, kind, found)
    if term.kind == "regex":
        return 3, _regex(entry, kind, found)
    text = term.values[0].lower()
    if term.kind == "fuzzy":
        name = kind.name_index
        if not term.is_negated:
            found.fuzzy.append(text)
        return 2, lambda row, _now: find_letters(text, row[name].lower()) is not None
    if not term.is_negated:
        found.patterns.append(re.compile(re.escape(text), re.IGNORECASE))
    read = found.read_texts
    return 1, lambda row, _now: text in read(row)


def _regex(entry: Placed, kind: Kind, found: Filter) -> Test:
    text = entry.term.values[0]
    try:
        pattern = re.compile(text, re.IGNORECASE)
    except re.error as error:
        at = entry.value_at + (error.pos or 0)
        raise FilterError(f"-r: {error.msg}", min(at, entry.end - 1), entry.end) from error
    if not entry.term.is_negated:
        found.patterns.append(pattern)
    search, strings = pattern.search, kind.strings
    return lambda row, _now: any(map(search, strings(row)))


def _comparison(entry: Placed, kind: Kind, found: Filter) -> Test:
    term = entry.term
    known = kind.fields.get(term.field)
    if known is None:
        near = [name for name in kind.fields if name.startswith(term.field)] or get_close_matches(term.field, kind.fields, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(kind.fields)}"
        start = entry.start + term.is_negated
        raise FilterError(f"no field {term.field}{hint}", start, start + len(term.field))
    found.has_clock = found.has_clock or known.has_clock
    if known.type == "text" or term.operator == "~":
        return _of_texts(known, term, found)
    numbers = [known.number_of(value) for value in term.values]
    if None in numbers:
        raise FilterError(f"{term.field}{term.operator} needs {known.describe_values()}", entry.value_at, entry.end)
    read = known.read
    if len(numbers) > 1:
        wanted = frozenset(numbers)
        return lambda row, now: (read(row, now) in wanted) is (term.operator == "=")
    compare, number = _COMPARE[term.operator], numbers[0]
    if known.is_unknown is None:
        return lambda row, now: compare(read(row, now), number)
    is_unknown = known.is_unknown
    return lambda row, now: not is_unknown(row) and compare(read(row, now), number)


def _of_texts(known: Field, term: Term, found: Filter) -> Test:
    read = known.read
    values = tuple(value.lower() for value in term.values)
    if term.operator == "~":
        if not term.is_negated:
            found.patterns += [re.compile(re.escape(value), re.IGNORECASE) for value in values]
        return lambda row, now: any(value in str(read(row, now)).lower() for value in values)
    if term.operator in ("=", "!="):
        wanted, is_equal = frozenset(values), term.operator == "="
        return lambda row, now: (read(row, now).lower() in wanted) is is_equal
    compare, value = _COMPARE[term.operator], values[0]
    return lambda row, now: compare(read(row, now).lower(), value)


def split_words(text: str, at: int = 0) -> Iterator[tuple[str, int, int]]:
    """Return the raw words of a line from a character on, quotes kept together, with where each begins and ends."""
    while text[at:].strip():
        match = _PIECE.match(text, at)
        assert match is not None
        start = match.start() + len(match[0]) - len(match[0].lstrip())
        yield text[start : match.end()], start, match.end()
        at = match.end()
