"""Makes knowledge of what happened: old episodes become one summary, a semantic entry, and leave tombstones.

Owner: nobody; `Consolidating` looks at a Memory and gives out changes, which are decided like all others, all of them or
none. Limits: ENTRIES_MAX episodes a round, GROUP_MAX of them a summary. A summary has the owner, the permissions and the
namespace of all its episodes: only those that agree in these become one, so that nobody learns more by it.
"""

from __future__ import annotations

import logging
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from itertools import groupby
from typing import NamedTuple, Protocol

from engine.clock import Clock
from engine.memory.changing import Change, Delete, Place, Store
from engine.memory.entries import Kept
from engine.memory.store import Memory
from engine.memory.values import decode_value, encode_value
from engine.model import wire
from engine.model.errors import CommandRefused, JournalError
from engine.model.memory import (
    Action,
    Consolidated,
    EntryId,
    Principal,
    PrincipalKind,
    StoreOptions,
)
from engine.model.memory_words import Kind

logger = logging.getLogger(__name__)

ENTRIES_MAX = 500
GROUP_MAX = 200
INTERVAL_S = 3_600.0
SENTENCES = 8
SENTENCE_MAX = 400
"""Characters of a sentence that is taken over."""

_ENGINE = Principal("engine", PrincipalKind.ENGINE)
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")
_WORD = re.compile(r"\w{3,}")


class Summary(NamedTuple):
    """What several texts come to, and how that was found."""

    text: str
    method: str


class Summariser(Protocol):
    """Makes one text of several; must not block for long."""

    def summarise(self, texts: Sequence[str]) -> Summary:
        """Return what the texts come to, oldest first."""
        ...


class Extractive:
    """Takes over the sentences whose words are the commonest among all of them; it understands nothing, and says so."""

    def summarise(self, texts: Sequence[str]) -> Summary:
        """Return the sentences as they were written, in their order."""
        sentences = list(dict.fromkeys(_sentences(texts)))
        words = Counter(word for sentence in sentences for word in _words(sentence))
        best = sorted(range(len(sentences)), key=lambda place: (-_weight(sentences[place], words), place))[:SENTENCES]
        text = " ".join(sentences[place] for place in sorted(best))
        return Summary(text, f"extractive: {len(best)} of {len(sentences)} sentences, taken over as they were")


def _sentences(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        for found in _SENTENCE.findall(text):
            if sentence := found.strip():
                yield sentence[:SENTENCE_MAX]


def _words(sentence: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(sentence)}


def _weight(sentence: str, words: Counter[str]) -> float:
    """Return how much a sentence has of what the others say; long ones gain less by each word."""
    found = _words(sentence)
    return sum(math.log(1 + words[word]) for word in found) / math.sqrt(1 + len(found))


class Consolidating:
    """Says what becomes of episodes that are old enough."""

    def __init__(self, memory: Memory, episodic_s: float, summariser: Summariser | None = None) -> None:
        self._memory = memory
        self._episodic_s = episodic_s
        self._summariser: Summariser = summariser or Extractive()

    async def run(self, clock: Clock) -> None:
        """Make summaries once an hour until cancelled; goes on at once while there is more than a round takes."""
        while True:
            is_full = False
            try:
                is_full = await self.consolidate(_ENGINE, clock.now()) >= ENTRIES_MAX
            except (CommandRefused, JournalError) as error:  # an episode was changed meanwhile, or nothing can be written
                logger.warning("episodes are kept for later", extra={"reason": str(error)})
            await clock.sleep(1.0 if is_full else INTERVAL_S)

    async def consolidate(self, principal: Principal, now: float, *, older_s: float | None = None) -> int:
        """Make summaries of a round of episodes, durable on return; return how many episodes these were. Raises FleetError."""
        changes = self.changes(principal, now, older_s=older_s)
        if changes:
            await self._memory.gathering.change(changes)
        return told(changes).episodes

    def age_s(self, older_s: float | None) -> float:
        """Return how old episodes are that become summaries."""
        return self._episodic_s if older_s is None else older_s

    def changes(self, principal: Principal, now: float, *, older_s: float | None = None, namespace: str = "") -> list[Change]:
        """Return the summaries to store and the episodes to delete; none when there is nothing to do. Raises FleetError."""
        episodes = self._memory.entries.episodes(now - self.age_s(older_s), ENTRIES_MAX, namespace)
        kept = [one for one in episodes if self._is_open(principal, one, now)]
        changes: list[Change] = []
        for _, alike in groupby(sorted(kept, key=_order), key=_likeness):
            group = list(alike)
            for first in range(0, len(group), GROUP_MAX):
                changes += self._summary_of(principal, group[first : first + GROUP_MAX])
        return changes

    def _is_open(self, principal: Principal, kept: Kept, now: float) -> bool:
        """Answer whether an episode is there, as it is durable, and may be read and deleted."""
        head, acl = kept[0], self._memory.settings.acl
        newest = self._memory.shelf.heads((head.id,)).get(head.id)
        is_settled = newest is not None and newest.version == head.version and head.is_there(now)
        return is_settled and all(acl.may(principal, action, head).allowed for action in (Action.READ, Action.DELETE))

    def _summary_of(self, principal: Principal, group: Sequence[Kept]) -> Iterator[Change]:
        heads = [head for head, _ in group]
        first, last = heads[0].created_at, heads[-1].created_at
        summary = self._summariser.summarise([self._text_of(kept) for kept in group])
        keys = [head.id.key for head in heads]
        value = {"summary": summary.text, "method": summary.method, "entries": len(keys), "since": first, "until": last, "keys": keys}
        name = f"summary/{_day(first)}/{_day(last)}/{sha256(wire.encode(keys)).hexdigest()[:8]}"
        id_ = EntryId(heads[0].id.namespace, heads[0].id.owner, name)
        options = StoreOptions(id_.namespace, id_.owner, Kind.SEMANTIC, heads[0].permissions, 0.0, tags=("summary",))
        encoded = encode_value(id_, value, self._memory.settings.value_max_bytes)
        yield Store(principal, id_, encoded, options, Place(heads[0].team, heads[0].swarm))
        for head in heads:
            yield Delete(principal, head.id, head.version)

    def _text_of(self, kept: Kept) -> str:
        head, data = kept
        stored = self._memory.entries.artifact_now(head.artifact) if head.artifact else data
        if stored is None:
            return ""
        value = decode_value(head.media, self._memory.seal.open(head, stored))
        return value if isinstance(value, str) else "" if isinstance(value, bytes) else wire.encode(value).decode()


def told(changes: Sequence[Change]) -> Consolidated:
    """Return what changes come to."""
    episodes = [change.id for change in changes if isinstance(change, Delete)]
    return Consolidated(len(episodes), len(changes) - len(episodes), len({id_.owner for id_ in episodes}))


def _likeness(kept: Kept) -> tuple[object, ...]:
    """Return what the episodes of one summary have in common."""
    head = kept[0]
    lists = head.permissions
    return (head.id.namespace, head.id.owner, head.team, head.swarm, lists.level, lists.read, lists.write, lists.delete)


def _order(kept: Kept) -> tuple[object, ...]:
    return (*_likeness(kept), kept[0].created_at, kept[0].id.key)


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
