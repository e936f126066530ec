"""Keeps watch: looks at every enabled rule once a second, and reports what changed to the coordinator.

Owner: `Alerter`, of the windows that conditions look at, of how the values of alerts read now (`book`), and of since when an
active alert's condition was not seen. Alerts themselves are the fleet's state, so that they outlive the engine.
Limits: those of the windows; a look takes LOOK_SHARE of the time at most, so a fleet with very many series is looked at less often.
While the journal cannot be written nothing is looked at: nothing that it found could be kept.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from engine.model.alert_events import AlertAcked, AlertsMoved
from engine.model.alerts import Alert, AlertState, Labels, Transition
from engine.model.errors import UsageError
from engine.model.events import Record
from engine.model.ids import AgentId, HostId
from engine.model.reports import AlertsSeen
from engine.monitoring.alerts.evaluating import evaluate
from engine.monitoring.alerts.expressions import comparisons, parse
from engine.monitoring.alerts.lifecycle import Look, Quiet, Watched, series_labels, step
from engine.monitoring.alerts.noting import noted
from engine.monitoring.alerts.silencing import is_about_flow, quieted
from engine.monitoring.alerts.windows import Key, Windows
from engine.state import FleetState, Touched

logger = logging.getLogger(__name__)

GAP_S = 30.0
"""What lies further apart than this was not watched in between."""
LOOK_SHARE = 0.01
LOOK_MAX_S = 15.0
"""Longest wait between two looks, however long one takes."""


@dataclass(slots=True)
class Book:
    """How alerts and rules read now."""

    values: dict[str, float] = field(default_factory=dict)
    """Of active alerts, by id."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Rule -> for how many sets of labels more its condition holds."""
    known: set[str] = field(default_factory=set)
    """Rules of which anything is known."""


@dataclass(frozen=True, slots=True)
class Around:
    """What the alerter asks and tells."""

    state: Callable[[], FleetState]
    report: Callable[[AlertsSeen], None]
    agents: Callable[[str], Iterable[tuple[AgentId, float]]]
    """Gives an agents' metric as it reads now."""
    is_read_only: Callable[[], bool]
    looked: Callable[[Collection[str], Collection[str]], None] = lambda _alerts, _rules: None
    """Is told which alerts and rules read differently."""


