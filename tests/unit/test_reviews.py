"""Reviews as the fleet decides them: what opens one, what feedback makes of it, and that a new engine knows the same."""

from __future__ import annotations

from typing import Any

import pytest
from engine.clock import Rng
from engine.model.effects import Assignment
from engine.model.errors import CommandRefused, UsageError
from engine.model.ids import TaskId
from engine.model.review_commands import AcceptReview, DiscardReview
from engine.model.reviews import ReviewState
from engine.model.task_commands import RetryTask, SubmitTask
from engine.model.tasks import FINISHED, Outcome, Task
from engine.simulation.loop import run_virtual
from engine.simulation.world import ADA, World

SESSION = {"kind": "session", "min": 1, "max": 1, "workspace": "worktree", "session": {"protocol": "claude"}}
COMMAND = {"kind": "command", "min": 1, "max": 1, "workspace": "worktree", "command": {"argv": ["x"]}}
POOLS = {"warm": SESSION, "cold": COMMAND, "roving": {**SESSION, "worktree": {"per": "agent"}}, "plain": {"min": 1, "max": 1}}


def work_of(assignment: Assignment, _rng: Rng) -> tuple[float, Outcome]:
    """Leave work on a branch, unless told not to."""
    told: dict[str, Any] = {"branch": f"fleet/{assignment.task}", "base": "b0", "head": "h1", "repository": "/repo", "onto": "main", "count": 2, "commits": ["h1 it"], "files": 1}
    branch = {"branch": ""} if "nothing" in str(assignment.payload["prompt"]) else {}
    ok = "fail" not in str(assignment.payload["prompt"])
    return 1.0, Outcome(assignment.task, assignment.token, ok=ok, result={"session": "cv1", "workspace": told | branch}, error_kind="" if ok else "exit_code", retryable=False)


def test_what_is_left_on_a_branch_waits_and_feedback_goes_on_with_it() -> None:
    async def story() -> None:
        world = World({"fleet": {"default_pools": POOLS}}, 1, hosts=2, work=work_of)

        async def ended(pool: str, prompt: str = "do it") -> Task:
            id_ = TaskId(str((await world.gate().execute([SubmitTask("work", pool, payload={"prompt": prompt, "resume": "old"})])).values[0]))
            return await end_of(id_)

        async def end_of(id_: TaskId) -> Task:
            await world.until(lambda: world.state.tasks[id_].state in FINISHED)
            return world.state.tasks[id_]

        async def follow(task: Task) -> Task:
            return await end_of(TaskId(str((await world.gate().execute([RetryTask(task.spec.id, feedback="no tabs")])).values[0])))

        async with world.running():
            assert (await ended("plain")).review is None, "a pool without worktrees"
            assert (await ended("warm", "nothing")).review is None
            bad = await ended("cold", "fail")
            assert bad.review is not None
            assert (bad.review.state, bad.review.work.commits) == (ReviewState.WAITING, 2)
            warm, cold, roving = await ended("warm"), await ended("cold"), await ended("roving")
            again = [(await follow(task)).spec for task in (warm, cold, roving)]
            aside = "do it\n\nWhat was done so far is in this directory, and on its branch. Whoever reviewed it asks for changes:\n\nno tabs"
            assert [spec.payload for spec in again] == [{"prompt": "no tabs", "resume": "cv1"}, {"prompt": aside}, {"prompt": aside}]
            assert warm.review is not None
            assert (again[0].work, again[0].follows) == (warm.review.work, warm.spec.id)
            assert (warm.review.state, warm.review.next, warm.review.who) == ("retried", again[0].id, ADA.who)
            assert list(world.state.reviewing) == [bad.spec.id, *(spec.id for spec in again)]
            with pytest.raises(CommandRefused, match=f"{again[0].id} goes on with what"):
                await world.gate().execute([DiscardReview(warm.spec.id)])
            with pytest.raises(UsageError, match="give all of the feedback at once"):
                await world.gate().plan([RetryTask(bad.spec.id, feedback="a"), RetryTask(bad.spec.id, feedback="b")])
            with pytest.raises(CommandRefused, match="nothing of .* to review: it left nothing"):
                await world.gate().plan([AcceptReview((await ended("plain")).spec.id)])
            await world.gate().execute([AcceptReview(again[0].id), AcceptReview(again[1].id)])
            assert world.reviewer.branches == {"main": "b0+h1+h1"}, "one on top of the other"
            before = {id_: task.review for id_, task in world.state.tasks.items()}
        await world.reborn()
        assert {id_: task.review for id_, task in world.state.tasks.items()} == before
        world.state.check()

    run_virtual(story())


def test_what_the_journal_refuses_is_taken_back() -> None:
    async def story() -> None:
        world = World({"fleet": {"default_pools": POOLS}}, 1, hosts=2, work=work_of)
        async with world.running():
            id_ = TaskId(str((await world.gate().execute([SubmitTask("work", "cold", prompt="do it")])).values[0]))
            await world.until(lambda: world.state.tasks[id_].review is not None)
            world.coordinator.read_only = "the disk is full"
            with pytest.raises(CommandRefused, match="disk is full"):
                await world.gate().execute([AcceptReview(id_)])
            assert (world.reviewer.branches, world.reviewer.gone) == ({"main": "b0"}, set())
            world.coordinator.read_only = ""

    run_virtual(story())
