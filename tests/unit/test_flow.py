"""What may be under way to a terminal: bounded, and never stuck."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from screens.flow import (
    KEY_WINDOW_BYTES,
    PATIENCE_FIRST_S,
    PATIENCE_LAST_S,
    QUERY,
    QUERY_BYTES,
    WINDOW_BYTES,
    Flow,
)

FRAME_MAX = 6_000
STEPS = st.lists(st.one_of(st.integers(1, FRAME_MAX), st.sampled_from(["key", "answer", "look"])), max_size=200)


@given(STEPS)
def test_bounded_and_never_stuck(steps) -> None:
    """Under way is a window and a frame at most, and whoever waits waits for an answer that was asked for."""
    flow = Flow()
    asked = 0
    has_heard = False
    for step in steps:
        if step == "key":
            flow.note_key()
        elif step == "look":
            flow.look()
        elif step == "answer":
            has_heard |= asked > 0
            asked = max(0, asked - 1)
            flow.note_answer()
        elif flow.may_write():
            asked += flow.note_written(step) == QUERY
        assert flow.may_write() or flow.is_waiting
        if has_heard:
            assert flow.under_way < KEY_WINDOW_BYTES + FRAME_MAX
        assert PATIENCE_FIRST_S <= flow.patience_s <= PATIENCE_LAST_S


def test_asks_seldom_and_waits_for_the_answer() -> None:
    flow = Flow()
    assert flow.note_written(QUERY_BYTES - 1) == ""
    assert flow.note_written(1) == QUERY
    assert flow.note_written(WINDOW_BYTES) == QUERY
    assert not flow.may_write()
    flow.note_answer()
    assert not flow.may_write(), "the second question is not answered"
    flow.note_answer()
    assert flow.may_write() and flow.under_way == 0


def test_a_key_passes_once() -> None:
    flow = Flow()
    flow.note_written(WINDOW_BYTES)
    assert not flow.may_write()
    flow.note_key()
    assert flow.may_write()
    flow.note_written(300)
    assert not flow.may_write()
    flow.note_key()
    flow.note_written(KEY_WINDOW_BYTES)
    flow.note_key()
    assert not flow.may_write(), "keys have a limit, too"


def test_a_terminal_that_never_answers_is_written_to_all_the_same() -> None:
    flow = Flow()
    assert flow.note_written(WINDOW_BYTES) == QUERY
    flow.look()
    assert flow.may_write()
    assert flow.note_written(10 * WINDOW_BYTES) == "" and flow.may_write(), "it is not asked again"
    flow.note_answer()
    assert flow.may_write() and flow.under_way == 0, "a late answer: followed from here"
    assert flow.note_written(WINDOW_BYTES) == QUERY and not flow.may_write()


def test_lost_answers_cost_patience_and_no_more() -> None:
    flow = Flow()
    flow.note_written(WINDOW_BYTES)
    flow.note_answer()
    flow.look()
    waits = []
    for _ in range(8):
        flow.note_written(WINDOW_BYTES)
        assert not flow.may_write()
        waits.append(flow.patience_s)
        flow.look()
        assert flow.may_write()
    assert waits == [2, 4, 8, 16, 32, 32, 32, 32]
    flow.note_written(WINDOW_BYTES)
    flow.note_answer()
    assert flow.patience_s == PATIENCE_FIRST_S
