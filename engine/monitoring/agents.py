"""What agents read: the last minutes by the second in memory, a day by the minute in the database.

Owner: `AgentColumns`. An agent has a place, and every metric a column of all places, 32-bit floats. A second costs one copy of each
column, and the agents that a commit touched meanwhile are read; all others read as before. Counts are kept as they stand, so that
nothing is lost between two minutes. Limits: PLACES_MAX agents, 44 bytes for each second and agent: 53 MB for 10,000
agents over SECONDS, 0.3 MB for 64. A place is given away again when nothing of its last agent is left in memory.
"""

from __future__ import annotations

import logging
import zlib
from array import array
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from math import nan
from typing import NamedTuple

from engine.model.agents import Agent, AgentStatus, Health
from engine.model.ids import AgentId
from engine.model.metrics import AGENT_METRICS, Kind
from engine.monitoring.archive import IDS
from engine.monitoring.blocks import WIDTH
from engine.state import FleetState, Touched

logger = logging.getLogger(__name__)

SECONDS = 120
PLACES_STEP = 64
PLACES_MAX = 16_384
MINUTE_S = 60
IDS_EVERY_S = 3_600
"""The list of ids is written again after so long even when it is the same, so that old ones can be removed."""
PENDING_MAX = 3
NAMES = tuple(metric.name for metric in AGENT_METRICS)
_COUNTERS = {metric.name for metric in AGENT_METRICS if metric.kind is Kind.COUNTER}
_HEALTH = {Health.HEALTHY: 2.0, Health.SLOW: 1.0, Health.SUSPECT: 1.0, Health.LOST: 0.0}
_WORKS = (AgentStatus.ASSIGNED, AgentStatus.BUSY, AgentStatus.DRAINING)
_NAN = array("f", [nan])
_SILENCE = NAMES.index("agent_silence_s")

Minute = tuple[int, list[tuple[str, bytes]]]


class Looked(NamedTuple):
    """What was seen of agents' processes."""

    uses: Mapping[AgentId, tuple[float | None, float]]
    """Cores, None = unknown, and megabytes of agents that have a process of their own."""
    silences: Mapping[AgentId, float]
    """Seconds since the last beat."""


