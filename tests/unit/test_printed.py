"""What Claude Code and Codex print, as these versions printed it, and what becomes of it; and anything else they might."""

from __future__ import annotations

import json
from typing import Any

import pytest
from engine.agents.printed import Printed, judge, read_whole, reader_of, told
from engine.agents.processes.spec import ProcessResult, StopReason
from engine.model.budgets import Figures, Used, used_of
from engine.model.ids import TaskId
from engine.model.prices import priced
from engine.model.tasks import Outcome
from hypothesis import given
from hypothesis import strategies as st

CLAUDE: dict[str, Any] = {
    "type": "result", "subtype": "success", "is_error": False, "api_error_status": None, "num_turns": 2, "result": "It says 42.",
    "session_id": "a1b139b3-c648", "total_cost_usd": 0.009748, "permission_denials": [], "terminal_reason": "completed",
    "usage": {"input_tokens": 2162, "cache_creation_input_tokens": 11, "cache_read_input_tokens": 30, "output_tokens": 55, "service_tier": "standard"},
    "modelUsage": {"claude-opus-5-5": {"inputTokens": 2162, "costUSD": 0.009748}},
}  # fmt: skip
CODEX = (
    {"type": "thread.started", "thread_id": "01a20188-7f40"},
    {"type": "item.completed", "item": {"id": "item_0", "type": "error", "message": "Model metadata for `mock-model` not found."}},
    {"type": "turn.started"},
    {"type": "item.completed", "item": {"id": "item_1", "type": "command_execution", "command": "ls", "exit_code": 0, "status": "completed"}},
    {"type": "item.completed", "item": {"id": "item_2", "type": "agent_message", "text": "marker-42"}},
    {"type": "turn.completed", "usage": {"input_tokens": 900, "cached_input_tokens": 100, "cache_write_input_tokens": 0, "output_tokens": 35, "reasoning_output_tokens": 4}},
)
RECONNECTING = {"type": "error", "message": "Reconnecting... 1/5 (unexpected status 401 Unauthorized: no, url: http://127.0.0.1:1/v1/responses)"}


def lines(*objects: object) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in objects)


def ended(exit_code: int = 0, reason: StopReason | None = None) -> ProcessResult:
    return ProcessResult(exit_code, None, b"", b"", 0, 0, False, 1.0, 2.0, 0.1, 0, reason)


def outcome(*, ok: bool = True, kind: str = "", error: str = "") -> Outcome:
    return Outcome(TaskId("tsk_1"), 1, ok=ok, error_kind=kind, error=error, usage={"cpu_s": 0.1})


def read(form: str, *objects: object) -> Printed:
    printed = read_whole(form, lines(*objects))
    assert printed is not None
    return printed


def test_claude_tells_result_session_usage_and_cost() -> None:
    printed = read("claude", {"type": "system", "subtype": "init", "session_id": "a1"}, CLAUDE)
    end = judge(outcome(), printed, ended())
    assert (end.ok, end.error) == (True, "")
    assert end.usage == {
        "cpu_s": 0.1, "input_tokens": 2162, "output_tokens": 55, "cache_read_tokens": 30, "cache_write_tokens": 11, "cost": 0.009748, "turns": 2,
    }  # fmt: skip
    kept = told(printed, {"exit_code": 0, "stdout": "…", "stderr": ""})
    assert kept == {"text": "It says 42.", "session": "a1b139b3-c648", "models": ["claude-opus-5-5"], "exit_code": 0, "stderr": ""}
    assert read("claude", [{"type": "system"}, CLAUDE]).is_ok, "with --verbose it is one list"


def test_codex_tells_its_last_message_its_thread_and_its_usage() -> None:
    printed = read("codex", *CODEX)
    end = judge(outcome(), printed, ended())
    assert end.ok
    assert end.usage == {
        "cpu_s": 0.1, "input_tokens": 800, "output_tokens": 35, "cache_read_tokens": 100, "cache_write_tokens": 0, "reasoning_tokens": 4, "turns": 1,
    }  # fmt: skip
    assert told(printed, {"stdout": "…"}) == {"text": "marker-42", "session": "01a20188-7f40"}


@pytest.mark.parametrize(
    ("changes", "kind", "error", "retryable"),
    [
        ({"is_error": True, "api_error_status": 400, "result": "API Error: 400 bad"}, "api_error", "API Error: 400 bad", False),
        ({"is_error": True, "api_error_status": 429, "result": "API Error: busy"}, "rate_limit", "API Error: busy", True),
        ({"is_error": True, "result": "API Error: 401 who?"}, "authentication", "API Error: 401 who?", False),
        ({"is_error": True, "result": "no line"}, "agent_error", "no line", True),
        ({"is_error": True, "subtype": "error_max_budget_usd", "result": None}, "max_budget_usd", "error_max_budget_usd", False),
        ({"permission_denials": [{"tool_name": "Bash", "tool_input": {}}]}, "permission_denied", "it was not allowed to use Bash: It says 42.", False),
    ],
)
@pytest.mark.rule(2, "command")
@pytest.mark.rule(4, "command")
def test_an_end_of_claude_that_is_no_success(changes: dict[str, object], kind: str, error: str, retryable: bool) -> None:  # noqa: FBT001
    end = judge(outcome(ok=False, kind="exit_code"), read("claude", {**CLAUDE, **changes}), ended(1))
    assert (end.ok, end.error_kind, end.error, end.retryable) == (False, kind, error, retryable)


