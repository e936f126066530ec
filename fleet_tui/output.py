"""What the commands print: tables, things in full, plans and JSON; data on stdout, talk on stderr.

Owner: nobody; pure functions, and three that write. Text of agents is stripped of control characters on its way out.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from engine.model.errors import FleetError
from engine.model.plans import Answer, Plan
from engine.model.rows import ROW_KINDS, EventRow

COLUMNS = {
    "pools": "id kind priority min size max agents idle busy pending running succeeded failed dead paused reason",
    "agents": "id name pool status health task task_title succeeded failed mean_task_s reason",
    "tasks": "id state pool type priority attempt submitted_at started_at finished_at title reason",
    "hosts": "id kind pid agents agents_max state health cpu rss_mb beat_at machine version evidence",
    "engines": "id role epoch machine pid version behind started_at heard_at is_asked",
    "plugins": "id state version distribution adds error failed_at failures looked_at values",
    "regions": "id health home epoch lag_s rtt_s rtt_p99_s measured_at waiting free cost residency location reason",
    "plans": "id at who via summary undone undo_until reason",
    "policies": "id name pool enabled pools rules",
    "scaling": "id size target reason waits_until policy busy waiting demand held_by held_until",
    "advice": "pool kind current recommended efficiency saves_agents saves_memory_mb saves_cores saves_cost_per_hour evidence",
    "questions": "id task title agent kind tool text asked_at expires_at",
    "reviews": "id pool ended branch onto commits files insertions deletions check opened_at title",
    "budgets": "of limit used amount share level per_hour ends_at renews_at title reason",
    "gangs": "id pool agents state priority place asked_at ends_at who reason",
    "boosters": "id instances busy waiting ops_per_s utilization calls handed_on failures cache_hits efficiency speed_up samples differences reasons breakers",
    "instances": "agent state calls failures restarts ops_per_s p50_s load memory_bytes used_bytes last_error",
    "modules": "id sha256 module size_bytes operations calls failures last_error added_at added_by",
    "proposals": "id state subject rule approve reject needed outstanding projected deadline who reason",
    "routes": "id mode state outcomes looked agreed decided explored learned scored gain regret scored_regret account reason",
    "alerts": "id severity state rule labels reads began_at acked_by silenced_by inhibited_by message",
    "rules": "id state severity expr for_s firing pending enabled source name",
    "silences": "id matchers until by alerts why",
    "channels": "id kind state severities matchers waiting parked sent failures last_sent_at not_before last_error",
    "notifications": "id channel state about title alerts attempts at not_before ended_at error",
    "dead-events": "id group type key at dead_at deliveries consumer size_bytes",
    "sessions": "id swarm objective state parts working reviewing accepted attempts tasks cost began_at ended_at reason",
    "swarms": "id name state health fitness topology members links leader term rule busy votes_open sent rate waiting dead created_at reason",
    "audit": "at who via action target before after result reason",
    "events": "at level type subject text",
    "contexts": "name state read_only agents busy running queued needs rtt_s version where error",
}
"""Fields of `-o table`; `-o wide` has all."""

CLOCK_FIELDS = frozenset({"at", "now"})
COUNTDOWN_FIELDS = frozenset({"until", "undo_until", "ends_at", "not_before", "deadline", "expires_at", "renews_at"})
MEASURED_FIELDS = frozenset({"cpu", "rss_mb", "p50_s", "load", "ops_per_s", "utilization", "efficiency", "speed_up", "foreseen", "mape"})
"""Below 0 nothing was measured yet."""
AGE_ENDINGS = ("_at", "_since")
DURATION_ENDINGS = ("_s",)
RATE_ENDING = "_per_s"
RIGHT = (int, float)
GAP = "  "
NONE = "-"
UNKNOWN = "?"
MINUTE, HOUR, DAY = 60, 3_600, 86_400
AGE_WIDTH = 10


# ---- writing


def say(text: str) -> None:
    """Tell a person something: stderr."""
    click.echo(text, err=True)


class OutputLost(FleetError):
    """Standard output takes no more; the message is empty when its reader has left, for nobody is there to be told."""

    code = "output"


def print_json(value: object) -> None:
    """Write one JSON document of plain values to stdout. Raises OutputLost."""
    # Indenting 20,000 rows takes the standard library seconds.
    from msgspec.json import encode
    from msgspec.json import format as indent

    print_lines([indent(encode(value), indent=2).decode()])


def print_lines(lines: Iterable[str]) -> None:
    """Write lines to stdout. Raises OutputLost."""
    try:
        click.echo("\n".join(lines))
    except BrokenPipeError as error:
        raise OutputLost from error
    except OSError as error:
        raise OutputLost(f"cannot write the output: {error.strerror}") from error


# ---- values


def to_object(kind: str, row: object) -> dict[str, Any]:
    """Return a row of any form (named tuple, list, object) as an object with the model's field names."""
    if isinstance(row, Mapping):
        return dict(row)
    assert isinstance(row, Sequence)
    return dict(zip(ROW_KINDS[kind]._fields, row, strict=True))


