"""What storing, deleting and permitting make of an entry: pure, from its head as it is to its head as it will be."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from engine.memory.acl import Acl
from engine.memory.merging import dot_of, end_of, lineage_after, reopened
from engine.memory.values import Encoded
from engine.model.errors import Conflict, Denied, FleetError, NotFound, UsageError
from engine.model.memory import (
    KEY_MAX,
    NO_PERMISSIONS,
    Action,
    Dot,
    EntryId,
    Head,
    Permissions,
    Principal,
    StoreOptions,
)
from engine.model.memory_words import Kind
from engine.model.replication import Carried

NULL = b"null"
EXPIRED = "expired"
"""Who writes the tombstone of an expired entry."""
_SEMANTIC, _CREATE, _WRITE = Kind.SEMANTIC, Action.CREATE, Action.WRITE
"""Looked up once: naming a member of an enum takes 0.07 µs."""
TTL_MAX_S = 100 * 365 * 86_400.0
NAMES_MAX = 1_000
"""Names on the lists of an entry."""


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where the owner of an entry belongs."""

    team: str = ""
    swarm: str = ""


# Structs, and none that the collector follows: frozen dataclasses cost 1 µs a change more.
class Store(msgspec.Struct, frozen=True, gc=False):
    """Store a value."""

    principal: Principal
    id: EntryId
    value: Encoded
    options: StoreOptions
    place: Place | None
    """The owner's, if it is known now."""
    embedding: bytes = b""
    """Little-endian float32, normalised; empty = none."""
    embedder: str = ""
    settles: bool = False
    """It stands for the conflicts of the entry, too."""
    settled: tuple[Carried, ...] = ()
    """These, in full, for undo."""
    reopens: tuple[Carried, ...] = ()
    """Versions that lost once and are in conflict with it again."""


class Delete(msgspec.Struct, frozen=True, gc=False):
    """Leave a tombstone."""

    principal: Principal
    id: EntryId
    expected_version: int | None = None
    settles: bool = False
    settled: tuple[Carried, ...] = ()
    reopens: tuple[Carried, ...] = ()


class Permit(msgspec.Struct, frozen=True, gc=False):
    """Set who may do what."""

    principal: Principal
    id: EntryId
    permissions: Permissions
    expected_version: int | None = None


Change = Store | Delete | Permit


@dataclass(frozen=True, slots=True)
class Rules:
    """What decisions go by beside the entries themselves."""

    acl: Acl
    working_ttl_s: float
    life: str = ""
    """Of the engine: names the versions that it makes."""


def decide_change(change: Change, old: Head | None, now: float, rules: Rules, dot: Dot) -> Head:
    """Return the head as it will be; `dot` has a number above those of all versions that this life made. Raises Denied, NotFound, Conflict, UsageError."""
    head = _decided(change, old, now, rules, lineage_after(old, dot))
    if isinstance(change, Permit) or not change.reopens:
        return head
    again = tuple(map(dot_of, reopened([one.head for one in change.reopens], dot)))
    return msgspec.structs.replace(head, rivals=(*again, *head.rivals), heard=again)


def _decided(change: Change, old: Head | None, now: float, rules: Rules, lineage: tuple[Dot, ...]) -> Head:
    there = old if old is not None and old.is_there(now) else None
    if isinstance(change, Store):
        return _stored(change, (old, there), now, rules, lineage)
    if there is None and old is not None and isinstance(change, Delete) and (change.settles or change.reopens):
        there = old  # it stays deleted, and what lost against that is settled, or open again
    if there is None:
        raise no_entry(change.id)
    require(change.principal, Action.DELETE if isinstance(change, Delete) else Action.PERMIT, there, rules.acl)
    _require_version(change.id, change.expected_version, there)
    if isinstance(change, Permit):
        check_permissions(change.permissions)
        _require_after(change.principal, msgspec.structs.replace(there, permissions=change.permissions), rules.acl)
        return _next(there, change, now, lineage)
    return tombstone(there, change.principal.name, now, lineage, settles=change.settles)


def tombstone(head: Head, writer: str, now: float, lineage: tuple[Dot, ...], *, settles: bool = False) -> Head:
    """Return what is left of an entry: its name, who might see it, and its version."""
    rivals = () if settles else head.rivals
    return Head(
        head.id,
        head.kind,
        head.permissions,
        head.team,
        head.swarm,
        writer,
        head.version + 1,
        head.created_at,
        now,
        is_deleted=True,
        previous=head.record,
        lineage=lineage,
        spared=rivals,
        rivals=rivals,
    )


def ended(head: Head) -> Head:
    """Return the tombstone that age makes of an entry: the same on every engine that has this version."""
    assert head.expires_at is not None, f"{head.id} stays for ever"
    left = tombstone(head, EXPIRED, head.expires_at, end_of(head))
    return msgspec.structs.replace(left, spared=head.spared, rivals=head.rivals, heard=head.heard)


