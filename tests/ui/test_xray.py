"""`:xray`: the fleet as a tree that opens and closes, filters, sorts, leads on and takes verbs; ten thousand agents."""

from __future__ import annotations

import pytest
from engine.model.rows import AgentRow, TaskRow
from screens.line_filter import Terminal
from screens.present_xray import ENDED_SHOWN, WAITING_SHOWN, Fruit, grow, pick_tasks
from screens.widgets.cells import ASCII, PLAIN, Glyphs

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit

SIZES = [(80, 24), (120, 40), (200, 60)]


async def shown(seat: Seat, line: str = "xray") -> None:
    await seat.current()
    await seat.open(line, "xray")


async def opened(seat: Seat, *ids: str) -> None:
    for id_ in ids:
        assert seat.table.point_at(id_), id_
        await seat.press("right")


@pytest.mark.row(217)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_looks_as_approved(size: tuple[int, int], snap: Snap) -> None:
    fleet = Fleet()
    async with sit(fleet, size) as seat:
        await fleet.busy()
        await shown(seat)
        busy = next(id_ for id_, row in seat.app.feed.tables["agents"].items() if row.status == "busy")
        await opened(seat, "pools coder", "pools database", "pools security", busy, "queue database")
        await snap(seat.pilot, "xray")


@pytest.mark.parametrize("glyphs", [ASCII, PLAIN], ids=["ascii", "plain"])
async def test_without_line_drawing_it_is_a_tree_all_the_same(glyphs: Glyphs, snap: Snap) -> None:
    fleet = Fleet()
    async with sit(fleet, (80, 24), glyphs=glyphs, terminal=Terminal(is_ascii=True, is_plain=glyphs.is_plain)) as seat:
        await fleet.busy()
        await shown(seat)
        await opened(seat, "pools coder", "pools database", "queue database")
        assert [line for line in seat.text.splitlines() if not line.isascii()] == []
        await snap(seat.pilot, "xray")


async def test_branches_open_and_close_and_are_remembered() -> None:
    fleet = Fleet()
    async with sit(fleet, (120, 40)) as seat:
        await fleet.busy()
        await shown(seat)
        pools = list(seat.app.feed.tables["pools"])
        assert list(seat.table.shown_ids) == ["fleet ", *(f"pools {pool}" for pool in pools)]
        await opened(seat, "pools coder")
        agents = [id_ for id_ in seat.table.shown_ids if id_.startswith("agt_")]
        assert [seat.screen.rows[id_].name for id_ in agents] == [f"coder-{number}" for number in range(1, 6)]
        seat.table.point_at(agents[2])
        await seat.press("left")
        assert seat.table.pointed_id == "pools coder", "from a leaf to where it hangs"
        await seat.open("pulse")
        await shown(seat)
        assert agents[0] in seat.table.shown_ids
        seat.table.point_at("pools coder")
        await seat.press("left")
        assert agents[0] not in seat.table.shown_ids
        await seat.press("z")
        assert sum(id_.startswith("agt_") for id_ in seat.table.shown_ids) == len(seat.app.feed.tables["agents"])
        await seat.press("z")
        assert len(seat.table.shown_ids) == 1 + len(pools)
        seat.table.point_at("fleet ")
        await seat.press("left")
        assert list(seat.table.shown_ids) == ["fleet "]


async def test_a_click_on_the_sign_opens_a_branch() -> None:
    fleet = Fleet()
    async with sit(fleet, (120, 40)) as seat:
        await fleet.busy()
        await shown(seat)
        row = list(seat.table.shown_ids).index("pools tester")
        await seat.pilot.click("#table", offset=(6, row + 1))
        await seat.until(lambda: any(id_.startswith("agt_") for id_ in seat.table.shown_ids))
        await seat.pilot.click("#table", offset=(14, row + 1))
        await seat.pilot.pause()
        assert any(id_.startswith("agt_") for id_ in seat.table.shown_ids), "a click on the name only points"


async def test_tasks_hang_on_their_agents_and_what_waits_on_its_pool() -> None:
    fleet = Fleet()
    async with sit(fleet, (200, 60)) as seat:
        await fleet.busy()
        await shown(seat)
        tables = seat.app.feed.tables
        busy = next(id_ for id_, row in tables["agents"].items() if row.status == "busy" and row.pool == "coder")
        await opened(seat, "pools coder", busy, "pools database", "queue database")
        held = tables["agents"][busy].task
        assert list(seat.table.shown_ids).index(held) > list(seat.table.shown_ids).index(busy)
        waiting = [row.title for id_ in seat.table.shown_ids if isinstance(row := seat.screen.rows.get(id_), TaskRow) and row.pool == "database"]
        assert waiting == ["index users", "index orders"], "by priority"
        seat.table.point_at(held)
        await seat.press("enter")
        await seat.until(lambda: seat.screen.NAME == "task" and seat.screen.thing == held)
        await seat.press("escape")
        for id_, name in ((busy, "agent"), ("pools coder", "pool")):
            await seat.until(lambda: seat.screen.NAME == "xray")
            seat.table.point_at(id_)
            await seat.press("d")
            await seat.until(lambda name=name: name == seat.screen.NAME)
            await seat.press("escape")


