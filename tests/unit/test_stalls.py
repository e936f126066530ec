"""Programs that say nothing and use no CPU are stalled, on evidence, and their pool says what comes of it; those that work silently are not."""

from __future__ import annotations

from typing import Any

import pytest
from engine.agents.stalls import Run, StallWatch
from engine.model.ids import AgentId, TaskId
from engine.model.question_commands import AnswerTask
from engine.model.questions import Ask, TaskAsked
from tests.unit.core_fleet import Fleet


class Watched:
    """One agent with a program at work, as its figures say."""

    def __init__(self, then: str, after_s: float = 60.0) -> None:
        stalled: dict[str, Any] = {"after_s": after_s, "then": then}
        self.fleet = Fleet({"tool": {"kind": "command", "command": {"argv": ["true"]}, "min": 1, "max": 1, "stalled": stalled}})
        self.task = self.fleet.run(pool="tool")
        [self.agent] = self.fleet.state.agents
        self.ended: list[tuple[str, str, str]] = []
        self.watch = StallWatch(lambda: self.fleet.state, self.fleet.report, lambda *words: self.ended.append(words))
        self.cpu_s = 0.0
        self.heard_at = self.fleet.now

    def look(self, seconds: float = 0.0, cpu_s: float = 0.0, *, talks: bool = False) -> str:
        """Let time pass, in which the program uses CPU and may talk, and return the evidence that it is stalled."""
        self.fleet.now += seconds
        self.cpu_s += cpu_s
        self.heard_at = self.fleet.now if talks else self.heard_at
        run = Run(f"{self.task}.1", AgentId(self.agent), self.cpu_s, self.fleet.now - self.heard_at)
        return self.watch.look({run.name: run}, self.fleet.now).get(AgentId(self.agent), "")


def test_neither_output_nor_cpu_is_a_stall_and_either_is_none() -> None:
    watched = Watched("show")
    assert watched.look() == ""
    assert watched.look(59) == ""
    assert watched.look(181, 0.02) == "stalled: no output for 4 m, 0.0 s CPU in that time"
    assert watched.look(2, talks=True) == ""
    assert watched.look(61, 0.3) == "stalled: no output for 61 s, 0.3 s CPU in that time", "it wakes up now and then"
    for _ in range(20):
        assert watched.look(30, 0.5) == "", "it works in silence"
    assert watched.look(61) != ""
    watched.fleet.report(TaskAsked(TaskId(watched.task), 1, Ask("x", "1", "Which?")))
    assert watched.look(500) == "", "it waits for somebody"
    assert (watched.ended, Watched("show", 0.0).look(9_999)) == ([], "")


def test_silence_counts_on_while_nothing_is_told_of_a_program_and_is_judged_once_something_is() -> None:
    watched = Watched("show")
    watched.look()
    watched.fleet.now += 50
    assert watched.watch.look({}, watched.fleet.now) == {}
    assert watched.look(30) == "stalled: no output for 80 s, 0.0 s CPU in that time"
    watched.watch.look({}, watched.fleet.now)
    assert watched.look(30, 3.0) == "", "it has worked meanwhile"


def test_what_ends_without_having_been_waited_for_takes_its_cpu_along() -> None:
    watched = Watched("show")
    watched.look(0, 5.0)
    assert watched.look(59, -3.0) == ""
    assert watched.look(59) == ""
    assert watched.look(2) != ""


def test_a_pool_may_have_it_stopped() -> None:
    watched = Watched("stop")
    watched.look()
    watched.look(60)
    assert watched.ended == [(f"{watched.task}.1", "stalled", "stalled: no output for 60 s, 0.0 s CPU in that time; pool tool stops it then (stalled.then)")]


@pytest.mark.parametrize(("reply", "looks"), [("stop", 1), ("stop", 3), ("wait", 3)])
def test_or_asked_about_once_until_it_is_answered(reply: str, looks: int) -> None:
    watched = Watched("ask")
    watched.look()
    for _ in range(looks):
        watched.look(60)
    [question] = watched.fleet.task(watched.task).questions.values()
    assert question.ask.text == "stalled: no output for 60 s, 0.0 s CPU in that time. Stop this attempt?"
    watched.fleet.do(AnswerTask(watched.task, reply))
    assert (watched.look(2) == "") == (reply == "wait")
    assert watched.ended == ([(f"{watched.task}.1", "stalled", "stalled: ada had it stopped")] if reply == "stop" else [])
    if reply == "wait":
        watched.look(60)
        assert len(watched.fleet.task(watched.task).questions) == 1, "it is asked about again when it goes on so"
