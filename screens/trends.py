"""`:trends`: the history of one metric as a chart, and all metrics to pick from.

Owner: of the newest answers; which metric, pool and range are shown is remembered with the view. It asks again once a point of the
chart has passed, ten seconds at least, so that a terminal at rest gets a few bytes a minute.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from textual import on
from textual.widget import Widget

from engine.model.errors import FleetError
from engine.model.metrics import CATALOGUE, QUANTILES, RECORDED, Label
from screens.asking import AGAIN_S, AskingScreen
from screens.feed import Changes
from screens.history_chart import dots_of, show_history
from screens.places import Place
from screens.present_trends import (
    RANGES,
    TREND_COLUMNS,
    Found,
    Range,
    gap_words,
    is_charted,
    labels_of,
    metric_cells,
    title_parts,
)
from screens.widgets.braille import Series
from screens.widgets.cells import Cell
from screens.widgets.charts import BrailleChart
from screens.widgets.statusbar import ContextBar, Part
from screens.widgets.table import Table

FIRST = "utilisation"


class TrendsScreen(AskingScreen):
    """A chart, and what it can show."""

    NAME: ClassVar[str] = "trends"
    TITLE: ClassVar[str] = "Trends"

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._wanted = text.split()
        self._found: Found | None = None
        self._beside: Found | None = None
        self._sources: dict[str, list[str]] = {}
        """What each metric that programs recorded is about, as the engine told last."""
        self._error = ""
        self._asked_at = 0.0

    # ---- what is shown

    @property
    def _metric(self) -> str:
        name = str(self._settings.get("metric", FIRST))
        return name if is_charted(name) else FIRST

    @property
    def _labels(self) -> list[str]:
        """Return what the metric has series of, in their order."""
        if self._metric.startswith(RECORDED):
            return self._sources.get(self._metric, []) or [""]
        return labels_of(list(self.feed.tables.get("pools", {}))) if CATALOGUE[self._metric].label is Label.POOL else [""]

    @property
    def _pool(self) -> str:
        pool = str(self._settings.get("pool", ""))
        return pool if pool in self._labels else self._labels[0]

    @property
    def _range(self) -> Range:
        return next((one for one in RANGES if one.name == self._settings.get("range")), RANGES[0])

    def place(self) -> Place:
        """Return where somebody would come back to."""
        return Place(self.NAME)

    def compose_body(self) -> Iterable[Widget]:
        """Yield the chart with its words and its axis, and the metrics."""
        glyphs = self.console.glyphs
        yield ContextBar(glyphs=glyphs, id="about")
        yield BrailleChart([Series()], glyphs=glyphs, id="trend")
        yield ContextBar(glyphs=glyphs, id="axis")
        yield Table(TREND_COLUMNS, glyphs=glyphs, empty="asking the engine …", id="metrics")

    def on_mount(self) -> None:
        """Begin with what was named, or what was shown last."""
        if self._wanted:
            self._settings["metric"] = self._wanted[0]
            self._settings["pool"] = self._wanted[1] if len(self._wanted) > 1 else ""
        super().on_mount()
        self.query_one(Table).focus()
        self._reload()

    def heading(self) -> tuple[Sequence[Part], Sequence[Part]]:
        """Say how much was not measured."""
        words = gap_words(self._found) if self._found is not None else ""
        return [Cell(self.TITLE, "accent")], [Cell(words, "dim")] if words else []

    def refresh_rows(self, changes: Changes) -> None:
        """Ask again when a point of the chart has passed."""
        step = self._found["step_s"] if self._found is not None else 0.0
        if changes.is_full or self.feed.now() - self._asked_at >= max(AGAIN_S, step):
            self._reload()

    # ---- asking

    async def read_all(self) -> None:
        """Read the history that is chosen, and how all metrics read now."""
        self._asked_at = self.feed.now()
        shown, settings = self._range, self._settings
        dots = dots_of(self.query_one(BrailleChart))
        try:
            rows = await self.ask_engine("metrics")
            self._sources = {row["name"]: row["sources"] for row in rows}
            wanted = {"metric": self._metric, "label": self._pool, "last_s": shown.last_s, "points": dots, "quantile": settings.get("quantile", 95)}
            self._found = await self.ask_engine("history", **wanted)
            self._beside = await self.ask_engine("history", **wanted, ago_s=shown.compared_s) if settings.get("compared") else None
            self._error = ""
            self._show_metrics(rows)
        except FleetError as error:
            self._found, self._error = None, str(error)
        if self.is_attached:
            self._show()

    # ---- showing

    def _show_metrics(self, rows: Sequence[dict[str, Any]]) -> None:
        table = self.query_one(Table)
        cells = {row["name"]: metric_cells(row, self.console.glyphs) for row in rows if is_charted(row["name"])}
        is_first = not table.shown_ids
        if is_first:
            with self.prevent(Table.Pointed):  # at the first row, which nobody chose
                table.set_rows(list(cells), list(cells.values()))
            self._call_when_drawn(table.point_at, self._metric)
        else:
            table.update_rows(cells)

    def _show(self) -> None:
        about, chart, axis = self.query_one("#about", ContextBar), self.query_one(BrailleChart), self.query_one("#axis", ContextBar)
        if self._found is None:
            about.show([Cell(self._error, "bad")])
            self.query_one(Table).empty = self._error
            chart.display = axis.display = False
            return
        chart.display = axis.display = True
        about.show(title_parts(self._found, self._range, self.feed.now()))
        show_history(chart, axis, self._found, self._beside, self._range)
        self.show_chrome()

    # ---- keys

    @on(Table.Pointed)
    def _pick(self, event: Table.Pointed) -> None:
        if event.row_id is not None and event.row_id != self._metric:
            self._choose(metric=event.row_id)

    @on(Table.Opened)
    def _fill(self, _event: Table.Opened) -> None:
        """Let the chart fill the view; Esc brings the metrics back."""
        self.query_one(Table).display = False
        self._call_when_drawn(self._reload)

    def clear(self) -> bool:
        """Show the metrics again."""
        table = self.query_one(Table)
        if table.display:
            return False
        table.display = True
        table.focus()
        self._call_when_drawn(self._reload)
        return True

    def _choose(self, **changes: object) -> None:
        self._settings.update(changes)
        self._reload()

    def action_range(self) -> None:
        """Show the next longer time, or the shortest again."""
        self._choose(range=RANGES[(RANGES.index(self._range) + 1) % len(RANGES)].name)

    def action_compare(self) -> None:
        """Show beside it the same time yesterday, or the span before; or no longer."""
        self._choose(compared=not self._settings.get("compared"))

    def action_pool(self, step: int) -> None:
        """Show another pool, or the fleet."""
        labels = self._labels
        if len(labels) == 1:
            self.console.say(f"{self._metric} has one series only: {labels[0] or 'the fleet'}")
            return
        self._choose(pool=labels[(labels.index(self._pool) + step) % len(labels)])

    def action_quantile(self) -> None:
        """Show another quantile of durations."""
        current = self._settings.get("quantile", 95)
        place = QUANTILES.index(current) if current in QUANTILES else 0
        self._choose(quantile=QUANTILES[(place + 1) % len(QUANTILES)])
