"""The verbs `backup`, `rotate`, `erase` and `synchronize`: who may name which place, and what their answers say.

Owner: nobody; functions only.
"""

from __future__ import annotations

import time
from pathlib import Path

from engine.gate.queries import Sources
from engine.memory.contract import Contents, Journal, Keys
from engine.memory.exchanging import Exchange
from engine.memory.verbs import owner_named
from engine.model.data_commands import BackUpFleet, RotateKeys
from engine.model.errors import CommandRefused, UsageError
from engine.model.memory_commands import EraseOwner, SynchronizeMemory
from engine.model.plans import Origin
from engine.model.verbs import Command

_ON_THIS_MACHINE = "pid "
"""How the address of a peer of the Unix socket begins."""


def check_place(command: BackUpFleet, origin: Origin) -> None:
    """Check where a backup shall lie. Raises UsageError, CommandRefused."""
    path = Path(command.file)
    if not command.file or (path.name == command.file and not path.name.startswith(".")):
        return
    if not path.is_absolute():
        raise UsageError(f"{command.file!r}: give a plain name, for the engine's own backups, or a whole path")
    if origin.via != "library" and _ON_THIS_MACHINE not in origin.address:
        raise CommandRefused("over the network a backup gets a plain name in the engine's own backups; nothing was written")


async def back_up(journal: Journal, command: BackUpFleet, now: float) -> Contents:
    """Take the backup; one without a name replaces one of the same second. Raises JournalError."""
    return await journal.backup(Path(command.file or file_name(now)), force=command.force or not command.file)


def require_keys(keys: Keys | None) -> Keys:
    """Return the keys of an encrypted memory. Raises CommandRefused when nothing is encrypted."""
    if keys is None or not keys.is_on:
        raise CommandRefused("memory is not encrypted: write encryption = true into [memory] of the configuration, and restart the engine")
    return keys


def require_peers(sources: Sources) -> Exchange:
    """Return who exchanges entries of memory. Raises CommandRefused."""
    if sources.exchanging is None:
        raise CommandRefused("this engine exchanges no entries of memory")
    return sources.exchanging


def check_memory(sources: Sources, command: Command) -> None:
    """Check whether what verbs about the whole of memory need is there. Raises CommandRefused, NotFound."""
    if isinstance(command, RotateKeys):
        require_keys(sources.keys)
    elif isinstance(command, SynchronizeMemory):
        require_peers(sources).check(command.peer)


async def work(sources: Sources, command: RotateKeys | EraseOwner | SynchronizeMemory, origin: Origin) -> str:
    """Have new keys, erase what somebody owns, or exchange entries; return in words what came of it. Raises FleetError."""
    if isinstance(command, RotateKeys):
        return await require_keys(sources.keys).rotate()
    if isinstance(command, SynchronizeMemory):
        return await require_peers(sources).synchronize(command.peer)
    if sources.erasing is None or sources.memory is None:
        raise CommandRefused("this engine keeps no memory")
    return await sources.erasing.erase(owner_named(sources.memory, command.owner), origin)


def file_name(now: float) -> str:
    """Return the name of a backup that was given none; in UTC, so that names sort by time."""
    return time.strftime("fleet-%Y%m%d-%H%M%S.db", time.gmtime(now))


def told(contents: Contents, word: str = "backup") -> str:
    """Return what was copied in one line."""
    rows = contents.rows
    return (
        f"{word} {contents.path}: {contents.bytes / 1e6:,.1f} MB, records to {contents.last:,}, "
        f"{rows['tasks']:,} tasks, {rows['agents']:,} agents{f', {contents.keys:,} keys' if contents.keys else ''}"
    )
