"""Why tasks, agents, pools, hosts and policies are as they are: headlines, evidence, and what each line leads to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from engine.agents.runtime import HostSample
from engine.clock import Rng
from engine.gate.why_tasks import explain_task
from engine.model.agent_commands import AllocateAgent, DrainAgent
from engine.model.effects import Assignment
from engine.model.errors import NotFound, UsageError
from engine.model.explanations import EXPLAINED, Evidence, Explanation
from engine.model.ids import TaskId
from engine.model.pool_commands import EditPool, HoldPool, PausePool, ScalePool
from engine.model.scaling import Decision, Reason, Why
from engine.model.task_commands import CancelTask, SubmitTask
from engine.model.tasks import Outcome
from engine.scheduling.router import count_reasons
from engine.simulation.loop import run_virtual
from engine.simulation.world import World
from tests.unit.core_fleet import Fleet


def why(fleet: Fleet, task: str, decision: Decision | None = None) -> Explanation:
    return explain_task(fleet.state, fleet.task(task), fleet.now, decision)


def texts(explanation: Explanation) -> list[str]:
    return [one.text for one in explanation.evidence]


# ---- tasks


@pytest.mark.row(153, 156)
def test_placement_explains_itself() -> None:
    fleet = Fleet({"coder": {"min": 5, "max": 9}})
    task = fleet.task(fleet.run())
    placement = task.placement
    assert placement is not None
    assert len(placement.alternatives) == 3
    found = why(fleet, task.spec.id)
    assert found.headline == f"it runs on {task.agent_name}, attempt 1"
    lines = texts(found)
    at = lines.index(f"attempt 1 went to {task.agent_name}: score {placement.value:.3f}, best of 5 free")
    assert lines[at + 1].startswith("capability match 1.00, availability 1.00, performance ")
    assert [line[:11] for line in lines[at + 2 :]] == ["then coder-"] * 3
    assert {(one.kind, one.id) for one in found.evidence if one.text.startswith("then")} == {("agents", agent) for agent, _ in placement.alternatives}


def test_pending_says_why_in_counts_and_who_is_busy_with_what() -> None:
    fleet = Fleet({"coder": {"min": 4, "max": 9}})
    busy = fleet.run()
    fleet.do(DrainAgent([a.spec.name for a in fleet.state.agents.values() if a.status == "idle"][0]))
    fleet.do(AllocateAgent("mine", "coder"))
    task = fleet.submit(capabilities=("rare",))
    assert count_reasons(fleet.state, fleet.task(task)) == {"busy": 1, "draining": 1, "reserved": 1, "lacks rare": 1}
    found = why(fleet, task)
    assert found.headline == "it waits for an agent of coder to become free"
    assert found.evidence[0].text.startswith("none of 4 agents in coder is free: 1 ")
    at_work = fleet.state.tasks[TaskId(busy)]
    assert Evidence(f"{at_work.agent_name} is at {at_work.spec.title}", at=at_work.started_at or at_work.leased_at, kind="agents", id=str(at_work.agent)) in found.evidence


def test_a_task_that_no_agent_can_do_says_so_in_its_headline() -> None:
    fleet = Fleet()
    found = why(fleet, fleet.submit(capabilities=("rare",)))
    assert (found.headline, found.level) == ("no agent of coder can do it: lacks rare", "error")


def test_pending_names_what_it_waits_on_and_how_long_it_backs_off() -> None:
    fleet = Fleet()
    first = fleet.run(backoff_s=10)
    second = fleet.submit(depends_on=(first,))
    found = why(fleet, second)
    assert found.headline == "it waits for 1 task to end"
    [line] = found.evidence
    task = fleet.task(first)
    assert line.text == f"needs {task.spec.title}, which is {task.state} on {task.agent_name}"
    assert (line.kind, line.id) == ("tasks", first)
    fleet.end(first, ok=False)
    found = why(fleet, first)
    assert (found.headline, found.level) == ("it waits before it is tried again", "warn")
    assert found.evidence[0].text.startswith("backs off for ")
    assert "attempt 1 ended: bug: it broke" in texts(found)


def test_many_dependencies_are_named_as_far_as_one_can_read_and_the_rest_counted() -> None:
    fleet = Fleet()
    first = [fleet.submit() for _ in range(8)]
    lines = texts(why(fleet, fleet.submit(depends_on=tuple(first))))
    assert len(lines) == 6
    assert lines[-1] == "and 3 more that have not ended"


def test_pending_says_who_comes_first_and_why_there_are_no_more_agents() -> None:
    fleet = Fleet({"coder": {"min": 0, "max": 0 + 1, "priority": 8}}, up=False)
    fleet.do(ScalePool("coder", "1"))
    fleet.submit(priority=9)
    fleet.now += 1
    fleet.submit(priority=5)
    fleet.now += 1
    decision = Decision(fleet.now, 1, 3, 1, (Reason(Why.TARGET, "own", (("demand", 3.0), ("goal", 1.0))), Reason(Why.MAX, "", (("max", 1.0),))))
    found = why(fleet, fleet.submit(priority=5), decision)
    assert texts(found)[-3:] == [
        "before it: 1 of a priority above its 5, 1 of its priority that waited longer",
        "coder has its most agents: 1 of 1",
        "the autoscaler wants 1 agent: demand 3 for a goal of 1; max is 1",
    ]
    assert (found.evidence[-1].kind, found.evidence[-1].id) == ("scaling", "coder")


def test_ended_task_says_how() -> None:
    fleet = Fleet()
    task = fleet.submit()
    fleet.do(CancelTask(task))
    assert why(fleet, task).headline == "it was cancelled: cancelled: by ada"
    fleet = Fleet({"coder": {"min": 0, "max": 2}})
    found = why(fleet, fleet.submit())
    assert found.headline == "it waits for an agent, and coder has none"
    assert "coder has no agents" in texts(found)


def test_a_dead_task_says_how_its_attempts_were_used_up() -> None:
    fleet = Fleet()
    task = fleet.run(max_attempts=1)
    fleet.end(task, ok=False)
    found = why(fleet, task)
    assert (found.headline, found.level) == ("it is dead: bug: it broke", "error")
    assert "1 of its 1 attempts are used up" in texts(found)


def test_attempts_that_do_not_count_are_told() -> None:
    fleet = Fleet()
    task = fleet.run()
    fleet.down()
    fleet.up("hst_2")
    told = "0 of its 3 attempts count, 1 were lost, replayed or handed on; 1 agent died while running it"
    assert told in texts(why(fleet, task))
    assert task in fleet.place()
    assert told.replace("0 of", "1 of") in texts(why(fleet, task))


def test_a_task_that_fell_with_another_leads_to_it() -> None:
    fleet = Fleet()
    first = fleet.run(max_attempts=1)
    second = fleet.submit(depends_on=(first,))
    fleet.end(first, ok=False)
    found = why(fleet, second)
    assert found.headline.startswith("it was cancelled: dependency: ")
    assert ("tasks", first) in {(one.kind, one.id) for one in found.evidence}


# ---- by the query


def slow(assignment: Assignment, _rng: Rng) -> tuple[float, Outcome]:
    return 30.0, Outcome(assignment.task, assignment.token, ok=True)


def live(work: Callable[[World], Awaitable[Any]], **config: Any) -> None:
    async def story() -> None:
        world = World({"fleet": {"default_pools": {"coder": {"min": 2, "max": 9}}}, **config}, 1, hosts=1, work=slow)
        async with world.running():
            await world.until(lambda: world.state.totals.by_status.get("idle", 0) == 2)
            await work(world)

    run_virtual(story())


async def explained(world: World, kind: str, word: str) -> dict[str, Any]:
    found: Any = await world.gate().query("explain", kind=kind, id=word)
    return dict(found)


def lines_of(found: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    return {one["text"]: (one["level"], one["kind"], one["id"]) for one in found["evidence"]}


def test_a_paused_pool_says_who_paused_it_why_and_by_which_plan() -> None:
    async def story(world: World) -> None:
        paused = await world.gate().execute([PausePool("coder")], reason="migration tonight")
        [task] = (await world.gate().execute([SubmitTask("noop", "coder")])).values
        pool, waiting = await explained(world, "pools", "coder"), await explained(world, "tasks", str(task))
        assert pool["headline"] == "it is paused: it is given no tasks"
        assert lines_of(pool)["it was paused by ada: migration tonight"] == ("warn", "plans", paused.plan)
        assert waiting["headline"] == "it waits for an agent, and pool coder is paused"
        line = next(one for one in waiting["evidence"] if one["text"] == "pool coder was paused by ada: migration tonight")
        assert (line["id"], line["at"]) == (paused.plan, world.state.plans[paused.plan].plan.at)

    live(story)


def test_a_pool_says_who_sized_it_who_holds_it_and_what_the_policies_want() -> None:
    async def story(world: World) -> None:
        gate = world.gate()
        world.scaler.tick()
        wanted = lines_of(await explained(world, "pools", "coder"))
        assert {where for text, where in wanted.items() if text.startswith("policy own recommends ")} == {("info", "policies", "own")}
        await gate.execute([HoldPool("coder", 600)])
        scaled = await gate.execute([ScalePool("coder", "4")], reason="release")
        world.scaler.tick()
        found = await explained(world, "pools", "coder")
        assert found["headline"] == "it has 4 agents, held by ada"
        lines = lines_of(found)
        assert lines["the size was set to 4 by ada: release"] == ("info", "plans", scaled.plan)
        assert lines["it may have 2 to 9 agents, as configured"] == ("info", "", "")
        assert any(text.startswith("held by ada for ") for text in lines)
        assert "held by an operator" in next(text for text in lines if text.startswith("last decision: "))
        assert (await explained(world, "scaling", "coder"))["evidence"] == found["evidence"]
        await gate.execute([EditPool("coder", {"max": 6})])
        assert "it may have 2 to 6 agents; max changed by ada" in lines_of(await explained(world, "pools", "coder"))
        policy = await explained(world, "policies", "own")
        assert policy["headline"] == "it decides for coder"
        assert any((kind, id_) == ("scaling", "coder") for _, kind, id_ in lines_of(policy).values())

    live(story, auto_scaling={"policies": {"own": {"pool": "coder", "target": 1}}})


def test_the_autoscaler_s_own_move_says_its_reason() -> None:
    async def story(world: World) -> None:
        await world.gate().execute([SubmitTask("noop", "coder", payload={}) for _ in range(40)])
        await world.until(lambda: world.state.pools["coder"].size > 2)
        pool = world.state.pools["coder"]
        lines = lines_of(await explained(world, "pools", "coder"))
        assert lines[f"the size became {pool.size} by the autoscaler: {pool.sized_why}"] == ("info", "scaling", "coder")

    live(story, auto_scaling={"policies": {"own": {"pool": "coder", "target": 1}}})


def test_an_agent_says_its_beat_its_limit_its_task_and_who_drained_it() -> None:
    async def story(world: World) -> None:
        host = next(iter(world.state.hosts))
        world.feed.measured([HostSample(host, "python", 1, 2, world.clock.now(), 0.31, 164.0)])
        drained = await world.gate().execute([DrainAgent("coder-1")], reason="odd answers")
        found = await explained(world, "agents", "coder-1")
        assert found["headline"] == "it is drained: it takes no more work"
        lines = lines_of(found)
        assert lines["it was drained by ada: odd answers"] == ("warn", "plans", drained.plan)
        assert lines["it beats in time: a beat is due every 1 s and late after 2 s"] == ("info", "hosts", host)
        assert lines["it uses 31% of a core and 164 MB"][2] == host
        world.feed.measured([HostSample(host, "python", 1, 2, world.clock.now() - 2.5, 0.31, 164.0)])
        late = lines_of(await explained(world, "agents", "coder-1"))
        assert late["no beat for 2.5 s when it was looked at: a beat is due every 1 s and late after 2 s"] == ("warn", "hosts", host)
        free = await explained(world, "agents", "coder-2")
        assert free["headline"] == "it is free"
        assert "no task waits for coder" in lines_of(free)
        carrier = await explained(world, "hosts", host)
        assert carrier["headline"] == "it is healthy"
        assert "0 of its 2 agents have a task" in lines_of(carrier)

    live(story)


def test_what_cannot_be_explained_is_refused() -> None:
    async def story(world: World) -> None:
        with pytest.raises(UsageError, match="there is no explanation of 'audit'; there are tasks, agents"):
            await world.gate().query("explain", kind="audit", id="aud_1")
        for kind in EXPLAINED:
            with pytest.raises(NotFound, match="nobody"):
                await world.gate().query("explain", kind=kind, id="nobody")

    live(story)


def test_one_event_in_full() -> None:
    async def story(world: World) -> None:
        await world.gate().execute([PausePool("coder")])
        rows: Any = await world.gate().query("events")
        row = next(row for row in rows if row["type"] == "pool.paused")
        found: Any = await world.gate().query("event", id=row["id"])
        assert {name: found[name] for name in row} == row
        assert found["record"] == {"pool": "coder", "paused": True}
        for word in ("ev_999999", "ev_x", "ev_" + "9" * 40, "ev_0"):
            with pytest.raises(NotFound, match=f"no event {word!r}"):
                await world.gate().query("event", id=word)

    live(story)


def test_a_long_queue_is_looked_at_only_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.gate.why_tasks.AHEAD_SCANNED", 3)
    fleet = Fleet({"coder": {"min": 0, "max": 1}})
    for _ in range(5):
        fleet.submit(priority=9)
    assert "before it, among the 3 that wait longest: 3 of a priority above its 5" in texts(why(fleet, fleet.submit(priority=5)))
