"""The table: rows by id, sorting, filtering, marks, columns that leave, and only changed lines drawn."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import pytest
from screens.widgets.cells import ASCII, UNICODE, Cell, Glyphs, Row, clean, clip, fit, measure
from screens.widgets.columns import Column, choose_columns, place_columns, share_width
from screens.widgets.rows import Rows
from screens.widgets.table import Table
from textual.app import App, ComposeResult
from textual.geometry import Region
from themes import CSS_PATHS, THEMES

from tests.ui.conftest import Snap, screen_text

LOADS = {f"agt_{number}": number * 37 % 100 for number in range(50)}
COLUMNS = (
    Column("name", "AGENT", 8, flex=1, width_max=14),
    Column("state", "STATE", 9, priority=1),
    Column("load", "LOAD", 5, align="right", priority=2, key=LOADS.__getitem__),
    Column("pool", "POOL", 8, priority=3),
)


def make_row(row_id: str, load: int | None = None, name: str = "") -> Row:
    state = Cell("! late", "warn") if LOADS[row_id] > 90 else Cell("● running", "good")
    return (
        name or row_id,
        state,
        str(LOADS[row_id] if load is None else load),
        Cell("research", "dim"),
    )


class TableApp(App[None]):
    CSS_PATH = CSS_PATHS
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self, count: int = 50, glyphs: Glyphs = UNICODE, *, has_long_bar: bool = False
    ) -> None:
        super().__init__()
        self.table = Table(
            COLUMNS, empty="no agents match", glyphs=glyphs, has_long_bar=has_long_bar
        )
        self.ids = list(LOADS)[:count]
        self.said: list[object] = []
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = "fleet-dark"

    def compose(self) -> ComposeResult:
        yield self.table

    def on_mount(self) -> None:
        self.table.set_rows(self.ids, [make_row(row_id) for row_id in self.ids])
        self.table.focus()

    def on_table_pointed(self, message: Table.Pointed) -> None:
        self.said.append(("pointed", message.row_id))

    def on_table_opened(self, message: Table.Opened) -> None:
        self.said.append(("opened", message.row_id))

    def on_table_marked(self, message: Table.Marked) -> None:
        self.said.append(("marked", len(message.row_ids)))

    def on_table_sorted(self, message: Table.Sorted) -> None:
        self.said.append(("sorted", message.column_id, message.is_reversed))


def watch_lines(table: Table, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect the lines of the table that are asked to be drawn again; -1 is all of them."""
    lines: list[int] = []

    def refresh(*regions: Region, **_: object) -> Table:
        lines.extend([region.y for region in regions] or [-1])
        return table

    monkeypatch.setattr(table, "refresh", refresh)
    return lines


# Texts


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("short", 8, "short   "), ("exactly8", 8, "exactly8"), ("nine cell", 8, "nine ce…"), ("", 3, "   "),
        ("翻訳者です", 10, "翻訳者です"), ("翻訳者です", 9, "翻訳者で…"), ("翻訳者です", 8, "翻訳者… "), ("ab", 1, "…"),
        ("ab", 0, ""),
    ],
)  # fmt: skip
def test_fits_texts_by_cells(text: str, width: int, expected: str) -> None:
    assert fit(text, width) == expected
    assert measure(fit(text, width)) == width


def test_numbers_stand_on_the_right() -> None:
    assert fit("7", 3, is_right=True) == "  7"


def test_texts_cannot_steer_the_terminal() -> None:
    assert clean("a\x1b[2Jb\tc\u202ed\x9b") == "a·[2Jb c·d·"
    assert clip("ASCII text", 6, ASCII.ellipsis) == "ASCII~"


# Columns


def test_least_important_columns_leave_first() -> None:
    assert choose_columns(COLUMNS, 80) == [0, 1, 2, 3]
    assert choose_columns(COLUMNS, 24) == [0, 1, 2]
    assert choose_columns(COLUMNS, 20) == [0, 1]
    assert choose_columns(COLUMNS, 3) == [0]


