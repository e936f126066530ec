"""The journal that engines share: a Stream in Redis, one entry a group commit, written by who leads and by nobody else.

An entry's id is `LAST-0`, LAST the number of its last record, so that reading on after record N is reading after `N-0`, and a
batch that is sent twice is there once. The server refuses what does not go on from the last record, and who does not lead.

Owner: nobody; what is kept is the server's. Limits: one append at a time, its caller's; ANSWERS_MAX answers an entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from redis.exceptions import OutOfMemoryError

from engine.clock import Clock
from engine.model.errors import (
    FleetError,
    JournalDiverged,
    JournalError,
    JournalGap,
    JournalTrimmed,
    JournalUncertain,
    RedisAway,
    RedisRefused,
)
from engine.model.journal_entries import Entry, Leadership
from engine.redis.entry_coding import artifacts_field, entry_of, records_field
from engine.redis.functions import Functions
from engine.redis.link import RedisLink
from engine.redis.refusals import raise_fenced
from engine.redis.region_keys import RegionKeys
from engine.redis.snapshots import Snapshots

Durability = Literal["async", "replicated"]

ANSWERS_MAX = 1_000
DONE_MS = 600_000
"""How long a command is known to be done."""
RETRY_S = 0.05
READ_SHARE = 0.5
"""Of the longest wait for an answer: so long the server holds a read that finds nothing."""


class JournalStream:
    """A region's journal."""

    def __init__(self, link: RedisLink, region: str, clock: Clock, *, durability: Durability = "async") -> None:
        self._link, self._clock = link, clock
        self._functions = Functions(link)
        self._keys = RegionKeys(region)
        self._snapshots = Snapshots(link, self._keys, clock)
        self._is_replicated = durability == "replicated"

    # ---- writing

    async def append(self, entry: Entry, *, deadline_s: float, fence: Leadership | None = None) -> None:
        """Write an entry; on return it is as durable as was asked for. Sent again until it is answered: it is there once.

        Raises Fenced, JournalGap, JournalDiverged, JournalError: nothing of it is written. Raises JournalUncertain when the
        deadline passed: read on before anything is said about it. Cancelling leaves the same doubt. `fence` is who leads, where
        that is not who wrote the records first: a leader that writes again what a server lost.
        """
        assert len(entry.answers) <= ANSWERS_MAX, "answers go out with the batch that they belong to"
        keys = (*self._keys.head, *(self._keys.done(id_) for id_ in entry.answers))
        words = (
            entry.epoch, entry.engine, entry.first, entry.last, records_field(entry), artifacts_field(entry), DONE_MS, *(fence or entry.by),
            *(part for answer in entry.answers.items() for part in answer),
        )  # fmt: skip
        ends_at = self._clock.now() + deadline_s
        doubt: FleetError | None = None
        while True:
            try:
                self._settle(entry, await self._send(keys, words, ends_at - self._clock.now()))
                return
            except RedisAway as error:
                doubt = error
            except RedisRefused as error:
                if doubt is None:
                    raise self._refusal(error) from error
                doubt = error
            if self._clock.now() + RETRY_S >= ends_at:
                raise JournalUncertain(f"the records {entry.first} to {entry.last} may be in the journal, or not: {doubt}") from doubt
            await self._clock.sleep(RETRY_S)

    async def _send(self, keys: Sequence[str], words: Sequence[Any], left_s: float) -> list[Any]:
        """Send an entry once and return the answer. Raises RedisAway, also when too few replicas have it, RedisRefused."""
        timeout_s = min(left_s, self._link.section.command_timeout_s)
        if not self._is_replicated:
            return await self._functions.call("journal_append", keys, *words, timeout_s=timeout_s)
        answer, replicas = await self._functions.call_replicated("journal_append", keys, *words, wait_s=timeout_s / 2, timeout_s=timeout_s)
        if answer[0] == "ok" and not replicas:
            raise RedisAway(f"it is at {self._link.target}, and no replica says that it has it; see to its replicas")
        return answer

    def _settle(self, entry: Entry, answer: Sequence[Any]) -> None:
        """Return when an answer says that the entry is there. Raises Fenced, JournalGap, JournalDiverged."""
        match answer:
            case ["ok"]:
                return
            case ["gap", int(last)]:
                raise JournalGap(f"the journal ends at record {last}, before {entry.first - 1}: entries were lost; they have to be written again", last)
            case ["diverged", int(last), epoch, engine]:
                raise JournalDiverged(f"the journal has other records from {entry.first} on, up to {last}, by {engine} in epoch {epoch}")
            case _:
                raise_fenced(answer)

    def _refusal(self, error: RedisRefused) -> JournalError:
        if isinstance(error.__cause__, OutOfMemoryError):
            return JournalError(f"redis at {self._link.target}: its memory is full, and nothing was written; raise its maxmemory (and keep maxmemory-policy noeviction)")
        return JournalError(f"{error}; nothing was written")

    # ---- reading

    async def tail(self) -> int:
        """Return the number of the newest record, 0 = there is none. Raises JournalError."""
        return (await self.newest())[0]

    async def newest(self) -> tuple[int, Leadership]:
        """Return the number of the newest record and who wrote it. Raises JournalError."""
        try:
            answer = await self._functions.call("journal_tail", self._keys.head, timeout_s=self._link.section.command_timeout_s)
        except (RedisAway, RedisRefused) as error:
            raise JournalError(str(error)) from error
        return answer[1], Leadership(*answer[2:])

    async def read(self, after: int, *, by: Leadership | None = None, count: int = 64, wait_s: float = 0.0) -> Sequence[Entry]:
        """Return up to `count` entries that go on after a record, oldest first; none after `wait_s` without one.

        `by` is who wrote the record `after`, as the reader has it; without it nothing tells whether the journal goes on from
        what the reader has. Raises JournalTrimmed, JournalDiverged, JournalError. Safe to cancel.
        """
        ends_at = self._clock.now() + wait_s
        while True:
            left_s = ends_at - self._clock.now()
            found = await self._read_once(after, count, left_s)
            if found or left_s <= 0:
                break
        if not found:
            last, newest = await self.newest()
            if last <= after:
                _check_line(after, by, last, newest)
                return ()
            found = await self._read_once(after, count, 0.0)  # what came meanwhile
            if not found:
                raise _trimmed(after, await self.tail() + 1)
        return _continued(after, by, found)

    async def _read_once(self, after: int, count: int, wait_s: float) -> list[Entry]:
        block_s = min(wait_s, READ_SHARE * self._link.section.command_timeout_s)
        block = ("BLOCK", max(1, int(1_000 * block_s))) if block_s > 0 else ()
        words = ("XREAD", "COUNT", count, *block, "STREAMS", self._keys.journal, f"{after}-0")
        try:
            answer = await self._link.call(*words)
        except (RedisAway, RedisRefused) as error:
            raise JournalError(str(error)) from error
        return [entry_of(int(id_.partition(b"-")[0]), fields) for id_, fields in entries_of(answer)]

    # ---- snapshots

    async def put_snapshot(self, last: int, file: Path, *, by: Leadership) -> None:
        """Make a copy of a leader's database the snapshot as of record `last`; a journal without entries goes on from there.

        Raises Fenced, JournalGap when the journal does not go so far, JournalError.
        """
        await self._snapshots.put(last, file, by)

    async def get_snapshot(self, target: Path) -> int:
        """Write the newest snapshot to a file and return the record that it is of; 0 = there is none. Raises JournalError."""
        return await self._snapshots.get(target)

    async def snapshot_last(self) -> int:
        """Return the record that the newest snapshot is of; 0 = there is none. Raises JournalError."""
        return await self._snapshots.last()

    async def trim(self, *, keep: int) -> int:
        """Remove the entries behind the snapshot, all but the newest `keep` records; return how many. Raises JournalError."""
        return await self._snapshots.trim(keep)


