"""The parts of a dashboard: each shows one widget of its data.

Owner: a panel owns the newest answer it got, and the scale of its heat map. Rows are the feed's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, cast

from textual import on
from textual.containers import Vertical
from textual.events import Blur, DescendantBlur, DescendantFocus, Focus
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from engine.model.dashboards import Widget as Spec
from engine.model.dashboards import WidgetKind, question_of
from engine.model.errors import FleetError
from engine.model.metrics import Label, find_metric, written_value
from screens import present_heat as heat
from screens.commandline import FILTERED
from screens.feed import Changes
from screens.history_chart import dots_of, show_history
from screens.keyed import Keyed
from screens.panel import Ask, Panel
from screens.places import Place
from screens.present import plural
from screens.present_boards import figure_parts, head_cell, range_of, title_line
from screens.present_trends import Found, Range
from screens.table_view import filter_rows, show_changes
from screens.things import open_thing
from screens.views import open_screen
from screens.widgets.braille import Series
from screens.widgets.cells import Cell
from screens.widgets.cells import Row as Cells
from screens.widgets.charts import BrailleChart
from screens.widgets.heat_layout import room_for_cells
from screens.widgets.heatmap import Heatmap
from screens.widgets.statusbar import ContextBar, Part
from screens.widgets.table import Table

VIEWS = {kind: view for view, kind in reversed(FILTERED.items())}
"""Kind of rows to the view that shows them."""


class Titled(Panel, Vertical):
    """A heading over something."""

    DEFAULT_CSS = "Titled { height: 1fr; width: 1fr; }"

    def __init__(self, spec: Spec, *, id: str) -> None:  # noqa: A002 - the name every Textual widget has
        super().__init__(id=id)
        self.spec = spec

    def compose(self) -> Iterable[Widget]:
        """Yield the heading and what is below it."""
        yield ContextBar(glyphs=self.console.glyphs, id="panel-title")
        yield from self.compose_content()

    def compose_content(self) -> Iterable[Widget]:
        """Yield what is below the heading."""
        return ()

    def on_mount(self) -> None:
        """Head it."""
        self.show_title()

    @on(DescendantFocus)
    @on(DescendantBlur)
    @on(Focus)
    @on(Blur)
    def _move_pointer(self) -> None:
        self.show_title()

    def title_parts(self) -> tuple[list[Part], list[Part]]:
        """Return what stands after the name, and on the right."""
        return [], []

    def show_title(self) -> None:
        """Bring the heading up to date."""
        if self.is_attached:
            left, right = self.title_parts()
            has_focus = self.has_focus or self.has_focus_within
            self.query_one("#panel-title", ContextBar).show([head_cell(self.spec, self.console.glyphs, has_focus=has_focus), *left], right)


class TextPanel(Titled):
    """Words of whoever made the dashboard."""

    def compose_content(self) -> Iterable[Widget]:
        """Yield the words."""
        yield Static(self.spec.text, markup=False, classes="panel-text")

    def lines(self, body: int) -> int:
        """Return one for each line of the words."""
        return 1 + (self.spec.lines or len(self.spec.text.rstrip("\n").split("\n")))


class MeasuredPanel(Keyed, Titled, can_focus=True):
    """A metric: Enter leads to its history."""

    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("panel",)

    class Outgrown(Message):
        """There is room for another number of values than were asked for."""

    def __init__(self, spec: Spec, *, id: str) -> None:  # noqa: A002 - the name every Textual widget has
        super().__init__(spec, id=id)
        self.found: Found | None = None
        self.fault = ""
        """Why there is nothing to show."""
        self.range_: Range = range_of(spec)
        self.asked_points = 0
        """How many values the newest answer was to have at most."""

    def points(self) -> int:
        """Return how many values there is room for."""
        return max(2, self.size.width - 2)

    async def read(self, ask: Ask, chosen: str) -> None:
        """Ask for the history, and show it."""
        self.range_ = range_of(self.spec, chosen)
        self.asked_points = self.points()
        what, parameters = self.question()
        try:
            found = await ask(what, **parameters)
        except FleetError as error:
            self.found, self.fault = None, str(error)
            self.show_title()
            return
        self.found, self.fault = found, ""
        self.show_again()

    def show_again(self) -> None:
        """Show the newest answer in the room there is now."""
        if self.is_attached and self.found is not None:
            self.show_found(self.found)
            self.show_title()

    def on_resize(self) -> None:
        """Fill the room."""
        self.show_again()
        if self.found is not None and self.points() != self.asked_points:
            self.post_message(self.Outgrown())

    def title_parts(self) -> tuple[list[Part], list[Part]]:
        """Return the range and how it reads, or what is wrong."""
        if self.fault:
            return [Cell(self.fault, "bad")], []
        return title_line(self.spec, self.range_, self.found, self.on_screen.feed.now(), self.console.glyphs)

    def question(self) -> tuple[str, dict[str, object]]:
        """Return the query."""
        what, parameters = question_of(self.spec, self.points())
        return what, {**parameters, "last_s": self.range_.last_s}

    def show_found(self, found: Found) -> None:
        """Show an answer."""
        raise NotImplementedError

    def action_open_panel(self) -> None:
        """Go to the metric's history, or to its heat map."""
        metric = find_metric(self.spec.metric)
        if metric.label is Label.AGENT:
            self.console.drill(open_thing("agents", self.spec.of))
        elif self.spec.kind is WidgetKind.HEATMAP:
            self.console.open_view(f"heatmap {metric.name}")
        else:
            self.console.open_view(f"trends {metric.name} {self.spec.of}".rstrip())


