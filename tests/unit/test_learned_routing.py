"""Learned routing: what it learns, whom it blames, when it may decide, what it costs the others, and that it can be kept."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from engine.config import parse_config
from engine.model.errors import CommandRefused, ConfigError
from engine.model.events import Event, Record
from engine.model.ids import AgentId
from engine.model.learned import By, RoutingMode
from engine.model.reports import Report, RoutingLearnt
from engine.model.routing_commands import ForgetRouting, RecallRouting, SetRouting
from engine.model.task_commands import CancelTask
from engine.scheduling.allocator import FreeAgents
from engine.scheduling.learned_router import LEARN_FIRST, SHADOW, Course, LearnedRouter
from engine.scheduling.learning import (
    PAIRS_MAX,
    SIZE,
    Lesson,
    PoolModel,
    Sight,
    inverted,
    restored,
    reward_of,
)
from engine.scheduling.proving import (
    START,
    Guard,
    Logged,
    inverse_propensity,
    replay,
    replayed_gain,
)
from engine.state import Touched
from tests.unit.core_fleet import Fleet

GOOD, BAD = AgentId("agt_good"), AgentId("agt_bad")
WEIGHTS = (0.6, 0.3, 0.1)


def sight(agent: AgentId = GOOD, kind: str = "edit") -> Sight:
    return Sight(kind, agent, 0.5, 0.0, 0.1, 0.2, 0.5, 12.0)


def taught(outcomes: int, good: float = 0.9, bad: float = 0.1) -> PoolModel:
    model = PoolModel("coder")
    for number in range(outcomes):
        agent, reward = (GOOD, good) if number % 2 else (BAD, bad)
        model.learn(("edit", agent), model.look(sight(agent)), Lesson(reward, 2.0, 0.0))
    return model


def test_inverse_is_one() -> None:
    chance = random.Random(3)
    rows = [[chance.random() for _ in range(SIZE)] for _ in range(SIZE)]
    matrix = [[sum(rows[a][k] * rows[b][k] for k in range(SIZE)) + (a == b) for b in range(SIZE)] for a in range(SIZE)]
    inverse = inverted(matrix)
    for a in range(SIZE):
        for b in range(SIZE):
            assert sum(matrix[a][k] * inverse[k][b] for k in range(SIZE)) == pytest.approx(float(a == b), abs=1e-9)


def test_reward_is_of_success_time_and_cost() -> None:
    usual = (10.0, 2.0)
    assert reward_of(1.0, 0.0, ok=False, usual=usual, weights=WEIGHTS) == 0.0
    assert reward_of(10.0, 2.0, ok=True, usual=usual, weights=WEIGHTS) == pytest.approx(0.6 + 0.15 + 0.05)
    quick, slow = (reward_of(seconds, 2.0, ok=True, usual=usual, weights=WEIGHTS) for seconds in (5.0, 20.0))
    assert quick > 0.8 > slow > 0.6
    assert reward_of(0.0, 0.0, ok=True, usual=(0.0, 0.0), weights=WEIGHTS) == pytest.approx(0.8)


def test_it_tells_agents_apart_and_is_surer_with_more_outcomes() -> None:
    few, many = taught(6), taught(60)
    for model in (few, many):
        assert model.look(sight(GOOD)).expected > model.look(sight(BAD)).expected
    sure = [model.confidence(model.look(sight(GOOD)), model.look(sight(BAD)), 0.0) for model in (few, many)]
    assert 0.5 < sure[0] < sure[1] <= 1.0
    assert many.look(sight(GOOD)).expected == pytest.approx(0.9, abs=0.1)
    assert many.usual("edit")[0] == pytest.approx(2.0)
    assert many.usual("other") == (0.0, 0.0)


def test_what_nobody_looked_at_is_uncertain_again() -> None:
    model = taught(60)
    before = model.look(sight(BAD)).error
    for _ in range(1_000):
        model.learn(("edit", GOOD), model.look(sight(GOOD)), Lesson(0.9, 2.0, 0.0))
    assert model.look(sight(BAD)).ignorance > model.look(sight(GOOD)).ignorance
    assert model.look(sight(BAD)).error > 0 < before


def test_one_lie_moves_little() -> None:
    model, lied = taught(60), taught(60)
    lied.learn(("edit", GOOD), lied.look(sight(GOOD))._replace(expected=0.9), Lesson(-1e9, 2.0, 0.0))
    assert lied.look(sight(GOOD)).expected > model.look(sight(GOOD)).expected - 0.2
    assert lied.look(sight(GOOD)).expected > lied.look(sight(BAD)).expected


def test_model_at_rest_is_the_same_again_and_bounded() -> None:
    model = taught(100)
    for number in range(PAIRS_MAX + 50):
        agent = AgentId(f"agt_{number}")
        model.learn(("edit", agent), model.look(sight(agent)), Lesson(0.5, 1.0, 0.0))
    again = restored(model.at_rest())
    assert again.at_rest() == model.at_rest()
    assert again.look(sight(GOOD)).expected == pytest.approx(model.look(sight(GOOD)).expected, abs=1e-6)
    assert len(model.pairs) == PAIRS_MAX
    model.forget_agent(AgentId("agt_99"))
    assert not any(key.startswith("agt_99 ") for key in model.pairs)


# ---- replay and guard


def simulated(chance: random.Random, reward: dict[AgentId, float], propensity: float, expected: float = 0.5) -> list[Logged]:
    """Log decisions of which a share took the scores' choice, and the model expects the same of all."""
    log = []
    for _ in range(4_000):
        scored = chance.random() < propensity
        agent, probability = (BAD, propensity) if scored else (GOOD, 1 - propensity)
        log.append(Logged(agent, probability, float(chance.random() < reward[agent]), expected, GOOD, expected, BAD, expected, expected))
    return log


