"""The choice of an agent: hand-computed scores, the five weights, alternatives, and its cost by counts."""

from __future__ import annotations

import random
from typing import Any

import pytest
from engine.model.agents import Agent, AgentSpec, AgentStatus
from engine.model.config_sections import RoutingSection
from engine.model.ids import AgentId, TaskId
from engine.model.pools import SESSION, Pool, PoolSpec
from engine.model.tasks import TaskSpec
from engine.scheduling import allocator
from engine.scheduling.allocator import FreeAgents
from engine.scheduling.scoring import score, weigh, why_not

WEIGHTS = RoutingSection().weights()


def make(name: str, capabilities: tuple[str, ...] = ("coding",), **fields: Any) -> Agent:
    spec = {key: fields.pop(key) for key in ("cost", "reliability") if key in fields}
    return Agent(AgentSpec(AgentId(name), name, "coder", "", capabilities, **spec), AgentStatus.IDLE, **fields)


def task(*capabilities: str) -> TaskSpec:
    return TaskSpec(TaskId("t"), "noop", "coder", {}, capabilities=capabilities)


def free_of(*agents: Agent) -> FreeAgents:
    free = FreeAgents(WEIGHTS, random.Random(0))
    for agent in agents:
        free.update(agent)
    return free


@pytest.mark.row(155)
def test_weights_are_the_seeds() -> None:
    assert WEIGHTS == (0.3, 0.2, 0.25, 0.15, 0.1)
    assert sum(WEIGHTS) == pytest.approx(1.0)


@pytest.mark.row(155, 313)
def test_score_by_hand() -> None:
    agent = make("a", cost=1.0, reliability=0.5, succeeded=3, failed=1, mean_task_s=3.0, by_type={"noop": (2, 4)})
    # success (3 + 0.5 * 4) / (4 + 4) = 0.625; speed 1 / (1 + 3) = 0.25; historical (2 + 2) / (4 + 4) = 0.5
    factors = score("noop", ("coding", "flying"), agent)
    assert factors == (0.5, 1.0, 0.4375, 0.5, 0.5)
    assert weigh(factors, WEIGHTS) == pytest.approx(0.3 * 0.5 + 0.2 * 1 + 0.25 * 0.4375 + 0.15 * 0.5 + 0.1 * 0.5)


def test_new_agent_scores_by_its_types_reliability() -> None:
    assert score("noop", (), make("a", reliability=0.9)) == pytest.approx((1.0, 1.0, 0.95, 1.0, 0.9))


def test_busy_agent_has_no_availability() -> None:
    agent = make("a")
    agent.status = AgentStatus.BUSY
    assert score("noop", (), agent)[1] == 0.0


def test_a_process_that_is_there_is_taken_before_one_that_would_have_to_start() -> None:
    pool = Pool(PoolSpec("coder", 1, 8, kind=SESSION))
    free = FreeAgents(WEIGHTS, random.Random(0), None, {"coder": pool})
    fresh = [make(f"new-{number}") for number in range(3)]
    for agent in (*fresh, make("warm", succeeded=1, failed=1, mean_task_s=600.0, by_type={"noop": (1, 2)})):
        free.update(agent)
    found = free.choose(task())
    assert found is not None
    assert (found[0].spec.name, found[1].factors[1]) == ("warm", 1.0)
    second = free.choose(task())
    assert second is not None, "who has no process takes what the others cannot"
    assert second[1].factors[1] == 0.0


@pytest.mark.row(153)
def test_best_score_wins_and_is_taken() -> None:
    free = free_of(make("dear", cost=9.0), make("good"), make("poor", failed=4))
    names = [choice[0].spec.id for _ in range(3) if (choice := free.choose(task())) is not None]
    assert names == ["good", "poor", "dear"]
    assert free.choose(task()) is None
    assert not free.any_in("coder")


@pytest.mark.row(156)
def test_three_runners_up_best_first() -> None:
    free = free_of(*[make(f"a{n}", cost=float(n)) for n in range(6)])
    choice = free.choose(task())
    assert choice is not None
    agent, placement = choice
    assert agent.spec.id == "a0"
    assert [name for name, _ in placement.alternatives] == ["a1", "a2", "a3"]
    assert placement.candidates == 6
    values = [placement.value, *[value for _, value in placement.alternatives]]
    assert values == sorted(values, reverse=True)


