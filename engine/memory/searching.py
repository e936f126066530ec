"""Search in memory: the index kept up with the database, and results that their asker may read.

Owner: `Search`, of a thread with the index in it. The index lags: a search first has it take in what was durable when it was
asked. The ACL is asked twice with the one function: in the thread, before results are cut to the limit, and again at the end, for what is
durable by then. A snippet is of the version that was found readable, read in one statement with its head, and of no other.
Limits: DIRTY_MAX changes are remembered; after more, what changed is found by a scan.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from engine.memory.acl import Acl
from engine.memory.database import Lane, open_reader
from engine.memory.embedding import Embedder, VectorsUnavailable, load_numpy
from engine.memory.index import (
    NOWHERE,
    AdmitIds,
    Document,
    Index,
    Mark,
    forget_index,
    fused,
    text_of,
)
from engine.memory.shelf import changed_by
from engine.memory.snippets import snippet
from engine.memory.stored import head_of
from engine.memory.values import BYTES, EMBEDDING, OWN, VALUE, Seal, packed
from engine.model.errors import EncryptionError, UsageError
from engine.model.events import Record
from engine.model.memory import (
    Action,
    EntryId,
    Found,
    Head,
    MemoryFilter,
    Principal,
    SearchBy,
    SearchOptions,
)
from engine.model.memory_words import Kind

if TYPE_CHECKING:
    from engine.memory.embedding import Vectors
    from engine.memory.store import Memory

INDEX_NAME = "search.db"
DIRTY_MAX = 100_000
BATCH = 500
LIMIT_MAX = 1_000
"""Results of a search, in all its pages."""
SNIPPED_MAX = 1 << 20
"""Bytes of a value that a snippet is made of."""
FUSED_MAX = 200
"""Best results by words, and by likeness, that are joined: the same for every page, so that the next goes on where one ended."""
QUERY_MAX = 4_096

_JOIN = (
    "FROM json_each(?) AS id CROSS JOIN memory AS entry ON entry.namespace = json_extract(id.value, '$[0]') "
    "AND entry.owner_id = json_extract(id.value, '$[1]') AND entry.key = json_extract(id.value, '$[2]')"
)
_HEADS = f"SELECT entry.head {_JOIN}"
_ENTRIES = f"SELECT entry.head, coalesce(artifacts.data, entry.value), entry.embedding {_JOIN} LEFT JOIN artifacts ON artifacts.id = entry.artifact"
_CHANGED = "SELECT namespace, owner_id, key FROM memory WHERE last_record > ?"
_IS_THERE = "SELECT 1 FROM memory WHERE namespace = ? AND owner_id = ? AND key = ? AND deleted = 0"
_LAST = "SELECT coalesce(max(id), 0) FROM events"


class Search:
    """Finds entries of a memory. Without numpy, by words alone."""

    def __init__(self, memory: Memory, database: Path, embedder: Embedder, index: Path | None) -> None:
        """`index` is the index's file; None = it stands in memory alone."""
        self._memory = memory
        self._reader = Reader(memory.seal, memory.settings.acl, embedder, index)
        self._lane = Lane("memory search", database, lambda: open_reader(database))
        self._catching_up = asyncio.Lock()
        self._dirty: dict[EntryId, None] = {}
        self._noted = 0
        """The last record that is in the index or among the dirty entries."""
        self._must_scan = True
        memory.hooks.append(self._note)

    async def close(self) -> None:
        """Close the index and end the thread."""
        await self._lane.do(lambda _connection: self._reader.close())
        await self._lane.close()

    async def search(self, principal: Principal, query: str, options: SearchOptions, now: float) -> list[Found]:
        """Return entries that a principal may read, best first. Raises UsageError, VectorsUnavailable, JournalError."""
        _check(query, options)
        await self.catch_up()
        asked = Asked(principal, query, options, now)
        found = await self._lane.do(lambda connection: self._reader.find(connection, asked))
        return [still for each in found if (still := self._still(asked, each)) is not None]

    async def forget_all(self) -> None:
        """Delete the index with its bytes; the next search makes it anew. Raises JournalError."""
        async with self._catching_up:
            self._must_scan = True
            await self._lane.do(lambda _connection: self._reader.forget_all())

    async def catch_up(self) -> None:
        """Have the index take in all that is durable now. Raises JournalError."""
        async with self._catching_up:
            dirty, self._dirty, record = list(self._dirty), {}, self._noted
            try:
                if self._must_scan:
                    dirty, record = await self._lane.do(self._reader.changed)
                    self._must_scan = False
                for start in range(0, len(dirty), BATCH):
                    await self._lane.do(partial(self._reader.take_in, entries=dirty[start : start + BATCH]))
                if dirty:
                    await self._lane.do(partial(self._reader.note, record=record))
            except BaseException:
                self._must_scan = True
                raise

    def _note(self, records: Sequence[Record]) -> None:
        for record in records:
            self._dirty.update(dict.fromkeys(changed_by(record.event)))
        self._noted = records[-1].seq
        if len(self._dirty) > DIRTY_MAX:
            self._dirty.clear()
            self._must_scan = True

    def _still(self, asked: Asked, found: Found) -> Found | None:
        """Return what was found if it may be read as it is now, without a snippet of what it was."""
        newest = self._memory.durable_head(found.head.id)
        if newest is None or not newest.is_there(asked.now) or not self._memory.settings.acl.may(asked.principal, Action.READ, newest).allowed:
            return None
        return found if newest.version == found.head.version else replace(found, snippet="")


