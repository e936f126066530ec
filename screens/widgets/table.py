"""A table that draws only visible lines: ten rows or ten thousand cost the same on the screen.

Owner: the table owns its rows and their order; the caller keeps records, sort keys and filters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events, on
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from screens.keyed import Keyed
from screens.widgets.cells import (
    ROLES,
    UNICODE,
    Glyphs,
    Row,
    clip,
    fit,
    split_cell,
)
from screens.widgets.columns import GAP, Column, Place, place_columns
from screens.widgets.rows import Rows, SortKey
from screens.widgets.segments import merge_segments

GUTTER = 2
"""Cells left of the first column: the pointer and the mark."""
LINES_CACHED = 512


class Table(Keyed, ScrollView, can_focus=True):
    """Rows of formatted cells with a pointer, marks, sorting and filtering, all by row id."""

    # Sideways it scrolls by itself: the pointer and the first column stay.
    DEFAULT_CSS = "Table { overflow-x: hidden; }"
    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--header", "table--sorted", "table--cursor", "table--pointer", "table--mark", "table--empty",
        *(f"table--{role}" for role in ROLES),
    }  # fmt: skip
    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("rows",)

    class TableMessage(Message):
        """A message of `table`; `@on` can select by it."""

        def __init__(self, table: Table) -> None:
            super().__init__()
            self.table = table

        @property
        def control(self) -> Table:
            """Return the table that sent it."""
            return self.table

    class Pointed(TableMessage):
        """The pointer stands on another row now; None when no row is left."""

        def __init__(self, table: Table, row_id: str | None) -> None:
            super().__init__(table)
            self.row_id = row_id

    class Opened(TableMessage):
        """Enter or a double click asked for a row."""

        def __init__(self, table: Table, row_id: str) -> None:
            super().__init__(table)
            self.row_id = row_id

    class Marked(TableMessage):
        """The marks changed; `row_ids` are all that are marked now."""

        def __init__(self, table: Table, row_ids: frozenset[str]) -> None:
            super().__init__(table)
            self.row_ids = row_ids

    class Sorted(TableMessage):
        """A click on a title sorted the table; the caller may remember it."""

        def __init__(self, table: Table, column_id: str, *, is_reversed: bool) -> None:
            super().__init__(table)
            self.column_id = column_id
            self.is_reversed = is_reversed

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        empty: str = "nothing here",
        glyphs: Glyphs = UNICODE,
        has_long_bar: bool = False,
        id: str | None = None,  # noqa: A002 - the name every Textual widget has
    ) -> None:
        """Make a table; a long bar lights the whole row pointed at, which takes twice the bytes of its name."""
        super().__init__(id=id)
        self.has_long_bar = has_long_bar
        self.columns = tuple(columns)
        self.empty = empty
        self.glyphs = glyphs
        self.sorted_by: str | None = None
        self.is_reversed = False
        self._rows = Rows()
        self._is_wide = False
        # The view follows a row that moves only while somebody is working on it.
        self._is_following = False
        self._places: list[Place] = []
        self._placed_width = -1
        self._lines: dict[str, tuple[Row, tuple[str, bool, bool, int], Strip]] = {}
        self._styles: dict[str, Style] = {}

    # What the caller does

    def set_rows(self, ids: Sequence[str], rows: Sequence[Row]) -> None:
        """Show these rows and no others; ids and rows run in parallel."""
        self._arrange(lambda: self._rows.fill(ids, rows))

    def update_rows(self, changed: Mapping[str, Row], removed: Iterable[str] = ()) -> None:
        """Replace or add rows, take others away, and draw what can be seen of that."""
        pointed = self._rows.pointed
        change = self._rows.update(changed, removed)
        if change.is_moved:
            self._redraw_all(pointed)
        else:
            self._redraw_rows(change.redrawn)

    def sort_by(self, column_id: str | None, *, is_reversed: bool = False) -> None:
        """Sort by a column; None shows the rows in the order in which they came."""
        self.sorted_by, self.is_reversed = column_id, is_reversed
        key = None if column_id is None else self._find_sort_key(column_id)
        self._arrange(lambda: self._rows.sort(key, is_reversed=is_reversed))

    def filter_by(self, is_shown: Callable[[str], bool] | None) -> None:
        """Show only rows whose id satisfies the predicate; None shows all."""
        self._arrange(lambda: self._rows.filter(is_shown))

    def show_only(self, ids: Sequence[str] | None) -> None:
        """Show these rows in this order, whatever sort and filter say; None goes back to those."""
        self._arrange(lambda: self._rows.give_order(ids))

    def point_at(self, row_id: str) -> bool:
        """Move the pointer to a row and into view; False if the row is not shown."""
        position = self._rows.find(row_id)
        if position >= 0:
            self._point(position)
        return position >= 0

    def clear_marks(self) -> None:
        """Take all marks away."""
        if self._rows.marked:
            self._change_marks(self._rows.marked.clear)

    @property
    def pointed_id(self) -> str | None:
        """The row pointed at; None if the table shows no row."""
        return self._rows.pointed

    @property
    def marked_ids(self) -> frozenset[str]:
        """The marked rows, also those that a filter hides."""
        return frozenset(self._rows.marked)

    @property
    def shown_ids(self) -> Sequence[str]:
        """The rows in the order in which they are shown; not to be changed."""
        return self._rows.order

    @property
    def hidden_column_count(self) -> int:
        """Columns that do not fit; wide mode shows them."""
        return len(self.columns) - len(self._find_places())

    @property
    def is_wide(self) -> bool:
        """Whether all columns are shown, scrolling sideways where they do not fit."""
        return self._is_wide

    @is_wide.setter
    def is_wide(self, is_wide: bool) -> None:
        self._is_wide = is_wide
        self._placed_width = -1
        self.scroll_to(x=0, animate=False, immediate=True, force=True)
        self._measure()
        self.refresh()

    # What the operator does

    def _action_step(self, count: int) -> None:
        self._is_following = True
        self._point(self._rows.find(self._rows.pointed) + count)

    def _action_page(self, pages: float) -> None:
        self._action_step(int(pages * max(self._body_height - 1, 1)))

    def _action_edge(self, position: int) -> None:
        """Go to the first row (0) or the last (-1); at the first one the view stays at the top."""
        self._point(position % len(self._rows.order) if self._rows.order else 0)
        self._is_following = position < 0

    def _action_shift(self, cells: int) -> None:
        self.scroll_to(x=self.scroll_x + cells, animate=False, immediate=True, force=True)

    def _action_open(self) -> None:
        if self._rows.pointed is not None:
            self.post_message(self.Opened(self, self._rows.pointed))

    def _action_mark(self) -> None:
        pointed = self._rows.pointed
        if pointed is not None:
            self._change_marks(lambda: self._rows.toggle_mark(pointed))

    def _action_mark_range(self) -> None:
        self._change_marks(self._rows.mark_range)

    def _action_invert_marks(self) -> None:
        self._change_marks(self._rows.invert_marks)

    @on(events.Click)
    def _take_click(self, event: events.Click) -> None:
        if event.y == 0:
            self._sort_at(event.x)
            return
        position = self.scroll_offset.y + event.y - 1
        if position < len(self._rows.order):
            self._is_following = True
            self._point(position)
            if event.chain == 2:
                self._action_open()

    def _sort_at(self, x: int) -> None:
        """Sort by the column whose title stands at this cell, the other way round the second time."""
        places = self._find_places()
        if places and x >= places[0].x + places[0].width + GAP:
            x += self.scroll_offset.x
        for index, start, width in places:
            if start <= x < start + width:
                column_id = self.columns[index].id
                is_reversed = column_id == self.sorted_by and not self.is_reversed
                self.sort_by(column_id, is_reversed=is_reversed)
                self.post_message(self.Sorted(self, column_id, is_reversed=is_reversed))

    # Changes and what they redraw

    def _find_sort_key(self, column_id: str) -> SortKey:
        index, column = next((i, c) for i, c in enumerate(self.columns) if c.id == column_id)
        rows = self._rows.by_id
        return column.key or (lambda row_id: split_cell(rows[row_id][index])[0].casefold())

    def _arrange(self, change: Callable[[], None]) -> None:
        pointed = self._rows.pointed
        change()
        self._redraw_all(pointed)

    def _redraw_all(self, old_pointed: str | None) -> None:
        self._measure()
        pointed = self._rows.pointed
        if self._is_following:
            self._reveal(self._rows.find(pointed))
        self.refresh()
        if pointed != old_pointed:
            self.post_message(self.Pointed(self, pointed))

    def _redraw_rows(self, row_ids: Iterable[str | None]) -> None:
        """Draw again the lines of those rows that can be seen."""
        top, height, width = self.scroll_offset.y, self._body_height, self.size.width
        positions = (self._rows.find(row_id) for row_id in row_ids)
        lines = {position - top + 1 for position in positions if top <= position < top + height}
        if lines:
            self.refresh(*(Region(0, y, width, 1) for y in lines))

    def _change_marks(self, change: Callable[[], None]) -> None:
        before = frozenset(self._rows.marked)
        change()
        after = frozenset(self._rows.marked)
        if after != before:
            self._redraw_rows(before ^ after)
            self.post_message(self.Marked(self, after))

    def _point(self, position: int) -> None:
        """Point at the row nearest to a position."""
        order = self._rows.order
        if not order:
            return
        position = max(0, min(position, len(order) - 1))
        old, new = self._rows.pointed, order[position]
        self._reveal(position)
        if new != old:
            self._rows.pointed = new
            self._redraw_rows((old, new))
            self.post_message(self.Pointed(self, new))

    def _reveal(self, position: int) -> None:
        top, height = self.scroll_offset.y, self._body_height
        if position < top:
            self.scroll_to(y=max(position, 0), animate=False, immediate=True)
        elif position >= top + height:
            self.scroll_to(y=position - height + 1, animate=False, immediate=True)

    @property
    def _body_height(self) -> int:
        return max(self.scrollable_size.height - 1, 1)

    def _measure(self) -> None:
        """Tell the scroll view how much there is to see."""
        places = self._find_places()
        width = places[-1].x + places[-1].width if places else 0
        size = Size(width if width > self._placed_width else 0, len(self._rows.order) + 1)
        if size == self.virtual_size:
            return
        if self.styles.auto_dimensions:
            self.virtual_size = size
        else:
            # Set openly it would lay out the whole screen whenever a row comes or goes, though no widget moves.
            self.set_reactive(Table.virtual_size, size)
            self._scroll_update(size)

    @on(events.Resize)
    def _take_size(self) -> None:
        self._measure()

    # Drawing

    def notify_style_update(self) -> None:
        """Take the new theme's colours."""
        self._styles = {}
        self._lines = {}
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        """Draw one visible line: the titles, a row, or nothing."""
        width = self.scrollable_size.width
        self._find_places()
        styles = self._styles or self._find_styles()
        if y == 0:
            return self._frame(self._render_titles(), styles["header"], width)
        position = self.scroll_offset.y + y - 1
        order = self._rows.order
        if position < len(order):
            return self._render_row(order[position], width)
        if position == 0:
            text = fit(" " * GUTTER + self.empty, width, ellipsis=self.glyphs.ellipsis)
            return Strip([Segment(text, styles["empty"])], width)
        return Strip.blank(width, styles[""])

    def _find_places(self) -> list[Place]:
        width = self.scrollable_size.width
        if width != self._placed_width:
            self._placed_width = width
            self._places = place_columns(self.columns, width, start=GUTTER, is_wide=self._is_wide)
            self._lines = {}
        return self._places

    def _find_styles(self) -> dict[str, Style]:
        """Return a style for each part; those of the row pointed at start with `+`."""

        def part(name: str) -> Style:
            return self.get_component_rich_style(f"table--{name}", partial=True)

        base = self.rich_style
        bar = base + part("cursor")
        styles = {"": base, "+": bar}
        for name in (*ROLES, "pointer", "mark", "empty"):
            styles[name] = base + part(name)
            styles[f"+{name}"] = bar + part(name)
        styles["header"] = base + part("header")
        styles["sorted"] = styles["header"] + part("sorted")
        self._styles = styles
        return styles

    def _render_titles(self) -> list[tuple[str, Style]]:
        plain, sorted_style = self._styles["header"], self._styles["sorted"]
        parts = [(" " * GUTTER, plain)]
        for index, _, width in self._places:
            column = self.columns[index]
            title, style = column.title, plain
            if column.id == self.sorted_by:
                arrow = self.glyphs.descending if self.is_reversed else self.glyphs.ascending
                title = clip(title, width - 1, self.glyphs.ellipsis) + arrow
                style = sorted_style
            is_right = column.align == "right"
            parts.append(
                (fit(title, width, ellipsis=self.glyphs.ellipsis, is_right=is_right), style)
            )
            parts.append((" " * GAP, plain))
        return parts

    def _render_row(self, row_id: str, width: int) -> Strip:
        row = self._rows.by_id[row_id]
        is_pointed = row_id == self._rows.pointed
        is_marked = row_id in self._rows.marked
        prefix = "+" if is_pointed and self.has_focus else ""
        state = (prefix, is_pointed, is_marked, self.scroll_offset.x)
        held = self._lines.get(row_id)
        if held and held[0] is row and held[1] == state:
            return held[2]
        styles = self._styles
        glyphs = self.glyphs
        parts = [
            (glyphs.pointer if is_pointed else " ", styles[f"{prefix}pointer"]),
            (glyphs.mark if is_marked else " ", styles[f"{prefix}mark"]),
        ]
        for index, _, cell_width in self._places:
            text, role = split_cell(row[index])
            base = styles[prefix]
            is_right = self.columns[index].align == "right"
            text = fit(text, cell_width, ellipsis=glyphs.ellipsis, is_right=is_right)
            parts += [(text, styles.get(prefix + role, base)), (" " * GAP, base)]
            if not self.has_long_bar:
                prefix = ""
        base = styles[prefix]
        strip = self._frame(parts, base, width)
        if len(self._lines) >= LINES_CACHED:
            self._lines.clear()
        self._lines[row_id] = (row, state, strip)
        return strip

    def _frame(self, parts: list[tuple[str, Style]], base: Style, width: int) -> Strip:
        """Make a line of the table's width; the pointer, the mark and the first column do not scroll sideways."""
        strip = Strip(merge_segments(parts))
        shift = self.scroll_offset.x
        if shift and self._places:
            fixed = self._places[0].x + self._places[0].width + GAP
            strip = Strip.join([strip.crop(0, fixed), strip.crop(fixed + shift)])
        return strip.adjust_cell_length(width, base)
