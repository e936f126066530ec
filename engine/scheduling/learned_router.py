"""Learned routing: looks at decisions of placement, says or does what it has learned, and learns from how they end.

Owner: of what was learned in each pool, of the decisions that have not ended, and of the log. It looks at so many decisions a second
(routing.looks_per_s); the scores decide the others, so what it costs is bounded, whatever the load. What it learned is kept by an
event every SAVE_S and at the end; a killed engine loses what came after, and the decisions under way. Limits: PENDING_MAX decisions
under way, the newest RECENT_MAX that are shown.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from engine.clock import Clock, Rng
from engine.model.config_sections import RoutingSection
from engine.model.events import Record
from engine.model.ids import AgentId, TaskId
from engine.model.learned import LEARNED_CONFIDENCE, Advice, By, LearnedModel, RoutingMode
from engine.model.reports import Report, RoutingLearnt
from engine.model.routing_events import (
    RoutingForgotten,
    RoutingLearned,
    RoutingModeSet,
    RoutingRecalled,
)
from engine.model.task_events import (
    TaskFailed,
    TaskReturned,
    TasksCancelled,
    TasksRerouted,
    TasksSucceeded,
)
from engine.model.tasks import TaskSpec
from engine.scheduling.allocator import Contender
from engine.scheduling.learning import Lesson, PoolModel, Prospect, Sight, restored, reward_of
from engine.scheduling.proving import START, Guard, Logged, new_log
from engine.scheduling.routing_rules import Rules
from engine.state import FleetState, Touched

SAVE_S = 300.0
LOOK_S = 10.0
"""Between two looks at what is to be kept."""
LEARN_FIRST = 30
"""Outcomes before it names anybody."""
PENDING_MAX = 4_096
RECENT_MAX = 50
HELD_MAX = 1_024
"""Tasks whose failed attempts wait for their end, which tells whether they or their agents are to blame."""
FAILURE = Lesson(0.0, 0.0, 0.0)
BURST_S = 0.2
LARGE = 6.0
"""Logarithm of the characters of a payload that counts as large."""

OPTIMISM_SHARE, CONTROL_SHARE = 0.4, 0.4
"""Of the explored decisions: those that go to the agent of the highest bound, and those that go to the scores' choice; the rest
go to any. The scores' choice is how the guard knows what scores would earn."""


@dataclass(slots=True)
class Look:
    """A decision that was looked at."""

    task: TaskId
    kind: str
    pool: str
    agent: AgentId
    at: float
    prospect: Prospect
    advice: Advice
    learned: tuple[AgentId, float]
    scored: tuple[AgentId, float]
    best: float
    names: tuple[str, str, str] = ("", "", "")
    """Of the agent, the learned one and the scores' one, as they were then."""
    reward: float | None = None
    """None = it has not ended, or says nothing of its agent."""
    ended: str = ""


@dataclass(slots=True)
class Course:
    """What goes on in one pool."""

    model: PoolModel
    guard: Guard
    log: deque[Logged] = field(default_factory=new_log)
    recent: deque[Look] = field(default_factory=lambda: deque(maxlen=RECENT_MAX))
    looked: int = 0
    agreed: int = 0
    decided: int = 0
    """Decisions that were the learned router's own."""
    explored: int = 0
    poisoned: int = 0
    """Failed attempts that say nothing of their agents: the task failed on another one, too."""
    saved_at: float = 0.0
    saved_outcomes: int = 0
    last: dict[AgentId, tuple[str, str]] = field(default_factory=dict)
    """Agent -> kind and fairness key of what it did last."""

    def at_rest(self) -> LearnedModel:
        """Return what was learned as it is kept."""
        self.model.account, self.model.is_shut = self.guard.account, self.guard.is_shut
        return self.model.at_rest()


