"""Dashboards as data: widgets, how they are laid out, and how often their figures are asked for.

Owner: nobody; values only. The same form comes from a file of the user, from a program, and from the console's own `pulse`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from engine.model.errors import FleetError, UsageError
from engine.model.fields import kind_of
from engine.model.filters import FilterError, parse_filter
from engine.model.metrics import QUANTILES, RANGES_S, Kind, Label, find_metric
from engine.model.rows import ROW_KINDS, STREAMED_KINDS
from engine.model.wire import convert, nearest, to_plain

REFRESH_S = 30.0
"""The seeds' refreshInterval of 30,000 ms."""
REFRESH_MOST_S = 3_600.0
WIDGETS_MAX = 60
COLUMNS_MAX = 6
LINES_MAX = 60
NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
"""What dashboards and widgets may be called."""
SEED_KEYS = {"refreshInterval": "refresh_s"}


class WidgetKind(StrEnum):
    """What a widget shows."""

    NUMBER = "number"
    """One figure as it reads now, with the least and the most of its range."""
    GAUGE = "gauge"
    """A ratio as a bar."""
    SPARKLINE = "sparkline"
    CHART = "chart"
    HEATMAP = "heatmap"
    """One metric of every pool over time."""
    TABLE = "table"
    """Rows of a kind, filtered."""
    TEXT = "text"
    NEEDS = "needs"
    """What needs somebody, alerts included."""
    POOLS = "pools"
    """Every pool with the load of its last minute."""
    HOSTS = "hosts"
    """Processes that carry agents."""
    MACHINES = "machines"
    """The machines below, in one line."""


MEASURED = frozenset({WidgetKind.NUMBER, WidgetKind.GAUGE, WidgetKind.SPARKLINE, WidgetKind.CHART, WidgetKind.HEATMAP})
"""Kinds that show a metric."""
ROWS_OF = {WidgetKind.NEEDS: "alerts", WidgetKind.POOLS: "pools", WidgetKind.HOSTS: "hosts", WidgetKind.MACHINES: "hosts"}
"""Kinds of widgets to the rows that a program gets of them; a console shows more."""
_NEEDED = {**dict.fromkeys(MEASURED, "metric"), WidgetKind.TABLE: "rows", WidgetKind.TEXT: "text"}
_ONLY_OF = {
    "metric": MEASURED, "of": MEASURED - {WidgetKind.HEATMAP}, "last": MEASURED, "quantile": MEASURED, "warn": MEASURED, "bad": MEASURED,
    "compare": {WidgetKind.CHART}, "rows": {WidgetKind.TABLE}, "filter": {WidgetKind.TABLE}, "text": {WidgetKind.TEXT},
}  # fmt: skip
"""Keys that only some kinds have."""


class DashboardError(UsageError):
    """What is wrong with a dashboard: of which widget (from 0), and which of its keys."""

    def __init__(self, text: str, widget: int | None = None, key: str = "") -> None:
        super().__init__(text if widget is None else f"widget {widget + 1}: {text}")
        self.widget = widget
        self.key = key


