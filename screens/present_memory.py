"""Entries of memory as cells and texts; pure."""

from __future__ import annotations

import base64
import binascii
import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from engine.model.cache_layers import CacheLayer
from engine.model.entry_rows import Access, EntryRow, EntrySheet, EntryValue, EntryVersion
from engine.model.errors import UsageError
from engine.model.memory import DEFAULT_NAMESPACE
from engine.model.wire import decode
from screens.present import byte_count, instant_text, number_cell, plural, rest_age, unknown
from screens.present_text import Lines, field_line, note, part, title_line
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column, right

HEX_BYTES = 16
HEX_BYTES_MAX = 64 * 1024
NAMES_SHOWN = 40
COMPARED_MAX = 2_000
"""Lines of values that are compared."""

CACHES = ("L1", "L2")

LEVEL_ROLES = {"public": "accent", "system": "warn"}
SEEN_BY = {
    "private": "only its owner and those on the read list",
    "team": "agents of the owner's pool",
    "swarm": "all agents of the fleet, and viewers",
    "public": "everybody",
    "system": "administrators only",
}
DID = {"stored": "", "permitted": "accent", "deleted": "warn"}


def hit_rates(layers: Mapping[str, CacheLayer]) -> str:
    """Return what share of reads each cache answered: `caches L1 97%, L2 84%`; empty before the first read."""
    told = [f"{name} {f'{layer.hit_rate:.0%}' if layer.is_asked else 'away'}" for name, layer in layers.items() if name in CACHES and layer.hit_rate is not None]
    return f"caches {', '.join(told)}" if told else ""


ENTRY_COLUMNS: tuple[Column, ...] = (
    Column("key", "key", width_min=20, flex=3, cut="middle"),
    Column("owner", "owner", width_min=12, width_max=30, flex=1),
    Column("namespace", "namespace", width_min=10, priority=6),
    Column("level", "level", width_min=7),
    Column("kind", "kind", width_min=8, priority=3),
    right("size", "size", 6, 2),
    right("version", "ver", 4, 5),
    right("changed", "changed", 7, 1),
    right("expires", "expires", 7, 4),
    Column("tags", "tags", width_min=12, flex=2, priority=7),
    Column("writer", "by", width_min=10, priority=8),
    right("age", "age", 4, 9),
)
SORTED_BY: dict[str, tuple[str, bool]] = {"changed": ("updated_at", True), "age": ("created_at", True), "expires": ("expires_at", False)}
"""Column to the field that the engine sorts by, and whether the other way round; other columns are called as their fields."""


def entry_cells(row: EntryRow, now: float, glyphs: Glyphs) -> Cells:
    """Return an entry's cells; one that somebody may not read steps back."""
    return (
        Cell(row.key, "" if row.may_read else "dim"),
        row.owner,
        Cell(row.namespace, "dim"),
        Cell(row.level, LEVEL_ROLES.get(row.level, "")),
        row.kind,
        Cell(byte_count(row.size).replace(" ", "") if row.size < 1_000 else byte_count(row.size)),
        number_cell(row.version),
        Cell(rest_age(now - row.updated_at)),
        _expires(row, now, glyphs),
        Cell(row.tags, "dim") if row.may_read else Cell("not for you to read", "dim"),
        Cell(row.writer, "dim"),
        Cell(rest_age(now - row.created_at), "dim"),
    )


def _expires(row: EntryRow, now: float, glyphs: Glyphs) -> Cell:
    if not row.expires_at:
        return unknown(glyphs)
    return Cell(rest_age(row.expires_at - now)) if row.expires_at > now else Cell("over", "warn")


# ---- one entry


def sheet_lines(sheet: EntrySheet, now: float, glyphs: Glyphs) -> Lines:
    """Return what an entry is, then its value."""
    row = sheet.row
    expires = f"in {rest_age(row.expires_at - now)}, {instant_text(row.expires_at)}" if row.expires_at else "never"
    head = [
        field_line("owner", row.owner, Cell(row.owner_id if row.owner_id != row.owner else "", "dim")),
        field_line("namespace", row.namespace),
        field_line("key", row.key),
        field_line("level", Cell(row.level, LEVEL_ROLES.get(row.level, "")), Cell(SEEN_BY[row.level], "dim")),
        field_line("kind", row.kind),
        field_line("size", f"{row.size:,} B"),
        field_line("version", str(row.version), f"by {row.writer}, {rest_age(now - row.updated_at)} ago, {instant_text(row.updated_at)}"),
        field_line("stored", f"{instant_text(row.created_at)}, {rest_age(now - row.created_at)} ago"),
        field_line("expires", expires),
    ]
    if row.may_read:
        head.append(field_line("tags", row.tags or unknown(glyphs)))
    head += [field_line(str(name), str(value)) for name, value in sheet.metadata.items()]
    return [*head, (), title_line(f"Value{_sort_of(sheet.value)}"), *value_lines(sheet.value, glyphs)]


def _sort_of(value: EntryValue) -> str:
    return "" if value.refused else " (bytes)" if value.is_bytes else ""


def value_lines(value: EntryValue, glyphs: Glyphs) -> Lines:
    """Return a value: JSON on many lines, a text as it is, bytes as hexadecimal; or why there is none to see."""
    if value.refused:
        return note(f"  {value.refused}", "warn")
    lines: Lines = [(f"  {line}",) for line in value_texts(value)]
    if value.left_out:
        lines.append((Cell(f"  {glyphs.ellipsis} {value.left_out:,} characters more; `fleet-tui memory KEY` gives all of it", "dim"),))
    return lines


