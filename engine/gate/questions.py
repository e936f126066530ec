"""What agents ask, for faces: rows, questions in full, and what plans say of answers; pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.model.errors import NotFound
from engine.model.ids import QuestionId
from engine.model.plans import PlanStep
from engine.model.question_commands import AnswerTask, AskOperator, ForgetAnswerRule, TellProgress
from engine.model.question_rows import QuestionRow
from engine.model.questions import ALLOW, TEXT, Question, in_a_line, suggested_rule
from engine.model.tasks import Task
from engine.model.verbs import Command
from engine.model.wire import call_of
from engine.scheduling.answering import find_question, find_rule, reply_to
from engine.scheduling.asking import check_question
from engine.scheduling.submission import find_task
from engine.state import FleetState


def question_row(state: FleetState, id_: QuestionId) -> QuestionRow | None:
    """Return the row of an open question, None when it is answered or over."""
    task = state.tasks.get(state.asking[id_]) if id_ in state.asking else None
    return _row(task, task.questions[id_]) if task is not None else None


def _row(task: Task, question: Question) -> QuestionRow:
    ask, spec = question.ask, task.spec
    rule = suggested_rule(ask) if ask.tool else ""
    return QuestionRow(
        question.id, spec.id, spec.title, spec.pool, task.agent_name, question.kind, ask.tool, in_a_line(ask),
        question.asked_at, question.expires_at, question.attempt, ", ".join(ask.options), rule,
    )  # fmt: skip


def in_full(state: FleetState, word: str) -> dict[str, object]:
    """Return an open question with its arguments, exactly as they are, and its diff. Raises NotFound."""
    row = question_row(state, QuestionId(word))
    if row is None:
        raise NotFound(f"no open question {word!r}; `get questions` lists them, the task's history says how it was answered")
    question = state.tasks[state.asking[QuestionId(word)]].questions[QuestionId(word)]
    ask = question.ask
    return {**row._asdict(), "asks": ask.text, "arguments": ask.arguments, "diff": ask.diff, "on_timeout": question.on_timeout}


def why_waits(task: Task) -> str:
    """Return in a few words what a task's agent asks."""
    first = next(iter(task.questions.values()))
    more = f", and {len(task.questions) - 1} more" if len(task.questions) > 1 else ""
    what = f"leave to use {first.ask.tool}" if first.ask.tool else first.ask.text.splitlines()[0]
    return f"asks: {what}{more}"


def _answer(state: FleetState, command: AnswerTask) -> PlanStep:
    task = find_task(state, command.task)
    question = find_question(task, command.question)
    reply = reply_to(question, command)
    after = "answered" if reply.decision == TEXT else "allowed" if reply.decision == ALLOW else "denied"
    effect = f"{task.agent_name} goes on" + (f"; uses like {command.rule} are {after} in {task.spec.pool} from now on" if command.rule else "")
    return PlanStep(call_of(command), question.ask.tool or task.spec.title, "asked", after, effect)


def _forget(state: FleetState, command: ForgetAnswerRule) -> PlanStep:
    rule = find_rule(state, command)
    return PlanStep(call_of(command), command.pool, f"{rule.decision} {rule.rule}", "asked", "its agents ask again")


def _ask(state: FleetState, command: AskOperator) -> PlanStep:
    target = command.task or "the task that this program does"
    if command.task:
        check_question(find_task(state, command.task), command)
    return PlanStep(call_of(command), target, "", "asks the operators", "it waits for the answer, which takes none of its time")


def _tell(state: FleetState, command: TellProgress) -> PlanStep:
    task = find_task(state, command.task) if command.task else None
    before = task.said.text if task is not None and task.said is not None else ""
    return PlanStep(call_of(command), command.task or "the task that this program does", before, command.text)


DESCRIBE: dict[type[Command], Callable[[FleetState, Any], PlanStep]] = {AnswerTask: _answer, ForgetAnswerRule: _forget, AskOperator: _ask, TellProgress: _tell}
