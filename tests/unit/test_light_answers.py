"""Results and failures of light agents as they are packed in the worker."""

from __future__ import annotations

import datetime
import json

import pytest
from engine.agents.light import answers
from engine.agents.light.answers import JobFailed, describe_failure, pack_result
from engine.agents.results import pack_result as pack_for_the_engine
from engine.model.ids import TaskId


@pytest.mark.parametrize(
    ("value", "result"),
    [
        (None, {}),
        ({}, {}),
        ({"a": 1}, {"a": 1}),
        (0, {"value": 0}),
        ("text", {"value": "text"}),
        ([1, None], {"value": [1, None]}),
        ({"at": datetime.date(2026, 1, 2), "set": {1}, 3: b"ab"}, {"at": "2026-01-02", "set": [1], "3": "YWI="}),
    ],
)
def test_small_results_become_plain_objects(value: object, result: dict) -> None:
    assert pack_result("tsk_1", value, 2_048) == (result, None)


def deep() -> list:
    nested: list = []
    for _ in range(100_000):
        nested = [nested]
    return nested


@pytest.mark.parametrize("value", [object(), {"a": lambda: 0}, {"n": 1 << 70}, {"n": 1 << 63, "m": -(1 << 63) - 1}, {"s": "\ud800"}, {"deep": deep()}, {(1, 2): 3}])
def test_what_is_no_json_is_a_failure_that_is_not_tried_again(value: object) -> None:
    with pytest.raises(JobFailed) as caught:
        pack_result("tsk_1", value, 2_048)
    assert (caught.value.kind, caught.value.retryable) == ("not_json", False)


def test_large_result_is_kept_whole_and_summarised_like_everywhere_else() -> None:
    result = {"n": 1, "f": 1.5, "none": None, "yes": True, "long": "ü" * 5_000, "list": [1], "short": "s"}
    summary, large = pack_result("tsk_1", result, 2_048)
    assert large is not None
    assert json.loads(large.data) == result
    kept, artifact = pack_for_the_engine(TaskId("tsk_1"), result)
    assert kept == summary
    assert artifact is not None
    assert (artifact.id, artifact.data) == (large.id, large.data)


def test_large_value_that_is_no_object_is_wrapped_in_the_artifact_too() -> None:
    summary, large = pack_result("tsk_1", ["x" * 100] * 100, 2_048)
    assert large is not None
    assert json.loads(large.data) == {"value": ["x" * 100] * 100}
    assert summary == {"truncated": True}


def test_whole_numbers_beyond_64_bits_are_kept_in_the_artifact() -> None:
    summary, large = pack_result("tsk_1", {"n": 1 << 70, "list": [1 << 70] * 1_000}, 2_048)
    assert large is not None
    assert json.loads(large.data)["n"] == 1 << 70
    assert summary == {"truncated": True}


def test_summary_of_many_scalars_is_bounded() -> None:
    summary, _ = pack_result("tsk_1", {f"key{number}": number for number in range(10_000)}, 2_048)
    assert len(json.dumps(summary, separators=(",", ":"))) <= 2_048
    assert len(summary) > 50
    assert summary["truncated"] is True


def test_failures_are_told_in_bounded_encodable_text() -> None:
    failure = describe_failure(ValueError("bad \ud800" + "x" * 5_000))
    assert failure.kind == "ValueError"
    assert str(failure).startswith("bad \\ud800xxx")
    assert len(str(failure)) == answers.ERROR_MAX_CHARS + 1
    assert describe_failure(KeyError()).args == ("KeyError",)
    known = JobFailed("kind", "text", retryable=False)
    assert describe_failure(known) is known
