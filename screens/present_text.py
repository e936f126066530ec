"""Documents: what there is to say about one thing, as lines of cells made from what queries answered; pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.model.budget_words import say_amount
from engine.model.plans import PlanStep
from engine.model.rows import AuditRow, EventRow, HostRow, PlanRow
from screens.present import (
    AGENT_BADGES,
    HEALTH_BADGES,
    LEVEL_BADGES,
    TASK_BADGES,
    age,
    arrow,
    badge,
    byte_count,
    clock_text,
    duration,
    instant_text,
    megabytes,
    meter_cell,
    plural,
    rest_age,
    unknown,
)
from screens.present_rows import event_cells, host_badge, undo_cell
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.cells import Row as Cells

Data = Mapping[str, Any]
Lines = list[Cells]

LABEL_WIDTH = 14
METER_WIDTH = 16


def title_line(text: str) -> Cells:
    """Return the title of a part of a document."""
    return (Cell(text, "accent"),)


def field_line(label: str, *cells: Cell | str) -> Cells:
    """Return a label with what it stands for; the last cell may wrap."""
    return (Cell(f"  {label}".ljust(LABEL_WIDTH), "dim"), *cells)


def part(title: str, lines: Iterable[Cells]) -> Lines:
    """Return a titled part with an empty line after it; nothing when it has no lines."""
    body = list(lines)
    return [title_line(title), *body, ()] if body else []


def words_or_dash(words: Iterable[str], glyphs: Glyphs) -> Cell | str:
    """Return words joined by commas, or the sign for none."""
    return ", ".join(words) or unknown(glyphs)


def note(text: str, role: str = "dim") -> Lines:
    """Return a document that says one thing."""
    return [(Cell(text, role),)]


# ---- tasks


def task_info(data: Data, now: float, glyphs: Glyphs) -> Lines:
    """Return why a task is where it is, what happened to it, what it used and what it hangs on."""
    spec, error = data["spec"], data.get("error")
    head = [
        field_line("state", badge(TASK_BADGES, data["state"], glyphs), "" if error else data["reason"]),
        field_line("type", spec["type"]),
        *_progress(data.get("progress"), now),
        field_line("pool", data["pool"]),
        field_line("agent", data["agent"] or unknown(glyphs)),
        field_line("priority", str(data["priority"])),
        field_line("attempt", _attempts(data)),
        field_line("submitted", f"{instant_text(data['submitted_at'])}, {age(now - data['submitted_at'])} ago, by {data['submitted_by'] or '?'}"),
        field_line("id", data["id"]),
    ]
    known = f"{error['kind']}: {error['message']}" if error else ""
    why = [(" ", line) for line in data.get("why", ()) if line != known]
    failure = [field_line(error["kind"], Cell(error["message"], "bad"))] if error else []
    return [
        *head,
        (),
        *part("Why it waits" if data["state"] == "pending" else "Why here", why),
        *part("Error", failure),
        *part("History", _history(data.get("history", ()))),
        *part("Usage", _usage(data, now)),
        *part("Depends on", _dependencies(data)),
        *part("Limits", _limits(spec, now)),
    ]


def _progress(said: Data | None, now: float) -> Lines:
    """Return what the agent said of how far it is, on what evidence, and how long ago."""
    if not said:
        return []
    share = f"{said['ratio']:.0%} " if said["ratio"] is not None else ""
    evidence = f" ({said['evidence']})" if said["evidence"] else ""
    since = Cell(f" {age(now - said['at'])} ago", "dim")
    if said.get("trouble"):
        return [field_line("degraded", said["trouble"], since)]
    return [field_line("progress", f"{share}{said['text']}{evidence}", since)]


def _attempts(data: Data) -> str:
    """Return how many attempts were made of those it may have, and what was lost without counting."""
    deaths = f", {plural(data['deaths'], 'agent')} died while running it" if data["deaths"] else ""
    return f"{data['tries']} of {data['max_attempts']}{deaths}"


def _history(steps: Sequence[Sequence[Any]]) -> Lines:
    lines: Lines = []
    before = steps[0][0] if steps else 0.0
    for at, what, detail in steps:
        later = f"+{duration(at - before)}" if lines else ""
        role = "bad" if what in ("failed", "dead") else ""
        lines.append((f"  {clock_text(at)}", Cell(later.rjust(8), "dim"), Cell(str(what).ljust(10), role), str(detail)))
        before = at
    return lines


def _usage(data: Data, now: float) -> Lines:
    lines: Lines = []
    if data["leased_at"]:
        lines.append(field_line("waited", duration(data["leased_at"] - data["submitted_at"])))
    if data["started_at"]:
        is_over = data["finished_at"] >= data["started_at"]
        end = data["finished_at"] if is_over else now
        lines.append(field_line("ran", duration(end - data["started_at"]) + ("" if is_over else " so far")))
    if told := [say_amount(name, value) for name in ("cost", "tokens", "turns") if (value := data.get("spent", {}).get(name))]:
        unpriced = data["spent"].get("unpriced")
        lines.append(field_line("all attempts", ", ".join(told), Cell(f" (nobody told the cost of {unpriced:,.0f} tokens)" if unpriced else "", "warn")))
    for name, value in sorted(data.get("usage", {}).items()):
        lines.append(field_line(name, amount(name, value)))
    return lines


def amount(name: str, value: float) -> str:
    """Return a measured amount in the unit that its name ends with."""
    if name.endswith("_s"):
        return duration(value)
    if name.endswith("_mb"):
        return megabytes(value)
    if name.endswith("bytes"):
        return byte_count(int(value))
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3f}"


def _dependencies(data: Data) -> Lines:
    spec = data["spec"]
    lines = [field_line("needs", name) for name in spec["depends_on"]]
    if data["waiting_on"]:
        lines.append(field_line("not ended", plural(data["waiting_on"], "task")))
    lines += [field_line("needed by", name) for name in data.get("dependents", ())]
    return lines


def _limits(spec: Data, now: float) -> Lines:
    lines: Lines = []
    for label, name in (("run at most", "timeout_s"), ("wait at most", "queue_timeout_s"), ("back-off", "backoff_s")):
        if spec.get(name):
            lines.append(field_line(label, duration(spec[name])))
    if spec.get("deadline"):
        left = spec["deadline"] - now
        lines.append(field_line("deadline", f"{instant_text(spec['deadline'])}, {'in ' + age(left) if left > 0 else 'over'}"))
    if spec.get("capabilities"):
        lines.append(field_line("capabilities", ", ".join(spec["capabilities"])))
    if spec.get("residency"):
        lines.append(field_line("residency", f"{', '.join(spec['residency'])}: kept only where that may be"))
    if spec.get("workspace"):
        lines.append(field_line("workspace", f"{spec['workspace']}{', edits are written there' if spec.get('apply') else ', read only'}"))
    return lines


def json_lines(value: object) -> Lines:
    """Return a value as indented JSON."""
    return [(line,) for line in json.dumps(value, indent=2, ensure_ascii=False).splitlines()]


def task_payload(data: Data) -> Lines:
    """Return what a task was given."""
    payload = data["spec"]["payload"]
    return json_lines(payload) if payload else note("this task has no payload")


def task_result(data: Data, artifact: Data | None) -> Lines:
    """Return what came of a task; `artifact` is the full result when it was too large to travel with the task."""
    if artifact is not None:
        body = artifact["data"]
        return [(line,) for line in body.splitlines()] if isinstance(body, str) else json_lines(body)
    if data["result"]:
        return json_lines(data["result"])
    if data.get("error"):
        return note(f"no result: {data['error']['kind']}: {data['error']['message']}", "bad")
    return note("it succeeded and gave nothing back" if data["state"] == "succeeded" else f"no result yet: it is {data['state']}")


def diff_of(data: Data, artifact: Data | None) -> str | None:
    """Return the diff in a task's result, None when there is none."""
    body = artifact["data"] if artifact is not None else data["result"]
    diff = body.get("diff") if isinstance(body, Mapping) else None
    return diff if isinstance(diff, str) else None


