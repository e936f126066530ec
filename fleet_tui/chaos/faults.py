"""What is broken: each fault strikes for real, says from when on the fleet can recover, and how it is mended afterwards.

Owner: nobody; functions only.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fleet_tui.chaos.chance import CLOCK
from fleet_tui.chaos.processes import EngineProcess, until
from fleet_tui.chaos.world import World

HANG_S = 1.0
"""How long a server hangs: shorter than the lease."""
SLOW_S = 0.02
FULL_S = 1.0

Mend = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Struck:
    """What was done."""

    target: str
    since: float
    """From when on the fleet can recover; seconds of the monotonic clock."""
    mend: Mend


async def _nothing() -> None:
    """There is nothing to mend."""


async def kill_leader(world: World) -> Struck:
    """`kill -9` of the engine that leads."""
    return _killed(world.leader)


async def kill_standby(world: World) -> Struck:
    """`kill -9` of an engine that stands by."""
    return _killed(world.standby)


async def stop_leader(world: World) -> Struck:
    """SIGTERM to the engine that leads: it hands over."""
    leader = world.leader
    leader.signal(signal.SIGTERM)
    since = CLOCK.now()
    await until(lambda: leader.has_ended, f"engine {leader.name} does not end")
    return Struck(leader.name, since, leader.start)


async def freeze_leader(world: World) -> Struck:
    """The engine that leads is frozen until another one leads, and then goes on."""
    leader, epoch, since = world.leader, world.epoch, CLOCK.now()
    leader.signal(signal.SIGSTOP)

    async def thaw() -> None:
        leader.signal(signal.SIGCONT)

    await until(lambda: world.epoch > epoch, "nobody else leads")
    return Struck(leader.name, since, thaw)


async def cut_leader(world: World) -> Struck:
    """The network between the engine that leads and the server drops everything until another one leads."""
    leader, epoch, since = world.leader, world.epoch, CLOCK.now()
    leader.wire.cut()

    async def mend() -> None:
        leader.wire.mend()

    await until(lambda: world.epoch > epoch, "nobody else leads")
    return Struck(leader.name, since, mend)


async def kill_worker(world: World) -> Struck:
    """`kill -9` of a process that carries agents."""
    leader, since = world.leader, CLOCK.now()
    if workers := leader.workers():
        world.chance.pick(workers).kill()
    return Struck(f"a child of {leader.name}", since, _nothing)


async def kill_server(world: World) -> Struck:
    """`kill -9` of the server, and its start."""
    world.server.kill()
    await CLOCK.sleep(world.chance.share())
    await world.server.start()
    return Struck("server", CLOCK.now(), _nothing)


async def hang_server(world: World) -> Struck:
    """The server is frozen for a second."""
    world.server.signal(signal.SIGSTOP)
    await CLOCK.sleep(HANG_S)
    world.server.signal(signal.SIGCONT)
    return Struck("server", CLOCK.now(), _nothing)


async def slow_wires(world: World) -> Struck:
    """Each piece to and from the server takes 20 ms longer."""
    for engine in world.engines:
        engine.wire.delay_s = SLOW_S

    async def mend() -> None:
        for engine in world.engines:
            engine.wire.delay_s = 0.0

    return Struck("all wires", CLOCK.now(), mend)


async def fill_server(world: World) -> Struck:
    """The server's memory is full for a second, and it refuses all that writes."""
    async with world.server.client() as client:
        await client.config_set("maxmemory", 1)
        await CLOCK.sleep(FULL_S)
        await client.config_set("maxmemory", 0)
    return Struck("server", CLOCK.now(), _nothing)


async def flush_functions(world: World) -> Struck:
    """The server forgets all its functions."""
    async with world.server.client() as client:
        await client.function_flush()
    return Struck("server", CLOCK.now(), _nothing)


def _killed(engine: EngineProcess) -> Struck:
    engine.kill()
    return Struck(engine.name, CLOCK.now(), engine.start)


FAULTS: dict[str, Callable[[World], Awaitable[Struck]]] = {
    "leader-killed": kill_leader,
    "standby-killed": kill_standby,
    "leader-stopped": stop_leader,
    "leader-frozen": freeze_leader,
    "leader-cut": cut_leader,
    "worker-killed": kill_worker,
    "server-killed": kill_server,
    "server-hangs": hang_server,
    "server-slow": slow_wires,
    "server-full": fill_server,
    "functions-flushed": flush_functions,
}