async def test_a_filter_leaves_the_agents_that_pass_and_what_they_hang_on() -> None:
    fleet = Fleet()
    async with sit(fleet, (120, 40)) as seat:
        await fleet.busy()
        await shown(seat, "xray /status=busy")
        rows = [seat.screen.rows.get(id_) for id_ in seat.table.shown_ids]
        agents = [row for row in rows if isinstance(row, AgentRow)]
        assert agents and all(row.status == "busy" for row in agents)
        assert "3 shown, 3 of 5 busy" in seat.text and "hidden" in seat.text
        assert not any(row.id == "mobile" for row in rows if row is not None), "pools without one are not shown"
        await seat.press("escape")
        assert len(seat.table.shown_ids) == 1 + len(seat.app.feed.tables["pools"])
        await shown(seat, "xray tester")
        assert "5 agents" in seat.text


async def test_siblings_are_sorted_and_stay_in_their_branches() -> None:
    fleet = Fleet()
    async with sit(fleet, (120, 40)) as seat:
        await fleet.busy()
        await shown(seat)
        await opened(seat, "pools coder")
        await seat.press("I")
        names = [seat.screen.rows[id_].name for id_ in seat.table.shown_ids if id_.startswith("agt_")]
        assert names == [f"coder-{number}" for number in range(5, 0, -1)]
        await seat.pilot.click("#table", offset=(seat.text.splitlines()[2].index("state"), 0))
        await seat.until(lambda: seat.table.sorted_by == "state")
        states = [seat.screen.rows[id_].status for id_ in seat.table.shown_ids if id_.startswith("agt_")]
        assert states == ["busy"] * 3 + ["idle"] * 2


async def test_verbs_act_on_the_rows_that_they_are_for() -> None:
    fleet = Fleet()
    async with sit(fleet, (120, 40)) as seat:
        await fleet.busy()
        await shown(seat)
        await opened(seat, "pools coder")
        agent = next(id_ for id_ in seat.table.shown_ids if id_.startswith("agt_"))
        seat.table.point_at("pools coder")
        await seat.press("space")
        seat.table.point_at(agent)
        await seat.press("space", "ctrl+d")
        await seat.agree()
        await seat.until(lambda: fleet.state.agents[agent].status in ("draining", "drained"))
        await seat.press("escape", "x")
        await seat.until(lambda: "not for" in seat.told)
        seat.table.point_at("pools mobile")
        await seat.press("f")
        await seat.agree()
        await seat.until(lambda: fleet.state.pools["mobile"].paused)


def test_ten_thousand_agents_are_a_node_each() -> None:
    agents = {f"agt_{number}": AgentRow(f"agt_{number}", f"p-{number}", f"p{number % 16}", "", "idle", "healthy", *[""] * 3, *[0] * 7, "") for number in range(10_000)}
    order = {f"p{pool}": [id_ for id_, row in agents.items() if row.pool == f"p{pool}"] for pool in range(16)}
    fruit = Fruit(order)
    pick_tasks(fruit, [], agents, has_waiting=True)
    nodes = grow(fruit, lambda _: True)
    assert len(nodes) == 10_017
    assert len({node.id for node in nodes}) == len(nodes)


def test_what_is_not_shown_of_a_queue_is_counted() -> None:
    def task(number: int, state: str, agent: str = "") -> TaskRow:
        return TaskRow(f"tsk_{number}", f"t{number}", "noop", "p", state, 5, agent, 1, number, 0.0, 0.0, float(number), "", 0, "", 0, 0, 0)

    agent = AgentRow("agt_1", "p-1", "p", "", "idle", "healthy", *[""] * 3, *[0] * 7, "")  # type: ignore[arg-type]
    fruit = Fruit({"p": ["agt_1"]}, laden={"p"})
    rows = [*(task(number, "pending") for number in range(50)), *(task(100 + number, "succeeded", "p-1") for number in range(9)), task(200, "running", "p-1")]
    pick_tasks(fruit, rows, {"agt_1": agent}, has_waiting=True)
    assert list(fruit.tasks["agt_1"]) == ["tsk_200", *(f"tsk_{108 - number}" for number in range(ENDED_SHOWN))]
    nodes = grow(fruit, lambda _: True)
    assert (nodes[-1].kind, nodes[-1].number) == ("more", 50 - WAITING_SHOWN)
    assert [node.lead for node in nodes if node.kind == "queue"] == [" `"]
