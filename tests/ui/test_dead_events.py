"""`:dead-events`: what the groups of the bus gave up, told again and removed by keys."""

from __future__ import annotations

from tests.given_up import give_up
from tests.ui.fleet import Fleet, sit


async def test_what_was_given_up_is_listed_told_again_and_removed_by_keys() -> None:
    fleet = Fleet()
    async with sit(fleet) as seat:
        await fleet.ready()
        await seat.open("dead-events")
        assert "no group of the bus gave an event up" in seat.text
        await give_up(fleet.world, 3)
        fleet.clock.at += 90
        await seat.current()
        assert all(task in seat.text for task in ("tsk_1", "tsk_2", "tsk_3"))
        await seat.press("d")
        text = await seat.read()
        assert "5 times, last to worker-1" in text
        assert '"took_s": 1.5' in text
        await seat.press("escape", "space", "j", "space", "r")
        await seat.agree()
        await seat.until(lambda: "1 dead event" in seat.text)
        assert "tsk_3" in seat.text
        await seat.press("x")  # what was under the cursor is gone: a second time, for another one
        await seat.press("x")
        await seat.agree("yes")
        await seat.until(lambda: not fleet.world.dead_events.rows())