class AgentColumns:
    """The figures of all agents."""

    def __init__(self) -> None:
        self._places: dict[AgentId, int] = {}
        self._free: deque[tuple[float, int]] = deque()
        """Places given up, and when."""
        self._size = 0
        """Places there are."""
        self._used = 0
        """Places that were ever given away."""
        self._now: list[array[float]] = [array("f") for _ in NAMES]
        self._rings: list[array[float]] = [array("f") for _ in NAMES]
        """Second by second (modulo SECONDS) all places."""
        self._touched: dict[AgentId, None] = {}
        self._gone: dict[AgentId, None] = {}
        self._at = 0
        """The newest second."""
        self._is_full = False
        self._ids_at = 0
        """When the list of ids was last written; 0 = it changed since."""
        self.pending: deque[Minute] = deque(maxlen=PENDING_MAX)
        """Minutes that are not saved yet."""

    @property
    def bytes(self) -> int:
        """Return how much memory the columns take."""
        return sum(len(column) * WIDTH for column in (*self._now, *self._rings))

    def note(self, touched: Touched) -> None:
        """Take note of which agents a commit touched."""
        self._touched.update(touched.agents)
        self._touched.update(touched.working)
        for agent in touched.removed_agents:
            self._gone[agent.spec.id] = None

    def forget(self) -> None:
        """Read all agents anew: the state was rebuilt."""
        self._gone.update(dict.fromkeys(self._places))

    def sample(self, state: FleetState, looked: Looked | None, now: float) -> None:
        """Take the second of an instant, with what was seen of agents' processes when they were looked at anew."""
        second = int(now)
        if self._at and second // MINUTE_S != self._at // MINUTE_S:
            self._end_minute(self._at // MINUTE_S * MINUTE_S)
        self._leave(state, now)
        if not self._at:
            self._touched.update(dict.fromkeys(state.agents))
        touched, self._touched = self._touched, {}
        for id_ in touched:
            agent = state.agents.get(id_)
            place = self._place(id_, now) if agent is not None else None
            if agent is not None and place is not None:
                for column, value in zip(self._now, _read(state, agent), strict=False):
                    column[place] = value
        if looked is not None:
            self._put(looked)
        self._copy(second)

    def _put(self, looked: Looked) -> None:
        silence, cpu, rss = self._now[-3:]
        cpu[:] = rss[:] = _NAN * self._size
        for id_, silence_s in looked.silences.items():
            place = self._places.get(id_)
            if place is not None and not silence[place] >= silence_s:
                silence[place] = silence_s
        for id_, (cores, megabytes) in looked.uses.items():
            place = self._places.get(id_)
            if place is not None:
                cpu[place], rss[place] = nan if cores is None else cores, megabytes

    def _copy(self, second: int) -> None:
        missed = second - self._at - 1 if self._at else 0
        if second < self._at:  # the clock went back: what is there is of other seconds
            missed = SECONDS
        size = self._size
        for gap in range(min(missed, SECONDS)):
            row = (second - 1 - gap) % SECONDS * size
            for ring in self._rings:
                ring[row : row + size] = _NAN * size
        row = second % SECONDS * size
        for ring, column in zip(self._rings, self._now, strict=True):
            ring[row : row + size] = column
        self._at = second

    def _place(self, id_: AgentId, now: float) -> int | None:
        place = self._places.get(id_)
        if place is None:
            if self._free and self._free[0][0] < now - SECONDS:
                place = self._free.popleft()[1]
            elif self._used < PLACES_MAX:
                place, self._used = self._used, self._used + 1
            else:
                if not self._is_full:
                    logger.warning("figures are kept of so many agents only", extra={"agents": PLACES_MAX})
                self._is_full = True
                return None
            self._places[id_] = place
            self._ids_at = 0
            if place >= self._size:
                self._grow()
        return place

    def _grow(self) -> None:
        old, self._size = self._size, max(PLACES_STEP, self._size + self._size // 4, self._used)
        more = _NAN * (self._size - old)
        self._now = [column + more for column in self._now]
        self._rings = [_spread(ring, old, more) for ring in self._rings]

    def _leave(self, state: FleetState, now: float) -> None:
        for id_ in self._gone:
            if id_ in state.agents:
                self._touched[id_] = None
                continue
            place = self._places.pop(id_, None)
            if place is not None:
                for column in self._now:
                    column[place] = nan
                self._free.append((now, place))
                self._ids_at = 0
        self._gone.clear()

    def _end_minute(self, begin: int) -> None:
        used = self._used
        columns = [(name, column[:used].tobytes()) for name, column in zip(NAMES, self._now, strict=True)]
        if not self._ids_at or begin - self._ids_at >= IDS_EVERY_S:
            ids = [""] * used
            for id_, place in self._places.items():
                ids[place] = id_
            columns.append((IDS, "\n".join(ids).encode()))
            self._ids_at = begin
        self.pending.append((begin, columns))
        self._now[_SILENCE][:] = _NAN * self._size  # the longest one is of a minute

    @property
    def newest_at(self) -> int:
        """Return the newest second; 0 = there is none."""
        return self._at

    @property
    def places(self) -> Mapping[AgentId, int]:
        """Return the place of every agent there is."""
        return self._places

    def at_second(self, name: str, second: int) -> array[float] | None:
        """Return what all places read in a second, None when that is not in memory."""
        if not self._at or not self._at - SECONDS < second <= self._at:
            return None
        row = second % SECONDS * self._size
        return self._rings[NAMES.index(name)][row : row + self._size]

    def newest(self, name: str) -> list[tuple[AgentId, float]]:
        """Return how a metric of all agents reads now, without those of whom it is unknown; counts as they stand."""
        column = self._now[NAMES.index(name)]
        return [(id_, value) for id_, place in self._places.items() if (value := column[place]) == value]  # noqa: PLR0124  # NaN is not itself

    def seconds(self, id_: str, name: str) -> list[tuple[int, float]]:
        """Return the last SECONDS of an agent, oldest first, without gaps; counts as they stood."""
        place = self._places.get(AgentId(id_))
        if place is None or not self._at:
            return []
        values = self._rings[NAMES.index(name)][place :: self._size]
        times = range(self._at - SECONDS + 1, self._at + 1)
        return [(at, value) for at in times if (value := values[at % SECONDS]) == value]  # noqa: PLR0124  # NaN is not itself


def _spread(ring: array[float], old: int, more: array[float]) -> array[float]:
    """Return a ring with more places in each second."""
    wider = array("f")
    for second in range(SECONDS):
        wider += ring[second * old : (second + 1) * old] if old else array("f")
        wider += more
    return wider


def _read(state: FleetState, agent: Agent) -> Sequence[float]:
    """Return what an agent reads now, in the order of NAMES, without what its process uses."""
    task = state.tasks.get(agent.task) if agent.task else None
    return (
        float(agent.status in _WORKS),
        _HEALTH.get(agent.health, nan),
        agent.succeeded,
        agent.failed,
        agent.busy_s,
        agent.mean_task_s or nan,
        task.tries if task is not None else 0.0,
        float(agent.is_free()),
    )


def packed(data: bytes, name: str) -> bytes:
    """Return a column, or the list of ids, compressed."""
    return zlib.compress(data if name == IDS else b"".join(data[plane::WIDTH] for plane in range(WIDTH)), 1)


def ids_of(data: bytes) -> list[str]:
    """Return a packed list of ids, by place; empty for a place without an agent."""
    return zlib.decompress(data).decode().split("\n")


def column_of(data: bytes) -> array[float]:
    """Return a packed column."""
    planes = zlib.decompress(data)
    size = len(planes) // WIDTH
    raw = bytearray(size * WIDTH)
    for plane in range(WIDTH):
        raw[plane::WIDTH] = planes[plane * size : (plane + 1) * size]
    return array("f", bytes(raw))


def minutes_of(id_: str, lists: Iterable[tuple[int, bytes]], columns: Iterable[tuple[int, bytes]]) -> list[tuple[int, float]]:
    """Return the minutes of an agent, oldest first, without gaps, from rows of the archive that are in order of time."""
    found: list[tuple[int, float]] = []
    waiting = deque(lists)
    place = -1
    for at, data in columns:
        while waiting and waiting[0][0] <= at:
            ids = ids_of(waiting.popleft()[1])
            place = ids.index(id_) if id_ in ids else -1
        planes = zlib.decompress(data) if place >= 0 else b""
        size = len(planes) // WIDTH
        if 0 <= place < size:
            value = array("f", bytes(planes[plane * size + place] for plane in range(WIDTH)))[0]
            if value == value:  # noqa: PLR0124  # NaN is not itself
                found.append((at, value))
    return found


class AgentTable(NamedTuple):
    """A metric of all agents by the minute."""

    columns: Sequence[tuple[Mapping[str, int], array[float]] | None]
    """For each minute the place of each agent and what all places read; None = nothing was kept of it."""

    def of(self, id_: str) -> list[float | None]:
        """Return the minutes of an agent, None where nothing is known; counts as they stood."""
        found: list[float | None] = []
        for minute in self.columns:
            place = minute[0].get(id_, -1) if minute is not None else -1
            value = minute[1][place] if minute is not None and 0 <= place < len(minute[1]) else nan
            found.append(value if value == value else None)  # noqa: PLR0124  # NaN is not itself
        return found


def table_of(lists: Iterable[tuple[int, bytes]], columns: Iterable[tuple[int, bytes]], since: int, minutes: int) -> AgentTable:
    """Return so many minutes of a metric of all agents, from rows of the archive that are in order of time."""
    found: list[tuple[Mapping[str, int], array[float]] | None] = [None] * minutes
    waiting, places = deque(lists), dict[str, int]()
    for at, data in columns:
        while waiting and waiting[0][0] <= at:
            places = {id_: place for place, id_ in enumerate(ids_of(waiting.popleft()[1])) if id_}
        number = (at - since) // MINUTE_S
        if 0 <= number < minutes:
            found[number] = (places, column_of(data))
    return AgentTable(found)


def as_counted(minutes: Sequence[float | None]) -> list[float | None]:
    """Return how much a count grew in each minute but the first; None where that is not known."""
    pairs = zip(minutes, minutes[1:], strict=False)
    return [now - before if before is not None and now is not None and now >= before else None for before, now in pairs]


def as_measured(name: str, samples: Sequence[tuple[int, float]], step: int) -> list[tuple[int, float]]:
    """Return samples as the metric is shown: of a count the rate since the sample before, where that was one step ago."""
    if name not in _COUNTERS:
        return list(samples)
    pairs = zip(samples, samples[1:], strict=False)
    return [(at, (value - before) / step) for (then, before), (at, value) in pairs if at - then == step and value >= before]
