"""The engine's end of the booster: what its workers tell goes into the book, and what the book says into decisions.

Owner: of whether there is a module, and why not. The book itself is the feed's.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence

import msgspec

from engine.agents.joined.messages import Boosted
from engine.booster.classifier import Facts, classify
from engine.clock import Clock
from engine.gate.booster_rows import booster_pools
from engine.gate.feed import Feed
from engine.model.agent_events import HostLost
from engine.model.agents import AgentStatus
from engine.model.code_routes import CodeRoute
from engine.model.events import Record
from engine.model.ids import HostId
from engine.model.pools import LOCAL
from engine.model.task_commands import SubmitTask
from engine.model.task_events import TasksRerouted
from engine.state import FleetState, Touched

logger = logging.getLogger(__name__)


class Boosting:
    """Listens to the booster's workers, and classifies code tasks."""

    def __init__(self, feed: Feed, clock: Clock, absent: str) -> None:
        self._feed = feed
        self._book = feed.book
        self._clock = clock
        self._absent = absent
        """Why there is no booster; empty = there is one."""

    def beat(self, host: HostId, figures: dict[str, object] | None) -> None:
        """Take a beat of a worker, with figures if any has changed."""
        try:
            changed = self._book.note(host, figures, self._clock.now())
        except msgspec.ValidationError as error:
            logger.warning("figures of a booster's worker cannot be read", extra={"host": host, "reason": str(error)})
            return
        if changed or figures is not None:
            self._feed.boosted(changed)

    def hosted(self, host: HostId, told: Boosted) -> None:
        """Take a beat of a host that joined: of each of its workers, and what modules it has not got."""
        pages = {HostId(f"{host}/{worker}"): figures for worker, figures in told.workers.items()}
        for page, figures in pages.items():
            kept = figures.get("reproducer") if figures else ""
            self.beat(page, {**figures, "reproducer": f"{host}:{kept}"} if figures and kept else figures)
        self._close([page for page in self._book.pages_of(host) if page not in pages])
        self._book.lack(host, told.lacks)

    def leave_hosts(self) -> None:
        """Forget what hosts told when this engine led before."""
        self._feed.boosted(self._book.leave_hosts())

    def changed(self) -> None:
        """Take note that the booster as a whole reads differently."""
        self._feed.boosted(())

    def publish(self, records: Sequence[Record], touched: Touched) -> None:  # noqa: ARG002  # a publisher gets both
        """Close the pages of workers that are gone, and log what failed."""
        for record in records:
            event = record.event
            if isinstance(event, HostLost):
                self._close([event.host, *self._book.pages_of(event.host)])
                self._book.lack(event.host, {})
            elif isinstance(event, TasksRerouted):
                for moved in event.tasks:
                    if moved.failure:
                        told = {"task": moved.task, "failure": moved.failure, "reason": moved.reason, "to": event.pool, "reproducer": moved.reproducer}
                        logger.warning("an instance of the booster failed; its task was handed on", extra=told)

    def _close(self, pages: Sequence[HostId]) -> None:
        gone = [agent for page in pages for agent in self._book.lost(page)]
        if gone:
            self._feed.boosted(gone)

    def classify(self, state: FleetState, command: SubmitTask) -> CodeRoute:
        """Say who does a code task."""
        facts = Facts(self._absent or _why_absent(state), self._operations(), self._book.breakers(self._clock.now()).keys())
        return classify(command.type, command.payload, facts)

    def _operations(self) -> Mapping[str, Collection[str]]:
        return next((_read(figures.operations) for figures in self._book.living() if figures.operations), {})


def _why_absent(state: FleetState) -> str:
    """Return why no booster of the fleet can work; empty if one can."""
    pools = booster_pools(state)
    if not pools:
        return "there is no booster in this fleet"
    agents = [agent for pool in pools for agent in state.agents_in(pool)]
    if agents and all(agent.status is AgentStatus.FAILED for agent in agents):
        return "the booster does not start"
    if not agents and any(state.pools[pool].waits and state.pools[pool].spec.hosts != LOCAL for pool in pools):
        return "no host takes the booster's agents"
    return ""


def _read(operations: Sequence[str]) -> dict[str, list[str]]:
    """Return languages by operation, from `code.rename (python, tsx)`."""
    parts = (row.removesuffix(")").partition(" (") for row in operations)
    return {name: languages.split(", ") for name, _, languages in parts}
