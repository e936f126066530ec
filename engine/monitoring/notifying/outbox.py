"""Notifications that wait, were sent, or were given up, for each channel; kept in the database so that a restart loses none.

Owner: `Outbox`, of the letters and of what the database does not know of them yet. Limits: each channel says how many may
wait, one more parks the oldest; ENDED_MAX letters that ended are kept, the oldest sent ones go first. A letter that waits
takes in what comes later of its group, so one group waits once. Delivery is at least once: what was sent when the engine
died, and not yet kept as sent, is sent again with the same id.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import msgspec

from engine.model.errors import JournalError
from engine.model.notifications import Group, Letter, LetterState, Notification
from engine.monitoring.archive import Files, all_or_nothing

logger = logging.getLogger(__name__)

ENDED_MAX = 1_000
NUMBER_DIGITS_MAX = 19


class Outbox:
    """All letters."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self.letters: dict[int, Letter] = {}
        """By number, which grows: the oldest first."""
        self._last = 0
        self._under_way: set[int] = set()
        self._dirty: set[int] = set()
        self._changed: Callable[[Letter], None] = lambda _letter: None
        self.lost = 0
        """Parked letters that were forgotten to make room, since the engine began."""

    def on_change(self, changed: Callable[[Letter], None]) -> None:
        """Have a function called with each letter that changed."""
        self._changed = changed

    async def open(self, now: float) -> list[Group]:
        """Read what a former engine left, and return the groups. Raises JournalError.

        Instants after now are of a clock that has been set back since: they become now.
        """
        letters, groups = await self._files.read(_read)
        early = self.letters
        self.letters = {letter.number: letter for letter in letters}
        self._last = max([self._last, *self.letters])
        assert not early, "nothing is put in before open()"
        for letter in self.waiting():
            letter.due_at = min(letter.due_at, now)
        for group in groups:
            group.told_at, group.changed_at = min(group.told_at, now), min(group.changed_at, now)
        return groups

    # ---- letters

    def put(self, channel: str, notification: Notification, now: float, *, waiting_max: int, join: Callable[[Notification, Notification], Notification]) -> Letter:
        """Have a notification wait for a channel; one of its group that waits already becomes one with it."""
        waiting = list(self.waiting(channel))
        same = [letter for letter in waiting if letter.notification.key == notification.key and letter.number not in self._under_way]
        if same:
            same[0].notification = join(same[0].notification, notification)
            self._touch(same[0])
            return same[0]
        for letter in islice((one for one in waiting if one.number not in self._under_way), max(0, len(waiting) + 1 - waiting_max)):
            self._end(letter, LetterState.PARKED, now, f"{waiting_max} notifications waited already, and this was the oldest")
            logger.warning("a notification is parked: too many wait", extra={"channel": channel, "notification": letter.notification.id})
        self._last += 1
        made = Letter(self._last, channel, notification, LetterState.WAITING, now)
        self.letters[made.number] = made
        self._touch(made)
        return made

    def waiting(self, channel: str = "") -> Iterator[Letter]:
        """Return the letters that wait, of one channel or of all, oldest first."""
        return (letter for letter in self.letters.values() if letter.state is LetterState.WAITING and channel in ("", letter.channel))

    def begin(self, letter: Letter) -> Notification:
        """Take a letter as under way and return what to deliver: what comes of its group meanwhile makes a letter of its own."""
        self._under_way.add(letter.number)
        return letter.notification

    def delivered(self, letter: Letter, now: float) -> None:
        """Take a letter as sent."""
        self._end(letter, LetterState.SENT, now, "", attempts=1)

    def postpone(self, letter: Letter, error: str, due_at: float) -> None:
        """Have a letter wait for another attempt."""
        self._under_way.discard(letter.number)
        letter.attempts, letter.error, letter.due_at = letter.attempts + 1, error, due_at
        self._touch(letter)

    def park(self, letter: Letter, error: str, now: float) -> None:
        """Give a letter up after an attempt: it is kept, and sent again when somebody asks for it."""
        self._end(letter, LetterState.PARKED, now, error, attempts=1)

    def abandon(self, channels: Iterable[str], now: float) -> None:
        """Park what waits for channels that are none of these any more."""
        known = set(channels)
        for letter in [one for one in self.waiting() if one.channel not in known]:
            self._end(letter, LetterState.PARKED, now, "its channel is switched off or no longer configured")
            logger.warning("a notification is parked: its channel is gone", extra={"channel": letter.channel, "notification": letter.notification.id})

    def let_go(self, letter: Letter) -> None:
        """Take a letter as not under way, its attempt having ended in no way at all."""
        self._under_way.discard(letter.number)

    def parked(self, which: str = "") -> list[Letter]:
        """Return dead letters, oldest first: of a channel, or by the id of a letter or a notification; empty = all."""
        return [letter for letter in self.letters.values() if letter.state is LetterState.PARKED and (not which or which in (letter.channel, letter.id, letter.notification.id))]

    def find(self, id_: str) -> Letter | None:
        """Return the letter of an id, or None."""
        channel, _, number = id_.rpartition("-")
        letter = self.letters.get(int(number)) if number.isascii() and number.isdecimal() and len(number) < NUMBER_DIGITS_MAX else None
        return letter if letter is not None and letter.channel == channel else None

    def requeue(self, letters: Iterable[Letter], now: float) -> int:
        """Have dead letters wait again, with all their attempts; return how many."""
        again = list(letters)
        for letter in again:
            letter.state, letter.due_at, letter.attempts, letter.ended_at = LetterState.WAITING, now, 0, 0.0
            self._touch(letter)
        return len(again)

    def _end(self, letter: Letter, state: LetterState, now: float, error: str, *, attempts: int = 0) -> None:
        self._under_way.discard(letter.number)
        letter.state, letter.ended_at, letter.error = state, now, error
        letter.attempts += attempts
        self._touch(letter)
        self._forget()

    def _forget(self) -> None:
        ended = [letter for letter in self.letters.values() if letter.state is not LetterState.WAITING]
        spare = sorted(ended, key=lambda one: (one.state is LetterState.PARKED, one.number))[: max(0, len(ended) - ENDED_MAX)]
        for letter in spare:
            del self.letters[letter.number]
            self._touch(letter)
            if letter.state is LetterState.PARKED:
                self.lost += 1
                logger.error("a parked notification is forgotten: too many are", extra={"channel": letter.channel, "notification": letter.notification.id})

    def _touch(self, letter: Letter) -> None:
        self._dirty.add(letter.number)
        self._changed(letter)

    # ---- the database

    @property
    def is_kept(self) -> bool:
        """Tell whether the database knows all letters as they are."""
        return not self._dirty

    async def save(self, groups: dict[str, Group], dirty_groups: set[str]) -> None:
        """Write what changed, letters and groups in one transaction. Raises JournalError; then it is still to be written."""
        numbers, self._dirty = self._dirty, set()
        keys = set(dirty_groups)
        dirty_groups.clear()
        letters = [(number, replace(self.letters[number]) if number in self.letters else None) for number in numbers]
        kept = [(key, _JSON.encode(groups[key]).decode() if key in groups else None) for key in keys]
        try:
            await self._files.write(lambda connection: _write(connection, letters, kept))
        except JournalError:
            self._dirty |= numbers
            dirty_groups |= keys
            raise