@pytest.mark.parametrize("expected", [0.0, 0.5, 1.0])
def test_replay_finds_the_truth_however_wrong_the_model(expected: float) -> None:
    log = simulated(random.Random(1), {GOOD: 0.8, BAD: 0.4}, 0.2, expected)
    learned, scores, gain = replay(log, learned=True), replay(log, learned=False), replayed_gain(log)
    assert learned is not None and scores is not None and gain is not None
    assert learned.low <= 0.8 <= learned.high
    assert scores.low <= 0.4 <= scores.high
    assert gain.low <= 0.4 <= gain.high
    assert learned.support == pytest.approx(0.8, abs=0.05)
    assert inverse_propensity(log, lambda one: one.learned) == pytest.approx(0.8, abs=0.05)
    assert inverse_propensity(log, lambda one: one.scored) == pytest.approx(0.4, abs=0.05)


def test_replay_of_nothing_is_unknown() -> None:
    assert replay([], learned=True) is None
    assert replayed_gain([]) is None
    assert inverse_propensity([], lambda one: one.learned) is None
    never = Logged(BAD, 1.0, 1.0, 0.5, GOOD, 0.7, BAD, 0.5, 0.7)
    assert inverse_propensity([never], lambda one: one.learned) is None
    found = replay([never], learned=True)
    assert found is not None and found.support == 0.0 and found.value == 0.7


def test_guard_shuts_when_less_is_earned_and_opens_when_it_is_made_up_for() -> None:
    guard = Guard(0.05)
    taken = Logged(GOOD, 0.9, 0.2, 0.9, GOOD, 0.9, BAD, 0.8, 0.9)
    scored = Logged(BAD, 1.0, 0.8, 0.8, GOOD, 0.9, BAD, 0.8, 0.9)
    guard.see(scored)
    decisions = 0
    while not guard.is_shut:
        guard.see(taken)
        decisions += 1
    assert decisions <= START / (0.95 * 0.8 - 0.2) + 2
    for _ in range(200):
        guard.see(scored)
    assert not guard.is_shut


# ---- in a fleet


