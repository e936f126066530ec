"""The journal as a protocol: what the coordinator needs of any place that keeps events durable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from engine.model.artifacts import StoredArtifact
from engine.model.costs import Lives
from engine.model.events import Record
from engine.model.ids import TaskId
from engine.model.plans import Origin
from engine.model.scaling import Load
from engine.model.tasks import Task
from engine.state import FleetState, Touched

__all__ = ["Eraser", "Journal", "JournalBatch", "Keys", "StoredArtifact"]


@dataclass(slots=True)
class JournalBatch:
    """What one group commit writes, all or nothing: records, and the tables as they are after them."""

    records: list[Record]
    state: FleetState
    """Read only while append() has not yet given control away; the ids in `touched` say which rows."""
    touched: Touched
    texts: Sequence[bytes] | None = None
    """The records' events as JSON, when they were encoded already."""
    artifacts: list[StoredArtifact] = field(default_factory=list)
    answers: dict[str, bytes] = field(default_factory=dict)
    """To what other engines asked for, by the call's id: known from when the batch is durable."""
    when_durable: Callable[[], None] = lambda: None
    """Called by a journal that makes the batch durable before append() ends; more than once is no harm."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database file holds; counts and spans, no values."""

    path: str
    bytes: int
    step: int
    """Of its tables."""
    first: int
    """Oldest record from which on all are kept."""
    last: int
    """Newest record."""
    at: float
    """Instant of the newest record."""
    rows: dict[str, int]
    """By table."""
    removed: dict[str, int] = field(default_factory=dict)
    """Rows that went for their age, by table."""
    free: int = 0
    """Bytes inside that hold nothing; they are used next."""
    keys: int = 0
    """Data keys that it has beside the tables, as backups do; they are wrapped."""


class Keys(Protocol):
    """The keys that memory is sealed with."""

    @property
    def is_on(self) -> bool:
        """Answer whether new values are sealed."""
        ...

    async def rotate(self) -> str:
        """Have new keys at once, and say which. Raises EncryptionError."""
        ...


class Eraser(Protocol):
    """Erases what somebody owns in memory."""

    async def erase(self, owner: str, origin: Origin) -> str:
        """Erase all of it, and say what was erased and what is left. Raises FleetError."""
        ...


class Journal(Protocol):
    """Keeps records and their projections. One writer; reads may come from the loop."""

    async def append(self, batch: JournalBatch) -> None:
        """Write a batch; it is durable on return. Raises JournalError and then nothing of it is written."""
        ...

    async def probe(self) -> None:
        """Write and remove a little something. Raises JournalError while writing does not work."""
        ...

    async def load(self, finished_max: int) -> FleetState:
        """Return the state as of the last batch. Raises JournalError for a database that is not whole."""
        ...

    async def records(self, *, after: int = 0, limit: int = 1_000, before: int = 0) -> Sequence[Record]:
        """Return records with after < seq (< before, when given), oldest first, the newest `limit` of them."""
        ...

    async def story(self, id_: str, *, limit: int = 200, within: int = 0) -> Sequence[Record]:
        """Return the newest records that mention an id, oldest first; `within` = only among so many newest ones."""
        ...

    async def find_task(self, task_id: TaskId) -> Task | None:
        """Return a task that the state has forgotten, or None."""
        ...

    async def load_since(self, since: float, *, limit: int) -> Sequence[Load]:
        """Return the tasks accepted since an instant that have run, as load, oldest first, the newest `limit` of them."""
        ...

    async def lives_since(self, since: float, *, limit: int) -> Lives:
        """Return when pools had agents since an instant, when no engine ran, and how sizes moved; of the newest `limit` agents."""
        ...

    async def artifact(self, artifact_id: str) -> StoredArtifact | None:
        """Return a stored payload, or None."""
        ...

    async def backup(self, target: Path, *, force: bool = False) -> Contents:
        """Write a whole copy to a file while work goes on, also when writing here fails; `force` replaces an older one. Raises JournalError, CommandRefused."""
        ...

    async def close(self) -> None:
        """Finish the writer thread and close the database."""
        ...
