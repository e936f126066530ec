"""Alerts, their rules, silences, and the channels through which people are told, as cells and lines; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from engine.model.alert_rows import AlertRow, RuleRow, SilenceRow
from engine.model.channel_rows import ChannelRow, NotificationRow
from engine.model.fields import standing_of
from engine.model.filters import quote_value
from screens.linked import Link, Linked
from screens.present import (
    ALERT_BADGES,
    CHANNEL_BADGES,
    LETTER_BADGES,
    RULE_BADGES,
    SEVERITY_BADGES,
    age,
    badge,
    duration,
    instant_text,
    number_cell,
    plural,
    rest_age,
    unknown,
)
from screens.present_rows import Sorted, natural
from screens.present_text import Lines, field_line, title_line
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column, right
from screens.widgets.statusbar import Part

Tables = Mapping[str, Mapping[str, Any]]
"""Rows by their kind and id."""
STANDINGS = ("firing", "taken", "pending", "silenced", "explained", "resolved")
SEVERITIES = ("critical", "warning", "info")
LETTERS_SHOWN = 50

LISTS: tuple[tuple[str, str, str], ...] = (
    ("all", "alerts", ""),
    ("firing", "alerts", "standing=firing,taken"),
    ("pending", "alerts", "standing=pending"),
    ("silenced", "alerts", "standing=silenced,explained"),
    ("rules", "rules", ""),
    ("silences", "silences", ""),
    ("channels", "channels", ""),
)
"""Name, view and scope of each list that Tab goes through."""
COUNTED: Mapping[str, tuple[str, ...]] = {"firing": ("firing", "taken"), "pending": ("pending",), "silenced": ("silenced", "explained")}


def list_parts(shown: int, counts: Counter[str]) -> list[Part]:
    """Return the names of the lists, the one that is shown in brackets, with how many alerts are in each."""
    parts: list[Part] = []
    for number, (name, _view, _scope) in enumerate(LISTS):
        found = sum(counts[standing] for standing in COUNTED.get(name, ()))
        text = f"{name} {found:,}" if found else name
        role = "bad" if name == "firing" and found else "dim"
        parts.append(Cell(f"[{text}]", "accent") if number == shown else Cell(text, role))
    return parts


def count_standings(rows: Iterable[object]) -> Counter[str]:
    """Return how many alerts stand how."""
    return Counter(standing_of(row) for row in rows if isinstance(row, AlertRow))


# ---- alerts


def urgency(row: AlertRow) -> tuple[int, int, float]:
    """Return the order: what fires and is nobody's first, the worst first, then the newest."""
    newest = row.resolved_at if row.state == "resolved" else row.fired_at or row.began_at
    return STANDINGS.index(standing_of(row)), SEVERITIES.index(row.severity), -newest


def alert_columns(tables: Tables) -> tuple[Sorted, ...]:
    """Return the columns of alerts; what keeps one is sorted by its name."""
    return (
        (Column("state", "state", width_min=11), urgency),
        (Column("severity", "severity", width_min=10, priority=1), lambda r: SEVERITIES.index(r.severity)),
        (Column("alert", "what is wrong", width_min=24, flex=3), lambda r: r.message),
        (right("value", "reads", 9, 0), lambda r: r.value),
        (right("for", "for", 4, 0), lambda r: -_began(r)),
        (Column("rule", "rule", width_min=16, priority=2), lambda r: r.rule),
        (Column("pool", "pool", width_min=10, priority=4), lambda r: r.pool),
        (Column("by", "kept by", width_min=12, flex=1, priority=3), lambda r: keeper(r, tables)),
        (Column("labels", "labels", width_min=20, priority=5), lambda r: r.labels),
        (Column("id", "id", width_min=20, priority=6), lambda r: r.id),
    )


def _began(row: AlertRow) -> float:
    return row.resolved_at or row.fired_at or row.began_at


def keeper(row: AlertRow, tables: Tables) -> str:
    """Return who takes care of an alert, or what keeps it quiet by its name; empty = nobody."""
    if row.silenced_by:
        silence = tables["silences"].get(row.silenced_by)
        return silence.matchers if silence is not None else row.silenced_by
    if row.inhibited_by:
        return name_of(row.inhibited_by, tables)
    return f"{row.acked_by}: {row.ack_why}" if row.acked_by and row.ack_why else row.acked_by