DIFF_ROLES = (("@@", "accent"), ("+++", "dim"), ("---", "dim"), ("+", "good"), ("-", "bad"))


def diff_lines(text: str | None) -> Lines:
    """Return a unified diff; what is added, taken away and where plays its part."""
    if text is None:
        return note("the result holds no diff")
    if not text:
        return note("the task changes nothing")
    return [(Cell(line, next((role for sign, role in DIFF_ROLES if line.startswith(sign)), "")),) for line in text.splitlines()]


def log_lines(data: Data, state: str) -> Lines:
    """Return the end of a task's output, and why that is not all there is now."""
    told: Lines = [(), (Cell(data["note"], "warn"),)] if data.get("note") else []
    if not data["bytes"]:
        return told[1:] or note(f"no output{' yet' if state in ('pending', 'leased', 'running', 'needs_input') else ' was written'}")
    head: Lines = []
    if data["left_out"]:
        head = [(Cell(f"the first {byte_count(data['left_out'])} of {byte_count(data['bytes'])} are left out", "warn"),), ()]
    return [*head, *((line,) for line in data["text"].splitlines()), *told]


def timeline(rows: Sequence[Data], glyphs: Glyphs) -> Lines:
    """Return the events that mention a thing, oldest first."""
    if not rows:
        return note("the journal holds nothing about it")
    return [event_cells(event_of(row), glyphs) for row in rows]