class Asked(NamedTuple):
    """A search."""

    principal: Principal
    query: str
    options: SearchOptions
    now: float

class Reader:
    """The index and what it reads from the database, in the thread of a search."""

    def __init__(self, seal: Seal, acl: Acl, embedder: Embedder, path: Path | None) -> None:
        self._seal = seal
        self._acl = acl
        self._embedder = embedder
        self._path = path
        self._made: Index | None = None

    @property
    def _index(self) -> Index:
        if self._made is None:
            self._made = Index(self._path)
        return self._made

    def close(self) -> None:
        """Close the index."""
        if self._made is not None:
            self._made.close()

    def forget_all(self) -> None:
        """Delete the index."""
        self.close()
        self._made = None
        if self._path is not None:
            forget_index(self._path)

    def changed(self, connection: sqlite3.Connection) -> tuple[list[EntryId], int]:
        """Return the entries that changed since the index was up to date, and the record that makes it so.

        An index of another life of the database is made anew.
        """
        last = connection.execute(_LAST).fetchone()[0]
        if self._index.mark != _mark(connection, self._index.mark.record):
            self._index.clear()
        changed = {EntryId(*row): None for row in connection.execute(_CHANGED, (self._index.mark.record or -1,))}
        changed |= {entry: None for entry in self._index.entries() if not connection.execute(_IS_THERE, entry).fetchone()}
        return list(changed), last

    def take_in(self, connection: sqlite3.Connection, entries: Sequence[EntryId]) -> None:
        """Index entries as they are now."""
        gone, documents, to_embed = set(entries), list[Document](), list[Document]()
        vectors: dict[tuple[str, int], list[tuple[EntryId, bytes]]] = {}
        for text, kept, embedding in connection.execute(_ENTRIES, (_ids(entries),)):
            head = head_of(text)
            if head.is_deleted:
                continue
            document = self._document(head, kept)
            documents.append(document)
            gone.discard(head.id)
            if embedding and (opened := self._open(head, embedding, EMBEDDING)):
                vectors.setdefault((head.embedder, len(opened)), []).append((head.id, opened))
            elif head.kind is Kind.VECTOR:
                to_embed.append(document)
        self._index.update(documents, gone)
        for (embedder, _), several in vectors.items():
            self._put_vectors(embedder, several)
        self._embed(to_embed)

    def note(self, connection: sqlite3.Connection, record: int) -> None:
        """Note up to which record all changes are in the index."""
        self._index.note(_mark(connection, record))

    def find(self, connection: sqlite3.Connection, asked: Asked) -> list[Found]:
        """Search the index."""
        heads: dict[EntryId, Head] = {}

        def admit(ids: Sequence[EntryId]) -> list[EntryId]:
            """Ask the ACL before anything is ranked among the results."""
            for (text,) in connection.execute(_HEADS, (_ids(ids),)):
                head = head_of(text)
                if head.is_there(asked.now) and matches(asked.options.only, head) and self._acl.may(asked.principal, Action.READ, head).allowed:
                    heads[head.id] = head
            return [entry for entry in ids if entry in heads]

        rankings = self._rankings(asked, admit)
        best = fused(*rankings.values())[asked.options.skip : asked.options.skip + asked.options.limit]
        snippets = self._snippets(connection, asked, [heads[entry] for entry, _ in best]) if asked.options.snippets else {}
        return [
            Found(heads[entry], score, tuple(by for by, ranking in rankings.items() if entry in ranking), snippets.get(entry, ""))
            for entry, score in best
        ]

    def _rankings(self, asked: Asked, admit: AdmitIds) -> dict[SearchBy, list[EntryId]]:
        """Give what each way of looking finds, best first: of one way as much as is asked for, of two as much for every page."""
        by, most = asked.options.by, asked.options.skip + asked.options.limit
        if by is SearchBy.WORDS:
            return {by: self._index.by_words(asked.query, most, admit)}
        if by is SearchBy.LIKENESS:
            return {by: self._alike(asked, most, admit)}
        alike = self._alike(asked, joined := max(FUSED_MAX, asked.options.limit), admit)
        return {SearchBy.WORDS: self._index.by_words(asked.query, joined if alike else most, admit), SearchBy.LIKENESS: alike}

    def _snippets(self, connection: sqlite3.Connection, asked: Asked, heads: Sequence[Head]) -> dict[EntryId, str]:
        """Give a piece of each entry that still is as it was found; none of bytes, of large values, and of what does not open."""
        versions = {head.id: head.version for head in heads if head.media != BYTES and head.size <= SNIPPED_MAX}
        pieces: dict[EntryId, str] = {}
        for text, kept, _ in connection.execute(_ENTRIES, (_ids(list(versions)),)):
            head = head_of(text)
            if head.version == versions[head.id]:
                pieces[head.id] = snippet(self._document(head, kept).body, asked.query)
        return pieces

    def _alike(self, asked: Asked, most: int, admit: AdmitIds) -> list[EntryId]:
        try:
            vector, embedder = self._query_vector(asked)
        except VectorsUnavailable:
            if asked.options.by is SearchBy.LIKENESS or asked.options.vector is not None:
                raise
            return []
        return self._index.by_likeness(vector, embedder, most, admit)

    def _query_vector(self, asked: Asked) -> tuple[Vectors, str]:
        np = load_numpy()
        if asked.options.vector is not None:
            return np.array(asked.options.vector, np.float32), asked.options.embedder or OWN
        return self._embedder.embed([asked.options.like or asked.query])[0], self._embedder.name

    def _document(self, head: Head, kept: str | bytes) -> Document:
        """Give the words of an entry; of one that does not open, its names alone."""
        data = self._open(head, kept.encode() if isinstance(kept, str) else kept)
        body = "" if not data or head.media == BYTES else text_of(msgspec.json.decode(data))
        return Document(head.id, " ".join((*head.tags, text_of(head.metadata))), body)

    def _open(self, head: Head, kept: bytes, part: str = VALUE) -> bytes:
        try:
            return self._seal.open(head, kept, part)
        except EncryptionError:
            return b""

    def _put_vectors(self, embedder: str, several: Sequence[tuple[EntryId, bytes]]) -> None:
        try:
            np = load_numpy()
        except VectorsUnavailable:
            return  # found by words alone
        matrix = np.stack([np.frombuffer(embedding, "<f4") for _, embedding in several])
        self._index.put_vectors([entry for entry, _ in several], embedder, matrix)

    def _embed(self, documents: Sequence[Document]) -> None:
        if not documents:
            return
        try:
            vectors = self._embedder.embed([f"{document.id.key} {document.tags} {document.body}" for document in documents])
        except VectorsUnavailable:
            return  # found by words alone
        self._index.put_vectors([document.id for document in documents], self._embedder.name, vectors)


