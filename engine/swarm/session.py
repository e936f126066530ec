"""One step of a session: what follows from what its tasks and votes have come to; pure.

`step` is asked whenever something that a session waits for has ended, its swarm has changed, or its time has come, and goes as far as
it can. It never waits for what may never come: a task of a member that is lost is given to another one, a vote whose reviews have all
ended is closed, one that ended undecided is waited for no longer than the plan's patience, and all of it no longer than its deadline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from engine.model.ids import PROPOSAL_PREFIX, TASK_PREFIX, ProposalId, TaskId
from engine.model.swarm_sessions import Part, Session
from engine.model.swarm_words import PARTS_MAX, PartState, SessionState
from engine.model.vote_words import Choice, Standing

_UNDECIDED = (Standing.DEADLOCKED, Standing.EXPIRED)


@dataclass(frozen=True, slots=True)
class Ended:
    """What a task came to."""

    ok: bool
    result: dict[str, object] = field(default_factory=dict)
    error: str = ""
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class VoteSeen:
    """How a vote stands."""

    standing: Standing
    closed_at: float = 0.0
    because: str = ""
    against: tuple[str, ...] = ()
    """Reasons of those who rejected it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a step may look at."""

    now: float
    members: Sequence[str]
    """Those who may be given tasks, the best first."""
    leader: str
    may_begin: bool
    """The swarm is active; otherwise nothing new is begun."""
    is_turn: bool
    """No other session of the swarm is under way."""
    ended: Callable[[TaskId], Ended | None]
    """None = it has not ended."""
    vote: Callable[[ProposalId], VoteSeen]
    new_id: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Assign:
    """A member is given a task."""

    task: TaskId
    type: str
    agent: str
    payload: dict[str, object]
    title: str
    needs: tuple[TaskId, ...] = ()
    """Tasks whose results it is given."""


@dataclass(frozen=True, slots=True)
class Propose:
    """The result of a task is put to the vote of some members."""

    proposal: ProposalId
    subject: str
    task: TaskId
    voters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Vote:
    """A member's review becomes its ballot."""

    proposal: ProposalId
    voter: str
    choice: Choice
    confidence: float
    reasoning: str


@dataclass(frozen=True, slots=True)
class Close:
    """Nobody else will vote."""

    proposal: ProposalId
    because: str


@dataclass(frozen=True, slots=True)
class Drop:
    """What is no longer needed: tasks to cancel, votes to withdraw."""

    tasks: tuple[TaskId, ...] = ()
    votes: tuple[ProposalId, ...] = ()
    because: str = ""


Effect = Assign | Propose | Vote | Close | Drop


def step(session: Session, seen: Seen) -> tuple[Session, list[Effect]]:
    """Return a session as far as it goes now, and what that takes; the same one and nothing when it has to wait."""
    stepping = _Stepping(session, seen)
    stepping.go()
    return stepping.session, stepping.effects


def stop(session: Session, state: SessionState, because: str, now: float) -> tuple[Session, list[Effect]]:
    """Return a session as it ends before its time; one that is rolled back keeps nothing of what was accepted."""
    dropped = Drop(tuple(session.open_tasks()), tuple(session.open_votes()), because)
    parts = session.parts
    if state is SessionState.ROLLED_BACK:
        parts = tuple(Part(part.number, part.payload) for part in parts)
    ended = replace(session, state=state, because=because, ended_at=now, parts=tuple(replace(part, reviews={}) for part in parts), task=None)
    return ended, [dropped] if dropped.tasks or dropped.votes else []


def ballot_of(result: dict[str, object]) -> tuple[Choice, float, str] | None:
    """Return what a review says: vote, confidence and reasoning; None when it says nothing that can be counted."""
    try:
        choice = Choice(str(result.get("vote", "")))
    except ValueError:
        return None
    confidence = result.get("confidence", 1.0)
    is_number = isinstance(confidence, int | float) and not isinstance(confidence, bool) and 0 <= confidence <= 1
    return choice, float(confidence) if is_number else 0.0, str(result.get("reasoning", ""))  # type: ignore[arg-type]