class Alerter:
    """Watches the rules."""

    def __init__(self, around: Around, watched_until: float) -> None:
        self._around = around
        self._looked_at = watched_until
        """The newest look; before the first one, until when the engine before this one is known to have watched."""
        self._next_at = 0.0
        self.windows = Windows(lambda: around.state().pools, self._agents)
        self.book = Book()
        self._watched: dict[str, Watched] = {}
        self._flow: set[str] = set()
        self._is_stale = True
        """The rules are not those that are watched."""
        self._quiet: dict[str, Quiet] = {}
        self._told: dict[str, Alert] = {}
        """Alerts as they were told last."""
        self._hosts: dict[HostId, str] = {}
        self.listeners: list[Callable[[Sequence[Transition], float], None]] = []
        """Are told of every change of an alert, once it is durable."""

    # ---- what the fleet does

    def publish(self, records: Sequence[Record], touched: Touched) -> None:
        """Note one commit: events that rules count, other rules, alerts that changed."""
        state = self._around.state()
        if not records:
            self._is_stale = True
            self._told = dict(state.alerting.alerts)
            return
        if touched.rules:
            self._is_stale = True
        moved: dict[str, float] = {}
        for record in records:
            event = record.event
            if isinstance(event, AlertsMoved):
                moved.update(dict.fromkeys((alert.id for alert in event.alerts), record.at))
            elif isinstance(event, AlertAcked):
                moved[event.alert] = record.at
            elif self.windows.counts:
                for one in noted(state, record, touched, self._hosts):
                    self.windows.note(*one)
        if moved:
            self._tell(state, moved)

    def _tell(self, state: FleetState, moved: Mapping[str, float]) -> None:
        transitions = []
        for id_ in moved:
            before, now = self._told.pop(id_, None), state.alerting.alerts.get(id_)
            if now is not None:
                self._told[id_] = now
                transitions.append(Transition(now, before))
        for listener in self.listeners:
            listener(transitions, max(moved.values()))

    def begin(self, now: float) -> None:
        """Tell listeners of the alerts that fire as the engine starts: what the engine before did not get to say."""
        alerts = self._around.state().alerting.alerts
        self._told = dict(alerts)
        firing = [Transition(alert, alert) for alert in alerts.values() if alert.state is AlertState.FIRING]
        for listener in self.listeners:
            listener(firing, now)

    # ---- looking

    def sampled(self, now: float, values: Mapping[Key, float], durations: Mapping[Key, Sequence[float]]) -> None:
        """Take the figures of a second, and look at the rules."""
        if self._is_stale:
            self._watch(now)
        self.windows.sample(now, values, durations)
        if self._next_at - LOOK_MAX_S <= now < self._next_at or self._around.is_read_only():
            return
        began = perf_counter()
        self.look(now)
        self._next_at = now + min(LOOK_MAX_S, (perf_counter() - began) / LOOK_SHARE)

    def _watch(self, now: float) -> None:
        """Watch the rules as they are now."""
        self._is_stale = False
        self._watched, self._flow = {}, set()
        for rule in self._around.state().alerting.rules.values():
            if not rule.enabled:
                continue
            try:
                watched = Watched(rule, parse(rule.expr))
            except UsageError as error:  # kept by an engine that knew other metrics
                logger.warning("an alert rule cannot be watched", extra={"rule": rule.id, "reason": str(error)})
                continue
            self._watched[rule.id] = watched
            if is_about_flow(watched.condition):
                self._flow.add(rule.id)
        self.windows.watch([one.operand for watched in self._watched.values() for one in comparisons(watched.condition)], now)

    def look(self, now: float) -> None:
        """Look at every rule, and report what changed."""
        state = self._around.state()
        self._hosts = {id_: host.info.kind for id_, host in state.hosts.items()}
        passed = now - self._looked_at
        look = Look(now, 0.0 if 0 <= passed <= GAP_S else passed, lambda labels: _is_gone(state, labels))
        self._looked_at = now
        book, moved = Book(), {}
        by_rule: dict[str, dict[str, Alert]] = {}
        for alert in state.alerting.alerts.values():
            by_rule.setdefault(alert.rule, {})[alert.id] = alert
        for id_, watched in self._watched.items():
            found = evaluate(watched.condition, self.windows)
            stepped = step(watched, found, by_rule.get(id_, {}), self._quiet, look)
            moved.update({alert.id: alert for alert in stepped.moved})
            if stepped.left_out:
                book.left_out[id_] = stepped.left_out
            if found.verdicts or found.others_known:
                book.known.add(id_)
            for alert in by_rule.get(id_, {}).values():
                verdict = found.of(series_labels(watched.rule, alert)) if alert.is_active else None
                if verdict is not None:
                    book.values[alert.id] = verdict.value
        self._finish(state, moved, book, now)

    def _finish(self, state: FleetState, moved: dict[str, Alert], book: Book, now: float) -> None:
        alerting = state.alerting
        after = {**alerting.alerts, **moved}.values()
        halted = state.is_halted("placing")
        moved.update({alert.id: alert for alert in quieted(after, alerting.silences.values(), self._flow, now, halted=halted)})
        over = tuple(silence.id for silence in alerting.silences.values() if silence.until <= now)
        before, self.book = self.book, book
        self._quiet = {id_: quiet for id_, quiet in self._quiet.items() if id_ in alerting.alerts}
        alerts = [id_ for id_, value in book.values.items() if before.values.get(id_) != value]
        rules = (before.known ^ book.known) | {id_ for id_ in {**before.left_out, **book.left_out} if before.left_out.get(id_) != book.left_out.get(id_)}
        if alerts or rules:
            self._around.looked(alerts, rules)
        if moved or over:
            self._around.report(AlertsSeen(tuple(moved.values()), over))

    def _agents(self, metric: str) -> Mapping[Labels, float]:
        agents = self._around.state().agents
        return {
            (("agent", agent.spec.name), ("pool", agent.spec.pool)): value
            for id_, value in self._around.agents(metric)
            if (agent := agents.get(id_)) is not None
        }


def _is_gone(state: FleetState, labels: Mapping[str, str]) -> bool:
    """Tell whether the pool or the agent that labels name is no longer there."""
    pool, agent = labels.get("pool", ""), labels.get("agent", "")
    return (bool(pool) and pool not in state.pools) or (bool(agent) and state.agent_named(agent) is None)
