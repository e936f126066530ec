"""The verbs about entries of memory; part of the table in engine.model.commands."""

from __future__ import annotations

from engine.model.memory_words import Kind, Level
from engine.model.verbs import Command, Danger, Role, arg, verb

LEVELS = tuple(level.value for level in Level)
KINDS = tuple(kind.value for kind in Kind)


@verb
class RememberEntry(Command):
    """Store a value under a key."""

    name = "memory.store"
    verb = "remember"
    help = "Store a value in the fleet's memory"
    for_agents = True
    inverse = "memory.restore"

    key: str = arg("its key")
    value: str = arg("JSON, or plain text", takes_file=True)
    level: str = arg("who sees it; empty = as it is, a new entry is private", default="", choices=LEVELS, option=True)
    kind: str = arg("what it is for; empty = as it is, a new entry is semantic", default="", choices=KINDS, option=True)
    ttl: float = arg("how long it stays; 0 = for ever, -1 = as it is", default=-1.0, ge=-1, unit="s", option=True)
    tags: tuple[str, ...] = arg("words to find it by; none = as they are", default=(), option=True)
    version: int = arg("only over this version; 0 = only where there is none, -1 = whatever there is", default=-1, ge=-1, option=True)
    namespace: str = arg("namespace", default="default", option=True)
    owner: str = arg("for somebody else, by id or name; empty = mine", default="", option=True)


@verb
class ForgetEntry(Command):
    """Delete an entry."""

    name = "memory.delete"
    verb = "forget"
    help = "Delete an entry of the fleet's memory"
    for_agents = True
    inverse = "memory.restore"

    key: str = arg("its key")
    namespace: str = arg("namespace", default="default", option=True)
    owner: str = arg("whose, by id or name; empty = mine, else the only one that I may read", default="", option=True)


@verb
class PermitEntry(Command):
    """Set who may do what with an entry; the lists replace those that it has."""

    name = "memory.permit"
    verb = "permit"
    help = "Set who may use an entry of the fleet's memory"
    for_agents = True
    inverse = "memory.restore"

    key: str = arg("its key")
    level: str = arg("who sees it; empty = as it is", default="", choices=LEVELS, option=True)
    read: tuple[str, ...] = arg("who may read it, too", default=(), option=True, completes="agents")
    write: tuple[str, ...] = arg("who may overwrite it", default=(), option=True, completes="agents")
    delete: tuple[str, ...] = arg("who may delete it", default=(), option=True, completes="agents")
    namespace: str = arg("namespace", default="default", option=True)
    owner: str = arg("whose, by id or name; empty = mine, else the only one that I may read", default="", option=True)


@verb
class RestoreEntry(Command):
    """Give an entry the value and the permissions back that a record of its history has."""

    name = "memory.restore"
    verb = "restore-entry"
    help = "Give an entry of memory back what it was at a record of its history"
    for_agents = True
    danger = Danger.REVERSIBLE
    inverse = "memory.restore"

    key: str = arg("its key")
    record: int = arg("number of the record; 0 = from before it was there", ge=0)
    over: int = arg("only if it is what this record left; -1 = whatever it is", default=-1, ge=-1, option=True)
    namespace: str = arg("namespace", default="default", option=True)
    owner: str = arg("whose, by id or name; empty = mine", default="", option=True)
    conflicts: int = arg("open the conflicts again that this record settled; 0 = settle those there are, -1 = as they are", default=-1, ge=-1, option=True)


@verb
class ConsolidateMemory(Command):
    """Make summaries of episodes that are old enough, as the engine does once an hour."""

    name = "memory.consolidate"
    verb = "consolidate"
    help = "Make summaries of old episodes of the fleet's memory, now"
    role = Role.ADMIN
    danger = Danger.DESTRUCTIVE
    irreversible = "the episodes stay in the journal; `restore-entry` gives one back as it was"

    namespace: str = arg("only of this namespace; empty = all", default="")
    older: float = arg("older than this; -1 = than memory.episodic_s", default=-1.0, ge=-1, unit="s", option=True)


@verb
class EraseOwner(Command):
    """Erase all that somebody owns in memory, with its history and its keys."""

    name = "memory.erase"
    verb = "erase"
    help = "Erase all that somebody owns in the fleet's memory, with its history and its keys"
    role = Role.ADMIN
    danger = Danger.DESTRUCTIVE
    irreversible = "values, their history and their keys are gone for good; only a backup from before may still have them"
    is_typed = True

    owner: str = arg("whose, by id or name")


@verb
class ResolveConflict(Command):
    """Settle a conflict, here and at all peers. What lost stays in the entry's history."""

    name = "memory.resolve"
    verb = "resolve"
    help = "Settle a conflict of memory: keep what won, take what lost, or store a merged value"
    for_agents = True
    inverse = "memory.restore"

    key: str = arg("the entry's key")
    take: str = arg("the version that lost and shall be read from now on, by name or number; empty = keep what won", default="", option=True)
    value: str = arg("store this instead: JSON, or plain text; empty = one of the versions", default="", takes_file=True, option=True)
    namespace: str = arg("namespace", default="default", option=True)
    owner: str = arg("whose, by id or name; empty = mine, else the only one that I may read", default="", option=True)


@verb
class SynchronizeMemory(Command):
    """Exchange what changed with other engines now, without waiting for the interval."""

    name = "memory.synchronize"
    verb = "synchronize"
    help = "Exchange entries of memory with the peers now"
    role = Role.ADMIN
    danger = Danger.NONE
    irreversible = "what was exchanged is known on both sides; restore single entries from their history"

    peer: str = arg("only with this one, by its address; empty = with all", default="")


MemoryVerb = RememberEntry | ForgetEntry | PermitEntry | RestoreEntry | ConsolidateMemory | EraseOwner | ResolveConflict
