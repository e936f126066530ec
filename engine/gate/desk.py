"""What all gates of an engine share: the coordinator, the rules, and the plans that wait to be executed.

Owner: of waiting plans. Limits: PLANS_WAITING_MAX plans, each for operations.plan_ttl_s; the oldest goes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.config import FleetManagerConfig
from engine.coordinator import Coordinator
from engine.gate import queries
from engine.gate.authority import Rules
from engine.gate.plans import Said
from engine.gate.reviewing import Reviewing
from engine.memory.contract import StoredArtifact
from engine.model.errors import NotFound
from engine.model.ids import PlanId
from engine.model.plans import Plan
from engine.model.verbs import Command

PLANS_WAITING_MAX = 200


@dataclass(frozen=True, slots=True)
class Waiting:
    """A plan that can be executed by its id, with what it must still do then."""

    plan: Plan
    commands: tuple[Command, ...]
    who: str
    said: Said
    """What its steps said."""


class Modules(Protocol):
    """Where modules of operators come from."""

    async def pin(self, commands: Sequence[Command]) -> Sequence[Command]:
        """Return verbs with the hash of what their files hold now. Raises FleetError for a file that is not what was meant."""
        ...

    async def fetch(self, commands: Sequence[Command], *, lays_out: bool) -> Sequence[StoredArtifact]:
        """Have at hand what verbs add and, if asked, lay it out for the workers; return what the journal is to keep. Raises FleetError."""
        ...

    def tidy(self, commands: Sequence[Command] | str) -> None:
        """Remove what nobody needs, after verbs that may have left such."""
        ...


class Desk:
    """What all gates of an engine share."""

    def __init__(  # noqa: PLR0913  # each is another one's
        self,
        coordinator: Coordinator,
        sources: queries.Sources,
        config: FleetManagerConfig,
        *,
        stop: Callable[[], None],
        modules: Modules,
        reviewing: Reviewing,
    ) -> None:
        self.coordinator = coordinator
        self.sources = sources
        self.config = config
        self.rules = Rules(config.operations)
        self.stop = stop
        self.modules = modules
        self.reviewing = reviewing
        self._waiting: dict[PlanId, Waiting] = {}
        self._abroad: dict[str, str] = {}
        """Plans that were made in other regions, and which."""

    def now(self) -> float:
        """Return the fleet's instant."""
        return self.sources.clock.now()

    def keep(self, waiting: Waiting) -> None:
        """Keep a plan until it is executed or too old; the oldest goes when there are too many."""
        self._drop_old()
        if len(self._waiting) >= PLANS_WAITING_MAX:
            del self._waiting[min(self._waiting, key=lambda key: self._waiting[key].plan.at)]
        self._waiting[waiting.plan.id] = waiting

    def take(self, plan_id: str) -> Waiting:
        """Return a plan and keep it no longer, so that nobody executes it twice. Raises NotFound."""
        self._drop_old()
        waiting = self._waiting.pop(PlanId(plan_id), None)
        if told := self._told_of(plan_id):
            raise NotFound(f"plan {plan_id} was carried out: {told}; nothing was changed again")
        if waiting is None:
            raise NotFound(f"no plan {plan_id!r} is waiting; it was carried out or is too old: make it again")
        return waiting

    def waiting(self, plan_id: str) -> Waiting | None:
        """Return a plan that waits here, and keep it."""
        return self._waiting.get(PlanId(plan_id))

    def drop(self, plan_id: str) -> None:
        """Keep a plan no longer, if it waits here."""
        self._waiting.pop(PlanId(plan_id), None)

    def _told_of(self, plan_id: str) -> str:
        """Return what became of a plan that this engine, or another one of the fleet, began to carry out; empty = nothing is known of that."""
        state = self.coordinator.state
        if (kept := state.plans.get(PlanId(plan_id))) is not None:
            return kept.plan.summary
        return next((f"{line.action} {line.target}, {line.result}" for line in state.audit if line.plan == plan_id), "")

    def note_abroad(self, plan_id: str, region: str) -> None:
        """Take note that a plan waits in another region; the oldest note goes when there are too many."""
        self._abroad[plan_id] = region
        while len(self._abroad) > PLANS_WAITING_MAX:
            del self._abroad[next(iter(self._abroad))]

    def abroad(self, plan_id: str) -> str:
        """Return the region that a plan waits in; empty = none that is known."""
        return self._abroad.get(plan_id, "")

    def others(self, who: str) -> Sequence[Waiting]:
        """Return the plans that other operators look at, oldest first."""
        self._drop_old()
        return [waiting for waiting in self._waiting.values() if waiting.who != who]

    def _drop_old(self) -> None:
        oldest = self.now() - self.config.operations.plan_ttl_s
        for plan_id in [key for key, entry in self._waiting.items() if entry.plan.at < oldest]:
            del self._waiting[plan_id]