class Still:
    """The clock of a fleet whose time is a number."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def now(self) -> float:
        return self._fleet.now

    async def sleep(self, seconds: float) -> None:
        self._fleet.now += seconds


class Learning(Fleet):
    """A fleet whose router hears of all that happens."""

    def __init__(self, agents: int = 4, **routing: Any) -> None:
        self.router: LearnedRouter | None = None
        super().__init__({"coder": {"min": agents, "max": 9, "priority": 8}}, routing={"looks_per_s": 10_000, **routing})
        self.reports: list[Report] = []
        self.router = LearnedRouter(lambda: self.state, self.config.routing, Still(self), self.rng)
        self.router.connect(self.reports.append, lambda _pools: None)

    def apply(self, events: list[Event]) -> list[Event]:
        super().apply(events)
        if self.router is not None and events:
            self.router.publish([Record(self.state.seq, self.now, "test", event) for event in events], Touched())
        return events

    def free(self) -> FreeAgents:
        free = FreeAgents(self.config.routing.weights(), self.rng, self.router)
        free.rebuild(self.state)
        return free

    @property
    def course(self) -> Course:
        assert self.router is not None
        return self.router.course("coder")

    def done(self, kind: str = "edit", *, ok: bool = True, seconds: float = 2.0) -> str:
        """Have a task end; return the agent's name."""
        self.now += 1.0
        task = self.run(kind=kind, max_attempts=1)
        self.now += seconds
        name = self.task(task).agent_name
        self.end(task, ok=ok, started_at=self.now - seconds, ended_at=self.now, **({} if ok else {"retryable": False}))
        return name

    def prefer(self, name: str, outcomes: int = 60) -> None:
        """Have it learn that one agent is good and all others are bad."""
        model = self.course.model
        for number in range(outcomes):
            agent = list(self.state.agents)[number % len(self.state.agents)]
            seen = model.look(Sight("edit", agent, 0.5, 0.0, 0.1, 0.2, 0.5, 12.0))
            model.learn(("edit", agent), seen, Lesson(0.9 if self.state.agents[agent].spec.name == name else 0.1, 2.0, 0.0))


def test_it_names_nobody_before_it_has_learned_enough() -> None:
    fleet = Learning()
    for _ in range(LEARN_FIRST):
        fleet.done()
    tasks = list(fleet.state.tasks.values())
    assert all(task.placement is not None and task.placement.advice is None for task in tasks)
    fleet.done()
    advice = list(fleet.state.tasks.values())[-1].placement.advice  # type: ignore[union-attr]
    assert advice is not None and advice.by is By.SCORE and advice.reason == SHADOW
    assert advice.learned and advice.scored


@pytest.mark.row(158)
def test_it_decides_where_it_is_sure_and_allowed_to() -> None:
    fleet = Learning(explore=0.02)
    fleet.prefer("coder-3")
    fleet.do(SetRouting("on", "coder"))
    names = [fleet.done() for _ in range(30)]
    assert names.count("coder-3") >= 27
    advices = [task.placement.advice for task in fleet.state.tasks.values() if task.placement and task.placement.advice]
    sure = [advice for advice in advices if advice.by is By.LEARNED]
    assert sure and all(advice.confidence > 0.7 and not advice.reason for advice in sure)
    fleet.do(SetRouting("off", "coder"))
    looked = fleet.course.looked
    fleet.done()
    assert fleet.course.looked == looked
    assert list(fleet.state.tasks.values())[-1].placement.advice is None  # type: ignore[union-attr]


@pytest.mark.row(159)
def test_scores_decide_where_it_is_not_sure() -> None:
    fleet = Learning(explore=0.02)
    fleet.course.model.outcomes = LEARN_FIRST  # of which nothing is known: all agents are alike
    fleet.do(SetRouting("on", "coder"))
    fleet.done()
    advice = list(fleet.state.tasks.values())[-1].placement.advice  # type: ignore[union-attr]
    assert advice is not None and advice.by is not By.LEARNED


@pytest.mark.row(157)
def test_rules_come_first_when_they_are_sure() -> None:
    rules = [
        {"tasks": "review*", "agents": "coder-[34]", "confidence": 0.9},
        {"tasks": "edit", "agents": "coder-2", "confidence": 0.8},
        {"tasks": "*", "agents": "nobody"},
    ]
    fleet = Learning(rules=rules)
    fleet.prefer("coder-1")
    fleet.do(SetRouting("on", "coder"))
    assert fleet.done("review.code") in ("coder-3", "coder-4")
    advice = list(fleet.state.tasks.values())[-1].placement.advice  # type: ignore[union-attr]
    assert advice is not None and advice.by is By.RULE and advice.confidence == 0.9
    assert advice.reason == "review* to coder-[34]"
    held = [fleet.task(fleet.run(kind="review.x")).agent_name for _ in range(3)]
    assert set(held[:2]) == {"coder-3", "coder-4"}
    assert held[2] in ("coder-1", "coder-2"), "when its agents are busy others do it"
    fleet = Learning(rules=rules)
    fleet.done("edit")
    assert list(fleet.state.tasks.values())[-1].placement.advice is None, "0.8 is not above 0.8"  # type: ignore[union-attr]


