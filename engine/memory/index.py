"""The index of memory: words (SQLite's FTS5) and vectors, in a file of their own or in the process alone.

Owner: one thread, which is not the writer's: an index lags behind the database and never holds it up. It can be made anew at any
time, so nothing in it is lost when it is lost. With encryption on it stands in memory alone, since it holds what values say.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.memory.embedding import load_numpy
from engine.memory.vectors import Admit, Matrix, first_admitted
from engine.model.memory import EntryId

if TYPE_CHECKING:
    from engine.memory.embedding import Vectors

VERSION = 2
TEXT_MAX = 65_536
"""Characters of a value that are indexed."""
DEPTH_MAX = 64
WORDS_MAX = 16
"""Words of a query that count."""
RANKED_MAX = 5_000
"""Entries ranked together: of more that have the words of a query, the newest so many come first, then the next."""
_FUSION = 60
"""The constant of reciprocal rank fusion (Cormack et al. 2009)."""
_ASK_AT_ONCE = 500
_NUMBER_MAX = (1 << 63) - 1

# No stemmer: `deploy*` would find nothing for "deployment", whose stem is another word's beginning.
_SCHEMA = f"""
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA secure_delete = ON;
CREATE TABLE IF NOT EXISTS entries (
  number INTEGER PRIMARY KEY, namespace TEXT NOT NULL, owner TEXT NOT NULL, key TEXT NOT NULL, UNIQUE (namespace, owner, key));
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (key, tags, body, tokenize = 'unicode61 remove_diacritics 2');
CREATE TABLE IF NOT EXISTS vectors (number INTEGER PRIMARY KEY, embedder TEXT NOT NULL, vector BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS state (one INTEGER PRIMARY KEY CHECK (one = 1), record INTEGER NOT NULL, at REAL NOT NULL);
PRAGMA user_version = {VERSION};
"""
_FIND = "SELECT number FROM entries WHERE namespace = ? AND owner = ? AND key = ?"
_NEWEST = f"SELECT min(rowid) FROM (SELECT rowid FROM words WHERE words MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT {RANKED_MAX})"
_MATCH = "SELECT rowid FROM words WHERE words MATCH ? AND rowid >= ? AND rowid < ? ORDER BY bm25(words, 4.0, 2.0, 1.0), rowid LIMIT ?"
_TERM = re.compile(r'"([^"]*)"?|(\S+)')
_WORD = re.compile(r"\w+")

AdmitIds = Callable[[Sequence[EntryId]], Sequence[EntryId]]
"""Leaves out the entries that must not be found; keeps the order."""


class Mark(NamedTuple):
    """A record, and its instant: another life of the database, such as a restored one, has another instant there."""

    record: int
    at: float


NOWHERE = Mark(0, 0.0)


class Document(NamedTuple):
    """What is known of an entry by its words."""

    id: EntryId
    tags: str
    body: str


class Index:
    """Words and vectors of entries; `mark` says up to which record of the journal. A file that is none is made anew."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._connection = self._open()
        self._matrices: dict[str, Matrix] = {}
        self._load_vectors()

    @property
    def mark(self) -> Mark:
        """Give the last record that is in it."""
        row = self._connection.execute("SELECT record, at FROM state").fetchone()
        return Mark(*row) if row else NOWHERE

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def clear(self) -> None:
        """Forget all."""
        self._matrices.clear()
        with self._connection:
            for table in ("entries", "words", "vectors", "state"):
                self._connection.execute(f"DELETE FROM {table}")  # noqa: S608  # from above

    def update(self, documents: Iterable[Document], gone: Iterable[EntryId]) -> None:
        """Take in entries as they are now, without the vectors that they had, and forget others."""
        with self._connection:
            for document in documents:
                self._forget(document.id)
                number = self._connection.execute("INSERT INTO entries (namespace, owner, key) VALUES (?, ?, ?)", document.id).lastrowid
                self._connection.execute("INSERT INTO words (rowid, key, tags, body) VALUES (?, ?, ?, ?)", (number, document.id.key, document.tags, document.body))
            for entry in gone:
                self._forget(entry)

    def note(self, mark: Mark) -> None:
        """Note up to which record all changes are in it."""
        with self._connection:
            self._connection.execute("INSERT OR REPLACE INTO state VALUES (1, ?, ?)", mark)

    def put_vectors(self, entries: Sequence[EntryId], embedder: str, vectors: Vectors) -> None:
        """Keep the vectors of entries that are in the index, in place of those that they had."""
        numbers = [self._number(entry) for entry in entries]
        with self._connection:
            rows = [(number, embedder, vector.astype("<f4").tobytes()) for number, vector in zip(numbers, vectors, strict=True)]
            self._connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)
        for matrix in self._matrices.values():
            for number in numbers:
                matrix.drop(number)
        self._matrix(embedder, vectors.shape[1]).put(numbers, vectors)

    def drop_vectors(self, entries: Iterable[EntryId]) -> None:
        """Forget the vectors of entries that have none any more."""
        with self._connection:
            for entry in entries:
                self._drop_vector(self._number(entry))

    def entries(self) -> list[EntryId]:
        """Give all entries that are in it."""
        return [EntryId(*row) for row in self._connection.execute("SELECT namespace, owner, key FROM entries")]

    def by_words(self, query: str, limit: int, admit: AdmitIds) -> list[EntryId]:
        """Give up to `limit` admitted entries that have all words of a query, best first; if none has, those that have any.

        A word stands for all that begin with it; words in quotation marks stand together and whole.
        """
        terms = list(_terms(query))
        for connective in (" AND ", " OR ") if len(terms) > 1 else ("",):
            found = self._matching(connective.join(terms), limit, admit) if terms else []
            if found:
                return found
        return []

    def by_likeness(self, query: Vectors, embedder: str, limit: int, admit: AdmitIds) -> list[EntryId]:
        """Give up to `limit` admitted entries whose vectors are most like the query's, best first."""
        matrix = self._matrices.get(f"{embedder}/{len(query)}")
        if matrix is None:
            return []
        return self._ids(matrix.nearest(query, limit, self._admit_numbers(admit)))

    def _matching(self, expression: str, limit: int, admit: AdmitIds) -> list[EntryId]:
        found: list[int] = []
        below = _NUMBER_MAX
        while len(found) < limit:
            oldest = self._connection.execute(_NEWEST, (expression, below)).fetchone()[0]
            if oldest is None:
                break
            found += first_admitted(partial(self._best, expression, oldest, below), self._admit_numbers(admit), limit - len(found))
            below = oldest
        return self._ids(found)

    def _best(self, expression: str, first: int, below: int, size: int) -> list[int]:
        return [row[0] for row in self._connection.execute(_MATCH, (expression, first, below, size))]

    def _admit_numbers(self, admit: AdmitIds) -> Admit:
        def admitted(numbers: Sequence[int]) -> list[int]:
            ids = self._ids(numbers)
            allowed = set(admit(ids))
            return [number for number, entry in zip(numbers, ids, strict=True) if entry in allowed]

        return admitted

    def _ids(self, numbers: Sequence[int]) -> list[EntryId]:
        named: dict[int, EntryId] = {}
        for start in range(0, len(numbers), _ASK_AT_ONCE):
            some = numbers[start : start + _ASK_AT_ONCE]
            marks = ",".join("?" * len(some))
            rows = self._connection.execute(f"SELECT number, namespace, owner, key FROM entries WHERE number IN ({marks})", some)  # noqa: S608  # marks
            named.update({number: EntryId(*rest) for number, *rest in rows})
        return [named[number] for number in numbers]

    def _number(self, entry: EntryId) -> int:
        row = self._connection.execute(_FIND, entry).fetchone()
        assert row is not None, f"{entry} is not in the index"
        return int(row[0])

    def _forget(self, entry: EntryId) -> None:
        row = self._connection.execute(_FIND, entry).fetchone()
        if row is not None:
            self._connection.execute("DELETE FROM words WHERE rowid = ?", row)
            self._connection.execute("DELETE FROM entries WHERE number = ?", row)
            self._drop_vector(row[0])

    def _drop_vector(self, number: int) -> None:
        self._connection.execute("DELETE FROM vectors WHERE number = ?", (number,))
        for matrix in self._matrices.values():
            matrix.drop(number)

    def _matrix(self, embedder: str, dimensions: int) -> Matrix:
        return self._matrices.setdefault(f"{embedder}/{dimensions}", Matrix(dimensions))

    def _load_vectors(self) -> None:
        rows = self._connection.execute("SELECT number, embedder, vector FROM vectors")
        while batch := rows.fetchmany(_ASK_AT_ONCE):
            np = load_numpy()
            for number, embedder, blob in batch:
                vector = np.frombuffer(blob, "<f4").reshape(1, -1)
                self._matrix(embedder, vector.shape[1]).put([number], vector)

    def _open(self) -> sqlite3.Connection:
        if self._path is None:
            return _connect(":memory:")
        with suppress(sqlite3.DatabaseError):
            connection = _connect(str(self._path))
            if connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok":
                self._path.chmod(0o600)
                return connection
            connection.close()
        forget_index(self._path)
        return self._open()


