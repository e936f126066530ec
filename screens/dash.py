"""`:dash`: a dashboard that somebody described as data, or the console's own.

Owner: of which panel fills the view, the range chosen for all, and when their figures were asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Static

from engine.model.dashboards import Dashboard, WidgetKind
from engine.model.dashboards import Widget as Spec
from engine.model.errors import FleetError
from engine.model.rows import ROW_KINDS, STREAMED_KINDS
from screens.asking import AskingScreen
from screens.base import FleetScreen
from screens.feed import Changes
from screens.panel import Panel
from screens.pickers import Picker
from screens.places import Place
from screens.present import duration
from screens.present_boards import columns_for, flow, heights_of
from screens.present_trends import RANGES
from screens.pulse_panels import HostsPanel, MachinesPanel, NeedsPanel, PoolsPanel
from screens.widgets.cells import Cell
from screens.widgets.statusbar import Part

LISTS: dict[WidgetKind, Callable[[Spec, FleetScreen], Panel]] = {
    WidgetKind.NEEDS: NeedsPanel,
    WidgetKind.POOLS: PoolsPanel,
    WidgetKind.HOSTS: HostsPanel,
    WidgetKind.MACHINES: MachinesPanel,
}


def make_panel(spec: Spec, screen: FleetScreen) -> Panel:
    """Return the widget that shows a widget of the data."""
    if spec.kind in LISTS:
        return LISTS[spec.kind](spec, screen)
    from screens.panels import TITLED  # charts and heat maps: the first screen needs none

    return TITLED[spec.kind](spec, id=spec.id)


NONE = Dashboard("", "", ())
FIRST = "work"
"""The dashboard that is shown before somebody chose one."""


class BoardScreen(AskingScreen):
    """The widgets of a dashboard in columns; the one with the focus may fill the view."""

    KINDS: ClassVar[tuple[str, ...]] = tuple(kind for kind in ROW_KINDS if kind not in STREAMED_KINDS)
    GAP: ClassVar[int] = 0
    """Empty lines between lines of widgets."""

    def __init__(self) -> None:
        super().__init__()
        self.board = NONE
        self.fault = ""
        """Why there is no dashboard to show."""
        self._asked_at = 0.0
        self._laid_out: object = None

    def find_board(self) -> Dashboard:
        """Return what is to be shown. Raises FleetError."""
        raise NotImplementedError

    def compose_body(self) -> Iterable[Widget]:
        """Yield the panels, or what is wrong."""
        try:
            self.board = self.find_board()
        except FleetError as error:
            self.fault = str(error)
            yield Static(self.fault, classes="fault", markup=False)
        yield Container(*(make_panel(spec, self) for spec in self.board.widgets), id="board")

    @property
    def panels(self) -> list[Panel]:
        """Return all panels in the order of the data."""
        return [panel for panel in self.query_one("#board").children if isinstance(panel, Panel)]

    def on_mount(self) -> None:
        """Begin at the panel that fills the view, else at the first list."""
        super().on_mount()
        self._focus_first()
        self._call_when_drawn(self._ask_again)

    # ---- layout

    @property
    def _zoom_name(self) -> str:
        return "zoom"

    @property
    def _zoomed(self) -> str:
        """Which panel fills the view; empty if all share it."""
        name = str(self._settings.get(self._zoom_name, ""))
        return name if name in {spec.id for spec in self.board.widgets} else ""

    def action_zoom(self) -> None:
        """Let the panel with the focus fill the view, or show all again."""
        inside = self.focused.ancestors_with_self if self.focused is not None else ()
        focused = next((node.id for node in inside if isinstance(node, Panel)), None)
        self._settings[self._zoom_name] = "" if self._zoomed else focused or ""
        self._arrange()
        self._call_when_drawn(self._ask_again)

    def _is_shown(self, panel: Panel) -> bool:
        return panel.id == self._zoomed if self._zoomed else panel.is_due(self.size.height)

    def _arrange(self) -> None:
        """Give each panel its place: beside each other as far as there is room, and lines as it needs them."""
        grid, panels = self.query_one("#board"), self.panels
        shown = [panel for panel in panels if self._is_shown(panel)]
        room, columns = self.query_one("#body").size, 1
        if not self._zoomed:
            columns = columns_for(self.board.columns, room.width)
        lines = flow([panel.spec.span for panel in shown], columns)
        wanted = [[0 if self._zoomed else shown[number].lines(room.height) for number, _ in line] for line in lines]
        heights = heights_of(wanted, room.height, self.GAP)
        laid_out = ([panel.id for panel in shown], columns, heights, room)
        if laid_out == self._laid_out:
            return
        self._laid_out = laid_out
        for panel in panels:
            panel.display = panel in shown
        for number, wide in (placed for line in lines for placed in line):
            shown[number].styles.column_span = wide
        grid.styles.grid_size_columns = columns
        grid.styles.grid_rows = " ".join(str(height) if height else "1fr" for height in heights.lines) or "1fr"
        grid.styles.grid_gutter_horizontal = self.GAP
        inside = self.focused.ancestors_with_self if self.focused is not None else ()
        if self.focused is None or not self.focused.display or any(isinstance(node, Panel) and node not in shown for node in inside):
            self._focus_first()  # never away from a line that is typed into

    def _focus_first(self) -> None:
        focusable = [panel for panel in self.panels if panel.display]
        for panel in focusable:
            found = next((node for node in panel.walk_children(with_self=True) if isinstance(node, Widget) and node.focusable), None)
            if found is not None:
                found.focus()
                return

    def on_resize(self) -> None:
        """Fill the terminal as it is now."""
        self._call_when_drawn(self._arrange)
        self._call_when_drawn(self._ask_again)

    # ---- data

    def on_measured_panel_outgrown(self) -> None:
        """Ask for as many values as there is room for."""
        self._reload()

    @property
    def chosen_range(self) -> str:
        """Return the range chosen for all figures; empty = each as its widget says."""
        return ""

    def refresh_rows(self, changes: Changes) -> None:
        """Show rows that changed, and ask for figures again when it is time."""
        for panel in self.panels:
            panel.refresh_rows(changes)
        self._arrange()
        if self.feed.status is not None and self.feed.now() - self._asked_at >= self.board.refresh_s:
            self._ask_again()

    @property
    def _asks(self) -> bool:
        return any(spec.is_measured for spec in self.board.widgets)

    def _ask_again(self) -> None:
        """Ask for figures, if there are any: lists, and with them the first screen, are rows of the feed."""
        if self._asks:
            self._reload()

    async def read_all(self) -> None:
        """Ask for the figures of all panels at once."""
        self._asked_at = self.feed.now()
        shown = [panel for panel in self.panels if panel.display]
        await asyncio.gather(*(panel.read(self.ask_engine, self.chosen_range) for panel in shown))


class DashScreen(BoardScreen):
    """A dashboard by its name; without one the dashboard that was shown last."""

    NAME: ClassVar[str] = "dash"
    TITLE: ClassVar[str] = "Dashboard"
    GAP: ClassVar[int] = 1

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._wanted = text.strip()

    def find_board(self) -> Dashboard:
        """Return the dashboard that was named, or shown last. Raises FleetError."""
        name = self._wanted or str(self._settings.get("name", "")) or FIRST
        self._wanted = name
        board = self.console.boards.get(name)
        self._settings["name"] = name
        return board

    def place(self) -> Place:
        """Return where somebody would come back to."""
        return Place(self.NAME, filter_text=self._wanted)

    @property
    def _zoom_name(self) -> str:
        return f"zoom {self.board.id}"

    @property
    def chosen_range(self) -> str:
        """Return the range chosen for all figures; empty = each as its widget says."""
        name = str(self._settings.get(f"range {self.board.id}", ""))
        return name if name in {one.name for one in RANGES} else ""

    def heading(self) -> tuple[Sequence[Part], Sequence[Part]]:
        """Return its name, and how often its figures are asked for."""
        chosen = [Cell(f"all over {self.chosen_range}", "accent")] if self.chosen_range else []
        often = Cell(f"figures every {duration(self.board.refresh_s)}", "dim")
        return [Cell(self.TITLE, "accent"), self.board.name or Cell(self._wanted, "bad"), *chosen], [often] if self._asks else []

    def action_range(self) -> None:
        """Show all figures over the next longer time; after the longest each as its widget says."""
        names = ["", *(one.name for one in RANGES)]
        self._settings[f"range {self.board.id}"] = names[(names.index(self.chosen_range) + 1) % len(names)]
        self.show_chrome()
        self._reload()

    def action_choose(self) -> None:
        """Ask for another dashboard."""

        def show(name: str | None) -> None:
            if name is not None:
                self.console.open_view(f"dash /{name}")

        listed = self.console.boards.listed()
        width = max((len(name) for name, _ in listed), default=0)
        choices = [(name, f"{name.ljust(width)}  {title}") for name, title in listed]
        note = "a letter moves · {choice.select} shows it · {choice.drop} drops"
        self.app.push_screen(Picker("Show the dashboard", choices, note=note, chosen=self._wanted), show)