@dataclass(frozen=True, slots=True)
class Widget:
    """One part of a dashboard."""

    kind: WidgetKind
    id: str = ""
    title: str = ""
    metric: str = ""
    of: str = ""
    """A pool, an agent or the source of a recorded figure; empty = the fleet."""
    last: str = "1h"
    quantile: int = 95
    """Of durations, in percent."""
    compare: bool = False
    """Whether a chart shows the time before beside it."""
    warn: float | None = None
    bad: float | None = None
    """From where a figure is coloured, as it is written (a ratio from 0 to 1); with `bad` below `warn`, low is bad."""
    rows: str = ""
    """Kind of rows, as in `fleet-tui get KIND`."""
    filter: str = ""
    text: str = ""
    lines: int = 0
    """Lines of its content; 0 = what suits the kind."""
    span: int = 1
    """Columns that it takes."""
    from_height: int = 0
    """It is shown on terminals of so many lines or more."""

    @property
    def is_measured(self) -> bool:
        """Whether it shows a metric."""
        return self.kind in MEASURED

    @property
    def last_s(self) -> int:
        """Return how far back it looks, in seconds."""
        return RANGES_S[self.last]

    def role_of(self, value: float | None) -> str:
        """Return `warn` or `bad` for a value that crossed a limit; empty otherwise."""
        if value is None:
            return ""
        is_low_bad = self.warn is not None and self.bad is not None and self.bad < self.warn
        for role, limit in (("bad", self.bad), ("warn", self.warn)):
            if limit is not None and (value <= limit if is_low_bad else value >= limit):
                return role
        return ""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Widgets in the order in which they fill the columns, line by line."""

    id: str
    name: str
    widgets: tuple[Widget, ...]
    columns: int = 2
    """Most columns; fewer where they would become too narrow to read."""
    refresh_s: float = REFRESH_S
    """Figures are asked for anew so often; rows are always live."""


def read_dashboard(id_: str, values: Mapping[str, Any]) -> Dashboard:
    """Return the dashboard that plain values describe. Raises DashboardError that names the widget and the key."""
    _check_name(id_, "a dashboard", None)
    values = {SEED_KEYS.get(key, key): value / 1_000 if key == "refreshInterval" and isinstance(value, int | float) else value for key, value in values.items()}
    known = {"name", "widgets", "columns", "refresh_s"}
    for key in values:
        if key not in known:
            raise DashboardError(f"a dashboard has no key {key!r}{nearest(key, known)}", key=key)
    entries = values.get("widgets", ())
    if not isinstance(entries, Sequence) or isinstance(entries, str) or not 1 <= len(entries) <= WIDGETS_MAX:
        raise DashboardError(f"a dashboard has 1 to {WIDGETS_MAX} widgets, each a table [[widgets]]", key="widgets")
    widgets = tuple(read_widget(entry, number) for number, entry in enumerate(entries))
    columns = _in_range(values.get("columns", 2), "columns", 1, COLUMNS_MAX, None)
    refresh_s = _in_range(values.get("refresh_s", REFRESH_S), "refresh_s", 1, REFRESH_MOST_S, None)
    ids = [widget.id for widget in widgets]
    for number, name in enumerate(ids):
        if name in ids[:number]:
            raise DashboardError(f"another widget is called {name!r}", number, "id")
    return Dashboard(id_, str(values.get("name") or id_), widgets, int(columns), refresh_s)


def read_widget(values: object, number: int = 0) -> Widget:
    """Return the widget that plain values describe. Raises DashboardError that names the key."""
    if not isinstance(values, Mapping):
        raise DashboardError("a widget is a table of keys", number)
    known = {spec.name for spec in fields(Widget)}
    for key in values:
        if key not in known:
            raise DashboardError(f"a widget has no key {key!r}{nearest(key, known)}", number, key)
    kinds = [kind.value for kind in WidgetKind]
    if (kind := values.get("kind")) not in kinds:
        raise DashboardError(f"kind is one of {', '.join(kinds)}, not {kind!r}{nearest(str(kind), set(kinds))}", number, "kind")
    try:
        widget = convert({"id": f"{kind}-{number + 1}", **values}, Widget)
    except UsageError as error:
        key = next((key for key in values if f"$.{key}" in str(error)), "")
        raise DashboardError(str(error), number, key) from error
    _check_widget(widget, values, number)
    return widget


def _check_widget(widget: Widget, given: Mapping[str, Any], number: int) -> None:
    _check_name(widget.id, "a widget", number)
    needed = _NEEDED.get(widget.kind, "")
    if needed and not getattr(widget, needed):
        raise DashboardError(f"a {widget.kind} needs {needed}", number, "kind")
    for key in given:
        if key in _ONLY_OF and widget.kind not in _ONLY_OF[key]:
            raise DashboardError(f"a {widget.kind} has no {key}", number, key)
    if widget.last not in RANGES_S:
        raise DashboardError(f"last is one of {', '.join(RANGES_S)}, not {widget.last!r}", number, "last")
    if widget.quantile not in QUANTILES:
        raise DashboardError(f"quantile is one of {', '.join(map(str, QUANTILES))}, not {widget.quantile}", number, "quantile")
    _in_range(widget.lines, "lines", 0, LINES_MAX, number)
    _in_range(widget.span, "span", 1, COLUMNS_MAX, number)
    _in_range(widget.from_height, "from_height", 0, 1_000, number)
    if widget.is_measured:
        _check_metric(widget, number)
    if widget.rows:
        _check_rows(widget, number)


def _check_rows(widget: Widget, number: int) -> None:
    kinds = ROW_KINDS.keys() - STREAMED_KINDS
    if widget.rows not in kinds:
        raise DashboardError(f"there are no rows {widget.rows!r}{nearest(widget.rows, set(kinds))}", number, "rows")
    try:
        parse_filter(widget.filter, kind_of(widget.rows))
    except FilterError as error:
        raise DashboardError(f"filter: {error}", number, "filter") from error


def _check_metric(widget: Widget, number: int) -> None:
    try:
        metric = find_metric(widget.metric)
    except UsageError as error:
        raise DashboardError(str(error), number, "metric") from error
    if widget.kind is WidgetKind.GAUGE and metric.unit != "ratio":
        raise DashboardError(f"a gauge shows a ratio; {metric.name} is in {metric.unit or 'units of its own'}", number, "metric")
    if widget.kind is WidgetKind.HEATMAP and metric.label is not Label.POOL:
        raise DashboardError(f"a heatmap shows a figure of pools; {metric.name} is one of {'agents' if metric.label is Label.AGENT else 'the fleet'}", number, "metric")
    if widget.of and metric.label is Label.FLEET:
        raise DashboardError(f"{metric.name} is a figure of the fleet: leave out `of`", number, "of")
    if not widget.of and metric.label is Label.AGENT:
        raise DashboardError(f"{metric.name} is a figure of one agent: say which one by `of`", number, "metric")


def _check_name(name: str, what: str, number: int | None) -> None:
    if not NAME.fullmatch(name):
        raise DashboardError(f"{name!r} is no name for {what}: small letters, digits, - and _, a letter first, 40 at most", number, "id")


def _in_range(value: object, key: str, least: float, most: float, number: int | None) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise DashboardError(f"{key} is a number from {least:g} to {most:g}, not {value!r}", number, key)
    return value


# ---- what a widget asks


def question_of(widget: Widget, points: int) -> tuple[str, dict[str, object]]:
    """Return the query that a widget with a metric asks, for so many values at most."""
    metric = find_metric(widget.metric)
    wanted: dict[str, object] = {"metric": metric.name, "last_s": widget.last_s, "points": points, "quantile": widget.quantile}
    return ("pools-heat", wanted) if widget.kind is WidgetKind.HEATMAP else ("history", {**wanted, "label": widget.of})


def newest_of(found: Mapping[str, Any]) -> float | None:
    """Return the newest value of a history; None when nothing was measured."""
    return next((value for value in reversed(found["values"]) if value is not None), None)


async def look(dashboard: Dashboard, ask: Callable[..., Awaitable[Any]], points: int = 60) -> list[dict[str, Any]]:
    """Return what each widget shows now, by the queries of an operator; what cannot be answered says why in `error`."""
    found = []
    for widget in dashboard.widgets:
        shown: dict[str, Any] = {"id": widget.id, "kind": widget.kind.value, "title": title_of(widget)}
        try:
            shown |= await _look_at(widget, ask, points)
        except FleetError as error:
            shown["error"] = str(error)
        found.append(shown)
    return found


async def _look_at(widget: Widget, ask: Callable[..., Awaitable[Any]], points: int) -> dict[str, Any]:
    if widget.kind is WidgetKind.TEXT:
        return {"text": widget.text}
    if kind := ROWS_OF.get(widget.kind, widget.rows):
        return {"rows": to_plain(await ask(kind, filter=widget.filter))}
    what, parameters = question_of(widget, points)
    found = to_plain(await ask(what, **parameters))
    if widget.kind is WidgetKind.HEATMAP:
        return {"unit": found["unit"], "since": found["since"], "step_s": found["step_s"], "pools": found["pools"]}
    value = newest_of(found)
    shared = {key: found[key] for key in ("unit", "since", "step_s", "newest_at", "values")}
    return {**shared, "value": value, "severity": widget.role_of(value) or "ok"} if value is not None else {**shared, "value": None, "severity": "unknown"}


def title_of(widget: Widget) -> str:
    """Return what a widget is headed with."""
    if widget.title or not widget.is_measured:
        return widget.title or widget.rows or widget.kind.value
    metric = find_metric(widget.metric)
    share = f" p{widget.quantile}" if metric.kind is Kind.HISTOGRAM else ""
    return f"{metric.name}{share}" + (f" of {widget.of}" if widget.of else "")


def to_values(dashboard: Dashboard) -> dict[str, Any]:
    """Return the plain values that read_dashboard() takes, without what is as by default."""
    widgets = []
    for number, widget in enumerate(dashboard.widgets):
        usual = Widget(widget.kind, id=f"{widget.kind}-{number + 1}")
        given = {spec.name: getattr(widget, spec.name) for spec in fields(Widget) if getattr(widget, spec.name) != getattr(usual, spec.name)}
        widgets.append({"kind": widget.kind.value, **given})
    return {"name": dashboard.name, "columns": dashboard.columns, "refresh_s": dashboard.refresh_s, "widgets": widgets}
