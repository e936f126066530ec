"""Events that a group of a simulated bus gave up on: what tests of several parts share."""

from __future__ import annotations

from engine.bus.streams import BusMessage
from engine.simulation.world import World


async def give_up(world: World, count: int, *, group: str = "billing", first: int = 1) -> None:
    """Have a group take some events as often as it may, acknowledge none of them, and the engine see it."""
    now = world.clock.now()
    messages = [
        BusMessage("local", number << 20, f"tsk_{number}", "task.succeeded", now - 30, b'{"outcome": {"task": "tsk_%d", "ok": true}, "took_s": 1.5}' % number)
        for number in range(first, first + count)
    ]
    await world.streams.publish(messages, after=first - 1 << 20)
    before, _ = await world.streams.dead_extent()
    async with world.streams.consumer(group, "worker-1") as consumer:
        while (await world.streams.dead_extent())[0] < before + count:
            await consumer.take()
    await world.dead_events.look()
