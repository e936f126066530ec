"""What the commands print: tables, ages, unknowns, plans; and nothing that moves a cursor."""

from __future__ import annotations

import json

import pytest
from engine.model.ids import PlanId
from engine.model.plans import Answer, Call, Plan, PlanStep
from engine.model.rows import ROW_KINDS, EventRow, HostRow
from engine.simulation.fake_operator import make_agent, make_pool, make_task
from fleet_tui import look, output

NOW = 1_000_000.0


@pytest.mark.parametrize("kind", ROW_KINDS)
def test_columns_are_fields(kind: str) -> None:
    assert set(output.COLUMNS[kind].split()) <= set(ROW_KINDS[kind]._fields)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0ms"), (0.0349, "35ms"), (1, "1.0s"), (9.94, "9.9s"), (10, "10s"), (59.4, "59s"), (60, "1m00s"), (3599, "59m59s"),
     (3600, "1h00m"), (86399, "23h59m"), (86400, "1d00h"), (1e6, "11d13h")],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert output.duration(seconds) == text


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("paused", True, "yes"),
        ("paused", False, "no"),
        ("reason", "", "-"),
        ("cpu", -1.0, "?"),
        ("cpu", 0.256, "0.26"),
        ("rss_mb", -1.0, "?"),
        ("p50_s", -1.0, "?"),
        ("p50_s", 0.001, "1ms"),
        ("speed_up", -1.0, "?"),
        ("pending", 0, "0"),
        ("submitted_at", 0.0, "-"),
        ("submitted_at", NOW - 75, "1m15s"),
        ("submitted_at", NOW + 5, "0ms"),
        ("idle_since", NOW - 2, "2.0s"),
        ("mean_task_s", 0.0, "-"),
        ("mean_task_s", 0.5, "500ms"),
        ("undo_until", NOW - 1, "-"),
        ("undo_until", NOW + 61, "1m01s"),
        ("why", {"a": [1]}, '{"a": [1]}'),
        ("why", None, "-"),
    ],
)
def test_cells(field: str, value: object, text: str) -> None:
    assert output.cell(field, value, NOW) == text


def test_table_lines_up() -> None:
    rows = [output.to_object("pools", row) for row in (make_pool("coder", size=12), make_pool("日本", size=3, paused=True))]
    lines = output.table("pools", rows, now=NOW)
    header, first, second = lines
    assert header.startswith("ID")
    column = header.index("SIZE")
    # Numbers end where their heading ends; 日本 takes four cells, in two characters.
    assert first[: column + 4].endswith("12")
    assert output.width(second[: second.index(" 3 ") + 2]) == column + 4
    assert len(output.table("pools", [], now=NOW)) == 1


def test_wide_has_every_field() -> None:
    for kind, row in (("agents", make_agent()), ("tasks", make_task()), ("hosts", HostRow("hst_1", "worker", 1, 2, "healthy", "", -1, -1, NOW))):
        header, line = output.table(kind, [output.to_object(kind, row)], now=NOW, wide=True)
        assert len(header.split("  ")) >= len(ROW_KINDS[kind]._fields)
        assert row.id in line


def test_rows_of_any_form() -> None:
    row = make_task()
    assert output.to_object("tasks", row) == output.to_object("tasks", list(row)) == output.to_object("tasks", row._asdict())


EVIL = "\x1b]52;c;aGk=\x07ok\x9b31m\r\nnext\x00\ttab"


def test_control_characters_stay_inside() -> None:
    assert output.clean(EVIL).isprintable()
    assert output.clean("plain – 日本 🙂") == "plain – 日本 🙂"
    assert output.clean_lines("a\tb\n\x1b[31mred") == "a       b\n?[31mred"
    event = output.event_line(EventRow("ev_1", NOW, "task.failed", "error", EVIL, EVIL, ""))
    assert event.isprintable()
    task = output.to_object("tasks", make_task(title=EVIL))
    assert all(line.isprintable() for line in output.table("tasks", [task], now=NOW))
    assert all(line.isprintable() for line in output.outline({"a": EVIL, EVIL: {"b": [EVIL]}, "c": [[NOW, EVIL, ""]]}, NOW))