class _Stepping:
    """A session on its way through one step."""

    def __init__(self, session: Session, seen: Seen) -> None:
        self.session = session
        self.seen = seen
        self.effects: list[Effect] = []

    def go(self) -> None:
        """Go as far as it goes."""
        session, seen = self.session, self.seen
        if session.is_over:
            return
        if session.state is SessionState.QUEUED:
            if not seen.is_turn or not seen.may_begin:
                return
            begins = SessionState.WORKING if session.parts else SessionState.SPLITTING
            self.session = replace(session, state=begins, began_at=seen.now, deadline=seen.now + session.plan.timeout_s)
        if not seen.members:
            self._end(SessionState.FAILED, "its swarm has no members left")
        elif seen.now >= self.session.deadline:
            self._end(SessionState.FAILED, f"not done within {self.session.plan.timeout_s:g} s")
        else:
            self._advance()

    def _advance(self) -> None:
        if self.session.state is SessionState.SPLITTING:
            self._split()
        if self.session.state is SessionState.WORKING:
            self._work()
        if self.session.state is SessionState.INTEGRATING:
            self._integrate()

    # ---- what the leader does

    def _split(self) -> None:
        ended = self._led(self.session.plan.split, {})
        if ended is None:
            return
        found = ended.result.get("parts")
        payloads: list[dict[str, object]] = [part if isinstance(part, dict) else {"prompt": str(part)} for part in found] if isinstance(found, list) else []
        if not ended.ok or not payloads:
            self._try_leading_again(ended.error or "it named no parts")
        elif len(payloads) > PARTS_MAX:
            self._end(SessionState.FAILED, f"it was split into {len(payloads)} parts, and {PARTS_MAX} may be")
        else:
            parts = tuple(Part(number, payload) for number, payload in enumerate(payloads, 1))
            self.session = replace(self.session, parts=parts, state=SessionState.WORKING, task=None, tries=0)

    def _integrate(self) -> None:
        plan, parts = self.session.plan, self.session.parts
        if not plan.integrate:
            self._end(SessionState.SUCCEEDED, f"{len(parts)} parts accepted")
            return
        ended = self._led(plan.integrate, {}, tuple(part.task for part in parts if part.task is not None))
        if ended is not None and ended.ok:
            self._end(SessionState.SUCCEEDED, f"{len(parts)} parts accepted and put together", keep_task=True)
        elif ended is not None:
            self._try_leading_again(ended.error)

    def _led(self, type_: str, payload: dict[str, object], needs: tuple[TaskId, ...] = ()) -> Ended | None:
        """Have the leader do something; return what it came to, once it has ended."""
        if self.session.task is not None:
            ended = self.seen.ended(self.session.task)
            if ended is not None:
                self.session = replace(self.session, cost=self.session.cost + ended.cost)
            return ended
        task = self._assign(type_, self.seen.leader, payload, type_, needs)
        if task is not None:
            self.session = replace(self.session, task=task, tries=self.session.tries + 1)
        return None

    def _try_leading_again(self, why: str) -> None:
        if self.session.tries >= self.session.plan.attempts:
            self._end(SessionState.FAILED, why)
            return
        self.session = replace(self.session, task=None)
        self._advance()

    # ---- what the members do

    def _work(self) -> None:
        for number in range(len(self.session.parts)):
            before = None
            while self.session.state is SessionState.WORKING and (part := self.session.parts[number]) != before:
                before = part
                self._part(part)
        if self.session.state is SessionState.WORKING and all(part.state is PartState.ACCEPTED for part in self.session.parts):
            self.session = replace(self.session, state=SessionState.INTEGRATING)

    def _part(self, part: Part) -> None:
        match part.state:
            case PartState.WAITING:
                self._give(part)
            case PartState.WORKING:
                self._look_at_work(part)
            case PartState.REVIEWING:
                self._look_at_reviews(part)
            case _:
                pass

    def _give(self, part: Part) -> None:
        worker = self._least_busy(part)
        payload = {**part.payload, "part": part.number, "attempt": part.attempt + 1}
        if part.reasons:
            payload["reasons"] = list(part.reasons)
        task = self._assign(self.session.plan.work, worker, payload, f"part {part.number}")
        if task is not None:
            self._set(replace(part, state=PartState.WORKING, attempt=part.attempt + 1, worker=worker, task=task, proposal=None))

    def _least_busy(self, part: Part) -> str:
        """Return who works on a part: not whose work was turned down, nor the leader, if there are others; the least busy of them."""
        load: dict[str, int] = {}
        for other in self.session.parts:
            if other.state is PartState.WORKING:
                load[other.worker] = load.get(other.worker, 0) + 1
        members = self.seen.members
        order = {member: place for place, member in enumerate(members)}
        return min(members, key=lambda member: (member == part.worker, member == self.seen.leader, load.get(member, 0), order[member]))

    def _look_at_work(self, part: Part) -> None:
        assert part.task is not None
        ended = self.seen.ended(part.task)
        if ended is None:
            if part.worker not in self.seen.members:
                self.effects.append(Drop((part.task,), because="its agent is lost"))
                self._set(replace(part, state=PartState.WAITING, attempt=part.attempt - 1, task=None))
            return
        if not self.seen.may_begin:
            return
        self.session = replace(self.session, cost=self.session.cost + ended.cost)
        others = [member for member in self.seen.members if member != part.worker]
        if not ended.ok:
            self._try_again(part, (ended.error or "it failed",))
        elif not self.session.plan.review or not others:
            self._set(replace(part, state=PartState.ACCEPTED))
        elif self._affords(min(len(others), self.session.plan.reviewers)):
            self._review(part, others)

    def _review(self, part: Part, others: Sequence[str]) -> None:
        assert part.task is not None
        turn = (part.number + part.attempt) % len(others)
        leads = [member for member in others if member == self.seen.leader]
        voters = tuple(dict.fromkeys([*leads, *others[turn:], *others[:turn]]))[: self.session.plan.reviewers]
        proposal = ProposalId(self.seen.new_id(PROPOSAL_PREFIX))
        self.effects.append(Propose(proposal, f"{self.session.objective}: part {part.number}, attempt {part.attempt}", part.task, voters))
        reviews: dict[str, TaskId] = {}
        for voter in voters:
            payload: dict[str, object] = {"part": part.payload, "proposal": proposal}
            task = self._assign(self.session.plan.review, voter, payload, f"review of part {part.number}", (part.task,))
            assert task is not None, "it was affordable"
            reviews[voter] = task
        self._set(replace(part, state=PartState.REVIEWING, proposal=proposal, reviews=reviews))

    def _look_at_reviews(self, part: Part) -> None:
        assert part.proposal is not None
        reviews, lost = dict(part.reviews), []
        vote = self.seen.vote(part.proposal)
        for voter, task in part.reviews.items():
            ended = self.seen.ended(task)
            if ended is None and voter in self.seen.members:
                continue
            del reviews[voter]
            if ended is None:
                lost.append(task)
                continue
            self.session = replace(self.session, cost=self.session.cost + ended.cost)
            said = ballot_of(ended.result) if ended.ok else None
            if said is not None and vote.standing is Standing.OPEN:
                self.effects.append(Vote(part.proposal, voter, *said))
        if lost:
            self.effects.append(Drop(tuple(lost), because="its agent is lost"))
        if len(reviews) < len(part.reviews):
            part = replace(part, reviews=reviews)
            self._set(part)
            if not reviews:
                self.effects.append(Close(part.proposal or ProposalId(""), "every review has ended"))
        elif vote.standing is not Standing.OPEN:
            self._look_at_verdict(part, vote)

    def _look_at_verdict(self, part: Part, vote: VoteSeen) -> None:
        if vote.standing in _UNDECIDED and self.seen.now < vote.closed_at + self.session.plan.patience_s:
            return
        if part.reviews:
            self.effects.append(Drop(tuple(part.reviews.values()), because=f"the vote is {vote.standing}"))
        part = replace(part, reviews={})
        if vote.standing is Standing.ACCEPTED:
            self._set(replace(part, state=PartState.ACCEPTED))
        else:
            self._try_again(part, vote.against or (vote.because,))

    def _try_again(self, part: Part, reasons: Iterable[str]) -> None:
        reasons = tuple(reasons)
        if part.attempt < self.session.plan.attempts:
            self._set(replace(part, state=PartState.WAITING, task=None, reasons=reasons))
            return
        self._set(replace(part, state=PartState.FAILED, reasons=reasons))
        self._end(SessionState.FAILED, f"part {part.number} was not accepted in {part.attempt} attempts: {reasons[0]}")

    # ---- the small moves

    def _set(self, part: Part) -> None:
        parts = tuple(part if one.number == part.number else one for one in self.session.parts)
        self.session = replace(self.session, parts=parts)

    def _affords(self, tasks: int) -> bool:
        """Tell whether the budget has so many tasks more; end the session if it has not."""
        session, plan = self.session, self.session.plan
        if plan.budget_cost and session.cost >= plan.budget_cost:
            self._end(SessionState.FAILED, f"its budget is used up: a cost of {session.cost:g} of {plan.budget_cost:g}")
        elif session.tasks + tasks > plan.budget_tasks:
            self._end(SessionState.FAILED, f"its budget is used up: {session.tasks} of {plan.budget_tasks} tasks, {tasks} more needed")
        return not self.session.is_over

    def _assign(self, type_: str, agent: str, payload: dict[str, object], title: str, needs: tuple[TaskId, ...] = ()) -> TaskId | None:  # noqa: PLR0913  # a task has these parts
        """Give a member a task and return it; None when nothing may begin or the budget is used up, which ends the session."""
        if not self.seen.may_begin or not self._affords(1):
            return None
        task = TaskId(self.seen.new_id(TASK_PREFIX))
        whole = {**self.session.payload, "objective": self.session.objective, **payload}
        self.effects.append(Assign(task, type_, agent, whole, f"{self.session.objective}: {title}", needs))
        self.session = replace(self.session, tasks=self.session.tasks + 1)
        return task

    def _end(self, state: SessionState, because: str, *, keep_task: bool = False) -> None:
        task = self.session.task
        self.session, dropped = stop(self.session, state, because, self.seen.now)
        if keep_task:
            self.session = replace(self.session, task=task)
            return
        self.effects += dropped
