"""SwarmMemory: what the fleet remembers, for programs that embed the engine.

Owner: nobody; a SwarmMemory is one principal at the memory of a fleet. Without an agent's name it acts with the
library's own authority, and role and guardrails hold for it as for the verbs; a rule that asks for a word or a reason refuses, since there is nobody
to give one. `as_agent()` gives the same for an agent, with an agent's rights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Self, TypeVar

import msgspec

from engine.fleet import LIBRARY, FleetManager
from engine.gate import Gate
from engine.library import Manager
from engine.memory.entries import Page
from engine.memory.store import Item
from engine.model import wire
from engine.model.errors import Denied, UsageError
from engine.model.memory import (
    Entry,
    EntryId,
    Found,
    Head,
    MemoryFilter,
    Permissions,
    Principal,
    PrincipalKind,
    RetrieveOptions,
    SearchOptions,
    StoreOptions,
)
from engine.model.memory_commands import (
    ConsolidateMemory,
    ForgetEntry,
    PermitEntry,
    RememberEntry,
    ResolveConflict,
    SynchronizeMemory,
)
from engine.model.verbs import Command, Role

Options = StoreOptions | Mapping[str, Any] | None
Asked = RetrieveOptions | Mapping[str, Any] | None

_SEEDS_WORDS = {"ttl": "ttl_s", "acl": "permissions", "type": "kind", "types": "kinds", "version": "expected_version"}
_T = TypeVar("_T")


def options_of(kind: type[_T], given: _T | Mapping[str, Any] | None) -> _T:
    """Return options, made from a dict if need be: our names, in camelCase too, or the seeds'. Raises UsageError."""
    if isinstance(given, kind):
        return given
    if not given:
        return kind()
    if not isinstance(given, Mapping):
        raise UsageError(f"{kind.__name__} wanted, or a dict with its fields; got {type(given).__name__}")
    known = {spec.name for spec in fields(kind)}  # type: ignore[arg-type]
    found: dict[str, Any] = {}
    for key, value in given.items():
        name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)
        name = name if name in known else _SEEDS_WORDS.get(name, name)
        if name == "level" and "permissions" in known:
            name, value = "permissions", {"level": value}  # noqa: PLW2901  # the short form
        if name not in known:
            raise UsageError(f"{kind.__name__} has no field {key!r}{wire.nearest(name, known)}")
        found[name] = wire.to_plain(value)
    return wire.convert(found, kind)