def forget_index(path: Path) -> None:
    """Delete an index's file."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def fused(*rankings: Sequence[EntryId]) -> list[tuple[EntryId, float]]:
    """Join rankings by the ranks alone (reciprocal rank fusion), best first: scores of words and vectors have no common scale."""
    scores: dict[EntryId, float] = {}
    for ranking in rankings:
        for rank, entry in enumerate(ranking, start=1):
            scores[entry] = scores.get(entry, 0.0) + 1 / (_FUSION + rank)
    return sorted(scores.items(), key=lambda scored: (-scored[1], scored[0]))


def text_of(value: Any) -> str:  # noqa: ANN401  # JSON
    """Give the words of a value: all texts, numbers and names in it, up to `TEXT_MAX` characters."""
    parts, room = [], TEXT_MAX
    for part in _leaves(value, DEPTH_MAX):
        parts.append(part[:room])
        room -= len(part) + 1
        if room <= 0:
            break
    return " ".join(parts)


def _leaves(value: Any, depth: int) -> Iterator[str]:  # noqa: ANN401  # JSON
    if depth and isinstance(value, dict):
        for name, each in value.items():
            yield str(name)
            yield from _leaves(each, depth - 1)
    elif depth and isinstance(value, list | tuple):
        for each in value:
            yield from _leaves(each, depth - 1)
    elif value is not None and not isinstance(value, bool | dict | list | tuple):
        yield str(value)


def _terms(query: str) -> Iterator[str]:
    """Write a query in FTS5's words: what people type never is one of its operators."""
    for phrase, word in _TERM.findall(query.replace("\0", " "))[:WORDS_MAX]:  # a NUL ends what SQLite reads
        if phrase and _WORD.search(phrase):
            yield f'"{phrase}"'
        for part in _WORD.findall(word)[:WORDS_MAX]:
            yield f'"{part}"*'


def _connect(name: str) -> sqlite3.Connection:
    connection = sqlite3.connect(name, check_same_thread=False)
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] not in (0, VERSION):
            raise sqlite3.DatabaseError("another version")
        connection.executescript(_SCHEMA)
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection
