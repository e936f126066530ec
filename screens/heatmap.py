"""`:heatmap`: one metric of every pool over time, or of every agent at once, as colours.

Owner: of the newest answers, the scale and how far back it was scrolled; what is shown is remembered with the view. It asks
again after AGAIN_S, of pools when a column has passed; scrolled back it stands still.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, cast

from textual import on
from textual.widget import Widget

from engine.model.errors import FleetError
from engine.model.filters import quote_value
from engine.model.metrics import CATALOGUE, QUANTILES, Kind, find_metric, written_value
from engine.model.rows import AgentRow
from screens import present_heat as present
from screens.agents import AgentsScreen
from screens.asking import AGAIN_S, AskingScreen
from screens.feed import Changes
from screens.pickers import Picker
from screens.places import Place
from screens.present_trends import RANGES, Found, Range
from screens.things import open_thing
from screens.widgets.cells import Cell
from screens.widgets.heat_layout import (
    Layout,
    lay_out_groups,
    lay_out_words,
    room_for_cells,
)
from screens.widgets.heatmap import HeatLegend, Heatmap
from screens.widgets.statusbar import ContextBar, Part

MODES = ("pools", "agents")
FIRST = {"pools": "utilisation", "agents": "busy"}
CHOICES = {"pools": present.POOL_METRICS, "agents": tuple(present.AGENT_METRICS)}


class HeatmapScreen(AskingScreen):
    """Where it is hot, and when."""

    NAME: ClassVar[str] = "heatmap"
    TITLE: ClassVar[str] = "Heat map"

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._wanted = text.split()
        self._found: Found | None = None
        self._error = ""
        self._end: float | None = None
        """When what is shown ends; None = now."""
        self._scale: tuple[float, float] | None = None
        self._asked_at = 0.0
        self._roster: tuple[str, list[str]] = ("", [])
        self._cells: list[tuple[str, ...]] = []
        """The agents of each cell."""
        self._values: list[float | None] = []
        """What each cell reads."""

    # ---- what is shown

    @property
    def mode(self) -> str:
        """Return whether pools or agents are shown."""
        mode = str(self._settings.get("mode", MODES[0]))
        return mode if mode in MODES else MODES[0]

    @property
    def choice(self) -> str:
        """Return the metric that is shown."""
        choice = str(self._settings.get(f"{self.mode} metric", ""))
        return choice if choice in CHOICES[self.mode] else FIRST[self.mode]

    @property
    def range_(self) -> Range:
        """Return how far back it goes."""
        ranges = RANGES if self.mode == "pools" else present.AGENT_RANGES
        return next((one for one in ranges if one.name == self._settings.get(f"{self.mode} range")), ranges[0])

    @property
    def _map(self) -> Heatmap:
        return self.query_one("#map", Heatmap)

    def place(self) -> Place:
        """Return where somebody would come back to."""
        return Place(self.NAME)

    def compose_body(self) -> Iterable[Widget]:
        """Yield the map between what it shows, what is under the cursor, and the legend."""
        glyphs = self.console.glyphs
        yield ContextBar(glyphs=glyphs, id="about")
        yield Heatmap(glyphs=glyphs, id="map")
        yield ContextBar(glyphs=glyphs, id="detail")
        yield HeatLegend(glyphs=glyphs, id="legend")

    def on_mount(self) -> None:
        """Begin with what was named, or what was shown last."""
        self._take_words()
        super().on_mount()
        self._map.empty = "asking the engine …"
        self._map.focus()
        self._call_when_drawn(self._reload)

    def _take_words(self) -> None:
        words = list(self._wanted)
        if words and words[0] in MODES:
            self._settings["mode"] = words.pop(0)
        if words and words[0] in present.AGENT_METRICS and (self.mode == "agents" or words[0] not in present.POOL_METRICS):
            self._settings.update({"mode": "agents", "agents metric": words[0]})
        elif words:
            try:
                name = find_metric(words[0]).name
            except FleetError as error:
                self.console.say(str(error), role="warn")
                return
            if name in present.POOL_METRICS:
                self._settings.update({"mode": "pools", "pools metric": name})
            else:
                self.console.say(f"{name} is no figure of pools", role="warn")

    def heading(self) -> tuple[Sequence[Part], Sequence[Part]]:
        """Say which map it is."""
        return [Cell(self.TITLE, "accent"), "pools over time" if self.mode == "pools" else "agents"], []

    def refresh_rows(self, changes: Changes) -> None:
        """Ask again when there is something new to see."""
        if self._found is None or changes.is_full or (self._end is None and self.feed.now() - self._asked_at >= AGAIN_S):
            self._reload()

    def on_resize(self) -> None:
        """Fill the terminal as it is now."""
        self._call_when_drawn(self._reload)

    # ---- asking

    async def read_all(self) -> None:
        """Read the map that is chosen."""
        self._asked_at = self.feed.now()
        mode = self.mode
        try:
            self._found = await (self._read_pools() if mode == "pools" else self._read_agents())
            self._error = ""
        except FleetError as error:
            self._found, self._error = None, str(error)
        if self.is_attached and mode == self.mode:
            self._show()

    async def _read_pools(self) -> Found:
        window = self._window()
        ago = 0 if self._end is None else max(0, int(self.feed.now() - window.end))
        quantile = self._settings.get("quantile", 95)
        return cast("Found", await self.ask_engine(
            "pools-heat", metric=self.choice, last_s=window.step_s * window.columns, ago_s=ago, points=window.columns, quantile=quantile
        ))  # fmt: skip

    async def _read_agents(self) -> Found:
        ago = 0 if self._end is None else max(0, int(self.feed.now() - self._end))
        metric = present.AGENT_METRICS[self.choice]
        found = await self.ask_engine("agents-heat", metric=metric, last_s=self.range_.last_s, ago_s=ago, roster=self._roster[0])
        if found["ids"] is not None:
            self._roster = (found["roster"], found["ids"])
        return cast("Found", found)

    def _window(self) -> present.Window:
        """Return the columns that fit."""
        glyphs, pools = self.console.glyphs, list(self.feed.tables.get("pools", {}))
        room = room_for_cells(pools, self._map.size.width)
        return present.window_of(self.range_, room * (1 if glyphs.is_shaded else 2), self.feed.now(), end=self._end)

    # ---- showing

    def _show(self) -> None:
        about = self.query_one("#about", ContextBar)
        if self._found is None:
            about.show([Cell(self._error, "bad")])
            self._map.empty = self._error
            self._map.show(Layout(), (), ())
        elif self.mode == "pools":
            self._show_pools(self._found)
        else:
            self._show_agents(self._found)
        self._show_detail()
        self.show_chrome()

    def _show_pools(self, found: Found) -> None:
        window, shown, glyphs = self._window(), self.range_, self.console.glyphs
        drawn = present.draw_over_time(found, window, shown, self._map.size.height, glyphs)
        self._values = drawn.values
        self._scale = present.decide_scale(self._scale, self._values, found["unit"])
        is_new = self._map.pointed is None
        self._map.show(drawn.placed, drawn.keys, [present.share_of(value, self._scale) for value in self._values], axis=drawn.axis, words=drawn.words)
        if is_new and drawn.keys:
            self._map.point_at(max(0, min(window.columns - 1, int((self.feed.now() - window.begin) // window.step_s))))
        is_live = self._end is None
        self.query_one("#about", ContextBar).show(present.time_title(found, window, shown, self.feed.now(), is_live=is_live))
        self._show_legend(found["unit"], CATALOGUE[found["metric"]].help)

    def _show_agents(self, found: Found) -> None:
        rows, glyphs = self.feed.tables.get("agents", {}), self.console.glyphs
        ids = self._roster[1]
        values = dict(zip(ids, found["values"], strict=True))
        groups = present.group_agents(ids, rows, self.feed.tables.get("pools", {}))
        counts = [(name, len(members)) for name, members in groups]
        if glyphs.is_plain:
            placed, per_cell = lay_out_words(counts, is_open=False), 1
        else:
            placed, per_cell = lay_out_groups(counts, self._map.size.width, self._map.size.height, has_halves=not glyphs.is_shaded)
        unit = self._unit_of(found)
        self._cells = present.pack(groups, per_cell)
        self._values = [present.mean_of(values[id_] for id_ in members) for members in self._cells]
        self._scale = present.decide_scale(self._scale, self._values, unit)
        words = [present.group_words(name, members, values, rows, unit) for name, members in groups] if glyphs.is_plain else []
        self._map.empty = "no agents were there then" if self._end is not None else "no agents yet; `:scale POOL +1` adds one"
        keys = [members[0] for members in self._cells]
        self._map.show(placed, keys, [present.share_of(value, self._scale) for value in self._values], words=words)
        title = present.agents_title(found, self.choice, self.range_, per_cell, self.feed.now(), is_live=self._end is None)
        self.query_one("#about", ContextBar).show(title)
        self._show_legend(unit, present.AGENT_HELP[self.choice])

    def _unit_of(self, found: Found) -> str:
        return "count" if found["is_count"] else str(found["unit"])

    def _show_legend(self, unit: str, note: str) -> None:
        low, high = self._scale or (0.0, 1.0)
        self.query_one("#legend", HeatLegend).show(written_value(low, unit), written_value(high, unit), note)

    def _show_detail(self) -> None:
        self.query_one("#detail", ContextBar).show(self._detail())

    def _detail(self) -> list[Part]:
        """Return name and value of what is under the cursor."""
        key, cell, found = self._map.pointed, self._map.pointed_cell, self._found
        if found is None or key is None or cell >= len(self._values):
            return []
        if self.mode == "pools":
            pool, at = cast("tuple[str, int]", key)
            return [Cell(pool, "accent"), present.column_words(at, self._window().step_s), present.value_cell(self._values[cell], found["unit"])]
        members, rows = self._cells[cell], self.feed.tables.get("agents", {})
        parts: list[Part] = [Cell(present.members_words(members, rows), "accent"), present.value_cell(self._values[cell], self._unit_of(found))]
        row = rows.get(members[0])
        if len(members) > 1:
            return [*parts, Cell(f"mean of {len(members)} agents", "dim")]
        return [*parts, *(present.agent_words(cast("AgentRow", row), self.console.glyphs) if row is not None else [Cell("is no longer there", "dim")])]

    # ---- the cursor

    @on(Heatmap.Pointed)
    def _follow_cursor(self) -> None:
        self._show_detail()

    @on(Heatmap.Opened)
    def _open(self) -> None:
        """Go to the pool or the agent under the cursor, or to the agents of a cell that stands for several."""
        key = self._map.pointed
        if self.mode == "pools":
            self.console.drill(open_thing("pools", cast("tuple[str, int]", key)[0]))
            return
        members = self._cells[self._map.pointed_cell]
        row = self.feed.tables.get("agents", {}).get(members[0])
        if row is None:
            self.console.say("this agent is no longer there; its past is in `:events`", role="warn")
        elif len(members) == 1:
            self.console.drill(open_thing("agents", members[0]))
        else:
            self.console.drill(AgentsScreen(scope=f"pool={quote_value(cast('AgentRow', row).pool)}"))

    @on(Heatmap.Passed)
    def _pass_edge(self, event: Heatmap.Passed) -> None:
        self.action_scroll_time(event.step)

    # ---- keys

    def clear(self) -> bool:
        """Come back to now before leaving."""
        if self._end is None:
            return False
        self._end = None
        self._reload()
        return True

    def _choose(self, **changes: object) -> None:
        self._settings.update({name.replace("_", " "): value for name, value in changes.items()})
        self._found, self._scale = None, None
        self._reload()

    def action_mode(self) -> None:
        """Show the agents, or the pools over time."""
        self._end = None
        self._map.show(Layout(), (), ())
        self._choose(mode=MODES[(MODES.index(self.mode) + 1) % len(MODES)])

    def action_metric(self) -> None:
        """Ask for another metric."""

        def take(name: str | None) -> None:
            if name is not None:
                self._choose(**{f"{self.mode}_metric": name})

        helps = present.AGENT_HELP if self.mode == "agents" else {name: CATALOGUE[name].help for name in present.POOL_METRICS}
        width = max(map(len, helps))
        choices = [(name, f"{name.ljust(width)}  {text}") for name, text in helps.items()]
        self.app.push_screen(Picker("Show", choices, note="a letter moves · {choice.select} shows it · {choice.drop} drops", chosen=self.choice), take)

    def action_range(self) -> None:
        """Show the next longer time, or the shortest again."""
        ranges = RANGES if self.mode == "pools" else present.AGENT_RANGES
        self._choose(**{f"{self.mode}_range": ranges[(ranges.index(self.range_) + 1) % len(ranges)].name})

    def action_quantile(self) -> None:
        """Show another quantile of durations."""
        if self.mode == "agents" or CATALOGUE[self.choice].kind is not Kind.HISTOGRAM:
            self.console.say(f"{self.choice} is no duration: it has no quantiles")
            return
        current = self._settings.get("quantile", 95)
        place = QUANTILES.index(current) if current in QUANTILES else 0
        self._choose(quantile=QUANTILES[(place + 1) % len(QUANTILES)])

    def action_scroll_time(self, step: int) -> None:
        """Look at earlier (-1) or later (1) times, as far as now."""
        now = self.feed.now()
        if step > 0 and self._end is None:
            self.console.say("this is now; there is nothing later")
            return
        if self.mode == "pools":
            window = self._window()
            by, end = window.columns // 2 * window.step_s, self._end if self._end is not None else now // window.step_s * window.step_s + window.step_s
        else:
            by, end = self.range_.last_s, self._end if self._end is not None else now
        end += step * by
        self._end = None if end >= now else end
        self._reload()
