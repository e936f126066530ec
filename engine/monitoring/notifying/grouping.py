"""Which alerts are told together, and when: pure, no input or output.

Owner: `Groups`, of the groups. Limits: GROUPS_MAX groups of FIRING_MAX alerts; what comes on top is told under one group
for all. A group is told at most once in `interval_s`, also when it was over in between.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.model.alert_words import Severity
from engine.model.notifications import (
    ALERTS_MAX,
    About,
    AlertNews,
    Group,
    Notification,
    )

GROUPS_MAX = 500
ALERTS_IN_GROUP_MAX = 2_000
STANDS_SPARE_S = 300.0
"""How much longer than the next reminder a receiver that keeps state takes a group for firing."""

_FIRING, _ACKED, _RESOLVED = "firing", "acknowledged", "resolved"


@dataclass(frozen=True, slots=True)
class Grouping:
    """How alerts are grouped; durations in seconds."""

    by: tuple[str, ...] = ("rule", "pool")
    wait_s: float = 10.0
    interval_s: float = 60.0
    repeat_s: float = 4 * 3_600.0


class Groups:
    """The groups, and what each of them is waiting to say."""

    def __init__(self, grouping: Grouping) -> None:
        self._grouping = grouping
        self.groups: dict[str, Group] = {}
        self.dirty: set[str] = set()
        """Keys of groups that are not as they are kept; one that is no longer there is to be removed."""
        self.left_out = 0
        """Alerts that no group took, since the engine began."""

    def know(self, groups: Iterable[Group]) -> None:
        """Take over what a former engine told."""
        self.groups |= {group.key: group for group in groups}

    def take(self, news: Iterable[AlertNews], now: float) -> None:
        """Take what changed."""
        for one in news:
            self._take(one, now)

    def next_at(self) -> float:
        """Return when something is to be told; infinity = never."""
        return min(map(self._due_at, self.groups.values()), default=float("inf"))

    def collect(self, now: float, new_id: Callable[[], str]) -> list[Notification]:
        """Return what is to be told now, and take it for told; groups that are over and quiet are forgotten."""
        due = [group for group in self.groups.values() if self._due_at(group) <= now]
        told = [self._tell(group, now, new_id()) for group in due if group.alerts and (_has_more(group) or not group.changed_at)]
        for group in due:
            group.changed_at = 0.0  # of what came and went in the meantime there is nothing to tell
        for group in [group for group in self.groups.values() if not group.alerts and not group.changed_at and now >= group.told_at + self._grouping.interval_s]:
            del self.groups[group.key]
            self.dirty.add(group.key)
        return told

    def _take(self, news: AlertNews, now: float) -> None:
        group = self._group_of(news)
        known = group.alerts.get(news.fingerprint)
        if known == news or (known is None and not news.is_firing):
            return
        self.dirty.add(group.key)
        if not news.is_firing and news.fingerprint not in group.told:
            del group.alerts[news.fingerprint]  # it came and went before anybody was told
        elif known is None and len(group.alerts) >= ALERTS_IN_GROUP_MAX:
            self.left_out += 1
        else:
            group.alerts[news.fingerprint] = news
        if _has_more(group):
            group.changed_at = group.changed_at or now

    def _group_of(self, news: AlertNews) -> Group:
        found = news.all_labels()
        labels = {name: found[name] for name in self._grouping.by if found.get(name)}
        key = key_of(labels)
        if key not in self.groups and len(self.groups) >= GROUPS_MAX:
            labels, key = {}, key_of({"": "more"})
        return self.groups.setdefault(key, Group(key, labels))

    def _due_at(self, group: Group) -> float:
        grouping = self._grouping
        quiet_until = group.told_at + grouping.interval_s if group.told_at else 0.0
        if group.changed_at:
            return max(group.changed_at + (0.0 if group.told else grouping.wait_s), quiet_until)
        if group.alerts:
            return group.told_at + grouping.repeat_s
        return quiet_until

    def _tell(self, group: Group, now: float, new_id: str) -> Notification:
        is_reminder = not group.changed_at
        alerts = sorted(group.alerts.values(), key=lambda one: (not one.is_firing, list(Severity).index(one.severity), one.since))
        firing = [one for one in alerts if one.is_firing]
        about = About.RESOLVED if not firing else About.ACKNOWLEDGED if all(one.is_acked for one in firing) else About.FIRING
        group.number += 1
        stands_until = now + self._grouping.repeat_s + STANDS_SPARE_S
        told = Notification(
            new_id, group.key, about, dict(group.labels), tuple(alerts[:ALERTS_MAX]), now, max(0, len(alerts) - ALERTS_MAX),
            is_first=group.number == 1, is_reminder=is_reminder, stands_until=stands_until if firing else now,
        )  # fmt: skip
        group.alerts = {one.fingerprint: one for one in firing}
        group.told = {one.fingerprint: _word(one) for one in firing}
        group.told_at = now
        group.number = group.number if firing else 0
        self.dirty.add(group.key)
        return told


def key_of(labels: Mapping[str, str]) -> str:
    """Return the key of the group of some labels: the same in every run."""
    text = "\n".join(f"{name}={labels[name]}" for name in sorted(labels))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def merge(before: Notification, after: Notification) -> Notification:
    """Return one notification in place of two of a group of which the first was not delivered: nothing of it is lost."""
    assert before.key == after.key, "only notifications of one group are merged"
    newest = {one.fingerprint: one for one in (*before.alerts, *after.alerts)}
    alerts: Sequence[AlertNews] = sorted(newest.values(), key=lambda one: (not one.is_firing, list(Severity).index(one.severity), one.since))
    return Notification(
        after.id, after.key, after.about, after.group, tuple(alerts[:ALERTS_MAX]), after.at,
        max(before.left_out, after.left_out) + max(0, len(alerts) - ALERTS_MAX),
        is_first=before.is_first, is_reminder=before.is_reminder and after.is_reminder, stands_until=after.stands_until,
    )  # fmt: skip


def _has_more(group: Group) -> bool:
    return any(_word(one) != group.told.get(one.fingerprint) for one in group.alerts.values())


def _word(news: AlertNews) -> str:
    if not news.is_firing:
        return _RESOLVED
    return _ACKED if news.is_acked else _FIRING
