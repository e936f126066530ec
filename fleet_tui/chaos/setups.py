"""What fleets there are to be broken."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Topology(StrEnum):
    """What servers there are."""

    SINGLE = "single"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"
    REGIONS = "regions"


@dataclass(frozen=True, slots=True)
class Setup:
    """What fleet is to be broken."""

    topology: Topology = Topology.SINGLE
    durability: str = "async"
    has_hosts: bool = False
    """Hosts join it, which they do by the URL of one server."""