def test_runners_up_are_current_ones_only() -> None:
    agents = [make(f"a{n}", cost=float(n)) for n in range(5)]
    free = free_of(*agents)
    free.choose(task())
    for agent in agents[1:]:
        for _ in range(4):
            free.update(agent)
    choice = free.choose(task())
    assert choice is not None
    assert [name for name, _ in choice[1].alternatives] == ["a2", "a3", "a4"]


def test_candidates_are_those_that_pass_the_filter() -> None:
    free = free_of(make("a", ("coding", "lathe")), make("b"), make("c", ("lathe",)), make("d"))
    choice = free.choose(task("lathe"))
    assert choice is not None
    assert choice[1].candidates == 2
    assert {choice[0].spec.id, choice[1].alternatives[0][0]} == {"a", "c"}
    assert free.choose(task("flying")) is None


def test_equals_go_to_the_one_that_worked_least() -> None:
    free = free_of(make("a", succeeded=0), make("b", succeeded=0), make("c", succeeded=0))
    seen = set()
    for _ in range(3):
        choice = free.choose(task())
        assert choice is not None
        seen.add(choice[0].spec.id)
    assert seen == {"a", "b", "c"}


def test_agent_that_is_not_free_any_more_is_not_chosen() -> None:
    drained, gone = make("drained"), make("gone")
    free = free_of(drained, gone)
    free.choose(task("coding"))
    drained.cordoned = True
    free.update(drained)
    free.forget(gone)
    assert free.choose(task()) is None


def test_a_choice_among_ten_thousand_scores_a_handful(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def counted(*arguments: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        return score(*arguments, **more)

    free = free_of(*[make(f"a{n}") for n in range(10_000)])
    free.choose(task())
    monkeypatch.setattr(allocator, "score", counted)
    for _ in range(100):
        choice = free.choose(task())
        assert choice is not None
        free.update(choice[0])
    assert calls <= 300


def test_demands_kept_are_bounded() -> None:
    free = free_of(*[make(f"a{n}") for n in range(200)])
    for n in range(150):
        free.choose(TaskSpec(TaskId("t"), f"type-{n}", "coder", {}))
    assert len(free._heaps["coder"]) == allocator.DEMANDS_PER_POOL_MAX


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, ""),
        ({"cordoned": True}, "draining"),
        ({"retiring": True}, "draining"),
        ({"allocation": "alc_1"}, "reserved"),
        ({"status": AgentStatus.BUSY}, "busy"),
        ({"status": AgentStatus.STARTING}, "starting"),
        ({"status": AgentStatus.FAILED}, "failed"),
    ],
)
def test_reasons_why_not(change: dict[str, Any], reason: str) -> None:
    agent, pool = make("a"), Pool(PoolSpec("coder", 1, 2))
    for name, value in change.items():
        setattr(agent, name, value)
    assert why_not(agent, pool, ("coding",)) == reason
    if not change:
        assert why_not(agent, pool, ("flying", "coding", "diving")) == "lacks flying, diving"
        pool.paused = True
        assert why_not(agent, pool, ()) == "pool paused"


def test_work_for_one_agent_alone_looks_at_that_one_only(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    can = Agent.can

    def noting(agent: Agent, word: str) -> bool:
        looked.append(agent.spec.name)
        return can(agent, word)

    monkeypatch.setattr(Agent, "can", noting)
    agents = [make(f"a{number}") for number in range(100)]
    free = free_of(*agents)
    chosen = free.choose(task("a7"))
    assert chosen is not None
    assert (chosen[0].spec.name, chosen[1].alternatives, set(looked)) == ("a7", (), {"a7"})
    assert free.choose(task("a7", "coding")) is None
    free.update(agents[7])
    chosen = free.choose(task("a7", "coding"))
    assert chosen is not None
    assert chosen[0] is agents[7]
    assert free.choose(task("coding")) is not None