def event_of(row: Data) -> EventRow:
    """Return an event's row from plain values."""
    return EventRow(**row)


# ---- agents


def agent_info(data: Data, now: float, glyphs: Glyphs) -> Lines:
    """Return what an agent is, how it is and on what evidence, and how well it does what."""
    spec = data["spec"]
    status = f"for {age(now - data['updated_at'])}" + (f": {data['reason']}" if data["reason"] else "")
    head = [
        field_line("status", badge(AGENT_BADGES, data["status"], glyphs), status),
        *([field_line("cordoned", Cell("takes no new work; D gives it work again", "warn"))] if data["cordoned"] else []),
        field_line("task", f"{data['task_title']} {data['task']}".strip() or unknown(glyphs)),
        field_line("pool", data["pool"]),
        field_line("type", data["type"] or unknown(glyphs)),
        field_line("capabilities", words_or_dash(spec["capabilities"], glyphs)),
        field_line("may use", f"{megabytes(spec['resources']['memory'])}, {spec['resources']['cpu']:g} cores"),
        field_line("registered", f"{instant_text(data['created_at'])}, {age(now - data['created_at'])} ago"),
        field_line("id", data["id"]),
    ]
    return [
        *head,
        (),
        *part("Health", _agent_health(data, now, glyphs)),
        *part("Success by task type", _success(data, glyphs)),
    ]


def _agent_health(data: Data, now: float, glyphs: Glyphs) -> Lines:
    host = data.get("host_row")
    lines = [field_line("health", badge(HEALTH_BADGES, data["health"], glyphs))]
    if not host:
        return [*lines, field_line("host", Cell("none: no process carries it now", "dim"))]
    cpu = f"{host['cpu'] * 100:.0f}% of a core" if host["cpu"] >= 0 else unknown(glyphs)
    memory = megabytes(host["rss_mb"]) if host["rss_mb"] >= 0 else unknown(glyphs)
    return [
        *lines,
        field_line("evidence", host["evidence"] or unknown(glyphs)),
        field_line("host", f"{host['id']}, {host['kind']} process {host['pid']}, {plural(host['agents'], 'agent')}"),
        field_line("cpu", cpu),
        field_line("memory", memory),
        field_line("last beat", f"{age(now - host['beat_at'])} ago" if host["beat_at"] else unknown(glyphs)),
    ]


def _success(data: Data, glyphs: Glyphs) -> Lines:
    lines = []
    for kind, counts in sorted(data["by_type"].items()):
        won, finished = counts["succeeded"], counts["finished"]
        lines.append((f"  {kind:<20}", meter_cell(won, finished, METER_WIDTH, glyphs), f"{won} of {finished}"))
    if not lines:
        return [(Cell("  no task has ended on it yet", "dim"),)]
    mean = duration(data["mean_task_s"])
    return [*lines, (Cell(f"  newest tasks take {mean} on average, {duration(data['busy_s'])} of work in all", "dim"),)]


