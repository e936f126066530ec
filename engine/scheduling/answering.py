"""What agents ask and what they are told: by rules, by operators, or by the time that is over."""

from __future__ import annotations

from collections.abc import Sequence

from engine.model.errors import CommandRefused, NotFound, UsageError
from engine.model.events import Event
from engine.model.ids import QUESTION_PREFIX, QuestionId
from engine.model.pools import Pool
from engine.model.question_commands import AnswerTask, ForgetAnswerRule
from engine.model.question_events import (
    AnswerRuleForgotten,
    AnswerRuleSet,
    QuestionAnswered,
    QuestionAsked,
)
from engine.model.questions import (
    ALLOW,
    DENY,
    FAIL,
    OPEN_MAX,
    TEXT,
    UNANSWERED,
    WAIT,
    Answer,
    AnswerRule,
    Ask,
    Question,
    Reply,
    TaskAsked,
    decided_by,
    matches,
    parse_rule,
)
from engine.model.task_events import TasksStopping
from engine.model.tasks import Task
from engine.scheduling.leases import holds
from engine.scheduling.submission import find_task
from engine.state import FleetState
from engine.state.deciding import Deciding, Decision

RULES_MAX = 500
"""Rules that operators set in a pool."""


def decide_asked(state: FleetState, report: TaskAsked, deciding: Deciding) -> list[Event]:
    """Keep a question of a current lease, and answer it at once where a rule does; one of an old lease gives nothing."""
    task, ask = holds(state, report.task, report.token), report.ask
    if task is None or task.stopping or any(open_.ask.ask == ask.ask for open_ in task.questions.values()):
        return []
    return asked_events(state, task, ask, deciding)


def asked_events(state: FleetState, task: Task, ask: Ask, deciding: Deciding) -> list[Event]:
    """Return the events that keep a question of a task, and answer it at once where a rule does."""
    pool = state.pools[task.spec.pool]
    policy = pool.spec.answers
    expires_at = deciding.now + policy.timeout_s if policy.timeout_s and policy.on_timeout != WAIT else 0.0
    question = Question(QuestionId(deciding.ids.new(QUESTION_PREFIX)), ask, task.attempt, deciding.now, expires_at, policy.on_timeout)
    asked = QuestionAsked(task.spec.id, question)
    rule = decided_by(rules_of(pool), ask)
    if rule is not None:
        why = f"a rule of the pool {pool.spec.name} denies it" if rule.decision == DENY else ""
        return [asked, answered(task, question, Answer(Reply(rule.decision, why), rule.by, rule.rule))]
    if len(task.questions) >= OPEN_MAX:
        return [asked, answered(task, question, Answer(Reply(DENY, f"{OPEN_MAX} questions of this task are open already"), "engine"))]
    return [asked]


def rules_of(pool: Pool) -> list[AnswerRule]:
    """Return the rules that answer for a pool: those of the configuration, and those that operators set."""
    return [*pool.spec.answers.rules(), *pool.answer_rules]


def answered(task: Task, question: Question, answer: Answer) -> QuestionAnswered:
    """Return the event that answers a question."""
    ask = question.ask
    return QuestionAnswered(task.spec.id, question.attempt, question.id, "" if ask.is_fetched else ask.ask, answer)


def decide_answer(state: FleetState, commands: Sequence[AnswerTask], deciding: Deciding) -> Decision:
    """Answer open questions, each once. Raises NotFound, CommandRefused, UsageError."""
    events: list[Event] = []
    values: list[object] = []
    done: set[QuestionId] = set()
    for command in commands:
        task = find_task(state, command.task)
        question = find_question(task, command.question)
        if question.id in done:
            raise CommandRefused(f"{question.id} would be answered twice; nothing was changed")
        done.add(question.id)
        reply = reply_to(question, command)
        if command.rule:
            events += _with_rule(state, task, question, reply, command.rule, deciding)
        events.append(answered(task, question, Answer(reply, deciding.origin.who, command.rule)))
        values.append(question.id)
    return Decision(events, values)


def find_question(task: Task, word: str) -> Question:
    """Return an open question of a task: the one with that id, or the only one. Raises CommandRefused."""
    if not task.questions:
        raise CommandRefused(f"{task.spec.id} is {task.state}; it asks nothing{f', and {word} is answered or over' if word else ''}")
    if word:
        found = task.questions.get(QuestionId(word))
        if found is None:
            raise CommandRefused(f"{word} is answered or over; {task.spec.id} asks {', '.join(task.questions)} now")
        return found
    if len(task.questions) > 1:
        raise CommandRefused(f"{task.spec.id} asks {', '.join(task.questions)}; say which with --question")
    return next(iter(task.questions.values()))


def reply_to(question: Question, command: AnswerTask) -> Reply:
    """Return what an answer means to a question. Raises UsageError."""
    word = command.answer.strip()
    if not word:
        raise UsageError("an answer needs a word: allow, deny, or the reply to a question")
    if word in (ALLOW, DENY):
        return Reply(word, command.message)
    if question.kind == "permission":
        raise UsageError(f"it asks for leave to use {question.ask.tool}: answer allow or deny, with --message for the agent")
    return Reply(TEXT, command.answer)


def _with_rule(state: FleetState, task: Task, question: Question, reply: Reply, rule: str, deciding: Deciding) -> list[Event]:  # noqa: PLR0913  # what a rule is made from
    pool = state.pools[task.spec.pool]
    made = AnswerRule(reply.decision, rule, deciding.origin.who, deciding.now)
    parse_rule(rule)
    if question.kind != "permission":
        raise UsageError("a rule answers uses of tools only; this is a question")
    if not matches(made, question.ask):
        raise UsageError(f"the rule {rule!r} is not about this use of {question.ask.tool}; nothing was changed")
    if len(pool.answer_rules) >= RULES_MAX:
        raise CommandRefused(f"{pool.spec.name} has {RULES_MAX} rules that operators set; forget some, or write wider ones to the configuration")
    return [AnswerRuleSet(pool.spec.name, made)]


def decide_forget_rule(state: FleetState, commands: Sequence[ForgetAnswerRule], _deciding: Deciding) -> Decision:
    """Forget rules that operators set. Raises NotFound."""
    for command in commands:
        find_rule(state, command)
    return Decision([AnswerRuleForgotten(command.pool, command.rule) for command in commands], [command.rule for command in commands])


def find_rule(state: FleetState, command: ForgetAnswerRule) -> AnswerRule:
    """Return a rule that an operator set. Raises NotFound."""
    pool = state.pools.get(command.pool)
    found = next((rule for rule in pool.answer_rules if rule.rule == command.rule), None) if pool else None
    if found is None:
        raise NotFound(f"no operator set the rule {command.rule!r} in a pool {command.pool!r}; those of the configuration are changed there")
    return found


def decide_overdue(task: Task, now: float) -> list[Event]:
    """Return what follows when the time of a task's questions is over."""
    over = [question for question in task.questions.values() if 0 < question.expires_at <= now]
    if any(question.on_timeout == FAIL for question in over):
        return [TasksStopping((task.spec.id,), UNANSWERED)] if not task.stopping else []
    return [answered(task, question, Answer(Reply(DENY, "nobody answered in time"), "time-out")) for question in over]