class SwarmMemory(Manager):
    """Store, retrieve, delete and list entries. `config` is the section memory of a fleet's configuration."""

    def __init__(self, config: Mapping[str, Any] | None = None, *, fleet: FleetManager | None = None) -> None:
        """Take a fleet, or check the configuration of one of its own. Raises ConfigError."""
        if fleet is not None and config:
            raise UsageError("give the section memory to the fleet's own configuration; not both a fleet and a config")
        super().__init__(fleet, {"memory": dict(config or {})})
        self._agent = ""
        self._itself: Principal | None = None
        self._gate: Gate | None = None

    def as_agent(self, name: str) -> Self:
        """Return the same memory as an agent sees it, by id or name; what it may do is looked up at each call."""
        seen = type(self)(fleet=self.fleet)
        seen._agent = name  # noqa: SLF001  # its own kind
        return seen

    async def store(self, key: str, value: object, options: Options = None) -> Head:
        """Store a value that JSON can hold, or bytes; durable on return. Raises Denied, Conflict, TooLarge, UsageError."""
        wanted = options_of(StoreOptions, options)
        self._allow(RememberEntry, [RememberEntry(key, "", namespace=wanted.namespace, owner=wanted.owner)])
        return await self.fleet.memory.store(self._principal(), key, value, wanted)

    async def store_many(self, items: Iterable[tuple[str, object] | tuple[str, object, Options]]) -> Sequence[Head]:
        """Store values in one commit, all of them or none; each is key, value and, if need be, options."""
        whole: list[Item] = [(item[0], item[1], options_of(StoreOptions, item[2] if len(item) > 2 else None)) for item in items]  # noqa: PLR2004  # a pair has none
        self._allow(RememberEntry, (RememberEntry(key, "", namespace=wanted.namespace, owner=wanted.owner) for key, _, wanted in whole))
        return await self.fleet.memory.store_many(self._principal(), whole)

    async def retrieve(self, key: str, options: Asked = None) -> Any:  # noqa: ANN401  # JSON is any
        """Return the value of a key: one's own, else the only one that may be read. Raises NotFound, Ambiguous."""
        return (await self.entry(key, options)).value

    async def entry(self, key: str, options: Asked = None) -> Entry:
        """Return the same with all that is known of it: version, owner, permissions. Raises NotFound, Ambiguous."""
        return await self.fleet.memory.retrieve(self._principal(), key, options_of(RetrieveOptions, options))

    async def delete(self, key: str, options: Asked = None, *, expected_version: int | None = None) -> None:
        """Delete an entry. Raises NotFound, Denied, Conflict."""
        id_ = self._id(key, options)
        self._allow(ForgetEntry, [ForgetEntry(key, id_.namespace, id_.owner)])
        await self.fleet.memory.delete(self._principal(), id_, expected_version=expected_version)

    async def list(self, wanted: MemoryFilter | Mapping[str, Any] | None = None) -> Sequence[Head]:
        """Return the entries that match and that may be read, without their values, in the order of their ids."""
        return (await self.page(wanted)).heads

    async def page(self, wanted: MemoryFilter | Mapping[str, Any] | None = None) -> Page:
        """Return the same with where the next page begins (`after` of the next filter)."""
        return await self.fleet.memory.page(self._principal(), options_of(MemoryFilter, wanted))

    async def search(self, query: str = "", options: SearchOptions | Mapping[str, Any] | None = None) -> Sequence[Found]:
        """Return entries that have the words of a query or are like it, best first, of those that may be read.

        Raises UsageError, VectorsUnavailable.
        """
        return await self.fleet.remembering.search.search(self._principal(), query, options_of(SearchOptions, options), self.fleet.clock.now())

    async def set_permissions(self, key: str, permissions: Permissions | Mapping[str, Any], options: Asked = None) -> None:
        """Set who may do what with an entry beside its owner. Raises NotFound, Denied."""
        id_, wanted = self._id(key, options), options_of(Permissions, permissions)
        self._allow(PermitEntry, [PermitEntry(key, wanted.level, namespace=id_.namespace, owner=id_.owner)])
        await self.fleet.memory.permit(self._principal(), id_, wanted)

    async def get_permissions(self, key: str, options: Asked = None) -> Permissions:
        """Return the level and the lists of an entry. Raises NotFound, Denied."""
        return self.fleet.memory.head(self._principal(), self._id(key, options)).permissions

    async def consolidate(self, *, older_s: float | None = None) -> int:
        """Make summaries of episodes that are older (None = memory.episodic_s), of those one may read and delete, at most 500 a call.

        Return how many episodes these were. A summary says how it was made; the built-in one takes sentences over. Raises FleetError.
        """
        self._allow(ConsolidateMemory, [ConsolidateMemory()])
        return await self.fleet.remembering.consolidating.consolidate(self._principal(), self.fleet.clock.now(), older_s=older_s)

    def _allow(self, kind: type[Command], commands: Iterable[Command]) -> None:
        """Check role and guardrails as for the verb; agents have the ACL alone. Raises Denied, Unconfirmed."""
        if not self._agent:
            self._gate = self._gate or self.fleet.operator(LIBRARY)
            self._gate.allow(kind, commands)

    async def synchronize(self, peer: str = "") -> str:
        """Exchange entries with one or all peers of `memory.peers` now; return in words what came of it. Raises NotFound, Denied, FleetError."""
        return (await self._operator().execute([SynchronizeMemory(peer)])).summary

    async def conflicts(self) -> Sequence[dict[str, Any]]:
        """Return what was written in two places and lost, with what won, of that which may be read."""
        found: Any = await self._operator().query("conflicts")
        return list(found)

    async def resolve(self, key: str, *, take: str = "", value: object = msgspec.UNSET, options: Asked = None) -> None:
        """Settle a conflict for all engines: keep what won, take a version that lost by name or number, or store a value.

        What lost stays in the entry's history. Raises NotFound, Denied, UsageError.
        """
        asked = options_of(RetrieveOptions, options)
        text = "" if value is msgspec.UNSET else wire.encode(value).decode()
        await self._operator().execute([ResolveConflict(key, take, text, asked.namespace, asked.owner)])

    def _operator(self) -> Gate:
        """Return the library's own authority. Raises Denied for an agent."""
        if self._agent:
            raise Denied(f"{self._agent} is an agent: exchanges and conflicts are for whoever runs the fleet; nothing was changed")
        self._gate = self._gate or self.fleet.operator(LIBRARY)
        return self._gate

    def _id(self, key: str, options: Asked) -> EntryId:
        return self.fleet.memory.find(self._principal(), key, options_of(RetrieveOptions, options))

    def _principal(self) -> Principal:
        if self._agent:
            return self.fleet.memory.agent(self._agent)
        if self._itself is None:
            self._itself = Principal(LIBRARY.who, PrincipalKind.OPERATOR, role=Role(self.fleet.operator(LIBRARY).authority.role))
        return self._itself