def entries_of(answer: Any) -> Sequence[tuple[bytes, Mapping[bytes, bytes]]]:  # noqa: ANN401  # as the client shapes it
    """Return the entries of the only Stream in an answer to XREAD."""
    if not answer:
        return ()
    found: Sequence[tuple[bytes, Mapping[bytes, bytes]]]
    ((_, found),) = answer.items() if isinstance(answer, dict) else answer
    return found


def _check_line(after: int, by: Leadership | None, last: int, newest: Leadership) -> None:
    """See that a journal that ends before what a reader has is its own one, of which a server lost the end. Raises JournalDiverged.

    Where a later leader wrote the last record, the reader has what was written after that leader came: by one that was cut off and went on alone.
    """
    if by is not None and newest != by and newest.epoch >= by.epoch > 0:
        raise JournalDiverged(f"the journal ends with record {last} by {newest.engine} in epoch {newest.epoch}, this engine has others up to {after} by {by.engine} in epoch {by.epoch}")


def _continued(after: int, by: Leadership | None, found: Sequence[Entry]) -> Sequence[Entry]:
    """Return entries that go on after a record. Raises JournalTrimmed, JournalDiverged."""
    head = found[0]
    if head.first > after + 1:
        raise _trimmed(after, head.first)
    # One that begins earlier was written again after a loss: the same records only when it was the same engine.
    before = head.previous if head.first == after + 1 else head.by
    if by is not None and before != by:
        raise JournalDiverged(f"the journal goes on after record {after} from what {before.engine if before else ''} wrote, this engine has it from {by.engine}")
    return found if head.first == after + 1 else (_from(head, after + 1), *found[1:])


def _from(entry: Entry, first: int) -> Entry:
    """Return an entry without its records before one."""
    left = first - entry.first
    return Entry(entry.epoch, entry.engine, entry.records[left:], entry.texts[left:], entry.artifacts, entry.answers, entry.by)


def _trimmed(after: int, first: int) -> JournalTrimmed:
    return JournalTrimmed(f"the journal begins at record {first}, and {after} is the last one here; the snapshot has what lies between", first)