TASKS_SHOWN = 200


def agent_tasks(rows: Sequence[Any], now: float, glyphs: Glyphs, *, newest: int = TASKS_SHOWN) -> Lines:
    """Return the tasks (TaskRows) that an agent has or had, newest first, as far as the console has them."""
    if not rows:
        return note("it has had no task, as far as this console knows")
    lines: Lines = []
    for row in rows[:newest]:
        ran = f"{duration(row.finished_at - row.started_at)}" if row.finished_at >= row.started_at > 0 else ""
        state = badge(TASK_BADGES, row.state, glyphs)
        ended = f"{age(now - row.submitted_at)} ago"
        lines.append((Cell(state.text.ljust(11), state.role), Cell(ended.rjust(8), "dim"), ran.rjust(6), row.title or row.id, Cell(row.reason, "dim")))
    if len(rows) > newest:
        lines.append((Cell(f"and {len(rows) - newest:,} older ones: `:tasks /agent={rows[0].agent}`", "dim"),))
    return lines


# ---- plans and audit


def plan_info(row: PlanRow, steps: Sequence[AuditRow], undo: tuple[PlanStep, ...] | str, now: float, glyphs: Glyphs) -> Lines:  # noqa: PLR0913  # the parts of one page
    """Return what a plan did and what taking it back would do; `undo` is that plan's steps, or why there are none."""
    head = [
        field_line("when", f"{instant_text(row.at)}, {age(now - row.at)} ago"),
        field_line("who", f"{row.who or '?'}, through {row.via}"),
        field_line("reason", row.reason or unknown(glyphs)),
        field_line("undo", undo_cell(row, now)),
        field_line("id", row.id),
    ]
    did = [change_line(step.action, step.target, step.before, step.after, glyphs) for step in steps]
    if not did:
        did = [(Cell("  the audit that this console has does not reach back to it", "dim"),)]
    return [*part(row.summary, head), *part("What it did", did), *part("What undo does", _undo_lines(undo, glyphs))]


def _undo_lines(undo: tuple[PlanStep, ...] | str, glyphs: Glyphs) -> Lines:
    if isinstance(undo, str):
        return [(Cell(f"  {undo}", "dim"),)]
    lines: Lines = []
    for step in undo:
        lines.append(change_line(step.call.name, step.target, step.before, step.after, glyphs))
        lines += [("   ", Cell(text, role)) for text, role in ((step.effect, "dim"), (step.warning, "warn")) if text]
    return lines


def change_line(action: str, target: str, before: str, after: str, glyphs: Glyphs) -> Cells:
    """Return one step: verb, target, before → after."""
    change = f"{before} {arrow(glyphs)} {after}" if before else after
    return (Cell(f"  {action:<16}", "dim"), f"{target:<16}", change)


def audit_info(row: AuditRow, glyphs: Glyphs) -> Lines:
    """Return one line of the audit in full."""
    role = "good" if row.result == "done" else "bad"
    return part(
        f"{row.action} {row.target}".strip(),
        [
            field_line("when", instant_text(row.at)),
            field_line("who", row.who or unknown(glyphs)),
            field_line("through", row.via or unknown(glyphs)),
            field_line("from", row.address or unknown(glyphs)),
            field_line("reason", row.reason or unknown(glyphs)),
            field_line("before", row.before or unknown(glyphs)),
            field_line("after", row.after or unknown(glyphs)),
            field_line("result", Cell(row.result, role)),
            field_line("plan", row.plan or unknown(glyphs)),
            field_line("id", row.id),
        ],
    )


# ---- why

AGE_WIDTH = 6
KIND_WIDTH = 9
LEVEL_ROLES = {"warn": "warn", "error": "bad"}
NOUNS = {"scaling": "decision", "policies": "policy", "audit": "audit", "notifications": "message"}


