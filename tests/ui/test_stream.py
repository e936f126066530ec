"""The stream: bounded, followed or paused, wrapped or cut, searched in context, and drawn by the caller's tick."""

from __future__ import annotations

import pytest
from screens.widgets.cells import Cell, Row
from screens.widgets.stream import Stream
from screens.widgets.stream_lines import WRAPPED_LINES_MAX, Part, Pattern, lay_out_line, wrap
from textual.app import App, ComposeResult
from textual.geometry import Region
from themes import CSS_PATHS, THEMES

from tests.ui.conftest import Snap, screen_text


def make_line(number: int) -> Row:
    role = "bad" if number % 10 == 0 else ""
    return (
        Cell(f"12:00:{number:03d}", "dim"),
        Cell("FAIL" if role else "INFO", role),
        f"task {number} done",
    )


class StreamApp(App[None]):
    CSS_PATH = CSS_PATHS

    def __init__(self, lines_max: int = 100) -> None:
        super().__init__()
        self.stream = Stream(lines_max=lines_max)
        self.changes = 0
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = "fleet-dark"

    def compose(self) -> ComposeResult:
        yield self.stream

    def on_mount(self) -> None:
        self.stream.focus()

    def on_stream_changed(self) -> None:
        self.changes += 1

    def push(self, first: int, last: int) -> None:
        self.stream.push(make_line(number) for number in range(first, last))
        self.stream.tick(float(last))


def lines_of(app: StreamApp) -> list[str]:
    return [line.strip() for line in screen_text(app).splitlines()]


async def test_follows_the_newest_line() -> None:
    app = StreamApp()
    async with app.run_test(size=(40, 5)) as pilot:
        assert lines_of(app)[0] == "no events yet"
        app.push(0, 3)
        await pilot.pause()
        assert lines_of(app) == [
            "12:00:000 FAIL task 0 done",
            *(f"12:00:00{n} INFO task {n} done" for n in (1, 2)),
            "",
            "",
        ]
        app.push(3, 20)
        await pilot.pause()
        assert [line[-7:] for line in lines_of(app)] == [f"{n} done" for n in range(15, 20)]


async def test_paused_view_stands_still_and_says_what_is_newer() -> None:
    app = StreamApp()
    async with app.run_test(size=(60, 5)) as pilot:
        app.push(0, 20)
        await pilot.press("s")
        assert not app.stream.is_following
        app.push(20, 33)
        await pilot.pause()
        assert [line.split()[-2] for line in lines_of(app)[:4]] == ["16", "17", "18", "19"]
        assert [line.startswith("▶") for line in lines_of(app)[:4]] == [False, False, False, True], "what a key would open"
        assert lines_of(app)[4] == "paused, 13 newer below"
        await pilot.press("pageup", "up")
        assert lines_of(app)[0].endswith("task 12 done")
        await pilot.press("home")
        assert lines_of(app)[0].endswith("task 0 done")
        await pilot.press("end")
        assert app.stream.is_following
        assert lines_of(app)[4].endswith("task 32 done")
        await pilot.press("up", "down")
        assert app.stream.is_following
        assert app.changes == 7


async def test_oldest_lines_leave_and_are_counted() -> None:
    app = StreamApp(lines_max=10)
    async with app.run_test(size=(60, 6)) as pilot:
        app.push(0, 8)
        assert app.stream.left_out_count == 0
        app.push(8, 25)
        app.stream.push([make_line(25)], left_out=400)
        app.stream.tick(100.0)
        await pilot.pause()
        assert app.stream.left_out_count == 416
        assert lines_of(app)[5] == "416 lines left out"
        await pilot.press("home")
        assert lines_of(app)[0].endswith("task 16 done")
        app.push(26, 160)
        await pilot.pause()
        assert lines_of(app)[0].endswith("task 150 done")
        await pilot.press("z")
        assert app.stream.left_out_count == 0
        assert lines_of(app)[0] == "no events yet"


