"""The verbs about entries, decided and described: the same rules as for programs, with an operator as the principal.

Owner: nobody; `MemoryVerbs` looks at a Memory. Values stay out of plans and of the audit: they say size and sort.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from engine.memory.access import access_change
from engine.memory.browsing import known_agents
from engine.memory.changing import Change, Delete, Permit, Store, check_id, no_entry
from engine.memory.consolidating import ENTRIES_MAX, Consolidating, told
from engine.memory.drafting import Draft
from engine.memory.entries import Kept
from engine.memory.resolving import changes_for, with_conflicts
from engine.memory.store import Memory
from engine.memory.values import BYTES, Encoded, Unsealed
from engine.model import wire
from engine.model.entry_rows import path_of
from engine.model.errors import Ambiguous, Conflict, NotFound, UsageError
from engine.model.memory import (
    NO_PERMISSIONS,
    Action,
    ChangedEntry,
    Consolidated,
    EntryId,
    Head,
    Permissions,
    Principal,
    PrincipalKind,
    RetrieveOptions,
    StoreOptions,
)
from engine.model.memory_commands import (
    ConsolidateMemory,
    EraseOwner,
    ForgetEntry,
    PermitEntry,
    RememberEntry,
    ResolveConflict,
    RestoreEntry,
)
from engine.model.memory_words import Kind, Level
from engine.model.plans import Call, Origin, PlanStep
from engine.model.verbs import Command, Role
from engine.model.wire import call_of
from engine.state.deciding import Deciding, Decision

_DAY_S = 86_400.0


def principal_of(origin: Origin) -> Principal:
    """Return an operator as who asks; the engine itself may do everything."""
    if origin.via == "engine":
        return Principal(origin.who, PrincipalKind.ENGINE, role=Role.ADMIN)
    return Principal(origin.who, PrincipalKind.OPERATOR, role=Role(origin.role))


def owner_named(memory: Memory, word: str) -> str:
    """Return whose entries are meant: an agent's id for its name; any other word stands for itself."""
    try:
        return memory.agent(word).name if word else ""
    except NotFound:
        return word


def acting(memory: Memory, origin: Origin) -> Principal:
    """Return as whom somebody acts on memory: an agent's program as the agent, anybody else as operator. Raises NotFound, Denied."""
    if not origin.attempt:
        return principal_of(origin)
    agent, _, attempt = origin.attempt.partition("/")
    return memory.agent(agent, attempt)


