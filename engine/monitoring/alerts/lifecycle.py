"""The life of alerts: pending, firing, resolved; pure, one step at a time.

Owner: nobody; what a step must remember beside the alerts themselves is handed in and kept in `quiet`.

- The condition holds: pending, and firing once it has held as long as the rule's `for`. What nobody watched (the engine was
  down, the clock jumped) does not count.
- It does not hold: a pending one is dropped, a firing one resolved, after `keep_firing_for`.
- It is unknown: a pending one is dropped (after `keep_firing_for`), a firing one stays for STALE_S at least: an engine that has
  just started, or a gap, is no good news.
- It fired FLAPS times within FLAP_WINDOW_S: it flaps, and is resolved only after FLAP_CALM_S without a sign of it.
- What it is about is gone, or its rule is: resolved at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import replace
from typing import NamedTuple

from engine.model.alert_checks import filled
from engine.model.alert_expressions import Condition, comparisons
from engine.model.alert_words import AUTO, Severity
from engine.model.alerts import Alert, AlertState, Labels, Rule, calculate_severity, fingerprint
from engine.model.metrics import written_value
from engine.monitoring.alerts.evaluating import Found, Verdict

STALE_S = 300.0
FLAPS = 5
FLAP_WINDOW_S = 1_800.0
FLAP_CALM_S = 600.0
ACTIVE_MAX = 100
"""Alerts of one rule at once; what more there were is counted."""
MESSAGE_MAX = 300

_WORST_FIRST = tuple(Severity)


class Watched(NamedTuple):
    """A rule with its condition read."""

    rule: Rule
    condition: Condition


class Look(NamedTuple):
    """The instant of a step."""

    now: float
    unwatched_s: float = 0.0
    """Seconds since the step before that do not count, as nobody watched: below 0 when the clock went back."""
    is_gone: Callable[[Mapping[str, str]], bool] = lambda _labels: False
    """Tells that what labels are about is no longer there."""


class Quiet(NamedTuple):
    """Since when the condition of an active alert was not seen to hold."""

    since: float
    is_known: bool
    """It is known that it does not hold; False = nothing is known."""


class Stepped(NamedTuple):
    """What one step came to."""

    moved: list[Alert]
    """Alerts that changed, as they are now."""
    left_out: int
    """Sets of labels for which the condition holds beyond ACTIVE_MAX."""


def step(watched: Watched, found: Found, alerts: Mapping[str, Alert], quiet: MutableMapping[str, Quiet], look: Look) -> Stepped:
    """Return what changes of a rule's alerts; `alerts` are those known, resolved ones too."""
    rule = watched.rule
    moved: list[Alert] = []
    active = 0
    seen: set[str] = set()
    for alert in alerts.values():
        if alert.rule != rule.id or not alert.is_active:
            continue
        seen.add(alert.id)
        after = _go_on(watched, alert, found.of(series_labels(rule, alert)), quiet, look)
        active += after.is_active
        if after != alert:
            moved.append(after)
    left_out = 0
    for labels, verdict in found.verdicts.items():
        if not verdict.holds or look.is_gone(dict(labels)):
            continue
        all_labels = {**rule.labels, **dict(labels)}
        id_ = fingerprint(rule.id, all_labels)
        if id_ in seen:
            continue
        if active >= ACTIVE_MAX:
            left_out += 1
            continue
        active += 1
        moved.append(_begin(watched, all_labels, verdict, alerts.get(id_), look.now))
    return Stepped(moved, left_out)


def close(alert: Alert, now: float, why: str) -> Alert:
    """Return an active alert as resolved, because what it is about, or its rule, is gone."""
    if alert.state is AlertState.PENDING:
        return replace(alert, state=AlertState.INACTIVE)
    return replace(alert, state=AlertState.RESOLVED, resolved_at=now, flapping=False, message=f"{alert.message} ({why})"[:MESSAGE_MAX])


def _begin(watched: Watched, labels: dict[str, str], verdict: Verdict, former: Alert | None, now: float) -> Alert:
    rule = watched.rule
    alert = Alert(
        fingerprint(rule.id, labels), rule.id, labels, _severity(watched, verdict.value), AlertState.PENDING, verdict.value,
        since=now, counted_from=now, message=message_of(watched, labels, verdict.value), fires=former.fires if former else (),
    )  # fmt: skip
    return alert if rule.for_s > 0 else _fire(watched, alert, verdict.value, now)


