"""What faces may ask about memory: always as somebody, so that the ACL is asked with their name and role.

Owner: nobody; functions only. Values leave the engine by `entry` and `entry-history` alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from engine.gate.queries import Sources
from engine.memory.store import Memory
from engine.memory.values import decode_value
from engine.model import wire
from engine.model.errors import CommandRefused, NotFound, UsageError
from engine.model.memory import (
    DEFAULT_NAMESPACE,
    EntryId,
    Head,
    Kind,
    Level,
    MemoryFilter,
    Principal,
    RetrieveOptions,
)

Parameters = dict[str, Any]


async def answer(sources: Sources, principal: Principal, what: str, parameters: Parameters) -> object:
    """Return plain values. Raises UsageError, NotFound, Denied, Ambiguous."""
    if sources.memory is None:
        raise CommandRefused("this engine keeps no memory")
    return wire.to_plain(await MEMORY_QUERIES[what](sources.memory, principal, parameters))


def entry_row(head: Head) -> dict[str, object]:
    """Return an entry without its value, every field by name."""
    lists = head.permissions
    return {
        **head.id._asdict(),
        "kind": head.kind,
        "level": lists.level,
        "size": head.size,
        "version": head.version,
        "writer": head.writer,
        "created_at": head.created_at,
        "updated_at": head.updated_at,
        "expires_at": head.expires_at,
        "tags": head.tags,
        "media": head.media,
        "team": head.team,
        "swarm": head.swarm,
        "read": lists.read,
        "write": lists.write,
        "delete": lists.delete,
        "record": head.record,
    }


async def _list(memory: Memory, principal: Principal, parameters: Parameters) -> object:
    namespace, owner, prefix = (str(parameters.get(name) or "") for name in ("namespace", "owner", "prefix"))
    page = await memory.page(
        principal,
        MemoryFilter(
            namespace,
            owner,
            prefix,
            kinds=_words(parameters, "kind", Kind),
            levels=_words(parameters, "level", Level),
            tags=tuple(str(parameters.get("tag") or "").split()),
            limit=_limit(parameters),
            after=_after(parameters),
        ),
    )
    return [entry_row(head) for head in page.heads]


async def _entry(memory: Memory, principal: Principal, parameters: Parameters) -> object:
    key, options = _asked(memory, parameters)
    found = await memory.retrieve(principal, key, options)
    return {**entry_row(found.head), "metadata": found.head.metadata, "value": found.value}


async def _history(memory: Memory, principal: Principal, parameters: Parameters) -> object:
    key, options = _asked(memory, parameters)
    id_ = EntryId(options.namespace, options.owner or principal.name, key)
    if memory.durable_head(id_) is None and not options.owner:
        id_ = memory.find(principal, key, options)
    found = []
    for version in memory.history(principal, id_, _limit(parameters)):
        head, row = version.head, {**entry_row(version.head), "at": version.at, "is_deleted": version.head.is_deleted}
        if version.kept is not None and not head.is_deleted and not head.artifact:
            row["value"] = decode_value(head.media, memory.seal.open(head, version.kept))
        found.append(row)
    return found


async def _figures(memory: Memory, _principal: Principal, _parameters: Parameters) -> object:
    cache = memory.cache.figures
    kinds = await memory.kinds()
    return {
        "kinds": {kind: {"entries": entries, "bytes": size} for kind, entries, size in kinds},
        "cache": {**wire.to_plain(cache), "hit_rate": cache.hit_rate},
        "acl_enabled": memory.settings.acl.enabled,
    }


def _asked(memory: Memory, parameters: Parameters) -> tuple[str, RetrieveOptions]:
    key, owner = parameters.get("key"), str(parameters.get("owner") or "")
    if not isinstance(key, str) or not key:
        raise UsageError("this query needs a key")
    with contextlib.suppress(NotFound):  # then it is a name or an id that stands for itself
        owner = memory.agent(owner).name if owner else ""
    return key, RetrieveOptions(str(parameters.get("namespace") or DEFAULT_NAMESPACE), owner)


def _limit(parameters: Parameters) -> int:
    value = parameters.get("limit", 100)
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"limit must be a whole number, not {value!r}")
    return value


def _after(parameters: Parameters) -> EntryId | None:
    """Return where a page begins: the namespace, owner and key of the last row before it, as a JSON array."""
    text = parameters.get("after")
    return wire.decode_as(str(text), EntryId) if text else None


def _words(parameters: Parameters, name: str, kind: type[Any]) -> tuple[Any, ...]:
    words = str(parameters.get(name) or "").replace(",", " ").split()
    known = {str(one): one for one in kind}
    for word in words:
        if word not in known:
            raise UsageError(f"no {name} {word!r}{wire.nearest(word, known)}; there are {', '.join(known)}")
    return tuple(known[word] for word in words)


MEMORY_QUERIES: dict[str, Callable[[Memory, Principal, Parameters], Awaitable[object]]] = {
    "memory": _list,
    "entry": _entry,
    "entry-history": _history,
    "memory-figures": _figures,
}
