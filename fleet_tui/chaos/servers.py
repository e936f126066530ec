"""Real servers on loopback: one, a master with replicas and Sentinels, a cluster. The chaos run breaks them, and tests use them.

    async with one_server(folder) as server: ...   # server.url, server.kill(), server.start(), server.freeze(), server.resume()
    async with sentinels(folder) as group: ...     # group.section(), group.servers, group.serving()
    async with cluster(folder) as nodes: ...       # nodes.section(), nodes.servers, nodes.serving()

With a network, all that connect to a server do it by a wire of that network.

Owner: each object, of its processes. They die with the process that started them, so a killed run leaves none behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError

from engine.redis.embedded import find_server
from engine.redis.region_keys import RegionKeys
from fleet_tui.chaos.chance import CLOCK
from fleet_tui.chaos.network import Network
from fleet_tui.chaos.processes import WITHIN_S, Broken, Process

LOOK_S = 0.02
ANSWER_WITHIN_S = 2.0
SENTINEL_NAME = "fleet-redis"
SENTINELS = 3
MASTERS = 3
SLOTS = 16_384
KEPT = ("--appendonly", "yes", "--maxmemory-policy", "noeviction")
"""Settings of a server that has what it was given also when it is started again."""


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens at now."""
    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(count):
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            found.append(listener.getsockname()[1])
        return found


async def wait_until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait for a condition of servers; their errors count as `not yet`. Raises Broken."""
    try:
        async with asyncio.timeout(WITHIN_S):
            while True:
                with contextlib.suppress(RedisError, OSError):
                    if await condition():
                        return
                await CLOCK.sleep(LOOK_S)
    except TimeoutError:
        raise Broken(f"it does not come that {what}: not within {WITHIN_S:g} s") from None


class Server(Process):
    """A server at a port of this machine."""

    def __init__(self, folder: Path, port: int, *settings: str) -> None:
        super().__init__(folder)
        self.port, self.door = port, port
        """Where it listens, and where others reach it."""
        self._settings = settings

    @property
    def url(self) -> str:
        """Return its address."""
        return f"redis://127.0.0.1:{self.door}"

    async def start(self) -> None:
        """Start it, or start it again, and wait until it answers. Raises EngineStartError without a program, Broken."""
        self.run(str(find_server()), *self.words())
        await wait_until(self._answers, f"{self.name} answers")

    def words(self) -> list[str]:
        """Return the arguments of the program."""
        words = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", "", "--repl-diskless-sync-delay", "0"]
        return [*words, "--replica-announce-ip", "127.0.0.1", "--replica-announce-port", str(self.door), *self._settings]

    async def _answers(self) -> bool:
        if self.has_ended:
            raise Broken(f"{self.name} ended: {self.last_words()}")
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(b"PING\r\n")
            return (await reader.readline()).startswith((b"+PONG", b"-NOAUTH"))
        finally:
            writer.close()

    def freeze(self) -> None:
        """Have it hang: it keeps its connections and answers nothing."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.signal(signal.SIGCONT)

    @contextlib.asynccontextmanager
    async def client(self, **options: Any) -> AsyncIterator[Redis]:  # noqa: ANN401  # the client's own options
        """Give a plain client, as another program would use, that connects past all wires."""
        client = Redis(host="127.0.0.1", port=self.port, decode_responses=True, **options)
        try:
            yield client
        finally:
            await client.aclose()

    async def ask(self, *words: str | int) -> Any:  # noqa: ANN401  # as the server answers
        """Run one command, past all wires. Raises RedisError."""
        async with self.client(socket_timeout=ANSWER_WITHIN_S) as client:
            return await client.execute_command(*words)  # type: ignore[no-untyped-call]

    async def replication(self) -> dict[str, Any]:
        """Return what it says of its replicas, or its master. Raises RedisError, OSError."""
        async with self.client() as client:
            found: dict[str, Any] = await client.info("replication")
        return found

    async def replicas_online(self) -> int:
        """Return how many replicas have all of it, -1 for a replica: before that none of them can take over."""
        found = await self.replication()
        return sum(found[key]["state"] == "online" for key in found if key.startswith("slave") and isinstance(found[key], dict)) if found["role"] == "master" else -1


