"""What the demo plans from results, and how its report reads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from engine.model.rows import AgentCounts, FleetStatus, TaskCounts
from fleet_tui.demo.discovery import CodeBase, LeftOut, SourceFile, discover
from fleet_tui.demo.findings import (
    DIFF_MAX_CHARS,
    DIFFS_MAX,
    FAILURES_MAX,
    TOP_MAX,
    Findings,
    TaskEnd,
    shorten,
)
from fleet_tui.demo.report import DemoReport, engine_counts, findings_of, sum_counts, task_counts
from fleet_tui.demo.steps import (
    CHECK,
    DOCUMENT,
    FILES_OF_NAME_MAX,
    METRICS,
    NAMES_MAX,
    OUTLINE,
    REFERENCE_TASKS_MAX,
    REFERENCES,
    REMOVE,
    Named,
    Step,
    choose_names,
    command_of,
    document_steps,
    first_wave,
    reference_steps,
)
from fleet_tui.demo.words import Calls, count_calls, find_files


def make_file(name: str = "pkg/a.py", version: str = "1.1") -> SourceFile:
    return SourceFile(f"/code/{name}", name, name.partition("/")[0], 100, version)


def ended(result: dict[str, object] | None = None, **fields: object) -> TaskEnd:
    return replace(TaskEnd("succeeded", result or {}, "", 0, continued=False), **fields)  # type: ignore[arg-type]


def definition(name: str, kind: str = "function", *, line: int = 1, docstring: bool = False) -> dict[str, object]:
    return {"kind": kind, "name": name.rpartition(".")[2], "qualname": name, "line": line, "docstring": docstring}


def outline(*definitions: dict[str, object]) -> dict[str, object]:
    classes = sum(row["kind"] == "class" for row in definitions)
    return {"definitions": definitions, "totals": {"functions": len(definitions) - classes, "classes": classes, "lines": 10}}


def make_report(findings: Findings | None = None, **fields: object) -> DemoReport:
    findings = findings or Findings()
    idle = FleetStatus(
        "f", "eng", "0", 1, 0.0, 0.0, 0, "", (), 0, AgentCounts(3, 3, {}), TaskCounts(5, 4, 1, 0, 0, 0, {})
    )
    busy = replace(idle, tasks=TaskCounts(15, 13, 2, 0, 0, 1, {}))
    report = DemoReport(
        **findings_of(findings, CodeBase("/code", (make_file(),))),
        seconds=12.3456,
        stopped=False,
        agents_peak=3,
        tasks=task_counts(findings, 0),
        engine=engine_counts(idle, busy),
    )
    return replace(report, **fields)  # type: ignore[arg-type]


# ---- steps


def test_a_command_says_what_where_and_for_whom() -> None:
    check = Step(CHECK, "tester", make_file())
    command = command_of(Step(REFERENCES, "reviewer", make_file(), "warn", (check.key,)), "round 1", ["tsk_1"])
    assert command.title == "find warn in pkg/a.py"
    assert command.payload == {"path": "/code/pkg/a.py", "name": "warn"}
    assert command.depends_on == ("tsk_1",)
    assert command.fairness_key == "pkg"
    assert command_of(Step(REMOVE, "security", make_file(), "print"), "round 1", []).payload["function"] == "print"


def test_the_key_changes_with_the_round_the_operation_the_name_and_the_file() -> None:
    step = Step(REMOVE, "security", make_file(), "print")
    others = [
        command_of(step, "round 2", []),
        command_of(replace(step, operation=REFERENCES), "round 1", []),
        command_of(replace(step, subject="eval"), "round 1", []),
        command_of(replace(step, file=make_file("pkg/b.py")), "round 1", []),
        command_of(replace(step, file=make_file(version="2.2")), "round 1", []),
    ]
    keys = {command.idempotency_key for command in (command_of(step, "round 1", []), *others)}
    assert len(keys) == 6
    assert command_of(step, "round 1", ["tsk_1"]).idempotency_key in keys


def test_the_first_wave_keeps_a_files_tasks_together() -> None:
    files = [make_file("a.py"), make_file("b.py")]
    checks, others = first_wave(files, Calls(by_file={"b.py": frozenset({"eval", "print"})}))
    assert [step.title for step in checks] == ["check a.py", "check b.py"]
    assert [step.title for step in others] == [
        "outline a.py",
        "measure a.py",
        "outline b.py",
        "measure b.py",
        "remove print() from b.py",
        "remove eval() from b.py",
    ]
    assert others[2].after == (checks[1].key,)


def test_names_are_defined_once_called_and_not_built_in() -> None:
    calls = Calls()
    for name, files, total in (("wide", 9, 9), ("deep", 2, 90), ("twice", 9, 9), ("open", 9, 9), ("alone", 1, 1)):
        calls.files[name], calls.totals[name] = files, total
    defined = {"deep": True, "wide": False, "twice": None, "open": False, "alone": False, "uncalled": False}
    assert choose_names(defined, calls) == [Named("wide", is_class=False), Named("deep", is_class=True)]


def test_searches_are_whole_or_not_at_all() -> None:
    files = {f"m{number}.py": make_file(f"m{number}.py") for number in range(FILES_OF_NAME_MAX + 1)}
    most = list(files)[:FILES_OF_NAME_MAX]
    names = [Named("common", is_class=False), *(Named(f"n{number}", is_class=number == 0) for number in range(20))]
    places = {"common": list(files), "n0": most, **{f"n{number}": most for number in range(1, 20)}, "n5": most[:1]}
    steps = reference_steps(names, files, places)
    subjects = {step.subject for step in steps}
    assert "common" not in subjects
    assert len(steps) <= REFERENCE_TASKS_MAX
    assert "n5" in subjects
    assert {step.pool for step in steps if step.subject == "n0"} == {"architect"}
    assert {step.pool for step in steps if step.subject == "n1"} == {"reviewer"}
    few = reference_steps(names[1:], files, {name.name: ["m0.py"] for name in names})
    assert len(few) == NAMES_MAX


def test_the_files_with_most_to_document_come_first() -> None:
    files = {name: make_file(name) for name in ("a.py", "b.py", "c.py")}
    steps = document_steps({"a.py": 1, "b.py": 5, "c.py": 1}, files)
    assert [step.file.name for step in steps] == ["b.py", "a.py", "c.py"]


# ---- words


def test_calls_are_counted_as_written(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("print(f(1), x.f(2))\nif x: pdb.set_trace()\ny = eval('1')\n''.join(f(3))\n")
    (tmp_path / "b.py").write_text("f (1)\nfprint(2)\nclass C(f): pass\n")
    (tmp_path / "c.py").write_bytes(b"caf\xe9 = f(1)\n")
    calls = count_calls(discover(tmp_path).files, ("print", "pdb.set_trace", "eval"))
    assert calls.totals["f"] == 3
    assert calls.files["f"] == 2
    assert calls.totals["join"] == 0
    assert calls.by_file == {"a.py": {"print", "pdb.set_trace"}}
    assert calls.undecodable == {"c.py"}


def test_files_are_found_by_whole_words(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("from x import name\n")
    (tmp_path / "b.py").write_text("names = rename\n")
    (tmp_path / "c.py").write_text("x.name=1\n")
    files = discover(tmp_path).files
    (tmp_path / "c.py").unlink()
    assert find_files(files, ["name", "other"]) == {"name": ["a.py"], "other": []}


# ---- findings


def test_findings_keep_what_is_public_and_defined_once() -> None:
    findings = Findings()
    rows = [definition("f", docstring=True), definition("C", "class", line=7), definition("C.m"), definition("_p"), definition("f2.<locals>.g")]
    findings.add(Step(OUTLINE, "coder", make_file()), ended(outline(*rows)))
    findings.add(Step(OUTLINE, "coder", make_file("pkg/b.py")), ended(outline(definition("f"))))
    assert findings.defined == {"f": None, "C": True}
    assert findings.places["C"] == "pkg/a.py:7"
    assert findings.undocumented == {"pkg/a.py": 2, "pkg/b.py": 1}
    assert (findings.functions, findings.classes, findings.lines) == (5, 1, 20)


def test_rankings_do_not_depend_on_the_order_of_arrival() -> None:
    rows = [{"qualname": f"f{n:03}", "line": n, "length": n % 7, "complexity": 1} for n in range(100)]
    found = []
    for order in (rows, rows[::-1]):
        findings = Findings()
        for row in order:
            findings.add(Step(METRICS, "analyst", make_file()), ended({"functions": [row]}))
        report = make_report(findings)
        found.append((report.largest, report.complex))
        assert len(report.largest) == len(report.complex) == TOP_MAX
    assert found[0] == found[1]


def test_a_file_is_done_when_its_first_wave_has_ended() -> None:
    findings, file = Findings(), make_file()
    findings.add(Step(CHECK, "tester", file), ended({"ok": True, "errors": []}))
    findings.add_skipped(Step(OUTLINE, "coder", file), "needs it")
    findings.add(Step(REMOVE, "security", file, "print"), ended({"changed": False, "diff": "", "edits": 0}))
    assert not findings.files_done
    findings.add(Step(METRICS, "analyst", file), ended(state="failed", error="no"))
    assert findings.files_done == {file.name}
    assert [(row.step, row.state, row.reason) for row in findings.failures] == [
        ("outline pkg/a.py", "not submitted", "needs it"),
        ("measure pkg/a.py", "failed", "no"),
    ]


def test_what_is_kept_is_bounded_and_the_rest_counted() -> None:
    findings = Findings()
    edit = {"changed": True, "diff": "-x\n" * DIFF_MAX_CHARS, "edits": 1}
    for number in range(FAILURES_MAX + 5):
        findings.add(Step(REMOVE, "security", make_file(f"m{number}.py"), "print"), ended(edit))
        findings.add(Step(DOCUMENT, "researcher", make_file(f"m{number}.py")), ended(state="dead", error="no"))
    assert findings.failures_count == FAILURES_MAX + 5
    assert len(findings.failures) == FAILURES_MAX
    assert sum(bool(row.diff) for row in findings.removals) == DIFFS_MAX
    assert findings.removed == FAILURES_MAX + 5


def test_a_long_diff_is_cut_at_a_line() -> None:
    assert shorten("-a\n") == "-a\n"
    cut = shorten("-abc\n" * DIFF_MAX_CHARS)
    assert len(cut) < DIFF_MAX_CHARS + 40
    assert cut.endswith("-abc\n… (the rest is left out)\n")


# ---- the report


def full_findings() -> Findings:
    findings, file = Findings(), make_file()
    step = Step(REFERENCES, "reviewer", file, "busy")
    findings.tasks.submitted, findings.tasks.cut = 9, 0
    findings.add(Step(CHECK, "tester", file), ended({"ok": False, "errors": [{"by": "compile", "message": "invalid syntax", "line": 3}]}))
    findings.add(Step(OUTLINE, "coder", file), ended(outline(definition("busy", line=4))))
    findings.add(Step(METRICS, "analyst", file), ended({"functions": [{"qualname": "f" * 150, "line": 4, "length": 1234, "complexity": 7}]}))
    findings.expect_references([step, step], [Named("busy", is_class=False), Named("idle", is_class=False)])
    findings.add(step, ended({"totals": {"call": 2, "import": 1}}, retries=1, continued=True))
    findings.add(Step(REMOVE, "security", file, "print"), ended({"changed": True, "diff": "--- a\n+++ b\n-print()\n" + " x\n" * 20, "edits": 1}))
    findings.add(Step(DOCUMENT, "researcher", file), ended({"changed": True, "diff": "", "edits": 3}))
    findings.add(Step(REMOVE, "security", file, "eval"), ended(state="dead", error="agent died"))
    return findings


def test_the_json_has_what_was_agreed() -> None:
    plain = json.loads(json.dumps(make_report(full_findings()).to_json()))
    assert {"path", "files", "functions", "classes", "seconds", "agents_peak", "tasks"} <= plain.keys()
    assert {"submitted", "succeeded", "failed", "dead", "retried"} <= plain["tasks"].keys()
    assert plain["seconds"] == 12.346
    assert plain["tasks"]["retried"] == 1
    assert plain["engine"]["submitted"] == 10
    assert plain["names"] == [
        {"name": "busy", "kind": "function", "place": "pkg/a.py:4", "files": 1, "files_planned": 2, "references": 3,
         "kinds": {"call": 2, "import": 1}}
    ]  # fmt: skip
    assert plain["ok"] is False


def test_the_text_is_calm_and_fits() -> None:
    report = make_report(full_findings(), left_out=(LeftOut("link.py", "a symbolic link"),), left_out_count=3)
    text = report.to_text(80)
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    for words in (
        "done in 12.3 s: 1 of 1 file, with at most 3 agents",
        "0.1 kB, 10 lines, 1 function, 0 classes",
        "1 statement to remove in 1 file",
        "3 docstrings to add in 1 file",
        "10          9       1     0          0        1  the engine's counters",
        "1 of them had been submitted by an earlier run",
        "1,234  ffff",
        "1 of 2  busy",
        "The shortest of the diffs:",
        "… and 7 lines more",
        "Failed (2 steps in 1 file)",
        "pkg/a.py: check (not Python), remove eval() from (dead)",
        "invalid syntax (line 3)",
        "link.py: a symbolic link",
    ):
        assert words in text


def test_an_empty_report_says_so_in_few_lines() -> None:
    text = make_report(stopped=True).to_text()
    assert "stopped after 12.3 s: 0 of 1 file," in text
    assert len(text.splitlines()) == 12


@pytest.mark.parametrize(("dead", "unfinished", "ok"), [(0, 0, True), (1, 0, False), (0, 1, False)])
def test_ok_means_all_ended_and_none_dead(dead: int, unfinished: int, ok: bool) -> None:
    findings = Findings()
    findings.tasks.states["dead"] = dead
    findings.tasks.states["failed"] = 1
    report = make_report(findings, tasks=task_counts(findings, unfinished))
    assert report.ok is ok
    assert ("had not ended" in report.to_text()) is bool(unfinished)


def test_rounds_add_up() -> None:
    findings = full_findings()
    one = task_counts(findings, 1)
    two = sum_counts([one, one])
    assert (two.submitted, two.dead, two.unfinished, two.retried) == (18, 2, 2, 2)
