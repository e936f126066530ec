"""A replay's comparison as text: figures in columns, charts of one scale."""

from __future__ import annotations

from typing import Any

import pytest
from screens.present_what_if import CHART_WIDTH, resampled, what_if_lines
from screens.widgets.cells import ASCII, PLAIN, UNICODE, Glyphs


def a_set(name: str, *series: list[tuple[float, int, float]]) -> dict[str, Any]:
    return {
        "name": name, "tasks": 60, "agent_s": 3_600.0, "utilisation": 0.5, "wait_p50_s": 0.0, "wait_p95_s": 2.5,
        "raised": 3, "lowered": 2, "direction_changes": 1, "drains": 0, "pools": [{"series": one} for one in series],
    }  # fmt: skip


FOUND = {
    "seconds": 400.0,
    "compared": [a_set("in force", [(0.0, 1, 0.0), (200.0, 8, 8.0)]), a_set("edited", [(0.0, 2, 0.0), (200.0, 4, 8.0)])],
}


def test_figures_stand_in_columns_and_charts_have_one_scale() -> None:
    lines = what_if_lines(FOUND, UNICODE)
    assert lines[0] == "6m40s, 60 tasks    in force     edited"
    assert lines[1].split() == ["agent-hours", "1.00", "1.00"]
    assert len({len(line) for line in lines[:6]}) == 1
    work, force, edited = lines[6:]
    assert work.split()[1].startswith("▁") and work.endswith("█  0 to 8")
    assert force.endswith("█  1 to 8")
    assert "█" not in edited, "half of the common scale"
    assert edited.endswith("2 to 4")
    assert max(map(len, lines)) <= 68, "it fits a dialog of 80 columns"


def test_a_size_holds_until_the_next_point_and_pools_add_up() -> None:
    one = a_set("x", [(0.0, 1, 0.0), (101.0, 5, 0.0)], [(0.0, 2, 0.0)])
    sizes = resampled(one, 400.0, 1)
    assert sizes == [3.0] * 10 + [7.0] * (CHART_WIDTH - 10)


@pytest.mark.parametrize("glyphs", [ASCII, PLAIN])
def test_without_blocks_the_ends_are_said(glyphs: Glyphs) -> None:
    lines = what_if_lines(FOUND, glyphs)
    assert all(line.isascii() for line in lines)
    assert lines[-1].endswith("2 to 4")
    assert len(lines[-1]) < 30 or not glyphs.is_plain