class LearnedRouter:
    """Learned routing of all pools."""

    def __init__(self, state: Callable[[], FleetState], section: RoutingSection, clock: Clock, rng: Rng) -> None:
        self.rules = Rules(section.rules)
        self.courses: dict[str, Course] = {}
        self._report: Callable[[Report], None] = lambda _report: None
        self._changed: Callable[[Sequence[str]], None] = lambda _pools: None
        self._state = state
        self._section = section
        self._clock = clock
        self._rng = rng
        self._looked_in: dict[str, None] = {}
        """Pools of decisions of which nobody was told yet."""
        self._pending: dict[tuple[TaskId, int], Look] = {}
        self._held: dict[TaskId, list[Look]] = {}
        self._credit = section.looks_per_s * BURST_S
        self._credited_at = -math.inf

    def connect(self, report: Callable[[Report], None], changed: Callable[[Sequence[str]], None]) -> None:
        """Say who keeps what was learned, and who is told of the pools whose rows read differently; called once."""
        self._report, self._changed = report, changed

    def asked(self) -> LearnedRouter:
        """Return a router that knows the same, for questions: what it is asked neither counts nor is learned from."""
        copied = LearnedRouter(self._state, self._section, self._clock, self._rng)
        for pool, course in self.courses.items():
            copied.courses[pool] = Course(course.model, course.guard, last=course.last)
        return copied

    # ---- decisions

    def mode(self, pool: str) -> RoutingMode:
        """Return what it may do in a pool."""
        record = self._state().routers.get(pool)
        return RoutingMode(record.mode if record is not None and record.mode else self._section.mode)

    def is_due(self, spec: TaskSpec, now: float) -> bool:
        """Tell whether to look at a decision, and count it as looked at."""
        if self._credit < 1.0:
            if now <= self._credited_at:
                return False
            rate = self._section.looks_per_s
            self._credit = min(max(1.0, rate * BURST_S), self._credit + rate * (now - self._credited_at)) if self._credited_at > 0 else self._credit
            self._credited_at = now
            if self._credit < 1.0:
                return False
        if self.mode(spec.pool) is RoutingMode.OFF:
            return False
        self._credit -= 1.0
        return True

    def advise(self, spec: TaskSpec, contenders: Sequence[Contender], now: float, attempt: int) -> tuple[int, Advice | None]:
        """Return the number of the contender to take, the first being the scores' choice, and what there is to say of it."""
        course = self.course(spec.pool)
        sights = [_sight(course, spec, one, now) for one in contenders]
        prospects = [course.model.look(sight) for sight in sights]
        best = max(range(len(contenders)), key=lambda number: prospects[number].expected)
        confidence = self._confidence(course.model, prospects, best)
        reason = self._why_not(spec.pool, course, best, confidence)
        learned = best if confidence > LEARNED_CONFIDENCE else 0
        chosen, propensity, by = 0, 1.0, By.SCORE
        if reason in ("", AGREED, UNSURE) and self.mode(spec.pool) is RoutingMode.ON:
            chosen, propensity, by = self._draw(prospects, learned, is_own=not reason)
        names = [one.agent.spec.id for one in contenders]
        advice = Advice(
            by, "" if by is By.LEARNED else reason if by is By.SCORE else "",
            names[best], prospects[best].expected, prospects[best].error,
            names[0], prospects[0].expected, prospects[0].error, confidence, propensity,
        )  # fmt: skip
        self._note(course, spec, contenders, (chosen, learned, best), prospects, advice, now, attempt)
        return chosen, advice if course.model.outcomes >= LEARN_FIRST else None

    def _confidence(self, model: PoolModel, prospects: Sequence[Prospect], best: int) -> float:
        """Return how probable it is that the best is not worse than the scores' choice by more than the guard lets pass.

        Where they agree it is set against the second best.
        """
        other = 0 if best else max(range(1, len(prospects)), key=lambda number: prospects[number].expected, default=None)
        if other is None:
            return 1.0
        margin = self._section.tolerance * max(0.0, prospects[other].expected)
        return model.confidence(prospects[best], prospects[other], margin)

    def _why_not(self, pool: str, course: Course, best: int, confidence: float) -> str:
        """Return why what was learned does not decide; empty when it does."""
        if course.model.outcomes < LEARN_FIRST:
            return FIRST
        if self.mode(pool) is not RoutingMode.ON:
            return SHADOW
        if course.guard.is_shut:
            return SHUT
        if best == 0:
            return AGREED
        return "" if confidence > LEARNED_CONFIDENCE else UNSURE

    def _draw(self, prospects: Sequence[Prospect], learned: int, *, is_own: bool) -> tuple[int, float, By]:
        """Return which contender is taken, how probable that was, and who decided."""
        explore = self._section.explore
        hopeful = max(range(len(prospects)), key=lambda number: prospects[number].expected + prospects[number].error)
        rest = explore * (1.0 - OPTIMISM_SHARE - CONTROL_SHARE)
        chances = [rest / len(prospects)] * len(prospects)
        chances[learned] += 1.0 - explore
        chances[hopeful] += explore * OPTIMISM_SHARE
        chances[0] += explore * CONTROL_SHARE
        left = self._rng.random()
        chosen = learned
        for number, chance in enumerate(chances):
            left -= chance
            if left < 0:
                chosen = number
                break
        by = By.EXPLORED if chosen != learned else By.LEARNED if is_own else By.SCORE
        return chosen, chances[chosen], by

    def _note(  # noqa: PLR0913  # all that is known of a decision
        self, course: Course, spec: TaskSpec, contenders: Sequence[Contender], numbers: tuple[int, int, int],
        prospects: Sequence[Prospect], advice: Advice, now: float, attempt: int,
    ) -> None:  # fmt: skip
        chosen, learned, best = numbers
        ids = [one.agent.spec.id for one in contenders]
        words = [one.agent.spec.name for one in contenders]
        look = Look(
            spec.id, spec.type, spec.pool, ids[chosen], now, prospects[chosen], advice,
            (ids[learned], prospects[learned].expected), (ids[0], prospects[0].expected), prospects[best].expected,
            (words[chosen], words[best], words[0]),
        )  # fmt: skip
        if len(self._pending) >= PENDING_MAX:
            del self._pending[next(iter(self._pending))]
        self._pending[spec.id, attempt] = look
        self._looked_in[spec.pool] = None
        course.recent.append(look)
        course.looked += 1
        course.agreed += best == 0
        course.decided += advice.by is By.LEARNED
        course.explored += advice.by is By.EXPLORED

    # ---- outcomes

    def publish(self, records: Sequence[Record], touched: Touched) -> None:
        """Learn from what a commit says; no records means that the state was rebuilt."""
        if not records:
            self._begin_anew()
            return
        pools, self._looked_in = self._looked_in, {}
        for record in records:
            self._hear(record, pools)
        for agent in touched.removed_agents:
            course = self.courses.get(agent.spec.pool)
            if course is not None:
                course.model.forget_agent(agent.spec.id)
                course.last.pop(agent.spec.id, None)
        if pools:
            self._changed(list(pools))

    def overhear(self, records: Sequence[Record], touched: Touched) -> None:  # noqa: ARG002  # a publisher gets both
        """Let go of what was read from the state and never used, where another engine, which leads, has learned more since."""
        pools = {pool: None for record in records for pool in _learned_in(record) if pool in self.courses and not self.courses[pool].looked}
        for pool in pools:
            del self.courses[pool]
        if pools:
            self._changed(list(pools))

    def _begin_anew(self) -> None:
        pools = list(self.courses)
        self._pending.clear()
        self._held.clear()
        self.courses.clear()
        self._changed(pools)

    def _hear(self, record: Record, pools: dict[str, None]) -> None:
        event = record.event
        if isinstance(event, RoutingForgotten):
            self._set_aside(event.pools)
            pools.update(dict.fromkeys(event.pools))
        elif isinstance(event, RoutingRecalled):
            for pool in event.pools:
                self.courses.pop(pool, None)
            pools.update(dict.fromkeys(event.pools))
        elif isinstance(event, RoutingModeSet):
            pools.update(dict.fromkeys(event.pools))
        elif self._pending:
            self._learn(record, pools)

    def _learn(self, record: Record, pools: dict[str, None]) -> None:
        event = record.event
        if isinstance(event, TasksSucceeded):
            for outcome in event.outcomes:
                look = self._pending.pop((outcome.task, outcome.token), None)
                if look is not None:
                    pools[look.pool] = None
                    began, ended = outcome.started_at, outcome.ended_at or record.at
                    self._ended_well(look, max(0.0, ended - began) if began else 0.0, outcome.usage.get("cost"))
        elif isinstance(event, TaskFailed):
            self._ended_badly(event.outcome.task, event.outcome.token, pools, is_last=True)
        elif isinstance(event, TaskReturned):
            if event.counts or event.death:
                self._ended_badly(event.task, event.token, pools, is_last=False)
            else:
                self._pending.pop((event.task, event.token), None)
        elif isinstance(event, TasksCancelled):
            self._drop(event.tasks)
        elif isinstance(event, TasksRerouted):
            self._drop([moved.task for moved in event.tasks])

    def _drop(self, tasks: Sequence[TaskId]) -> None:
        """Forget decisions whose end says nothing of their agents."""
        state = self._state()
        for id_ in tasks:
            self._held.pop(id_, None)
            task = state.tasks.get(id_)
            if task is not None:
                self._pending.pop((id_, task.attempt), None)

    def _ended_well(self, look: Look, seconds: float, cost: float | None) -> None:
        for earlier in self._held.pop(look.task, ()):
            self._take(earlier, FAILURE)  # another, or a later attempt, could: it was not the task
        agent = self._state().agents.get(look.agent)
        paid = cost if cost is not None else seconds * agent.spec.cost if agent is not None else 0.0
        usual_s, usual_cost = self.course(look.pool).model.usual(look.kind)
        section = self._section
        usual = (usual_s or seconds, usual_cost or paid)
        reward = reward_of(seconds, paid, ok=True, usual=usual, weights=(section.reward_success, section.reward_time, section.reward_cost))
        look.ended = "succeeded"
        self._take(look, Lesson(reward, seconds, paid))

    def _ended_badly(self, task: TaskId, token: int, pools: dict[str, None], *, is_last: bool) -> None:
        """Hold a failure until the task ends: that tells whether it or the agent is to blame."""
        look = self._pending.pop((task, token), None)
        if look is not None:
            pools[look.pool] = None
            look.ended = "failed"
            self._held.setdefault(task, []).append(look)
            if len(self._held) > HELD_MAX:
                del self._held[next(iter(self._held))]
        if not is_last:
            return
        for one in self._held.pop(task, ()):
            pools[one.pool] = None
            if self._failed_on_others(task):
                self.course(one.pool).poisoned += 1
                one.ended = "failed, as on others"
            else:
                self._take(one, FAILURE)

    def _failed_on_others(self, id_: TaskId) -> bool:
        """Tell whether more than one agent has tried a task."""
        task = self._state().tasks.get(id_)
        return task is not None and len({name for _at, what, name in task.history if what == "leased"}) > 1

    def _take(self, look: Look, lesson: Lesson) -> None:
        """Learn from an outcome, and set it against what was expected."""
        course = self.course(look.pool)
        look.reward = lesson.reward
        logged = Logged(look.agent, look.advice.propensity, lesson.reward, look.prospect.expected, *look.learned, *look.scored, look.best)
        course.log.append(logged)
        if course.model.outcomes >= LEARN_FIRST:
            course.guard.see(logged)
        course.model.learn((look.kind, look.agent), look.prospect, lesson)
        spec = self._state().tasks[look.task].spec if look.task in self._state().tasks else None
        course.last[look.agent] = (look.kind, spec.fairness_key if spec is not None else "")

    # ---- what was learned

    def course(self, pool: str) -> Course:
        """Return what goes on in a pool, as it was kept if nothing does yet."""
        course = self.courses.get(pool)
        if course is None:
            record = self._state().routers.get(pool)
            kept = record.model if record is not None else None
            model = restored(kept) if kept is not None else PoolModel(pool)
            account, shut = (kept.account, kept.is_shut) if kept is not None else (START, False)
            guard = Guard(self._section.tolerance, account, is_shut=shut)
            course = self.courses[pool] = Course(model, guard, saved_at=self._clock.now(), saved_outcomes=model.outcomes)
        return course

    def keep(self, *, everything: bool = False) -> None:
        """Report what was learned since it was last kept, of pools for which it is time, or of all."""
        now = self._clock.now()
        found = []
        for course in self.courses.values():
            is_time = everything or now - course.saved_at >= SAVE_S or not course.saved_outcomes
            if is_time and course.model.outcomes > course.saved_outcomes and course.model.outcomes >= LEARN_FIRST:
                found.append(course.at_rest())
                course.saved_at, course.saved_outcomes = now, course.model.outcomes
        if found:
            self._report(RoutingLearnt(tuple(sorted(found, key=attrgetter("pool")))))

    def _set_aside(self, pools: Sequence[str]) -> None:
        """Have what is forgotten kept as it was a moment ago."""
        gone = [course for pool in pools if (course := self.courses.pop(pool, None)) is not None and course.model.outcomes >= LEARN_FIRST]
        if gone:
            self._report(RoutingLearnt(tuple(course.at_rest() for course in gone), set_aside=True))

    async def run(self) -> None:
        """Keep what was learned, from time to time, until cancelled."""
        while True:
            await self._clock.sleep(LOOK_S)
            self.keep()