def test_outline_of_a_thing() -> None:
    thing = {
        "id": "tsk_1", "submitted_at": NOW - 3, "spec": {"payload": {"n": 1}, "empty": {}}, "depends_on": ["a", "b"],
        "history": [[NOW, "submitted", ""], [NOW, "leased", "to coder-1"]], "events": [{"id": "ev_1", "text": "began", "cause": ""}],
    }  # fmt: skip
    assert output.outline(thing, NOW) == [
        "id: tsk_1",
        "submitted_at: 3.0s",
        "spec:",
        "  payload:",
        "    n: 1",
        "  empty: -",
        "depends_on: a, b",
        "history:",
        f"  {output.instant(NOW)}  submitted",
        f"  {output.instant(NOW)}  leased  to coder-1",
        "events:",
        "  ev_1  began",
    ]


def test_plan_says_what_would_change() -> None:
    steps = (
        PlanStep(Call("pool.scale", {"pool": "coder"}), "coder", "5", "9", "4 agents start", "the most is 10"),
        PlanStep(Call("pool.pause", {"pool": "x"}), "x", "", "", changes=False),
    )
    assert output.plan_lines(Plan(PlanId("pln_1"), steps, "reversible", "", True, 0.0, 1)) == [
        "pool.scale coder  5 → 9",
        "    4 agents start",
        "    warning: the most is 10",
        "pool.pause x  (already so)",
        "reversible; can be undone",
    ]


@pytest.mark.parametrize(
    ("targets", "values", "makes", "lines"),
    [
        (["noop", "noop"], ("tsk_1", "tsk_2"), True, ["tsk_1", "tsk_2"]),
        (["coder"], (["agt_1", "agt_2"],), True, ["agt_1", "agt_2"]),
        (["coder"], (12,), False, ["coder 12"]),
        (["coder"], ("coder",), False, ["coder"]),
        (["tsk_1", "tsk_2"], ("stopping", "cancelled"), False, ["tsk_1 stopping", "tsk_2 cancelled"]),
        (["x"], ({"id": "alc_1"},), True, ['{"id": "alc_1"}']),
        ([""], ("stopping",), False, []),
        (["pln_1"], (1, 2), False, []),
    ],
)
def test_answers(targets: list[str], values: tuple[object, ...], makes: bool, lines: list[str]) -> None:
    assert output.answer_lines(targets, Answer(PlanId("pln_1"), values, 1, ""), makes=makes) == lines


def test_undo_hint_while_the_window_is_open() -> None:
    answer = Answer(PlanId("pln_1"), (), 1, "", NOW + 600)
    assert output.undo_hint(answer, NOW) == "undo: fleet-tui undo pln_1 (for 10m00s)"
    assert output.undo_hint(answer, NOW + 600) == ""


def test_kinds_and_their_short_names() -> None:
    for kind, aliases in look.ALIASES.items():
        assert {look.kind_of(word) for word in (kind, *aliases, kind.upper())} == {kind}
    words = [word for kind, aliases in look.ALIASES.items() for word in (kind, *aliases)]
    assert len(words) == len(set(words))
    with pytest.raises(look.UsageError, match="did you mean 'tasks'"):
        look.kind_of("taks")


def test_json_is_readable_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"ä": [1, {"b": None}]})
    out = capsys.readouterr().out
    assert json.loads(out) == {"ä": [1, {"b": None}]}
    assert "ä" in out


def test_an_explanation_has_ages_signs_and_what_each_line_is_about() -> None:
    evidence = [
        {"text": "it was paused by ada\x1b[2J", "level": "warn", "at": NOW - 12, "kind": "plans", "id": "pln_1"},
        {"text": "no task waits for it", "level": "info", "at": 0.0, "kind": "", "id": ""},
    ]
    found = {"name": "coder", "headline": "coder is paused", "at": NOW, "evidence": evidence}
    assert output.explanation_lines(found) == [
        "coder: coder is paused",
        "!    12s ago  it was paused by ada?[2J  [plans pln_1]",
        "         now  no task waits for it",
    ]


def test_a_rate_is_a_number_and_no_length_of_time() -> None:
    assert output.heading("ops_per_s") == "OPS/S"
    assert output.figure("ops_per_s", 12.5, 0.0) == "12.50"
    assert output.figure("busy_s", 0.0, 0.0) == "-"
