"""What the program of an agent may do by its token: what is its own, as the agent, while its attempt runs; the rest is refused and audited."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from engine.model.commands import COMMANDS
from engine.model.consensus_commands import CastVote, OpenProposal, WithdrawProposal
from engine.model.errors import CommandRefused, Denied
from engine.model.fleet_commands import UndoPlan
from engine.model.memory_commands import RememberEntry
from engine.model.pool_commands import PausePool
from engine.model.replication import Batch, Mark
from engine.model.task_commands import CancelTask, SubmitTask
from engine.model.tasks import Outcome, TaskState
from engine.model.verbs import Command
from engine.simulation.loop import run_virtual
from engine.simulation.world import World
from tests.unit.test_gate import BOB, CONFIG, audits

FOR_AGENTS = {"ask", "progress", "remember", "forget", "permit", "restore-entry", "resolve", "propose", "vote", "withdraw", "send", "take", "cancel"}
ONLY = "the program of an agent uses memory, votes and messages, asks and tells how far its own task is, and may cancel it; ask an operator for the rest"
LONG_S = 10_000.0


class Programs:
    """Two tasks that run, and the rights of their programs."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.tasks = [task for task in world.state.tasks.values() if task.state is TaskState.RUNNING]
        self.agents = [str(task.agent) for task in self.tasks]
        tokens = [f"{task.agent}/{task.spec.id}/{task.attempt}" for task in self.tasks]
        # As root's, over the socket: what it could do without the token.
        self.first, self.second = (world.gate(dataclasses.replace(BOB, role=2, via="cli", attempt=token)) for token in tokens)


def live(story: Callable[[World, Programs], Awaitable[None]], **settings: Any) -> None:  # noqa: ANN401  # of the configuration
    async def run() -> None:
        config = {**CONFIG, "operations": {**CONFIG["operations"], **settings}}
        world = World(config, 1, hosts=2, work=lambda assignment, _rng: (LONG_S, Outcome(assignment.task, assignment.token, ok=True)))
        async with world.running():
            await world.gate().execute([SubmitTask("noop", "coder"), SubmitTask("noop", "coder")])
            await world.until(lambda: sum(task.state is TaskState.RUNNING for task in world.state.tasks.values()) == 2)
            await story(world, Programs(world))
            world.coordinator.check()

    run_virtual(run())


def sample(kind: type[Command]) -> Command:
    """Return a verb with some arguments, within their limits."""
    some = {"str": "x", "int": 1, "float": 1.0, "dict[str, Any]": {}}
    needed = [spec for spec in dataclasses.fields(kind) if spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING]
    return kind(**{spec.name: spec.metadata.get("choices", (some[str(spec.type)],))[0] for spec in needed})


def test_every_verb_is_for_agents_or_refused_and_audited_as_the_agent() -> None:
    async def story(world: World, programs: Programs) -> None:
        outlook: Any = await programs.first.query("can-i")
        assert {row["verb"] for row in outlook if row["may"]} == FOR_AGENTS == {kind.verb for kind in COMMANDS.values() if kind.for_agents}
        refused = [kind for kind in COMMANDS.values() if not kind.for_agents]
        before, seq = len(audits(world)), world.state.totals.submitted
        for kind in refused:
            with pytest.raises(Denied, match=f"{kind.verb}: {ONLY}; nothing was changed"):
                await programs.first.plan([sample(kind)])
            with pytest.raises(Denied, match=f"{kind.verb}: {ONLY}; nothing was changed"):
                await programs.first.execute([sample(kind)])
        assert [line[:2] for line in audits(world)[before:]] == [(programs.agents[0], kind.name) for kind in refused]
        assert world.state.totals.submitted == seq

    live(story)


def test_another_engines_exchange_is_not_for_agents() -> None:
    async def story(_world: World, programs: Programs) -> None:
        with pytest.raises(Denied, match=ONLY):
            await programs.first.changes_since(Mark())
        with pytest.raises(Denied, match=ONLY):
            await programs.first.offer(Batch(Mark(), 0.0))

    live(story)


def test_an_agent_cancels_its_own_task_alone() -> None:
    async def story(world: World, programs: Programs) -> None:
        mine, other = (task.spec.id for task in programs.tasks)
        for commands in ([CancelTask(other)], [CancelTask(mine), CancelTask(other)]):
            with pytest.raises(Denied, match=f"{other} is not the task of {programs.agents[0]}, whose program may cancel {mine} alone"):
                await programs.first.execute(commands)
        await programs.first.execute([CancelTask(mine)])
        await world.until(lambda: world.state.tasks[mine].state is TaskState.CANCELLED)
        assert world.state.tasks[other].state is TaskState.RUNNING
        assert audits(world)[-1] == (programs.agents[0], "task.cancel", mine, "done")
        over = f"the attempt of {programs.agents[0]} is over, and its token with it"
        for ended in (programs.first.execute([RememberEntry("k", "1")]), programs.first.execute([CancelTask(mine)]), programs.first.query("tasks")):
            with pytest.raises(Denied, match=over):
                await ended
        with pytest.raises(Denied, match=over):
            async with programs.first.follow(["tasks"]):
                pass

    live(story)


def test_an_agent_proposes_in_its_own_name_and_withdraws_nothing_else() -> None:
    async def story(world: World, programs: Programs) -> None:
        opened = [await gate.execute([OpenProposal("merge it", ("coder",))]) for gate in (programs.first, programs.second)]
        mine, other = (str(answer.first()) for answer in opened)
        assert [world.state.rounds[id_].proposal.by for id_ in (mine, other)] == programs.agents  # type: ignore[index]
        await programs.first.execute([CastVote(other, "approve")])
        with pytest.raises(Denied, match=f"{other} was proposed by {programs.agents[1]}, not by {programs.agents[0]}"):
            await programs.first.execute([WithdrawProposal(other)])
        await programs.first.execute([WithdrawProposal(mine)])
        closed = world.state.rounds[mine]  # type: ignore[index]
        assert (closed.closed_by, closed.because) == (programs.agents[0], f"withdrawn by {programs.agents[0]}")
        assert world.state.rounds[other].is_open  # type: ignore[index]
        assert world.state.plans == {}, "what agents do is nobody's to undo by accident"
        with pytest.raises(CommandRefused, match="undo"):
            await world.gate(BOB).execute([UndoPlan()])

    live(story)


def test_a_plan_that_an_operator_looks_at_is_not_an_agents() -> None:
    async def story(world: World, programs: Programs) -> None:
        for command in (PausePool("ui"), RememberEntry("k", "1")):
            plan = await world.gate(BOB).plan([command])
            with pytest.raises(Denied, match=f"{ONLY}|was made for bob"):
                await programs.first.execute(plan.id)
            await world.gate(BOB).execute(plan.id)

    live(story)


@pytest.mark.parametrize("settings", [{"roles": {"bob": "viewer"}}, {"read_only": True}])
def test_what_operators_may_not_does_not_bind_agents(settings: dict[str, Any]) -> None:
    async def story(world: World, programs: Programs) -> None:
        with pytest.raises(Denied):
            await world.gate(dataclasses.replace(BOB, via="cli")).execute([RememberEntry("k", "1")])
        await programs.first.execute([RememberEntry("k", "1")])
        looking = dataclasses.replace(programs.first.origin, mode="read-only")
        with pytest.raises(Denied, match="opened to look only"):
            await world.gate(looking).execute([RememberEntry("k", "2")])

    live(story, **settings)
