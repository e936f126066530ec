"""Real programs that do nothing are shown, asked about or stopped; one that works in silence is not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from engine import FleetManager
from engine.model.question_commands import AnswerTask
from engine.model.task_commands import SubmitTask
from engine.model.tasks import TaskState

from tests.integration.sessions import python
from tests.integration.test_scaling_library import until

SLEEPS = "import time; time.sleep(3600)"
WORKS = "import time\nwhile True:\n    until = time.process_time() + 0.02\n    while time.process_time() < until: pass\n    time.sleep(0.06)"


def pool(script: str, then: str, after_s: float) -> dict[str, Any]:
    return {"kind": "command", "command": {"argv": [sys.executable, "-S", "-c", script]}, "min": 1, "max": 1, "stalled": {"after_s": after_s, "then": then}}


async def test_what_does_nothing_is_told_apart_from_what_works_in_silence(tmp_path: Path) -> None:
    talks = {"argv": python("for turn, told in turns(): time.sleep(3600)"), "grace_s": 0.5}
    pools = {
        "shown": pool(SLEEPS, "show", 1.0), "asked": pool(SLEEPS, "ask", 1.0), "works": pool(WORKS, "stop", 5.0),
        "stopped": {"kind": "session", "session": talks, "min": 1, "max": 1, "stalled": {"after_s": 1.0, "then": "stop"}},
    }  # fmt: skip
    async with FleetManager({"fleet": {"default_pools": pools, "workers": 1}, "booster": {"enabled": False}}, state_dir=tmp_path) as fleet:
        state = fleet.coordinator.state
        await fleet.operator().execute([SubmitTask("run", name, max_attempts=1) for name in pools])
        tasks = {task.spec.pool: task for task in state.tasks.values()}
        await until(lambda: bool(tasks["stopped"].finished_at))
        stopped = tasks["stopped"].error
        assert stopped is not None
        assert (stopped.kind, stopped.message.startswith("stalled: no output for "), "0.0 s CPU" in stopped.message) == ("stalled", True, True)
        await until(lambda: bool(tasks["asked"].questions))
        await fleet.operator().execute([AnswerTask(tasks["asked"].spec.id, "stop")])
        await until(lambda: bool(tasks["asked"].finished_at))
        assert tasks["asked"].error is not None
        assert tasks["asked"].error.kind == "stalled"
        await until(lambda: [state.agents[id_].spec.pool for id_ in fleet.feed.programs.stalled] == ["shown"])
        [shown] = fleet.feed.programs.stalled
        for kind, id_ in (("agents", shown), ("tasks", tasks["shown"].spec.id)):
            row = fleet.feed.row(kind, id_)
            assert row is not None
            assert row.reason.startswith("stalled: no output for ")  # type: ignore[union-attr]
        explained = await fleet.operator().query("explain", kind="agents", id=shown)
        assert any(line["text"].startswith("its program is stalled: ") for line in explained["evidence"])
        assert (tasks["shown"].state, tasks["works"].state) == (TaskState.RUNNING, TaskState.RUNNING)
