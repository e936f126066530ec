"""The verbs about reviews on their way: work is made ready for a plan, a repository changes just before the journal notes it.

Owner: of the turn in which one act after the other changes repositories. What the journal refuses is taken back; what was cut off by
a kill is there already when somebody asks again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from typing import Any, Protocol

from engine.agents.workspaces.git import GitError
from engine.model import wire
from engine.model.errors import CommandRefused, NotFound, OutcomeUnknown
from engine.model.ids import TaskId
from engine.model.plans import Call, PlanStep
from engine.model.review_commands import AcceptReview, DiscardReview, ReopenReview, ReviewVerb
from engine.model.review_rows import ReviewRow
from engine.model.reviews import PATCH, SHORT_COMMIT, Review, ReviewState, Taking, Work, ends_of
from engine.model.task_commands import RetryTask
from engine.model.tasks import Task
from engine.model.verbs import Command
from engine.model.wire import call_of
from engine.scheduling.reviews import (
    RESULT_KEY,
    find_decided,
    find_waiting,
    follow_up,
    resumes,
)
from engine.scheduling.submission import find_task
from engine.state import FleetState
from engine.state.deciding import Deciding

logger = logging.getLogger(__name__)

DIFF_SHOWN_MAX, LINES_SHOWN_MAX = 512 << 10, 15_000
"""Characters and lines of a diff that a face is given at once."""

Back = Callable[[], Awaitable[None]]


class Reviewer(Protocol):
    """Changes repositories; `engine.agents.workspaces.reviewing` says how."""

    async def make(self, work: Work, taking: Taking, task: str, title: str, *, at: str = "") -> Taking:
        """Make what takes work over. Raises GitError."""
        ...

    async def has(self, work: Work, task: str) -> bool:
        """Tell whether the branch at which work began has it. Raises GitError."""
        ...

    async def take(self, work: Work, taking: Taking) -> None:
        """Have a branch take what was made. Raises GitError."""
        ...

    async def give_back(self, work: Work, taking: Taking) -> None:
        """Take back what take() did. Raises GitError."""
        ...

    async def retire(self, work: Work) -> None:
        """Remove the branch of work. Raises GitError."""
        ...

    async def restore(self, work: Work) -> None:
        """Bring it back. Raises GitError."""
        ...


class Reviewing:
    """What gates ask about reviews."""

    def __init__(self, state: Callable[[], FleetState], reviewer: Callable[[], Reviewer | None]) -> None:
        self._state = state
        self._reviewer = reviewer
        self._turn = asyncio.Lock()

    async def pin(self, commands: Sequence[Command]) -> Sequence[Command]:
        """Return verbs with what takes the work over made ready, one on top of the other. Raises FleetError: what conflicts, and what to do."""
        tips: dict[tuple[str, str], str] = {}
        for command in commands:
            if isinstance(command, DiscardReview):
                await self._check_is_loose(command)
        return [await self._pinned(command, tips) if isinstance(command, AcceptReview) else command for command in commands]

    async def _check_is_loose(self, command: DiscardReview) -> None:
        """Raise CommandRefused for work that a branch has already, by an accept that was cut off or by hand: it cannot be dropped."""
        work = find_waiting(self._state(), command.task).work
        try:
            is_taken = await self._git(work).has(work, command.task)
        except GitError as error:
            raise CommandRefused(f"{error}; nothing was changed") from error
        if is_taken:
            raise CommandRefused(f"{work.onto} has what {command.task} did already; `accept {command.task}` notes that, `git revert` takes it out; nothing was changed")

    async def _pinned(self, command: AcceptReview, tips: dict[tuple[str, str], str]) -> AcceptReview:
        review = find_waiting(self._state(), command.task)
        work, title = review.work, find_task(self._state(), command.task).spec.title
        at = tips.get((work.repository, command.onto or work.onto), "")
        try:
            taking = await self._git(work).make(work, Taking(command.how, command.onto), command.task, title, at=at)
        except GitError as error:
            by_hand = f"`retry {command.task} --feedback ...` has its agent solve it, `git merge {work.branch}` leaves it to you"
            raise CommandRefused(f"{error}; nothing was changed; {by_hand}") from error
        if taking.made and taking.how != PATCH:
            tips[work.repository, taking.onto] = ends_of(taking.made)[1]
        return replace(command, onto=taking.onto, made=taking.made)

    @asynccontextmanager
    async def carried_out(self, commands: Sequence[Command]) -> AsyncIterator[None]:
        """Change repositories as verbs say, and back if what follows refuses them. Raises CommandRefused; nothing has then changed."""
        if not isinstance(commands[0], ReviewVerb):
            yield
            return
        async with self._turn:
            back: list[Back] = []
            try:
                for command in commands:
                    assert isinstance(command, ReviewVerb), "a plan holds one kind of verb"
                    await self._carry_out(command, back)
                yield
            except GitError as error:
                await self._take_back(back)
                raise CommandRefused(f"{error}; nothing was changed") from error
            except OutcomeUnknown:
                raise
            except CommandRefused:
                await self._take_back(back)
                raise

    async def _carry_out(self, command: AcceptReview | DiscardReview | ReopenReview, back: list[Back]) -> None:
        if isinstance(command, ReopenReview):
            await self._reopen(find_decided(self._state(), command.task), back)
            return
        work = find_waiting(self._state(), command.task).work
        git = self._git(work)
        if isinstance(command, AcceptReview):
            taking = Taking(command.how, command.onto, command.made)
            await git.take(work, taking)
            back.append(lambda: git.give_back(work, taking))
        back.append(lambda: git.restore(work))
        await git.retire(work)

    async def _reopen(self, review: Review, back: list[Back]) -> None:
        work, git = review.work, self._git(review.work)
        if review.state is ReviewState.ACCEPTED:
            taking = Taking(review.how, review.onto, review.made)
            await git.give_back(work, taking)
            back.append(lambda: git.take(work, taking))
        await git.restore(work)
        back.append(lambda: git.retire(work))

    async def _take_back(self, back: list[Back]) -> None:
        for act in reversed(back):
            try:
                await act()
            except GitError as error:
                logger.error("repository is not as it was before a refused review", extra={"reason": str(error)})  # noqa: TRY400  # expected, no traceback

    def _git(self, work: Work) -> Reviewer:
        reviewer = self._reviewer()
        if work.host:
            raise CommandRefused(f"its repository is on host {work.host}: fetch {work.branch} from {work.repository} there; nothing was changed")
        if reviewer is None:
            raise CommandRefused("this engine changes no repositories; ask the one that leads")
        return reviewer


# ---- what faces see


def review_row(state: FleetState, id_: TaskId) -> ReviewRow | None:
    """Return the row of a review that waits, None when it is decided or forgotten."""
    task = state.tasks[id_] if id_ in state.reviewing else None
    if task is None or task.review is None:
        return None
    work, spec = task.review.work, task.spec
    return ReviewRow(
        id_, spec.title, spec.pool, task.state, work.branch, work.onto, work.commits, work.files, work.insertions, work.deletions,
        work.check, task.review.opened_at, task.agent_name, spec.follows, work.host,
    )  # fmt: skip


def in_full(task: Task, stored: bytes | None) -> dict[str, object]:
    """Return a review with its commits and as much of its diff as fits; `stored` is the task's whole result. Raises NotFound."""
    review, spec = task.review, task.spec
    if review is None:
        raise NotFound(f"there is no review of {spec.id}: it left nothing on a branch of its own, or runs again")
    whole = wire.decode(stored) if stored is not None else task.result
    told = task.result.get(RESULT_KEY)
    diff, left_out = _cut(whole.get("diff") if isinstance(whole, dict) else None)
    return {
        "id": spec.id,
        "title": spec.title,
        "pool": spec.pool,
        "ended": task.state,
        "follows": spec.follows,
        **{field.name: getattr(review, field.name) for field in fields(review)},
        "commits": told.get("commits", []) if isinstance(told, dict) else [],
        "diff": diff,
        "left_out": left_out,
    }


