"""What faces may ask about memory: always as somebody, so that the ACL is asked with their name and role.

Owner: nobody; functions only. Values leave the engine by `entry`, `entry-history`, `entry-sheet` and `entry-version`, and in
pieces by `memory-search`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from engine.gate import conflict_pages, memory_pages
from engine.gate.queries import Sources
from engine.memory.store import Memory
from engine.memory.values import decode_value
from engine.memory.verbs import acting, owner_named
from engine.model import wire
from engine.model.errors import CommandRefused, UsageError
from engine.model.memory import (
    DEFAULT_NAMESPACE,
    EntryId,
    Found,
    Head,
    MemoryFilter,
    Principal,
    RetrieveOptions,
    SearchBy,
    SearchOptions,
)
from engine.model.memory_words import Kind, Level
from engine.model.plans import Origin

Parameters = dict[str, Any]

SEARCH = "memory-search"
_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
_AGO = re.compile(rf"(\d+(?:\.\d+)?)([{''.join(_UNITS_S)}])")


async def answer(sources: Sources, origin: Origin, what: str, parameters: Parameters) -> object:
    """Return plain values. Raises UsageError, NotFound, Denied, Ambiguous."""
    if sources.memory is None:
        raise CommandRefused("this engine keeps no memory")
    principal = acting(sources.memory, origin)
    if what == SEARCH:
        return wire.to_plain(await _search(sources, sources.memory, principal, parameters))
    if what in _PAGES:
        return wire.to_plain(await _PAGES[what](sources, principal, parameters))
    return wire.to_plain(await _OF_MEMORY[what](sources.memory, principal, parameters, sources.clock.now()))


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


def found_row(found: Found) -> dict[str, object]:
    """Return what a search found: the row of the entry, how well it fits, what found it, and a piece of its value."""
    return {**entry_row(found.head), "score": found.score, "by": found.by, "snippet": found.snippet}


async def _list(memory: Memory, principal: Principal, parameters: Parameters, now: float) -> object:
    page = await memory.page(principal, replace(_filter(memory, parameters, now), limit=_limit(parameters), after=_after(parameters)))
    return [entry_row(head) for head in page.heads]


async def _search(sources: Sources, memory: Memory, principal: Principal, parameters: Parameters) -> object:
    if sources.search is None:
        raise CommandRefused("this engine has no search")
    now, words, like = sources.clock.now(), str(parameters.get("words") or ""), str(parameters.get("like") or "")
    by = _words(parameters, "by", SearchBy) or (SearchBy.BOTH if words else SearchBy.LIKENESS,)
    options = SearchOptions(
        by[0],
        like=like,
        only=_filter(memory, parameters, now),
        limit=_limit(parameters, SearchOptions().limit),
        skip=_whole(parameters, "skip", 0),
        snippets=True,
    )
    return [found_row(found) for found in await sources.search.search(principal, words, options, now)]


def _filter(memory: Memory, parameters: Parameters, now: float) -> MemoryFilter:
    return MemoryFilter(
        str(parameters.get("namespace") or ""),
        owner_named(memory, str(parameters.get("owner") or "")),
        str(parameters.get("prefix") or ""),
        kinds=_words(parameters, "kind", Kind),
        levels=_words(parameters, "level", Level),
        tags=tuple(str(parameters.get("tag") or "").split()),
        since=_instant(parameters, "since", now),
        until=_instant(parameters, "until", now),
    )


async def _entry(memory: Memory, principal: Principal, parameters: Parameters, _now: float) -> object:
    key, options = _asked(memory, parameters)
    found = await memory.retrieve(principal, key, options)
    return {**entry_row(found.head), "metadata": found.head.metadata, "value": found.value}


async def _history(memory: Memory, principal: Principal, parameters: Parameters, _now: float) -> object:
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


async def _figures(memory: Memory, _principal: Principal, _parameters: Parameters, _now: float) -> object:
    cache, second = memory.cache.figures, memory.second
    kinds = await memory.kinds()
    return {
        "kinds": {kind: {"entries": entries, "bytes": size} for kind, entries, size in kinds},
        "tombstones": await memory.entries.graves(),
        "conflicts": memory.entries.conflicts(),
        "since_start": wire.to_plain(memory.tidied),
        "cache": {**wire.to_plain(cache), "hit_rate": cache.hit_rate},
        "second_cache": second and {**wire.to_plain(second.figures), "hit_rate": second.figures.hit_rate, "is_asked": second.is_asked},
        "database": {"hits": memory.database_figures.hits, "misses": memory.database_figures.misses},
        "acl_enabled": memory.settings.acl.enabled,
    }


def _asked(memory: Memory, parameters: Parameters) -> tuple[str, RetrieveOptions]:
    key = parameters.get("key")
    if not isinstance(key, str) or not key:
        raise UsageError("this query needs a key")
    return key, RetrieveOptions(str(parameters.get("namespace") or DEFAULT_NAMESPACE), owner_named(memory, str(parameters.get("owner") or "")))


def _limit(parameters: Parameters, usual: int = 100) -> int:
    return _whole(parameters, "limit", usual)


def _whole(parameters: Parameters, name: str, usual: int) -> int:
    value = parameters.get(name, usual)
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"{name} must be a whole number, not {value!r}")
    return value


def _instant(parameters: Parameters, name: str, now: float) -> float:
    """Return an instant, 0 for none: `2h` ago by the engine's clock, a day, an hour of it, or seconds since 1970."""
    text = str(parameters.get(name) or "").strip()
    if not text:
        return 0.0
    if ago := _AGO.fullmatch(text):
        return now - float(ago[1]) * _UNITS_S[ago[2]]
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    with contextlib.suppress(ValueError):
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    raise UsageError(f"{name} is {text!r}; write 30m, 2h or 7d (so long ago), 2026-11-21 or 2026-11-21T18:00 (UTC)")


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


_PAGES: dict[str, Callable[[Sources, Principal, Parameters], Awaitable[object]]] = {
    "entries": memory_pages.entries,
    "entry-sheet": memory_pages.sheet,
    "entry-versions": memory_pages.versions,
    "entry-version": memory_pages.version,
    "entry-access": memory_pages.access,
    "conflicts": conflict_pages.conflicts,
    "conflict": conflict_pages.conflict,
    "peers": conflict_pages.peers,
}
"""What the console asks."""

_OF_MEMORY: dict[str, Callable[[Memory, Principal, Parameters, float], Awaitable[object]]] = {
    "memory": _list,
    "entry": _entry,
    "entry-history": _history,
    "memory-figures": _figures,
}

MEMORY_QUERIES = frozenset({*_OF_MEMORY, *_PAGES, SEARCH})
"""Questions about memory."""
