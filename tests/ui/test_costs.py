"""`:cost`: pools against a fixed size at their peak, and the hours."""

from __future__ import annotations

import pytest
from engine.model.costs import AgentLife, Lives
from engine.model.scaling import Load
from engine.model.wire import to_plain
from engine.scaling.costs import report
from screens import costs as screen

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, sit

H = 3_600.0
BEGIN = 1_700_000_000.0 - 1_700_000_000.0 % H


def lives() -> Lives:
    still = [AgentLife(pool, BEGIN, 0.0, cost) for pool, cost in (("coder", 0.002), ("coder", 0.002), ("tester", 0.001), ("reviewer", 0.0))]
    burst = [AgentLife("coder", BEGIN + H, BEGIN + 1.25 * H, 0.002) for _ in range(12)]
    return Lives((*still, *burst), ((BEGIN + 2 * H, BEGIN + 2.5 * H),), (("coder", 2, 14), ("coder", 14, 2)))


@pytest.mark.row(205, 277)
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_looks_as_approved(size: tuple[int, int], snap: Snap, monkeypatch: pytest.MonkeyPatch) -> None:
    load = [Load(BEGIN + second, "coder", 3.0) for second in range(0, int(4 * H), 4)]
    found = to_plain(report(lives(), load, BEGIN - H, BEGIN + 4 * H, {"coder": 0.87}))

    async def ask(_self: object, what: str, **_parameters: object) -> object:
        assert what == "cost"
        return found

    monkeypatch.setattr(screen.CostScreen, "ask_engine", ask)
    fleet = Fleet()
    async with sit(fleet, size) as seat:
        await seat.current()
        await seat.open("cost")
        assert "coder" in await seat.read()
        await snap(seat.pilot, "cost")


async def test_a_living_fleet_answers() -> None:
    async with sit(Fleet(), (120, 40)) as seat:
        await seat.current()
        await seat.open("cost")
        text = await seat.read()
        assert "By hour" in text
        assert "all" in text