def name_of(alert: str, tables: Tables) -> str:
    """Return what an alert is called that explains others: its rule and pool; `halt` and what is gone stay as they are."""
    row = tables["alerts"].get(alert)
    return alert if row is None else f"{row.rule} of {row.pool}" if row.pool else str(row.rule)


def alert_cells(row: AlertRow, tables: Tables, now: float, glyphs: Glyphs) -> Cells:
    """Return an alert's cells; only what fires and is nobody's stands out."""
    standing = standing_of(row)
    is_loud = standing in ("firing", "pending", "taken")
    severity = badge(SEVERITY_BADGES, row.severity, glyphs)
    state = badge(ALERT_BADGES, standing, glyphs)
    return (
        Cell(f"{state.text}{'~' if row.flapping else ''}", state.role),
        severity if is_loud else Cell(severity.text, "dim"),
        row.message if is_loud else Cell(row.message, "dim"),
        Cell(row.reads, "" if row.state != "resolved" else "dim"),
        rest_age(now - _began(row)),
        Cell(row.rule, "dim"),
        row.pool or unknown(glyphs),
        keeper(row, tables),
        Cell(row.labels, "dim"),
        Cell(row.id, "dim"),
    )


def alert_info(data: Mapping[str, Any], tables: Tables, now: float, glyphs: Glyphs) -> Linked:
    """Return an alert in full; lines lead to its rule, what it is about, and what keeps it quiet."""
    row = AlertRow(**{name: data[name] for name in AlertRow._fields})
    rule = data["rule_row"]
    lines: Lines = [
        field_line("state", badge(ALERT_BADGES, standing_of(row), glyphs), Cell(" flapping: it stays until it has been calm for a while" if row.flapping else "", "warn")),
        field_line("severity", badge(SEVERITY_BADGES, row.severity, glyphs)),
        field_line("what", row.message),
        field_line("reads", row.reads if row.state != "resolved" else f"{row.reads} when it was resolved"),
        *_times(row, data["fires"], now),
        *([field_line("taken", f"by {row.acked_by}{f': {row.ack_why}' if row.ack_why else ''}, {rest_age(now - data['acked_at'])} ago")] if row.acked_by else []),
        field_line("labels", row.labels or unknown(glyphs)),
        *([field_line("runbook", row.runbook)] if row.runbook else []),
        field_line("id", Cell(row.id, "dim")),
        (),
    ]
    links: dict[int, Link] = {}
    agent = next((one.id for one in tables["agents"].values() if one.name == row.agent), "") if row.agent else ""
    condition = f"{row.rule}: {rule['expr']}{_held(rule['for_s'])}" if rule is not None else f"{row.rule} is gone"
    named = (
        ("rule", condition, Link("rules", row.rule) if rule is not None else None),
        ("pool", row.pool, Link("pools", row.pool) if row.pool in tables["pools"] else None),
        ("agent", row.agent, Link("agents", agent) if agent else None),
        ("silenced", _silence_words(row.silenced_by, tables, now), Link("silences", row.silenced_by)),
        ("explained", f"by {name_of(row.inhibited_by, tables)}" if row.inhibited_by else "", Link("alerts", row.inhibited_by) if row.inhibited_by in tables["alerts"] else None),
    )
    for label, text, link in named:
        if text:
            if link is not None:
                links[len(lines)] = link
            lines.append(field_line(label, text))
    if rule is not None and rule["actions"]:
        lines.append(field_line("then", rule["actions"]))
    return Linked(lines, links)


def _held(for_s: float) -> str:
    return f" for {duration(for_s)}" if for_s else ""


def _times(row: AlertRow, fires: Sequence[float], now: float) -> Lines:
    lines = [field_line("began", f"{instant_text(row.began_at)}, {rest_age(now - row.began_at)} ago")]
    if row.fired_at:
        lately = f"; {plural(len(fires), 'time')} lately" if len(fires) > 1 else ""
        lines.append(field_line("fired", f"{instant_text(row.fired_at)}, {rest_age(now - row.fired_at)} ago{lately}"))
    if row.resolved_at:
        lines.append(field_line("resolved", f"{instant_text(row.resolved_at)}, {rest_age(now - row.resolved_at)} ago, after {duration(row.resolved_at - (row.fired_at or row.began_at))}"))
    return lines


