"""The published rules of other autoscalers, as choosers for the backtest: HPA, KEDA over HPA, Dask adaptive, with their defaults.

Written from their documentation and sources (kubernetes pkg/controller/podautoscaler/horizontal.go, keda.sh concepts,
distributed/deploy/adaptive_core.py): sync or poll intervals, tolerance, rates, stabilization and counts as shipped.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from engine.model.scaling import Observation

Chooser = Callable[[Observation], int]

SYNC_S = 15.0
TOLERANCE = 0.1
DOWN_WINDOW_S = 300.0
HPA_TARGET = 0.8
"""`kubectl autoscale` has no default of its own; 80 % is the controller's documented default for CPU."""
KEDA_TARGET = 5.0
"""listLength of the Redis scaler."""
KEDA_COOLDOWN_S = 300.0
DASK_TARGET_S = 5.0
DASK_WAIT_COUNT = 3


class Hpa:
    """HPA v2 with default behaviour: at most +100 % or +4 in 15 s, down after 300 s of lower recommendations."""

    def __init__(self, recommend: Callable[[Observation], int]) -> None:
        self._recommend = recommend
        self._next_at = 0.0
        self._size = 0
        self._kept: deque[tuple[float, int]] = deque()

    def __call__(self, now: Observation) -> int:
        """Return the size; it changes at most every 15 s."""
        if now.at < self._next_at:
            return self._size or now.size
        self._next_at = now.at + SYNC_S
        wanted = self._recommend(now)
        self._kept.append((now.at, wanted))
        while self._kept[0][0] < now.at - DOWN_WINDOW_S:
            self._kept.popleft()
        stable = max(size for _, size in self._kept) if wanted < now.size else wanted
        stable = min(stable, now.size) if wanted < now.size else stable
        self._size = min(stable, max(2 * now.size, now.size + 4))
        return self._size


def hpa() -> Chooser:
    """HPA on utilisation: ceil(size * utilisation / 0.8), within 10 % nothing."""

    def recommend(now: Observation) -> int:
        ratio = (now.busy / now.ready if now.ready else 1.0) / HPA_TARGET
        return now.size if abs(ratio - 1) <= TOLERANCE else math.ceil(now.size * ratio)

    return Hpa(recommend)


def keda() -> Chooser:
    """KEDA's queue trigger: HPA on an average of 5 waiting tasks for each agent; one agent at least while there is work."""

    def recommend(now: Observation) -> int:
        ratio = now.waiting / KEDA_TARGET / max(1, now.size)
        return now.size if abs(ratio - 1) <= TOLERANCE else max(1, math.ceil(now.waiting / KEDA_TARGET))

    return Hpa(recommend)


class Dask:
    """Adaptive: each second ceil(work in seconds / 5 s), at most one worker for each task; down when said three times in a row."""

    def __init__(self) -> None:
        self._lower = 0

    def __call__(self, now: Observation) -> int:
        """Return the size."""
        service_s = now.service_s if now.service_s is not None else DASK_TARGET_S
        occupancy = (now.busy * 0.5 + now.waiting) * service_s
        wanted = min(math.ceil(occupancy / DASK_TARGET_S), now.busy + now.waiting)
        if wanted >= now.size:
            self._lower = 0
            return wanted
        self._lower += 1
        if self._lower < DASK_WAIT_COUNT:
            return now.size
        idle = now.ready - now.busy
        return max(wanted, now.size - idle)


RULES: dict[str, Callable[[], Chooser]] = {"HPA": hpa, "KEDA": keda, "Dask": Dask}