def _go_on(watched: Watched, alert: Alert, verdict: Verdict | None, quiet: MutableMapping[str, Quiet], look: Look) -> Alert:
    """Return an active alert as it is after a look."""
    if look.is_gone(alert.labels):
        quiet.pop(alert.id, None)
        return close(alert, look.now, "it is gone")
    if look.unwatched_s and alert.state is AlertState.PENDING:
        alert = replace(alert, counted_from=alert.counted_from + look.unwatched_s)
    if verdict is not None and verdict.holds:
        quiet.pop(alert.id, None)
        return _holds_on(watched, alert, verdict.value, look.now)
    return _fall_quiet(watched.rule, alert, verdict, quiet, look)


def _holds_on(watched: Watched, alert: Alert, value: float, now: float) -> Alert:
    if alert.state is AlertState.PENDING:
        return _fire(watched, alert, value, now) if now - alert.counted_from >= watched.rule.for_s else alert
    severity = _severity(watched, value)
    if watched.rule.severity == AUTO and _WORST_FIRST.index(severity) < _WORST_FIRST.index(alert.severity):
        return replace(alert, severity=severity, value=value, message=message_of(watched, alert.labels, value))
    return alert


def _fire(watched: Watched, alert: Alert, value: float, now: float) -> Alert:
    fires = (*alert.fires, now)[-FLAPS:]
    return replace(
        alert, state=AlertState.FIRING, severity=_severity(watched, value), value=value, fired_at=now, resolved_at=0.0, fires=fires,
        flapping=len(fires) == FLAPS and now - fires[0] <= FLAP_WINDOW_S, message=message_of(watched, alert.labels, value),
    )  # fmt: skip


def _fall_quiet(rule: Rule, alert: Alert, verdict: Verdict | None, quiet: MutableMapping[str, Quiet], look: Look) -> Alert:
    """Return an active alert after a look at which its condition was not seen to hold."""
    is_known = verdict is not None
    since = quiet.get(alert.id)
    if since is None or look.unwatched_s or (since.is_known is not is_known):
        since = quiet[alert.id] = Quiet(look.now, is_known)
    if look.now - since.since < _patience(rule, alert, is_known=is_known):
        return alert
    del quiet[alert.id]
    if alert.state is AlertState.PENDING:
        return replace(alert, state=AlertState.INACTIVE)
    if not is_known:
        return close(alert, look.now, "it is no longer measured")
    assert verdict is not None
    return replace(alert, state=AlertState.RESOLVED, resolved_at=look.now, flapping=False, value=verdict.value)


def _patience(rule: Rule, alert: Alert, *, is_known: bool) -> float:
    """Return how long an alert stays as it is without its condition."""
    if alert.state is AlertState.PENDING:
        return 0.0 if is_known else rule.keep_firing_for_s
    least = FLAP_CALM_S if alert.flapping else 0.0
    return max(rule.keep_firing_for_s, least, 0.0 if is_known else STALE_S)


def series_labels(rule: Rule, alert: Alert) -> Labels:
    """Return an alert's labels without those that its rule adds."""
    return tuple(sorted((name, value) for name, value in alert.labels.items() if name not in rule.labels))


def _severity(watched: Watched, value: float) -> Severity:
    if watched.rule.severity != AUTO:
        return Severity(watched.rule.severity)
    return calculate_severity(value, next(comparisons(watched.condition)).limit)


# ---- words



def message_of(watched: Watched, labels: Mapping[str, str], value: float) -> str:
    """Return what an alert says: its rule's summary filled in, or one made from the condition."""
    rule, first = watched.rule, next(comparisons(watched.condition))
    text = written_value(value, first.operand.unit)
    if not rule.summary:
        about = ", ".join(value for _, value in sorted(labels.items()))
        return f"{rule.name or rule.id}{f' of {about}' if about else ''}: {text}"[:MESSAGE_MAX]
    known = {"value": text, "limit": written_value(first.limit, first.operand.unit), "rule": rule.id, **labels}
    return filled(rule.summary, known)[:MESSAGE_MAX]


