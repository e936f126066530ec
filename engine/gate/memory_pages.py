"""What a console asks of memory: a page of a list, all that somebody may see of one entry, its versions, and who may use it.

Owner: nobody; functions only. Nothing here decides who may see what: that is asked of the ACL, entry by entry, before
anything is put into an answer.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

from engine.gate.queries import Sources
from engine.memory.access import access_to
from engine.memory.browsing import called, known_agents, known_head, listed, value_at
from engine.memory.changing import no_entry
from engine.memory.listing import Listing
from engine.memory.store import Memory
from engine.model import wire
from engine.model.entry_rows import (
    EntryRow,
    EntrySheet,
    EntryValue,
    EntryVersion,
    entry_at,
    path_of,
)
from engine.model.errors import FleetError, UsageError
from engine.model.events import Audited
from engine.model.fields import kind_of
from engine.model.filters import Filter, FilterError, parse_filter
from engine.model.memory import Action, EntryId, Head, Principal, RetrieveOptions
from engine.model.plans import AuditEntry

Parameters = dict[str, object]

VALUE_SHOWN_MAX = 256 * 1024
"""Characters of a value that are shown; of a larger one its beginning is."""
VERSIONS_MAX = 50
ACCOUNT_WITHIN = 8
"""Records after a change among which its line of the audit is."""


async def entries(sources: Sources, principal: Principal, parameters: Parameters) -> object:
    """Return an EntryPage of the entries that somebody may know of and that pass a filter."""
    memory = memory_of(sources)
    wanted = _filter(str(parameters.get("filter") or ""))
    limit = parameters.get("limit", 200)
    if not isinstance(limit, int) or isinstance(limit, bool):
        raise UsageError(f"limit must be a whole number, not {limit!r}")
    listing = Listing(str(parameters.get("sort") or ""), parameters.get("reverse") is True, str(parameters.get("after") or ""), limit, parameters.get("inclusive") is True)
    return await listed(memory, listing, wanted, row_maker(memory, principal))


async def sheet(sources: Sources, principal: Principal, parameters: Parameters) -> object:
    """Return an EntrySheet. Raises NotFound."""
    memory, id_ = memory_of(sources), entry_at(str(parameters.get("id") or ""))
    head = known_head(memory, principal, id_)
    row = row_maker(memory, principal)(head)
    if row is None:
        raise no_entry(id_)
    value = await _value(memory, principal, id_, whole=parameters.get("whole") is True)
    metadata = head.metadata if row.may_read else {}
    return EntrySheet(row, head.permissions, head.team, head.ttl_s or 0.0, metadata, value)


async def versions(sources: Sources, principal: Principal, parameters: Parameters) -> object:
    """Return EntryVersions, newest first, those that somebody may read. Raises NotFound."""
    memory, id_ = memory_of(sources), entry_at(str(parameters.get("id") or ""))
    found = []
    for version in memory.history(principal, id_, VERSIONS_MAX):
        head, account = version.head, await _account_of(sources, version.record)
        did = "deleted" if head.is_deleted else "permitted" if version.kept is None else "stored"
        found.append(
            EntryVersion(
                version.record,
                head.version,
                version.at,
                called(memory, head.writer),
                head.permissions.level,
                head.kind,
                head.size,
                did,
                account.reason if account else "",
                account.plan if account else "",
            )
        )
    return found


async def version(sources: Sources, principal: Principal, parameters: Parameters) -> object:
    """Return the EntryValue that an entry had after a record. Raises NotFound."""
    memory, id_, record = memory_of(sources), entry_at(str(parameters.get("id") or "")), parameters.get("record")
    if not isinstance(record, int) or isinstance(record, bool):
        raise UsageError(f"record must be the number of a record, not {record!r}")
    found = value_at(memory, principal, id_, record)
    if found is None:
        return EntryValue(refused="there was no value then")
    return shown_value(found.value, whole=False)


async def access(sources: Sources, principal: Principal, parameters: Parameters) -> object:
    """Return who may do what with an entry. Raises NotFound, Denied."""
    memory, id_ = memory_of(sources), entry_at(str(parameters.get("id") or ""))
    head = memory.head(principal, id_)
    return access_to(memory.settings.acl, head, known_agents(memory))


def row_maker(memory: Memory, principal: Principal) -> Callable[[Head], EntryRow | None]:
    """Return what makes the row that somebody may see of an entry; None for one that they may not know of."""
    acl = memory.settings.acl

    def row_of(head: Head) -> EntryRow | None:
        may_read, may_write, may_delete = (acl.may(principal, action, head).allowed for action in (Action.READ, Action.WRITE, Action.DELETE))
        if not (may_read or may_write or may_delete):
            return None
        id_ = head.id
        return EntryRow(
            path_of(id_),
            id_.key,
            called(memory, id_.owner),
            id_.namespace,
            head.permissions.level,
            head.kind,
            head.size,
            head.version,
            called(memory, head.writer),
            head.created_at,
            head.updated_at,
            head.expires_at or 0.0,
            " ".join(head.tags) if may_read else "",
            id_.owner,
            head.record,
            head.previous,
            may_read,
            may_write,
            may_delete,
            acl.may(principal, Action.PERMIT, head).allowed,
        )

    return row_of


def memory_of(sources: Sources) -> Memory:
    """Return the memory that questions are about; memory_queries has made sure that there is one."""
    assert sources.memory is not None, "memory_queries asks first"
    return sources.memory


def _filter(text: str) -> Filter:
    try:
        wanted = parse_filter(text, kind_of("memory"))
    except FilterError as error:
        raise UsageError(f"filter: {error}") from error
    if any(term.kind == "regex" for term in wanted.terms):
        raise UsageError(NO_REGEX)
    return wanted


NO_REGEX = "-r cannot be used for memory, since one regular expression can keep the whole engine busy; use words, -f or fields"


async def _value(memory: Memory, principal: Principal, id_: EntryId, *, whole: bool) -> EntryValue:
    try:
        found = await memory.retrieve(principal, id_.key, RetrieveOptions(id_.namespace, id_.owner))
    except FleetError as error:  # denied, or it does not open: all else can be shown
        return EntryValue(refused=str(error).removesuffix("; nothing was changed"))
    return shown_value(found.value, whole=whole)


def shown_value(value: object, *, whole: bool) -> EntryValue:
    """Return a value as it is shown; of a long one the beginning, unless it is wanted whole."""
    text = base64.b64encode(value).decode() if isinstance(value, bytes) else wire.encode(value).decode()
    shown = text if whole else text[:VALUE_SHOWN_MAX]
    return EntryValue(is_bytes=isinstance(value, bytes), text=shown, left_out=len(text) - len(shown))


async def _account_of(sources: Sources, record: int) -> AuditEntry | None:
    """Return the line of the audit that a change was written with; None for what programs do."""
    found = await sources.journal.records(after=record - 1, before=record + ACCOUNT_WITHIN, limit=ACCOUNT_WITHIN)
    if not found or found[0].seq != record:
        return None
    together = (one.event for one in found if (one.at, one.cause) == (found[0].at, found[0].cause))
    return next((event.entry for event in together if isinstance(event, Audited)), None)
