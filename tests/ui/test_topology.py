"""`:topology`: what runs where, drawn; folding, counts where agents do not fit, moving about, words for those who hear it."""

from __future__ import annotations

from typing import Any

import pytest
from engine.model.rows import AgentRow, FleetStatus, HostRow
from screens.line_filter import Terminal
from screens.present_topology import draw, find_carried
from screens.widgets.cells import ASCII, PLAIN, UNICODE, Glyphs, measure
from screens.widgets.graph import Graph, Picture

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit

SIZES = [(80, 24), (120, 40), (200, 60)]


async def shown(seat: Seat) -> Graph:
    await seat.current()
    await seat.open("topology")
    await seat.until(lambda: bool(seat.screen.query_one(Graph).spots))
    return seat.screen.query_one(Graph)


@pytest.mark.row(217)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_looks_as_approved(size: tuple[int, int], snap: Snap) -> None:
    fleet = Fleet()
    async with sit(fleet, size) as seat:
        await fleet.busy()
        await shown(seat)
        await snap(seat.pilot, "fleet")
        await seat.press("right", "right", "down", "right")
        await snap(seat.pilot, "agent")
        await seat.press("space")
        await snap(seat.pilot, "folded")


@pytest.mark.parametrize("glyphs", [ASCII, PLAIN], ids=["ascii", "plain"])
async def test_without_line_drawing_it_reads_all_the_same(glyphs: Glyphs, snap: Snap) -> None:
    fleet = Fleet()
    async with sit(fleet, (80, 24), glyphs=glyphs, terminal=Terminal(is_ascii=True, is_plain=glyphs.is_plain)) as seat:
        await fleet.busy()
        await shown(seat)
        await seat.press("right", "down")
        assert [line for line in seat.text.splitlines() if not line.isascii()] == []
        await snap(seat.pilot, "fleet")


async def test_arrows_follow_the_branches_and_enter_opens_what_is_there() -> None:
    fleet = Fleet()
    async with sit(fleet, (120, 40)) as seat:
        await fleet.busy()
        graph = await shown(seat)
        kinds = []
        for _ in range(4):
            assert graph.pointed is not None
            kinds.append(graph.pointed.kind)
            await seat.press("right")
        assert kinds == ["fleet", "hosts", "pools", "agents"]
        spot = graph.pointed
        assert spot is not None and seat.app.feed.tables["agents"][spot.thing].host == spot.host
        name = seat.app.feed.tables["agents"][spot.thing].name
        await seat.until(lambda: f" {name} · " in seat.text)
        await seat.press("enter")
        await seat.until(lambda: seat.screen.NAME == "agent" and seat.screen.thing == spot.thing)
        await seat.press("escape")
        await seat.until(lambda: seat.screen.NAME == "topology")
        await seat.press("left", "left", "left", "left")
        assert graph.pointed is not None and graph.pointed.kind in ("hosts", "fleet", "pools")
        await seat.press("G")
        for kind, name in (("pools", "pool"), ("hosts", "host")):
            graph.point_at(next(spot for spot in graph.spots if spot.kind == kind))
            await seat.press("enter")
            await seat.until(lambda name=name: name == seat.screen.NAME)
            await seat.press("escape")
            await seat.until(lambda: seat.screen.NAME == "topology")


async def test_a_click_points_and_two_clicks_open() -> None:
    fleet = Fleet()
    async with sit(fleet, (120, 40)) as seat:
        await fleet.busy()
        graph = await shown(seat)
        spot = next(spot for spot in graph.spots if spot.kind == "pools")
        await seat.pilot.click(Graph, offset=(spot.x + 1, spot.line))
        await seat.until(lambda: graph.pointed == spot)
        await seat.pilot.click(Graph, offset=(spot.x + 1, spot.line), times=2)
        await seat.until(lambda: seat.screen.NAME == "pool")


async def test_the_pointer_stays_with_its_thing_and_nothing_new_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet()
    async with sit(fleet, (120, 40)) as seat:
        await fleet.busy()
        graph = await shown(seat)
        await seat.press("right", "down", "right")
        spot = graph.pointed
        assert spot is not None and spot.kind == "pools"
        first = next(one for one in graph.spots if one.kind == "hosts" and one.host != spot.host)
        seat.screen._chosen[first.host] = False
        seat.screen._draw()
        assert graph.pointed is not None and graph.pointed.id == spot.id and graph.pointed.line != spot.line
        await seat.pilot.pause()
        draws: list[object] = []
        monkeypatch.setattr(graph, "refresh", lambda *regions, **_: draws.append(regions))
        seat.screen._draw()
        assert draws == []


