"""Why a region is as it is: how it is, where it lives and by which epoch, and what its replica here lacks; pure."""

from __future__ import annotations

from engine.gate.region_plans import Regions
from engine.model.errors import NotFound
from engine.model.explanations import Evidence, Explanation
from engine.model.region_rows import DOWN, HEALTHY, RegionRow
from engine.model.wire import nearest

LAGS_S = 5.0
"""A replica that lacks something for longer is worth a warning."""


def explain_region(regions: Regions | None, name: str, now: float) -> Explanation:
    """Return why a region is as it is. Raises NotFound."""
    rows = regions.rows() if regions is not None else {}
    row = rows.get(name)
    if row is None:
        raise NotFound(f"no region {name!r}{nearest(name, set(rows))}; `get regions` lists them")
    headline, level = _headline(row)
    return Explanation("regions", name, name, headline, level, now, (*_health(row), *_home(row), *_replica(row), *_load(row)))


def _headline(row: RegionRow) -> tuple[str, str]:
    if row.home not in ("", row.id):
        return f"it lives at {row.home} since its epoch {row.epoch}, and at its own server again after `fail-back {row.id}` there", "warn"
    if row.health != HEALTHY:
        return f"it is {row.health}: {row.reason}", "error" if row.health == DOWN else "warn"
    return "it is healthy and lives at its own server", "info"


def _health(row: RegionRow) -> list[Evidence]:
    lines = [Evidence(f"its health is {row.health}" + f": {row.reason}" * bool(row.reason), "info" if row.health == HEALTHY else "warn", row.heard_at)]
    if row.rtt_s is not None:
        lines.append(Evidence(f"its server answered {row.probes} probes, the median in {1_000 * row.rtt_s:.2f} ms", at=row.measured_at))
    return lines


def _home(row: RegionRow) -> list[Evidence]:
    if not row.epoch:
        return [Evidence("no server has said yet where it lives", "warn")]
    return [Evidence(f"by its epoch {row.epoch} it lives at the server of {row.home}", "info" if row.home == row.id else "warn", kind="regions", id=row.home)]


def _replica(row: RegionRow) -> list[Evidence]:
    if row.lag_s is None:
        return []
    text = f"its replica here lacks {row.lag} records" if row.lag else "its replica here had all of its records"
    return [Evidence(f"{text}; it had all {row.lag_s:.1f} s ago", "warn" if row.lag_s > LAGS_S else "info")]


def _load(row: RegionRow) -> list[Evidence]:
    if not row.heard_at:
        return []
    return [Evidence(f"{row.waiting} tasks waited and {row.free} agents were free when it told of itself", at=row.heard_at)]