def _silence_words(silence: str, tables: Tables, now: float) -> str:
    row = tables["silences"].get(silence)
    return f"{row.matchers}, for {age(row.until - now)} more{f': {row.why}' if row.why else ''}" if row is not None else silence


def matchers_of(row: AlertRow) -> str:
    """Return the labels that a silence of an alert begins with: its rule and what it is about."""
    labels = [f"rule={row.rule}", *([f"pool={row.pool}"] if row.pool else []), *([f"agent={row.agent}"] if row.agent else [])]
    return ",".join(labels)


# ---- rules

_RULE_ORDER = ("firing", "pending", "quiet", "unknown", "disabled")

RULE_COLUMNS: tuple[Sorted, ...] = (
    (Column("state", "state", width_min=10), lambda r: (_RULE_ORDER.index(r.state), r.id)),
    (Column("rule", "rule", width_min=17), lambda r: r.id),
    (Column("condition", "condition", width_min=26, flex=3), lambda r: r.expr),
    (right("for", "for", 4, 2), lambda r: r.for_s),
    (Column("severity", "severity", width_min=10, priority=1), lambda r: r.severity),
    (right("alerts", "alerts", 6, 3), lambda r: (r.firing, r.pending)),
    (Column("source", "from", width_min=8, priority=4), lambda r: r.source),
    (Column("actions", "then does", width_min=14, flex=1, priority=5), lambda r: r.actions),
)


def rule_cells(row: RuleRow, glyphs: Glyphs) -> Cells:
    """Return a rule's cells."""
    return (
        badge(RULE_BADGES, row.state, glyphs),
        row.id,
        row.expr if row.enabled else Cell(row.expr, "dim"),
        age(row.for_s) if row.for_s else unknown(glyphs),
        badge(SEVERITY_BADGES, row.severity, glyphs),
        number_cell(row.firing + row.pending + row.left_out),
        Cell(row.source, "dim"),
        row.actions,
    )


_STATES = {
    "unknown": "nothing that it looks at is measured",
    "disabled": "nobody watches it",
    "quiet": "it holds for nothing",
}
SOURCES = {
    "builtin": "built in: it can be changed and disabled, and is back when it is removed",
    "file": "the fleet's configuration, [[alerting.rules]]: change it there and start the engine anew",
    "operator": "an operator",
}


def rule_info(row: RuleRow, tables: Tables, now: float, glyphs: Glyphs) -> Linked:
    """Return a rule in full; lines lead to its alerts."""
    many = f"{row.firing} firing, {row.pending} pending" + (f", {row.left_out} left out beyond the most that a rule has" if row.left_out else "")
    lines: Lines = [
        field_line("state", badge(RULE_BADGES, row.state, glyphs), Cell(f" {_STATES.get(row.state, many)}", "dim")),
        *([field_line("name", row.name)] if row.name != row.id else []),
        field_line("condition", row.expr),
        field_line("for", duration(row.for_s) if row.for_s else "at once"),
        *([field_line("keeps on", f"{duration(row.keep_firing_for_s)} after it held last")] if row.keep_firing_for_s else []),
        field_line("severity", badge(SEVERITY_BADGES, row.severity, glyphs), Cell(" by how far the value is from the limit" if row.severity == "auto" else "", "dim")),
        *[field_line(label, text) for label, text in (("labels", row.labels), ("says", row.summary), ("then", row.actions), ("runbook", row.runbook)) if text],
        field_line("from", SOURCES.get(row.source, row.source)),
        field_line("made", f"{instant_text(row.created_at)}, {rest_age(now - row.created_at)} ago" if row.created_at else unknown(glyphs)),
    ]
    return _with_alerts(lines, tables, lambda alert: alert.rule == row.id, now, glyphs)


def _with_alerts(lines: Lines, tables: Tables, is_meant: Callable[[AlertRow], bool], now: float, glyphs: Glyphs) -> Linked:
    """Add the alerts that are meant, each a link."""
    meant = sorted((alert for alert in tables["alerts"].values() if is_meant(alert)), key=urgency)
    if not meant:
        return Linked([*lines, (), (Cell("no alert of it is known", "dim"),)], {})
    lines = [*lines, (), title_line(plural(len(meant), "alert"))]
    links = {len(lines) + number: Link("alerts", alert.id) for number, alert in enumerate(meant)}
    return Linked([*lines, *(_alert_line(alert, now, glyphs) for alert in meant)], links)


