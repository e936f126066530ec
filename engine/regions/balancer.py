"""Which region a task goes to: the one it names, one that may keep what it is about, or the nearest with room; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.model.region_rows import HEALTHY, RegionRow

AS_DEAR_S = 0.1
"""A round trip of so long weighs as much as the cost of a region once more."""


def weight(row: RegionRow) -> float:
    """Return what it weighs to send a task to a region, by its cost and how far it is; the least is best."""
    return row.cost * (1 + (0.0 if row.is_own else row.rtt_s or 0.0) / AS_DEAR_S)


def has_room(row: RegionRow) -> bool:
    """Tell whether a task would begin at once, as far as the region told."""
    return row.free > 0 and not row.waiting


def choose(rows: Mapping[str, RegionRow], own: str, region: str, residency: Sequence[str], *, overflow: bool) -> str:
    """Return the region for a task that names one, or needs tags of one; its own where no other may or can have it.

    With `overflow` a task goes elsewhere also when there is no room here and there is some there.
    """
    if region:
        return region if region in rows else own
    fit = {name: row for name, row in rows.items() if set(residency) <= set(filter(None, row.residency.split(", ")))}
    here = fit.get(own)
    if here is not None and (has_room(here) or not overflow):
        return own
    others = [row for name, row in fit.items() if name != own and row.health == HEALTHY and (here is None or has_room(row))]
    return min(others, key=lambda row: (not has_room(row), weight(row), row.id)).id if others else own
