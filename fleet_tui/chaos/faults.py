"""What is broken: each fault strikes for real, says from when on the fleet can recover, and how it is mended afterwards.

Owner: nobody; functions only.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from fleet_tui.chaos.chance import CLOCK
from fleet_tui.chaos.processes import EngineProcess, until
from fleet_tui.chaos.servers import Server
from fleet_tui.chaos.setups import Topology
from fleet_tui.chaos.world import Exposure, World

HANG_S = 1.0
"""How long a server hangs: shorter than the lease."""
SLOW_S = 0.02
FULL_S = 1.0
JUMP_S = 3_600.0
LAG_S = 0.5
"""How far a replica may be behind when the network is cut: what was answered so shortly before may be with the master only."""

Mend = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Struck:
    """What was done."""

    target: str
    since: float
    """From when on the fleet can recover; seconds of the monotonic clock."""
    mend: Mend
    by: Collection[str] = ()
    """Engines by whose answers it is seen that the fleet has recovered; none = any."""


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
    """The network between the engine that leads and all servers drops everything until another one leads."""
    leader, epoch, since = world.leader, world.epoch, CLOCK.now()
    world.network.cut_off([leader.name])
    await until(lambda: world.epoch > epoch, "nobody else leads")
    return Struck(leader.name, since, world.mend_network)


async def part_leader(world: World) -> Struck:
    """The engine that leads is cut off together with the master: both go on alone until another one leads, and then for a second."""
    leader, master, epoch, since = world.leader, await world.servers.serving(), world.epoch, CLOCK.now()
    world.network.cut_off([leader.name, master.name])

    async def heal() -> None:
        await CLOCK.sleep(1.0)
        world.network.mend()
        await until(lambda: world.follows(leader), f"engine {leader.name} does not hear of the next leader")
        world.exposures.append(Exposure(leader.name, since, CLOCK.now(), lag_s=LAG_S))

    await until(lambda: world.epoch > epoch, "nobody else leads")
    return Struck(f"{leader.name}, {master.name}", since, heal, [engine.name for engine in world.engines if engine is not leader])


async def jump_clock(world: World) -> Struck:
    """The clock of a standby jumps by an hour either way; then it starts anew, and takes over from the leader. It keeps that clock."""
    leader, skewed = world.leader, world.standby
    skewed.clock.jump(world.chance.pick((JUMP_S, -JUMP_S)))
    skewed.kill()
    await skewed.start()
    await world.healthy()
    others = [engine for engine in world.engines if engine not in (leader, skewed)]
    for other in others:
        other.kill()
    leader.signal(signal.SIGTERM)
    since = CLOCK.now()
    await until(lambda: leader.has_ended and world.leader is skewed, f"engine {skewed.name} does not take over")

    async def mend() -> None:
        for ended in (leader, *others):
            await ended.start()

    return Struck(f"{skewed.name} {skewed.clock.ahead_s / 60:+.0f} min", since, mend)


async def kill_worker(world: World) -> Struck:
    """`kill -9` of a process that carries agents."""
    since = CLOCK.now()
    return Struck(f"a child of {world.kill_worker()}", since, _nothing)


async def kill_server(world: World) -> Struck:
    """`kill -9` of the server, and its start."""
    server = await world.servers.serving()
    server.kill()
    await CLOCK.sleep(world.chance.share())
    await server.start()
    return Struck(server.name, CLOCK.now(), _nothing)


async def kill_master(world: World) -> Struck:
    """`kill -9` of the server that has the fleet's keys: a replica takes over."""
    return _killed_server(await world.servers.serving())


async def kill_replica(world: World) -> Struck:
    """`kill -9` of a server that follows the master."""
    master = await world.servers.serving()
    return _killed_server(world.chance.pick([server for server in world.servers.servers if server is not master]))


async def hang_server(world: World) -> Struck:
    """The server is frozen for a second."""
    server = await world.servers.serving()
    server.freeze()
    await CLOCK.sleep(HANG_S)
    server.resume()
    return Struck(server.name, CLOCK.now(), _nothing)


async def slow_wires(world: World) -> Struck:
    """Each piece between engines and servers takes 20 ms longer."""
    names = [engine.name for engine in world.engines]
    world.network.slow(names, SLOW_S)

    async def mend() -> None:
        world.network.slow((), 0.0)

    return Struck("all wires", CLOCK.now(), mend)


async def fill_server(world: World) -> Struck:
    """The server's memory is full for a second, and it refuses all that writes."""
    server = await world.servers.serving()
    async with server.client() as client:
        await client.config_set("maxmemory", 1)
        await CLOCK.sleep(FULL_S)
        await client.config_set("maxmemory", 0)
    return Struck(server.name, CLOCK.now(), _nothing)


async def flush_functions(world: World) -> Struck:
    """The server forgets all its functions."""
    server = await world.servers.serving()
    async with server.client() as client:
        await client.function_flush()
    return Struck(server.name, CLOCK.now(), _nothing)


def _killed(engine: EngineProcess) -> Struck:
    engine.kill()
    return Struck(engine.name, CLOCK.now(), engine.start)


def _killed_server(server: Server) -> Struck:
    server.kill()
    return Struck(server.name, CLOCK.now(), server.start)


FAULTS: dict[str, Callable[[World], Awaitable[Struck]]] = {
    "leader-killed": kill_leader,
    "standby-killed": kill_standby,
    "leader-stopped": stop_leader,
    "leader-frozen": freeze_leader,
    "leader-cut": cut_leader,
    "leader-parted": part_leader,
    "clock-jumped": jump_clock,
    "worker-killed": kill_worker,
    "server-killed": kill_server,
    "master-killed": kill_master,
    "replica-killed": kill_replica,
    "server-hangs": hang_server,
    "server-slow": slow_wires,
    "server-full": fill_server,
    "functions-flushed": flush_functions,
}
WITHOUT_REPLICAS = frozenset({"server-killed"})
WITH_REPLICAS = frozenset({"master-killed", "replica-killed", "leader-parted"})


def faults_of(topology: Topology) -> list[str]:
    """Return the names of the faults that there are with some servers."""
    left_out = WITH_REPLICAS if topology is Topology.SINGLE else WITHOUT_REPLICAS
    return [name for name in FAULTS if name not in left_out]