def _alert_line(row: AlertRow, now: float, glyphs: Glyphs) -> Cells:
    state = badge(ALERT_BADGES, standing_of(row), glyphs)
    return (Cell(f"  {state.text}".ljust(14), state.role), Cell(rest_age(now - _began(row)).rjust(4), "dim"), f"  {row.message}")


# ---- silences

SILENCE_COLUMNS: tuple[Sorted, ...] = (
    (Column("silence", "alerts with", width_min=24, flex=2), lambda r: r.matchers),
    (right("ends", "ends in", 8, 0), lambda r: r.until),
    (right("alerts", "alerts", 6, 0), lambda r: r.alerts),
    (Column("by", "by", width_min=8, priority=1), lambda r: r.by),
    (Column("why", "why", width_min=16, flex=2), lambda r: r.why),
    (Column("id", "id", width_min=16, priority=2), lambda r: r.id),
)


def silence_cells(row: SilenceRow, now: float, glyphs: Glyphs) -> Cells:
    """Return a silence's cells."""
    return row.matchers, rest_age(row.until - now), number_cell(row.alerts), row.by or unknown(glyphs), row.why, Cell(row.id, "dim")


def silence_info(row: SilenceRow, tables: Tables, now: float, glyphs: Glyphs) -> Linked:
    """Return a silence in full; lines lead to the alerts that it keeps quiet."""
    lines: Lines = [
        field_line("alerts with", row.matchers),
        field_line("until", f"{instant_text(row.until)}, in {rest_age(row.until - now)}"),
        field_line("made", f"{instant_text(row.created_at)}, {rest_age(now - row.created_at)} ago, by {row.by or '?'}"),
        field_line("why", row.why or unknown(glyphs)),
        field_line("id", Cell(row.id, "dim")),
    ]
    return _with_alerts(lines, tables, lambda alert: alert.silenced_by == row.id, now, glyphs)


# ---- channels and notifications

_CHANNEL_ORDER = ("failing", "unset", "ready", "off")

CHANNEL_COLUMNS: tuple[Sorted, ...] = (
    (Column("state", "state", width_min=9), lambda r: (_CHANNEL_ORDER.index(r.state), r.id)),
    (Column("channel", "channel", width_min=12), lambda r: r.id),
    (Column("kind", "kind", width_min=12, priority=2), lambda r: r.kind),
    (right("waiting", "waiting", 7, 1), lambda r: r.waiting),
    (right("parked", "parked", 6, 0), lambda r: r.parked),
    (right("sent", "sent", 5, 3), lambda r: r.sent),
    (right("last", "last", 4, 4), lambda r: -r.last_sent_at),
    (Column("error", "last error", width_min=20, flex=3), lambda r: r.last_error),
    (Column("takes", "takes", width_min=16, flex=1, priority=5), lambda r: (r.severities, r.matchers)),
)


def _takes(row: ChannelRow) -> str:
    severities = "" if len(row.severities.split()) == len(SEVERITIES) else row.severities
    return ", ".join(part for part in (severities, row.matchers) if part) or "every alert"


def channel_cells(row: ChannelRow, now: float, glyphs: Glyphs) -> Cells:
    """Return a channel's cells."""
    is_wrong = row.state in ("failing", "unset")
    return (
        badge(CHANNEL_BADGES, row.state, glyphs),
        row.id,
        row.kind,
        number_cell(row.waiting),
        number_cell(row.parked, "bad"),
        number_cell(row.sent),
        rest_age(now - row.last_sent_at) if row.last_sent_at else unknown(glyphs),
        Cell(row.last_error, "bad") if is_wrong else Cell(row.last_error, "dim"),
        Cell(_takes(row), "dim"),
    )


