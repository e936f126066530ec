"""The way of hosts to an engine that is alone: in pieces, for this life of the engine only, told again until it is taken, and bounded."""

from __future__ import annotations

import pytest
from engine.agents.joined import door as door_module
from engine.agents.joined.door import Door, Piece, pieces_of
from engine.model.errors import CommandRefused, Denied, RedisAway, UsageError
from engine.model.plans import Origin
from engine.simulation.loop import VirtualClock, run_virtual
from engine.simulation.world import World, instant_success

LONG = bytes(range(256)) * 4


def test_what_a_host_tells_arrives_whole_and_for_this_engine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "PIECE_BYTES", 100)

    async def story() -> None:
        door = Door("eng_1", VirtualClock())
        for message, epoch in ((LONG, door.by.epoch), (b"for another", door.by.epoch - 1), (b"", 0), (b"short", door.by.epoch)):
            for at, data, more in pieces_of(message):
                assert door.tell("run", Piece(epoch, at, data, more)) == door.by
        assert await door.read() == [LONG, b"short"]
        door.tell("run", Piece(door.by.epoch, 0, b"half", more=True))
        for at in (3, 5, -1):
            with pytest.raises(UsageError, match="in a row"):
                door.tell("run", Piece(door.by.epoch, at, b"rest", more=False))
        door.tell("run", Piece(door.by.epoch, 0, b"anew", more=False))
        assert await door.read() == [b"anew"]

    run_virtual(story())


def test_a_host_is_told_again_until_it_has_it_and_no_more_than_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "PIECE_BYTES", 100)
    monkeypatch.setattr(door_module, "HEARD_MAX_BYTES", 250)
    monkeypatch.setattr(door_module, "BOX_MAX", 5)

    async def story() -> None:
        door = Door("eng_1", VirtualClock())
        epoch = door.by.epoch
        assert (await door.hear("run", epoch, 0)).pieces == [], "after HEAR_S"
        await door.send("lab", "run", LONG)
        lost = await door.hear("run", epoch, 0)
        assert lost == await door.hear("run", epoch, 0), "an answer that was lost comes again"
        heard, last = b"", 0
        while len(heard) < len(LONG):
            found = await door.hear("run", epoch, last)
            heard, last = heard + b"".join(data for data, _ in found.pieces), found.last
        assert heard == LONG
        assert [more for _, more in found.pieces][-1] is False
        assert (await door.hear("run", epoch, last)).pieces == []
        await door.send("lab", "run", b"x")
        assert (await door.hear("run", epoch - 1, 99)).pieces == [(b"x", False)], "it counted in a former engine's numbers"
        for _ in range(4):
            await door.send("lab", "run", b"y")
        with pytest.raises(RedisAway, match="host lab does not take"):
            await door.send("lab", "run", b"z")
        assert (await door.hear("another life", epoch, 0)).pieces == []

    run_virtual(story())


def test_only_an_admin_has_hosts_join_and_by_redis_where_it_is_shared() -> None:
    async def story() -> None:
        world = World({}, 0, hosts=1, work=instant_success)
        async with world.running():
            with pytest.raises(Denied, match="join as an admin who may change things, and ada is not"):
                world.gate(Origin("ada", "api", "", 1)).door()
            with pytest.raises(CommandRefused, match="--join redis://"):
                world.gate().door()

    run_virtual(story())