def noun_of(kind: str) -> str:
    """Return what one thing of a kind is called: `task` for tasks."""
    return NOUNS.get(kind, kind.removesuffix("s"))


def why_lines(found: Data) -> Lines:
    """Return why a thing is as it is: a sentence, an empty line, then a line for each fact in the order of `evidence`."""
    headline = str(found["headline"])
    lines: Lines = [(Cell(headline[:1].upper() + headline[1:] + ".", LEVEL_ROLES.get(found["level"], "accent")),), ()]
    for one in found["evidence"]:
        since = rest_age(found["at"] - one["at"]) if one["at"] else "now"
        noun = noun_of(one["kind"]) if one["kind"] else ""
        text = Cell(one["text"], LEVEL_ROLES.get(one["level"], ""))
        lines.append((Cell(since.rjust(AGE_WIDTH), "dim"), Cell(noun.ljust(KIND_WIDTH), "accent"), text))
    return lines


WHY_HEAD = 2
"""Lines above the first fact."""
AUDIT_PLAN = 9
EVENT_SUBJECT, EVENT_CAUSE = 4, 5
"""Lines of the info of an audit line and of an event that name things."""


# ---- hosts, policies, events


def host_info(row: HostRow, now: float, glyphs: Glyphs) -> Lines:
    """Return what a process that carries agents is and how it is."""
    return [
        field_line("health", host_badge(row, glyphs), row.evidence),
        field_line("kind", f"{row.kind} process {row.pid}", *((f"version {row.version} on {row.machine}; {row.takes}",) if row.state else ())),
        field_line("agents", f"{row.agents} of {row.agents_max}" if row.agents_max else str(row.agents)),
        field_line("cpu", f"{row.cpu * 100:.0f}% of a core" if row.cpu >= 0 else unknown(glyphs)),
        field_line("memory", megabytes(row.rss_mb) if row.rss_mb >= 0 else unknown(glyphs)),
        field_line("last beat", f"{rest_age(now - row.beat_at)} ago" if row.beat_at else unknown(glyphs)),
        field_line("id", row.id),
    ]


def event_info(data: Data, glyphs: Glyphs) -> Lines:
    """Return one event in words and in full."""
    level = badge(LEVEL_BADGES, data["level"], glyphs)
    head = [
        field_line("what", data["text"]),
        field_line("when", instant_text(data["at"])),
        field_line("level", Cell(level.text, level.role)),
        field_line("type", data["type"]),
        field_line("about", data["subject"] or unknown(glyphs)),
        field_line("caused by", data["cause"] or unknown(glyphs)),
        field_line("id", data["id"]),
    ]
    return [*head, (), title_line("Record"), *((f"  {line}",) for line in yaml_lines(data["record"]))]


# ---- YAML


def yaml_lines(value: object, indent: int = 0) -> list[str]:
    """Return plain values as YAML; strings that YAML could take for something else are quoted."""
    pad = "  " * indent
    if isinstance(value, Mapping) and value:
        lines = []
        for key, entry in value.items():
            lines += _yaml_entry(f"{pad}{_yaml_scalar(str(key))}:", entry, indent + 1)
        return lines
    if isinstance(value, list | tuple) and value:
        lines = []
        for entry in value:
            inner = yaml_lines(entry, indent + 1)
            lines += [f"{pad}- {inner[0].lstrip()}", *inner[1:]]
        return lines
    return [f"{pad}{_yaml_scalar(value)}"]


def _yaml_entry(head: str, entry: object, indent: int) -> list[str]:
    if isinstance(entry, Mapping | list | tuple) and entry:
        return [head, *yaml_lines(entry, indent)]
    return [f"{head} {_yaml_scalar(entry)}"]


def _yaml_scalar(value: object) -> str:
    """Return a scalar; JSON's form of it is YAML too, and plain words need no quotes."""
    if isinstance(value, str):
        is_plain = value.replace("_", "").replace("-", "").replace(".", "").isalnum() and value[0].isalpha()
        is_word = value.lower() in ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
        return value if is_plain and not is_word else json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    return json.dumps(value)
