"""What is counted beside the work."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from engine.clock import SystemClock
from engine.model import events as ev
from engine.model.ids import TaskId
from engine.model.task_events import TasksSucceeded
from engine.model.tasks import Outcome, Task, TaskSpec
from engine.monitoring.meter import Meter
from engine.state import Touched


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [({"tokens": 7}, 7), ({"input_tokens": 5, "output_tokens": 2}, 7), ({"tokens": 7, "input_tokens": 5, "output_tokens": 2}, 7)],
)
def test_tokens_that_are_told_whole_and_by_part_count_once(usage: dict[str, float], tokens: float) -> None:
    id_ = TaskId("tsk_1")
    state = SimpleNamespace(tasks={id_: Task(TaskSpec(id_, "noop", "coder", {}))}, pools={}, agents={})
    meter = Meter(lambda: state, SystemClock())  # type: ignore[arg-type,return-value]  # what it reads of a state
    ended = Outcome(id_, 1, ok=True, usage=usage)
    meter.publish([ev.Record(1, 0.0, "engine", TasksSucceeded([ended]))], Touched())
    assert meter.counts == {("tokens", "coder"): tokens}
