"""What agents ask: the state of the task, answers given once and to the attempt that asked, time-outs, rules."""

from __future__ import annotations

from typing import Any

import pytest
from engine.coordinator.effects import effects_of
from engine.gate.plans import describe
from engine.gate.questions import question_row
from engine.gate.rows import task_row
from engine.gate.words import event_row
from engine.model import reports as r
from engine.model.effects import GiveAnswer
from engine.model.errors import CommandRefused, ConfigError, NotFound, UsageError
from engine.model.events import Record
from engine.model.ids import TaskId
from engine.model.question_commands import AnswerTask, ForgetAnswerRule
from engine.model.question_events import QuestionAnswered
from engine.model.questions import AnswerRule, Ask, Reply, in_a_line, matches, suggested_rule
from engine.model.task_commands import CancelTask
from tests.unit.core_fleet import Fleet

RUN = Ask("x.1", "1", tool="Bash", arguments={"command": "git push\x1b[2J"}, diff="+a")


def fleet_with(**answers: Any) -> Fleet:
    return Fleet({"coder": {"min": 2, "max": 9, "answers": answers}})


def asking(fleet: Fleet, ask: Ask = RUN, **task: Any) -> TaskId:
    id_ = fleet.run(**task)
    fleet.report(r.TaskAsked(id_, 1, ask))
    return id_


def told(fleet: Fleet) -> list[tuple[str, int, str, Reply]]:
    """The answers that agents got, in order."""
    effects = effects_of([Record(0, 0.0, "", event) for event in fleet.events])
    return [(one.task, one.token, one.ask, one.reply) for one in effects if isinstance(one, GiveAnswer)]


def test_a_question_is_a_state_of_the_task_until_it_is_answered() -> None:
    fleet = Fleet()
    task = asking(fleet)
    agent = fleet.agent(fleet.task(task).agent_name)
    assert (fleet.task(task).state, agent.status) == ("needs_input", "busy")
    [question] = fleet.task(task).questions.values()
    row = question_row(fleet.state, question.id)
    assert row is not None
    assert (row.task, row.agent, row.kind, row.tool, row.text) == (task, agent.spec.name, "permission", "Bash", 'command="git push\\u001b[2J"')
    assert task_row(fleet.state, fleet.task(task), fleet.now).reason == "asks: leave to use Bash"
    [step] = describe(fleet.state, [AnswerTask(task, "allow")], fleet.deciding)
    assert (step.before, step.after) == ("asked", "allowed")
    fleet.now += 5
    assert fleet.do(AnswerTask(task, "deny", message="not on Fridays")) == [question.id]
    assert told(fleet) == [(task, 1, "1", Reply("deny", "not on Fridays"))]
    assert (fleet.task(task).state, fleet.task(task).asked_s) == ("running", 5)
    assert [what for _, what, _ in fleet.task(task).history][-2:] == ["asked", "answered"]
    with pytest.raises(CommandRefused, match=f"{task} is running; it asks nothing, and {question.id} is answered or over"):
        fleet.do(AnswerTask(task, "allow", question=question.id))
    fleet.end(task)
    assert fleet.task(task).state == "succeeded"


def test_two_questions_are_told_apart_and_each_is_answered_once() -> None:
    fleet = Fleet()
    task = asking(fleet)
    fleet.report(r.TaskAsked(task, 1, Ask("x.1", "2", text="Which branch?", options=("main", "next"))))
    fleet.report(r.TaskAsked(task, 1, Ask("x.1", "2", text="again")))
    run, branch = fleet.task(task).questions
    with pytest.raises(CommandRefused, match="say which with --question"):
        fleet.do(AnswerTask(task, "allow"))
    with pytest.raises(UsageError, match="answer allow or deny"):
        fleet.do(AnswerTask(task, "main", question=run))
    with pytest.raises(CommandRefused, match="answered twice"):
        fleet.do(AnswerTask(task, "main", question=branch), AnswerTask(task, "next", question=branch))
    fleet.do(AnswerTask(task, "main", question=branch))
    assert fleet.task(task).state == "needs_input"
    fleet.do(AnswerTask(task, "allow"))
    assert [reply for *_, reply in told(fleet)] == [Reply("text", "main"), Reply("allow")]


@pytest.mark.parametrize("how", ["host lost", "engine", "cancelled", "ended"])
def test_with_its_attempt_a_question_is_over(how: str) -> None:
    fleet = Fleet()
    task = asking(fleet)
    [question] = fleet.task(task).questions
    if how == "host lost":
        fleet.down()
    elif how == "engine":
        fleet.report(r.EngineStarted("eng_2", "1", 1))
    elif how == "cancelled":
        fleet.do(CancelTask(task))
        assert fleet.task(task).state == "needs_input"
        fleet.end(task, ok=False, error_kind="stopped")
        assert fleet.task(task).state == "cancelled"
    else:
        fleet.end(task)
    assert fleet.state.asking == {}
    assert question_row(fleet.state, question) is None
    with pytest.raises(CommandRefused, match="it asks nothing"):
        fleet.do(AnswerTask(task, "allow", question=question))
    assert fleet.report(r.TaskAsked(task, 1, RUN)) == [], "an old attempt asks nothing"
    assert told(fleet) == []


