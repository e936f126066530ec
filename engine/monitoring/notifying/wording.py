"""What a notification says: a title, a text for people, and plain values for programs; pure."""

from __future__ import annotations

import time
from collections.abc import Iterator

from engine.model.alert_words import Severity
from engine.model.notifications import About, AlertNews, Notification

LINES_MAX = 20
"""Alerts that the text for people spells out."""
TEXT_MAX = 300

_STATES = {About.FIRING: "firing", About.ACKNOWLEDGED: "acknowledged", About.RESOLVED: "resolved", About.TEST: "test"}


def title_of(fleet: str, notification: Notification) -> str:
    """Return one line: how bad, what, where, and in which fleet."""
    if notification.about is About.TEST:
        return f"[test] this channel works ({fleet})"
    firing = [news for news in notification.alerts if news.is_firing]
    number = (len(firing) or len(notification.alerts)) + notification.left_out
    word = notification.severity.upper() if notification.about is About.FIRING else _STATES[notification.about]
    reminder = "still " if notification.is_reminder else ""
    rule = notification.group.get("rule") or (notification.alerts[0].rule if len(notification.alerts) == 1 else "alerts")
    where = " ".join(value for name, value in sorted(notification.group.items()) if name != "rule")
    many = f" ×{number}" if number > 1 else ""
    return f"[{reminder}{word}] {rule}{f' in {where}' if where else ''}{many} ({fleet})"


def text_of(notification: Notification) -> str:
    """Return the lines below the title."""
    if notification.about is About.TEST:
        return "Somebody tests this channel. There is nothing to do."
    return "\n".join(_lines(notification))


def _lines(notification: Notification) -> Iterator[str]:
    for news in notification.alerts[:LINES_MAX]:
        yield f"{_state(news)}: {news.text[:TEXT_MAX]}"
        if news.runbook and news.is_firing:
            yield f"  what to do: {news.runbook[:TEXT_MAX]}"
    rest = max(0, len(notification.alerts) - LINES_MAX) + notification.left_out
    if rest:
        yield f"and {rest} more; `fleet-tui get alerts` lists them"


def _state(news: AlertNews) -> str:
    if not news.is_firing:
        return f"resolved {_instant(news.until)}"
    acked = ", acknowledged" if news.is_acked else ""
    return f"{news.severity} since {_instant(news.since)}{acked}"


def _instant(at: float) -> str:
    """Return an instant in UTC: those who read it may be anywhere."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))


def plain_of(fleet: str, notification: Notification) -> dict[str, object]:
    """Return what programs get, as JSON: webhooks and commands."""
    return {
        "version": 1,
        "id": notification.id,
        "key": notification.key,
        "fleet": fleet,
        "status": notification.about.value,
        "severity": notification.severity.value,
        "group": notification.group,
        "at": notification.at,
        "is_first": notification.is_first,
        "is_reminder": notification.is_reminder,
        "title": title_of(fleet, notification),
        "text": text_of(notification),
        "alerts": [_plain_alert(news) for news in notification.alerts],
        "left_out": notification.left_out,
    }


def _plain_alert(news: AlertNews) -> dict[str, object]:
    return {
        "fingerprint": news.fingerprint,
        "status": "firing" if news.is_firing else "resolved",
        "acknowledged": news.is_acked,
        "labels": news.all_labels(),
        "text": news.text,
        "value": news.value,
        "since": news.since,
        "until": news.until or None,
        "runbook": news.runbook,
    }


def alertmanager_of(fleet: str, notification: Notification) -> list[dict[str, object]]:
    """Return the alerts as Alertmanager's API takes them (POST /api/v2/alerts)."""
    return [
        {
            "labels": {"alertname": news.rule, "fleet": fleet, **{name: value for name, value in news.all_labels().items() if name != "rule" and value}},
            "annotations": {"summary": news.text, **({"runbook_url": news.runbook} if news.runbook else {})},
            "startsAt": _rfc3339(news.since),
            "endsAt": _rfc3339(notification.stands_until if news.is_firing else news.until),
        }
        for news in notification.alerts
    ]


def _rfc3339(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at * 1000) % 1000:03d}Z"


def sort_of(notification: Notification) -> str:
    """Return Apprise's word for how a notification is: it chooses colours and severities by it."""
    if notification.about in (About.RESOLVED, About.TEST):
        return "success" if notification.about is About.RESOLVED else "info"
    return {Severity.CRITICAL: "failure", Severity.WARNING: "warning", Severity.INFO: "info"}[notification.severity]