async def test_search_keeps_the_lines_around() -> None:
    app = StreamApp()
    async with app.run_test(size=(60, 7)) as pilot:
        app.push(0, 45)
        assert app.stream.search("fail") == 0 + 5
        await pilot.pause()
        assert "▶ 12:00:040 FAIL" in screen_text(app)
        assert lines_of(app)[0].endswith("task 38 done")
        assert lines_of(app)[-1] == "paused, 1 newer below · /fail: match 5 of 5"
        await pilot.press("N")
        assert "▶ 12:00:030 FAIL" in screen_text(app)
        await pilot.press("n", "n")
        assert "▶ 12:00:000 FAIL" in screen_text(app)
        app.push(45, 61)
        await pilot.press("N")
        assert "▶ 12:00:060 FAIL" in screen_text(app)
        assert app.stream.match_count == 7
        assert app.stream.search("FAILED") == 0
        assert app.stream.search("") == 0
        await pilot.press("n")


async def test_matches_leave_with_their_lines() -> None:
    app = StreamApp(lines_max=10)
    async with app.run_test(size=(60, 7)):
        app.push(0, 10)
        assert app.stream.search("task 1 ") == 1
        app.push(10, 30)
        assert app.stream.match_count == 0


async def test_wraps_between_words_under_the_text() -> None:
    app = StreamApp()
    async with app.run_test(size=(30, 6)) as pilot:
        app.stream.push([("12:00", "one two three four five six seven")])
        app.stream.tick(0.0)
        await pilot.pause()
        assert screen_text(app).splitlines()[0] == "  12:00 one two three four fi…"
        await pilot.press("w")
        assert screen_text(app).splitlines()[:2] == [
            "  12:00 one two three four",
            "        five six seven",
        ]


async def test_draws_on_ticks_only_and_at_most_four_times_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = StreamApp()
    async with app.run_test(size=(40, 5)):
        draws: list[tuple[Region, ...]] = []
        monkeypatch.setattr(app.stream, "refresh", lambda *regions, **_: draws.append(regions))
        for tick in range(100):
            app.stream.push([make_line(tick)])
            app.stream.tick(tick / 10)
        assert 30 <= len(draws) <= 40
        draws.clear()
        app.stream.tick(1000.0)
        for tick in range(100):
            app.stream.tick(2000.0 + tick)
        assert len(draws) <= 1


async def test_wheel_scrolls(snap: Snap) -> None:
    app = StreamApp()
    async with app.run_test(size=(60, 8)) as pilot:
        app.push(0, 45)
        await pilot.pause()
        await pilot._post_mouse_events([_wheel_up()], Stream)
        await pilot.pause()
        assert not app.stream.is_following
        app.stream.search("fail")
        await snap(pilot)


def _wheel_up() -> type:
    from textual.events import MouseScrollUp

    return MouseScrollUp


def test_a_line_without_cells_is_empty() -> None:
    assert lay_out_line((), 10, is_wrapped=True) == [[]]


def test_a_huge_line_ends_with_an_ellipsis() -> None:
    lines = lay_out_line(("x" * 10_000,), 10, is_wrapped=True)
    assert len(lines) == WRAPPED_LINES_MAX
    assert lines[-1][-1].text == "xxxxxxxxx…"


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("one two", 7, ["one two"]), ("one two", 4, ["one", "two"]), ("one two", 5, ["one", "two"]),
        ("onetwothree", 4, ["onet", "woth", "ree"]), ("翻訳者 です", 6, ["翻訳者", "です"]), ("", 4, [""]),
    ],
)  # fmt: skip
def test_wraps_by_cells(text: str, width: int, expected: list[str]) -> None:
    assert wrap(text, width) == expected


def test_marks_matches_across_cells() -> None:
    marked = Pattern("lo w").mark([Part("hello", "good"), Part(" "), Part("world")])
    assert marked == [
        Part("hel", "good"), Part("lo", "good", is_match=True), Part(" ", "", is_match=True),
        Part("w", "", is_match=True), Part("orld"),
    ]  # fmt: skip


def test_capital_letters_search_exactly() -> None:
    assert Pattern("fail").is_in((Cell("FAIL", "bad"),))
    assert not Pattern("Fail").is_in((Cell("FAIL", "bad"),))
    assert Pattern("x").mark([Part("İx")])[1].is_match
