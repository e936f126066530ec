"""Events about memory for everybody to see: no value ever, and names only of entries that are open to all. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from engine.memory.merging import is_reopened
from engine.model.events import Audited, Event, PlanApplied
from engine.model.memory import Action, Head
from engine.model.memory_commands import (
    ForgetEntry,
    PermitEntry,
    RememberEntry,
    ResolveConflict,
    RestoreEntry,
)
from engine.model.memory_events import (
    MemoryChanged,
    MemoryConflicted,
    MemoryExchanged,
    MemoryPermitted,
    MemoryPurged,
)
from engine.model.memory_words import Level
from engine.model.plans import AppliedPlan, AuditEntry
from engine.model.rows import AuditRow

NAMED_MAX = 3
_OPEN = frozenset({Level.SWARM, Level.PUBLIC})

Line = tuple[str, str, str]

AN_ENTRY = "an entry of memory"
_VERBS = (RememberEntry, ForgetEntry, PermitEntry, RestoreEntry, ResolveConflict)
_ACTIONS = frozenset({*(kind.name for kind in _VERBS), *(f"memory.{action}" for action in Action)})
_FIRST_WORDS = frozenset(kind.verb for kind in _VERBS)


def is_about_entry(entry: AuditEntry | AuditRow) -> bool:
    """Answer whether a line of the audit may name an entry."""
    return bool(entry.entry) or entry.action in _ACTIONS


def is_plan_about_entries(plan: AppliedPlan) -> bool:
    """Answer whether a plan may name entries."""
    return plan.summary.partition(" ")[0] in _FIRST_WORDS


def exchange_line(event: MemoryConflicted | MemoryExchanged) -> Line:
    """Return the same for an event about other engines."""
    if isinstance(event, MemoryExchanged):
        return "info", "memory", f"changes of {event.peer} are here up to its record {event.progress.pulled.record}, ours there up to {event.progress.pushed.record}"
    lost, settled = len(event.losers), len(event.settled)
    if lost:
        names = _names([loser.head for loser in event.losers])
        if all(is_reopened(loser.head) for loser in event.losers):
            return "warning", "memory", f"{names} is in conflict again: see conflicts"
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
    if isinstance(event, Audited) and is_about_entry(event.entry):
        return {"entry": without_entry(event.entry)}
    if isinstance(event, PlanApplied) and is_plan_about_entries(event.plan):
        return {"plan": without_entries(event.plan)}
    if isinstance(event, MemoryChanged | MemoryPermitted):
        return {"entries": [_shown(head) for head in event.heads]}
    if isinstance(event, MemoryPurged):
        return {"entries": len(event.entries)}
    if isinstance(event, MemoryConflicted):
        return {"losers": [_shown(loser.head) for loser in event.losers], "settled": len(event.settled)}
    return event


def without_entries(plan: AppliedPlan) -> AppliedPlan:
    """Return a plan without the names of entries."""
    return replace(plan, summary=plan_words(plan), calls=(), inverse=(), steps=())


def without_entry(entry: AuditEntry) -> AuditEntry:
    """Return a line of the audit without the name of an entry, what describes it, and a refusal's words, which may have both."""
    return replace(entry, target=AN_ENTRY, before="", after="", result=bare_result(entry.result), entry="")


def bare_result(result: str) -> str:
    """Return what came of an act, without the words of a refusal."""
    return result if result == "done" else "refused"


def plan_words(plan: AppliedPlan) -> str:
    """Return a plan in words that name no entry."""
    return f"{plan.summary.partition(' ')[0]} {AN_ENTRY}" if is_plan_about_entries(plan) else plan.summary


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
        return AN_ENTRY if rest == 1 else f"{rest} entries of memory"
    return ", ".join(named) + (f" and {rest} more" if rest else "")


def _writers(heads: Sequence[Head]) -> str:
    names = sorted({head.writer for head in heads})
    return names[0] if len(names) == 1 else f"{len(names)} writers"


def _count(number: int) -> str:
    return f"{number} tombstone{'' if number == 1 else 's'}"
