"""Facts about what agents ask; part of the events in engine.model.events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.model.ids import QuestionId, TaskId
from engine.model.questions import Answer, AnswerRule, Question, Said


@dataclass(frozen=True, slots=True)
class QuestionAsked:
    """An agent asked, and its task waits for the answer."""

    type: ClassVar[str] = "question.asked"
    task: TaskId
    question: Question


@dataclass(frozen=True, slots=True)
class QuestionAnswered:
    """A question was answered; its agent gets the answer once this is in the journal."""

    type: ClassVar[str] = "question.answered"
    task: TaskId
    token: int
    question: QuestionId
    ask: str
    """The agent's own name for it; empty = the program that asked looks for the answer itself."""
    answer: Answer


@dataclass(frozen=True, slots=True)
class TaskProgressed:
    """A program said how far its task is."""

    type: ClassVar[str] = "task.progressed"
    task: TaskId
    said: Said


@dataclass(frozen=True, slots=True)
class AnswerRuleSet:
    """Questions like one that was answered are answered alike from now on in a pool."""

    type: ClassVar[str] = "answer_rule.set"
    pool: str
    rule: AnswerRule


@dataclass(frozen=True, slots=True)
class AnswerRuleForgotten:
    """A rule that an operator had set answers no more."""

    type: ClassVar[str] = "answer_rule.forgotten"
    pool: str
    rule: str