FIRST = f"it has learned from fewer than {LEARN_FIRST} outcomes"
SHADOW = "it is in shadow mode"
SHUT = "its guard is shut"
AGREED = "it agrees with the scores"
UNSURE = "it is not sure enough"


def _learned_in(record: Record) -> Sequence[str]:
    """Return the pools of which a record says what was learned."""
    event = record.event
    if isinstance(event, RoutingLearned):
        return [model.pool for model in event.models]
    return event.pools if isinstance(event, RoutingForgotten | RoutingRecalled) else ()


def _sight(course: Course, spec: TaskSpec, one: Contender, now: float) -> Sight:
    agent = one.agent
    kind, key = course.last.get(agent.spec.id, ("", ""))
    warm = 1.0 if spec.fairness_key and key == spec.fairness_key else 0.5 if kind == spec.type else 0.0
    load = min(1.0, agent.busy_s / (now - agent.created_at)) if now > agent.created_at else 0.0
    return Sight(spec.type, agent.spec.id, one.value, warm, load, _size(spec), spec.priority / 10, now / 3_600 % 24)


def _size(spec: TaskSpec) -> float:
    """Return the class of a payload's size, 0..1, by the logarithm of its characters and members."""
    whole = sum(len(value) if isinstance(value, str | list | dict) else 1 for value in spec.payload.values())
    return min(1.0, math.log10(1 + whole) / LARGE)
