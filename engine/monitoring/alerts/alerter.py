"""Keeps watch: looks at every enabled rule once a second, and reports what changed to the coordinator.

Owner: `Alerter`, of the windows that conditions look at, of how the values of alerts read now (`book`), and of since when an
active alert's condition was not seen. Alerts themselves are the fleet's state, so that they outlive the engine.
Limits: those of the windows; a look takes LOOK_SHARE of the time at most, so a fleet with very many series is looked at less often.
While the journal cannot be written nothing is looked at, as nothing that was found could be kept: of that alone listeners are told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import thread_time

from engine.model.alert_events import AlertAcked, AlertsMoved
from engine.model.alert_expressions import comparisons, parse
from engine.model.alert_words import Severity
from engine.model.alerts import Alert, AlertState, Labels, Transition, fingerprint
from engine.model.errors import UsageError
from engine.model.events import Record
from engine.model.ids import AgentId, HostId
from engine.model.reports import AlertsSeen
from engine.monitoring.alerts.evaluating import evaluate
from engine.monitoring.alerts.lifecycle import Look, Quiet, Watched, series_labels, step
from engine.monitoring.alerts.noting import noted
from engine.monitoring.alerts.silencing import is_about_flow, quieted
from engine.monitoring.alerts.windows import Key, Windows
from engine.state import FleetState, Touched

logger = logging.getLogger(__name__)

READ_ONLY = "engine-read-only"
"""Stands for a rule: the engine cannot write."""
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
    read_only: Callable[[], str]
    """Tells why nothing can be written; empty = it can."""
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
        """Active alerts as they were told last."""
        self._hosts: dict[HostId, str] = {}
        self._read_only: Alert | None = None
        self.listeners: list[Callable[[Sequence[Transition], float], None]] = []
        """Are told of every change of an alert, once it is durable."""

    # ---- what the fleet does

    def publish(self, records: Sequence[Record], touched: Touched) -> None:
        """Note one commit: events that rules count, other rules, alerts that changed."""
        state = self._around.state()
        if not records:
            self._is_stale = True
            self._told = _active(state)
            return
        if touched.rules:
            self._is_stale = True
        moved: dict[str, Alert] = {}
        for record in records:
            event = record.event
            if isinstance(event, AlertsMoved):
                moved.update({alert.id: alert for alert in event.alerts})
            elif isinstance(event, AlertAcked):
                alert = moved.get(event.alert) or self._told.get(event.alert)
                if alert is not None:
                    acked_at = record.at if event.by else 0.0
                    moved[alert.id] = replace(alert, acked_by=event.by, ack_why=event.why, acked_at=acked_at)
            elif self.windows.counts:
                for one in noted(state, record, touched, self._hosts):
                    self.windows.note(*one)
        if moved:
            self._tell(moved.values(), records[-1].at)

    def _tell(self, moved: Iterable[Alert], at: float) -> None:
        """Tell listeners what a commit made of alerts: of no later one, which is not durable yet."""
        transitions = []
        for alert in moved:
            before = self._told.pop(alert.id, None)
            if alert.is_active:
                self._told[alert.id] = alert
            if alert.state is not AlertState.INACTIVE:
                transitions.append(Transition(alert, before))
        for listener in self.listeners:
            listener(transitions, at)

    def begin(self, now: float) -> None:
        """Tell listeners of the alerts that fire, or did, as the engine starts: what the engine before did not get to say."""
        state = self._around.state()
        self._told = _active(state)
        known = [Transition(alert, alert) for alert in state.alerting.alerts.values() if alert.state is not AlertState.PENDING]
        for listener in self.listeners:
            listener(known, now)

    # ---- looking

    def sampled(self, now: float, values: Mapping[Key, float], durations: Mapping[Key, Sequence[float]]) -> None:
        """Take the figures of a second, and look at the rules."""
        if self._is_stale:
            self._watch(now)
        self.windows.sample(now, values, durations)
        reason = self._around.read_only()
        self._tell_read_only(reason, now)
        if self._next_at - LOOK_MAX_S <= now < self._next_at or reason:
            return
        began = thread_time()
        self.look(now)
        self._next_at = now + min(LOOK_MAX_S, (thread_time() - began) / LOOK_SHARE)

    def _tell_read_only(self, reason: str, now: float) -> None:
        """Tell listeners that nothing can be written, or can again: the one alert that cannot be in the journal."""
        before, labels = self._read_only, dict[str, str]()
        if reason and before is None:
            message = f"nothing can be written and every verb is refused: {reason}"
            self._read_only = Alert(fingerprint(READ_ONLY, labels), READ_ONLY, labels, Severity.CRITICAL, AlertState.FIRING, 1.0, now, now, message, now)
        elif not reason and before is not None:
            self._read_only = None
            before = replace(before, state=AlertState.RESOLVED, resolved_at=now)
        else:
            return
        now_is = self._read_only or before
        assert now_is is not None
        for listener in self.listeners:
            listener([Transition(now_is, before if self._read_only is None else None)], now)

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


def _active(state: FleetState) -> dict[str, Alert]:
    return {alert.id: alert for alert in state.alerting.alerts.values() if alert.is_active}


def _is_gone(state: FleetState, labels: Mapping[str, str]) -> bool:
    """Tell whether the pool or the agent that labels name is no longer there."""
    pool, agent = labels.get("pool", ""), labels.get("agent", "")
    return (bool(pool) and pool not in state.pools) or (bool(agent) and state.agent_named(agent) is None)
