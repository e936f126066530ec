"""The series of the fleet and its pools: newest samples in open blocks in memory, older ones in the archive.

Owner: `SeriesStore`, of the open blocks. Limits: the archive's of series; the blocks of a span are let go once they are saved and
time has left the span; while saving fails, UNSAVED_MAX spans of a step are kept, then the oldest is given up and logged.
A kill loses what was sampled since the last save, a minute at most, and the loss shows as a gap.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from engine.clock import Clock
from engine.monitoring.archive import KEPT_S, Archive, Key
from engine.monitoring.blocks import HISTOGRAM, ROLLUP, SLOTS, STEPS, VALUE, Block, start_of, summed

logger = logging.getLogger(__name__)

BATCH = 48
"""Blocks in one transaction: two milliseconds of the writer's time."""
BETWEEN_BATCHES_S = 0.05
"""Commits of the journal come first."""
UNSAVED_MAX = 6
_FINER = {60: 1, 3600: 60}
"""Step -> the step that it is made of."""

Span = tuple[int, int]
"""Step and start."""


class SeriesStore:
    """Samples of many series, and their roll-ups."""

    def __init__(self, archive: Archive, clock: Clock) -> None:
        self._archive = archive
        self._clock = clock
        self._spans: dict[Span, dict[Key, Block]] = {}
        self._unsaved: dict[Span, int] = {}
        """With how often each was changed, so that a save tells what came while it wrote."""
        self._minute = 0
        """Of the newest sample; 0 = there is none since the blocks were opened."""
        self._is_rolled_up = True
        """Whether nothing came since the last roll-up: a report reads hundreds of series in a row."""

    @property
    def keys(self) -> set[Key]:
        """All series known, also those of which nothing new comes."""
        return {*self._archive.keys(), *(key for blocks in self._spans.values() for key in blocks)}

    def is_open(self, at: float) -> bool:
        """Tell whether samples of an instant can be put."""
        return all((step, start_of(at, step)) in self._spans for step in STEPS)

    async def open(self, at: float) -> None:
        """Make the blocks of an instant ready: whatever was kept of them before goes on. Raises JournalError."""
        self.roll_up()
        for step in STEPS:
            span = (step, start_of(at, step))
            if span not in self._spans:
                stored = await self._archive.load(*span)
                self._spans[span] = {one.key: block for one in stored if (block := _decoded(one.data, step)) is not None}
        raw = start_of(at, 1)
        if any(self._spans[1, raw].values()):  # an engine before this one may have ended before its last roll-up
            for begin in range(raw, raw + SLOTS[1], 60):
                self._make(60, begin)
            self._make(3600, raw // 3600 * 3600)
        self._let_go(at)

    def put(self, at: float, values: Mapping[Key, float], histograms: Mapping[Key, Sequence[float]]) -> None:
        """Take the samples of one second; what is not among them is a gap. The instant must be open."""
        minute = int(at // 60) * 60
        if minute != self._minute:
            self.roll_up()
            self._minute = minute
        span = (1, start_of(at, 1))
        blocks, slot = self._spans[span], int(at) - span[1]
        for key, value in values.items():
            block = blocks.get(key)
            if block is None or len(block.columns) != VALUE:
                block = blocks[key] = Block(SLOTS[1], VALUE)
            block.columns[0][slot] = value
        for key, counts in histograms.items():
            block = blocks.get(key)
            if block is None or len(block.columns) != HISTOGRAM:
                block = blocks[key] = Block(SLOTS[1], HISTOGRAM)
            total = sum(counts)
            if total:
                block.put(slot, (total, *counts))
            else:
                block.columns[0][slot] = 0.0
        self._is_rolled_up = False
        self._note(span)

    def roll_up(self) -> None:
        """Bring the roll-ups of the newest sample's minute and hour up to date; made again they come to the same."""
        if self._minute and not self._is_rolled_up:
            self._is_rolled_up = True
            self._make(60, self._minute)
            self._make(3600, self._minute // 3600 * 3600)

    def _make(self, step: int, begin: int) -> None:
        finer = _FINER[step]
        source_span, span = (finer, start_of(begin, finer)), (step, start_of(begin, step))
        if source_span not in self._spans or span not in self._spans:
            return
        first = (begin - source_span[1]) // finer
        blocks = self._spans[span]
        for key, source in self._spans[source_span].items():
            values = summed(source, first, first + step // finer)
            if values is None:
                continue
            columns = HISTOGRAM if len(source.columns) == HISTOGRAM else ROLLUP
            block = blocks.get(key)
            if block is None or len(block.columns) != columns:
                block = blocks[key] = Block(SLOTS[step], columns)
            block.put((begin - span[1]) // step, values)
        self._note(span)

    def _note(self, span: Span) -> None:
        self._unsaved[span] = self._unsaved.get(span, 0) + 1

    async def save(self) -> None:
        """Write what is new, in small batches. Raises JournalError; what is not written then is tried again next time."""
        self.roll_up()
        for span, changes in sorted(self._unsaved.items()):
            step, start = span
            blocks = list(self._spans[span].items())
            for first in range(0, len(blocks), BATCH):
                # Encoded by the writer's thread: a sample that comes meanwhile is in it or not, and in the next save in any case.
                await self._archive.save([(key, step, start, block.encode) for key, block in blocks[first : first + BATCH]])
                await self._clock.sleep(BETWEEN_BATCHES_S)
            if self._unsaved.get(span) == changes:
                del self._unsaved[span]

    def _let_go(self, at: float) -> None:
        """Forget saved blocks of other spans than that of an instant, and the oldest unsaved ones beyond the limit."""
        now = {(step, start_of(at, step)) for step in STEPS}
        for span in [span for span in self._spans if span not in now and span not in self._unsaved]:
            del self._spans[span]
        for step in STEPS:
            old = sorted(span for span in self._unsaved if span[0] == step and span not in now)
            for span in old[: max(0, len(old) - UNSAVED_MAX)]:
                logger.warning("figures are given up, they could not be saved", extra={"step_s": step, "begin": span[1]})
                del self._unsaved[span], self._spans[span]

    async def read(self, key: Key, step: int, since: float, until: float) -> list[tuple[int, Block]]:
        """Return the blocks of a series that touch a span of time, oldest first, newest figures included. Raises JournalError."""
        if step != STEPS[0]:
            self.roll_up()
        first = start_of(since, step)
        found = {one.start: _decoded(one.data, step) for one in await self._archive.find(key, step, first, until)}
        blocks = {start: block for start, block in found.items() if block is not None}
        for (of_step, start), open_blocks in self._spans.items():
            if of_step == step and first <= start < until and key in open_blocks:
                blocks[start] = open_blocks[key]
        return sorted(blocks.items())

    async def prune(self, now: float) -> None:
        """Remove what is too old."""
        removed = await self._archive.prune(now)
        if removed:
            logger.info("old figures removed", extra={"rows": removed})


def _decoded(data: bytes, step: int) -> Block | None:
    """Return a block, or None with a word in the log for one that cannot be read: it is a gap."""
    try:
        return Block.decode(data, SLOTS[step])
    except ValueError as error:
        logger.warning("figures cannot be read", extra={"step_s": step, "reason": str(error)})
        return None


def step_for(since: float, until: float, now: float) -> int:
    """Return the finest step that is kept that far back and is not finer than a chart needs."""
    for step, longest_s in ((1, 2 * 3600), (60, 3 * 86_400)):
        if until - since <= longest_s and now - since <= KEPT_S[step]:
            return step
    return 3600
