"""Whether programs at work do anything: one that says nothing and uses no CPU is stalled, and its pool says what comes of it.

Owner: `StallWatch`, of what each program did last and of what it was asked about. It changes no state: what is to be asked goes to the
coordinator as a report, what is to be stopped to the process host. Limits: a look costs microseconds a program. What a program does on
other machines (a model that thinks) cannot be seen here: the default shows it, and stops nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from engine.agents.processes.spec import StopReason
from engine.model.agents import Agent
from engine.model.ids import AgentId, QuestionId, TaskId
from engine.model.pools import StallPolicy
from engine.model.questions import Ask, TaskAsked
from engine.model.reports import Report
from engine.model.tasks import HELD, Task, TaskState
from engine.state import FleetState

IDLE_SHARE = 0.01
"""Share of a core between two looks up to which a program counts as using none: what waits for the network wakes up now and then."""
IDLE_CPU_S = 0.05
STOP, WAIT = "stop", "wait"

End = Callable[[str, StopReason, str], object]
"""Ends a program: the process host's name for it, the reason, and that in a sentence."""


class Run(NamedTuple):
    """A program as it is at a look."""

    name: str
    """The process host's."""
    agent: AgentId
    cpu_s: float
    """Of it and all that it started, since it began."""
    quiet_s: float
    """Since its last byte of output."""


@dataclass(slots=True)
class _Sign:
    """The last sign of life of an attempt."""

    attempt: int
    at: float
    cpu_s: float
    seen_at: float
    """The last look, and the CPU seconds at it."""
    seen_cpu_s: float
    asked: int = 0
    """Times that somebody was asked about it."""
    is_asking: bool = False
    question: QuestionId | None = None
    """What it is asked by, as soon as the fleet has it."""
    told: frozenset[QuestionId] = frozenset()
    """What had been answered when it was asked: an answer may come before the next look."""


class StallWatch:
    """Looks at programs at work."""

    def __init__(self, state: Callable[[], FleetState], report: Callable[[Report], None], end: End) -> None:
        self._state = state
        self._report = report
        self._end = end
        self._signs: dict[str, _Sign] = {}
        """By task."""

    def look(self, runs: Mapping[str, Run], now: float) -> dict[AgentId, str]:
        """Return which agents are stalled, with the evidence; do what their pools say."""
        state, stalled = self._state(), {}
        at_work: dict[str, Task] = {}
        for run in runs.values():
            agent = state.agents.get(run.agent)
            task = state.tasks.get(agent.task) if agent is not None and agent.task is not None else None
            if agent is None or task is None or task.state not in (TaskState.RUNNING, TaskState.NEEDS_INPUT) or task.stopping:
                continue
            at_work[task.spec.id] = task
            policy = state.pools[agent.spec.pool].spec.stalled
            if policy.after_s and (evidence := self._judge(agent, task, run, policy, now)):
                stalled[run.agent] = evidence
        self._signs = {id_: sign for id_, sign in self._signs.items() if id_ in at_work or self._may_be_seen_again(id_, sign)}
        return stalled

    def _may_be_seen_again(self, task_id: str, sign: _Sign) -> bool:
        """Answer whether an attempt goes on, whose machine tells nothing of it now."""
        task = self._state().tasks.get(TaskId(task_id))
        return task is not None and task.attempt == sign.attempt and task.state in HELD and not task.stopping

    def _judge(self, agent: Agent, task: Task, run: Run, policy: StallPolicy, now: float) -> str:  # noqa: PLR0913  # what is known of one program
        """Return the evidence that a program is stalled, empty = it is not."""
        sign = self._signs.get(task.spec.id)
        if sign is None or sign.attempt != task.attempt:
            sign = self._signs[task.spec.id] = _Sign(task.attempt, now, run.cpu_s, now, run.cpu_s)
        self._note(sign, task, run, now)
        quiet_s, used_s = now - sign.at, run.cpu_s - sign.cpu_s
        if quiet_s < policy.after_s:
            return ""
        evidence = f"stalled: no output for {_words(quiet_s)}, {used_s:.1f} s CPU in that time"
        if policy.then == STOP:
            self._end(run.name, "stalled", f"{evidence}; pool {agent.spec.pool} stops it then (stalled.then)")
        elif policy.then == "ask" and not sign.is_asking and not task.questions:
            sign.asked, sign.is_asking, sign.told = sign.asked + 1, True, frozenset(task.told)
            ask = Ask(f"{task.spec.id}.{task.attempt}", _name(sign), f"{evidence}. Stop this attempt?", options=(STOP, WAIT), is_fetched=True)
            self._report(TaskAsked(task.spec.id, task.attempt, ask))
        return evidence

    def _note(self, sign: _Sign, task: Task, run: Run, now: float) -> None:
        """Take what it did since the last look, and what was answered about it."""
        used_s, since_s = run.cpu_s - sign.seen_cpu_s, now - sign.seen_at
        sign.seen_at, sign.seen_cpu_s = now, run.cpu_s
        if used_s < 0 or used_s > max(IDLE_CPU_S, IDLE_SHARE * since_s):
            sign.at, sign.cpu_s = now, run.cpu_s
        elif now - run.quiet_s > sign.at:
            sign.at, sign.cpu_s = now - run.quiet_s, run.cpu_s
        asked = next((question.id for question in task.questions.values() if question.ask.is_fetched and question.ask.ask == _name(sign)), None)
        if asked is not None:
            sign.question = asked
        elif task.questions:
            sign.at, sign.cpu_s = now, run.cpu_s  # who waits for an answer does nothing, rightly
        elif sign.is_asking and (sign.question is not None or task.told.keys() - sign.told):
            sign.question = sign.question or next(id_ for id_ in task.told if id_ not in sign.told)
            answer = task.told.get(sign.question)
            sign.question, sign.is_asking = None, False
            if answer is not None and answer.reply.text.strip().lower() == STOP:
                self._end(run.name, "stalled", f"stalled: {answer.by} had it stopped")
            else:
                sign.at, sign.cpu_s = now, run.cpu_s


def _name(sign: _Sign) -> str:
    """Return what the question about it is called."""
    return f"stalled-{sign.asked}"


def _words(seconds: float) -> str:
    return f"{seconds / 60:.0f} m" if seconds >= 120 else f"{seconds:.0f} s"  # noqa: PLR2004  # minutes from two on