def _cut(diff: object) -> tuple[str | None, int]:
    """Return the first whole lines of a diff, and how many lines are left out."""
    if not isinstance(diff, str):
        return None, 0
    lines = diff.split("\n", LINES_SHOWN_MAX)
    shown = "\n".join(lines[:LINES_SHOWN_MAX])
    if len(shown) > DIFF_SHOWN_MAX:
        shown = shown[: shown.rfind("\n", 0, DIFF_SHOWN_MAX) + 1 or DIFF_SHOWN_MAX].removesuffix("\n")
    return shown, diff.removesuffix("\n").count("\n") - shown.count("\n") if len(shown) < len(diff) - 1 else 0


# ---- what plans say


def in_short(work: Work) -> str:
    """Return in a few words what work is."""
    return f"{work.commits} commit{'' if work.commits == 1 else 's'}, {work.files} file{'' if work.files == 1 else 's'}, +{work.insertions} −{work.deletions}"


def _accept(state: FleetState, command: AcceptReview) -> PlanStep:
    review = find_waiting(state, command.task)
    work, task = review.work, find_task(state, command.task)
    where = "the working copy, in no commit" if command.how == PATCH else command.onto
    effect = f"{command.how} of {work.branch} into {where}: {in_short(work)}" if command.made else f"{where} has it already: that is noted, and {work.branch} goes"
    warning = f"its check: {work.check}" if work.check not in ("", "passed") else ""
    return PlanStep(call_of(command), task.spec.title, "waiting", "accepted", effect, warning)