class FigurePanel(MeasuredPanel):
    """A number, a gauge or a sparkline: how it reads now, and a line about it."""

    def compose_content(self) -> Iterable[Widget]:
        """Yield the line."""
        yield ContextBar(glyphs=self.console.glyphs, id="panel-figure")

    def lines(self, body: int) -> int:
        """Return two."""
        return 2

    def show_found(self, found: Found) -> None:
        """Show the line."""
        self.query_one("#panel-figure", ContextBar).show(figure_parts(self.spec, found, self.points(), self.console.glyphs))


class ChartPanel(MeasuredPanel):
    """A metric over time, perhaps with the time before beside it."""

    def __init__(self, spec: Spec, *, id: str) -> None:  # noqa: A002 - the name every Textual widget has
        super().__init__(spec, id=id)
        self._beside: Found | None = None

    def compose_content(self) -> Iterable[Widget]:
        """Yield the chart and its axis."""
        yield BrailleChart([Series()], glyphs=self.console.glyphs)
        yield ContextBar(glyphs=self.console.glyphs, id="panel-axis")

    def lines(self, body: int) -> int:
        """Return what the file says, with heading and axis."""
        return self.spec.lines and self.spec.lines + 2

    def points(self) -> int:
        """Return the dots that the chart is wide."""
        return dots_of(self.query_one(BrailleChart))

    async def read(self, ask: Ask, chosen: str) -> None:
        """Ask also for the time before."""
        if self.spec.compare:
            self.range_ = range_of(self.spec, chosen)
            what, parameters = self.question()
            try:
                self._beside = await ask(what, **parameters, ago_s=self.range_.compared_s)
            except FleetError:
                self._beside = None  # the question for now says why
        await super().read(ask, chosen)

    def show_found(self, found: Found) -> None:
        """Draw the lines and their axis."""
        show_history(self.query_one(BrailleChart), self.query_one("#panel-axis", ContextBar), found, self._beside, self.range_)


class HeatPanel(MeasuredPanel):
    """One metric of every pool over time."""

    can_focus = False

    def __init__(self, spec: Spec, *, id: str) -> None:  # noqa: A002 - the name every Textual widget has
        super().__init__(spec, id=id)
        self._scale: tuple[float, float] | None = None
        self._values: list[float | None] = []

    def compose_content(self) -> Iterable[Widget]:
        """Yield the map."""
        yield Heatmap(glyphs=self.console.glyphs)

    def lines(self, body: int) -> int:
        """Return what the file says, with heading and axis."""
        return self.spec.lines and self.spec.lines + 2

    def _window(self) -> heat.Window:
        map_, feed = self.query_one(Heatmap), self.on_screen.feed
        room = room_for_cells(list(feed.tables.get("pools", {})), map_.size.width)
        return heat.window_of(self.range_, room * (1 if self.console.glyphs.is_shaded else 2), feed.now())

    def points(self) -> int:
        """Return the columns that fit."""
        return self._window().columns

    def question(self) -> tuple[str, dict[str, object]]:
        """Return the query for the columns that fit."""
        window = self._window()
        what, parameters = question_of(self.spec, window.columns)
        return what, {**parameters, "last_s": window.step_s * window.columns, "ago_s": 0}

    def show_found(self, found: Found) -> None:
        """Draw the map."""
        map_ = self.query_one(Heatmap)
        drawn = heat.draw_over_time(found, self._window(), self.range_, map_.size.height, self.console.glyphs)
        self._values = drawn.values
        self._scale = heat.decide_scale(self._scale, drawn.values, found["unit"])
        map_.empty = "no pools"
        map_.show(drawn.placed, drawn.keys, [heat.share_of(value, self._scale) for value in drawn.values], axis=drawn.axis, words=drawn.words)

    @on(Heatmap.Pointed)
    def _follow_cursor(self) -> None:
        self.show_title()

    def title_parts(self) -> tuple[list[Part], list[Part]]:
        """Return also what the colours mean, or what is under the cursor."""
        left, _ = super().title_parts()
        map_, found = self.query_one(Heatmap), self.found
        if found is None or self._scale is None:
            return left, []
        if map_.has_focus and map_.pointed is not None:
            pool, at = cast("tuple[str, int]", map_.pointed)
            return left, [Cell(pool, "accent"), heat.column_words(at, self._window().step_s), heat.value_cell(self._values[map_.pointed_cell], found["unit"])]
        low, high = (written_value(value, found["unit"]) for value in self._scale)
        return left, [Cell(f"{low} to {high}", "dim")]

    @on(Heatmap.Opened)
    def _open(self, event: Heatmap.Opened) -> None:
        event.stop()
        self.console.drill(open_thing("pools", cast("tuple[str, int]", self.query_one(Heatmap).pointed)[0]))


