"""Events about memory for everybody to see: no value ever, and names only of entries that are open to all. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from engine.model.events import Event
from engine.model.memory import Head, Level
from engine.model.memory_events import (
    MemoryChanged,
    MemoryConflicted,
    MemoryExchanged,
    MemoryPermitted,
    MemoryPurged,
)

NAMED_MAX = 3
_OPEN = frozenset({Level.SWARM, Level.PUBLIC})

Line = tuple[str, str, str]


def exchange_line(event: MemoryConflicted | MemoryExchanged) -> Line:
    """Return the same for an event about other engines."""
    if isinstance(event, MemoryExchanged):
        return "info", "memory", f"changes of {event.peer} are here up to its record {event.progress.pulled.record}, ours there up to {event.progress.pushed.record}"
    lost, settled = len(event.losers), len(event.settled)
    if lost:
        names = _names([loser.head for loser in event.losers])
        return "warning", "memory", f"{names} was written in two places; the version that lost is kept: see conflicts"
    return "info", "memory", f"{settled} conflict{'' if settled == 1 else 's'} of memory settled"


def memory_line(event: MemoryChanged | MemoryPermitted | MemoryPurged) -> Line:
    """Return the level, the subject and the words for an event."""
    if isinstance(event, MemoryPurged):
        return "info", "memory", f"{_count(len(event.entries))} of deleted entries forgotten"
    names = _names(event.heads)
    who = _writers(event.heads)
    if isinstance(event, MemoryPermitted):
        return "info", "memory", f"{who} changed who may use {names}"
    kept = sum(not head.is_deleted for head in event.heads)
    verb = "stored" if kept == len(event.heads) else "deleted" if not kept else "changed"
    return "info", "memory", f"{who} {verb} {names}"


def shown_event(event: Event) -> object:
    """Return an event as it may be shown to whoever may look at events: of memory, without values and closed names."""
    if isinstance(event, MemoryChanged | MemoryPermitted):
        return {"entries": [_shown(head) for head in event.heads]}
    if isinstance(event, MemoryPurged):
        return {"entries": len(event.entries)}
    if isinstance(event, MemoryConflicted):
        return {"losers": [_shown(loser.head) for loser in event.losers], "settled": len(event.settled)}
    return event


def _shown(head: Head) -> dict[str, object]:
    name = {"id": str(head.id)} if _is_open(head) else {}
    return {
        **name,
        "level": head.permissions.level,
        "kind": head.kind,
        "version": head.version,
        "writer": head.writer,
        "size": head.size,
        "is_deleted": head.is_deleted,
    }


def _is_open(head: Head) -> bool:
    return head.permissions.level in _OPEN


def _names(heads: Sequence[Head]) -> str:
    named = [str(head.id) for head in heads[:NAMED_MAX] if _is_open(head)]
    rest = len(heads) - len(named)
    if not named:
        return "an entry of memory" if rest == 1 else f"{rest} entries of memory"
    return ", ".join(named) + (f" and {rest} more" if rest else "")


def _writers(heads: Sequence[Head]) -> str:
    names = sorted({head.writer for head in heads})
    return names[0] if len(names) == 1 else f"{len(names)} writers"


def _count(number: int) -> str:
    return f"{number} tombstone{'' if number == 1 else 's'}"
