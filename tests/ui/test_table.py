"""The table: rows by id, sorting, filtering, marks, columns that leave, and only changed lines drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from screens.widgets.cells import ASCII, UNICODE, Cell, Glyphs, Row, clean, clip, fit, measure
from screens.widgets.columns import Column, choose_columns, place_columns, share_width
from screens.widgets.rows import Rows
from screens.widgets.table import ARRIVAL_S, Table
from textual.app import App, ComposeResult
from textual.events import MouseScrollDown
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
        self, count: int = 50, glyphs: Glyphs = UNICODE, *, has_long_bar: bool = False, now: Callable[[], float] | None = None
    ) -> None:
        super().__init__()
        self.at = 0.0
        self.table = Table(COLUMNS, empty="no agents match", glyphs=glyphs, has_long_bar=has_long_bar, now=now)
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

    def on_table_unsettled(self, message: Table.Unsettled) -> None:
        self.said.append(("unsettled", message.text))

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


def test_a_held_pointer_stays_with_its_row_or_its_place() -> None:
    rows = Rows()
    rows.fill(list("abcd"), [(key,) for key in "abcd"])
    assert rows.pointed == "a"
    rows.pointed, rows.is_held = "c", True
    rows.sort(lambda row_id: -ord(row_id))
    assert (rows.pointed, rows.find("c")) == ("c", 1)
    rows.update({}, removed=["c"])
    assert rows.pointed == "b"
    rows.update({}, removed=["a", "b", "d"])
    assert rows.pointed is None
    rows.update({"e": ("e",)})
    assert rows.pointed == "e"


def test_a_pointer_that_nobody_moved_rests_on_the_first_row() -> None:
    rows = Rows()
    keys = {"a": 1, "b": 2, "c": 3}
    rows.fill(list(keys), [(key,) for key in keys])
    rows.sort(keys.__getitem__)
    assert rows.pointed == "a"
    keys["a"] = 9
    rows.update({"a": ("a",)})
    assert rows.pointed == "b"
    rows.sort(keys.__getitem__, is_reversed=True)
    assert rows.pointed == "a"


def test_a_held_row_that_the_filter_hides_is_let_go_of() -> None:
    rows = Rows()
    rows.fill(list("abcd"), [(key,) for key in "abcd"])
    rows.pointed, rows.is_held = "c", True
    rows.filter(lambda row_id: row_id != "a")
    assert (rows.pointed, rows.is_held) == ("c", True)
    rows.filter(lambda row_id: row_id in "bd", ["b", "d"])
    assert (rows.pointed, rows.is_held, rows.order) == ("b", False, ["b", "d"])


class RowsModel(RuleBasedStateMachine):
    """Whatever happens to rows, they are those that pass, in the order of their keys and then of their ids, or as they came."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = Rows()
        self.keys: dict[str, int] = {}
        self.turns: dict[str, int] = {}
        self.turn = 0
        self.sort: tuple[bool, bool] = (False, False)
        self.limit = 0

    @rule(row_id=st.sampled_from("abcdefgh"), key=st.integers(0, 3))
    def put(self, row_id: str, key: int) -> None:
        if row_id not in self.keys:
            self.turn += 1
            self.turns[row_id] = self.turn
        self.keys[row_id] = key
        self.rows.update({row_id: (str(key),)})

    @rule(row_id=st.sampled_from("abcdefgh"))
    def take(self, row_id: str) -> None:
        self.keys.pop(row_id, None)
        self.rows.update({}, [row_id])

    @rule(is_sorted=st.booleans(), is_reversed=st.booleans())
    def arrange(self, is_sorted: bool, is_reversed: bool) -> None:  # noqa: FBT001
        self.sort = (is_sorted, is_reversed)
        self.rows.sort(self.keys.__getitem__ if is_sorted else None, is_reversed=is_reversed)

    @rule(limit=st.integers(0, 3))
    def narrow(self, limit: int) -> None:
        self.limit = limit
        self.rows.filter((lambda row_id: self.keys[row_id] >= limit) if limit else None)

    @rule(data=st.data())
    def hold(self, data: st.DataObject) -> None:
        if self.rows.order:
            self.rows.pointed, self.rows.is_held = data.draw(st.sampled_from(self.rows.order)), True

    @invariant()
    def check(self) -> None:
        wanted = sorted((row_id for row_id, key in self.keys.items() if key >= self.limit), key=self.turns.__getitem__)
        if self.sort[0]:
            wanted.sort()
            wanted.sort(key=self.keys.__getitem__, reverse=self.sort[1])
        assert self.rows.order == wanted
        assert [self.rows.find(row_id) for row_id in wanted] == list(range(len(wanted)))
        assert (self.rows.pointed in wanted) if wanted else self.rows.pointed is None
        assert self.rows.is_held or self.rows.pointed == (wanted[0] if wanted else None)


TestRows = RowsModel.TestCase


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
        assert app.said[-1] == ("sorted", "load", True)
        assert "LOAD▼" in screen_text(app)
        await pilot.click(Table, offset=(30, 0))
        await pilot.pause()
        assert app.said[-1] == ("sorted", "load", False)


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


async def test_view_and_pointer_stay_at_the_top_while_nobody_points() -> None:
    app = TableApp()
    async with app.run_test(size=(50, 10)) as pilot:
        app.table.sort_by("load", is_reversed=True)
        await pilot.pause()
        assert app.table.pointed_id == "agt_27"
        assert app.table.held_id is None
        assert "▶ agt_27 " in screen_text(app).splitlines()[1]
        await pilot.press("j", "g")
        assert app.table.held_id is None


