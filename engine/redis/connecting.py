"""Make the client of a server: one place for its options, so that no connection waits for ever or repeats what must not be."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

from engine.model.redis_config import RedisSection, TlsSection
from engine.redis.targets import Login, Mode, Target

Client = Redis | RedisCluster

CLIENT_NAME = "fleet-tui"
"""What CLIENT LIST calls an engine's connections."""
CONNECTIONS_MAX = 64
NODE_SHARE = 0.8
"""Of the longest wait for an answer: so long the client of a cluster waits for a node. It has to see by itself that a node is silent, and
to ask another one which is the master now: a call that is cancelled tells it nothing."""
PROBES = 3
"""Unanswered probes of a silent connection after which it is dead."""


class _Sentinels(Sentinel):
    """Asked by one connection after the other: the client (redis-py 8.1) puts the Sentinel that knew first, and two that do so at once lose
    another one for good, with its connections left open."""

    def __init__(self, nodes: list[tuple[str, int]], **options: Any) -> None:  # noqa: ANN401  # the client's own options
        super().__init__(nodes, **options)  # type: ignore[no-untyped-call]
        self._turn = asyncio.Lock()

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        async with self._turn:
            found: tuple[str, int] = await super().discover_master(service_name)
            return found


def make_client(target: Target, section: RedisSection) -> Client:
    """Return a client that has not connected yet. Raises OSError, ssl.SSLError for certificates that cannot be read."""
    options = _options(target, section)
    if target.mode is Mode.CLUSTER:
        nodes = [ClusterNode(host, port) for host, port in target.nodes]
        cluster = RedisCluster(startup_nodes=nodes, **{**options, "socket_timeout": NODE_SHARE * section.command_timeout_s})
        cluster.RedisClusterRequestTTL = section.cluster.max_redirections if section.cluster else 16
        return cluster
    if target.mode is Mode.SENTINEL:
        theirs = {**options, **_login(target.sentinel_login), "socket_timeout": section.command_timeout_s}
        sentinel = _Sentinels(list(target.nodes), sentinel_kwargs=theirs, **options, db=target.db)
        master: Redis = sentinel.master_for(target.master)
        return master
    if target.socket is not None:
        return Redis(unix_socket_path=str(target.socket), db=target.db, **options)
    host, port = target.nodes[0]
    return Redis(host=host, port=port, db=target.db, **options)


async def close_client(client: Client) -> None:
    """Close its connections, also those to the Sentinels that it asked for the master."""
    await client.aclose()
    pool = getattr(client, "connection_pool", None)
    if (sentinels := getattr(pool, "sentinel_manager", None)) is not None:
        await sentinels.aclose()


def _options(target: Target, section: RedisSection) -> dict[str, Any]:
    """Return what holds for every connection.

    The client's own retries are off: it would repeat commands that must not run twice. The link repeats those that may.
    """
    return {
        **_login(target.login),
        **(_tls(target.tls) if target.tls else {}),
        **({} if target.socket else _keep_alive(section.keep_alive_s)),
        "socket_timeout": section.command_timeout_s,
        "socket_connect_timeout": section.connect_timeout_s,
        "max_connections": CONNECTIONS_MAX,
        "retry": Retry(NoBackoff(), 0),
        "client_name": CLIENT_NAME,
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }


def _login(login: Login) -> dict[str, Any]:
    return {"username": login.username or None, "password": login.password or None}


def _keep_alive(after_s: float) -> dict[str, Any]:
    """Return the options that find a peer that is gone without a word."""
    each_s = max(1, int(after_s / PROBES))
    wanted = (("TCP_KEEPIDLE", int(after_s)), ("TCP_KEEPINTVL", each_s), ("TCP_KEEPCNT", PROBES))
    return {"socket_keepalive": True, "socket_keepalive_options": {getattr(socket, name): value for name, value in wanted if hasattr(socket, name)}}


def _tls(tls: TlsSection) -> dict[str, Any]:
    paths = {"ssl_ca_certs": tls.ca_file, "ssl_certfile": tls.cert_file, "ssl_keyfile": tls.key_file}
    found = {name: str(path) for name, path in paths.items() if path is not None}
    return {"ssl": True, "ssl_min_version": ssl.TLSVersion.TLSv1_3, **found}