def test_time_over_denies_or_fails_or_waits_and_waiting_is_no_run_time() -> None:
    for policy, state in (("deny", "running"), ("fail", "needs_input"), ("wait", "needs_input")):
        fleet = fleet_with(timeout_s=60, on_timeout=policy)
        task = asking(fleet, timeout_s=100)
        fleet.report(r.TaskAsked(task, 1, Ask("x.1", "2", text="And?")))
        fleet.after(90)
        assert fleet.task(task).state == state
        if policy == "deny":
            assert [reply.text for *_, reply in told(fleet)] == ["nobody answered in time"] * 2
            fleet.after(50)
            assert fleet.task(task).stopping == "", "an attempt of 100 s that waited for 90 may go on for 190"
            fleet.after(60)
            assert fleet.task(task).stopping == "timeout"
        elif policy == "fail":
            assert fleet.task(task).stopping == "unanswered"
            fleet.end(task, ok=False, error_kind="stopped")
            assert (fleet.task(task).state, fleet.task(task).error.kind) == ("failed", "unanswered")
        else:
            fleet.after(9_000)
            assert fleet.task(task).stopping == "", "who waits for a person does not run out of time"


def test_rules_of_the_configuration_answer_and_the_journal_says_so() -> None:
    fleet = fleet_with(allow=["Read", "Bash(command=git *)"], deny=["Bash(command=git push*)"])
    for command, decision in (("git status", "allow"), ("git push --force", "deny"), ("git log; rm -r .", ""), ("git log $(id)", ""), ("make", "")):
        task = asking(fleet, Ask("x.1", "1", tool="Bash", arguments={"command": command}))
        answers = [event.answer for event in fleet.events if isinstance(event, QuestionAnswered) and event.task == task]
        assert [answer.reply.decision for answer in answers] == ([decision] if decision else []), command
        assert not answers or (answers[0].by == "configuration" and answers[0].rule.startswith("Bash(command=git"))
        fleet.end(task)


def test_an_answer_sets_a_rule_for_its_pool_that_can_be_forgotten() -> None:
    fleet = Fleet()
    plain = Ask("x.1", "1", tool="Bash", arguments={"command": "git push [a]"})
    first = asking(fleet, plain)
    with pytest.raises(UsageError, match="is not about this use of Bash"):
        fleet.do(AnswerTask(first, "allow", rule="Write"))
    with pytest.raises(UsageError, match="is no rule"):
        fleet.do(AnswerTask(first, "allow", rule="Bash(git)"))
    with pytest.raises(UsageError, match="that can be read"):
        fleet.do(AnswerTask(first, "allow", rule="Bash(command=\x1b[2J)"))
    rule = suggested_rule(plain)
    fleet.do(AnswerTask(first, "allow", rule=rule))
    second = asking(fleet, plain)
    assert fleet.task(second).state == "running"
    words = [event_row(fleet.state, Record(0, 0.0, "", event)).text for event in fleet.events[-1:]]
    assert "allow, by ada (rule Bash(command=git push" in words[0]
    fleet.do(ForgetAnswerRule("coder", rule))
    fleet.end(first)
    assert fleet.task(asking(fleet, plain)).state == "needs_input"
    with pytest.raises(NotFound):
        fleet.do(ForgetAnswerRule("coder", rule))


@pytest.mark.parametrize(
    ("rule", "arguments", "fits"),
    [
        ("Bash", {}, True),
        ("mcp__*", {}, False),
        ("B*(command=ls *)", {"command": "ls -l"}, True),
        ("Bash(command=*)", {"command": "ls\nrm x"}, False),
        ("Bash(command=ls | wc)", {"command": "ls | wc"}, True),
        ("Bash(path=/site/*)", {"path": "/site/../etc/passwd"}, False),
        ("Bash(path=/site/*)", {"path": "/site/a..b"}, True),
        ("Bash(path=*)", {"path": 7}, False),
        ("Bash(path=*)", {}, False),
    ],
)
def test_a_rule_that_allows_lets_only_plain_values_through(rule: str, arguments: dict[str, object], fits: bool) -> None:
    ask = Ask("x.1", "1", tool="Bash", arguments=arguments)
    assert matches(AnswerRule("allow", rule), ask) is fits
    suggested = suggested_rule(ask)
    assert matches(AnswerRule("allow", suggested), ask) if suggested else "\n" in str(arguments["command"])


def test_a_rule_that_denies_needs_no_plain_value() -> None:
    ask = Ask("x.1", "1", tool="Bash", arguments={"command": "rm x; ls"})
    assert matches(AnswerRule("deny", "Bash(command=*rm*)"), ask)
    assert not matches(AnswerRule("deny", "Bash"), Ask("x.1", "1", text="Bash?"))


def test_a_configuration_with_what_is_no_rule_is_refused() -> None:
    with pytest.raises(ConfigError, match="is no rule"):
        fleet_with(allow=["Bash(git status)"])


def test_a_line_shows_what_does_not_print() -> None:
    assert in_a_line(Ask("x.1", "1", text="May I?", tool="T", arguments={"a": "\u202eb\x9b", "n": [1]})) == 'May I?: a="\\u202eb\\x9b", n=[1]'
