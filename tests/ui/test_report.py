"""`:report`: sections with their tables, lines that lead to agents and pools, the plan of what is proposed, range and baseline."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from engine.model.metrics import CATALOGUE
from screens import report as screen
from screens.linked import LinkedDocument

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit

NOON = 1_700_049_600.0
MEANS = {"succeeded": 3.2, "response_ms": None, "error_rate": 0.021, "queue_depth": 4.1, "utilisation": 0.64, "agents": 6.0, "cpu": 0.31, "memory": 0.55}


def aggregate(metric: str, label: str, mean: float | None) -> dict[str, Any]:
    figures = {"p50": 800.0, "p95": 2_100.0, "p99": 4_300.0} if mean is None else {"p50": mean, "p95": 1.4 * mean, "p99": 1.6 * mean}
    total = 276_480.0 if metric in ("succeeded", "response_ms") else None
    most = 8_192.0 if mean is None else 2 * mean
    return {"metric": metric, "label": label, "unit": CATALOGUE[metric].unit, "mean": mean, "least": 0.0, "most": most, "total": total, "measured": 1.0, **figures}


class Engine:
    """Answers of an engine with a day, an agent at risk, and two baselines; writes down what it was asked."""

    def __init__(self, fleet: Fleet) -> None:
        self.asked: list[dict[str, Any]] = []
        self.baselines = ["before-upgrade", "monday"]
        self._fleet = fleet
        self.slow: dict[float, asyncio.Event] = {}
        """Answers about spans of these lengths are given when their event is set."""

    async def ask(self, what: str, **parameters: Any) -> object:
        if what == "baselines":
            return [{"name": name} for name in self.baselines]
        assert what == "report"
        self.asked.append(parameters)
        if parameters["last_s"] in self.slow:
            await self.slow[parameters["last_s"]].wait()
        since = NOON - parameters["last_s"]
        ill = next(one.spec for one in self._fleet.state.agents.values() if one.spec.pool == "tester")
        labels = ("", "coder", "tester")
        aggregates = [aggregate(metric, label, mean) for label in labels for metric, mean in MEANS.items()]
        steady = {"direction": "steady", "change": 0.0, "per_hour": 0.0, "p": 1.0, "is_worse": False}
        trends = [{"metric": one["metric"], "label": one["label"], **steady} for one in aggregates]
        trends[3].update(direction="rising", change=0.6, is_worse=True)
        slower = {"metric": "response_ms", "label": "coder", "unit": "ms", "before": 900.0, "now": 2_100.0, "change": 1.33, "effect": 0.81, "p": 0.0000002, "verdict": "regressed"}
        fewer = {"metric": "queue_depth", "label": "tester", "unit": "count", "before": 9.0, "now": 2.0, "change": -0.78, "effect": -0.6, "p": 0.004, "verdict": "improved"}
        signs = [{"kind": "latency", "level": 0.7, "text": "tasks take 9.10 s in the last 12 min, usually 2.00 s: 4.5 times as long"}]
        restart = {"name": "agent.restart", "args": {"agent": ill.name}}
        scale = {"name": "pool.scale", "args": {"pool": "tester", "size": "1"}}
        return {
            "fleet": "demo", "generated_at": NOON, "timeframe": {"asked_since": since, "since": since, "until": NOON, "step_s": 60, "measured": 0.968},
            "metrics": [], "aggregates": aggregates, "trends": trends, "left_out": [], "not_measured": ["cost", "tokens"],
            "baseline": {"name": parameters["baseline"], "since": since - parameters["last_s"], "until": since},
            "comparisons": [slower, fewer, *({**slower, "verdict": "same"} for _ in range(20))],
            "risks": [{"id": ill.id, "name": ill.name, "pool": "tester", "risk": 0.7, "signs": signs, "unknown": ["memory"], "verb": f"restart {ill.name}", "call": restart}],
            "recommendations": [
                {"kind": "risk", "target": ill.id, "text": f"{ill.name} is likely to fail", "why": [], "verb": f"restart {ill.name}", "call": restart},
                {"kind": "oversized", "target": "tester", "text": "tester is oversized: 4 agents → 1 agent", "why": ["at most 1 of 4 agents had work in 60 min"], "verb": "scale tester 1", "call": scale},
            ],
        }  # fmt: skip


@pytest.fixture
def fleet() -> Fleet:
    found = Fleet()
    found.clock.at = NOON
    return found


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, fleet: Fleet) -> Engine:
    found = Engine(fleet)
    monkeypatch.setattr(screen.ReportScreen, "ask_engine", lambda _self, what, **more: found.ask(what, **more))
    return found


async def shown(seat: Seat, line: str = "report") -> None:
    await seat.open(line, "report")
    await seat.until(lambda: "In short" in seat.text)


@pytest.mark.row(226, 233, 235)
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_looks_as_approved(size: tuple[int, int], snap: Snap, engine: Engine, fleet: Fleet) -> None:  # noqa: ARG001  # answers
    async with sit(fleet, size) as seat:
        await seat.current()
        await shown(seat)
        await snap(seat.pilot, "report")


async def test_keys_choose_range_and_baseline(engine: Engine, fleet: Fleet) -> None:
    async with sit(fleet, (120, 40)) as seat:
        await seat.current()
        await shown(seat, "report coder")
        assert engine.asked[-1] == {"last_s": 86_400, "pool": "coder", "baseline": ""}
        await seat.press("r")
        await seat.until(lambda: "the last 7d, coder" in seat.text)
        await seat.press("b")
        await seat.until(lambda: "What changed against the baseline before-upgrade" in seat.text)
        engine.baselines.clear()
        await seat.press("b")
        await seat.until(lambda: "there is no baseline" in seat.told and "Against the span before" in seat.text)
        assert engine.asked[-1] == {"last_s": 7 * 86_400, "pool": "coder", "baseline": ""}


async def test_while_another_range_is_read_the_old_figures_are_gone_and_a_late_answer_is_not_shown(engine: Engine, fleet: Fleet) -> None:
    week, month = 7 * 86_400, 30 * 86_400
    async with sit(fleet, (120, 40)) as seat:
        await seat.current()
        await shown(seat)
        engine.slow = {week: asyncio.Event(), month: asyncio.Event()}
        await seat.press("r")
        await seat.until(lambda: "the last 7d" in seat.text and "reading …" in seat.text)
        assert "In short" not in seat.text
        await seat.press("r")
        await seat.until(lambda: "the last 30d" in seat.text)
        engine.slow[week].set()
        await seat.until(lambda: engine.asked[-1]["last_s"] == month)
        assert "In short" not in seat.text
        assert "reading …" in seat.text
        engine.slow[month].set()
        await seat.until(lambda: "In short" in seat.text)
        assert [one["last_s"] for one in engine.asked] == [86_400, week, month]


@pytest.mark.row(235)
async def test_a_line_leads_to_its_agent_and_to_the_plan_that_helps(engine: Engine, fleet: Fleet) -> None:
    async with sit(fleet, (160, 60)) as seat:
        await seat.current()
        await shown(seat)
        document = seat.app.screen.query_one(LinkedDocument)

        async def point(kind: str) -> None:
            for _ in range(60):
                if document.pointed is not None and document.pointed.kind == kind:
                    return
                await seat.press("down")
            raise AssertionError(seat.text)

        await point("agents")
        await seat.press("a")
        await seat.until(lambda: "restart" in seat.text and type(seat.app.screen).__name__ == "PlanDialog")
        await seat.press("escape")
        await seat.until(lambda: type(seat.app.screen).__name__ == "ReportScreen")
        await seat.press("enter")
        await seat.until(lambda: type(seat.app.screen).__name__ == "AgentDetails")


def written(folder: Path) -> str:
    [page] = folder.rglob("report-*.html")
    return page.read_text()


@pytest.mark.row(226)
async def test_it_is_exported_as_a_page_with_its_charts(engine: Engine, fleet: Fleet, tmp_path: Path) -> None:  # noqa: ARG001  # answers
    async with sit(fleet, (120, 40), exports=tmp_path) as seat:
        await seat.current()
        await shown(seat)
        await seat.press("f2", "h")
        await seat.until(lambda: "wrote " in seat.told)
        page = written(tmp_path)
        assert page.startswith("<!doctype html>") and "<h2>Charts</h2>" in page


async def test_an_engine_without_figures_says_so(fleet: Fleet) -> None:
    async with sit(fleet, (120, 40)) as seat:
        await seat.current()
        await seat.open("report", "report")
        await seat.until(lambda: "nothing was measured in that time" in seat.text)