def clean(text: str) -> str:
    """Return text that cannot move the cursor, ring or set the clipboard: control characters are shown as `?`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else UNKNOWN for c in text)


def clean_lines(text: str) -> str:
    """Return text of several lines without control characters but its line ends and tabs."""
    return "\n".join(line.expandtabs() if line.isprintable() else clean(line.expandtabs()) for line in text.split("\n"))


def duration(seconds: float) -> str:
    """Return a length of time in at most two units: 350ms, 4.2s, 3m12s, 5h04m, 2d03h."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 10:
        return f"{seconds:.1f}s"
    if seconds < MINUTE:
        return f"{seconds:.0f}s"
    whole = int(seconds)
    if whole < HOUR:
        return f"{whole // MINUTE}m{whole % MINUTE:02}s"
    if whole < DAY:
        return f"{whole // HOUR}h{whole % HOUR // MINUTE:02}m"
    return f"{whole // DAY}d{whole % DAY // HOUR:02}h"


def explanation_lines(found: Mapping[str, Any]) -> list[str]:
    """Return why a thing is as it is: a sentence, then a line for each fact with its age and the thing that it names."""
    lines = [clean(f"{found['name']}: {found['headline']}")]
    for one in found["evidence"]:
        since = f"{duration(found['at'] - one['at'])} ago" if 0 < one["at"] <= found["at"] else "now"
        sign = {"warn": "!", "error": "x"}.get(one["level"], " ")
        about = f"  [{one['kind']} {one['id']}]" if one["kind"] else ""
        lines.append(clean(f"{sign} {since:>{AGE_WIDTH}}  {one['text']}{about}"))
    return lines


