"""The memory of a fleet: changes durable, reads fast, and the ACL asked first.

Owner: `Memory`, of the first cache and the loads under way. Callers name a `Principal`; who that is, the faces say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.clock import Clock
from engine.memory.acl import Acl
from engine.memory.caches import CacheFigures, ReadCache
from engine.memory.changing import (
    Delete,
    Permit,
    Place,
    Rules,
    Store,
    check_id,
    check_permissions,
    no_entry,
    require,
)
from engine.memory.denials import Denials
from engine.memory.entries import Entries, Kept, Page, Version
from engine.memory.gathering import Gathering, Keeper
from engine.memory.second_cache import SecondCache
from engine.memory.shelf import Shelf, changed_by
from engine.memory.values import OWN, Seal, Unsealed, decode_value, encode_value, packed
from engine.model.cache_layers import CacheLayer, cache_layer
from engine.model.errors import Ambiguous, Denied, FleetError, JournalError, NotFound, UsageError
from engine.model.events import Record
from engine.model.memory import (
    KEY_MAX,
    Action,
    Entry,
    EntryId,
    Head,
    MemoryFilter,
    Permissions,
    Principal,
    PrincipalKind,
    RetrieveOptions,
    StoreOptions,
)
from engine.model.memory_events import ABOUT_MEMORY
from engine.model.memory_settings import MemorySection
from engine.model.plain import NOT_JSON, plain_object, printable
from engine.state import Touched

LIST_MAX = 10_000
EMBEDDERS_MAX = 1_000
"""Embedders whose dimensions are remembered."""
SWARM = "fleet"
"""The swarm of all agents of this fleet."""

Item = tuple[str, Any, StoreOptions]
"""Key, value, options."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What an engine's configuration says about memory, and which engine it is."""

    acl: Acl
    value_max_bytes: int
    cache_max_bytes: int
    working_ttl_s: float
    life: str = ""
    """Of the engine: no two that exchange entries may have the same."""

    def rules(self) -> Rules:
        """Return what decisions need of it."""
        return Rules(self.acl, self.working_ttl_s, self.life)


def memory_settings(section: MemorySection, life: str = "") -> Settings:
    """Return what a configuration says."""
    return Settings(Acl(section.acl_enabled), section.value_max_bytes, section.cache_max_bytes, section.working_ttl_s, life)


@dataclass(slots=True)
class Tidied:
    """What was tidied since the engine started."""

    expired: int = 0
    """Entries whose time was over: tombstones from then on."""
    purged: int = 0
    """Tombstones that were old enough to go."""


