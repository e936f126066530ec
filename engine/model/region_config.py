"""The sections about regions: which there are and where their servers are.

Durations are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints

from engine.model.config_tree import ConfigTree
from engine.model.redis_config import RedisSection, TlsSection

REGIONS_MAX = 16

RegionName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
Tag = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]


class RegionSection(ConfigTree):
    """A region: a server that the engines there share, and what is known of the place."""

    url: str = Field("", description="redis://user@host:port/db, rediss:// for TLS, or unix:///path; empty for this engine's own region, whose server is in [redis]")
    username: str = Field("", description="ACL user; empty = `default`")
    password: SecretStr = Field(SecretStr(""), description="password; empty = REDIS_PASSWORD. Better there than in a file")
    tls: TlsSection | None = Field(None, description="TLS 1.3; a url that begins with rediss:// means it too")
    location: str = Field("", max_length=40, description="where it is, for people")
    cost: float = Field(1.0, ge=0, le=1_000, description="what work costs there, compared with a region of cost 1")
    residency: tuple[Tag, ...] = Field((), max_length=32, description="what may be kept there, such as eu or gdpr: a task with such a tag goes to no other region")

    votes: int = Field(1, ge=0, le=9, description="how much its server counts where most must agree on who takes over; a server without engines may be a region for its vote")

    def server(self, own: RedisSection) -> RedisSection:
        """Return the section of its server, as patient as the engine is with its own."""
        return RedisSection(
            url=self.url, username=self.username, password=self.password, tls=self.tls, share=True, region=own.region, lease_s=own.lease_s,
            connect_timeout_s=own.connect_timeout_s, command_timeout_s=own.command_timeout_s, keep_alive_s=own.keep_alive_s, mirror=False,
        )  # fmt: skip


class FederationSection(ConfigTree):
    """What regions do for one another; the same in all of them."""

    replicas: bool = Field(default=True, description="keep a replica of every other region, by which this one can take it over; it costs that region's memory once more")
    overflow: bool = Field(default=False, description="a task that names no region goes to another one when there is no room here and there is some there: the nearest and cheapest")
    quorum: Literal["auto", "majority", "none"] = Field(
        "auto", description="majority: a region decides only while servers with most of the votes say that it may; none: its own server is enough; auto = majority with three votes or more"
    )
    fail_over: Literal["automatic", "manual"] = Field(
        "automatic", description="automatic: another region takes over one that is down, where a quorum says so; manual: only `region.fail-over` does. Handing back is always by hand"
    )
    down_after_s: float = Field(3.0, ge=0.5, le=600, description="a region whose engines say nothing for so long may be taken over; it stops by itself before that")


def needs_quorum(section: FederationSection, regions: Mapping[str, RegionSection]) -> bool:
    """Tell whether a region needs most of the votes to decide."""
    if section.quorum == "auto":
        return sum(region.votes for region in regions.values()) > 2  # noqa: PLR2004  # of two, one that is alone has no majority
    return section.quorum == "majority"


def may_keep(regions: Mapping[str, RegionSection], site: str, region: str) -> bool:
    """Tell whether what a region has may be at the server of another one: that has all of its residency tags."""
    return set(regions[region].residency) <= set(regions[site].residency)


def check_regions(regions: Mapping[str, RegionSection], redis: RedisSection | None) -> None:
    """Check that regions go together with the engine's own server. Raises ValueError."""
    if not regions:
        return
    if redis is None or not redis.is_shared:
        raise ValueError("regions: engines of a region share a server; add [redis] with url, share = true and region = the name of this engine's")
    if redis.region not in regions:
        raise ValueError(f"regions: this engine's own region is {redis.region!r} (redis.region), and there is no such table; add [regions.{redis.region}]")
    if len(regions) > REGIONS_MAX:
        raise ValueError(f"regions: there are {len(regions)}; {REGIONS_MAX} are the most")
    if regions[redis.region].url:
        raise ValueError(f"regions.{redis.region}.url: this engine's own server is in [redis]; leave it out here")
    for name, region in regions.items():
        if name == redis.region:
            continue
        if not region.url:
            raise ValueError(f"regions.{name}.url: where is its server? Write redis://host:port")
        try:
            region.server(redis)
        except ValueError as error:
            told = "; ".join(str(one["msg"]).removeprefix("Value error, ") for one in error.errors()) if hasattr(error, "errors") else str(error)
            raise ValueError(f"regions.{name}: {told}") from error