class TablePanel(Titled):
    """Rows of a kind, as their own view shows them."""

    def __init__(self, spec: Spec, *, id: str) -> None:  # noqa: A002 - the name every Textual widget has
        super().__init__(spec, id=id)
        view = VIEWS.get(spec.rows)
        self._view: Any = open_screen(Place(view, spec.filter)) if view is not None else None
        """The view's own screen, never shown: it knows columns, cells, filter and where Enter leads."""

    def compose_content(self) -> Iterable[Widget]:
        """Yield the table."""
        if self._view is None:
            yield Static(f"no view shows {self.spec.rows}", classes="warn", markup=False)
            return
        empty = f"no {self._view.NOUN} passes {self.spec.filter}" if self.spec.filter else f"no {self._view.NOUN}"
        yield Table(self._view.columns(), empty=empty, glyphs=self.console.glyphs, now=self.on_screen.feed.now, present=self._present)

    def on_mount(self) -> None:
        """Sort as the view does; Textual calls the base class's as well."""
        if self._view is not None:
            column, is_reversed = self._view.SORT
            if column:
                self.query_one(Table).sort_by(column, is_reversed=is_reversed)

    def lines(self, body: int) -> int:
        """Return one for each row as far as the file allows, with heading and titles."""
        if not self.spec.lines or self._view is None:
            return self.spec.lines
        return min(self.spec.lines, max(1, len(self.query_one(Table).shown_ids))) + 2

    def _present(self, row_id: str) -> Cells:
        row = self._view.rows.get(row_id)
        return self._view.present_row(row, self.on_screen.feed.now()) if row is not None else ("",) * len(self._view.columns())

    def refresh_rows(self, changes: Changes) -> None:
        """Show the rows that pass the filter."""
        if self._view is None:
            return
        view, table = self._view, self.query_one(Table)
        if changes.is_full:
            table.set_rows(list(view.rows))
        else:
            view.filter.forget(changes.removed.get(view.KIND, set()))
            show_changes(table, view.KIND, view.rows, changes, self._present)
        if changes.is_full or view.filter.has_clock:
            filter_rows(table, view.filter, view.rows, self.on_screen.feed.now)
        self.show_title()

    def title_parts(self) -> tuple[list[Part], list[Part]]:
        """Return the filter, and how many rows pass it."""
        left: list[Part] = [Cell(self.spec.filter, "dim")] if self.spec.filter else []
        return left, [plural(len(self.query_one(Table).shown_ids), self._view.NOUN)] if self._view is not None else []

    @on(Table.Opened)
    def _open(self, event: Table.Opened) -> None:
        event.stop()
        self._view.open_row(event.row_id)


TITLED: dict[WidgetKind, type[Titled]] = {
    WidgetKind.NUMBER: FigurePanel,
    WidgetKind.GAUGE: FigurePanel,
    WidgetKind.SPARKLINE: FigurePanel,
    WidgetKind.CHART: ChartPanel,
    WidgetKind.HEATMAP: HeatPanel,
    WidgetKind.TABLE: TablePanel,
    WidgetKind.TEXT: TextPanel,
}
