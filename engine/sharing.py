"""What an engine needs to share a fleet with others: the journal that they share, and its turns at leading.

Owner: nobody. Imported only where the section redis is there and is shared: what it imports needs the client.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from engine.clock import Clock
from engine.memory.shared_journal import SharedJournal
from engine.model.errors import JournalDiverged, JournalError, JournalTrimmed
from engine.redis.command_stream import CommandStream
from engine.redis.journal_stream import JournalStream
from engine.redis.lease import Lease
from engine.redis.link import RedisLink
from engine.redis.region_lease import RegionLease
from engine.regions.right import Right
from engine.state import FleetState
from engine.turns import Turns, may_write

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Member:
    """An engine that shares a region."""

    engine: str
    clock: Clock
    right: Right | None = None
    """Its site's to decide for the region; None = it knows no other regions."""


async def open_shared(link: RedisLink, path: Path, member: Member, *, finished_max: int) -> tuple[SharedJournal, Turns, FleetState]:
    """Return the journal of a region with this engine's copy of it, the engine's turns, and the state as of now.

    A copy that the journal does not go on from is set aside, and made anew from the snapshot of the engine that leads. Raises JournalError.
    """
    section, engine, clock, right = link.section, member.engine, member.clock, member.right
    stream = JournalStream(link, section.region, clock, durability=section.durability)
    lease = Lease(link, section.region, clock, lease_s=section.lease_s) if right is None else RegionLease(link, right, clock)
    calls = CommandStream(link, section.region, engine, clock)
    taken: int | None = None  # the record of the snapshot that the copy was made from; None = it is this engine's own
    while True:
        # The copy need not survive power loss: what it lacks is read from the shared journal.
        journal = await SharedJournal.open(path, synchronous="normal")
        try:
            journal.share(stream, section.region, partial(may_write, lease), is_new=taken is not None)
            turns = Turns(engine, lease, journal, calls, clock)
            return journal, turns, await journal.load(finished_max)
        except (JournalTrimmed, JournalDiverged) as error:
            await journal.close()
            if taken is None:
                _set_aside(path, error, clock)
            elif await stream.snapshot_last() <= taken:
                raise  # else the leader made a newer one meanwhile, and trimmed what goes on from the one that was taken
            taken = await stream.get_snapshot(path)
        except BaseException:
            await journal.close()
            raise


def _set_aside(path: Path, why: JournalError, clock: Clock) -> None:
    """Keep a copy that does not belong to this journal under another name. Raises JournalError."""
    at = datetime.fromtimestamp(clock.now(), UTC).strftime("%Y%m%dT%H%M%S")
    aside = path.with_name(f"{path.name}.aside-{at}")
    try:
        path.rename(aside)
        for end in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                path.with_name(path.name + end).rename(aside.with_name(aside.name + end))
    except OSError as error:
        raise JournalError(f"{path} does not belong to the shared journal ({why}) and cannot be set aside: {error.strerror}") from error
    logger.warning("this engine's file does not go with the shared journal; it is set aside and made anew", extra={"file": str(aside), "reason": str(why)})
