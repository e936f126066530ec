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
from engine.model.errors import FleetError
from engine.model.ids import PlanId
from engine.model.machines import ProgramRoom, Room
from engine.model.plans import Answer
from engine.scheduling.allocator import Adviser
from engine.state import Touched
from engine.state.deciding import Checked, Classify, MemoryVerbs

Says = Callable[[Sequence[object], int], "Answer | FleetError"]
"""Makes the answer to a call of its verbs' values and the state's number."""


class Calling:
    """A call of another engine while it is carried out: its answer becomes durable with what it changed, and with nothing else."""

    def __init__(self, id_: PlanId, encode: Callable[[Answer | FleetError], bytes]) -> None:
        self.id = id_
        self._encode = encode
        self._says: Says | None = None

    def promise(self, says: Says) -> None:
        """Have the next commit be the one that the call is answered with."""
        self._says = says

    def take(self, values: Sequence[object], seq: int) -> bytes | None:
        """Return the answer that goes with this commit; None = it is not the one."""
        says, self._says = self._says, None
        return self._encode(says(values, seq)) if says is not None else None


CALLING: ContextVar[Calling | None] = ContextVar("calling", default=None)
"""The call of another engine that this code carries out; None for all that is asked of this engine."""


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
