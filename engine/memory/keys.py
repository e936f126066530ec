"""The key ring: one data key a subject (the owner of entries), each wrapped by a key of the provider; kept in a small file of its own.

Owner: the ring of its file and cache; a lock lets several threads ask. All calls but `current` may block: call them in a thread.
The file stands beside the database and not in it: a copy of the database alone opens nothing, and destroying a subject's keys
leaves no trace in the journal. Data keys are replaced every rotation period, at once on request, or when they sealed
`SEALS_MAX` values; older ones stay to open what they sealed, so no value is ever rewritten. A key wrapped by an older wrapping
key is wrapped anew when it is next used, or by `rewrap`.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.clock import IdFactory
from engine.memory.envelopes import KEY_BYTES, Entropy, Envelope, Place, cipher_of, seal, unseal
from engine.memory.key_providers import KeyProvider
from engine.model.errors import EncryptionError, Erased, KeyMissing
from engine.model.replication import WrappedKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

logger = logging.getLogger(__name__)

RING_NAME = "keys.db"
ROTATION_S = 90 * 86_400.0
SEALS_MAX = 1 << 30
"""Values that one key seals in one life of an engine. Nonces are drawn by chance: NIST SP 800-38D allows 2³² a key."""
SKEW_MAX_S = 300.0
OPENED_MAX = 10_000
"""Data keys kept unwrapped; beyond it the one opened longest ago is unwrapped again when needed."""
KEY_PREFIX = "dek"

SCHEMA = """
CREATE TABLE IF NOT EXISTS data_keys (
  number INTEGER PRIMARY KEY,           -- in order of birth: a clock that was wrong does not change which is newest
  id TEXT NOT NULL UNIQUE,
  subject TEXT NOT NULL,
  kek TEXT NOT NULL,                    -- which wrapping key
  wrapped BLOB,                         -- NULL = destroyed
  made_at REAL NOT NULL,
  erased_at REAL
);
CREATE INDEX IF NOT EXISTS data_keys_subject ON data_keys (subject, number);
CREATE INDEX IF NOT EXISTS data_keys_kek ON data_keys (kek) WHERE wrapped IS NOT NULL;
CREATE TABLE IF NOT EXISTS rotation (one INTEGER PRIMARY KEY CHECK (one = 1), after_number INTEGER NOT NULL, kek_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS beginning (one INTEGER PRIMARY KEY CHECK (one = 1), record INTEGER NOT NULL);
"""


@dataclass(slots=True)
class DataKey:
    """An unwrapped key of a subject."""

    id: str
    number: int
    subject: str
    made_at: float
    cipher: AESGCM
    seals: int = 0

    def seal(self, plain: bytes, place: Place, *, entropy: Entropy = os.urandom) -> Envelope:
        """Seal a value for a row. Does not block."""
        self.seals += 1
        return seal(plain, place, self.id, self.cipher, entropy=entropy)


@dataclass(frozen=True, slots=True)
class RingState:
    """Figures about the keys, for the doctor and the console."""

    subjects: int
    keys: int
    destroyed: int
    kek: str
    to_rewrap: int
    """Keys still wrapped by an older wrapping key."""
    oldest_s: float
    """Age of the oldest key that is still there; 0 without one."""
    skewed: int
    """Keys that were made later than now: the clock was wrong then, or is wrong now."""


class KeyRing:
    """The data keys of all subjects. Raises EncryptionError when its file is no key ring."""

    def __init__(self, path: Path, provider: KeyProvider, ids: IdFactory, *, rotation_s: float = ROTATION_S, entropy: Entropy = os.urandom) -> None:
        cipher_of(bytes(KEY_BYTES))  # a missing package is said at start, not at the first write
        self.path = path
        self._provider = provider
        self._ids = ids
        self._rotation_s = rotation_s
        self._entropy = entropy
        self._lock = threading.Lock()
        self._current: dict[str, DataKey] = {}
        self._opened: OrderedDict[str, DataKey] = OrderedDict()
        self._connection = _open_file(path)
        row = self._connection.execute("SELECT after_number, kek_at FROM rotation").fetchone() or (0, 0.0)
        self._after_number: int = row[0]
        self._kek_at: float = row[1]
        self.plain_until = -1
        """The last record that may hold plain values; -1 = `begin` was never called."""
        for (record,) in self._connection.execute("SELECT record FROM beginning"):
            self.plain_until = record
        with self._lock:
            self._check_provider()

    def begin(self, record: int) -> None:
        """Note, the first time, up to which record of the journal values may be plain."""
        with self._lock, self._connection:
            self._connection.execute("INSERT OR IGNORE INTO beginning VALUES (1, ?)", (record,))
            self.plain_until = self._connection.execute("SELECT record FROM beginning").fetchone()[0]

    def stop_sealing(self) -> None:
        """Forget that values had to be sealed: from now on they are plain, until it begins again."""
        with self._lock, self._connection:
            self._connection.execute("DELETE FROM beginning")

    def close(self) -> None:
        """Close the file and forget the keys."""
        with self._lock:
            self._connection.close()
            self._current.clear()
            self._opened.clear()

    def current(self, subject: str, now: float) -> DataKey | None:
        """Give the key that seals a subject's values, without blocking; None = call `prepare` first."""
        key = self._current.get(subject)
        return key if key is not None and self._is_fresh(key, now) else None

    def prepare(self, subjects: Iterable[str], now: float) -> dict[str, DataKey]:
        """Give a fresh key for every subject, durable before it can seal anything. Raises EncryptionError."""
        keys: dict[str, DataKey] = {}
        with self._lock:
            with self._connection:
                kek = self._provider.current()
                for subject in subjects:
                    key = self._newest(subject)
                    keys[subject] = key if key is not None and self._is_fresh(key, now) else self._make(subject, kek, now)
            self._current.update(keys)
            for key in keys.values():
                self._keep(key)
        return keys

    def unsealed(self, envelope: Envelope, place: Place) -> bytes:
        """Open a value. Raises Tampered, KeyMissing, KeyWrong, Erased."""
        key = self._opened.get(envelope.key_id)
        if key is None:
            with self._lock, self._connection:
                key = self._open(envelope.key_id, place)
        return unseal(envelope, place, key.cipher)

    def rotate(self, now: float) -> str:
        """Replace all data keys at their next use, and the wrapping key where its provider can; gives the latter's id.

        Nothing is rewritten now, and nothing that is sealed becomes unreadable.
        """
        with self._lock, self._connection:
            self._after_number = self._connection.execute("SELECT coalesce(max(number), 0) FROM data_keys").fetchone()[0]
            kek = self._provider.renew() if self._provider.renews else self._provider.current()
            self._note_rotation(now)
            return kek

    def rotate_if_due(self, now: float) -> bool:
        """Make a new wrapping key when the last is older than the rotation period, if the provider can; tell whether."""
        with self._lock, self._connection:
            if not self._kek_at:
                self._note_rotation(now)
            if now - self._kek_at < self._rotation_s or not self._provider.renews:
                return False
            self._provider.renew()
            self._note_rotation(now)
            return True

    def rewrap(self, limit: int) -> int:
        """Wrap up to `limit` keys by the current wrapping key; gives how many are left."""
        with self._lock, self._connection:
            kek = self._provider.current()
            rows = self._connection.execute("SELECT id, kek, wrapped FROM data_keys WHERE wrapped IS NOT NULL AND kek != ? LIMIT ?", (kek, limit)).fetchall()
            for key_id, old, wrapped in rows:
                self._wrap_anew(key_id, kek, self._provider.unwrap(old, wrapped))
            return int(self._count("wrapped IS NOT NULL AND kek != ?", kek))

    def destroy_unused(self) -> tuple[str, ...]:
        """Destroy the older wrapping keys that wrap nothing here any more; gives their ids.

        What a backup still holds under them is lost for good: this is what makes an erasure reach the backups.
        """
        with self._lock, self._connection:
            used = {row[0] for row in self._connection.execute("SELECT DISTINCT kek FROM data_keys WHERE wrapped IS NOT NULL")}
            unused = tuple(kek for kek in self._provider.older() if kek not in used)
            for kek in unused:
                self._provider.destroy(kek)
            return unused

    def erase(self, subject: str, now: float) -> int:
        """Destroy all keys of a subject: nothing of its values can be read again, here or in a copy. Gives how many keys."""
        with self._lock, self._connection:
            self._current.pop(subject, None)
            for key_id, key in list(self._opened.items()):
                if key.subject == subject:
                    del self._opened[key_id]
            cursor = self._connection.execute("UPDATE data_keys SET wrapped = NULL, erased_at = ? WHERE subject = ? AND wrapped IS NOT NULL", (now, subject))
            return cursor.rowcount

    def wrapped(self, ids: Iterable[str]) -> list[WrappedKey]:
        """Return keys as they lie in the file, without those that were destroyed."""
        sql = "SELECT id, subject, kek, wrapped, made_at FROM data_keys WHERE id = ? AND wrapped IS NOT NULL"
        with self._lock:
            return [WrappedKey(*row) for key_id in sorted(ids) for row in self._connection.execute(sql, (key_id,))]

    def adopt(self, keys: Iterable[WrappedKey]) -> None:
        """Keep keys that another ring made, to open what they sealed; one that was destroyed here stays so. Raises KeyMissing, KeyWrong.

        They seal nothing here. Their numbers are below those of all keys made here, so that none is the newest of its subject.
        """
        with self._lock, self._connection:
            for key in keys:
                if self._connection.execute("SELECT 1 FROM data_keys WHERE id = ?", (key.id,)).fetchone():
                    continue
                self._provider.unwrap(key.kek, key.wrapped)
                self._connection.execute(
                    "INSERT INTO data_keys (number, id, subject, kek, wrapped, made_at) "
                    "VALUES ((SELECT min(0, coalesce(min(number), 0)) - 1 FROM data_keys), ?, ?, ?, ?, ?)",
                    (key.id, key.subject, key.kek, key.wrapped, key.made_at),
                )

    def state(self, now: float) -> RingState:
        """Count the keys."""
        with self._lock:
            kek = self._provider.current()
            oldest = self._connection.execute("SELECT min(made_at) FROM data_keys WHERE wrapped IS NOT NULL").fetchone()[0]
            return RingState(
                subjects=self._connection.execute("SELECT count(DISTINCT subject) FROM data_keys WHERE wrapped IS NOT NULL").fetchone()[0],
                keys=self._count("wrapped IS NOT NULL"),
                destroyed=self._count("wrapped IS NULL"),
                kek=kek,
                to_rewrap=self._count("wrapped IS NOT NULL AND kek != ?", kek),
                oldest_s=max(now - oldest, 0.0) if oldest is not None else 0.0,
                skewed=self._count("wrapped IS NOT NULL AND made_at > ?", now + SKEW_MAX_S),
            )

    def _is_fresh(self, key: DataKey, now: float) -> bool:
        # A key from the future would never grow old: it is replaced, and opens what it sealed like any older one.
        return -SKEW_MAX_S <= now - key.made_at < self._rotation_s and key.seals < SEALS_MAX and key.number > self._after_number

    def _check_provider(self) -> None:
        """Say at start when the wrapping keys in use are not those of the provider."""
        current = self._provider.current()
        rows = self._connection.execute("SELECT kek, min(wrapped) FROM data_keys WHERE wrapped IS NOT NULL AND kek != ? GROUP BY kek", (current,))
        for kek, wrapped in rows.fetchall():
            self._provider.unwrap(kek, wrapped)

    def _newest(self, subject: str) -> DataKey | None:
        row = self._connection.execute(
            "SELECT id FROM data_keys WHERE subject = ? AND wrapped IS NOT NULL ORDER BY number DESC LIMIT 1", (subject,)
        ).fetchone()
        return self._opened.get(row[0]) or self._open(row[0]) if row else None

    def _make(self, subject: str, kek: str, now: float) -> DataKey:
        key_id, raw = self._ids.new(KEY_PREFIX), self._entropy(KEY_BYTES)
        cursor = self._connection.execute(
            "INSERT INTO data_keys (id, subject, kek, wrapped, made_at) VALUES (?, ?, ?, ?, ?)", (key_id, subject, kek, self._provider.wrap(kek, raw), now)
        )
        assert cursor.lastrowid is not None
        return DataKey(key_id, cursor.lastrowid, subject, now, cipher_of(raw))

    def _open(self, key_id: str, place: Place | None = None) -> DataKey:
        row = self._connection.execute("SELECT number, subject, kek, wrapped, made_at, erased_at FROM data_keys WHERE id = ?", (key_id,)).fetchone()
        what = f"{place} was sealed with {key_id}" if place else key_id
        if row is None:
            raise KeyMissing(f"{what}, which is not in {self.path}: restore the key ring of the backup that the database came from")
        number, subject, kek, wrapped, made_at, erased_at = row
        if wrapped is None:
            raise Erased(f"{what}, which was destroyed when {subject} was erased: nobody can read it any more")
        raw = self._provider.unwrap(kek, wrapped)
        current = self._provider.current()
        if kek != current:
            self._wrap_anew(key_id, current, raw)
        assert erased_at is None
        return self._keep(DataKey(key_id, number, subject, made_at, cipher_of(raw)))

    def _wrap_anew(self, key_id: str, kek: str, raw: bytes) -> None:
        self._connection.execute("UPDATE data_keys SET kek = ?, wrapped = ? WHERE id = ?", (kek, self._provider.wrap(kek, raw), key_id))

    def _keep(self, key: DataKey) -> DataKey:
        self._opened[key.id] = key
        self._opened.move_to_end(key.id)
        while len(self._opened) > OPENED_MAX:
            _, dropped = self._opened.popitem(last=False)
            if self._current.get(dropped.subject) is dropped:
                del self._current[dropped.subject]
        return key

    def _note_rotation(self, now: float) -> None:
        self._kek_at = now
        self._connection.execute("INSERT OR REPLACE INTO rotation VALUES (1, ?, ?)", (self._after_number, now))

    def _count(self, condition: str, *values: object) -> int:
        return int(self._connection.execute(f"SELECT count(*) FROM data_keys WHERE {condition}", values).fetchone()[0])  # noqa: S608  # from above


def _open_file(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, check_same_thread=False)
    try:
        # What is destroyed is overwritten, and a key is on the disk before anything is sealed with it.
        connection.executescript(f"PRAGMA secure_delete = ON; PRAGMA synchronous = FULL; {SCHEMA}")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise EncryptionError(f"{path} is no key ring ({error}): restore it from a backup") from error
    return connection