def channel_info(row: ChannelRow, tables: Tables, now: float, glyphs: Glyphs) -> Linked:
    """Return a channel in full; lines lead to what went through it, the newest first."""
    letters = [letter for letter in tables["notifications"].values() if letter.channel == row.id]
    letters.sort(key=_newest)
    tries = f", tried next in {age(row.not_before - now)}" if row.not_before > now else ""
    lines: Lines = [
        field_line("state", badge(CHANNEL_BADGES, row.state, glyphs), Cell(f" {plural(row.failures, 'attempt')} in a row failed" if row.failures else "", "bad")),
        field_line("kind", row.kind),
        field_line("takes", _takes(row)),
        field_line("sent", f"{row.sent:,} since the engine began" + (f", the last one {rest_age(now - row.last_sent_at)} ago" if row.last_sent_at else "")),
        field_line("waiting", f"{row.waiting:,}{tries}"),
        field_line("parked", Cell(f"{row.parked:,}{': not delivered, and not tried again by itself' if row.parked else ''}", "bad" if row.parked else "")),
        *([field_line("last error", Cell(f"{row.last_error}{f', {rest_age(now - row.last_error_at)} ago' if row.last_error_at else ''}", "bad" if row.state != "ready" else "warn"))] if row.last_error else []),
        (),
        title_line(f"{plural(len(letters), 'notification')}{f', the newest {LETTERS_SHOWN}' if len(letters) > LETTERS_SHOWN else ''}") if letters else (Cell("nothing was sent through it that is still kept", "dim"),),
    ]
    first = len(lines)
    shown = letters[:LETTERS_SHOWN]
    return Linked([*lines, *(_letter_line(letter, now, glyphs) for letter in shown)], {first + number: Link("notifications", letter.id) for number, letter in enumerate(shown)})


def _letter_line(row: NotificationRow, now: float, glyphs: Glyphs) -> Cells:
    state = badge(LETTER_BADGES, row.state, glyphs)
    return (Cell(f"  {state.text}".ljust(14), state.role), Cell(rest_age(now - row.at).rjust(4), "dim"), f"  {row.title}", Cell(f"  {row.error}" if row.error else "", "bad"))


def _newest(row: NotificationRow) -> tuple[float, tuple[str, int]]:
    """Return the order: the newest first; those of one instant by their ids."""
    return -row.at, natural(row.id)


NOTIFICATION_COLUMNS: tuple[Sorted, ...] = (
    (Column("state", "state", width_min=9), lambda r: r.state),
    (right("age", "age", 4, 0), _newest),
    (Column("channel", "channel", width_min=10), lambda r: r.channel),
    (Column("severity", "severity", width_min=10, priority=3), lambda r: SEVERITIES.index(r.severity)),
    (Column("notification", "what is told", width_min=24, flex=3), lambda r: r.title),
    (right("attempts", "tries", 5, 1), lambda r: r.attempts),
    (Column("error", "what is wrong", width_min=16, flex=2, priority=2), lambda r: r.error),
    (Column("id", "id", width_min=12, priority=4), lambda r: r.id),
)


def notification_cells(row: NotificationRow, now: float, glyphs: Glyphs) -> Cells:
    """Return the cells of a notification on its way through a channel."""
    return (
        badge(LETTER_BADGES, row.state, glyphs),
        rest_age(now - row.at),
        row.channel,
        badge(SEVERITY_BADGES, row.severity, glyphs),
        row.title,
        number_cell(row.attempts, "warn" if row.attempts > 1 else ""),
        Cell(row.error, "bad" if row.state == "parked" else "warn"),
        Cell(row.id, "dim"),
    )


def notification_info(row: NotificationRow, now: float, glyphs: Glyphs) -> Linked:
    """Return a notification on its way through a channel in full; a line leads to the channel."""
    ended = {"sent": "sent", "parked": "given up"}.get(row.state, "")
    lines: Lines = [
        field_line("state", badge(LETTER_BADGES, row.state, glyphs)),
        field_line("says", row.title),
        field_line("about", f"{row.about}, {plural(row.alerts, 'alert')}"),
        field_line("severity", badge(SEVERITY_BADGES, row.severity, glyphs)),
        field_line("channel", row.channel),
        field_line("made", f"{instant_text(row.at)}, {rest_age(now - row.at)} ago"),
        *([field_line(ended, f"{instant_text(row.ended_at)}, {rest_age(now - row.ended_at)} ago")] if ended and row.ended_at else []),
        field_line("attempts", f"{row.attempts}" + (f", the next one in {age(row.not_before - now)}" if row.not_before > now else "")),
        *([field_line("wrong", Cell(row.error, "bad"))] if row.error else []),
        field_line("id", Cell(row.id, "dim")),
        field_line("told as", Cell(row.notification, "dim")),
    ]
    return Linked(lines, {4: Link("channels", row.channel)})


def scope_of(group: str, name: str) -> str:
    """Return the terms that pick the rows of a thing, such as those of a channel."""
    return f"{group}={quote_value(name)}"
