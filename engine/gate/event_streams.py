"""Tells the fleet's events by the Streams of the bus, from the journal and none left out. Imported only with the section redis.bus.

Owner: `EventStreams`, of how far it has told. What is not told yet is in the journal: a server that is away, a group that is behind, and an engine
that ends hold it up, and lose nothing that the journal still has.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Iterator
from typing import Any

from engine.bus.redis_streams import RedisStreams
from engine.bus.streams import BusMessage
from engine.clock import Clock
from engine.gate.mirroring import Told
from engine.model import wire
from engine.model.errors import JournalError, RedisAway, RedisRefused
from engine.model.events import Record
from engine.model.redis_config import BusSection
from engine.model.secrets import redact
from engine.redis.link import RedisLink

logger = logging.getLogger(__name__)

KINDS = frozenset({"agent", "engine", "fleet", "host", "pool", "task"})
"""What is told, by the first word of an event's type: nothing of memory, of swarms' messages or of the audit."""
PARTS_BITS = 20
"""A message's number is its record's, and its place among the things that the record is about."""
BATCH = 1_024
"""Records that are read, and messages that are told, at once."""
BATCH_BYTES = 4 * 1024 * 1024
MESSAGE_MAX = 256 * 1024
"""Bytes; of a larger message the data are left out, with their size."""
TIDY_S = 1.0
AGAIN_S = 0.25
SUBJECTS = ("task", "id", "outcome", "agent", "agents", "host")


class EventStreams:
    """How far the fleet's events are told, as long as this engine leads."""

    def __init__(self, link: RedisLink, section: BusSection, told: Told, clock: Clock) -> None:
        self.bus = RedisStreams(link, link.section.region, section, clock)
        self._source, self._coordinator, self._records, self._clock = link.section.region, told.coordinator, told.records, clock
        self._news = asyncio.Event()
        self._number = 0
        """The newest message that the server has."""
        self._read = 0
        """The newest record that was told whole."""
        self._why = ""
        self.left_out = 0
        """Records that the journal had no more when it was their turn."""

    async def run(self) -> None:
        """Tell until cancelled."""
        forget = self._coordinator.add_publisher(lambda _records, _touched: self._news.set())
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._tidy(), name="tidy streams")
                is_begun = False
                while True:
                    self._news.clear()
                    try:
                        if not is_begun:
                            await self._begin()
                            is_begun = True
                        is_more = await self._tell()
                    except (RedisAway, RedisRefused, JournalError) as error:
                        is_begun = False  # what the server has is asked for again
                        self._note(str(error))
                        await self._clock.sleep(AGAIN_S)
                        continue
                    self._note("")
                    if not is_more:
                        await self._news.wait()
        finally:
            forget()

    async def _begin(self) -> None:
        """Learn where to go on; a bus that is new begins with what comes now."""
        here = (self._coordinator.state.seq + 1 << PARTS_BITS) - 1
        self._number = await self.bus.begin(self._source, here)
        self._read = (self._number + 1 >> PARTS_BITS) - 1

    async def _tell(self) -> bool:
        """Tell some; return whether there may be more. Raises RedisAway, RedisRefused, JournalError."""
        records = await self._records(after=self._read, before=self._read + BATCH + 1, limit=BATCH)
        if not records:
            return self._coordinator.state.seq > self._read and await self._pass_over()
        self.left_out += records[0].seq - self._read - 1
        told = (message for record in records for message in messages_of(record, self._source) if message.number > self._number)
        messages, are_all = _batch(told)
        if not messages:
            self._read = records[-1].seq
            return True
        number = await self.bus.publish(messages, after=self._number)
        if number < messages[-1].number:  # a partition is full, or the server lost some: then it goes on from there
            await self._clock.sleep(AGAIN_S)
        self._number = number
        is_whole = are_all and number == messages[-1].number
        self._read = records[-1].seq if is_whole else (number + 1 >> PARTS_BITS) - 1
        return True

    async def _pass_over(self) -> bool:
        """Wait for records that are being written, or go on behind those that the journal has no more."""
        if await self._records(after=self._read + BATCH, limit=1):
            self.left_out += BATCH
            self._read += BATCH
            return True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(AGAIN_S):
                await self._news.wait()
        return True

    async def _tidy(self) -> None:
        while True:
            await self._clock.sleep(TIDY_S)
            with contextlib.suppress(RedisAway, RedisRefused):
                await self.bus.tidy()

    def _note(self, why: str) -> None:
        if why and why != self._why:
            logger.warning("events are not told by streams; they wait in the journal", extra={"reason": why})
        self._why = why


def _batch(told: Iterable[BusMessage]) -> tuple[list[BusMessage], bool]:
    """Return what is told at once, and whether that is all."""
    messages: list[BusMessage] = []
    size = 0
    for message in told:
        if len(messages) == BATCH or size >= BATCH_BYTES:
            return messages, False
        messages.append(message)
        size += len(message.data)
    return messages, True


def messages_of(record: Record, source: str) -> Iterator[BusMessage]:
    """Give the messages of a record: one for each task, agent or host that it is about."""
    kind = record.event.type
    family = kind.partition(".")[0]
    if family not in KINDS:
        return
    plain: Any = redact(wire.to_plain(record.event))
    name = next((name for name, value in plain.items() if isinstance(value, list) and value and all(map(subject_of, value))), "")
    parts = [{**plain, name: [one]} for one in plain[name]] if name else [plain]
    for place, part in enumerate(parts[: 1 << PARTS_BITS]):
        data = wire.encode(part)
        data = data if len(data) <= MESSAGE_MAX else wire.encode({"leftOut": len(data)})
        yield BusMessage(source, (record.seq << PARTS_BITS) + place, subject_of(part[name] if name else part) or family, kind, record.at, data)


def subject_of(value: object) -> str:
    """Return the id of the task, agent or host that plain values are about; empty when there is none."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return subject_of(value[0]) if value else ""
    if isinstance(value, dict):
        return next((found for name in SUBJECTS if name in value and (found := subject_of(value[name]))), "")
    return ""