class Servers(Protocol):
    """What engines share."""

    servers: Sequence[Server]
    """Those that keep data."""

    def section(self) -> dict[str, object]:
        """Return what the section `redis` says of it."""
        ...

    async def serving(self) -> Server:
        """Return the server that has a fleet's keys now. Raises Broken."""
        ...

    async def is_whole(self) -> bool:
        """Answer whether all of it runs, and what may take over can. Raises RedisError, OSError."""
        ...


class Single:
    """One server."""

    def __init__(self, server: Server) -> None:
        self.servers: Sequence[Server] = (server,)

    def section(self) -> dict[str, object]:
        """Return what the section `redis` says of it."""
        return {"url": self.servers[0].url}

    async def serving(self) -> Server:
        """Return the server."""
        return self.servers[0]

    async def is_whole(self) -> bool:
        """Answer whether it runs."""
        return not self.servers[0].has_ended


@contextlib.asynccontextmanager
async def one_server(folder: Path, *settings: str, network: Network | None = None) -> AsyncIterator[Server]:
    """Run a server of its own."""
    server = Server(folder / "redis", free_ports(1)[0], *settings)
    await wired(network, [server])
    async with running([server]):
        yield server


class SentinelServer(Server):
    """A Sentinel; it keeps its configuration in a file that it rewrites."""

    def __init__(self, folder: Path, port: int, master: Server, *, down_after_ms: int) -> None:
        super().__init__(folder, port)
        self._file = folder / "sentinel.conf"
        self._master, self._down_after_ms = master, down_after_ms

    def words(self) -> list[str]:
        """Return the arguments of the program; at its first start also write its file."""
        if not self._file.exists():
            lines = (
                f"port {self.port}", "bind 127.0.0.1", f"dir {self.folder}", "sentinel announce-ip 127.0.0.1", f"sentinel announce-port {self.door}",
                f"sentinel monitor {SENTINEL_NAME} 127.0.0.1 {self._master.door} 2", f"sentinel down-after-milliseconds {SENTINEL_NAME} {self._down_after_ms}",
                f"sentinel failover-timeout {SENTINEL_NAME} 3000",
            )  # fmt: skip
            self._file.write_text("\n".join(lines) + "\n")
        return [str(self._file), "--sentinel"]


class Sentinels:
    """A master, its replicas and the Sentinels."""

    def __init__(self, servers: Sequence[Server], watchers: Sequence[Server]) -> None:
        self.servers, self.watchers = servers, watchers
        self.master = servers[0]
        """Of the start."""

    def section(self, **more: object) -> dict[str, object]:
        """Return what the section `redis` says of it."""
        return {"sentinel": {"sentinels": [f"127.0.0.1:{one.door}" for one in self.watchers], "name": SENTINEL_NAME}, **more}

    async def master_now(self) -> int:
        """Return the port by which the master is reached, as the first Sentinel says."""
        return int((await self.watchers[0].ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SENTINEL_NAME))[1])

    async def serving(self) -> Server:
        """Return the master."""
        door = await self.master_now()
        return next(server for server in self.servers if server.door == door)

    async def is_whole(self) -> bool:
        """Answer whether the Sentinels know each other and a master that all the others follow."""
        replicas, doors = len(self.servers) - 1, set()
        for watcher in self.watchers:
            known = await watcher.ask("SENTINEL", "MASTER", SENTINEL_NAME)
            state = known if isinstance(known, dict) else dict(zip(known[::2], known[1::2], strict=True))
            if int(state["num-other-sentinels"]) < len(self.watchers) - 1 or int(state["num-slaves"]) < replicas or state["flags"] != "master":
                return False
            doors.add(int(state["port"]))
        return len(doors) == 1 and await (await self.serving()).replicas_online() == replicas


@contextlib.asynccontextmanager
async def sentinels(folder: Path, *settings: str, replicas: int = 1, down_after_ms: int = 500, network: Network | None = None) -> AsyncIterator[Sentinels]:
    """Run a master with replicas and three Sentinels, and wait until they know each other."""
    ports = free_ports(1 + replicas + SENTINELS)
    master = Server(folder / "master", ports[0], *settings)
    await wired(network, [master])
    followers = [Server(folder / f"replica-{place + 1}", port, *settings, "--replicaof", "127.0.0.1", str(master.door)) for place, port in enumerate(ports[1 : 1 + replicas])]
    watchers = [SentinelServer(folder / f"sentinel-{place + 1}", port, master, down_after_ms=down_after_ms) for place, port in enumerate(ports[1 + replicas :])]
    await wired(network, [*followers, *watchers])
    async with running([master, *followers]) as servers, running(watchers):
        group = Sentinels(servers, watchers)
        await wait_until(group.is_whole, "the Sentinels know each other and the replicas")
        yield group


