"""What is broken: each fault strikes for real, says from when on the fleet can recover, and how it is mended afterwards.

Owner: nobody; functions only.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from engine.model.tasks import TaskState
from fleet_tui.chaos.chance import CLOCK
from fleet_tui.chaos.processes import EngineProcess, until, until_found
from fleet_tui.chaos.regional import REGION_FAULTS
from fleet_tui.chaos.servers import Server
from fleet_tui.chaos.setups import Topology
from fleet_tui.chaos.work import HOLD
from fleet_tui.chaos.world import Exposure, Struck, World

HANG_S = 1.0
"""How long a server hangs: shorter than the lease."""
SLOW_S = 0.02
FULL_S = 1.0
HELD_TASKS, HELD_S = 4, 3.0
"""Tasks that hosts are at when one is killed, and how long each takes."""
JUMP_S = 3_600.0


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
    leader, master = world.leader, await world.servers.serving()
    copied_at = await world.copied_at(master)
    epoch, since = world.epoch, CLOCK.now()
    world.network.cut_off([leader.name, master.name])

    async def heal() -> None:
        await CLOCK.sleep(1.0)
        world.network.mend()
        await until(lambda: world.follows(leader), f"engine {leader.name} does not hear of the next leader")
        world.exposures.append(Exposure(leader.name, since, CLOCK.now(), lag_s=since - copied_at))

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


async def kill_host(world: World) -> Struck:
    """`kill -9` of a host that joined, at work: until another one runs what it ran."""
    await world.load.hold(world.leader, HELD_TASKS, HELD_S)
    held: dict[str, dict[str, int]] = {}
    """Hosts to the tasks that they run, with the numbers of their attempts."""

    async def is_at_work() -> bool:
        held.clear()
        at = {row["name"]: row["host"] for row in await world.leader.rows("agents", "pool=hosted")}
        for row in await world.leader.rows("tasks", f"type={HOLD} state={TaskState.RUNNING}"):
            held.setdefault(at.get(row["agent"], ""), {})[row["id"]] = row["attempt"]
        return any(host.name in held for host in world.hosts)

    await until_found(is_at_work, "no host runs anything")
    host = world.chance.pick([host for host in world.hosts if host.name in held])
    host.kill()
    since, attempts = CLOCK.now(), held[host.name]

    async def is_elsewhere() -> bool:
        rows = {row["id"]: row for row in await world.leader.rows("tasks", f"type={HOLD}")}
        return all(id_ in rows and _goes_on(rows[id_], attempt) for id_, attempt in attempts.items())

    await until_found(is_elsewhere, f"what host {host.name} ran does not run again")
    return Struck(host.name, since, host.start, over_at=CLOCK.now())


def _goes_on(row: Mapping[str, Any], attempt: int) -> bool:
    """Answer whether a task is done, by an attempt that was lost a moment later too, or a later attempt runs."""
    return bool(row["state"] == TaskState.SUCCEEDED or (row["state"] == TaskState.RUNNING and row["attempt"] > attempt))


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
    "host-killed": kill_host,
    "server-killed": kill_server,
    "master-killed": kill_master,
    "replica-killed": kill_replica,
    "server-hangs": hang_server,
    "server-slow": slow_wires,
    "server-full": fill_server,
    "functions-flushed": flush_functions,
    **REGION_FAULTS,
}
WITHOUT_REPLICAS = frozenset({"server-killed", "host-killed"})
"""Hosts join by the URL of one server."""
WITH_REPLICAS = frozenset({"master-killed", "replica-killed", "leader-parted"})


def faults_of(topology: Topology) -> list[str]:
    """Return the names of the faults that there are with some servers."""
    there = REGION_FAULTS.keys() if topology is Topology.REGIONS else FAULTS.keys() - REGION_FAULTS.keys() - (WITH_REPLICAS if topology is Topology.SINGLE else WITHOUT_REPLICAS)
    return [name for name in FAULTS if name in there]
