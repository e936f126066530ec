"""Objectives of swarms: split, worked on, reviewed, voted on, put together; every session ends, whatever happens to its agents."""

from __future__ import annotations

import contextlib
import random
from typing import Any

import pytest
from engine.clock import Rng
from engine.coordinator.sessions import find_session
from engine.gate.sessions import in_full, session_row
from engine.model.agent_commands import UnregisterAgent
from engine.model.consensus_commands import SettleProposal
from engine.model.effects import Assignment
from engine.model.errors import CommandRefused, FleetError, UsageError
from engine.model.ids import TaskId
from engine.model.swarm_commands import (
    CreateSwarm,
    EndSwarm,
    GiveObjective,
    PauseSwarm,
    StopSession,
    UnpauseSwarm,
)
from engine.model.swarm_sessions import Session
from engine.model.swarm_words import SESSIONS_WAITING_MAX, PartState, SessionState
from engine.model.tasks import FINISHED, Outcome, TaskState
from engine.simulation.loop import run_virtual
from engine.simulation.world import World
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.unit.test_swarms import ADA, CONFIG, coders

Answers = dict[str, Any]
APPROVES: Answers = {"vote": "approve", "confidence": 0.9, "reasoning": "fine"}
REJECTS: Answers = {"vote": "reject", "confidence": 0.7, "reasoning": "no tests"}


