"""Which server is meant: what the configuration and the seeds' variables say, put together; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from engine.model.errors import ConfigError
from engine.model.redis_config import EMBEDDED, REDIS_PORT, RedisSection, TlsSection

HOST_VARIABLE, PORT_VARIABLE, DB_VARIABLE, PASSWORD_VARIABLE = "REDIS_HOST", "REDIS_PORT", "REDIS_DB", "REDIS_PASSWORD"  # noqa: S105  # names


class Mode(StrEnum):
    """How a server is found."""

    EMBEDDED = "embedded"
    STANDALONE = "standalone"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class Login:
    """Who the engine is to a server."""

    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Target:
    """A server and how to reach it."""

    mode: Mode
    nodes: tuple[tuple[str, int], ...] = ()
    """Hosts and ports: of the server, of the Sentinels, or of some nodes of the cluster."""
    socket: Path | None = None
    db: int = 0
    login: Login = Login()
    tls: TlsSection | None = None
    master: str = ""
    """What Sentinels call it."""
    sentinel_login: Login = Login()

    def __str__(self) -> str:
        """Return it in words, without secrets."""
        places = ", ".join(f"{host}:{port}" for host, port in self.nodes)
        ending = f", database {self.db}" if self.db else ""
        ending += ", TLS" if self.tls else ""
        if self.socket is not None:
            return f"{'the private server' if self.mode is Mode.EMBEDDED else 'the server'} at {self.socket}{ending}"
        if self.mode is Mode.SENTINEL:
            return f"{self.master} by the Sentinels {places}{ending}"
        return f"the cluster with {places}{ending}" if self.mode is Mode.CLUSTER else f"{places}{ending}"


def target_of(section: RedisSection, environment: Mapping[str, str], socket: Path | None = None) -> Target:
    """Return the server that a section means; variables fill what it leaves out, `socket` is the private server's. Raises ConfigError."""
    if section.url == EMBEDDED:
        assert socket is not None, "an embedded server has a socket"
        return Target(Mode.EMBEDDED, socket=socket, db=_db(section, environment))
    url = urlsplit(section.url)
    login = _login(section, url, environment)
    if url.scheme == "unix":
        return Target(Mode.STANDALONE, socket=Path(unquote(url.path)), db=_db(section, environment), login=login)
    tls = section.tls or (TlsSection.model_validate({}) if url.scheme == "rediss" else None)
    if section.sentinel is not None:
        nodes = tuple((node.host, node.port) for node in section.sentinel.sentinels)
        theirs = Login(section.sentinel.username, section.sentinel.password.get_secret_value())
        return Target(Mode.SENTINEL, nodes, None, _db(section, environment), login, tls, section.sentinel.name, theirs)
    nodes = ((_host(section, url, environment), _port(section, url, environment)),)
    if section.cluster is None:
        return Target(Mode.STANDALONE, nodes, None, _db(section, environment), login, tls)
    if _db(section, environment):
        raise ConfigError(f"{DB_VARIABLE} is {environment.get(DB_VARIABLE)}, and a Redis Cluster has only database 0: unset the variable")
    named = tuple((node.host, node.port) for node in section.cluster.nodes)
    return Target(Mode.CLUSTER, named or nodes, None, 0, login, tls)


def _host(section: RedisSection, url: SplitResult, environment: Mapping[str, str]) -> str:
    return url.hostname or section.host or environment.get(HOST_VARIABLE) or "localhost"


def _port(section: RedisSection, url: SplitResult, environment: Mapping[str, str]) -> int:
    try:
        written = url.port or section.port
    except ValueError as error:
        raise ConfigError("redis.url: the port is no number from 1 to 65535") from error
    if written or url.hostname:
        return written or REDIS_PORT
    return _number(PORT_VARIABLE, environment, REDIS_PORT, 65_535)


def _db(section: RedisSection, environment: Mapping[str, str]) -> int:
    if section.db is not None:
        return section.db
    return section.number_in_url() or (0 if section.url else _number(DB_VARIABLE, environment, 0, 1 << 20))


def _login(section: RedisSection, url: SplitResult, environment: Mapping[str, str]) -> Login:
    password = unquote(url.password or "") or section.password.get_secret_value() or environment.get(PASSWORD_VARIABLE, "")
    return Login(unquote(url.username or "") or section.username, password)


def _number(name: str, environment: Mapping[str, str], usual: int, most: int) -> int:
    text = environment.get(name, "").strip()
    if not text:
        return usual
    if not text.isdigit() or int(text) > most:
        raise ConfigError(f"the variable {name} is {text!r}: write a number up to {most}, or unset it")
    return int(text)
