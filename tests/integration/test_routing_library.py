"""Routing for programs, on a real engine: what it learned outlives it, rules and lessons decide what is asked and what is placed."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine import IntelligentRouter, RoutingContext, TaskRouter, TaskState
from engine.fleet import FleetManager
from engine.model.routing_commands import SetRouting
from engine.model.task_commands import SubmitTask

from tests.acceptance.test_main_job import settle

TASKS = 40
CONFIG = {
    "fleet": {"defaultPools": {"coder": {"min": 3, "max": 3}}, "workers": 1},
    "routing": {"looks_per_s": 10_000, "rules": [{"tasks": "review", "agents": "coder-2", "confidence": 0.9}]},
}


@pytest.mark.row(152, 153, 156, 157, 158, 159, 160, 306, 315)
async def test_lessons_outlive_the_engine_and_answer_programs(tmp_path: Path) -> None:
    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        await settle(fleet, agents=3)
        assert (await IntelligentRouter(fleet=fleet).route({"type": "review", "pool": "coder"})).routing_method == "rule-based"  # type: ignore[union-attr]
        result = await TaskRouter(fleet=fleet).route_task(RoutingContext("noop", "coder"))
        assert result.success and result.target and 0 < result.routing_score <= 1 and len(result.alternatives) == 2
        scored = await TaskRouter(fleet=fleet).score_agent({"type": "noop", "pool": "coder"})
        assert scored is not None and list(scored.score.factors) == ["capabilityMatch", "availability", "performance", "cost", "historical"]
        answer = await fleet.operator().execute([SubmitTask("noop", "coder") for _ in range(TASKS)])
        await settle(fleet, finished=TASKS)
        learned = await IntelligentRouter(fleet=fleet).learn_from_outcomes()
        assert learned == {"coder": TASKS}
        assert fleet.coordinator.state.tasks[answer.values[0]].state is TaskState.SUCCEEDED  # type: ignore[index]
    async with FleetManager(CONFIG, state_dir=tmp_path) as again:
        await settle(again, agents=3)
        router = IntelligentRouter(fleet=again)
        assert again.router.course("coder").model.outcomes == TASKS
        await again.operator().execute([SetRouting("on", "coder")])
        decision = await router.route({"type": "noop", "pool": "coder"})
        assert decision is not None and decision.routing_method in ("ml-based", "performance-based", "exploration")
        assert "learned routing" in decision.reasoning
        looked = again.router.course("coder").looked
        assert looked == 0, "asking is no decision"
        task = str((await again.operator().execute([SubmitTask("review", "coder")])).values[0])
        await settle(again, finished=TASKS + 1)
        why = await again.operator().query("explain", kind="tasks", id=task)
        assert any("by the rule review to coder-2, 0.90 sure" in line["text"] for line in why["evidence"])
        full = await again.operator().query("route", id="coder")
        assert full["outcomes"] >= TASKS and full["mode"] == "on"
        assert [rule.agents for rule in router.routing_rules] == ["coder-2"]
        assert router.routing_stats.total_tasks >= 1
        assert set(router.performance_history) == {"coder"} == set(router.pools())
