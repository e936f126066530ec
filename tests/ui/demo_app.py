"""A small console out of our widgets, for pictures and for the driver's tests: `python -m tests.ui.demo_app --help`.

Its data come from a seed. F5 writes the whole screen again, F6 stops and starts the data, m opens a dialog,
t takes the next theme, x switches the screen.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
from pathlib import Path
from random import Random

os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
os.environ.setdefault("TEXTUAL_FPS", "240")

from screens.driver import DiffMixin
from screens.widgets.braille import Series
from screens.widgets.cells import ASCII, UNICODE, Cell, Row
from screens.widgets.charts import BrailleChart, Meter, Sparkline
from screens.widgets.columns import Column
from screens.widgets.heat_layout import lay_out_groups
from screens.widgets.heatmap import Heatmap
from screens.widgets.statusbar import ContextBar, KeyHints
from screens.widgets.stream import Stream
from screens.widgets.table import Table
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, Label
from themes import CSS_PATHS, THEMES

STATES = (
    ("● running", "good"), ("○ idle", "dim"), ("▲ starting", "accent"), ("! degraded", "warn"), ("✗ failed", "bad"),
)  # fmt: skip
NAMES = ("reader", "coder", "tester", "reviewer", "planner", "searcher-with-a-long-name", "翻訳者")
HEAT_CELLS = 150
HEAT = lay_out_groups([("research", 50), ("code", 50), ("review", 50)], 40, 3, has_halves=True)[0]
HINTS = [
    ("enter", "open"), ("/", "filter"), ("space", "mark"), ("S", "sort"), ("w", "wide"), ("s", "scale"),
    ("l", "stream"), ("?", "keys"), (":", "command"), ("q", "quit"),
]  # fmt: skip


class World:
    """The seeded data behind the demo."""

    def __init__(self, seed: int, agents: int) -> None:
        self.rng = Random(seed)
        self.ids = [f"agt_{number:05d}" for number in range(agents)]
        self.state = {row_id: self.rng.randrange(5) for row_id in self.ids}
        self.load = {row_id: self.rng.random() for row_id in self.ids}
        self.done = dict.fromkeys(self.ids, 0)
        self.events = 0
        self.heat: list[float | None] = [None] * HEAT_CELLS

    def row(self, row_id: str) -> Row:
        number = int(row_id[4:])
        name = f"{NAMES[number % len(NAMES)]}-{number}"
        pool = ("research", "code", "review")[number % 3]
        load = self.load[row_id]
        return (
            name, Cell(*STATES[self.state[row_id]]), pool, Cell(f"{load * 100:.1f}%", "warn" if load > 0.9 else ""),
            f"{load * 512:.0f}M", str(self.done[row_id]), Cell(f"{number % 60}s", "dim"),
            f"task_{number * 7919 % 99999:05d} summarise module {number}",
        )  # fmt: skip

    def step(self) -> list[str]:
        """Change a twentieth of the agents and return their ids."""
        changed = self.rng.sample(self.ids, max(1, len(self.ids) // 20))
        for row_id in changed:
            self.load[row_id] = min(1.0, max(0.0, self.load[row_id] + self.rng.gauss(0, 0.1)))
            self.done[row_id] += 1
            if self.rng.random() < 0.1:
                self.state[row_id] = self.rng.randrange(5)
        return changed

    def lines(self, count: int) -> list[Row]:
        """Return that many new lines of the stream."""
        lines: list[Row] = []
        for _ in range(count):
            self.events += 1
            level, role = self.rng.choice(
                (("INFO", "dim"), ("INFO", "dim"), ("WARN", "warn"), ("FAIL", "bad"))
            )
            clock = f"12:{self.events // 60 % 60:02d}:{self.events % 60:02d}"
            text = f"agent {self.rng.choice(self.ids)} finished task {self.events} in {self.rng.random():.2f} s"
            lines.append((Cell(clock, "dim"), Cell(level, role), text))
        return lines


def make_columns(world: World) -> list[Column]:
    return [
        Column("name", "AGENT", 16, flex=2, width_max=28),
        Column("state", "STATE", 10, priority=1),
        Column("pool", "POOL", 9, priority=3),
        Column("load", "LOAD", 6, align="right", priority=1, key=world.load.__getitem__),
        Column("memory", "MEM", 6, align="right", priority=4, key=world.load.__getitem__),
        Column("done", "DONE", 5, align="right", priority=2, key=world.done.__getitem__),
        Column("seen", "SEEN", 4, align="right", priority=5),
        Column("task", "TASK", 20, flex=1, priority=6),
    ]


class Dialog(ModalScreen[None]):
    """A plan to agree to."""

    BINDINGS = [Binding("escape,m", "dismiss", "Close")]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label("Retire 3 agents of pool code", classes="title")
            yield Label("3 running tasks move to other agents; nothing is lost.", classes="note")
            yield Input(placeholder="type code to agree")
            with Horizontal(classes="buttons"):
                yield Label("Enter agree")
                yield Label("Esc cancel")


class Other(Screen[None]):
    """A screen with nothing in common with the first."""

    BINDINGS = [Binding("escape,x", "app.pop_screen", "Back")]

    def compose(self) -> ComposeResult:
        yield ContextBar(["fleet", "other"], [Cell("LIVE", "good")])
        yield Label(
            "The other screen: 翻訳 wide 日本語 text, combining é, emoji 👩‍🚀 and a flag 🇨🇭.\n" * 8
        )


class DemoApp(DiffMixin[None]):
    """All widgets of the terminal foundation on one screen."""

    CSS_PATH = CSS_PATHS
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #table { height: 2fr; } #low { height: 1fr; } #side { width: 40; } #heat { height: 3; }
    #chart { height: 1fr; }
    """
    BINDINGS = [
        Binding("f5", "redraw"), Binding("f6", "freeze"), Binding("m", "dialog"), Binding("t", "theme"),
        Binding("x", "other"), Binding("f2", "sort"),
    ]  # fmt: skip

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(no_diff=options.no_diff)
        self.options = options
        self.world = World(options.seed, options.agents)
        self.ticks = 0
        self.is_frozen = False
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = options.theme

    def compose(self) -> ComposeResult:
        glyphs = ASCII if self.options.ascii else UNICODE
        yield ContextBar(["fleet", "agents"], id="context", glyphs=glyphs)
        yield Table(
            make_columns(self.world),
            id="table",
            glyphs=glyphs,
            empty="no agents match - Esc clears the filter",
        )
        with Horizontal(id="low"):
            yield Stream(id="stream", lines_max=500, glyphs=glyphs)
            with Vertical(id="side"):
                yield Meter("tokens", id="meter", glyphs=glyphs)
                yield Sparkline(id="spark", glyphs=glyphs)
                yield Heatmap(id="heat", glyphs=glyphs)
                yield BrailleChart(
                    [Series("load"), Series("plan", "warn")], id="chart", samples=60, glyphs=glyphs
                )
        yield KeyHints(HINTS, id="hints")

    def on_mount(self) -> None:
        if not self.is_headless:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.exit)
        world = self.world
        self.query_one(Table).set_rows(world.ids, [world.row(row_id) for row_id in world.ids])
        self.query_one(Table).focus()
        for _ in range(40):
            self.step(5)
        if self.options.interval_s:
            self.set_interval(self.options.interval_s, self.tick)

    def tick(self) -> None:
        if not self.is_frozen:
            self.step(2)

    def step(self, lines: int) -> None:
        world = self.world
        self.ticks += 1
        home = self.screen_stack[0]
        changed = world.step()
        home.query_one(Table).update_rows({row_id: world.row(row_id) for row_id in changed})
        stream = home.query_one(Stream)
        stream.push(world.lines(lines))
        stream.tick(float(self.ticks))
        mean = sum(world.load.values()) / len(world.load)
        home.query_one(Meter).show(mean, "warn" if mean > 0.7 else "good")
        home.query_one(Sparkline).push(world.rng.random())
        for cell in world.rng.sample(range(HEAT_CELLS), 24):
            world.heat[cell] = world.rng.random()
        home.query_one(Heatmap).show(HEAT, range(HEAT_CELLS), world.heat)
        home.query_one(BrailleChart).push([mean * 100, 40 + 20 * world.rng.random()])
        self.show_state()

    def show_state(self) -> None:
        state = Cell("FROZEN", "warn") if self.is_frozen else Cell("LIVE", "good")
        right = [
            f"{len(self.world.ids)} agents",
            Cell("2 alerts", "bad"),
            state,
            f"tick {self.ticks}",
        ]
        self.screen_stack[0].query_one("#context", ContextBar).show(["fleet", "agents"], right)

    def action_redraw(self) -> None:
        self.forget_shadow()

    def action_freeze(self) -> None:
        self.is_frozen = not self.is_frozen
        self.show_state()

    def action_dialog(self) -> None:
        self.push_screen(Dialog())

    def action_other(self) -> None:
        self.push_screen(Other())

    def action_theme(self) -> None:
        names = [theme.name for theme in THEMES]
        self.theme = names[(names.index(self.theme) + 1) % len(names)]

    def action_sort(self) -> None:
        table = self.query_one(Table)
        table.sort_by("load", is_reversed=not table.is_reversed)

    def on_unmount(self) -> None:
        if self.options.report:
            counters = {
                name: getattr(self, name)
                for name in ("frames_written", "frames_dropped", "bytes_written")
            }
            Path(self.options.report).write_text(
                json.dumps(counters | {"ticks": self.ticks}), "utf-8"
            )


def parse_options(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--agents", type=int, default=200)
    parser.add_argument("--interval-s", type=float, default=0.0)
    parser.add_argument("--theme", default="fleet-dark")
    parser.add_argument(
        "--report", default="", help="file that takes the counters when the program ends"
    )
    parser.add_argument("--no-diff", action="store_true")
    parser.add_argument("--ascii", action="store_true")
    return parser.parse_args(argv)


if __name__ == "__main__":
    DemoApp(parse_options()).run()