def _discard(state: FleetState, command: DiscardReview) -> PlanStep:
    work, task = find_waiting(state, command.task).work, find_task(state, command.task)
    told = task.result.get("workspace")
    kept = f" and the worktree in {told['path']}" if isinstance(told, dict) and told.get("path") else ""
    return PlanStep(call_of(command), task.spec.title, "waiting", "discarded", f"deletes {work.branch} ({in_short(work)}){kept}; commit {work.head[:SHORT_COMMIT]} is kept")


def _reopen(state: FleetState, command: ReopenReview) -> PlanStep:
    review, task = find_decided(state, command.task), find_task(state, command.task)
    old, _ = ends_of(review.made)
    takes = "the working copy loses its changes" if review.how == PATCH else f"{review.onto} goes back to {old[:SHORT_COMMIT]}" if old else f"{review.onto} stays as it is"
    effect = f"{review.work.branch} comes back" + (f", {takes}" if review.state is ReviewState.ACCEPTED else "")
    return PlanStep(call_of(command), task.spec.title, review.state, "waiting", effect)


def describe_feedback(state: FleetState, command: RetryTask, deciding: Deciding) -> PlanStep:
    """Return what feedback on a task would do. Raises FleetError."""
    task, spec = find_task(state, command.task), follow_up(state, command, deciding)
    where = f"goes on with {spec.work.branch}" if spec.work is not None else "begins anew"
    how = "in the same conversation" if resumes(state, task) else "with its prompt and the feedback"
    return PlanStep(call_of(command), task.spec.title, task.review.state if task.review is not None else task.state, "retried", f"a new task {where}, {how}")


DESCRIBE: dict[type[Command], Callable[[FleetState, Any], PlanStep]] = {AcceptReview: _accept, DiscardReview: _discard, ReopenReview: _reopen}


# ---- undo


def inverse_of(state: FleetState, command: AcceptReview | DiscardReview) -> list[Call]:
    """Return the call that has a review wait again."""
    task = state.tasks.get(TaskId(command.task))
    waits = task is not None and task.review is not None and task.review.state is ReviewState.WAITING
    return [Call(ReopenReview.name, {"task": command.task})] if waits else []


def is_needless(state: FleetState, command: AcceptReview | DiscardReview | ReopenReview) -> bool:
    """Tell whether a review is as a verb would make it, or has gone."""
    task = state.tasks.get(TaskId(command.task))
    if task is None or task.review is None:
        return True
    return (task.review.state is ReviewState.WAITING) is isinstance(command, ReopenReview)