@pytest.mark.parametrize(
    ("message", "kind", "error", "retryable"),
    [
        ("unexpected status 401 Unauthorized: no", "authentication", "unexpected status 401 Unauthorized: no", False),
        ("exceeded retry limit, last status: 429 Too Many Requests", "rate_limit", "exceeded retry limit, last status: 429 Too Many Requests", True),
        ('{"error":{"message":"scripted \\u001b[31merror"}}', "agent_error", "scripted error", True),
        ('{"error":{"message":"no such beast","type":"invalid_request_error"}}', "api_error", "no such beast", False),
    ],
)
@pytest.mark.rule(2, "command")
def test_a_turn_of_codex_that_failed(message: str, kind: str, error: str, retryable: bool) -> None:  # noqa: FBT001
    printed = read("codex", CODEX[0], RECONNECTING, {"type": "turn.failed", "error": {"message": message}})
    end = judge(outcome(ok=False, kind="exit_code"), printed, ended(1))
    assert (end.ok, end.error_kind, end.error, end.retryable) == (False, kind, error, retryable)


def test_a_reconnection_that_went_well_is_no_error() -> None:
    assert judge(outcome(), read("codex", *CODEX[:3], RECONNECTING, *CODEX[3:]), ended()).ok


@pytest.mark.rule(2, "command")
def test_an_end_without_a_result_is_a_failure_and_what_was_printed_stays() -> None:
    end = judge(outcome(), read("claude", {"type": "system", "session_id": "a1"}), ended())
    assert (end.ok, end.error_kind, end.error) == (False, "no_result", "exit code 0, and it did not say how it went")
    lost = judge(outcome(ok=False, kind="no_output", error="killed"), read("codex", CODEX[0], RECONNECTING), ended())
    assert (lost.error_kind, lost.error) == ("no_output", f"killed; last it said: {RECONNECTING['message']}")
    assert told(Printed(session="a1"), {"stdout": "what?"}) == {"stdout": "what?", "session": "a1"}


def test_a_result_counts_though_its_program_was_killed_and_not_when_somebody_stopped_it() -> None:
    printed = read("claude", CLAUDE)
    assert judge(outcome(ok=False, kind="lingered"), printed, ended(reason="lingered")).ok
    stopped = judge(outcome(ok=False, kind="stopped"), printed, ended(reason="stopped"))
    assert (stopped.ok, stopped.error_kind, stopped.usage["cost"]) == (False, "stopped", 0.009748)


_ANY = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
_KEYS = st.sampled_from(["type", "result", "session_id", "subtype", "is_error", "usage", "permission_denials", "item", "error", "message", "modelUsage", "thread_id"])
_WORDS = st.sampled_from(["result", "turn.completed", "turn.failed", "item.completed", "error", "thread.started", "success"])
_OBJECTS = st.dictionaries(_KEYS, _WORDS | _ANY).map(lambda one: json.dumps(one).encode() + b"\n")


@given(st.lists(st.binary() | _OBJECTS | st.just(b'{"type": ') | st.just(b"[" * 5_000), max_size=6), st.integers(1, 50), st.sampled_from(["claude", "codex"]))
def test_nothing_that_is_printed_raises(parts: list[bytes], size: int, form: str) -> None:
    data = b"".join(parts)
    reader = reader_of(form)
    assert reader is not None
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
    reader.end()
    end = judge(outcome(), reader.printed, ended())
    assert end.ok <= reader.printed.has_ended
    assert len(end.error) <= 500
    assert all(isinstance(figure, int | float) for figure in end.usage.values())


def used_by(printed: Outcome | Printed) -> Used:
    used = used_of(printed.usage, printed.models, TaskId("tsk_1"), 1)
    assert used is not None
    return priced(used, "coder", ())


def test_claude_tells_what_it_used_so_far_before_its_end() -> None:
    def step(id_: str, output: int, model: str = "claude-opus-5-5") -> dict[str, object]:
        return {"type": "assistant", "message": {"id": id_, "model": model, "usage": {"input_tokens": 10, "output_tokens": output}}}

    printed = read("claude", step("msg_1", 1), step("msg_1", 5), step("msg_2", 7, "claude-haiku-5"), {"type": "assistant", "message": {"usage": {"input_tokens": 1}}})
    assert printed.usage == {"input_tokens": 20, "output_tokens": 12, "turns": 2}
    assert printed.models == {"claude-opus-5-5": {"input_tokens": 10, "output_tokens": 5}, "claude-haiku-5": {"input_tokens": 10, "output_tokens": 7}}
    stopped = judge(outcome(ok=False, kind="stopped"), printed, ended(-15, "stopped"))
    assert stopped.usage["output_tokens"] == 12
    assert used_by(stopped) == Used(TaskId("tsk_1"), 1, {"claude-opus-5-5": Figures(tokens=15), "claude-haiku-5": Figures(tokens=17)}, 2)
    whole = read("claude", step("msg_1", 5), CLAUDE)
    assert used_by(whole) == Used(TaskId("tsk_1"), 1, {"claude-opus-5-5": Figures(0.009748, 2162 + 55 + 30 + 11)}, 2)
