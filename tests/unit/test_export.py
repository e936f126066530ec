"""What exports hold: exact values, no formulas, no secrets, nothing that steers a terminal."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from engine.model.rows import AuditRow, EventRow, PoolRow
from fleet_tui.exports import file_name, write_new
from hypothesis import given
from hypothesis import strategies as st
from screens.export import (
    FORMULA_STARTS,
    Paper,
    Sheet,
    csv_of,
    exact,
    json_of,
    sheet_of,
    table_of,
    write_form,
)

AT = 1_700_000_000.25
LONG = "a title that no column on any screen has room for " * 4
EVENT = EventRow("evt_1", AT, "task.failed", "error", "tsk_1", "text", "")


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_csv_has_every_field_uncut_and_instants_in_utc() -> None:
    head, row = cells(csv_of(sheet_of("events", [EVENT._replace(text=LONG)])))
    assert head == list(EventRow._fields)
    assert row == ["evt_1", "2023-11-14T22:13:20.250Z", "task.failed", "error", "tsk_1", LONG, ""]


def test_numbers_stay_exact_and_unknown_is_empty() -> None:
    assert [exact(value, field) for value, field in ((0.1 + 0.2, "busy_s"), (-1, "cpu"), (0, "oldest_pending_at"), (True, "paused"), (None, "x"))] == [
        "0.30000000000000004", "-1", "", "true", "",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "=HYPERLINK(\"http://x\")"])
def test_no_cell_is_a_formula(text: str) -> None:
    _, row = cells(csv_of(Sheet("x", ["a"], [[text]])))
    assert row[0].startswith(("'", "·")), "a control character is none any more"


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\x00")), min_size=2, max_size=2), max_size=20))
def test_csv_reads_back(rows: list[list[str]]) -> None:
    read = cells(csv_of(Sheet("x", ["a", "b"], rows)))[1:]
    assert read == [["'" * value.startswith(FORMULA_STARTS) + exact(value) for value in row] for row in rows]
    assert all(not cell.startswith(FORMULA_STARTS) for row in read for cell in row)


def test_json_is_what_get_prints() -> None:
    pool = PoolRow("coder", *[0] * (len(PoolRow._fields) - 1))
    assert json.loads(json_of(sheet_of("pools", [pool]))) == [dict(zip(PoolRow._fields, pool, strict=True))]


def test_text_is_aligned_and_uncut() -> None:
    text = table_of(Sheet("x", ["name", "count", "note"], [["日本", 5, LONG], ["b", 12_000, "x\ny"]]))
    head, first, second = text.splitlines()
    assert head == "name  count  note"
    assert first == f"日本      5  {LONG.rstrip()}"
    assert second == "b     12000  x y"


def test_no_rows_are_a_heading() -> None:
    assert cells(csv_of(sheet_of("audit", []))) == [list(AuditRow._fields)]
    assert json_of(sheet_of("audit", [])) == "[]\n"
    assert table_of(sheet_of("audit", [])).split() == list(AuditRow._fields)


@pytest.mark.parametrize("form", ["csv", "json", "text"])
def test_secrets_and_controls_stay_behind(form: str) -> None:
    text = write_form(sheet_of("events", [EVENT._replace(text="run --token hunter2 \x1b[31mred\x07", subject="password: hunter2")]), form)
    assert "hunter2" not in text
    assert "[hidden]" in text
    assert "\x1b" not in text and "\x07" not in text


def test_a_text_and_the_thing_it_is_about() -> None:
    paper = Paper("task-tsk_1-info", "state  failed\npassword=hunter2\x1b[2J", {"id": "tsk_1", "payload": {"api_key": "hunter2"}})
    assert write_form(paper, "text") == "state  failed\npassword=[hidden]\n"
    assert json.loads(write_form(paper, "json")) == {"id": "tsk_1", "payload": {"api_key": "[hidden]"}}
    assert json.loads(write_form(Paper("help", "a\nb"), "json")) == {"name": "help", "lines": ["a", "b"]}


def test_files_are_the_users_alone_and_never_written_over(tmp_path: Path) -> None:
    paths = [write_new(tmp_path / "exports", "pools", "csv", text, now=AT) for text in ("a", "b")]
    assert [path.name for path in paths] == ["pools-20231114-221320.csv", "pools-20231114-221320-2.csv"]
    assert [path.read_text() for path in paths] == ["a", "b"]
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
    assert (tmp_path / "exports").stat().st_mode & 0o777 == 0o700


def test_names_of_files_hold_no_path() -> None:
    assert file_name("../../etc/passwd", "text", AT) == "etc-passwd-20231114-221320.txt"
    assert file_name("///", "svg", AT) == "screen-20231114-221320.svg"
