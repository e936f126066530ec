"""Dashboards as data: what is right, what is refused and where, how widgets fill the columns of any terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from engine.model.dashboards import (
    DashboardError,
    Widget,
    WidgetKind,
    look,
    read_dashboard,
    to_values,
)
from engine.model.errors import NotFound, UsageError
from fleet_tui.boards import Boards, read_board
from fleet_tui.subcommands import cli
from hypothesis import given
from hypothesis import strategies as st
from screens.present_boards import (
    GROWING_LEAST,
    columns_for,
    figure_parts,
    flow,
    heights_of,
    spark,
    value_cell,
)
from screens.pulse import PULSE
from screens.widgets.cells import ASCII, PLAIN, UNICODE

NUMBER = {"kind": "number", "metric": "load"}


def board(*widgets: dict[str, Any], **more: Any) -> Any:
    return read_dashboard("mine", {"widgets": widgets, **more})


@pytest.mark.row(228)
def test_a_dashboard_has_an_id_a_name_widgets_a_layout_and_asks_each_thirty_seconds() -> None:
    found = board(NUMBER, {"kind": "table", "rows": "tasks", "filter": "state=failed"})
    assert (found.id, found.name, found.columns, found.refresh_s) == ("mine", "mine", 2, 30.0)
    assert [widget.id for widget in found.widgets] == ["number-1", "table-2"]
    assert board(NUMBER, refreshInterval=5_000).refresh_s == 5


@pytest.mark.row(228)
@pytest.mark.parametrize(
    ("widget", "key", "words"),
    [
        ({"kind": "pie", "metric": "load"}, "kind", "kind is one of"),
        ({"kind": "number"}, "kind", "needs metric"),
        ({"kind": "number", "metric": "lod"}, "metric", "did you mean 'load'"),
        ({"kind": "gauge", "metric": "load"}, "metric", "a gauge shows a ratio"),
        ({"kind": "heatmap", "metric": "events"}, "metric", "figure of pools"),
        ({"kind": "number", "metric": "events", "of": "coder"}, "of", "figure of the fleet"),
        ({"kind": "number", "metric": "agent_cpu"}, "metric", "figure of one agent"),
        ({"kind": "number", "metric": "load", "last": "2h"}, "last", "one of 1h, 24h, 7d, 30d"),
        ({"kind": "number", "metric": "load", "quantile": 42}, "quantile", "one of 50, 95, 99"),
        ({"kind": "number", "metric": "load", "span": 0}, "span", "from 1 to 6"),
        ({"kind": "number", "metric": "load", "lines": True}, "lines", ""),
        ({"kind": "number", "metric": "load", "warn": "much"}, "warn", ""),
        ({"kind": "number", "metric": "load", "colour": "red"}, "colour", "no key 'colour'"),
        ({"kind": "number", "metric": "load", "text": "x"}, "text", "a number has no text"),
        ({"kind": "table"}, "kind", "needs rows"),
        ({"kind": "table", "rows": "task"}, "rows", "did you mean 'tasks'"),
        ({"kind": "table", "rows": "events"}, "rows", "no rows 'events'"),
        ({"kind": "table", "rows": "tasks", "filter": "stat=failed"}, "filter", "stat"),
        ({"kind": "text"}, "kind", "needs text"),
        ({"kind": "number", "metric": "load", "id": "Big one"}, "id", "no name for a widget"),
    ],
)
def test_what_is_wrong_with_a_widget_is_said_with_its_key(widget: dict[str, Any], key: str, words: str) -> None:
    with pytest.raises(DashboardError) as caught:
        board(NUMBER, widget)
    assert (caught.value.widget, caught.value.key) == (1, key)
    assert str(caught.value).startswith("widget 2: ") and words in str(caught.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "1 to 60 widgets"),
        ({"widgets": "number"}, "1 to 60 widgets"),
        ({"widgets": [NUMBER] * 61}, "1 to 60 widgets"),
        ({"widgets": ["number"]}, "a table of keys"),
        ({"widgets": [NUMBER], "columns": 0}, "columns is a number from 1 to 6"),
        ({"widgets": [NUMBER], "refresh_s": 0.5}, "refresh_s is a number from 1 to 3600"),
        ({"widgets": [NUMBER], "refreshInterval": "soon"}, "refresh_s"),
        ({"widgets": [NUMBER], "colums": 3}, "did you mean 'columns'"),
        ({"widgets": [{**NUMBER, "id": "a"}, {**NUMBER, "id": "a"}]}, "another widget is called 'a'"),
    ],
)
def test_what_is_wrong_with_a_dashboard_is_said(values: dict[str, Any], words: str) -> None:
    with pytest.raises(DashboardError, match=".*") as caught:
        read_dashboard("mine", values)
    assert words in str(caught.value)


def test_every_dashboard_is_read_back_from_its_own_values() -> None:
    ours = Boards()
    for found in [PULSE, *(ours.get(name) for name in ours.names())]:
        assert read_dashboard(found.id, to_values(found)) == found


@pytest.mark.row(228)
def test_limits_colour_high_figures_or_low_ones() -> None:
    high = Widget(WidgetKind.NUMBER, warn=5, bad=10)
    assert [high.role_of(value) for value in (None, 4, 5, 10)] == ["", "", "warn", "bad"]
    low = Widget(WidgetKind.NUMBER, warn=0.5, bad=0.2)
    assert [low.role_of(value) for value in (0.6, 0.5, 0.2)] == ["", "warn", "bad"]
    assert value_cell(high, 12.0, "ms", UNICODE).text == "✕ 12 ms"
    assert value_cell(high, 12.0, "ms", ASCII).text == "x 12 ms"
    assert value_cell(high, None, "ms", UNICODE).text == "–"


# ---- files


def test_a_file_says_line_and_widget_of_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('name = "Mine"\n# two\n[[widgets]]\nkind = "number"\nmetric = "load"\n\n[[widgets]]\nkind = "gauge"\nmetric = "load"\n')
    with pytest.raises(UsageError, match="mine.toml line 9: widget 2: a gauge shows a ratio"):
        read_board(file)
    file.write_text('name = "Mine"\ncolumns = 9\n[[widgets]]\nkind = "text"\ntext = "x"\n')
    with pytest.raises(UsageError, match="mine.toml line 2: columns"):
        read_board(file)
    file.write_text("name = 'Mine\n")
    with pytest.raises(UsageError, match="mine.toml"):
        read_board(file)


def test_a_file_of_the_user_counts_more_than_ours_and_an_unknown_name_says_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "work.toml").write_text('name = "My work"\n[[widgets]]\nkind = "text"\ntext = "x"\n')
    (tmp_path / "broken.toml").write_text("columns = 1\n")
    boards = Boards(tmp_path)
    assert boards.get("work").name == "My work"
    assert [name for name, _ in boards.listed()] == ["broken", "work", "engine"]
    assert "1 to 60 widgets" in dict(boards.listed())["broken"]
    with pytest.raises(NotFound, match="did you mean 'work'"):
        boards.get("wrk")
    with pytest.raises(NotFound, match="makes one"):
        boards.get("../console")


def test_the_command_line_lists_checks_and_writes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    own = tmp_path / "fleet-tui" / "dashboards"
    own.mkdir(parents=True)
    runner = CliRunner()
    copied = runner.invoke(cli, ["dashboards", "show", "work", "-o", "toml"])
    assert copied.exit_code == 0
    (own / "mine.toml").write_text(copied.output)
    assert runner.invoke(cli, ["dashboards", "check", str(own / "mine.toml")]).exit_code == 0
    listed = runner.invoke(cli, ["dashboards"])
    assert listed.output.split()[:2] == ["mine", "Work"]


# ---- what a program gets


@pytest.mark.row(228)
async def test_a_look_answers_every_widget_and_says_what_cannot_be_answered() -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    async def ask(what: str, **parameters: Any) -> Any:
        asked.append((what, parameters))
        if what == "pools-heat":
            return {"unit": "ratio", "since": 0, "step_s": 60, "pools": {"coder": [None, 0.5]}}
        if what == "history" and parameters["metric"] == "events":
            raise UsageError("no figures are kept")
        if what == "history":
            return {"unit": "count", "since": 0, "step_s": 60, "newest_at": 60, "values": [1.0, 7.0, None]}
        return [{"id": "tsk_1"}]

    found = await look(board({**NUMBER, "warn": 5}, {"kind": "number", "metric": "events"}, {"kind": "heatmap", "metric": "utilisation"},
                             {"kind": "table", "rows": "tasks", "filter": "state=failed"}, {"kind": "text", "text": "hello"}), ask)  # fmt: skip
    assert (found[0]["value"], found[0]["severity"]) == (7.0, "warn")
    assert found[1]["error"] == "no figures are kept"
    assert found[2]["pools"] == {"coder": [None, 0.5]}
    assert found[3]["rows"] == [{"id": "tsk_1"}] and asked[3] == ("tasks", {"filter": "state=failed"})
    assert found[4]["text"] == "hello"


# ---- layout


@given(st.lists(st.integers(1, 6), min_size=1, max_size=40), st.integers(1, 6))
def test_every_line_is_full_and_widgets_keep_their_order(spans: list[int], columns: int) -> None:
    lines = flow(spans, columns)
    assert [placed.number for line in lines for placed in line] == list(range(len(spans)))
    assert all(sum(placed.columns for placed in line) == columns for line in lines)
    for line in lines:
        assert all(placed.columns >= min(spans[placed.number], columns) for placed in line)


@given(st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=4), max_size=12), st.integers(1, 80), st.integers(0, 2))
def test_lines_fit_the_room_or_scroll_with_heights_of_their_own(wanted: list[list[int]], room: int, gap: int) -> None:
    heights = heights_of(wanted, room, gap)
    least = sum(height or GROWING_LEAST for height in heights.lines) + gap * max(0, len(wanted) - 1)
    assert heights.is_scrolling == (least > room)
    assert not heights.is_scrolling or all(heights.lines)


def test_narrow_terminals_get_one_column() -> None:
    assert [columns_for(3, width) for width in (60, 80, 120, 200)] == [1, 2, 3, 3]


def test_figures_say_gaps_as_gaps() -> None:
    found = {"values": [1.0, None, 4.0], "lows": [0.5, None, 4.0], "highs": [1.0, None, 9.0], "unit": "ms", "newest_at": 1.0}
    assert spark(found["values"], 10, UNICODE)[1] == " "
    least, most = figure_parts(Widget(WidgetKind.NUMBER, metric="load"), found, 20, UNICODE)
    assert (least.text, most.text) == ("least 0.5 ms", "most 9 ms")
    assert figure_parts(Widget(WidgetKind.SPARKLINE, metric="load"), found, 20, PLAIN)[0].text == "least 0.5 ms"
    nothing = {**found, "values": [None], "lows": [None], "highs": [None]}
    assert figure_parts(Widget(WidgetKind.SPARKLINE, metric="load"), nothing, 20, UNICODE) == []