_JSON = msgspec.json.Encoder()
_LETTERS = "SELECT number, channel, notification, state, due_at, attempts, error, ended_at FROM alert_letters ORDER BY number"


def _read(connection: sqlite3.Connection) -> tuple[list[Letter], list[Group]]:
    notification, group = msgspec.json.Decoder(Notification), msgspec.json.Decoder(Group)
    letters = [
        Letter(number, channel, notification.decode(data), LetterState(state), due_at, attempts, error, ended_at)
        for number, channel, data, state, due_at, attempts, error, ended_at in connection.execute(_LETTERS)
    ]
    return letters, [group.decode(data) for (data,) in connection.execute("SELECT data FROM alert_groups")]


def _write(connection: sqlite3.Connection, letters: Sequence[tuple[int, Letter | None]], groups: Sequence[tuple[str, str | None]]) -> None:
    def work() -> None:
        connection.executemany("DELETE FROM alert_letters WHERE number = ?", [(number,) for number, letter in letters if letter is None])
        connection.executemany("INSERT OR REPLACE INTO alert_letters VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [_row(letter) for _, letter in letters if letter is not None])
        connection.executemany("DELETE FROM alert_groups WHERE key = ?", [(key,) for key, data in groups if data is None])
        connection.executemany("INSERT OR REPLACE INTO alert_groups VALUES (?, ?)", [entry for entry in groups if entry[1] is not None])

    all_or_nothing(connection, work)


def _row(letter: Letter) -> tuple[Any, ...]:
    data = _JSON.encode(letter.notification).decode()
    return letter.number, letter.channel, letter.state.value, letter.due_at, letter.attempts, letter.error, letter.ended_at, data