class MemoryVerbs:
    """Decides and describes."""

    def __init__(self, memory: Memory, consolidating: Consolidating, extent: Callable[[str], tuple[int, int]]) -> None:
        """`extent` says how many entries somebody owns, and their bytes."""
        self._memory = memory
        self._extent = extent
        self._consolidating = consolidating

    def decide(self, commands: Sequence[Command], deciding: Deciding, next_record: int) -> Decision:
        """Return the events of a plan, all of it or none. Raises FleetError."""
        asked = [self._changes(command, deciding) for command in commands]
        changes = [change for several in asked for change in several]
        draft = self._draft(changes, deciding, next_record)
        heads = iter(draft.decide(changes))
        events, artifacts = draft.finish(self._memory.seal)
        last = next_record + len(events) - 1  # of the record that tells of conflicts, if there is one
        values = [self._answer(command, several, [next(heads) for _ in several], last) for command, several in zip(commands, asked, strict=True)]
        return Decision(events, values, artifacts)

    def describe(self, command: Command, deciding: Deciding) -> PlanStep:
        """Return what a verb would do, without the value. Raises FleetError as deciding would."""
        if isinstance(command, ConsolidateMemory):
            return self._describe_summaries(command, self._changes(command, deciding))
        if isinstance(command, EraseOwner):
            return self._describe_erasing(command)
        if isinstance(command, ResolveConflict):
            return self._describe_settling(command, deciding)
        change = self._change(command, deciding)
        old = self._memory.shelf.heads((change.id,)).get(change.id)
        there = old if old is not None and old.is_there(deciding.now) else None
        [new] = self._draft([change], deciding, 0).decide([change])
        effect = "kept as a tombstone; undo brings it back" if new.is_deleted else "; ".join((_readers(new.permissions), _stays(new), *self._turns(there, new)))
        effect += _conflicts_after(change)
        return PlanStep(_without_value(command), str(change.id), _words(there), _words(None if new.is_deleted else new), effect, entry=path_of(change.id))

    def _turns(self, old: Head | None, new: Head) -> list[str]:
        """Return who gains or loses something by a change of permissions."""
        if old is None or old.permissions == new.permissions:
            return []
        return access_change(self._memory.settings.acl, old, new, known_agents(self._memory)) or ["nobody there is gains or loses anything"]

    def _draft(self, changes: Sequence[Change], deciding: Deciding, next_record: int) -> Draft:
        heads = self._memory.shelf.heads({change.id for change in changes})
        return Draft(next_record, heads, deciding.now, self._memory.settings.rules())

    def _changes(self, command: Command, deciding: Deciding) -> Sequence[Change]:
        if isinstance(command, ConsolidateMemory):
            older_s = command.older if command.older >= 0 else None
            return self._consolidating.changes(acting(self._memory, deciding.origin), deciding.now, older_s=older_s, namespace=command.namespace)
        if isinstance(command, ResolveConflict):
            return self._settling(command, acting(self._memory, deciding.origin))
        return (self._change(command, deciding),)

    def _settling(self, command: ResolveConflict, principal: Principal) -> Sequence[Change]:
        if command.take and command.value:
            raise UsageError("give either the version to take or a value to store, not both")
        id_ = self._in_conflict(principal, command)

        def merged(head: Head) -> Store:
            options = StoreOptions(id_.namespace, id_.owner, tags=head.tags, metadata=head.metadata)
            return self._memory.prepared(principal, (id_.key, _value_of(command.value), options))

        return changes_for(self._memory, principal, id_, take=command.take, merged=merged if command.value else None)

    def _in_conflict(self, principal: Principal, command: ResolveConflict) -> EntryId:
        """Return the entry that is meant, which may be deleted. Raises NotFound, Ambiguous."""
        own = EntryId(command.namespace, owner_named(self._memory, command.owner) or principal.name, command.key)
        check_id(own)
        if command.owner or own in self._memory.shelf.heads((own,)):
            return own
        found = self._memory.entries.in_conflict(command.namespace, command.key)
        if len(found) > 1:
            raise Ambiguous(f"{len(found)} entries with the key {command.key!r} are in conflict; say whose is meant: {', '.join(sorted(id_.owner for id_ in found))}")
        return found[0] if found else own

    def _describe_settling(self, command: ResolveConflict, deciding: Deciding) -> PlanStep:
        changes = self._changes(command, deciding)
        id_ = changes[0].id
        old = self._memory.shelf.heads((id_,))[id_]
        new = self._draft(changes, deciding, 0).decide(changes)[-1]
        what = "a merged value" if command.value else "what lost is taken" if command.take else "what won stays"
        rest = f"{what}; {_counted(len(old.rivals), 'conflict')} settled here and at all peers, what lost stays in the history"
        return PlanStep(_without_value(command), str(id_), _words(None if old.is_deleted else old), _words(None if new.is_deleted else new), rest, entry=path_of(id_))

    @staticmethod
    def _answer(command: Command, changes: Sequence[Change], heads: Sequence[Head], last: int) -> Consolidated | ChangedEntry:
        if isinstance(command, ConsolidateMemory):
            return told(changes)
        first, head, change = heads[0], heads[-1], changes[-1]
        conflicts = -1
        if not isinstance(change, Permit):
            conflicts = last if change.settled else 0 if change.reopens else -1
        return ChangedEntry(*head.id, head.version, head.record, first.previous, conflicts)

    def _describe_summaries(self, command: ConsolidateMemory, changes: Sequence[Change]) -> PlanStep:
        """Return how much would become summaries; whose and what about, only those may know who may read it."""
        found, call, target = told(changes), call_of(command), command.namespace or "memory"
        age = _age(self._consolidating.age_s(command.older if command.older >= 0 else None))
        if not found.episodes:
            return PlanStep(call, target, f"no episode older than {age}", "as it is", changes=False)
        more = f"; of more than {ENTRIES_MAX} the oldest, ask again for the rest" if found.episodes == ENTRIES_MAX else ""
        return PlanStep(
            call,
            target,
            f"{_counted(found.episodes, 'episode')} older than {age}, of {_counted(found.owners, 'owner')}",
            f"{_counted(found.summaries, 'summary', 'summaries')} and tombstones",
            f"a summary is for those who may read its episodes{more}",
        )

    def _describe_erasing(self, command: EraseOwner) -> PlanStep:
        """Return how much would be gone, for whoever has to agree to it."""
        owner = owner_named(self._memory, command.owner)
        entries, size = self._extent(owner)
        keys = ", and its keys, so that no copy of the database opens" if not isinstance(self._memory.seal, Unsealed) else ""
        return PlanStep(
            call_of(command),
            owner,
            f"{_counted(entries, 'entry', 'entries')}, {size:,} B",
            f"tombstones; no value in the journal's history{keys}",
            "left are names and times, what others stored, results and logs of tasks, other engines that exchange memory, and backups",
            "nobody can bring it back",
        )

    def _change(self, command: Command, deciding: Deciding) -> Change:
        principal = acting(self._memory, deciding.origin)
        match command:
            case RememberEntry():
                return self._memory.prepared(principal, (command.key, _value_of(command.value), self._options(principal, command)))
            case ForgetEntry():
                return Delete(principal, self._find(principal, command))
            case PermitEntry():
                return self._permitted(principal, command)
            case RestoreEntry():
                return self._restored(principal, command)
        raise UsageError(f"{command.name} is no verb about memory")

    def _permitted(self, principal: Principal, command: PermitEntry) -> Permit:
        id_ = self._find(principal, command)
        old = self._memory.shelf.heads((id_,)).get(id_)
        level = Level(command.level) if command.level else old.permissions.level if old else Level.PRIVATE
        return Permit(principal, id_, Permissions(level, *(self._owners(names) for names in (command.read, command.write, command.delete))))

    def _options(self, principal: Principal, command: RememberEntry) -> StoreOptions:
        owner = owner_named(self._memory, command.owner)
        heads = self._memory.shelf.heads([EntryId(command.namespace, owner or principal.name, command.key)])
        old = next((head for head in heads.values() if not head.is_deleted), None)
        lists = old.permissions if old else NO_PERMISSIONS
        return StoreOptions(
            command.namespace,
            owner,
            Kind(command.kind) if command.kind else None,
            replace(lists, level=Level(command.level)) if command.level else None,
            command.ttl if command.ttl >= 0 else None,
            command.version if command.version >= 0 else None,
            command.tags or (old.tags if old else ()),
            old.metadata if old else {},
        )

    def _owners(self, words: Sequence[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(owner_named(self._memory, word) for word in words))

    def _find(self, principal: Principal, command: ForgetEntry | PermitEntry) -> EntryId:
        id_ = EntryId(command.namespace, owner_named(self._memory, command.owner) or principal.name, command.key)
        check_id(id_)
        return self._memory.find(principal, command.key, RetrieveOptions(command.namespace, owner_named(self._memory, command.owner)))

    def _restored(self, principal: Principal, command: RestoreEntry) -> Change:
        change = self._former(principal, command)
        return change if command.conflicts < 0 else with_conflicts(self._memory, change, command.conflicts)

    def _former(self, principal: Principal, command: RestoreEntry) -> Store | Delete:
        id_ = EntryId(command.namespace, owner_named(self._memory, command.owner) or principal.name, command.key)
        if command.over >= 0 and self._content(id_, self._now(id_)) != self._content(id_, self._at(command.over, id_)):
            raise Conflict(f"{id_} was changed since; look at its history, and restore what you mean. Nothing was changed")
        found = self._at(command.record, id_)
        if command.record and (found is None or not self._memory.settings.acl.may(principal, Action.READ, found[0]).allowed):
            raise no_entry(id_)
        content = self._content(id_, found)
        if content is None:
            return Delete(principal, id_)
        head, data = content
        options = StoreOptions(id_.namespace, id_.owner, head.kind, head.permissions, head.ttl_s or 0.0, None, head.tags, head.metadata)
        return Store(principal, id_, Encoded(head.media, data), options, None)

    def _now(self, id_: EntryId) -> Kept | None:
        """Return an entry as it is. Raises Conflict while a change of it is on its way."""
        kept = self._memory.entries.one(id_)
        newest = self._memory.shelf.heads((id_,)).get(id_)
        if newest is not None and (kept is None or newest.version != kept[0].version):
            raise Conflict(f"{id_} is being changed; ask again. Nothing was changed")
        return kept

    def _at(self, record: int, id_: EntryId) -> Kept | None:
        """Return an entry as a record left it, or None."""
        found = self._memory.entries.version_at(record, id_) if record else None
        return (found.head, found.kept) if found is not None and found.kept is not None else None

    def _content(self, id_: EntryId, kept: Kept | None) -> tuple[Head, bytes] | None:
        """Return what makes an entry what it is, whatever its version, and its value; None = it is not there."""
        if kept is None or kept[0].is_deleted:
            return None
        head, value = kept
        stored = self._memory.entries.artifact_now(head.artifact) if head.artifact else value
        if stored is None:
            raise NotFound(f"a value that {id_} had is not kept any more")
        same = Head(id_, head.kind, head.permissions, ttl_s=head.ttl_s, tags=head.tags, metadata=head.metadata, media=head.media)
        return same, self._memory.seal.open(head, stored)


def _conflicts_after(change: Change) -> str:
    """Return what a change does to conflicts of its entry, to be said after the rest; empty = nothing."""
    if isinstance(change, Permit) or not (change.settled or change.reopens):
        return ""
    count = _counted(len(change.settled or change.reopens), "conflict")
    return f"; {count} settled here and at all peers" if change.settled else f"; {count} open again, here and at all peers"


def _value_of(text: str) -> Any:  # noqa: ANN401  # JSON is any
    try:
        return wire.decode(text)
    except UsageError as error:
        if isinstance(error.__cause__, RecursionError):
            raise UsageError("the value is nested too deeply to be kept; nothing was changed") from error
        return text


def _without_value(command: Command) -> Call:
    call = call_of(command)
    return Call(call.name, {name: value for name, value in call.args.items() if name != "value"})


def _words(head: Head | None) -> str:
    if head is None:
        return "nothing"
    sort = "bytes" if head.media == BYTES else head.kind
    return f"version {head.version}, {head.permissions.level}, {sort}, {head.size} B"


def _readers(permissions: Permissions) -> str:
    seen = {
        Level.PRIVATE: "only its owner sees it",
        Level.TEAM: "the owner's pool sees it",
        Level.SWARM: "all agents see it",
        Level.PUBLIC: "everybody sees it",
        Level.SYSTEM: "only administrators see it",
    }[permissions.level]
    named = [
        f"{len(names)} may {word}"
        for word, names in (("read", permissions.read), ("write", permissions.write), ("delete", permissions.delete))
        if names
    ]
    return ", ".join([seen, *named])


def _counted(number: int, word: str, words: str = "") -> str:
    return f"{number:,} {word if number == 1 else words or f'{word}s'}"


def _age(seconds: float) -> str:
    return f"{seconds / _DAY_S:g} d" if seconds >= _DAY_S else f"{seconds:g} s"


def _stays(head: Head) -> str:
    return f"for {head.ttl_s:g} s" if head.ttl_s else "for ever"


