"""Which channel gets what of a notification: by severity, by labels, and by whether it is news at all; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from engine.model.alert_words import Severity
from engine.model.alerting_config import ChannelConfig
from engine.model.alerts import Matcher, all_match, matcher_of
from engine.model.notifications import About, Notification


class Route:
    """What one channel wants."""

    def __init__(self, severities: Iterable[Severity], matchers: Iterable[Matcher], *, resolved: bool = True) -> None:
        self._severities = frozenset(severities)
        self._matchers = tuple(matchers)
        self._resolved = resolved
        self.keeps_state = False
        """The receiver forgets what it does not hear of again, so it is reminded of acknowledged alerts too."""

    def part_for(self, notification: Notification) -> Notification | None:
        """Return what of a notification this channel gets; None = nothing."""
        alerts = tuple(
            news for news in notification.alerts
            if news.severity in self._severities and all_match(self._matchers, news.all_labels()) and (news.is_firing or self._resolved)
        )  # fmt: skip
        if not alerts:
            return None
        firing = [news for news in alerts if news.is_firing]
        about = About.RESOLVED if not firing else About.ACKNOWLEDGED if all(news.is_acked for news in firing) else About.FIRING
        if notification.is_reminder and about is About.ACKNOWLEDGED and not self.keeps_state:
            return None
        left_out = notification.left_out if len(alerts) == len(notification.alerts) else 0
        return replace(notification, alerts=alerts, about=about, left_out=left_out)


def route_of(channel: ChannelConfig) -> Route:
    """Return what a channel's configuration asks for."""
    return Route(channel.severities, map(matcher_of, channel.matchers), resolved=channel.resolved)