class Cluster:
    """The nodes of a cluster: at the start the first three are masters, the others their replicas."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self.servers = servers
        self._replicas = len(servers) // MASTERS - 1

    def section(self, **more: object) -> dict[str, object]:
        """Return what the section `redis` says of it."""
        return {"cluster": {"nodes": [f"127.0.0.1:{one.door}" for one in self.servers[:MASTERS]]}, **more}

    async def serving(self) -> Server:
        """Return the master that has the keys of the region `local`. Raises Broken."""
        for server in self.servers:
            with contextlib.suppress(RedisError, OSError):
                slot, ranges = await server.ask("CLUSTER KEYSLOT", RegionKeys("local").journal), await server.ask("CLUSTER SLOTS")
                doors = [int(master[1]) for first, last, master, *_ in ranges if first <= slot <= last]
                return next(one for one in self.servers if one.door in doors)
        raise Broken("no node of the cluster answers")

    async def is_whole(self) -> bool:
        """Answer whether every node serves all slots, and every master has its replicas."""
        masters = 0
        for server in self.servers:
            state = str(await server.ask("CLUSTER", "INFO"))
            online = await server.replicas_online()
            if "cluster_state:ok" not in state or f"cluster_known_nodes:{len(self.servers)}" not in state or online not in (-1, self._replicas):
                return False
            masters += online >= 0
        return masters == MASTERS


@contextlib.asynccontextmanager
async def cluster(folder: Path, *settings: str, replicas: int = 0, timeout_ms: int = 1_000, network: Network | None = None) -> AsyncIterator[Cluster]:
    """Run three masters, each with so many replicas, and wait until every node serves all slots."""
    count = MASTERS * (1 + replicas)
    ports = free_ports(2 * count)
    nodes = [ClusterNode(folder / f"node-{place + 1}", ports[place], ports[count + place], *settings, timeout_ms=timeout_ms) for place in range(count)]
    await wired(network, nodes)
    async with running(nodes):
        for node in nodes[1:]:
            await nodes[0].ask("CLUSTER", "MEET", "127.0.0.1", node.door, node.bus_door)
        for place, node in enumerate(nodes[:MASTERS]):
            await node.ask("CLUSTER", "ADDSLOTSRANGE", SLOTS * place // MASTERS, SLOTS * (place + 1) // MASTERS - 1)
        for place, node in enumerate(nodes[MASTERS:]):
            await _replicate(node, nodes[place % MASTERS])
        found = Cluster(nodes)
        await wait_until(found.is_whole, "every node serves all slots")
        yield found


class ClusterNode(Server):
    """A node of a cluster."""

    def __init__(self, folder: Path, port: int, bus_port: int, *settings: str, timeout_ms: int) -> None:
        super().__init__(folder, port, *settings)
        self.bus_port, self.bus_door, self._timeout_ms = bus_port, bus_port, timeout_ms
        """Where it listens to other nodes, and where they reach it."""

    def words(self) -> list[str]:
        """Return the arguments of the program."""
        own = {
            "enabled": "yes", "port": self.bus_port, "node-timeout": self._timeout_ms, "announce-ip": "127.0.0.1", "announce-port": self.door,
            "announce-bus-port": self.bus_door,
        }  # fmt: skip
        return [*super().words(), *(word for name, value in own.items() for word in (f"--cluster-{name}", str(value)))]


async def _replicate(server: Server, master: Server) -> None:
    name = await master.ask("CLUSTER", "MYID")

    async def follows() -> bool:
        return bool(await server.ask("CLUSTER", "REPLICATE", name))

    await wait_until(follows, "the replica knows its master")


async def wired(network: Network | None, servers: Sequence[Server]) -> None:
    """Have servers be reached by a network, if there is one."""
    for server in servers if network else ():
        assert network is not None
        server.door = await network.wire(server.port, server)
        if isinstance(server, ClusterNode):
            server.bus_door = await network.wire(server.bus_port, server)


@contextlib.asynccontextmanager
async def running(servers: Sequence[Server]) -> AsyncIterator[Sequence[Server]]:
    """Start servers, and kill them in the end."""
    try:
        for server in servers:
            await server.start()
        yield servers
    finally:
        for server in servers:
            server.kill()