async def test_no_verb_acts_on_what_has_only_just_come_under_the_pointer() -> None:
    app = TableApp(now=lambda: app.at)
    async with app.run_test(size=(50, 10)):
        table = app.table
        table.update_rows({}, removed=["agt_0"])
        app.at += ARRIVAL_S / 2
        assert table.held_id is None
        assert table.settle() == "another row had just come here; it is held now, press again"
        assert table.held_id == "agt_1"
        assert table.settle() == ""
        table.update_rows({}, removed=["agt_1"])
        assert table.settle() == "the row was gone, this is the next one; press again"
        assert table.settle() == ""
        table.update_rows({}, removed=["agt_2"])
        app.at += ARRIVAL_S
        assert table.settle() == ""
        assert table.held_id == "agt_3"


async def test_what_rests_under_the_pointer_is_opened_however_new() -> None:
    app = TableApp(now=lambda: app.at)
    async with app.run_test(size=(50, 10)) as pilot:
        app.table.update_rows({}, removed=["agt_0"])
        await pilot.press("enter")
        assert app.said[-1] == ("opened", "agt_1")


async def test_a_row_that_somebody_chose_is_opened_wherever_it_goes() -> None:
    app = TableApp(now=lambda: app.at)
    async with app.run_test(size=(50, 10)) as pilot:
        app.table.sort_by("load")
        await pilot.press("j")
        chosen = app.table.pointed_id
        assert chosen is not None
        LOADS[chosen], before = 1_000, LOADS[chosen]
        try:
            app.table.update_rows({chosen: make_row(chosen)})
            await pilot.press("enter")
        finally:
            LOADS[chosen] = before
        assert app.said[-1] == ("opened", chosen)
        assert f"▶ {chosen} " in screen_text(app)


async def test_nothing_is_opened_that_is_out_of_view() -> None:
    app = TableApp()
    async with app.run_test(size=(50, 10)) as pilot:
        await pilot.press("j")
        app.table.post_message(MouseScrollDown(app.table, 5, 5, 0, 1, 0, shift=False, meta=False, ctrl=False))
        app.table.scroll_to(y=20, animate=False, immediate=True)
        app.table.update_rows({}, removed=["agt_40"])
        await pilot.pause()
        assert "agt_1 " not in screen_text(app)
        await pilot.press("enter")
        assert app.said[-1] == ("unsettled", "the row was out of view; here it is, press again")
        assert "▶ agt_1 " in screen_text(app)
        await pilot.press("enter")
        assert app.said[-1] == ("opened", "agt_1")


async def test_what_a_filter_met_is_marked() -> None:
    app = TableApp()
    async with app.run_test(size=(50, 10)) as pilot:
        app.table.filter_by(None, None, lambda column, text: [(0, 3)] if column == 0 else [])
        await pilot.pause()
        marked = [segment.text for segment in app.table.render_line(2) if segment.style is not None and segment.style.underline]
        assert marked == ["agt"]
        app.table.filter_by(None)
        assert not any(segment.style is not None and segment.style.underline for segment in app.table.render_line(2))


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


async def test_of_ten_thousand_rows_only_what_must_be_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [f"agt_{number:05d}" for number in range(10_000)]
    loads = {row_id: index * 7919 % 10_007 for index, row_id in enumerate(ids)}
    calls: Counter[str] = Counter()

    def find_load(row_id: str) -> int:
        calls["key"] += 1
        return loads[row_id]

    def is_even(row_id: str) -> bool:
        calls["filter"] += 1
        return loads[row_id] % 2 == 0

    def take() -> dict[str, int]:
        taken = dict(calls)
        calls.clear()
        return taken

    table = Table((Column("name", "AGENT", 12), Column("load", "LOAD", 6, align="right", key=find_load)))

    class BigApp(App[None]):
        def compose(self) -> ComposeResult:
            yield table

    async with BigApp().run_test(size=(120, 40)) as pilot:
        render = table._render_row
        monkeypatch.setattr(table, "_render_row", lambda *given: (calls.update(["row"]), render(*given))[1])
        table.set_rows(ids, [(row_id, str(loads[row_id])) for row_id in ids])
        await pilot.pause()
        assert take().get("row", 0) <= 2 * 39
        table.sort_by("load")
        await pilot.pause()
        assert take() == {"key": 10_000, "row": 39}
        table.filter_by(is_even, [row_id for row_id in ids if loads[row_id] % 2 == 0])
        await pilot.pause()
        assert take() == {"row": 39}, "what passes was given"
        table.filter_by(None)
        await pilot.pause()
        assert take() == {"row": 39}
        table.filter_by(is_even)
        await pilot.pause()
        take()
        table.update_rows({row_id: (row_id, "x") for row_id in ids[:500]})
        await pilot.pause()
        taken = take()
        assert (taken["key"], taken["filter"]) == (500, 500)
        assert taken.get("row", 0) <= 39


async def test_cells_are_made_when_they_are_seen_and_again_when_they_changed() -> None:
    made: Counter[str] = Counter()

    def present(row_id: str) -> Row:
        made[row_id] += 1
        return make_row(row_id)

    table = Table(COLUMNS, present=present)

    class LazyApp(App[None]):
        def compose(self) -> ComposeResult:
            yield table

    async with LazyApp().run_test(size=(50, 10)) as pilot:
        table.set_rows(list(LOADS))
        table.focus()
        await pilot.pause()
        assert made == Counter(list(LOADS)[:9])
        table.update_rows(dict.fromkeys(("agt_3", "agt_40")))
        await pilot.pause()
        assert (made["agt_3"], made["agt_40"]) == (2, 0)
        await pilot.press("G")
        assert "▶ agt_49 " in screen_text(pilot.app)
        assert made["agt_40"] == 0
        assert made["agt_49"] == 1
        table.sort_by("load")
        await pilot.pause()
        assert sum(made.values()) < 9 * 4


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
