"""What the coordinator decides with, and whom it tells.

Owner: nobody; the coordinator is handed these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from engine.clock import Clock, IdFactory, Rng
from engine.config import FleetManagerConfig
from engine.model import events as ev
from engine.model.machines import ProgramRoom, Room
from engine.scheduling.allocator import Adviser
from engine.state import Touched
from engine.state.deciding import Checked, Classify, MemoryVerbs

ANSWERING: ContextVar[Callable[[Sequence[object], int], tuple[str, bytes]] | None] = ContextVar("answering", default=None)
"""While a call of another engine is carried out: makes its id and answer of the values and the state's number."""


class Publisher(Protocol):
    """Takes what a commit changed, on the engine's loop; must not block."""

    def __call__(self, records: Sequence[ev.Record], touched: Touched) -> None:
        """Note the records of one commit and the ids that they touched."""
        ...


@dataclass(frozen=True, slots=True)
class Tools:
    """Where time, chance and ids come from, and the settings."""

    clock: Clock
    rng: Rng
    ids: IdFactory
    config: FleetManagerConfig
    classify: Classify | None = None
    """Says who does a code task that names no pool."""
    room: Callable[[], Room | None] = lambda: None
    """Measures what the machine can take; None = there is no limit."""
    memory: MemoryIndex | None = None
    """Knows the entries of memory, which are not in the state; None = there are none."""
    checked: Checked | None = None
    """Tells what is known of a module that was checked."""
    memory_verbs: MemoryVerbs | None = None
    adviser: Adviser | None = None
    """Says whom to take beside the scores: rules, and what was learned; None = scores alone decide."""
    program_room: Callable[[], ProgramRoom | None] = lambda: None
    """Memory for programs as last measured; None = they may start whatever they take."""


class MemoryIndex(Protocol):
    """What the coordinator asks and tells of entries of memory."""

    def applied(self, record: ev.Record) -> None:
        """Take note of a change that is decided, but not durable yet."""
        ...

    def clear(self) -> None:
        """Forget what is not durable: it never will be."""
        ...