class Memory:
    """Stores and reads entries for principals."""

    def __init__(self, entries: Entries, clock: Clock, settings: Settings, seal: Seal | None = None) -> None:
        self.entries = entries
        self.settings = settings
        self.shelf = Shelf(entries)
        self.seal: Seal = seal or Unsealed()
        self.gathering = Gathering(self.shelf, clock, settings.rules(), self.seal)
        self.denials = Denials()
        self.hooks: list[Callable[[Sequence[Record]], None]] = []
        """Told of the records about memory of each commit; must not block."""
        self.clock = clock
        self.cache = ReadCache(settings.cache_max_bytes)
        self.second: SecondCache | None = None
        """In Redis, where there is one."""
        self.database_figures = CacheFigures()
        """Of the third layer: the reads that no cache answered, and whether there was something."""
        self._loads: dict[str, asyncio.Future[bytes]] = {}
        """Large values on their way from the database; who wants the same waits for the same."""
        self.dimensions: dict[str, int] = {}
        """Embedder -> the dimensions of its embeddings: the engine's own, and those that were brought since the start."""
        self._changes_seen = 0
        self.tidied = Tidied()
        self.keeper: Keeper | None = None

    def connect(self, keeper: Keeper) -> None:
        """Say who makes changes durable; called once."""
        self.keeper = keeper
        self.gathering.connect(keeper)

    def publish(self, records: Sequence[Record], touched: Touched) -> None:  # noqa: ARG002  # a publisher gets both
        """Forget what is no longer as it was; called after each commit, and with nothing after a failed one."""
        about = [record for record in records if type(record.event) in ABOUT_MEMORY]
        if not about:
            return
        self._changes_seen += 1
        self.shelf.durable(about)
        for record in about:
            self.cache.forget(changed_by(record.event))
        for hook in self.hooks:
            hook(about)

    # ---- changing

    async def store(self, principal: Principal, key: str, value: object, options: StoreOptions) -> Head:
        """Store a value; it is durable on return. Raises Denied, Conflict, TooLarge, UsageError, ReadOnly."""
        change = self.prepared(principal, (key, value, options))
        try:
            call = self.gathering.ask((change,))
            await call.durable
        except (Denied, NotFound) as error:
            raise self._noted(error, principal, Action.WRITE, change.id) from None
        return call.heads[0]

    async def store_many(self, principal: Principal, items: Sequence[Item]) -> Sequence[Head]:
        """Store values, all of them or none; durable on return. Raises as store() does, for the first that cannot be."""
        return await self.gathering.change([self.prepared(principal, item) for item in items])

    async def delete(self, principal: Principal, id_: EntryId, *, expected_version: int | None = None) -> Head:
        """Delete an entry; its tombstone keeps the version. Raises NotFound, Denied, Conflict, ReadOnly."""
        try:
            return (await self.gathering.change((Delete(principal, id_, expected_version),)))[0]
        except (Denied, NotFound) as error:
            raise self._noted(error, principal, Action.DELETE, id_) from None

    async def permit(self, principal: Principal, id_: EntryId, permissions: Permissions) -> Head:
        """Set who may do what with an entry. Raises NotFound, Denied, UsageError, ReadOnly."""
        check_permissions(permissions)
        try:
            return (await self.gathering.change((Permit(principal, id_, permissions),)))[0]
        except (Denied, NotFound) as error:
            raise self._noted(error, principal, Action.PERMIT, id_) from None

    def prepared(self, principal: Principal, item: Item) -> Store:
        """Return what storing a value asks for, with the value as it is now. Raises UsageError, TooLarge."""
        key, value, options = item
        id_ = EntryId(options.namespace, options.owner or principal.name, key)
        check_id(id_)
        encoded = encode_value(id_, value, self.settings.value_max_bytes)
        if options.permissions is not None:
            check_permissions(options.permissions)
        if options.metadata or options.tags:
            options = _plain_options(id_, options)
        place = self._place_of(principal, id_.owner)
        if options.embedding is None:
            return Store(principal, id_, encoded, options, place)
        return Store(principal, id_, encoded, options, place, packed(options.embedding), self._embedder_of(id_, options.embedding, options.embedder))

    def _embedder_of(self, id_: EntryId, embedding: Sequence[float], name: str) -> str:
        """Return what made the embedding that an entry brings. Raises UsageError where its dimensions are other than before."""
        if not name:
            return OWN
        if len(name) > KEY_MAX or not name.isprintable():
            raise UsageError(f"the embedder of {id_} is {name[:60]!r}; give a printable name of at most {KEY_MAX} characters")
        known = self.dimensions.setdefault(name, len(embedding)) if len(self.dimensions) < EMBEDDERS_MAX else self.dimensions.get(name)
        if known is not None and known != len(embedding):
            raise UsageError(f"the embedding of {id_} has {len(embedding)} dimensions, those of {name!r} have {known}")
        return name

    def _place_of(self, principal: Principal, owner: str) -> Place | None:
        """Return where the owner of an entry belongs; None = not known, and it stays as it is."""
        if owner == principal.name:
            return Place(principal.pool, principal.swarm)
        agent = self.keeper.state.agent_named(owner) if self.keeper else None
        return Place(agent.spec.pool, SWARM) if agent and agent.spec.id == owner else None

    def agent(self, name: str, attempt: str = "") -> Principal:
        """Return an agent of this fleet, by id or name, as who asks; `attempt` = only while it runs `task/attempt`. Raises NotFound, Denied."""
        agent = self.keeper.state.agent_named(name) if self.keeper else None
        if agent is None:
            raise NotFound(f"no agent {name!r}; `get agents` lists them")
        if attempt and self.keeper and not self.keeper.state.is_running(agent.spec.id, attempt):
            raise Denied(f"attempt {attempt} of {agent.spec.name} is over, and its token with it; nothing was changed")
        return Principal(agent.spec.id, PrincipalKind.AGENT, agent.spec.pool, SWARM)

    # ---- reading

    async def retrieve(self, principal: Principal, key: str, options: RetrieveOptions) -> Entry:
        """Return an entry. Raises NotFound (also for what one may not know of), Denied, Ambiguous, JournalError."""
        id_ = EntryId(options.namespace, options.owner or principal.name, key)
        now = self.clock.now()
        kept = self._read(id_, now)
        if kept is None and not options.owner:
            id_ = self._only_readable(principal, id_, now)
            kept = self._read(id_, now)
        if kept is None:
            raise no_entry(id_)
        head, data = kept
        self._require_read(principal, head, now)
        if head.artifact and not data:
            data = await self._load(head, now)
        return Entry(head, decode_value(head.media, data))

    def head(self, principal: Principal, id_: EntryId) -> Head:
        """Return an entry without its value. Raises NotFound, Denied, JournalError."""
        now = self.clock.now()
        kept = self._read(id_, now)
        if kept is None:
            raise no_entry(id_)
        self._require_read(principal, kept[0], now)
        return kept[0]

    def find(self, principal: Principal, key: str, options: RetrieveOptions) -> EntryId:
        """Return which entry a key means: one's own, else the only one that may be read. Raises NotFound, Ambiguous."""
        id_ = EntryId(options.namespace, options.owner or principal.name, key)
        now = self.clock.now()
        if options.owner or self._read(id_, now) is not None:
            return id_
        return self._only_readable(principal, id_, now)

    async def page(self, principal: Principal, wanted: MemoryFilter) -> Page:
        """Return the entries that match and that a principal may read, in the order of their ids. Raises JournalError."""
        if not 0 < wanted.limit <= LIST_MAX:
            raise UsageError(f"limit is {wanted.limit}; give 1 to {LIST_MAX}")
        acl = self.settings.acl
        return await self.entries.page(wanted, lambda head: acl.may(principal, Action.READ, head).allowed, self.clock.now())

    def history(self, principal: Principal, id_: EntryId, limit: int = 50) -> Sequence[Version]:
        """Return the versions of an entry that a principal may read, newest first, values as they are kept.

        A version that somebody may not read is left out, even when the present one is open to all. Raises NotFound.
        """
        acl = self.settings.acl
        found = self.durable_head(id_)
        if found is None or not acl.may(principal, Action.READ, found).allowed:
            raise no_entry(id_)
        return [version for version in self.entries.history(found, limit) if acl.may(principal, Action.READ, version.head).allowed]

    def durable_head(self, id_: EntryId) -> Head | None:
        """Return the durable head of an entry, also of one that is deleted, or None. Raises JournalError."""
        return self.entries.heads((id_,)).get(id_)

    async def kinds(self) -> list[tuple[str, int, int]]:
        """Return for each kind how many entries there are, and their bytes. Raises JournalError."""
        return await self.entries.totals(self.clock.now())

    def _read(self, id_: EntryId, now: float) -> Kept | None:
        """Return an entry that is there, its value opened, from the cache or the database; a large value is empty."""
        kept = self.cache.get(id_, now)
        if kept is None:
            found = self.entries.one(id_)
            if found is None or not found[0].is_there(now):
                self.database_figures.misses += 1
                return None
            head, value = found
            self.database_figures.hits += 1
            kept = head, b"" if head.artifact else self.seal.open(head, value)
            if not head.artifact:
                self.cache.put(kept, now)
        return kept if kept[0].is_there(now) else None

    async def _load(self, head: Head, now: float) -> bytes:
        """Return a large value; all who want it at the same time wait for one read. Raises JournalError."""
        loading = self._loads.get(head.artifact)
        if loading is not None:
            return await asyncio.shield(loading)
        self._loads[head.artifact] = loading = asyncio.get_running_loop().create_future()
        seen = self._changes_seen
        try:
            kept, is_new = await self._kept(head)
            data = self.seal.open(head, kept)
        except BaseException as error:
            loading.set_exception(error if isinstance(error, FleetError) else JournalError("the read was given up; ask again"))
            loading.exception()  # nobody has to wait for it
            raise
        finally:
            del self._loads[head.artifact]
        loading.set_result(data)
        if seen == self._changes_seen:  # otherwise it may have changed meanwhile
            self.cache.put((head, data), now)
            if is_new and self.second is not None:
                self.second.put(head.artifact, kept)
        return data

    async def _kept(self, head: Head) -> tuple[bytes, bool]:
        """Return a large value as it is kept, and whether the second cache had none. Raises JournalError."""
        if self.second is not None:
            kept = await self.second.get(head.artifact, head.size)
            if kept is not None:
                return kept, False
        kept = await self.entries.artifact(head.artifact)
        if kept is None:
            raise JournalError(f"the value of {head.id} is missing from the database ({head.artifact}); restore a backup")
        return kept, True

    def _only_readable(self, principal: Principal, own: EntryId, now: float) -> EntryId:
        acl = self.settings.acl
        heads = [head for head in self.entries.of_key(own.namespace, own.key) if head.is_there(now)]
        found = [head.id for head in heads if acl.may(principal, Action.READ, head).allowed]
        if len(found) > 1:
            owners = ", ".join(sorted(id_.owner for id_ in found)[:10])
            raise Ambiguous(f"{len(found)} entries of {own.namespace} have the key {own.key!r}; say whose is meant: {owners}")
        if not found:
            for head in heads:
                self.denials.note(principal, Action.READ, head.id, acl.may(principal, Action.READ, head).because, now)
            raise no_entry(own)
        return found[0]

    def _require_read(self, principal: Principal, head: Head, now: float) -> None:
        acl = self.settings.acl
        verdict = acl.may(principal, Action.READ, head)
        if not verdict.allowed:
            self.denials.note(principal, Action.READ, head.id, verdict.because, now)
            require(principal, Action.READ, head, acl)

    def _noted(self, error: FleetError, principal: Principal, action: Action, id_: EntryId) -> FleetError:
        """Return a refusal after noting it for the audit, unless there is nothing that could be refused."""
        now = self.clock.now()
        head = self.shelf.heads((id_,)).get(id_)
        if head is not None and head.is_there(now):
            verdict = self.settings.acl.may(principal, action, head)
            if not verdict.allowed:
                self.denials.note(principal, action, id_, verdict.because, now)
        return error



def _plain_options(id_: EntryId, options: StoreOptions) -> StoreOptions:
    """Return options with metadata as JSON keeps it. Raises UsageError."""
    try:
        metadata = plain_object(options.metadata)
    except NOT_JSON as error:
        raise UsageError(f"the metadata of {id_} cannot be kept: {printable(str(error))}") from error
    for tag in options.tags:
        if not tag or not tag.isprintable():
            raise UsageError(f"a tag of {id_} is {tag!r}; give printable words")
    return replace(options, metadata=metadata)


def layers_of(memory: Memory) -> dict[str, CacheLayer]:
    """Return how the layers answered since the engine began, by name, the nearest first."""
    cache, second, database = memory.cache.figures, memory.second, memory.database_figures
    layers = {"L1": cache_layer(cache.hits, cache.misses)}
    if second is not None:
        layers["L2"] = cache_layer(second.figures.hits, second.figures.misses + second.figures.failed, is_asked=second.is_asked)
    layers["L3"] = cache_layer(database.hits, database.misses)
    return layers