def check_id(id_: EntryId) -> None:
    """Raise UsageError for what cannot name an entry."""
    text = "".join(id_)
    if len(text) <= KEY_MAX and all(id_) and text.isprintable():
        return  # of nearly all: nothing in it is too long
    for word, text in zip(("namespace", "owner", "key"), id_, strict=True):
        if not text or len(text) > KEY_MAX:
            raise UsageError(f"a {word} has 1 to {KEY_MAX} characters, not {len(text)}")
        if not text.isprintable():
            raise UsageError(f"a {word} has printable characters only; {text[:40]!r} does not")


def check_permissions(permissions: Permissions) -> None:
    """Raise UsageError for lists that are too long or name nobody."""
    names = [*permissions.read, *permissions.write, *permissions.delete]
    if len(names) > NAMES_MAX:
        raise UsageError(f"an entry's lists name {len(names)} in all, the most is {NAMES_MAX}; use a level for many")
    for name in names:
        if not name or not name.isprintable():
            raise UsageError(f"a list of permissions names {name!r}; give ids of agents or names of operators")


def require(principal: Principal, action: Action, head: Head, acl: Acl) -> None:
    """Raise Denied, or NotFound for whoever may not even know that the entry is there."""
    verdict = acl.may(principal, action, head)
    if verdict.allowed:
        return
    if action is not Action.CREATE and not acl.may_know(principal, head):
        raise no_entry(head.id)
    raise _denied(principal, action, head, verdict.because)


def _require_after(principal: Principal, head: Head, acl: Acl) -> None:
    """Raise Denied for permissions that somebody may not give; of the entry itself they know."""
    verdict = acl.may(principal, Action.PERMIT, head)
    if not verdict.allowed:
        raise _denied(principal, Action.PERMIT, head, verdict.because)


def _denied(principal: Principal, action: Action, head: Head, because: str) -> Denied:
    return Denied(f"{principal.name} may not {_WORDS[action]} {head.id}: {because}; nothing was changed")


def no_entry(id_: EntryId) -> FleetError:
    """Return the refusal for an entry that is not there, or not to be known of: both read the same."""
    return NotFound(f"no entry {id_} in memory, or it is not for you")


_WORDS = {
    Action.READ: "read",
    Action.CREATE: "store",
    Action.WRITE: "overwrite",
    Action.DELETE: "delete",
    Action.PERMIT: "change who may use",
}


def _stored(change: Store, found: tuple[Head | None, Head | None], now: float, rules: Rules, lineage: tuple[Dot, ...]) -> Head:
    """Return the head of a value over what was found: the entry, a tombstone too, and the same only if it is there."""
    options, principal = change.options, change.principal
    old, there = found
    rivals = old.rivals if old and not change.settles else ()
    kind = options.kind or (there.kind if there else _SEMANTIC)
    ttl_s = None if kind is _SEMANTIC and there is None and options.ttl_s is None else _ttl_of(options, kind, there, rules)
    permissions = options.permissions or (there.permissions if there else NO_PERMISSIONS)
    place = change.place or (Place(there.team, there.swarm) if there else Place())
    head = Head(
        change.id,
        kind,
        permissions,
        place.team,
        place.swarm,
        principal.name,
        old.version + 1 if old else 1,
        there.created_at if there else now,
        now,
        ttl_s,
        now + ttl_s if ttl_s else None,
        tags=options.tags,
        metadata=options.metadata,
        media=change.value.media,
        size=len(change.value.data),
        embedder=change.embedder,
        previous=old.record if old else 0,
        lineage=lineage,
        spared=rivals,
        rivals=rivals,
    )
    if options.permissions is not None:
        check_permissions(permissions)
    if there is None:
        require(principal, _CREATE, head, rules.acl)
    else:
        require(principal, _WRITE, there, rules.acl)
        if permissions != there.permissions:
            require(principal, Action.PERMIT, there, rules.acl)
            _require_after(principal, head, rules.acl)
    if options.expected_version is not None:
        _require_version(change.id, options.expected_version, there)
    return head


def _ttl_of(options: StoreOptions, kind: Kind, there: Head | None, rules: Rules) -> float | None:
    if options.ttl_s is not None:
        if not 0 <= options.ttl_s <= TTL_MAX_S:  # nor what is no number
            raise UsageError(f"ttl is {options.ttl_s:g} s; give seconds up to {TTL_MAX_S:.0f} (100 years), 0 = for ever")
        return options.ttl_s or None
    if there is not None and options.kind in (None, there.kind):
        return there.ttl_s
    return rules.working_ttl_s or None if kind is Kind.WORKING else None


def _require_version(id_: EntryId, expected: int | None, there: Head | None) -> None:
    if expected is None:
        return
    version = there.version if there else 0
    if version != expected:
        found = f"it has version {version}, by {there.writer}" if there else "there is none"
        raise Conflict(f"{id_} was expected to have version {expected}, and {found}; read it again. Nothing was changed")


def _next(there: Head, change: Permit, now: float, lineage: tuple[Dot, ...]) -> Head:
    return msgspec.structs.replace(
        there,
        permissions=change.permissions,
        writer=change.principal.name,
        version=there.version + 1,
        value_version=there.value_version or there.version,
        updated_at=now,
        record=0,
        previous=there.record,
        lineage=lineage,
        spared=there.rivals,
        heard=(),
    )
