"""`!`, the inbox: what needs somebody, put away until it changes or for a while, jumped to, announced once."""

from __future__ import annotations

from typing import Any

import pytest
from engine.model.pool_commands import PausePool, UnpausePool
from engine.model.task_commands import RetryTask
from fleet_tui.attending import NOTICES, notice_text
from screens.attention import ANNOUNCE_EVERY_S, Attention

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit


async def in_inbox(seat: Seat) -> None:
    await seat.fleet.busy()
    moved(seat, 2)
    await seat.current()
    await seat.press("exclamation_mark")
    await seat.until(lambda: seat.screen.NAME == "inbox" and len(seat.screen.table.shown_ids) == 2)


def moved(seat: Seat, seconds: float) -> None:
    seat.fleet.clock.at += seconds


async def test_it_lists_what_needs_somebody_and_opens_it() -> None:
    async with sit(Fleet()) as seat:
        await in_inbox(seat)
        assert "2 things" in seat.text
        assert "! 2" in seat.text
        assert "pool database" in seat.text
        await seat.press("down", "enter")
        await seat.until(lambda: "check api" in seat.text and seat.screen.NAME != "inbox")


async def test_what_is_acknowledged_comes_back_when_it_changes() -> None:
    fleet = Fleet()
    async with sit(fleet) as seat:
        await in_inbox(seat)
        await seat.press("a")
        await seat.until(lambda: len(seat.screen.table.shown_ids) == 1)
        assert "1 put away" in seat.text
        moved(seat, 2)
        await fleet.submit("index more", "database", "wait")
        await seat.current()
        await seat.until(lambda: len(seat.screen.table.shown_ids) == 2)


async def test_what_is_snoozed_comes_back_in_time_or_by_a_key() -> None:
    fleet = Fleet()
    async with sit(fleet) as seat:
        await in_inbox(seat)
        await seat.press("m")
        await seat.until(lambda: len(seat.screen.table.shown_ids) == 1)
        await seat.press("A")
        await seat.until(lambda: len(seat.screen.table.shown_ids) == 2)
        await seat.press("M")
        await seat.until(lambda: len(seat.screen.table.shown_ids) == 1)
        moved(seat, 8 * 3_600 + 2)
        await fleet.submit("another", "coder")
        await seat.current()
        await seat.until(lambda: len(seat.screen.table.shown_ids) == 2)


async def test_a_key_jumps_to_each_in_turn_from_anywhere() -> None:
    async with sit(Fleet()) as seat:
        await seat.fleet.busy()
        moved(seat, 2)
        await seat.open("plans")
        await seat.until(lambda: seat.app.feed.needs == 2)
        await seat.press("full_stop")
        await seat.until(lambda: seat.screen.NAME == "pools")
        await seat.press("full_stop")
        await seat.until(lambda: "check api" in seat.text and seat.screen.NAME != "pools")
        await seat.press("full_stop")
        await seat.until(lambda: seat.screen.NAME == "pools")


async def test_nothing_to_do_is_said() -> None:
    fleet = Fleet()
    async with sit(fleet) as seat:
        await fleet.ready()
        await seat.current()
        await seat.press("full_stop")
        await seat.until(lambda: "nothing needs you" in seat.text)


async def test_news_is_told_once_and_not_too_often() -> None:
    fleet = Fleet()
    async with sit(fleet) as seat:
        await fleet.busy()
        await seat.current()
        attention = Attention(seat.app.feed, seat.app.glyphs, {})

        def fresh() -> list[str]:
            attention.look(fleet.clock.at)
            return [need.id for need in attention.fresh(fleet.clock.at)]

        assert fresh() == [], "what was there when the console opened is no news"
        await fleet.gate.execute([PausePool("ui")])
        moved(seat, ANNOUNCE_EVERY_S + 1)
        await seat.current()
        assert fresh() == ["paused ui"]
        assert fresh() == []
        await fleet.gate.execute([PausePool("mobile")])
        moved(seat, 2)
        await seat.current()
        assert fresh() == [], "so soon after the last"
        await fleet.gate.execute([UnpausePool("ui")])
        moved(seat, ANNOUNCE_EVERY_S)
        await seat.current()
        assert fresh() == ["paused mobile"]


async def test_what_is_over_leaves_the_inbox() -> None:
    fleet = Fleet()
    async with sit(fleet) as seat:
        await in_inbox(seat)
        failed = next(id_ for id_, task in fleet.state.tasks.items() if task.state == "failed")
        await fleet.gate.execute([UnpausePool("database")])
        await fleet.gate.execute([RetryTask(failed)])
        moved(seat, 2)
        await seat.current()
        await seat.until(lambda: all("database" not in id_ for id_ in seat.screen.table.shown_ids))


@pytest.mark.parametrize(("word", "start"), [("bell", "\a"), ("osc9", "\x1b]9;"), ("osc777", "\x1b]777;notify;fleet-tui;"), ("off", "")])
async def test_the_terminal_is_told_without_what_could_move_it(word: str, start: str) -> None:
    fleet = Fleet()
    async with sit(fleet) as seat:
        await fleet.submit("evil\x1b]0;x\x07 title", "security", "fail")
        moved(seat, 2)
        await seat.current()
        seat.app.attention.look(fleet.clock.at)
        needs: list[Any] = seat.app.attention.open(fleet.clock.at)
        text = notice_text(needs)
        assert text.isprintable()
        assert NOTICES[word](text).startswith(start)
        assert NOTICES[word](text).count("\x07") <= 1


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_pictures(size: tuple[int, int], snap: Snap) -> None:
    async with sit(Fleet(), size) as seat:
        await in_inbox(seat)
        await snap(seat.pilot, "inbox")
