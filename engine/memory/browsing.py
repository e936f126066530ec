"""What consoles read of a memory: pages in any order, what may be known of one entry, values that it had, and who there is.

Owner: nobody; functions on a Memory. The ACL is asked for every entry, as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.memory.access import Known
from engine.memory.changing import no_entry
from engine.memory.listing import Listing
from engine.memory.store import SWARM, Memory
from engine.memory.values import decode_value
from engine.model.entry_rows import EntryPage, EntryRow
from engine.model.errors import NotFound
from engine.model.filters import Filter
from engine.model.ids import AgentId
from engine.model.memory import Action, Entry, EntryId, Head, Principal, PrincipalKind


def called(memory: Memory, id_: str) -> str:
    """Return what people call an agent, by its id; any other name stands for itself. Safe in any thread."""
    agent = memory.keeper.state.agents.get(AgentId(id_)) if memory.keeper else None
    return agent.spec.name if agent else id_


def known_agents(memory: Memory) -> list[Known]:
    """Return all agents of the fleet."""
    agents = memory.keeper.state.agents.values() if memory.keeper else ()
    return [Known(Principal(agent.spec.id, PrincipalKind.AGENT, agent.spec.pool, SWARM), agent.spec.name) for agent in agents]


async def listed(memory: Memory, listing: Listing, wanted: Filter, row_of: Callable[[Head], EntryRow | None]) -> EntryPage:
    """Return a page of the entries that pass a filter, of those that row_of() has a row for. Raises UsageError, JournalError."""
    listing.check()
    return await memory.entries.listed(listing, wanted, row_of, memory.clock.now())


def known_head(memory: Memory, principal: Principal, id_: EntryId) -> Head:
    """Return an entry that somebody may do anything with, if only overwrite it, without its value. Raises NotFound."""
    found = memory.durable_head(id_)
    if found is None or not found.is_there(memory.clock.now()) or not memory.settings.acl.may_know(principal, found):
        raise no_entry(id_)
    return found


def value_at(memory: Memory, principal: Principal, id_: EntryId, record: int) -> Entry | None:
    """Return an entry as a record left it; None where it was deleted. Raises NotFound, also for what may not be read."""
    now, then = memory.durable_head(id_), memory.entries.version_at(record, id_)
    acl = memory.settings.acl
    if now is None or then is None or not all(acl.may(principal, Action.READ, head).allowed for head in (now, then.head)):
        raise no_entry(id_)
    head = then.head
    if head.is_deleted or then.kept is None:
        return None
    stored = memory.entries.artifact_now(head.artifact) if head.artifact else then.kept
    if stored is None:
        raise NotFound(f"a value that {id_} had is not kept any more")
    return Entry(head, decode_value(head.media, memory.seal.open(head, stored)))
