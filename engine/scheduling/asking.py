"""What the programs of tasks say by verbs: questions to the operators, and how far they are."""

from __future__ import annotations

from collections.abc import Sequence

from engine.model.errors import CommandRefused, Denied, TooLarge, UsageError
from engine.model.events import Event
from engine.model.plans import Origin
from engine.model.question_commands import AskOperator, TellProgress
from engine.model.question_events import QuestionAsked, TaskProgressed
from engine.model.questions import OPEN_MAX, Ask, Said
from engine.model.secrets import conceal
from engine.model.tasks import HELD, Task
from engine.scheduling.answering import asked_events
from engine.scheduling.submission import find_task
from engine.state import FleetState
from engine.state.deciding import Deciding, Decision

QUESTION_MAX = 4_000
"""Characters of a question, and of all its options together."""
OPTIONS_MAX = 16
PROGRESS_MAX = 300
PROGRESS_EVERY_S = 1.0


def find_own(state: FleetState, word: str, origin: Origin) -> Task:
    """Return the running task that a program speaks of: its own, or the one an operator names. Raises NotFound, UsageError, Denied, CommandRefused."""
    own = origin.attempt.split("/")[1] if origin.agent else ""
    if own and word not in ("", own):
        raise Denied(f"{word} is not the task of {origin.agent}, whose program speaks of {own} alone; nothing was changed")
    if not (own or word):
        raise UsageError("say which task with --task; only the program of an agent need not")
    task = find_task(state, own or word)
    if task.state not in HELD or not task.started_at or task.stopping:
        raise CommandRefused(f"{task.spec.id} is {f'stopping ({task.stopping})' if task.stopping else task.state}: only a task that runs asks or is under way; nothing was changed")
    return task


def decide_ask(state: FleetState, commands: Sequence[AskOperator], deciding: Deciding) -> Decision:
    """Keep questions of programs. Raises NotFound, UsageError, Denied, CommandRefused, TooLarge."""
    events: list[Event] = []
    values: list[object] = []
    for command in commands:
        task = find_own(state, command.task, deciding.origin)
        check_question(task, command)
        ask = Ask(task.spec.id, "", _shown(command.question), options=tuple(map(_shown, command.options)), is_fetched=True)
        asked = asked_events(state, task, ask, deciding)
        values.append(next(event.question.id for event in asked if isinstance(event, QuestionAsked)))
        events += asked
    return Decision(events, values)


def check_question(task: Task, command: AskOperator) -> None:
    """Check that a question can be put. Raises UsageError, TooLarge, CommandRefused."""
    if not command.question.strip():
        raise UsageError("a question needs words")
    if len(command.question) + sum(map(len, command.options)) > QUESTION_MAX or len(command.options) > OPTIONS_MAX:
        raise TooLarge(f"a question has at most {QUESTION_MAX:,} characters with its options, of which there are at most {OPTIONS_MAX}; give the rest as a file or in memory")
    if len(task.questions) >= OPEN_MAX:
        raise CommandRefused(f"{task.spec.id} has {OPEN_MAX} open questions already; wait for answers")


def _shown(text: str) -> str:
    """Return a text that is safe to keep and to show: without what looks like a secret, and nothing that moves a terminal."""
    return conceal("".join(char for char in text if char.isprintable() or char in "\n\t"))


def decide_progress(state: FleetState, commands: Sequence[TellProgress], deciding: Deciding) -> Decision:
    """Keep how far tasks are. Raises NotFound, UsageError, Denied, CommandRefused."""
    events: list[Event] = []
    for command in commands:
        task = find_own(state, command.task, deciding.origin)
        check_progress(task, command, deciding.now)
        events.append(TaskProgressed(task.spec.id, Said(_shown(command.text), command.ratio, deciding.now)))
    return Decision(events, [command.text for command in commands])


def check_progress(task: Task, command: TellProgress, now: float) -> None:
    """Check that progress can be told. Raises UsageError, CommandRefused."""
    if not command.text.strip() or len(command.text) > PROGRESS_MAX or "\n" in command.text:
        raise UsageError(f"progress is one line of at most {PROGRESS_MAX} characters")
    if -1 < command.ratio < 0:
        raise UsageError("ratio is the share that is done, 0 to 1, or -1 when it is not known")
    if task.said is not None and now - task.said.at < PROGRESS_EVERY_S:
        raise CommandRefused(f"{task.spec.id} told its progress less than {PROGRESS_EVERY_S:g} s ago; nothing was changed")
