"""The journal that engines share, with this engine's own copy of it: the copy is read, the shared one is the truth.

Owner: `SharedJournal`, of how far the copy is. A batch is in the shared journal before it is in the copy; what the copy lacks is read from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from engine.memory.contract import JournalBatch, StoredArtifact
from engine.memory.journal import SqliteJournal
from engine.memory.recent_answers import RecentAnswers
from engine.memory.stored import encode
from engine.model.errors import JournalError, JournalGap, JournalUncertain
from engine.model.events import EngineTookOver, Record
from engine.model.journal_entries import Entry, Leadership
from engine.state import FleetState, Touched

APPEND_WITHIN_S = 5.0
"""How long a batch is sent again before the engine says that it may be kept or not."""
SNAPSHOT_NAME = "snapshot.part"
SNAPSHOT_RECORDS, SNAPSHOT_BYTES = 50_000, 256 << 20
"""Records, or bytes of them as JSON, after which a new snapshot is made: a record may tell of one task or of hundreds."""
SNAPSHOT_SHARE = 8
"""Of a file that is larger than SNAPSHOT_BYTES a snapshot waits until so large a part of the rest was written: else a file that grows would be copied ever more."""
KEPT_RECORDS, KEPT_BYTES = 10_000, 64 << 20
"""Newest records that stay in the shared journal behind a snapshot, at most about so many bytes: a standby that was away for a while reads on."""
PUSHED_RECORDS = 256
"""Records of an entry that is written again after the shared journal lost it."""


class Stream(Protocol):
    """A journal that several engines read and one writes."""

    async def append(self, entry: Entry, *, deadline_s: float, fence: Leadership | None = None) -> None:
        """Write an entry after all others; `fence` is who leads, where others wrote its records first. Raises Fenced, JournalGap, JournalUncertain, JournalError."""
        ...

    async def read(self, after: int, *, by: Leadership | None = None, count: int = 64, wait_s: float = 0.0) -> Sequence[Entry]:
        """Return what comes after a record. Raises JournalTrimmed, JournalDiverged, JournalError."""
        ...

    async def tail(self) -> int:
        """Return the number of the newest record; 0 = there is none. Raises JournalError."""
        ...

    async def newest(self) -> tuple[int, Leadership]:
        """Return the number of the newest record and who wrote it. Raises JournalError."""
        ...

    async def put_snapshot(self, last: int, file: Path, *, by: Leadership) -> None:
        """Keep a database as of a record for engines that come new. Raises Fenced, JournalGap, JournalError."""
        ...

    async def snapshot_last(self) -> int:
        """Return the record that the newest snapshot is of; 0 = there is none. Raises JournalError."""
        ...

    async def trim(self, *, keep: int) -> int:
        """Remove what the snapshot makes needless, all but the newest records. Raises JournalError."""
        ...


class SharedJournal(SqliteJournal):
    """See contract.Journal; the copy is what SqliteJournal keeps."""

    def share(self, stream: Stream, region: str, may_write: Callable[[], Leadership | None], *, is_new: bool) -> None:
        """Say where the truth is, and who tells as whom this engine may write just now; called once, before load().

        A copy that is new is a snapshot of the truth: what comes next goes on from it.
        """
        self._stream, self.region = stream, region
        self._may_write = may_write
        self._is_new = is_new
        self._answers = RecentAnswers()
        self._snapshot, self._grown = 0, 0  # the newest snapshot, and the bytes of records that this engine knows to have come after it

    async def append(self, batch: JournalBatch) -> None:
        """Write a batch to both. Raises Fenced when another engine leads, JournalUncertain when the batch may be kept or not, JournalError.

        One at a time: the next one goes on from what this one wrote.
        """
        leader = self._may_write()
        if leader is None:
            raise JournalError("this engine does not lead the fleet at the moment; nothing was written")
        texts = tuple(batch.texts) if batch.texts is not None else tuple(encode(record.event) for record in batch.records)
        entry = Entry(*leader, tuple(batch.records), texts, tuple(batch.artifacts), dict(batch.answers))
        write = self._writing(batch)
        await self._put(entry)
        self._note(entry)
        batch.when_durable()  # what is to be done need not wait for the copy
        try:
            await self._database.write(write)
        except JournalError as error:
            raise JournalUncertain(f"it is kept by the other engines and not here: {error}") from error

    async def probe(self) -> None:
        """See that both can be written. Raises JournalError while they cannot."""
        await super().probe()
        if self._may_write() is None:
            raise JournalError("this engine does not lead the fleet at the moment")
        await self._stream.tail()

    async def load(self, finished_max: int) -> FleetState:
        """Return the state as of the last entry, of which the copy then has all. Raises JournalError, JournalTrimmed, JournalDiverged."""
        state = await super().load(finished_max)
        tail = await self._stream.tail()  # whoever writes now is followed later
        while entries := await self.following(state):
            for entry in entries:
                for record in entry.records:
                    state.apply(record)
                touched, state.touched = state.touched, Touched()
                await self.copy(entry, state, touched)
            if state.seq >= tail:
                break
        return state

    async def following(self, state: FleetState, *, wait_s: float = 0.0) -> Sequence[Entry]:
        """Return what comes after a state. Raises JournalError, JournalTrimmed, JournalDiverged."""
        engine = state.engine
        by = Leadership(engine.epoch, engine.engine) if engine is not None and not self._is_new else None
        entries = await self._stream.read(state.seq, by=by, wait_s=wait_s)
        self._is_new = self._is_new and not entries
        return entries

    async def copy(self, entry: Entry, state: FleetState, touched: Touched) -> None:
        """Write an entry to the copy; the state is as of after it. Raises JournalError."""
        await self._database.write(self._writing(JournalBatch(list(entry.records), state, touched, entry.texts, list(entry.artifacts))))
        self._note(entry)

    def answer_to(self, call: str) -> bytes | None:
        """Return what a call of another engine was answered with lately; None = it is not known here that it was carried out."""
        return self._answers.find(call)

    async def begin(self, last: int) -> None:
        """Have a shared journal that is empty go on from what this engine has, before it writes the first batch. Raises JournalError."""
        if last and not await self._stream.tail():
            await self.snapshot()

    async def keep_short(self, seq: int) -> None:
        """Make a snapshot as of about record `seq`, and trim the journal behind it, once enough came after the last. Raises JournalError."""
        last = await self._stream.snapshot_last()
        if last != self._snapshot:  # it is another engine's: what came between it and now is not counted
            self._snapshot, self._grown = last, 0
        is_long = seq - last >= SNAPSHOT_RECORDS or self._grown >= SNAPSHOT_BYTES
        if is_long and self._grown * SNAPSHOT_SHARE >= self.database.path.stat().st_size - SNAPSHOT_BYTES:
            await self.snapshot()

    async def snapshot(self) -> None:
        """Keep this engine's copy for engines that come new, and trim the shared journal behind it. Raises JournalError."""
        leader = self._may_write()
        if leader is None:
            raise JournalError("only the engine that leads makes snapshots")
        target = self.database.path.with_name(SNAPSHOT_NAME)
        target.unlink(missing_ok=True)
        former, grown = self._snapshot, self._grown
        try:
            contents = await self.backup(target)
            await self._stream.put_snapshot(contents.last, target, by=leader)
        finally:
            target.unlink(missing_ok=True)
        self._snapshot, self._grown = contents.last, self._grown - grown
        within = KEPT_BYTES * (contents.last - former) // grown if grown else KEPT_RECORDS
        await self._stream.trim(keep=min(KEPT_RECORDS, within))

    def _note(self, entry: Entry) -> None:
        """Keep in mind what is known of an entry that is in the shared journal."""
        self._answers.add(entry.last, entry.answers)
        self._grown += sum(map(len, entry.texts)) + sum(len(kept.data) for kept in entry.artifacts)

    async def _put(self, entry: Entry) -> None:
        """Write an entry to the shared journal, after what that has lost of ours."""
        try:
            await self._stream.append(entry, deadline_s=APPEND_WITHIN_S)
        except JournalGap:
            await self._push(entry)
            await self._stream.append(entry, deadline_s=APPEND_WITHIN_S)

    async def _push(self, before: Entry) -> None:
        """Write again what a server that took over never got. Raises JournalError."""
        last, by = await self._stream.newest()
        for first in range(last + 1, before.first, PUSHED_RECORDS):
            until = min(first + PUSHED_RECORDS, before.first)
            records = await self.records(after=first - 1, before=until, limit=PUSHED_RECORDS)
            if len(records) != until - first:
                raise JournalError(f"the shared journal ends at record {last}, and this engine has not all that was lost from there; nothing was written")
            for writer, part in _by_writer(records, by):
                artifacts = await self._artifacts_of(part[0].at, part[-1].at)
                by, lost = writer, Entry(*writer, tuple(part), tuple(encode(record.event) for record in part), artifacts, self._answers.within(part[0].seq, part[-1].seq))
                await self._stream.append(lost, deadline_s=APPEND_WITHIN_S, fence=before.by)

    async def _artifacts_of(self, since: float, until: float) -> tuple[StoredArtifact, ...]:
        """Return the payloads that were stored from one instant to another."""
        sql = "SELECT id, media, data, coalesce(task_id, '') FROM artifacts WHERE created_at BETWEEN ? AND ?"
        rows = await self.database.read(lambda connection: connection.execute(sql, (since, until)).fetchall())
        return tuple(StoredArtifact(*row) for row in rows)


def _by_writer(records: Sequence[Record], by: Leadership) -> Iterator[tuple[Leadership, list[Record]]]:
    """Yield records in runs, each with who wrote them first; `by` is who wrote the one before."""
    run: list[Record] = []
    for record in records:
        event = record.event
        if isinstance(event, EngineTookOver):
            if run:
                yield by, run
            by, run = Leadership(event.epoch, event.engine), []
        run.append(record)
    if run:
        yield by, run
