"""FleetState: all tables, changed only by apply(record).

Owner: the coordinator (and, on copies, recovery and replays); everybody else reads.
Limits: finished tasks, audit lines and plans are kept up to a number; the database has the older ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.model.events import Record
from engine.state import (
    agent_events,
    alert_events,
    budget_events,
    consensus_events,
    question_events,
    review_events,
    routing_events,
    swarm_events,
    task_events,
)
from engine.state.tables import FINISHED_MAX, Host, KeptPlan, Tables, Totals, Touched

__all__ = ["FINISHED_MAX", "FleetState", "Host", "KeptPlan", "Totals", "Touched"]

_TRANSITIONS: dict[type, Callable[[Tables, Any, float], None]] = {
    **agent_events.TRANSITIONS,
    **task_events.TRANSITIONS,
    **question_events.TRANSITIONS,
    **review_events.TRANSITIONS,
    **budget_events.TRANSITIONS,
    **consensus_events.TRANSITIONS,
    **alert_events.TRANSITIONS,
    **swarm_events.TRANSITIONS,
    **routing_events.TRANSITIONS,
}


class FleetState(Tables):
    """The tables with the one way to change them."""

    def apply(self, record: Record) -> None:
        """Fold one record in; records arrive in sequence without gaps."""
        assert record.seq == self.seq + 1, f"gap: {self.seq} then {record.seq}"
        self.seq = record.seq
        self.at = record.at
        _TRANSITIONS[type(record.event)](self, record.event, record.at)