def attempts(fleet: Learning, oks: Sequence[bool]) -> None:
    """Have a task tried on another agent each time."""
    task = fleet.submit(kind="edit", max_attempts=len(oks))
    for ok in oks:
        fleet.now += 100.0
        assert task in fleet.place()
        fleet.begin(task)
        tried = fleet.task(task).agent
        fleet.end(task, ok=ok, started_at=fleet.now, ended_at=fleet.now + 1)
        fleet.state.agents[tried].cordoned = True  # type: ignore[index]
    for agent in fleet.state.agents.values():
        agent.cordoned = False


@pytest.mark.parametrize(("oks", "outcomes", "poisoned"), [((False, False, False), 0, 3), ((False, True), 2, 0), ((False,), 1, 0), ((True,), 1, 0)])
def test_a_task_that_fails_on_all_does_not_blame_its_agents(oks: Sequence[bool], outcomes: int, poisoned: int) -> None:
    fleet = Learning()
    attempts(fleet, oks)
    assert (fleet.course.model.outcomes, fleet.course.poisoned) == (outcomes, poisoned)
    assert sum(known.reward == 0 for known in fleet.course.model.agents.values()) == outcomes - sum(oks)


def test_what_is_cancelled_or_handed_back_teaches_nothing() -> None:
    fleet = Learning()
    task = fleet.run()
    fleet.do(CancelTask(task))
    fleet.end(task, ok=False, error_kind="cancelled")
    lost = fleet.run()
    fleet.down()
    assert fleet.task(lost).state == "pending"
    assert fleet.course.model.outcomes == 0


def test_only_so_many_decisions_are_looked_at() -> None:
    fleet = Learning(looks_per_s=2.0)
    for _ in range(3):
        fleet.submit()
    fleet.place()
    assert fleet.course.looked <= 2
    looked = fleet.course.looked
    fleet.now += 100.0
    fleet.submit()
    fleet.place()
    assert fleet.course.looked == looked + 1


def test_what_was_learned_is_kept_forgotten_and_taken_up_again() -> None:
    fleet = Learning()
    fleet.prefer("coder-3")
    assert fleet.router is not None
    fleet.router.keep()
    [report] = fleet.reports
    assert isinstance(report, RoutingLearnt)
    fleet.report(report)
    kept = fleet.state.routers["coder"].model
    assert kept is not None and kept.outcomes == 60
    fleet.router.keep()
    assert len(fleet.reports) == 1, "nothing new"
    fleet.do(ForgetRouting("coder"))
    assert fleet.course.model.outcomes == 0
    fleet.report(fleet.reports[-1])  # what was learned since it was kept last is set aside, too
    assert fleet.state.routers["coder"].model is None
    fleet.do(RecallRouting("coder"))
    assert fleet.course.model.at_rest() == kept
    with pytest.raises(CommandRefused, match="nothing to take up again"):
        fleet.do(RecallRouting("coder"))


def test_an_engine_takes_over_what_the_former_one_learned() -> None:
    fleet = Learning()
    fleet.prefer("coder-3")
    assert fleet.router is not None
    fleet.router.keep(everything=True)
    fleet.report(fleet.reports[0])
    again = LearnedRouter(lambda: fleet.state, fleet.config.routing, Still(fleet), fleet.rng)
    assert again.course("coder").model.at_rest() == fleet.course.model.at_rest()


def test_configuration_names_modes_and_rules() -> None:
    made = parse_config({"routing": {"mode": "on", "rules": [{"tasks": "code.*", "agents": "senior-*"}]}}, "test").routing
    assert (RoutingMode(made.mode), made.rules[0].pool, made.rules[0].confidence) == (RoutingMode.ON, "*", 1.0)
    assert parse_config({}, "test").routing.mode == "shadow"
    seeds = [parse_config({"routing": {"learningEnabled": learns}}, "test").routing.mode for learns in (True, False)]
    assert seeds == ["shadow", "off"]
    with pytest.raises(ConfigError):
        parse_config({"routing": {"mode": "maybe"}}, "test")