def test_spare_width_goes_to_flexible_columns_up_to_their_bound() -> None:
    columns = (
        Column("a", "A", 4, flex=1),
        Column("b", "B", 4, flex=3, width_max=6),
        Column("c", "C", 4),
    )
    assert share_width(columns, 10) == [12, 6, 4]
    assert share_width(columns, 1) == [5, 4, 4]
    assert share_width(columns, 0) == [4, 4, 4]


def test_a_wide_table_keeps_all_columns() -> None:
    places = place_columns(COLUMNS, 20, start=2, is_wide=True)
    assert [place.column for place in places] == [0, 1, 2, 3]
    assert [place.x for place in places] == [2, 11, 21, 27]


# Rows


def test_sort_is_stable_and_reversible() -> None:
    rows = Rows()
    keys = {"a": 2, "b": 1, "c": 2, "d": 1}
    rows.fill(list(keys), [(key,) for key in keys])
    rows.sort(keys.__getitem__)
    assert rows.order == ["b", "d", "a", "c"]
    rows.sort(keys.__getitem__, is_reversed=True)
    assert rows.order == ["a", "c", "b", "d"]
    rows.sort(None)
    assert rows.order == ["a", "b", "c", "d"]


def test_rows_move_only_when_their_key_or_filter_says_so() -> None:
    rows = Rows()
    keys = {"a": 1, "b": 2, "c": 3}
    rows.fill(list(keys), [(key,) for key in keys])
    rows.sort(keys.__getitem__)
    assert rows.update({"b": ("b",)}) == ([], False)
    assert rows.update({"b": ("B",)}) == (["b"], False)
    keys["b"] = 9
    assert rows.update({"b": ("B",)}) == ([], True)
    assert rows.order == ["a", "c", "b"]
    rows.filter(lambda row_id: keys[row_id] < 5)
    assert rows.order == ["a", "c"]
    keys["b"], keys["c"] = 0, 7
    assert rows.update({"b": ("b!",), "c": ("c!",)}).is_moved
    assert rows.order == ["b", "a"]
    keys["d"] = 3
    assert rows.update({"d": ("d",)}, removed=["a"]).is_moved
    assert rows.order == ["b", "d"]


def test_the_pointer_stays_with_its_row_or_its_place() -> None:
    rows = Rows()
    rows.fill(list("abcd"), [(key,) for key in "abcd"])
    assert rows.pointed == "a"
    rows.pointed = "c"
    rows.sort(lambda row_id: -ord(row_id))
    assert (rows.pointed, rows.find("c")) == ("c", 1)
    rows.update({}, removed=["c"])
    assert rows.pointed == "b"
    rows.update({}, removed=["a", "b", "d"])
    assert rows.pointed is None
    rows.update({"e": ("e",)})
    assert rows.pointed == "e"


def test_a_given_order_goes_before_sort_and_filter() -> None:
    rows = Rows()
    rows.fill(list("abcd"), [(key,) for key in "abcd"])
    rows.give_order(["d", "gone", "a"])
    assert rows.order == ["d", "a"]
    rows.update({"b": ("B",)}, removed=["d"])
    assert rows.order == ["a"]
    rows.give_order(None)
    assert rows.order == ["a", "b", "c"]


def test_ranges_and_inverted_marks_follow_the_shown_order() -> None:
    rows = Rows()
    rows.fill(list("abcde"), [(key,) for key in "abcde"])
    rows.pointed = "b"
    rows.toggle_mark("b")
    rows.pointed = "d"
    rows.mark_range()
    assert rows.marked == set("bcd")
    rows.filter(lambda row_id: row_id != "c")
    rows.invert_marks()
    assert rows.marked == set("ace")
    rows.update({}, removed=["a"])
    assert rows.marked == set("ce")


# The widget


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["j", "down"], "agt_2"), (["G"], "agt_49"), (["end", "k"], "agt_48"), (["pagedown"], "agt_8"),
        (["ctrl+f", "ctrl+f", "ctrl+b"], "agt_8"), (["G", "g"], "agt_0"), (["up"], "agt_0"), (["ctrl+f", "ctrl+u"], "agt_4"),
    ],
)  # fmt: skip
async def test_keys_move_the_pointer(keys: list[str], expected: str) -> None:
    app = TableApp()
    async with app.run_test(size=(50, 10)) as pilot:
        await pilot.press(*keys)
        assert app.table.pointed_id == expected
        assert f"▶ {expected} " in screen_text(app)


