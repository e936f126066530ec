"""Keeps the history: a sample a second by the clock, saved once a minute, what is too old removed once an hour.

Owner: `Recorder`, of the counts of the last sample, from which rates are made. A second that the loop missed is a gap; after a
missed second the rate is over the time that really passed. Nothing of it waits for the journal, and no commit waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from engine.clock import Clock
from engine.model.errors import JournalError
from engine.monitoring.agents import AgentColumns, packed
from engine.monitoring.archive import Archive, Key
from engine.monitoring.histogram import BUCKETS
from engine.monitoring.meter import Meter
from engine.monitoring.series import SeriesStore

logger = logging.getLogger(__name__)

SAMPLE_S = 1.0
SAVE_S = 60.0
PRUNE_S = 3_600.0
RETRY_S = 5.0
STEP_MAX_S = 5.0
"""A rate over longer than this says nothing of this second: a gap."""

Watcher = Callable[[float, Mapping[Key, float], Mapping[Key, Sequence[float]]], None]
Read = Callable[[float, float], tuple[Mapping[Key, float], Mapping[Key, float]]]
"""Gives gauges and counts: (now, seconds since the last call or 0)."""


class Recorder:
    """The loop that samples."""

    def __init__(self, archive: Archive, meter: Meter, read: Read, clock: Clock, agents: AgentColumns) -> None:
        self.meter = meter
        self.store = SeriesStore(archive, clock)
        self.archive = archive
        self._agents = agents
        self.counts: Mapping[Key, float] = {}
        """Of the newest sample."""
        self.newest: Mapping[Key, float] = {}
        """Gauges and rates of the newest sample; what it did not know is not there."""
        self.sampled_at = 0.0
        self.totals: dict[Key, list[float]] = {}
        """Durations counted since the engine began: by bucket, then their sum in milliseconds."""
        self._read = read
        self._clock = clock
        self._is_open = False
        self.watcher: Watcher = lambda _now, _values, _durations: None
        """Is shown every sample: the time, gauges and rates, and durations counted since the sample before."""

    async def run(self) -> None:
        """Sample until cancelled."""
        while not self._is_open:
            try:
                await self.archive.open()
                self._is_open = True
            except JournalError as error:
                logger.warning("figures cannot be kept yet", extra={"reason": str(error)})
                await self._clock.sleep(RETRY_S)
        while True:
            now = self._clock.now()
            await self._clock.sleep(max(0.001, SAMPLE_S - now % SAMPLE_S))
            await self._sample()

    async def _sample(self) -> None:
        now = self._clock.now()
        if not self.store.is_open(now):
            try:
                await self.store.open(now)
            except JournalError as error:
                logger.warning("older figures cannot be read", extra={"reason": str(error)})
                return
            now = self._clock.now()
            if not self.store.is_open(now):
                return
        self.sample(now)

    def sample(self, now: float) -> None:
        """Take one sample; the store must be open at that instant."""
        passed = now - self.sampled_at if self.sampled_at else 0.0
        gauges, counts = self._read(now, passed if 0 < passed <= STEP_MAX_S else 0.0)
        values = dict(gauges)
        if 0 < passed <= STEP_MAX_S:
            for key, count in counts.items():
                before = self.counts.get(key)
                if before is not None and count >= before:
                    values[key] = (count - before) / passed
        histograms = self.meter.take_histograms()
        for key, durations in histograms.items():
            total = self.totals.setdefault(key, [0.0] * len(durations))
            for bucket, count in enumerate(durations):
                total[bucket] += count
        self.store.put(now, values, {key: durations[:BUCKETS] for key, durations in histograms.items()})
        self.newest, self.counts, self.sampled_at = values, counts, now
        self.watcher(now, values, histograms)

    async def keep(self) -> None:
        """Save once a minute, and remove what is too old once an hour, until cancelled."""
        pruned_at = 0.0
        while True:
            await self._clock.sleep(SAVE_S)
            try:
                await self.store.save()
                await self._save_agents()
                if self._clock.now() - pruned_at >= PRUNE_S:
                    pruned_at = self._clock.now()
                    await self.store.prune(pruned_at)
            except JournalError as error:
                logger.warning("figures cannot be saved, they are kept and saved later", extra={"reason": str(error)})

    async def _save_agents(self) -> None:
        while self._agents.pending:
            begin, columns = self._agents.pending[0]
            data = await asyncio.to_thread(lambda columns=columns: [(name, packed(column, name)) for name, column in columns])  # type: ignore[misc]
            await self.archive.save_agents(begin, data)
            if self._agents.pending and self._agents.pending[0][0] == begin:
                self._agents.pending.popleft()

    async def close(self) -> None:
        """Save what is left; at the engine's end."""
        try:
            await self.store.save()
            await self._save_agents()
        except JournalError as error:
            logger.warning("the last figures are not saved", extra={"reason": str(error)})
