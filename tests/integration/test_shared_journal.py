"""An engine that is stopped while it writes to the shared journal writes that, and what gathered meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from engine.memory.shared_journal import SharedJournal
from engine.model.journal_entries import Entry, Leadership
from engine.model.pool_events import PoolConfigured, PoolScaled
from engine.model.pools import PoolSpec

from tests.integration.journal_lives import Life


class Held:
    """A shared journal whose answer does not come until it may."""

    def __init__(self, *, arrives: bool) -> None:
        self.arrives = arrives
        """What is sent is there, though its answer is not."""
        self.entries: dict[int, Entry] = {}
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()

    async def append(self, entry: Entry, *, deadline_s: float, fence: Leadership | None = None) -> None:  # noqa: ARG002  # as the server's
        if self.arrives or self.go_on.is_set():
            assert entry.first == max((one.last for one in self.entries.values() if one.first != entry.first), default=0) + 1, "it goes on from the last"
            self.entries[entry.first] = entry
        self.asked.set()
        await self.go_on.wait()


@pytest.mark.parametrize("arrives", [False, True])
async def test_what_was_cut_is_written_before_what_comes_after_it(tmp_path: Path, arrives: bool) -> None:  # noqa: FBT001
    journal, held, life = await SharedJournal.open(tmp_path / "fleet.db", synchronous="normal"), Held(arrives=arrives), Life(1)
    try:
        journal.share(held, "local", lambda: Leadership(1, "eng_a"), is_new=False)  # type: ignore[arg-type]  # what writing needs of it
        life.do(PoolConfigured(PoolSpec("work", 0, 9), 0))
        cut = asyncio.ensure_future(journal.append(life.batch()))
        await held.asked.wait()
        cut.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cut
        life.do(PoolScaled("work", 3, "more"))
        held.go_on.set()
        await journal.append(life.batch())
        assert [(entry.first, entry.last) for _, entry in sorted(held.entries.items())] == [(1, 1), (2, 2)]
        assert [record.seq for record in await journal.records()] == [1, 2]
    finally:
        await journal.close()
