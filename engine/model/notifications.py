"""What people and programs outside are told of alerts: news of one alert, notifications of a group of them, and the channels' state."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from engine.model.alert_words import Severity
from engine.model.alerts import Alert, AlertState


class About(StrEnum):
    """What a notification says of its group."""

    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    """All that fires is somebody's."""
    RESOLVED = "resolved"
    TEST = "test"


class LetterState(StrEnum):
    """What became of a notification on its way through one channel."""

    WAITING = "waiting"
    SENT = "sent"
    PARKED = "parked"
    """A dead letter: it was not delivered and is not tried again by itself."""


@dataclass(frozen=True, slots=True)
class AlertNews:
    """How an alert is now, as far as those outside are concerned; the same news again changes nothing."""

    fingerprint: str
    """Of the rule and the labels: the same alert fires and resolves under it."""
    rule: str
    severity: Severity
    labels: dict[str, str]
    """Without `rule` and `severity`, which matchers find as well."""
    text: str
    """One sentence that says what is wrong, where, and how much."""
    is_firing: bool
    since: float
    """When it began to fire."""
    until: float = 0.0
    """When it was resolved; 0 = it fires."""
    value: float | None = None
    runbook: str = ""
    is_acked: bool = False

    def all_labels(self) -> dict[str, str]:
        """Return what matchers and groups go by."""
        return {**self.labels, "rule": self.rule, "severity": self.severity}


@dataclass(frozen=True, slots=True)
class Notification:
    """How a group of alerts is, at one instant."""

    id: str
    """The same at every attempt: who gets it twice can tell."""
    key: str
    """Of the group: what resolves an incident has the key of what opened it."""
    about: About
    group: dict[str, str]
    """What its alerts have in common."""
    alerts: tuple[AlertNews, ...]
    """Those that fire first; at most ALERTS_MAX."""
    at: float
    left_out: int = 0
    """Alerts beyond those shown."""
    is_first: bool = True
    is_reminder: bool = False
    """Nothing has changed since the one before."""
    stands_until: float = 0.0
    """If nothing more is heard of a group that fires, it is to be taken as over; for channels that keep state."""

    @property
    def severity(self) -> Severity:
        """Return the worst of what fires, or of all when nothing does."""
        firing = [news for news in self.alerts if news.is_firing] or self.alerts
        return min((news.severity for news in firing), key=list(Severity).index, default=Severity.INFO)


ALERTS_MAX = 50
"""Alerts that a notification spells out."""


@dataclass(slots=True)
class Letter:
    """One notification for one channel, until it is delivered and a while after. Owner: the outbox."""

    number: int
    channel: str
    notification: Notification
    state: LetterState
    due_at: float
    """When it is tried next."""
    attempts: int = 0
    error: str = ""
    """Why the last attempt failed, or why it is parked."""
    ended_at: float = 0.0
    """When it was sent or parked."""

    @property
    def id(self) -> str:
        """Return what operators call it."""
        return f"{self.channel}-{self.number}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt to deliver ended."""

    error: str = ""
    """Empty = delivered. Never holds a secret."""
    is_final: bool = False
    """Another attempt would end the same way."""
    retry_after_s: float = 0.0
    """What the receiver asks to be waited; 0 = it does not say."""
    took_s: float = 0.0


@dataclass(slots=True)
class ChannelHealth:
    """How a channel does. Owner: its sender."""

    sent: int = 0
    """Since the engine began."""
    failures: int = 0
    """Attempts in a row that failed."""
    last_sent_at: float = 0.0
    last_error: str = ""
    last_error_at: float = 0.0
    not_before: float = 0.0
    """Nothing is tried earlier."""


def news_of(alert: Alert, runbook: str = "") -> AlertNews | None:
    """Return what those outside are told of an alert; None = nothing: it is pending, silenced or inhibited."""
    if alert.state is AlertState.FIRING and not alert.is_loud:
        return None
    if alert.state not in (AlertState.FIRING, AlertState.RESOLVED):
        return None
    is_firing = alert.state is AlertState.FIRING
    return AlertNews(
        alert.id, alert.rule, alert.severity, dict(alert.labels), alert.message, is_firing, alert.fired_at,
        0.0 if is_firing else alert.resolved_at, alert.value, runbook, is_acked=bool(alert.acked_by),
    )  # fmt: skip


@dataclass(slots=True)
class Group:
    """Alerts that are told together. Owner: the notifier's groups."""

    key: str
    labels: dict[str, str]
    alerts: dict[str, AlertNews] = field(default_factory=dict)
    """Fingerprint -> how the alert is now."""
    told: dict[str, str] = field(default_factory=dict)
    """Fingerprint -> what was said of it last."""
    changed_at: float = 0.0
    """Since when there is something to tell; 0 = there is nothing."""
    told_at: float = 0.0
    number: int = 0
    """Notifications so far, since it last was quiet."""
