"""What the journal could not keep: verbs are refused and harm nobody, reports become failures that say so, once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from engine.clock import Rng
from engine.memory.contract import JournalBatch
from engine.model import reports as r
from engine.model.agent_commands import AllocateAgent
from engine.model.agents import Health
from engine.model.effects import Assignment
from engine.model.errors import FleetError, OutcomeUnknown, ReadOnly, UsageError
from engine.model.pool_commands import ScalePool
from engine.model.pool_events import PoolScaled
from engine.model.task_commands import SubmitTask
from engine.model.tasks import Outcome
from engine.model.verbs import Command
from engine.simulation.loop import run_virtual
from engine.simulation.world import World

CONFIG = {"fleet": {"default_pools": {"coder": {"min": 3, "max": 9}}}}
BAD: dict[str, dict[str, Any]] = {
    "object": {"result": {"x": object()}},
    "surrogate": {"result": {"x": "\udc80"}},
    "error": {"ok": False, "error_kind": "bug", "error": "lone \udc80"},
    "kind": {"ok": False, "error_kind": "\udc80", "error": "it broke"},
    "key": {"result": {1j: 0}},
}


def work(assignment: Assignment, _rng: Rng) -> tuple[float, Outcome]:
    """End as the payload says."""
    return 0.1, Outcome(assignment.task, assignment.token, **{"ok": True, **BAD.get(assignment.title, {})})


def live(story: Callable[[World], Awaitable[None]]) -> None:
    """Run a story on a fresh engine whose agents are up."""

    async def run() -> None:
        world = World(CONFIG, 1, hosts=1, work=work)
        async with world.running():
            await world.until(lambda: world.state.totals.by_status.get("idle", 0) == 3)
            await story(world)
            assert not world.coordinator.read_only
            assert world.coordinator.counters.rebuilt == 0, "a journal failure was made of it"
            world.coordinator.check()

    run_virtual(run())


@pytest.mark.parametrize("bad", BAD)
def test_outcome_that_cannot_be_kept_fails_its_task_and_no_other(bad: str) -> None:
    async def story(world: World) -> None:
        titles = ["fine", bad, "fine too"]
        answer = await world.gate().execute([SubmitTask("noop", "coder", title=title) for title in titles])
        await world.until(lambda: not world.state.unfinished)
        tasks = [world.state.tasks[task] for task in answer.values]  # type: ignore[index]
        assert [task.state for task in tasks] == ["succeeded", "failed", "succeeded"]
        assert (tasks[1].attempt, tasks[1].error.kind if tasks[1].error else "") == (1, "not_json")
        assert tasks[1].error is not None
        assert tasks[1].error.message.startswith("its outcome cannot be kept: ")

    live(story)


def test_texts_of_other_reports_are_kept_with_escapes() -> None:
    async def story(world: World) -> None:
        host = next(iter(world.state.hosts))
        world.coordinator.report(r.HealthSeen(host, Health.SUSPECT, "said \udc80"))
        await world.until(lambda: world.state.hosts[host].health is Health.SUSPECT)
        assert world.state.hosts[host].evidence == "said \\udc80"
        world.coordinator.report(r.HostDown(host, "last words \udc80"))
        await world.until(lambda: host not in world.state.hosts)

    live(story)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (SubmitTask("noop", "coder", payload={"x": object()}), "the payload is no JSON: Encoding objects of type object is unsupported; give"),
        (SubmitTask("noop", "coder", payload={"x": [1 << 2_000, "\ud800"]}), "the payload is no JSON"),
        (SubmitTask("noop", "coder", title="\ud800"), "this cannot be kept as JSON"),
        (SubmitTask("noop", "coder", deadline_s=float("inf")), "task.submit: deadline_s is inf; give a number"),
        (SubmitTask("noop", "coder", timeout_s=float("nan")), "task.submit: timeout_s is nan; give a number"),
        (AllocateAgent("mine \ud800", "coder"), "this cannot be kept as JSON"),
    ],
)
def test_verb_that_cannot_be_kept_is_refused_and_nothing_else_is(command: Command, says: str) -> None:
    async def story(world: World) -> None:
        gate = world.gate()
        before = world.state.seq
        with pytest.raises(UsageError) as caught:
            await gate.execute([command])
        assert says in str(caught.value)
        assert world.state.seq == before
        assert len((await gate.execute([AllocateAgent(f"mine {n}", "coder") for n in range(3)])).values) == 3

    live(story)


def test_reason_that_cannot_be_kept_refuses_the_plan() -> None:
    async def story(world: World) -> None:
        with pytest.raises(FleetError, match="cannot be kept as JSON"):
            await world.gate().execute([ScalePool("coder", "+1")], reason="\ud800")
        assert world.state.pools["coder"].size == 3

    live(story)


def test_payload_is_kept_as_json_keeps_it() -> None:
    async def story(world: World) -> None:
        answer = await world.gate().execute([SubmitTask("noop", "coder", payload={"pair": (1, float("nan"))})])
        assert world.state.tasks[answer.values[0]].spec.payload == {"pair": [1, None]}  # type: ignore[index]

    live(story)


def test_a_command_that_is_being_written_when_the_engine_ends_is_answered() -> None:
    """Nobody waits for ever: whether it is done is not known, and what came behind it is not done."""

    async def run() -> None:
        world = World(CONFIG, 1, hosts=1, work=work)
        being_written = asyncio.Event()
        append = world.journal.append

        async def stick(batch: JournalBatch) -> None:
            if any(isinstance(record.event, PoolScaled) for record in batch.records):
                being_written.set()
                await asyncio.Event().wait()
            await append(batch)

        world.journal.append = stick  # type: ignore[method-assign]
        async with asyncio.TaskGroup() as group:
            async with world.running():
                first = group.create_task(refused(world, "4"))
                await being_written.wait()
                second = group.create_task(refused(world, "5"))
                await asyncio.sleep(0)
            await world.coordinator.stand_by("another engine leads")
        assert isinstance(first.result(), OutcomeUnknown)
        assert isinstance(second.result(), ReadOnly) and not isinstance(second.result(), OutcomeUnknown)

    run_virtual(run())


async def refused(world: World, size: str) -> Exception:
    """Return the error with which a pool is not scaled."""
    with pytest.raises(ReadOnly) as caught:
        await world.gate().execute([ScalePool("coder", size)])
    return caught.value
