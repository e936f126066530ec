"""Traces of load: our own files, public formats, and what is wrong with one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from engine.model.errors import UsageError
from engine.model.scaling import Limits, Load, Policy
from engine.scaling.comparing import compare
from engine.scaling.shapes import trace
from engine.scaling.traces import pool_traces, read_trace


def written(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


def test_our_own_lines(tmp_path: Path) -> None:
    text = "\n".join([json.dumps({"at": 5, "pool": "ui", "service_s": 2}), "", json.dumps({"at": 3})])
    assert read_trace(written(tmp_path, "a.jsonl", text), pool="coder", service_s=1.5) == [Load(3.0, "coder", 1.5), Load(5.0, "ui", 2.0)]


def test_our_own_table(tmp_path: Path) -> None:
    text = "at,pool,service_s\n1.5,coder,2\n0.5,ui,1\n"
    assert read_trace(written(tmp_path, "a.csv", text), pool="x", service_s=1) == [Load(0.5, "ui", 1.0), Load(1.5, "coder", 2.0)]


def test_an_azure_invocation_table(tmp_path: Path) -> None:
    minutes = ",".join(str(n) for n in range(1, 5))
    text = f"HashOwner,HashApp,HashFunction,Trigger,{minutes}\na,b,c,http,2,0,1,0\na,b,d,timer,0,0,1,0\n"
    loads = read_trace(written(tmp_path, "azure.csv", text), pool="coder", service_s=0.5)
    assert [load.at for load in loads] == [15.0, 45.0, 135.0, 165.0]
    assert {(load.pool, load.service_s) for load in loads} == {("coder", 0.5)}


def test_the_standard_workload_format(tmp_path: Path) -> None:
    text = "; Version: 2.2\n1 0 3 100 4 -1 -1\n2 60 0 -1 1 -1 -1\n3 90 0 20 1 -1 -1\n"
    assert read_trace(written(tmp_path, "a.swf", text), pool="coder", service_s=1) == [Load(0.0, "coder", 100.0), Load(90.0, "coder", 20.0)]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.parquet", "", "no trace format '.parquet'"),
        ("a.jsonl", "", "has no tasks"),
        ("a.jsonl", '{"at": 1}\n{"at": "soon"}', "a.jsonl:2"),
        ("a.jsonl", "[1]", "a.jsonl:1"),
        ("a.jsonl", '{"at": NaN}', "must be finite"),
        ("a.jsonl", '{"at": 1, "service_s": -1}', "none below 0"),
        ("a.csv", "when,what\n1,2\n", "the header is neither"),
        ("a.csv", "at,pool,service_s\n1,coder\n", "a.csv:2"),
        ("a.csv", "HashOwner,HashApp,HashFunction,Trigger,1\na,b,c,http,many\n", "a count is no number"),
        ("a.swf", "one two\n", "a.swf:1"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(UsageError) as error:
        read_trace(written(tmp_path, name, text), pool="coder", service_s=1)
    assert words in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_trace(tmp_path / "none.jsonl", pool="coder", service_s=1)


def test_loads_become_a_trace_for_each_pool_from_the_first_task() -> None:
    loads = [Load(100.0, "coder", 1.0), Load(101.0, "ui", 2.0), Load(103.0, "coder", 1.0)]
    traces, seconds = pool_traces(loads, {"coder": Limits(2, 5)}, {"ui": 9.0})
    assert seconds == 3.0
    assert [(one.pool, list(one.arrivals), one.limits.max, one.start_s) for one in traces] == [
        ("coder", [0.0, 3.0], 5, 0.5),
        ("ui", [1.0], 1_000, 9.0),
    ]


def test_sets_of_policies_are_compared_on_the_same_load() -> None:
    load = trace("bursts", 1, seconds=900.0)
    slow = Policy("p", "slow", target=0.85)
    quick = Policy("p", "quick", target=0.85, scale_down=Policy("", "").scale_up)
    first, second = compare([load], 900.0, {"slow": {"p": slow}, "quick": {"p": quick}})
    assert first.tasks == second.tasks == len(load.arrivals)
    assert second.agent_s < first.agent_s
    assert second.direction_changes > first.direction_changes
    assert 0 < first.utilisation < second.utilisation < 1