async def test_says_what_happens_by_id() -> None:
    app = TableApp()
    async with app.run_test(size=(50, 10)) as pilot:
        await pilot.press("j", "space", "j", "V", "enter", "*")
        await pilot.pause()
        assert app.said == [
            ("pointed", "agt_0"), ("pointed", "agt_1"), ("marked", 1), ("pointed", "agt_2"), ("marked", 2),
            ("opened", "agt_2"), ("marked", 48),
        ]  # fmt: skip
        app.table.clear_marks()
        assert app.table.marked_ids == frozenset()


async def test_mouse_points_opens_and_sorts() -> None:
    app = TableApp()
    async with app.run_test(size=(50, 10)) as pilot:
        await pilot.pause()
        app.said.clear()
        await pilot.click(Table, offset=(5, 3))
        await pilot.double_click(Table, offset=(5, 4))
        await pilot.click(Table, offset=(30, 0))
        await pilot.pause()
        assert app.said[:2] == [("pointed", "agt_2"), ("pointed", "agt_3")]
        assert ("opened", "agt_3") in app.said
        assert app.said[-1] == ("sorted", "load", False)
        await pilot.click(Table, offset=(30, 0))
        await pilot.pause()
        assert app.said[-1] == ("sorted", "load", True)
        assert "LOAD▼" in screen_text(app)


async def test_pointer_and_view_follow_a_row_that_moves() -> None:
    app = TableApp()
    async with app.run_test(size=(50, 10)) as pilot:
        await pilot.press("j")
        app.table.sort_by("load")
        await pilot.pause()
        assert app.table.pointed_id == "agt_1"
        assert "▶ agt_1 " in screen_text(app)
        app.table.update_rows({}, removed=["agt_1"])
        await pilot.pause()
        assert app.table.pointed_id == "agt_47"


async def test_view_stays_at_the_top_while_nobody_points() -> None:
    app = TableApp()
    async with app.run_test(size=(50, 10)) as pilot:
        app.table.sort_by("load", is_reversed=True)
        await pilot.pause()
        assert app.table.pointed_id == "agt_0"
        assert "agt_27 " in screen_text(app).splitlines()[1]


async def test_draws_only_the_lines_that_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    app = TableApp()
    async with app.run_test(size=(50, 10)) as pilot:
        await pilot.pause()
        lines = watch_lines(app.table, monkeypatch)
        change: Callable[..., None] = app.table.update_rows
        change({row_id: make_row(row_id) for row_id in app.ids})
        assert lines == []
        change({"agt_3": make_row("agt_3", load=5), "agt_40": make_row("agt_40", load=5)})
        assert lines == [4]
        await pilot.press("j")
        assert sorted(lines[1:]) == [1, 2]


async def test_filter_and_empty_state() -> None:
    app = TableApp()
    async with app.run_test(size=(50, 6)) as pilot:
        app.table.filter_by(lambda row_id: LOADS[row_id] > 200)
        await pilot.pause()
        assert screen_text(app).splitlines()[1] == "  no agents match"
        assert app.table.pointed_id is None
        await pilot.press("j", "enter", "space", "V", "G")
        app.table.filter_by(lambda row_id: LOADS[row_id] > 90)
        await pilot.pause()
        assert list(app.table.shown_ids) == [row_id for row_id in app.ids if LOADS[row_id] > 90]
        app.table.show_only(["agt_9", "agt_4"])
        assert list(app.table.shown_ids) == ["agt_9", "agt_4"]
        app.table.show_only(None)
        app.table.filter_by(None)
        assert app.table.point_at("agt_30")
        assert not app.table.point_at("agt_999")


