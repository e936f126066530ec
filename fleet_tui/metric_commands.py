"""`fleet-tui metrics`: what is measured, how it reads now, and the history of one metric as a table, JSON or CSV.

Owner: nobody; functions only.
"""

from __future__ import annotations

import asyncio
import csv
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.model.metrics import written_value
from engine.model.quantities import seconds
from engine.model.wire import to_plain
from fleet_tui import output
from fleet_tui.acts import operator_at
from fleet_tui.attach import require_address

if TYPE_CHECKING:
    from fleet_tui.settings import Paths

LINES = 24
"""Lines of a table; JSON and CSV have more."""
VALUES = 360


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which history, and in which form."""

    metric: str
    label: str
    last: str
    ago: str
    quantile: int
    form: str
    points: int | None = None


def show(paths: Paths, wanted: Wanted) -> None:
    """Print the catalogue, or the history of one metric. Raises FleetError."""
    if wanted.metric:
        _show_history(paths, wanted)
        return
    rows = asyncio.run(_ask(paths, "metrics"))
    if wanted.form == "json":
        output.print_json(rows)
    elif wanted.form == "csv":
        names = list(rows[0])
        output.print_lines(_csv([names, *([_in_sheet(row[name]) for name in names] for row in rows)]))
    else:
        output.print_lines(_catalogue(rows))


def _show_history(paths: Paths, wanted: Wanted) -> None:
    points = wanted.points or (LINES if wanted.form == "table" else VALUES)
    parameters: dict[str, object] = {"metric": wanted.metric, "label": wanted.label, "last_s": seconds(wanted.last), "points": points, "quantile": wanted.quantile}
    if wanted.ago:
        parameters["ago_s"] = seconds(wanted.ago)
    trend = asyncio.run(_ask(paths, "history", **parameters))
    times = [trend["since"] + number * trend["step_s"] for number in range(len(trend["values"]))]
    if wanted.form == "json":
        output.print_json({**trend, "times": times})
    elif wanted.form == "csv":
        rows = zip(times, trend["values"], trend["lows"], trend["highs"], strict=True)
        output.print_lines(_csv([["time", trend["metric"], "low", "high"], *rows]))
    else:
        output.print_lines(_table(trend, times))


async def _ask(paths: Paths, what: str, **parameters: object) -> Any:  # noqa: ANN401  # plain values
    async with operator_at(require_address(paths)) as operator:
        return to_plain(await operator.query(what, **parameters))


def _csv(rows: list[Any]) -> Iterator[str]:
    for row in rows:
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(row)
        yield line.getvalue()


def _in_sheet(value: object) -> object:
    return " ".join(str(one) for one in value) if isinstance(value, list) else value


def _catalogue(rows: list[dict[str, Any]]) -> Iterator[str]:
    width = max(len(row["name"]) for row in rows)
    group = ""
    for row in rows:
        if row["group"] != group:
            group = row["group"]
            yield f"{group.upper()}"
        many = "by agent" if row["label"] == "agent" else "by source" if len(row["sources"]) > 1 else ""
        yield f"  {row['name']:<{width}}  {many or written_value(row['now'], row['unit']):>12}  {row['help']}"


def _table(trend: Mapping[str, Any], times: list[float]) -> Iterator[str]:
    what = f"{trend['metric']} of {trend['label'] or 'the fleet'}"
    share = f", {100 * trend['quantile']:g}th percentile" if trend["quantile"] else ""
    age = max(0.0, trend["asked_at"] - trend["newest_at"]) if trend["newest_at"] else math.inf
    aged = f"newest {output.duration(age)} old" if math.isfinite(age) else "nothing was measured in this time"
    yield f"{what}{share}: a value for each {output.duration(trend['step_s'])} of samples {output.duration(trend['resolution_s'])} apart, {aged}"
    known = [value for value in trend["highs"] if value is not None]
    top = max(known, default=0.0)
    for at, value, high in zip(times, trend["values"], trend["highs"], strict=True):
        bar = "" if value is None or top <= 0 else "#" * max(round(40 * value / top), 0)
        peak = "" if high is None else f"(most {written_value(high, trend['unit'])})"
        yield f"{output.instant(at)}  {'gap' if value is None else written_value(value, trend['unit']):>12}  {bar:<40}  {peak}".rstrip()