async def test_agents_that_are_counts_are_a_table() -> None:
    fleet = Fleet({"fleet": {"default_pools": {"coder": {"min": 60, "max": 60}}}})
    async with sit(fleet, (80, 24)) as seat:
        await fleet.ready()
        graph = await shown(seat)
        await seat.press("right", "right")
        assert graph.pointed is not None and (graph.pointed.kind, graph.pointed.pool) == ("pools", "coder")
        await seat.until(lambda: "30 of 60 agents here" in seat.text)
        await seat.press("right")
        await seat.until(lambda: seat.screen.NAME == "agents" and len(seat.table.shown_ids) == 30)


# ---- drawing, pure


def host(number: int) -> HostRow:
    return HostRow(f"hst_{number}", "python", 100 + number, 0, "healthy", "", 0.5, 120.0, 1.0)


def agent(number: int, pool: str, on: str, status: str = "idle") -> AgentRow:
    values: dict[str, Any] = dict.fromkeys(AgentRow._fields, 0)
    texts = {"id": f"agt_{number}", "name": f"{pool}-{number}", "pool": pool, "status": status, "health": "healthy", "host": on}
    return AgentRow(**{**values, "type": "", "task": "", "task_title": "", "reason": "", **texts})


def picture(status: FleetStatus, hosts: int, agents: int, *, width: int = 120, glyphs: Glyphs = UNICODE, pools: int = 16) -> Picture:
    rows = {row.id: row for row in map(host, range(hosts))}
    found = [agent(number, f"pool{number % pools}", f"hst_{number % hosts}" if hosts else "") for number in range(agents)]
    return draw(find_carried(rows, found, [f"pool{number}" for number in range(pools)]), status, width, glyphs, lambda _: None)


@pytest.fixture
async def status() -> FleetStatus:
    fleet = Fleet()
    async with fleet.world.running():
        await fleet.ready()
        found = await fleet.gate.query("status")
    assert isinstance(found, FleetStatus)
    return found


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize(("hosts", "agents"), [(0, 0), (0, 5), (1, 1), (2, 26), (2, 10_000), (300, 10_000)])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_whatever_there_is_is_drawn_within_the_width(status: FleetStatus, hosts: int, agents: int, width: int, glyphs: Glyphs) -> None:
    drawn = picture(status, hosts, agents, width=width, glyphs=glyphs)
    texts = ["".join(cell.text for cell in line) for line in drawn.lines]
    assert max(map(measure, texts)) <= width, max(texts, key=measure)
    assert len(texts) <= max(4, hosts + 1 if hosts > 10 else hosts * 17 + 5)
    assert len(drawn.spots) <= 1 + max(1, hosts) * 17 + width * 16 * max(1, hosts)
    for spot in drawn.spots:
        assert 0 <= spot.line < len(texts)
        assert texts[spot.line][spot.x : spot.x + spot.width].strip()
    if agents == 10_000 and hosts == 2:
        assert not [spot for spot in drawn.spots if spot.kind == "agents"], "625 agents in a line are counts"
        assert sum("625" in text for text in texts) == 16
    if glyphs is ASCII:
        assert all(text.isascii() for text in texts)


def test_every_line_connects(status: FleetStatus) -> None:
    """Signs that connect downwards stand over signs that connect upwards, and so on in all directions."""
    down, up, right, left = set("│├┤┬┼┌┐"), set("│├┤┴┼└┘"), set("─├┬┴┼┌└"), set("─┤┬┴┼┐┘")
    for hosts, agents in ((1, 1), (1, 2), (1, 26), (2, 26), (3, 4), (40, 80)):
        grid = ["".join(cell.text for cell in line).ljust(200) for line in picture(status, hosts, agents).lines]
        for y, line in enumerate(grid):
            for x, sign in enumerate(line):
                if sign in down:
                    assert grid[y + 1][x] in up, f"{hosts} {agents}: {line}"
                if sign in up:
                    assert grid[y - 1][x] in down, f"{hosts} {agents}: {line}"
                if sign in right and sign not in "─":
                    assert line[x + 1] in left | {" "}
                if sign in left and sign not in "─":
                    assert line[x - 1] in right | {" "}