def instant(at: float) -> str:
    """Return local date and time."""
    return datetime.fromtimestamp(at, tz=UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def cell(field: str, value: object, now: float) -> str:
    """Return a field as a person reads it; an unknown is `?`, nothing is `-`."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return clean(value) or NONE
    if isinstance(value, int | float):
        return figure(field, value, now)
    return clean(json.dumps(value, ensure_ascii=False)) if value else NONE


def figure(field: str, value: float, now: float) -> str:
    """Return a number by what its field's name says it is: a measure, an instant, a length of time or a count."""
    if field in MEASURED_FIELDS and value < 0:
        return UNKNOWN
    if field in CLOCK_FIELDS:
        return instant(value)
    if field in COUNTDOWN_FIELDS:
        return NONE if value <= now else duration(value - now)
    if field.endswith(AGE_ENDINGS):
        return duration(max(0.0, now - value)) if value else NONE
    if field.endswith(DURATION_ENDINGS) and not field.endswith(RATE_ENDING):
        return duration(value) if value else NONE
    return str(value) if isinstance(value, int) else f"{value:.2f}"


# ---- tables


def table(kind: str, rows: Sequence[Mapping[str, Any]], *, now: float, wide: bool = False) -> list[str]:
    """Return the lines of a table: a header, then rows; numbers stand right, no line is cut."""
    fields = ROW_KINDS[kind]._fields if wide else COLUMNS[kind].split()
    header = [heading(field) for field in fields]
    cells = [[cell(field, row[field], now) for field in fields] for row in rows]
    right = [bool(rows) and all(is_number(row[field]) for row in rows) for field in fields]
    widths = [max(map(width, column)) for column in zip(header, *cells, strict=True)]
    return [
        GAP.join(pad(text, size, right=side) for text, size, side in zip(line, widths, right, strict=True)).rstrip()
        for line in (header, *cells)
    ]


def is_number(value: object) -> bool:
    """Tell whether a value is a count or a measure."""
    return isinstance(value, RIGHT) and not isinstance(value, bool)


def heading(field: str) -> str:
    """Return the heading of a field: `submitted_at` holds an age and is headed SUBMITTED."""
    if field.endswith(RATE_ENDING):
        return field.removesuffix(RATE_ENDING).upper() + "/S"
    for ending in (*AGE_ENDINGS, *DURATION_ENDINGS):
        field = field.removesuffix(ending)
    return field.replace("_", " ").upper()


def width(text: str) -> int:
    """Return how many cells a text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def pad(text: str, size: int, *, right: bool) -> str:
    """Return a text filled up to a size in cells."""
    space = " " * (size - width(text))
    return space + text if right else text + space


# ---- one thing in full


def outline(value: Mapping[str, Any], now: float, depth: int = 0) -> list[str]:
    """Return an object as indented lines, a field each."""
    inset = "  " * depth
    lines: list[str] = []
    for name, inner in value.items():
        label = f"{inset}{clean(str(name))}:"
        if isinstance(inner, Mapping) and inner:
            lines += [label, *outline(inner, now, depth + 1)]
        elif isinstance(inner, list | tuple) and any(isinstance(item, Mapping | list | tuple) for item in inner):
            lines += [label, *(f"{inset}  {entry(item, now)}" for item in inner)]
        elif isinstance(inner, list | tuple) and inner:
            lines.append(f"{label} {', '.join(cell('', item, now) for item in inner)}")
        elif isinstance(inner, str) and "\n" in inner.strip():
            lines += [label, *(f"{inset}  {line}" for line in clean_lines(inner.rstrip()).split("\n"))]
        else:
            lines.append(f"{label} {cell(str(name), inner, now)}")
    return lines


def entry(item: object, now: float) -> str:
    """Return an entry of a list as one line; a step of a history starts with its instant."""
    if isinstance(item, Mapping):
        return GAP.join(cell(str(name), inner, now) for name, inner in item.items() if inner)
    if isinstance(item, list | tuple) and item and isinstance(item[0], float):
        return GAP.join([instant(item[0]), *(cell("", inner, now) for inner in item[1:] if inner)])
    return cell("", item, now)


# ---- events and plans


def event_line(event: EventRow) -> str:
    """Return an event as one line."""
    return f"{instant(event.at)}  {event.level:<5}  {clean(event.type):<22}  {clean(event.subject) or NONE}  {clean(event.text)}"


def plan_lines(plan: Plan) -> list[str]:
    """Return what a plan would do: target, before and after, effect, warnings, what follows, what the rules demand."""
    lines = []
    for step in plan.steps:
        change = f"  {clean(step.before)} → {clean(step.after)}" if step.before or step.after else ""
        same = "" if step.changes else "  (already so)"
        lines.append(f"{step.call.name} {clean(step.target)}{change}{same}")
        lines += [f"    {clean(step.effect)}"] if step.effect else []
        lines += [f"    warning: {clean(step.warning)}"] if step.warning else []
    for room in plan.capacity:
        lines.append(f"capacity: {clean(room.pool)} {room.before} → {room.after} agents for tasks ({room.busy} busy, {room.waiting} tasks wait)")
    lines += [f"{note.kind}: {clean(note.text)}" for note in plan.notes]
    lines += [f"guardrail {clean(demand.rule)}: {clean(demand.text)}" for demand in plan.demands]
    undo = "can be undone" if plan.undoable else "cannot be undone"
    lines.append(f"{plan.danger}; {undo}{f': {clean(plan.undo_note)}' if plan.undo_note else ''}")
    return lines


def answer_lines(targets: Sequence[str], answer: Answer, *, makes: bool) -> list[str]:
    """Return the data of an answer: what was made, or each target with what became of it."""
    if len(targets) != len(answer.values) or not all(targets):
        return []
    lines = []
    for target, value in zip(targets, answer.values, strict=True):
        texts = [clean(text if isinstance(text, str) else json.dumps(text)) for text in (value if isinstance(value, list) else [value])]
        lines += texts if makes else [text if text == target else f"{clean(target)} {text}" for text in texts]
    return lines


def undo_hint(answer: Answer, now: float) -> str:
    """Return how to take an answer back, or an empty string."""
    left = answer.undo_until - now
    return f"undo: fleet-tui undo {answer.plan} (for {duration(left)})" if left > 0 else ""
