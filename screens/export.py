"""What an export holds: rows with their exact values, or the lines of a text, as CSV, JSON or plain text.

Owner: nobody; pure, and without a terminal: the command line exports by it, too. Whatever leaves the console goes to
other people and other programs, so secrets are hidden, control characters are left out, and no cell of a CSV file can
be a formula.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from engine.model.rows import row_type
from engine.model.secrets import conceal, redact
from screens.widgets.cells import clean, measure

ENDINGS = {"csv": "csv", "json": "json", "text": "txt", "svg": "svg", "html": "html"}
"""Forms, and how the names of their files end."""
SHEET_FORMS = ("csv", "json", "text", "svg")
PAPER_FORMS = ("json", "text", "svg")

FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")
"""A spreadsheet takes a cell that begins so for a formula, and a formula can run programs."""
INSTANT_ENDINGS = ("_at", "_since", "_until")
GAP = "  "


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows of one kind, all with the same fields."""

    name: str
    fields: Sequence[str]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True, slots=True)
class Paper:
    """A text about one thing, and the thing as plain values where it is known."""

    name: str
    text: str
    thing: object = None


def sheet_of(kind: str, rows: Iterable[Sequence[object]]) -> Sheet:
    """Return rows of a kind as a sheet."""
    return Sheet(kind, row_type(kind)._fields, list(rows))


def write_form(what: Sheet | Paper, form: str) -> str:
    """Return the content of a file: `csv`, `json` or `text`; a paper has no CSV."""
    if isinstance(what, Paper):
        return _json(what.thing if what.thing is not None else {"name": what.name, "lines": what.text.split("\n")}) if form == "json" else _text(what.text)
    formers: dict[str, Callable[[Sheet], str]] = {"csv": csv_of, "json": json_of, "text": table_of}
    return formers[form](what)


def csv_of(sheet: Sheet) -> str:
    """Return rows as CSV (RFC 4180, lines end with a line feed); instants in UTC, unknown ones empty."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(sheet.fields)
    for row in sheet.rows:
        writer.writerow([guard(value, field) for field, value in zip(sheet.fields, row, strict=True)])
    return file.getvalue()


def guard(value: object, field: str = "") -> str:
    """Return a value as a cell of a CSV file; a text that a spreadsheet would take for a formula gets a quote before it."""
    text = exact(value, field)
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULA_STARTS) else text


def exact(value: object, field: str = "") -> str:
    """Return a value as text, uncut; an instant in UTC, nothing for what is not known."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _instant(value) if is_instant(field) else repr(value)
    text = conceal(value if isinstance(value, str) else json.dumps(redact(value), ensure_ascii=False, default=str))
    return "".join(c if c.isprintable() or c in "\n\t " else "·" for c in text)


def is_instant(field: str) -> bool:
    """Tell whether a field is a moment in epoch seconds."""
    return field == "at" or field.endswith(INSTANT_ENDINGS)


def _instant(value: float) -> str:
    return datetime.fromtimestamp(value, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if value > 0 else ""


def json_of(sheet: Sheet) -> str:
    """Return rows as a JSON list of objects with the model's fields, as `fleet-tui get -o json` does."""
    return _json([dict(zip(sheet.fields, row, strict=True)) for row in sheet.rows])


def _json(value: object) -> str:
    return json.dumps(redact(value), ensure_ascii=False, indent=2, default=str) + "\n"


def table_of(sheet: Sheet) -> str:
    """Return rows as aligned text; every value in full."""
    numbers = [bool(sheet.rows) and all(isinstance(row[index], int | float) for row in sheet.rows) for index in range(len(sheet.fields))]
    lines = [[clean(exact(value, field)) for field, value in zip(sheet.fields, row, strict=True)] for row in (*[sheet.fields], *sheet.rows)]
    widths = [max(measure(line[index]) for line in lines) for index in range(len(sheet.fields))]

    def pad(text: str, index: int) -> str:
        space = " " * (widths[index] - measure(text))
        return space + text if numbers[index] else text + space

    return "".join(GAP.join(pad(text, index) for index, text in enumerate(line)).rstrip() + "\n" for line in lines)


def _text(text: str) -> str:
    """Return a text without secrets and control characters; its lines stay."""
    return "".join(f"{''.join(c if c.isprintable() or c == chr(9) else '·' for c in line)}\n" for line in conceal(text).split("\n"))
