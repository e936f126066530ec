"""Names in any script, emoji and marks keep tables, texts and lines aligned: counted in cells, in the console and on a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
from fleet_tui.skins import glyphs_for
from screens.cell_shadow import split_cells
from screens.line_filter import Terminal
from screens.widgets.cells import fit, measure

from tests.integration.engines import engine, until
from tests.ui.fleet import Fleet, Seat, sit
from tests.ui.pty_screen import PtyScreen

TITLES = {
    "plain": "outline the parser of commands",
    "wide": "数値計算の並列化と最適化について",
    "wide and narrow": "修正 api.py の 12 行目 (日本語)",
    "hangul": "명령줄 도움말을 다시 쓰기",
    "combining": "re\u0301sume\u0301 des e\u0301tapes du pipeline",
    "accents": "Größe ändern, naïve façade",
    "emoji": "🚀 ship it 🎉 and rest 💤 for a while",
    "joined": "👩‍🚀 with 👨‍👩‍👧‍👦 and 🏳️‍🌈 in one",
    "flags and tones": "🇨🇭 to 🇯🇵 with 👍🏽 and ❤️ inside",
    "keycap and sign": "step 1️⃣ of 3️⃣ ⚠️ careful",
    "devanagari": "क्षमता की जाँच करना",
    "arabic": "مراجعة الواجهة البرمجية",
    "full width": "Ｆｕｌｌ　ｗｉｄｔｈ　ｔｉｔｌｅ",
}
"""What names may hold."""
SIZES = ((80, 24), (120, 40), (200, 60))
TERMINALS = {"unicode": Terminal(), "ascii": Terminal(is_ascii=True), "plain": Terminal(is_plain=True)}


@pytest.mark.parametrize("cut", ["end", "middle"])
@pytest.mark.parametrize("title", TITLES.values(), ids=TITLES)
def test_a_text_takes_just_the_cells_it_is_given(title: str, cut: str) -> None:
    for width in range(measure(title) + 4):
        for is_right in (False, True):
            text = fit(title, width, cut=cut, is_right=is_right)
            assert measure(text) == width, text
            assert len(split_cells(text)) == width, text


def assert_aligned(seat: Seat) -> None:
    """Every row has its columns where the titles are, and no line is longer or shorter than the terminal is wide."""
    for strip in seat.app.screen._compositor.render_strips():
        assert sum(measure(piece.text) for piece in strip) == seat.app.size.width, strip.text
    table = seat.table
    places = {table.columns[place.column].id: place for place in table._find_places()}
    top = table.region.y + 1
    lines = seat.text.splitlines()[top : top + len(table.shown_ids)]
    assert len(lines) == len(table.shown_ids)
    state, pool = places["state"], places["pool"]
    for line in lines:
        cells = split_cells(line)
        assert "".join(cells[state.x : state.x + state.width]).strip().endswith("succeeded"), line
        assert cells[state.x - 1] == " ", line
        assert "".join(cells[pool.x : pool.x + pool.width]).strip() == "coder", line


@pytest.mark.parametrize("look", TERMINALS)
async def test_columns_stay_where_their_titles_are(look: str) -> None:
    terminal = TERMINALS[look]
    fleet = Fleet()
    async with sit(fleet, SIZES[0], glyphs=glyphs_for(terminal), terminal=terminal) as seat:
        await fleet.ready()
        for title in TITLES.values():
            await fleet.submit(title)
        await seat.current()
        for size in SIZES:
            await seat.resize(size)
            await seat.open("tasks")
            await seat.until(lambda: len(seat.table.shown_ids) == len(TITLES))
            assert_aligned(seat)
            await seat.open("tasks /-r 数|🚀|👩|🇨|Ｆ", "tasks")
            await seat.until(lambda: len(seat.table.shown_ids) == 5)
            assert_aligned(seat)


async def test_texts_are_as_wide_as_the_terminal() -> None:
    fleet = Fleet()
    async with sit(fleet, (80, 24)) as seat:
        await fleet.ready()
        tasks = [await fleet.submit(title) for title in TITLES.values()]
        await seat.current()
        for line in ("events", *(f"tasks /{task}" for task in tasks)):
            await seat.open(line)
            if line != "events":
                await seat.press("enter")
                await seat.read()
            for strip in seat.app.screen._compositor.render_strips():
                assert sum(measure(piece.text) for piece in strip) == 80, strip.text


@pytest.mark.xdist_group("terminal")
def test_columns_stay_aligned_on_a_terminal_that_counts_otherwise(tmp_path: Path) -> None:
    """The terminal here takes each part of a joined emoji for two cells, as many do: what follows is placed, not appended."""
    with engine(tmp_path) as subject:
        for title in TITLES.values():
            subject.run("submit", "noop", "coder", "--title", title).check_returncode()
        until(lambda: subject.get("status")["tasks"]["by_state"].get("succeeded", 0) == len(TITLES))
        with PtyScreen(subject.command(), env=subject.environment | {"LANG": "C.UTF-8"}) as screen:
            screen.wait_text("LIVE")
            screen.send(b":tasks\r")
            screen.wait(lambda shown: shown.text.count("succeeded") == len(TITLES))
            for keys in (b"jjj", b"GG", b"w", b"w"):
                screen.send(keys)
                screen.count_bytes(0.5)
            columns = {x for row in screen.screen.buffer.values() for x, cell in row.items() if cell.data == "✓"}
            assert len(columns) == 1
            assert screen.text.count("succeeded") == len(TITLES)