def matches(wanted: MemoryFilter, head: Head) -> bool:
    """Answer whether an entry is one of those that a filter asks for."""
    namespace, owner, key = head.id
    return (
        wanted.namespace in ("", namespace)
        and wanted.owner in ("", owner)
        and key.startswith(wanted.prefix)
        and (not wanted.kinds or head.kind in wanted.kinds)
        and (not wanted.levels or head.permissions.level in wanted.levels)
        and set(wanted.tags) <= set(head.tags)
        and head.updated_at >= wanted.since
        and (not wanted.until or head.updated_at < wanted.until)
    )


def _mark(connection: sqlite3.Connection, record: int) -> Mark:
    row = connection.execute("SELECT id, timestamp FROM events WHERE id = ?", (record,)).fetchone()
    return Mark(*row) if row else NOWHERE


def _check(query: str, options: SearchOptions) -> None:
    if not 0 < options.limit <= LIMIT_MAX:
        raise UsageError(f"limit is {options.limit}; give 1 to {LIMIT_MAX}")
    if not 0 <= options.skip <= LIMIT_MAX - options.limit:
        raise UsageError(f"skip is {options.skip}; a search gives {LIMIT_MAX} results in all its pages, narrow it by a filter or by more words")
    for text in (query, options.like):
        if len(text) > QUERY_MAX:
            raise UsageError(f"the query has {len(text):,} characters, the most is {QUERY_MAX:,}")
    if options.vector is not None:
        packed(options.vector)
    elif not query.strip() and (options.by is SearchBy.WORDS or not options.like.strip()):
        raise UsageError("say what to look for: some words, or a vector")


def _ids(entries: Sequence[EntryId]) -> str:
    return msgspec.json.encode(entries).decode()
