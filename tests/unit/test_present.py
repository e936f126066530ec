"""Texts and cells of every kind of row: shapes of one cell, ASCII, ages, unknowns, documents."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from engine.model.fields import kind_of
from engine.model.filters import parse_filter
from engine.model.rows import (
    AgentCounts,
    AuditRow,
    EventRow,
    FleetStatus,
    HostRow,
    PlanRow,
    TaskCounts,
)
from engine.model.standing import Standing
from engine.simulation.fake_operator import make_agent, make_pool, make_task
from hypothesis import given
from hypothesis import strategies as st
from screens import present, present_pulse, present_rows, present_text
from screens.history import SAMPLES, History
from screens.widgets.cells import ASCII, UNICODE, Cell, Glyphs, Row, measure, split_cell

NOW = 1_000_000.0
BADGES = [(kind, word, look) for kind, looks in present.BADGES.items() for word, look in looks.items()]
HOST = HostRow("hst_1", "python", 4711, 8, "healthy", "", 0.5, 164.0, NOW - 1)
PLAN = PlanRow("pln_1", NOW - 60, "ada", "console", "scale coder 5 → 7", "more work", NOW + 240, undone=False)
AUDIT = AuditRow("aud_1", NOW, "ada", "console", "", "pool.scale", "coder", "", "done", "pln_1", "5", "7")
TASK: dict[str, Any] = {
    **make_task(state="failed", agent="coder-1", attempt=2, tries=2, submitted_at=NOW - 9, leased_at=NOW - 8, started_at=NOW - 7, finished_at=NOW - 3)._asdict(),
    "spec": {"type": "noop", "payload": {"a": 1}, "max_attempts": 3, "depends_on": ["tsk_0"], "timeout_s": 60.0, "submitted_by": "ada"},
    "error": {"kind": "timeout", "message": "took longer than 4 s"},
    "why": ["attempt 2 went to coder-1", "timeout: took longer than 4 s"],
    "history": [[NOW - 9, "submitted", ""], [NOW - 3, "failed", "timeout"]],
    "usage": {"cpu_s": 0.5, "peak_mb": 87.0, "output_bytes": 1200.0, "calls": 3.0},
    "result": {},
    "dependents": ["tsk_2"],
}  # fmt: skip


def plain(lines: present_text.Lines) -> str:
    return "\n".join(" ".join(split_cell(cell)[0] for cell in line) for line in lines)


def texts(row: Row) -> list[str]:
    return [split_cell(cell)[0] for cell in row]


@pytest.mark.parametrize(("kind", "word", "look"), BADGES, ids=lambda value: str(value) if isinstance(value, str) else "")
def test_a_badge_is_one_cell_wide_and_its_ascii_is_ascii(kind: str, word: str, look: present.Badge) -> None:
    assert measure(look.sign) == len(look.sign) == 1
    assert look.ascii.isascii()
    assert len(look.ascii) == 1


@pytest.mark.parametrize("kind", present.BADGES)
@pytest.mark.parametrize("form", ["sign", "ascii"])
def test_states_of_a_kind_differ_by_shape_alone(kind: str, form: str) -> None:
    signs = [getattr(look, form) for look in present.BADGES[kind].values()]
    assert len(set(signs)) == len(signs)


def test_every_state_that_the_engine_has_has_a_badge() -> None:
    from engine.model.agents import AgentStatus, Health
    from engine.model.tasks import TaskState

    assert set(present.AGENT_BADGES) == set(AgentStatus)
    assert set(present.HEALTH_BADGES) == set(Health)
    assert set(present.TASK_BADGES) == set(TaskState)


def test_a_state_from_a_newer_engine_is_shown_as_a_word() -> None:
    assert present.badge(present.TASK_BADGES, "paused") == Cell("? paused", "warn")


@given(st.floats(0, 1e9))
def test_spans_keep_their_width(seconds: float) -> None:
    assert len(present.age(min(seconds, 9_999 * 86_400))) <= 5
    assert len(present.duration(seconds)) <= 6


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0s"), (0, "0s"), (59.9, "59s"), (60, "1m"), (3_599, "59m"), (7_200, "2h"), (86_400 * 4, "4d")],
)
def test_ages(seconds: float, text: str) -> None:
    assert present.age(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0ms"), (0.0123, "12ms"), (0.9996, "1.0s"), (4.24, "4.2s"), (9.97, "10s"), (59.6, "1m00s"), (185, "3m05s"), (7_500, "2h05m"), (97_200, "1d03h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert present.duration(seconds) == text


@pytest.mark.parametrize(("number", "text"), [(12, "12 B"), (3_400, "3.4 kB"), (12_000_000, "12 MB"), (2 * 10**9, "2.0 GB")])
def test_bytes(number: int, text: str) -> None:
    assert present.byte_count(number) == text


def test_instants_are_utc_and_say_so() -> None:
    assert present.instant_text(0) == "1970-01-01 00:00:00 UTC"


ROWS = [
    (present_rows.POOL_COLUMNS, lambda g: present_rows.pool_cells(make_pool(oldest_pending_at=NOW - 5), NOW, g)),
    (present_rows.AGENT_COLUMNS, lambda g: present_rows.agent_cells(make_agent(), NOW, g)),
    (present_rows.TASK_COLUMNS, lambda g: present_rows.task_cells(make_task(), NOW, g)),
    (present_rows.HOST_COLUMNS, lambda g: present_rows.host_cells(HOST, NOW, g)),
    (present_rows.PLAN_COLUMNS, lambda g: present_rows.plan_cells(PLAN, NOW, g)),
    (present_rows.AUDIT_COLUMNS, lambda g: present_rows.audit_cells(AUDIT, g)),
    (present_pulse.PULSE_COLUMNS, lambda g: present_pulse.pulse_cells(make_pool(), [None, 0, 3], g)),
]


@pytest.mark.parametrize(("columns", "make"), ROWS)
def test_a_row_has_one_cell_for_each_column(columns: Any, make: Any) -> None:
    assert len(make(UNICODE)) == len(columns)
    assert len({column.id for column, _ in columns}) == len(columns)


@pytest.mark.parametrize(("columns", "make"), ROWS)
def test_in_ascii_mode_rows_are_ascii(columns: Any, make: Any) -> None:
    own = {"scale coder 5 → 7"}
    assert [text for text in texts(make(ASCII)) if not text.isascii() and text not in own] == []


@pytest.mark.parametrize("columns", [columns for columns, _ in ROWS])
def test_a_row_that_is_gone_sorts_first_and_never_fails(columns: Any) -> None:
    rows: dict[str, Any] = {}
    for column in present_rows.columns_over(columns, lambda: rows):
        assert column.key is not None
        assert column.key("gone") == (0,)


def test_unknown_is_a_dash_and_never_zero() -> None:
    host = HOST._replace(cpu=-1.0, rss_mb=-1.0, beat_at=0.0)
    cells = dict(zip([column.id for column, _ in present_rows.HOST_COLUMNS], texts(present_rows.host_cells(host, NOW, UNICODE)), strict=True))
    assert cells["cpu"] == cells["memory"] == cells["beat"] == "–"
    pool = dict(zip([c.id for c, _ in present_rows.POOL_COLUMNS], texts(present_rows.pool_cells(make_pool(agents=0, size=0), NOW, UNICODE)), strict=True))
    assert pool["use"] == pool["oldest"] == "–"
    agent = dict(zip([c.id for c, _ in present_rows.AGENT_COLUMNS], texts(present_rows.agent_cells(make_agent(), NOW, UNICODE)), strict=True))
    assert agent["mean"] == "–"


@pytest.mark.parametrize(
    ("fields", "staged", "text"),
    [({}, 0, "2"), ({"size": 5}, 0, "2→5"), ({}, 3, "2→5*"), ({"size": 5}, -1, "5→4*")],
)
def test_sizes_show_what_comes_and_what_is_only_staged(fields: dict[str, Any], staged: int, text: str) -> None:
    assert present_rows.size_cell(make_pool(**fields), UNICODE, staged).text == text


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"failed_agents": 1, "paused": True}, "broken"), ({"paused": True}, "paused"), ({"size": 3}, "starting"),
        ({"size": 1}, "draining"), ({"busy": 1}, "busy"), ({}, "idle"), ({"size": 0, "agents": 0}, "empty"),
    ],
)  # fmt: skip
def test_what_needs_somebody_comes_first_in_a_pools_state(fields: dict[str, Any], word: str) -> None:
    assert present_rows.pool_state(make_pool(**fields)) == word


@pytest.mark.parametrize(
    ("fields", "ran", "waited"),
    [
        ({"submitted_at": NOW - 9}, None, 9.0),
        ({"state": "running", "submitted_at": NOW - 9, "leased_at": NOW - 8, "started_at": NOW - 7}, 7.0, 1.0),
        ({"state": "failed", "submitted_at": NOW - 9, "leased_at": NOW - 8, "started_at": NOW - 7, "finished_at": NOW - 3}, 4.0, 1.0),
        ({"state": "cancelled", "submitted_at": NOW - 9, "finished_at": NOW - 3}, None, 6.0),
        ({"state": "pending", "submitted_at": NOW - 9, "started_at": NOW - 5, "finished_at": 0.0}, None, 9.0),
    ],
)
def test_times_of_a_task(fields: dict[str, Any], ran: float | None, waited: float) -> None:
    task = make_task(**fields)
    assert (present_rows.ran_s(task, NOW), present_rows.waited_s(task, NOW)) == (ran, waited)


def test_agents_sort_by_number() -> None:
    names = ["coder-10", "coder-2", "analyst-3"]
    rows = {name: make_agent(name, name=name) for name in names}
    key = present_rows.columns_over(present_rows.AGENT_COLUMNS, lambda: rows)[0].key
    assert key is not None
    assert sorted(names, key=key) == ["analyst-3", "coder-2", "coder-10"]


def test_undo_says_how_long() -> None:
    assert present_rows.undo_cell(PLAN, NOW).text == "4m left"
    assert present_rows.undo_cell(PLAN, NOW + 300).text == "window closed"
    assert present_rows.undo_cell(PLAN._replace(undone=True), NOW).text == "undone"
    assert present_rows.undo_cell(PLAN._replace(undo_until=0.0), NOW).text == "not undoable"


def test_part_of_the_tasks_is_said_to_be_a_part() -> None:
    assert present_rows.kept_text(10_000, 23_412) == "10,000 of 23,412 kept here"


# ---- home


def status_at(at: float, succeeded: int = 0) -> FleetStatus:
    tasks = TaskCounts(succeeded, succeeded, 0, 0, 0, 0, {})
    return FleetStatus("f", "e", "0", 1, 0.0, at, 1, "", (), 1, AgentCounts(26, 26, {"idle": 24}), tasks)


def test_throughput_is_unknown_until_there_are_two_looks() -> None:
    history = History()
    assert history.succeeded_per_s() is None
    history.see(status_at(NOW, 5), [])
    history.see(status_at(NOW, 5), [])
    assert history.succeeded_per_s() is None
    history.see(status_at(NOW + 4, 25), [])
    assert history.succeeded_per_s() == 5.0
    history.see(status_at(NOW + 14, 25), [])
    history.see(status_at(NOW + 24, 25), [])
    assert history.succeeded_per_s() == 0.0


def test_a_minute_that_was_not_seen_is_blank() -> None:
    history = History()
    history.see(status_at(NOW), [make_pool(pending=4)])
    history.see(status_at(NOW + 6), [make_pool(running=1)])
    assert history.load_of("coder", NOW + 6)[-4:] == [4, None, None, 1]
    cell = present_pulse.spark_cell(history.load_of("coder", NOW + 6), UNICODE)
    assert len(cell.text) == SAMPLES
    assert cell.text[-4] == "█"
    assert cell.text[-3:-1] == "  "
    history.see(status_at(NOW + 600), [])
    assert len(history.loads) == 1


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_needs_are_ranked_and_lead_somewhere(glyphs: Glyphs) -> None:
    tables = {
        "hosts": {"h": HOST._replace(health="suspect", evidence="no beat for 6 s")},
        "pools": {"a": make_pool("a", failed_agents=2, reason="no such program"), "b": make_pool("b", paused=True, pending=3)},
        "tasks": {f"t{n}": make_task(f"t{n}", state=state, finished_at=NOW - n) for n, state in enumerate(["failed", "succeeded", "dead"])},
    }
    status = dataclasses.replace(status_at(NOW), read_only="disk full", damage="restore a backup")
    needs = present_pulse.find_needs(status, tables, glyphs)
    assert [need.view for need in needs] == ["audit", "audit", "agents", "agents", "pools", "task", "task"]
    assert [need.thing for need in needs if need.view == "task"] == ["t0", "t2"]
    assert all(need.what.text.isascii() for need in needs) is glyphs.is_ascii


def test_tasks_that_failed_alike_are_one_need_that_opens_just_those() -> None:
    reason = 'oops: "no" such, file'
    failed = {f"t{n}": make_task(f"t{n}", state="failed", reason=reason, finished_at=NOW - n) for n in range(40)}
    other = {
        "a": make_task("a", state="failed", pool="ui", reason=reason, finished_at=NOW - 99),
        "b": make_task("b", state="dead", reason=reason, finished_at=NOW - 98),
        "c": make_task("c", state="failed", reason="timeout: 4 s", finished_at=NOW - 97),
        "d": make_task("d", state="succeeded", reason=""),
    }
    tasks: dict[str, Any] = failed | other
    needs = present_pulse.find_needs(status_at(NOW), {"hosts": {}, "pools": {}, "tasks": tasks}, UNICODE)
    assert [need.view for need in needs] == ["tasks", "task", "task", "task"]
    assert (needs[0].what.text, needs[0].why, needs[0].at) == ("✕ 40 tasks of coder failed", reason, NOW)
    opened = parse_filter(needs[0].thing, kind_of("tasks")).select(tasks, tasks, NOW)
    assert opened == list(failed)


def test_of_tasks_that_failed_for_slightly_other_reasons_the_newest_is_told() -> None:
    tasks = {f"t{n}": make_task(f"t{n}", state="failed", reason=f"timeout: took {n} s", finished_at=NOW + n) for n in range(3)}
    [need] = present_pulse.find_needs(status_at(NOW), {"hosts": {}, "pools": {}, "tasks": tasks}, UNICODE)
    assert need.why == "timeout: took 2 s (the newest)"


def test_what_waits_for_other_tasks_is_not_in_the_queue() -> None:
    pool = make_pool(pending=5, blocked=3)
    for columns, cells in (
        (present_rows.POOL_COLUMNS, present_rows.pool_cells(pool, NOW, UNICODE)),
        (present_pulse.PULSE_COLUMNS, present_pulse.pulse_cells(pool, [], UNICODE)),
    ):
        shown = dict(zip([column.id for column, _ in columns], texts(cells), strict=True))
        assert (shown["queue"], shown["blocked"]) == ("2", "3")
    history = History()
    history.see(status_at(NOW), [pool])
    assert history.load_of("coder", NOW)[-1] == 2


def test_another_engine_begins_another_rate() -> None:
    history = History()
    history.see(status_at(NOW, 500), [])
    history.see(status_at(NOW + 2, 3), [])
    assert history.succeeded_per_s() is None
    history.see(status_at(NOW - 60, 7), [make_pool(running=1)])
    assert history.load_of("coder", NOW - 60)[-1] == 1
    assert len(history.loads) == 1


def test_what_rests_is_told_in_minutes_and_what_works_in_seconds() -> None:
    def cell(columns: Any, cells: Row, name: str) -> str:
        return dict(zip([column.id for column, _ in columns], texts(cells), strict=True))[name]

    for status, text in (("idle", "<1m"), ("busy", "42s"), ("draining", "42s"), ("failed", "<1m")):
        agent = make_agent(status=status, updated_at=NOW - 42, created_at=NOW - 42)
        cells = present_rows.agent_cells(agent, NOW, UNICODE)
        assert cell(present_rows.AGENT_COLUMNS, cells, "for") == text
        assert cell(present_rows.AGENT_COLUMNS, cells, "age") == "<1m"
    assert present.rest_age(60) == "1m"
    host = HOST._replace(beat_at=NOW - 2)
    assert cell(present_rows.HOST_COLUMNS, present_rows.host_cells(host, NOW, UNICODE), "beat") == "on time"
    late = host._replace(health="suspect", beat_at=NOW - 9)
    assert cell(present_rows.HOST_COLUMNS, present_rows.host_cells(late, NOW, UNICODE), "beat") == "9s"
    shares = [cell(present_rows.HOST_COLUMNS, present_rows.host_cells(HOST._replace(cpu=cpu), NOW, UNICODE), "cpu") for cpu in (0.0, 0.019, 0.02, 0.5)]
    assert shares == ["<2%", "<2%", "2%", "50%"]


def test_health_in_words() -> None:
    assert [split_cell(part)[0] for part in present_pulse.health_parts(status_at(NOW), 0)] == ["26 agents, 24 free", "nothing needs you"]
    assert present_pulse.health_parts(status_at(NOW), 1)[1] == Cell("1 thing needs you", "bad")
    assert present_pulse.health_parts(status_at(NOW), 2_000)[1] == Cell("2.0k things need you", "bad")


def test_hosts_that_are_not_measured_are_not_added_up() -> None:
    unmeasured = HOST._replace(id="hst_2", cpu=-1.0, rss_mb=-1.0)
    words = [split_cell(part)[0] for part in present_pulse.hosts_parts([HOST, unmeasured], UNICODE)]
    assert words == ["2 hosts", "cpu 0.5 cores", "memory 164 MB", "1 not measured"]
    assert "not measured yet" in split_cell(present_pulse.hosts_parts([unmeasured], UNICODE)[1])[0]


# ---- documents


def test_attempts_say_what_was_lost_without_counting() -> None:
    lost = {**TASK, "tries": 1, "attempt": 3, "deaths": 2}
    assert "1 of 3, 2 agents died while running it" in plain(present_text.task_info(lost, NOW, UNICODE))


def test_a_task_says_everything_once() -> None:
    text = plain(present_text.task_info(TASK, NOW, UNICODE))
    assert text.count("took longer than 4 s") == 1
    for part in ("✕ failed", "2 of 3", "attempt 2 went to coder-1", "+6.0s", "500ms", "87 MB", "1.2 kB", "tsk_0", "tsk_2", "1m00s"):
        assert part in text


def test_results_say_why_there_is_none() -> None:
    assert "timeout" in plain(present_text.task_result(TASK, None))
    assert "it is running" in plain(present_text.task_result({**TASK, "error": None, "state": "running"}, None))
    assert "gave nothing back" in plain(present_text.task_result({**TASK, "error": None, "state": "succeeded"}, None))
    assert '"a": 1' in plain(present_text.task_result(TASK, {"data": {"a": 1}}))
    assert plain(present_text.task_result(TASK, {"data": "line\nline"})) == "line\nline"
    assert "no payload" in plain(present_text.task_payload({"spec": {"payload": {}}}))


def test_diffs_have_roles() -> None:
    lines = present_text.diff_lines("--- a\n+++ b\n@@ -1 +1 @@\n-old\n+new\n same")
    assert [split_cell(line[0])[1] for line in lines] == ["dim", "dim", "accent", "bad", "good", ""]
    assert "no diff" in plain(present_text.diff_lines(present_text.diff_of({"result": {"a": 1}}, None)))
    assert "changes nothing" in plain(present_text.diff_lines(present_text.diff_of({"result": {"diff": ""}}, None)))


def test_a_log_says_what_is_left_out() -> None:
    log = {"text": "end\n", "bytes": 300_000, "left_out": 40_000}
    assert plain(present_text.log_lines(log, "running")).startswith("the first 40 kB of 300 kB are left out")
    assert plain(present_text.log_lines({"text": "", "bytes": 0, "left_out": 0}, "running")) == "no output yet"
    assert plain(present_text.log_lines({"text": "", "bytes": 0, "left_out": 0}, "dead")) == "no output was written"
    assert plain(present_text.log_lines({"text": "", "bytes": 0, "left_out": 0, "note": "host a is gone"}, "dead")) == "host a is gone"
    assert plain(present_text.log_lines({**log, "note": "host a is silent"}, "running")).split("\n")[2:] == ["end", "", "host a is silent"]


def test_an_event_shows_its_level_by_shape_and_word() -> None:
    row = EventRow("ev_1", 0.0, "pool.paused", "error", "", "it broke", "")
    assert texts(present_rows.event_cells(row, UNICODE)) == ["00:00:00", "✕ error", "it broke"]


def test_yaml_reads_back() -> None:
    value = {"a": [1, 2.5, None, True], "b": {"c": "yes", "d": "x: y", "e": "", "plain-word": "coder-1"}, "f": [], "g": {}, "h": [{"i": 1, "j": [2]}]}
    assert present_text.yaml_lines(value) == [
        "a:", "  - 1", "  - 2.5", "  - null", "  - true",
        "b:", '  c: "yes"', '  d: "x: y"', '  e: ""', "  plain-word: coder-1",
        "f: []", "g: {}", "h:", "  - i: 1", "    j:", "      - 2",
    ]  # fmt: skip


def test_plans_and_audit_in_full() -> None:
    text = plain(present_text.plan_info(PLAN, [AUDIT], "it cannot be undone", NOW, UNICODE))
    assert "5 → 7" in text
    assert "it cannot be undone" in text
    assert "more work" in text
    assert "does not reach back" in plain(present_text.plan_info(PLAN, [], (), NOW, UNICODE))
    assert "pool.scale coder" in plain(present_text.audit_info(AUDIT, UNICODE))


def test_what_runs_and_should_not_needs_somebody() -> None:
    differs = dataclasses.replace(status_at(NOW), differences=("agent agt_1 that the fleet does not have: stopped",))
    empty: dict[str, dict[str, object]] = {"hosts": {}, "pools": {}, "tasks": {}}
    [need] = present_pulse.find_needs(differs, empty, UNICODE)
    assert (need.what.text, need.why) == ("! agents are not as planned", "agent agt_1 that the fleet does not have: stopped")
    assert present_pulse.find_needs(status_at(NOW), empty, UNICODE) == []


def test_a_standby_says_how_old_is_what_the_leader_told() -> None:
    ages = {None: "STANDBY", NOW - 3.0: "STANDBY", NOW - 42.0: "STANDBY figures 42s old", 0.0: "STANDBY figures unknown"}
    assert {told_at: present.standby_words(Standing("local", leader="eng_1", told_at=told_at), NOW) for told_at in ages} == ages
