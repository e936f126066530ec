"""The filter grammar: words AND by space, `!not`, `-r regex`, `field=value`, `field>80`, `age<2h`; pure.

A field is a name of the row (cpu, state, pool, …) or `age`, which counts from its creation. Durations take s, m, h, d.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches

Test = Callable[[Sequence[object], float], bool]

_COMPARISON = re.compile(r"(?P<field>[A-Za-z_]+)(?P<operator><=|>=|!=|=|<|>)(?P<value>.*)")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)")
_UNIT_S = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
AGE_FIELDS = ("created_at", "submitted_at", "at")
"""The field that `age` counts from, the first that a row has."""


class FilterError(ValueError):
    """The filter cannot be read; the text says where."""


def parse_filter(text: str, fields: Sequence[str]) -> Test:
    """Return whether a row (its values in order of `fields`) at an instant passes. Raises FilterError."""
    tests: list[Test] = []
    words = text.split()
    while words:
        word = words.pop(0)
        if word == "-r":
            if not words:
                raise FilterError("-r needs a regular expression after it")
            tests.append(_regex(words.pop(0)))
            continue
        negated = word.startswith("!") and len(word) > 1
        test = _word(word[1:] if negated else word, fields)
        tests.append(_negate(test) if negated else test)
    return lambda row, now: all(test(row, now) for test in tests)


def _negate(test: Test) -> Test:
    return lambda row, now: not test(row, now)


def _regex(pattern: str) -> Test:
    try:
        compiled = re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise FilterError(f"-r {pattern}: {error}") from error
    return lambda row, _now: any(isinstance(cell, str) and compiled.search(cell) is not None for cell in row)


def _word(word: str, fields: Sequence[str]) -> Test:
    match = _COMPARISON.fullmatch(word)
    if match is None:
        wanted = word.lower()
        return lambda row, _now: any(isinstance(cell, str) and wanted in cell.lower() for cell in row)
    if not match["value"]:
        raise FilterError(f"{word} needs a value")
    if match["field"] == "age":
        return _age(match["operator"], match["value"], fields)
    if match["field"] not in fields:
        near = get_close_matches(match["field"], [*fields, "age"], n=1)
        raise FilterError(f"no field {match['field']!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    return _compare(fields.index(match["field"]), match["operator"], match["value"])


def _age(operator: str, value: str, fields: Sequence[str]) -> Test:
    born = next((name for name in AGE_FIELDS if name in fields), None)
    if born is None:
        raise FilterError("these rows have no age")
    index, seconds = fields.index(born), _number(value)
    if seconds is None:
        raise FilterError(f"age{operator}{value}: write 30s, 5m, 2h or 1d")
    return lambda row, now: _holds(operator, now - _as_float(row[index]), seconds)


def _compare(index: int, operator: str, value: str) -> Test:
    number = _number(value)
    wanted = value.lower()

    def test(row: Sequence[object], _now: float) -> bool:
        cell = row[index]
        if isinstance(cell, bool):
            return _holds(operator, str(cell).lower(), wanted)
        if isinstance(cell, int | float):
            return number is not None and _holds(operator, float(cell), number)
        return _holds(operator, str(cell).lower(), wanted)

    return test


def _holds(operator: str, left: float | str, right: float | str) -> bool:
    if isinstance(left, str) is not isinstance(right, str):
        return False
    if operator in ("=", "!="):
        return (left == right) is (operator == "=")
    if isinstance(left, str):
        left, right = (left, str(right))
        return left < str(right) if operator.startswith("<") else left > str(right)
    below = left < float(right) or ("=" in operator and left == right)
    above = left > float(right) or ("=" in operator and left == right)
    return below if operator.startswith("<") else above


def _number(text: str) -> float | None:
    duration = _DURATION.fullmatch(text)
    if duration is not None:
        return float(duration[1]) * _UNIT_S[duration[2]]
    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        return None


def _as_float(cell: object) -> float:
    return float(cell) if isinstance(cell, int | float) else 0.0