def value_texts(value: EntryValue) -> list[str]:
    """Return the lines of a value; of one that was cut, as it came."""
    if value.is_bytes:
        return list(hex_lines(_bytes_of(value.text)))
    if value.left_out:
        return value.text.split("\n")
    try:
        plain = decode(value.text)
    except UsageError:
        return [value.text]
    text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False, indent=2)
    return text.splitlines() or [""]


def plain_of(value: EntryValue) -> object:
    """Return a value as plain values, for YAML; the text of one that was cut."""
    if value.refused:
        return None
    return value.text if value.is_bytes or value.left_out else decode(value.text)


def _bytes_of(text: str) -> bytes:
    try:
        return base64.b64decode(text[: len(text) // 4 * 4])
    except binascii.Error:
        return b""


def hex_lines(data: bytes) -> Iterator[str]:
    """Return bytes as offset, hexadecimal and letters, sixteen on a line; of many the first 64 KB."""
    for at in range(0, min(len(data), HEX_BYTES_MAX), HEX_BYTES):
        some = data[at : at + HEX_BYTES]
        letters = "".join(chr(one) if 32 <= one < 127 else "." for one in some)
        yield f"{at:08x}  {some[:8].hex(' '):<23}  {some[8:].hex(' '):<23}  {letters}"
    if len(data) > HEX_BYTES_MAX:
        yield f"{len(data) - HEX_BYTES_MAX:,} bytes more"


# ---- what a search found

FOUND_LINES = 3
"""Lines of each entry that was found: its name, a piece of its value, and a blank one."""


def found_lines(found: Sequence[Mapping[str, Any]], words: str, names: Mapping[str, str], glyphs: Glyphs) -> Lines:
    """Return what a search found, best first: name, sort and a piece of the value."""
    if not found:
        return note(f"nothing that you may read has {words}")
    lines: Lines = []
    for one in found:
        namespace = "" if one["namespace"] == DEFAULT_NAMESPACE else f"{one['namespace']}/"
        owner = names.get(one["owner"], one["owner"])
        told = f"{one['level']} {glyphs.separator} {one['kind']} {glyphs.separator} found by {' and '.join(one['by'])}"
        lines += [(Cell(f"  {namespace}{owner}/{one['key']}", "accent"), Cell(f" {told}", "dim")), (f"    {one['snippet']}",), ()]
    return lines


# ---- its history


def version_lines(versions: Sequence[EntryVersion], base: int, now: float, glyphs: Glyphs) -> Lines:
    """Return the versions of an entry, newest first: who, when, what and why; the one that others are compared with says so."""
    if not versions:
        return note("the journal does not reach back to any version that you may read")
    width = max(len(one.writer) for one in versions)
    lines: Lines = [(Cell(f"  {'ver':>4}  {'changed':<24} {'by':<{max(width, 2)}}  {'what':<9} {'level':<7} {'size':>8}  why", "dim"),)]
    for one in versions:
        mark = glyphs.mark if one.record == base else " "
        told = f"{mark} {one.version:>4}  {instant_text(one.at):<24} {one.writer:<{max(width, 2)}} "
        lines.append((told, Cell(f"{one.did:<9}", DID.get(one.did, "")), f"{one.level:<7} {one.size:>6} B ", Cell(one.reason, "dim")))
    oldest = f"{plural(len(versions), 'version')}, back to {rest_age(now - versions[-1].at)} ago"
    return [*lines, (), (Cell(f"  {oldest}", "dim"),)]


def difference_lines(old: EntryValue, new: EntryValue, names: tuple[str, str]) -> Lines:
    """Return what a value has that another one had not, as lines taken out and put in."""
    before, after = (["(no value)"] if value.refused else value_texts(value) for value in (old, new))
    if max(len(before), len(after)) > COMPARED_MAX:
        return note(f"more than {COMPARED_MAX:,} lines: too long to compare here")
    lines: Lines = []
    for line in difflib.unified_diff(before, after, *names, lineterm="", n=3):
        lines.append((Cell(line, "good" if line.startswith("+") else "bad" if line.startswith("-") else "accent" if line.startswith("@@") else ""),))
    return lines or note("the values are the same")


# ---- who may use it


def permission_lines(sheet: EntrySheet, access: Iterable[Access], names: Mapping[str, str], glyphs: Glyphs) -> Lines:
    """Return the level and the lists of an entry, and who may do what by them now."""
    lists = sheet.permissions
    row = sheet.row
    team = f"pool {sheet.team}" if sheet.team else "none: its owner was in no pool"
    mine = [word for word, may in (("read", row.may_read), ("overwrite", row.may_write), ("delete", row.may_delete), ("change permissions", row.may_permit)) if may]
    given = [
        field_line("level", Cell(lists.level, LEVEL_ROLES.get(lists.level, "")), Cell(SEEN_BY[lists.level], "dim")),
        field_line("owner", row.owner),
        field_line("team", team),
        *(field_line(f"{action} list", _listed(getattr(lists, action), names) or unknown(glyphs)) for action in ("read", "write", "delete")),
        field_line("you may", ", ".join(mine)),
    ]
    now: Lines = []
    for one in access:
        now.append(field_line(one.action, ", ".join(one.operators) or unknown(glyphs)))
        now.append(field_line("", _some(one) or Cell("no agent", "dim")))
    return [*part("As it is set", given), *part("Who that is now: operators, then agents", now)]


def _listed(ids: Sequence[str], names: Mapping[str, str]) -> str:
    return ", ".join(names.get(id_, id_) for id_ in ids)


def _some(access: Access) -> str:
    rest = access.agents_count - min(len(access.agents), NAMES_SHOWN)
    return ", ".join(access.agents[:NAMES_SHOWN]) + (f" and {rest:,} more" if rest else "")
