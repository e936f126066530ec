"""A fleet with alerts of every kind, and channels that told of some: what tests of several screens share."""

from __future__ import annotations

from dataclasses import replace

from engine.model.alert_commands import AckAlert, CreateRule, SilenceAlerts
from engine.model.alert_words import Severity
from engine.model.alerts import Alert, AlertState, fingerprint
from engine.model.notifications import AlertNews, Outcome
from engine.model.reports import AlertsSeen

from tests.ui.fleet import Fleet, Seat

CONFIG = {"alerting": {"channels": [{"name": "mail", "url": "json://localhost", "retries": 0}, {"name": "pager", "command": ["/usr/bin/page"], "severities": ["critical"]}], "group_wait_s": 0}}
KINDS = ("alerts", "rules", "silences", "channels", "notifications")


def alert(rule: str, severity: Severity, state: AlertState, message: str, *, value: float = 1.0, ago_s: float = 600.0, now: float, **labels: str) -> Alert:
    fired_at = now - ago_s + 60 if state is not AlertState.PENDING else 0.0
    resolved_at = now - 120 if state is AlertState.RESOLVED else 0.0
    return Alert(fingerprint(rule, labels), rule, labels, severity, state, value, now - ago_s, now - ago_s, message, fired_at, resolved_at, (fired_at,) if fired_at else ())


def some(now: float) -> list[Alert]:
    """Return one alert of every kind."""
    return [
        alert("queue-depth", Severity.CRITICAL, AlertState.FIRING, "412 tasks wait in coder, the limit is 100", value=412.0, pool="coder", now=now),
        alert("allocation-slow", Severity.WARNING, AlertState.FIRING, "95 % of the hand-overs in tester take up to 312 ms although agents are idle", value=312.0, pool="tester", ago_s=4_000, now=now),
        alert("error-rate", Severity.WARNING, AlertState.FIRING, "9.1 % of the attempts in security end badly, the limit is 5 %", value=0.091, pool="security", ago_s=900, now=now),
        alert("memory-usage", Severity.WARNING, AlertState.PENDING, "agents of analyst use 83 % of their memory, the limit is 80 %", value=0.83, pool="analyst", ago_s=30, now=now),
        alert("acts-refused", Severity.WARNING, AlertState.FIRING, "bob was refused 12 times within 5 minutes", value=12.0, who="bob", ago_s=200, now=now),
        replace(alert("runs-slower", Severity.INFO, AlertState.FIRING, "half of the runs in coder take 61 % longer than ten minutes before", value=0.61, pool="coder", now=now), inhibited_by=fingerprint("queue-depth", {"pool": "coder"})),
    ]  # fmt: skip


async def see(fleet: Fleet, *alerts: Alert) -> None:
    """Have the engine take note of alerts, as its alerter does."""
    fleet.world.coordinator.report(AlertsSeen(alerts))
    await fleet.until(lambda: all((kept := fleet.state.alerting.alerts.get(one.id)) is not None and kept.state is one.state for one in alerts if one.is_active))


async def troubled(fleet: Fleet, seat: Seat) -> list[Alert]:
    """Bring about alerts of every kind; one is somebody's, one is silenced, one is over."""
    await fleet.ready()
    now = fleet.clock.at
    alerts = some(now)
    over = alert("hosts-lost", Severity.WARNING, AlertState.FIRING, "2 hosts of kind python were lost within 5 minutes", value=2.0, kind="python", ago_s=3_000, now=now)
    await see(fleet, *alerts, over)
    fleet.world.coordinator.report(AlertsSeen((replace(over, state=AlertState.RESOLVED, resolved_at=now - 1_000),)))
    await fleet.gate.execute([AckAlert(alerts[2].id, "it is the new tool; fix on its way")])
    await fleet.gate.execute([SilenceAlerts("rule=acts-refused", 7_200.0, why="a drill until noon")])
    silence = next(iter(fleet.state.alerting.silences))
    await see(fleet, replace(alerts[4], silenced_by=silence))
    await fleet.until(lambda: fleet.state.alerting.alerts[alerts[4].id].silenced_by == silence)
    await fleet.gate.execute([CreateRule("deep-queue", 'queue_depth{pool="coder"} > 1000', 60.0, actions=("scale {pool} +2",))])
    fleet.clock.at += 5
    await seat.current()
    return alerts


async def told(fleet: Fleet, seat: Seat) -> None:
    """Have both channels send two things; one of them is parked."""
    notifier, now = fleet.world.notifier, fleet.clock.at
    fleet.world.couriers["mail"].outcomes = [Outcome("the server answered 550: no such user", is_final=True)]
    for id_ in ("a", "b"):
        news = AlertNews(id_, "queue-depth", Severity.CRITICAL, {"pool": id_}, f"412 tasks wait in {id_}", is_firing=True, since=now)
        notifier.hear([news], now)
    await fleet.until(lambda: len([letter for letter in notifier.outbox.letters.values() if letter.ended_at]) == 4)
    fleet.clock.at += 5
    await seat.current()