class Team:
    """Agents whose answers a test says, by type of task, and the tasks that they were given."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {"work": {"done": True}, "review": APPROVES, "split": {"parts": ["one", "two"]}, "merge": {"merged": True}} | answers
        self.given: list[Assignment] = []
        self.seconds = 1.0

    def work(self, assignment: Assignment, _rng: Rng) -> tuple[float, Outcome]:
        self.given.append(assignment)
        answer = self.answers[assignment.type]
        found = answer(assignment) if callable(answer) else answer
        ok = found is not None
        return self.seconds, Outcome(assignment.task, assignment.token, ok=ok, result=found or {}, error="" if ok else "it broke", retryable=False)

    def types(self) -> list[str]:
        return [one.type for one in self.given]


def live(story: Any, team: Team, members: tuple[str, ...] = coders(5), seed: int = 1, **swarm: Any) -> None:
    async def run() -> None:
        world = World(CONFIG, seed, hosts=2, work=team.work)
        async with world.running():
            await world.until(lambda: world.state.totals.by_status.get("idle", 0) == 10)
            await world.gate(ADA).execute([CreateSwarm("parser", members, **swarm)])
            await story(world)
            world.coordinator.check()

    run_virtual(run())


async def give(world: World, objective: str = "ship it", **more: Any) -> str:
    command = GiveObjective("parser", objective, **{"work": "work", "parts": ("one", "two"), "review": "review"} | more)
    return str((await world.gate(ADA).execute([command])).values[0])


async def over(world: World, id_: str, seconds: float = 600) -> Session:
    await world.until(lambda: find_session(world.state, id_).is_over, seconds)
    return find_session(world.state, id_)


@pytest.mark.parametrize("topology", ["mesh", "star", "ring", "auto"])
def test_an_objective_is_split_worked_on_reviewed_voted_on_and_put_together(topology: str) -> None:
    team = Team()

    async def story(world: World) -> None:
        id_ = await give(world, parts=(), split="split", integrate="merge", payload={"repository": "here"})
        session = await over(world, id_)
        assert (session.state, session.because) == (SessionState.SUCCEEDED, "2 parts accepted and put together")
        assert team.types().count("split") == team.types().count("merge") == 1
        assert (team.types().count("work"), team.types().count("review")) == (2, 6)
        assert {one.payload["repository"] for one in team.given} == {"here"}
        assert session.tasks == len(team.given) == 10
        for part in session.parts:
            round_ = world.state.rounds[part.proposal]  # type: ignore[index]
            assert round_.standing == "accepted"
            assert part.worker not in {voter.id for voter in round_.proposal.voters}
            assert round_.proposal.swarm == session.swarm
        row = session_row(world.state, session)
        assert (row.swarm, row.parts, row.accepted, row.attempts) == ("parser", 2, 2, 2)
        assert in_full(world.state, id_)["parts_in_full"][0]["worker_name"].startswith("coder-")
        assert world.state.swarming.mailboxes.traffic[session.swarm].sent == 10
        merged = next(task for task in world.state.tasks.values() if task.spec.type == "merge")
        assert (merged.spec.take_inputs, merged.spec.depends_on) == (True, tuple(part.task for part in session.parts))

    live(story, team, members=coders(5) if topology != "auto" else coders(8), topology=topology)


def test_what_is_turned_down_goes_to_somebody_else_who_is_told_why() -> None:
    seen: list[str] = []
    team = Team(review=lambda one: REJECTS if len(seen) < 2 else APPROVES, work=lambda one: seen.append(one.agent) or {"done": True})

    async def story(world: World) -> None:
        session = await over(world, await give(world, parts=("one",)))
        assert session.state is SessionState.SUCCEEDED
        assert session.parts[0].attempt == 2
        assert len(set(seen)) == 2
        again = [one.payload for one in team.given if one.type == "work"][1]
        assert (again["attempt"], set(again["reasons"])) == (2, {"no tests"})

    live(story, team)


def test_a_part_that_is_never_accepted_ends_the_session_and_its_other_tasks() -> None:
    team = Team(review=lambda one: REJECTS if one.payload["part"]["prompt"] == "one" else APPROVES)

    async def story(world: World) -> None:
        session = await over(world, await give(world, attempts=2))
        assert session.state is SessionState.FAILED
        assert session.because == "part 1 was not accepted in 2 attempts: no tests"
        await world.until(lambda: all(task.state in FINISHED for task in world.state.tasks.values()), 5)

    live(story, team)


def test_a_deadlock_waits_for_an_operator_and_then_goes_on_without() -> None:
    reviews: dict[object, int] = {}

    def torn(one: Assignment) -> Answers:
        number = reviews[one.payload["proposal"]] = reviews.get(one.payload["proposal"], 0) + 1
        return APPROVES if number % 2 else {"vote": "abstain"}

    team = Team(review=torn)

    async def story(world: World) -> None:
        ids = [await give(world, name, parts=("one",), reviewers=4, patience_s=100.0, attempts=1) for name in ("first", "second")]
        await world.until(lambda: any(round_.standing == "deadlocked" for round_ in world.state.rounds.values()), 60)
        [round_] = world.state.rounds.values()
        await world.gate(ADA).execute([SettleProposal(str(round_.proposal.id), "accept")])
        assert (await over(world, ids[0], 5)).state is SessionState.SUCCEEDED
        second = await over(world, ids[1], 200)
        assert second.state is SessionState.FAILED
        assert second.ended_at >= list(world.state.rounds.values())[-1].closed_at + 100

    live(story, team, rule="quorum", threshold=0.6)


def test_reviews_that_say_nothing_close_the_vote_without_waiting_for_its_deadline() -> None:
    team = Team(review=lambda one: None)

    async def story(world: World) -> None:
        began = world.clock.now()
        session = await over(world, await give(world, parts=("one",), attempts=1, patience_s=0.0))
        assert session.state is SessionState.FAILED
        assert world.clock.now() - began < 30, "the vote alone is open for 300 s"

    live(story, team)


def test_what_a_program_printed_last_is_its_review() -> None:
    team = Team(review={"exit_code": 0, "stdout": 'looking\n{"vote": "approve", "confidence": 0.5, "reasoning": "by a program"}\n'})

    async def story(world: World) -> None:
        session = await over(world, await give(world, parts=("one",)))
        assert session.state is SessionState.SUCCEEDED
        [round_] = world.state.rounds.values()
        assert {(ballot.confidence, ballot.reasoning) for ballot in round_.all_ballots()} == {(0.5, "by a program")}

    live(story, team)


@pytest.mark.parametrize(
    ("inputs", "first", "second"),
    [("enqueue", "succeeded", "succeeded"), ("interrupt", "interrupted", "succeeded"), ("rollback", "rolled-back", "succeeded")],
)
def test_a_second_objective_waits_interrupts_or_rolls_back(inputs: str, first: str, second: str) -> None:
    team = Team()

    async def story(world: World) -> None:
        one = await give(world, "first", parts=("a", "b", "c", "d", "e", "f", "g", "h"))
        await world.until(lambda: any(part.state is PartState.ACCEPTED for part in find_session(world.state, one).parts), 60)
        two = await give(world, "second")
        assert (await over(world, one)).state == first
        assert (await over(world, two)).state == second
        kept = sum(part.state is PartState.ACCEPTED for part in find_session(world.state, one).parts)
        assert (kept == 0) == (inputs == "rollback")
        if inputs == "enqueue":
            assert find_session(world.state, two).began_at >= find_session(world.state, one).ended_at

    live(story, team, inputs=inputs)


def test_a_second_objective_is_refused_where_the_swarm_takes_one() -> None:
    async def story(world: World) -> None:
        await give(world, "first")
        with pytest.raises(CommandRefused, match="works on 'first' and takes one objective at a time"):
            await give(world, "second")

    live(story, Team(), inputs="reject")


def test_so_many_objectives_wait_and_no_more() -> None:
    async def story(world: World) -> None:
        for number in range(SESSIONS_WAITING_MAX):
            await give(world, f"{number}")
        with pytest.raises(CommandRefused, match="16 objectives wait"):
            await give(world, "one more")

    live(story, Team())


def test_a_budget_of_tasks_and_one_of_cost_end_a_session() -> None:
    async def story(world: World) -> None:
        session = await over(world, await give(world, budget_tasks=5))
        assert (session.state, session.tasks <= 5) == (SessionState.FAILED, True)
        assert "its budget is used up" in session.because

    live(story, Team())


def test_what_was_given_in_the_step_that_ends_a_session_does_not_run() -> None:
    async def story(world: World) -> None:
        session = await over(world, await give(world, parts=("one", "two", "three"), budget_tasks=2))
        assert session.because == "its budget is used up: 2 of 2 tasks, 1 more needed"
        tasks = [world.state.tasks[part.task] for part in session.parts if part.task]
        assert [(task.state, task.attempt) for task in tasks] == [(TaskState.CANCELLED, 0)] * 2

    live(story, Team())


@pytest.mark.row(7)
@pytest.mark.parametrize("topology", ["star", "ring", "hierarchical"])
def test_fifty_agents_work_on_one_objective_at_once(topology: str) -> None:
    team, count = Team(), 52
    config = {"fleet": {"max_agents": count, "default_pools": {"coder": {"min": count, "max": count}}}}

    async def run() -> None:
        world = World(config, 1, hosts=4, work=team.work)
        async with world.running():
            await world.until(lambda: world.state.totals.by_status.get("idle", 0) == count)
            await world.gate(ADA).execute([CreateSwarm("parser", ("coder",), topology=topology)])
            id_ = await give(world, parts=tuple(f"part {number}" for number in range(count)), budget_tasks=count * 4)
            await world.until(lambda: world.state.totals.by_status.get("busy", 0) >= 50, 60)
            session = await over(world, id_)
            assert (session.state, {part.state for part in session.parts}) == (SessionState.SUCCEEDED, {PartState.ACCEPTED})
            world.coordinator.check()

    run_virtual(run())


def test_tasks_of_a_session_end_with_it_from_the_first_on() -> None:
    async def story(world: World) -> None:
        session = await over(world, await give(world, timeout_s=30.0))
        deadlines = {world.state.tasks[part.task].spec.deadline for part in session.parts if part.task}
        assert deadlines == {session.began_at + 30.0}

    live(story, Team())


def test_a_session_that_takes_too_long_ends_and_its_tasks_with_it() -> None:
    team = Team()
    team.seconds = 500.0

    async def story(world: World) -> None:
        session = await over(world, await give(world, timeout_s=20.0), 60)
        assert (session.state, session.because) == (SessionState.FAILED, "not done within 20 s")
        await world.until(lambda: all(task.state in FINISHED for task in world.state.tasks.values()), 600)

    live(story, team)


def test_a_paused_swarm_begins_nothing_and_one_that_ends_stops_its_sessions() -> None:
    team = Team()

    async def story(world: World) -> None:
        await world.gate(ADA).execute([PauseSwarm("parser")])
        id_ = await give(world)
        await world.clock.sleep(5)
        assert not team.given
        await world.gate(ADA).execute([UnpauseSwarm("parser")])
        await world.until(lambda: bool(team.given), 5)
        await world.gate(ADA).execute([EndSwarm("parser")], confirm="parser")
        session = await over(world, id_, 5)
        assert session.state is SessionState.CANCELLED
        assert session.because.startswith("its swarm is over: ended by ada")

    live(story, team)


def test_somebody_stops_a_session() -> None:
    async def story(world: World) -> None:
        id_ = await give(world)
        await world.gate(ADA).execute([StopSession(id_)], confirm=id_)
        assert find_session(world.state, id_).because == "stopped by ada"
        with pytest.raises(CommandRefused, match="is cancelled: stopped by ada"):
            await world.gate(ADA).execute([StopSession(id_)], confirm=id_)

    live(story, Team())


@pytest.mark.parametrize(
    ("given_", "said"),
    [({"objective": " "}, "an objective is a line"), ({"parts": ()}, "name its parts"), ({"parts": ("x",) * 65}, "65 parts are more"), ({"parts": ("{x",)}, "is no JSON")],
)
def test_an_objective_that_makes_no_sense_is_refused(given_: dict[str, Any], said: str) -> None:
    async def story(world: World) -> None:
        with pytest.raises(UsageError, match=said):
            await give(world, **given_)

    live(story, Team())


def test_work_of_an_agent_that_is_lost_goes_to_another_one() -> None:
    team = Team()
    team.seconds = 20.0

    async def story(world: World) -> None:
        id_ = await give(world, parts=("one",))
        await world.until(lambda: len(team.given) == 1, 5)
        name = world.state.agents[team.given[0].agent].spec.name
        await world.gate(ADA).execute([UnregisterAgent(name)], confirm=name)
        session = await over(world, id_)
        assert session.state is SessionState.SUCCEEDED

    live(story, team)


@given(st.integers(0, 2**32))
@settings(max_examples=examples(12), deadline=None)
def test_every_session_ends_and_no_swarm_is_stuck_whatever_happens(seed: int) -> None:
    """Agents that fail, say nonsense, leave; an engine that is killed; the seed replays it."""
    chance = random.Random(seed)
    answers = (APPROVES, APPROVES, REJECTS, {"vote": "abstain"}, {"nonsense": 1}, None)
    team = Team(review=lambda one: chance.choice(answers), work=lambda one: chance.choice([{"done": True}, {"done": True}, None]), split=lambda one: chance.choice([{"parts": ["a", "b"]}, {}]))

    async def run() -> None:
        world = World(CONFIG, seed, hosts=2, work=team.work)
        given_: list[str] = []
        for life in range(3):
            async with world.running():
                await world.until(lambda: world.state.totals.by_status.get("idle", 0) >= 4, 60)
                if not life:
                    for name, topology in (("a", "mesh"), ("b", "star"), ("c", "ring"), ("d", "auto")):
                        inputs = chance.choice(["enqueue", "interrupt", "rollback"])
                        await world.gate(ADA).execute([CreateSwarm(name, coders(chance.choice([3, 5, 7])), topology=topology, inputs=inputs, vote_timeout_s=20.0)])
                for _ in range(6):
                    await world.clock.sleep(chance.expovariate(0.5))
                    with contextlib.suppress(FleetError):  # a swarm without members takes none
                        how = chance.choice([{"parts": ("one", "two")}, {"split": "split"}, {"parts": ("one",), "integrate": "merge"}])
                        command = GiveObjective(chance.choice("abcd"), "ship it", work="work", review=chance.choice(["", "review"]), patience_s=chance.choice([0.0, 10.0]), timeout_s=200.0, **how)  # type: ignore[arg-type]
                        given_.append(str((await world.gate(ADA).execute([command])).values[0]))
                    if chance.random() < 0.2:
                        name = chance.choice([agent.spec.name for agent in world.state.agents.values()])
                        await world.gate(ADA).execute([UnregisterAgent(name)], confirm=name)
                    world.coordinator.check()
            await world.reborn()
        async with world.running():
            await world.until(lambda: all(session.is_over for session in world.state.swarming.sessions.values()), 200 * len(given_) + 60)
            await world.until(lambda: not world.state.swarming.session_of, 5)
            assert {str(id_) for id_ in world.state.swarming.sessions} == set(given_)
            world.coordinator.check()
            ended = [session for session in world.state.swarming.sessions.values() if session.state is SessionState.SUCCEEDED]
            for session in ended:
                assert all(part.state is PartState.ACCEPTED and world.state.tasks[TaskId(str(part.task))].state == "succeeded" for part in session.parts)

    run_virtual(run())
