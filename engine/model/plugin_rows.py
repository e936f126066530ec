"""What a plug-in adds to the fleet, and its row; part of engine.model.rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

READY, BROKEN, OFF = "ready", "broken", "off"


@dataclass(frozen=True, slots=True)
class Provided:
    """What a plug-in that works adds; every name begins with the plug-in's own, as in `acme.gpu`."""

    version: str = ""
    distribution: str = ""
    """The installed package that it came with, and its version."""
    kinds: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Kind of agents -> what a pool of it is configured as."""
    operations: dict[str, str] = field(default_factory=dict)
    """Type of tasks -> `module:function` that does them."""
    channels: dict[str, str] = field(default_factory=dict)
    """Scheme of a channel's URL -> `module:function` that delivers."""
    metrics: tuple[str, ...] = ()
    embedders: dict[str, str] = field(default_factory=dict)
    """Name -> `module:factory`."""

    def names(self) -> tuple[str, ...]:
        """Return each thing that it adds, with its sort before it."""
        sorts = (("kind", self.kinds), ("operation", self.operations), ("channel", self.channels), ("metric", self.metrics), ("embedder", self.embedders))
        return tuple(f"{sort} {name}" for sort, found in sorts for name in found)


class PluginRow(NamedTuple):
    """A plug-in that is installed, or that the configuration names. Instants in epoch seconds, 0 = never."""

    id: str
    """Its name."""
    state: str
    """ready, broken: the fleet runs without it, or off: it is installed and no table of the configuration names it."""
    version: str
    """As it calls it; its package's when it does not."""
    distribution: str
    """The package that it came with."""
    adds: str
    """Each thing that it adds, such as `kind acme, metric acme.gpu`."""
    error: str
    """Why it is broken."""
    failed_at: float
    failures: int
    """Since the engine began."""
    looked_at: float
    """When its metrics were read last."""
    values: str
    """Its metrics by name and pool, as in `acme.gpu coder 0.5, acme.gpu tester 0.25`."""
