"""What each event about questions changes."""

from __future__ import annotations

from typing import Any

from engine.model.question_events import (
    AnswerRuleForgotten,
    AnswerRuleSet,
    QuestionAnswered,
    QuestionAsked,
    TaskProgressed,
)
from engine.model.tasks import TOLD_MAX, Task, TaskState
from engine.state.tables import Tables


def _asked(tables: Tables, event: QuestionAsked, at: float) -> None:
    task, question = tables.tasks[event.task], event.question
    if not task.questions:
        task.asked_at = at
    task.questions[question.id] = question
    tables.asking[question.id] = event.task
    tables.touched.questions[question.id] = None
    task.note(at, "asked", question.ask.tool or question.ask.text[:80])
    _show(tables, task, TaskState.NEEDS_INPUT)


def _answered(tables: Tables, event: QuestionAnswered, at: float) -> None:
    task = tables.tasks[event.task]
    question = task.questions.pop(event.question)
    if question.ask.is_fetched:
        task.told[event.question] = event.answer
        for oldest in list(task.told)[:-TOLD_MAX]:
            del task.told[oldest]
    del tables.asking[event.question]
    tables.touched.questions[event.question] = None
    answer = event.answer
    task.note(at, "answered", f"{answer.reply.decision} by {answer.by}{f', rule {answer.rule}' if answer.rule else ''}")
    if not task.questions:
        task.asked_s += max(0.0, at - task.asked_at)
        task.asked_at = 0.0
    _show(tables, task, TaskState.NEEDS_INPUT if task.questions else TaskState.RUNNING)


def _show(tables: Tables, task: Task, state: TaskState) -> None:
    tables.set_state(task, state)
    if task.agent is not None:
        tables.set_to_work(tables.agents[task.agent], task)


def _rule_set(tables: Tables, event: AnswerRuleSet, _at: float) -> None:
    pool = tables.pools[event.pool]
    pool.answer_rules = [*(rule for rule in pool.answer_rules if rule.rule != event.rule.rule), event.rule]
    tables.touched.pools[event.pool] = None


def _rule_forgotten(tables: Tables, event: AnswerRuleForgotten, _at: float) -> None:
    pool = tables.pools[event.pool]
    pool.answer_rules = [rule for rule in pool.answer_rules if rule.rule != event.rule]
    tables.touched.pools[event.pool] = None


def _progressed(tables: Tables, event: TaskProgressed, _at: float) -> None:
    tables.tasks[event.task].said = event.said
    tables.touched.tasks[event.task] = None


TRANSITIONS: dict[type, Any] = {
    QuestionAsked: _asked,
    QuestionAnswered: _answered,
    AnswerRuleSet: _rule_set,
    AnswerRuleForgotten: _rule_forgotten,
    TaskProgressed: _progressed,
}
