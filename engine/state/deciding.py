"""What a decision may know beside the state: the instant, who asked, settings, and where ids and chance come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from engine.clock import IdFactory, Rng
from engine.config import FleetManagerConfig
from engine.model.artifacts import StoredArtifact
from engine.model.code_routes import CodeRoute
from engine.model.events import Event
from engine.model.machines import Room
from engine.model.modules import ModuleFacts
from engine.model.plans import Origin, PlanStep
from engine.model.task_commands import SubmitTask
from engine.model.verbs import Command
from engine.state import FleetState

Classify = Callable[[FleetState, SubmitTask], CodeRoute]
Checked = Callable[[str], ModuleFacts | None]


@dataclass(frozen=True, slots=True)
class Deciding:
    """Handed to every decide function; nothing else outside the state may enter a decision."""

    now: float
    origin: Origin
    config: FleetManagerConfig
    ids: IdFactory
    rng: Rng
    classify: Classify | None = None
    """Says who does a code task that names no pool; None = regular agents do."""
    room: Callable[[], Room | None] = lambda: None
    """Measures what the machine can take now; None = there is no limit."""
    checked: Checked | None = None
    """Tells what is known of a module whose file or bytes were checked just now, by its SHA-256."""
    restoring: bool = False
    """The verbs take something back: to where it was, even below a pool's min."""
    memory: MemoryVerbs | None = None
    """Decides verbs about entries of memory, which are not in the state; None = this engine keeps none."""


@dataclass(slots=True)
class Decision:
    """Events to apply, and what each command answers."""

    events: list[Event] = field(default_factory=list)
    values: Sequence[object] = ()
    artifacts: Sequence[StoredArtifact] = ()
    """Large payloads that the events name."""


class MemoryVerbs(Protocol):
    """Knows the entries of memory."""

    def decide(self, commands: Sequence[Command], deciding: Deciding, next_record: int) -> Decision:
        """Return the events of a plan. Raises FleetError."""
        ...

    def describe(self, command: Command, deciding: Deciding) -> PlanStep:
        """Return what a verb would do. Raises FleetError."""
        ...