async def test_narrow_drops_columns_and_wide_scrolls_sideways() -> None:
    app = TableApp()
    async with app.run_test(size=(24, 6)) as pilot:
        await pilot.pause()
        assert app.table.hidden_column_count == 2
        assert "POOL" not in screen_text(app)
        app.table.is_wide = True
        await pilot.press("right")
        assert app.table.hidden_column_count == 0
        first = screen_text(app).splitlines()[1]
        assert first.startswith("▶ agt_0")
        await pilot.press("right", "right")
        assert "POOL" in screen_text(app)
        await pilot.press("left", "left", "left", "left")
        assert "STATE" in screen_text(app)


async def test_resize_keeps_the_pointer_in_place() -> None:
    app = TableApp()
    async with app.run_test(size=(80, 30)) as pilot:
        await pilot.press(*["j"] * 20)
        await pilot.resize_terminal(30, 8)
        await pilot.press("j")
        assert app.table.pointed_id == "agt_21"
        assert "▶ agt_21" in screen_text(app)


async def test_looks_as_approved(snap: Snap) -> None:
    app = TableApp()
    async with app.run_test(size=(60, 12)) as pilot:
        app.table.update_rows({"agt_2": make_row("agt_2", name="翻訳者 with a long name")})
        app.table.sort_by("load", is_reversed=True)
        app.table.point_at("agt_30")
        await pilot.press("space", "j")
        await snap(pilot)
        await pilot.resize_terminal(30, 12)
        await snap(pilot, "narrow")


async def test_looks_as_approved_in_ascii(snap: Snap) -> None:
    app = TableApp(glyphs=ASCII, has_long_bar=True)
    async with app.run_test(size=(60, 6)) as pilot:
        await pilot.press("j", "space", "j")
        await snap(pilot)


# What it costs


async def test_ten_thousand_rows_stay_quick() -> None:
    ids = [f"agt_{number:05d}" for number in range(10_000)]
    loads = {row_id: index * 7919 % 10_007 for index, row_id in enumerate(ids)}
    columns = (
        Column("name", "AGENT", 12),
        Column("load", "LOAD", 6, align="right", key=loads.__getitem__),
    )
    table = Table(columns)

    class BigApp(App[None]):
        def compose(self) -> ComposeResult:
            yield table

    async with BigApp().run_test(size=(120, 40)) as pilot:
        rows = [(row_id, str(loads[row_id])) for row_id in ids]
        steps: list[tuple[str, float, Callable[[], object]]] = [
            # Limits are several times what a slow two-core machine takes: they catch work by the row, not noise.
            ("set", 0.25, lambda: table.set_rows(ids, rows)),
            ("sort", 0.25, lambda: table.sort_by("load")),
            ("filter", 0.25, lambda: table.filter_by(lambda row_id: loads[row_id] % 2 == 0)),
            (
                "update",
                0.25,
                lambda: table.update_rows({row_id: (row_id, "0") for row_id in ids[:500]}),
            ),
            ("move", 0.05, lambda: table._action_step(1)),
        ]
        for name, limit_s, step in steps:
            start = perf_counter()
            step()
            took = perf_counter() - start
            print(f"{name}: {took * 1000:.2f} ms")
            assert took < limit_s, name
            await pilot.pause()


async def test_grows_and_shrinks_past_the_height() -> None:
    app = TableApp(count=3)
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        assert not app.table.show_vertical_scrollbar
        ids = list(LOADS)
        app.table.update_rows({row_id: make_row(row_id) for row_id in ids})
        await pilot.press("end")
        assert app.table.show_vertical_scrollbar
        assert "▶ agt_49" in screen_text(app).splitlines()[-1]
        app.table.update_rows({}, removed=ids[5:])
        await pilot.pause()
        assert not app.table.show_vertical_scrollbar
        assert "▶ agt_4 " in screen_text(app)
        assert "agt_0 " in screen_text(app)


async def test_starts_empty() -> None:
    app = TableApp(count=0)
    async with app.run_test(size=(40, 5)) as pilot:
        await pilot.press("j", "enter", "V", "*")
        assert app.table.pointed_id is None
        assert app.said == []
        assert "no agents match" in screen_text(app)
