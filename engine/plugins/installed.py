"""Which plug-ins are installed: read from the packages' metadata, nothing of theirs is imported."""

from __future__ import annotations

from importlib import metadata

GROUP = "fleet_tui"
"""Of entry points; the same word marks hooks."""


def installed() -> dict[str, str]:
    """Return the plug-ins that are installed, by name, with the package and the version that each came with."""
    return {point.name: package_of(point) for point in metadata.entry_points(group=GROUP)}


def package_of(point: metadata.EntryPoint) -> str:
    """Return the package of an entry point with its version."""
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else ""
