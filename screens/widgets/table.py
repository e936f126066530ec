"""A table that draws only visible lines: ten rows or ten thousand cost the same on the screen.

Owner: the table owns its rows and their order; the caller keeps records, sort keys and filters.

The pointer stays with the row that somebody moved it to, and the view follows that row. Before that, and after going to
the first row, it rests at the top on whichever row is first. No key acts on a row that is out of view, and no verb on one
that has only just come under the pointer: settle() says so, and holds the row for the next key.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events, on
from textual.geometry import Offset, Region, Size
from textual.message import Message
from textual.reactive import var
from textual.scroll_view import ScrollView
from textual.strip import Strip

from screens.keyed import Keyed
from screens.widgets.cells import ROLES, UNICODE, Glyphs, Row, fit, split_cell
from screens.widgets.columns import GAP, Column, Place, place_columns
from screens.widgets.rows import Present, Rows, SortKey
from screens.widgets.segments import merge_segments
from screens.widgets.table_lines import Sort, find_direction, mark_parts, title_parts

GUTTER = 2
"""Cells left of the first column: the pointer and the mark."""
LINES_CACHED = 512
ARRIVAL_S = 1.0
"""No verb acts on a row that came under the pointer by itself for this long: whoever pressed the key saw another one."""

FindMarks = Callable[[int, str], Sequence[tuple[int, int]]]
"""Number of a column and a text to the spans of the text that are marked."""


class Table(Keyed, ScrollView, can_focus=True):
    """Rows of formatted cells with a pointer, marks, sorting and filtering, all by row id."""

    # Sideways it scrolls by itself: the pointer and the first column stay.
    DEFAULT_CSS = "Table { overflow-x: hidden; }"
    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--header", "table--sorted", "table--cursor", "table--pointer", "table--mark", "table--match", "table--empty",
        *(f"table--{role}" for role in ROLES),
    }  # fmt: skip
    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("rows",)

    is_wide: var[bool] = var(default=False, init=False)
    """Whether all columns are shown, scrolling sideways where they do not fit."""

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

    class Unsettled(TableMessage):
        """Enter was pressed, and `text` says why nothing was opened."""

        def __init__(self, table: Table, text: str) -> None:
            super().__init__(table)
            self.text = text

    def __init__(  # noqa: PLR0913  # what differs between tables
        self,
        columns: Sequence[Column],
        *,
        empty: str = "nothing here",
        glyphs: Glyphs = UNICODE,
        has_long_bar: bool = False,
        now: Callable[[], float] | None = None,
        present: Present | None = None,
        id: str | None = None,  # noqa: A002 - the name every Textual widget has
    ) -> None:
        """Make a table; a long bar lights the whole row pointed at, which takes twice the bytes of its name.

        `now` tells the instant, to know how long ago a row came under the pointer by itself. `present` makes the cells of a
        row that was given without.
        """
        super().__init__(id=id)
        self.has_long_bar = has_long_bar
        self._now = now
        self._arrived_at = float("-inf")
        self._find_marks: FindMarks | None = None
        self.columns = tuple(columns)
        self.empty = empty
        self.glyphs = glyphs
        self.sorted_by: str | None = None
        self.is_reversed = False
        self._rows = Rows()
        self._rows.present = present
        # The view follows the row that is held, until somebody scrolls away from it.
        self._is_following = False
        self._places: list[Place] = []
        self._placed_width = -1
        self._lines: dict[str, tuple[Row, tuple[str, bool, bool, int], Strip]] = {}
        self._styles: dict[str, Style] = {}

    # What the caller does

    def set_rows(self, ids: Sequence[str], rows: Sequence[Row] | None = None) -> None:
        """Show these rows and no others; ids and rows run in parallel. Without rows, their cells are made when they are seen."""
        pointed = self._rows.pointed
        self._arrange(lambda: self._rows.fill(ids, rows))
        self._note_arrival(pointed)

    def update_rows(self, changed: Mapping[str, Row | None], removed: Iterable[str] = ()) -> None:
        """Replace or add rows, take others away, and draw what can be seen of that. None = cells are made when they are seen."""
        pointed = self._rows.pointed
        change = self._rows.update(changed, removed)
        if change.is_moved:
            self._redraw_all(pointed)
            self._note_arrival(pointed)
        else:
            self._redraw_rows(change.redrawn)

    def sort_by(self, column_id: str | None, *, is_reversed: bool = False) -> None:
        """Sort by a column; None shows the rows in the order in which they came."""
        self.sorted_by, self.is_reversed = column_id, is_reversed
        key = None if column_id is None else self._find_sort_key(column_id)
        self._arrange(lambda: self._rows.sort(key, is_reversed=is_reversed))

    def filter_by(
        self, is_shown: Callable[[str], bool] | None, passed: Collection[str] | None = None, find_marks: FindMarks | None = None
    ) -> None:
        """Show only rows whose id satisfies the predicate; None shows all.

        `passed` are those that do now, if that is known; `find_marks` says what of a cell's text is marked.
        """
        if find_marks or self._find_marks:
            self._find_marks, self._lines = find_marks, {}
        self._arrange(lambda: self._rows.filter(is_shown, passed))

    def point_at(self, row_id: str) -> bool:
        """Move the pointer to a row and into view; False if the row is not shown."""
        position = self._rows.find(row_id)
        if position >= 0:
            self._hold(position)
        return position >= 0

    def settle(self) -> str:
        """Return why no verb is to act on the row pointed at, empty if one may; a second call finds it held and in view."""
        is_held, has_arrived = self._rows.is_held, self._now is not None and self._now() - self._arrived_at < ARRIVAL_S
        problem = self._bring_into_view()
        if has_arrived and not problem and self._rows.pointed is not None:
            return "another row had just come here; it is held now, press again" if not is_held else "the row was gone, this is the next one; press again"
        return problem

    def _bring_into_view(self) -> str:
        """Hold the row pointed at; if it was out of view, show it and return that it was."""
        position = self._rows.find(self._rows.pointed)
        if position < 0:
            return ""
        top = self.scroll_offset.y
        self._hold(position)
        return "" if top <= position < top + self._body_height else "the row was out of view; here it is, press again"

    def clear_marks(self) -> None:
        """Take all marks away."""
        if self._rows.marked:
            self._change_marks(self._rows.marked.clear)

    @property
    def pointed_id(self) -> str | None:
        """The row pointed at; None if the table shows no row."""
        return self._rows.pointed

    @property
    def reading_offset(self) -> Offset:
        """Where the row pointed at stands; the titles, when that row cannot be seen."""
        line = self._rows.find(self._rows.pointed) - self.scroll_offset.y
        return Offset(0, line + 1 if 0 <= line < self._body_height else 0)

    @property
    def held_id(self) -> str | None:
        """The row pointed at if somebody chose it; None while the pointer rests at the top."""
        return self._rows.pointed if self._rows.is_held else None

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

    def watch_is_wide(self) -> None:
        """Lay the columns out anew."""
        self._placed_width = -1
        self.scroll_to(x=0, animate=False, immediate=True, force=True)
        self._measure()
        self.refresh()

    # What the operator does

    def _action_step(self, count: int) -> None:
        self._hold(self._rows.find(self._rows.pointed) + count)

    def _action_page(self, pages: float) -> None:
        self._action_step(int(pages * max(self._body_height - 1, 1)))

    def _action_edge(self, position: int) -> None:
        """Go to the first row (0), and rest on whichever is first, or to the last (-1)."""
        if position < 0:
            self._hold(len(self._rows.order) - 1)
        else:
            self._point(0)
            self._rows.is_held = self._is_following = False

    def _action_shift(self, cells: int) -> None:
        self.scroll_to(x=self.scroll_x + cells, animate=False, immediate=True, force=True)

    def _action_open(self) -> None:
        if self._rows.pointed is None:
            return
        problem = self._bring_into_view()
        self.post_message(self.Unsettled(self, problem) if problem else self.Opened(self, self._rows.pointed))

    def _action_mark(self) -> None:
        pointed = self._rows.pointed
        if pointed is not None:
            self._rows.is_held = True
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
            self._hold(position)
            if event.chain == 2:
                self._action_open()

    @on(events.MouseScrollDown)
    @on(events.MouseScrollUp)
    def _look_around(self) -> None:
        self._is_following = False

    def _sort_at(self, x: int) -> None:
        """Sort by the column whose title stands at this cell, the other way round the second time."""
        places = self._find_places()
        if places and x >= places[0].x + places[0].width + GAP:
            x += self.scroll_offset.x
        for index, start, width in places:
            if start <= x < start + width:
                column_id = self.columns[index].id
                is_reversed = find_direction(self.columns, Sort(self.sorted_by, self.is_reversed), column_id)
                self.sort_by(column_id, is_reversed=is_reversed)
                self.post_message(self.Sorted(self, column_id, is_reversed=is_reversed))

    # Changes and what they redraw

    def _find_sort_key(self, column_id: str) -> SortKey:
        index, column = next((i, c) for i, c in enumerate(self.columns) if c.id == column_id)
        cells = self._rows.cells
        return column.key or (lambda row_id: split_cell(cells(row_id)[index])[0].casefold())

    def _arrange(self, change: Callable[[], None]) -> None:
        pointed = self._rows.pointed
        change()
        self._redraw_all(pointed)

    def _redraw_all(self, old_pointed: str | None) -> None:
        self._measure()
        pointed = self._rows.pointed
        if self._is_following and self._rows.is_held:
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

    def _note_arrival(self, old_pointed: str | None) -> None:
        """Remember that another row came under the pointer, if one did."""
        if old_pointed not in (None, self._rows.pointed) and self._now is not None:
            self._arrived_at = self._now()

    def _hold(self, position: int) -> None:
        """Point at the row nearest to a position, stay with it, and keep it in view."""
        self._arrived_at = float("-inf")
        self._rows.is_held = self._is_following = True
        self._point(position)

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
            shown = [(self.columns[place.column], place.width) for place in self._places]
            titles = title_parts(shown, Sort(self.sorted_by, self.is_reversed), styles, self.glyphs)
            return self._frame([(" " * GUTTER, styles["header"]), *titles], styles["header"], width)
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
            self._places = place_columns(self.columns, width, start=GUTTER, is_wide=self.is_wide)
            self._lines = {}
        return self._places

    def _find_styles(self) -> dict[str, Style]:
        """Return a style for each part; those of the row pointed at start with `+`."""

        def part(name: str) -> Style:
            return self.get_component_rich_style(f"table--{name}", partial=True)

        base = self.rich_style
        bar = base + part("cursor")
        styles = {"": base, "+": bar}
        for name in (*ROLES, "pointer", "mark", "match", "empty"):
            styles[name] = base + part(name)
            styles[f"+{name}"] = bar + part(name)
        styles["match"] = part("match")
        styles["header"] = base + part("header")
        styles["sorted"] = styles["header"] + part("sorted")
        self._styles = styles
        return styles

    def _render_row(self, row_id: str, width: int) -> Strip:
        row = self._rows.cells(row_id)
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
            text = fit(text, cell_width, ellipsis=glyphs.ellipsis, is_right=is_right, cut=self.columns[index].cut)
            style = styles.get(prefix + role, base)
            parts += mark_parts(text, style, styles["match"], self._find_marks(index, text)) if self._find_marks else [(text, style)]
            parts.append((" " * GAP, base))
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
