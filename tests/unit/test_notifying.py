"""Who is told of which alerts, together with which others, how often, and in which words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest
from engine.config import parse_config
from engine.model.alert_words import Severity
from engine.model.alerting_config import AlertingSection, ChannelConfig
from engine.model.errors import ConfigError
from engine.model.notifications import About, AlertNews, Notification
from engine.monitoring.notifying import wording
from engine.monitoring.notifying.grouping import (
    ALERTS_IN_GROUP_MAX,
    GROUPS_MAX,
    Grouping,
    Groups,
    merge,
)
from engine.monitoring.notifying.routing import route_of

START = 1_000_000.0


def news(fingerprint: str = "f1", *, pool: str = "coder", rule: str = "queue", severity: Severity = Severity.WARNING, is_firing: bool = True, is_acked: bool = False) -> AlertNews:
    until = 0.0 if is_firing else START + 5
    return AlertNews(fingerprint, rule, severity, {"pool": pool}, f"{pool}: 120 tasks wait", is_firing, START, until, 120.0, is_acked=is_acked)


def ids() -> Iterator[str]:
    return (f"ntf_{number}" for number in count(1))


class Told:
    """Groups on a clock that the test moves."""

    def __init__(self, grouping: Grouping | None = None) -> None:
        self.groups = Groups(grouping or Grouping())
        self.now = START
        self._ids = ids()

    def take(self, *entries: AlertNews) -> None:
        self.groups.take(entries, self.now)

    def after(self, seconds: float) -> list[Notification]:
        self.now += seconds
        return self.groups.collect(self.now, lambda: next(self._ids))


# ---- groups


def test_alerts_of_a_rule_and_pool_are_told_together_after_a_wait() -> None:
    told = Told()
    told.take(news("a"), news("b"), news("c", pool="tester"))
    assert told.groups.next_at() == START + 10
    assert told.after(9.9) == []
    [coder, tester] = told.after(0.2)
    assert [one.fingerprint for one in coder.alerts] == ["a", "b"]
    assert (coder.about, coder.group, coder.is_first, coder.is_reminder) == (About.FIRING, {"pool": "coder", "rule": "queue"}, True, False)
    assert [one.fingerprint for one in tester.alerts] == ["c"]
    assert coder.key != tester.key


def test_the_same_news_again_changes_nothing() -> None:
    told = Told()
    told.take(news())
    assert len(told.after(10)) == 1
    told.groups.dirty.clear()
    told.take(news(), news())
    assert told.after(120) == []
    assert not told.groups.dirty


def test_an_alert_that_ends_before_anybody_was_told_is_not_told() -> None:
    told = Told()
    told.take(news())
    told.take(news(is_firing=False))
    assert told.after(3_600) == []
    assert told.groups.groups == {}
    told.take(news(is_firing=False))
    assert told.after(3_600) == []


@pytest.mark.parametrize("seconds", [4, 11, 30])
def test_a_group_is_told_at_most_once_a_minute_however_it_flaps(seconds: int) -> None:
    told = Told()
    instants = []
    for second in range(900):
        told.take(news(is_firing=second // seconds % 2 == 0))
        instants += [told.now for _ in told.after(1)]
    assert len(instants) > 1
    assert all(later - earlier >= 60 for earlier, later in zip(instants, instants[1:], strict=False))


def test_a_group_that_is_over_is_told_once_and_the_next_time_is_a_first_time() -> None:
    told = Told()
    told.take(news())
    assert told.after(10)[0].about is About.FIRING
    told.take(news(is_firing=False))
    assert told.after(30) == []
    [over] = told.after(30)
    assert (over.about, over.is_first, over.key) == (About.RESOLVED, False, told.groups.groups[over.key].key)
    assert told.after(3_600) == []
    assert told.groups.groups == {}
    told.take(news())
    [again] = told.after(10)
    assert (again.about, again.is_first, again.key) == (About.FIRING, True, over.key)


def test_what_still_fires_is_told_again_and_an_acknowledgement_once() -> None:
    told = Told()
    told.take(news())
    told.after(10)
    [reminder] = told.after(4 * 3_600)
    assert reminder.is_reminder
    assert not reminder.is_first
    told.take(news(is_acked=True))
    [acked] = told.after(60)
    assert (acked.about, acked.is_reminder) == (About.ACKNOWLEDGED, False)
    assert told.after(3_600) == []


def test_a_long_group_is_counted_and_too_many_groups_become_one() -> None:
    told = Told()
    told.take(*(news(f"a{number}") for number in range(ALERTS_IN_GROUP_MAX + 5)))
    [long] = told.after(10)
    assert len(long.alerts) + long.left_out == ALERTS_IN_GROUP_MAX
    assert told.groups.left_out == 5
    told.take(*(news(f"p{number}", pool=f"pool{number}") for number in range(GROUPS_MAX + 20)))
    told.after(60)
    assert len(told.groups.groups) == GROUPS_MAX + 1


def test_what_a_channel_could_not_be_told_is_part_of_what_it_is_told_next() -> None:
    told = Told()
    told.take(news("a"), news("b"))
    [first] = told.after(10)
    told.take(news("a", is_firing=False), news("c"))
    [second] = told.after(60)
    told.take(news("b", is_firing=False), news("c", is_firing=False))
    [third] = told.after(60)
    both = merge(merge(first, second), third)
    assert {one.fingerprint: one.is_firing for one in both.alerts} == {"a": False, "b": False, "c": False}
    assert (both.id, both.about, both.is_first) == (third.id, About.RESOLVED, True)


# ---- who gets what


def channel(**settings: object) -> ChannelConfig:
    return ChannelConfig.model_validate({"name": "ops", "url_env": "OPS_URL", **settings})


def notification(*alerts: AlertNews, **changes: object) -> Notification:
    made = Notification("ntf_1", "key", About.FIRING, {"rule": "queue", "pool": "coder"}, alerts, START + 10)
    return replace(made, **changes)  # type: ignore[arg-type]  # a test's own


def test_a_channel_gets_what_its_severities_and_matchers_say() -> None:
    alerts = notification(news("a", severity=Severity.CRITICAL), news("b"), news("c", severity=Severity.INFO))
    part = route_of(channel(severities=["critical", "warning"])).part_for(alerts)
    assert part is not None
    assert [one.fingerprint for one in part.alerts] == ["a", "b"]
    assert route_of(channel(matchers=["pool=tester"])).part_for(alerts) is None
    found = route_of(channel(matchers=["pool=coder", "severity=info"])).part_for(alerts)
    assert found is not None
    assert [one.fingerprint for one in found.alerts] == ["c"]


def test_for_a_channel_a_group_is_over_when_all_that_it_was_told_of_is() -> None:
    alerts = notification(news("a", severity=Severity.CRITICAL, is_firing=False), news("b"))
    part = route_of(channel(severities=["critical"])).part_for(alerts)
    assert part is not None
    assert part.about is About.RESOLVED
    assert route_of(channel(severities=["critical"], resolved=False)).part_for(alerts) is None


def test_nobody_is_reminded_of_what_somebody_works_on_but_what_keeps_state() -> None:
    reminder = notification(news(is_acked=True), about=About.ACKNOWLEDGED, is_reminder=True)
    assert route_of(channel()).part_for(reminder) is None
    route = route_of(channel())
    route.keeps_state = True
    assert route.part_for(reminder) is not None


# ---- words


def test_titles_say_how_bad_what_where_and_how_many() -> None:
    alerts = notification(news("a", severity=Severity.CRITICAL), news("b"))
    assert wording.title_of("prod", alerts) == "[CRITICAL] queue in coder ×2 (prod)"
    assert wording.title_of("prod", replace(alerts, is_reminder=True)) == "[still CRITICAL] queue in coder ×2 (prod)"
    over = notification(news("a", is_firing=False), about=About.RESOLVED)
    assert wording.title_of("prod", over) == "[resolved] queue in coder (prod)"
    assert wording.text_of(over) == "resolved 1970-01-12 13:46:45 UTC: coder: 120 tasks wait"
    assert wording.text_of(notification(news(is_acked=True))) == "warning since 1970-01-12 13:46:40 UTC, acknowledged: coder: 120 tasks wait"


def test_a_long_text_counts_what_it_leaves_out() -> None:
    alerts = notification(*(news(f"f{number}") for number in range(30)), left_out=7)
    lines = wording.text_of(alerts).splitlines()
    assert len(lines) == wording.LINES_MAX + 1
    assert lines[-1] == "and 17 more; `fleet-tui get alerts` lists them"


def test_programs_get_the_labels_and_the_key() -> None:
    plain = wording.plain_of("prod", notification(news()))
    assert (plain["id"], plain["key"], plain["status"], plain["severity"]) == ("ntf_1", "key", "firing", "warning")
    assert plain["alerts"] == [
        {
            "fingerprint": "f1", "status": "firing", "acknowledged": False, "labels": {"pool": "coder", "rule": "queue", "severity": "warning"},
            "text": "coder: 120 tasks wait", "value": 120.0, "since": START, "until": None, "runbook": "",
        }
    ]  # fmt: skip


def test_alertmanager_is_told_until_when_an_alert_stands() -> None:
    firing, over = wording.alertmanager_of("prod", notification(news("a"), news("b", is_firing=False), stands_until=START + 100))
    assert firing["labels"] == {"alertname": "queue", "fleet": "prod", "pool": "coder", "severity": "warning"}
    assert firing["startsAt"] == "1970-01-12T13:46:40.000Z"
    assert firing["endsAt"] == "1970-01-12T13:48:20.000Z"
    assert over["endsAt"] == "1970-01-12T13:46:45.000Z"


# ---- configuration


@pytest.mark.row(105)
def test_the_seeds_names_of_channels_are_channels_whose_address_is_in_a_variable() -> None:
    section = AlertingSection.model_validate({"enabled": True, "channels": ["email", "slack", "pagerduty"]})
    assert [(one.name, one.url_env) for one in section.channels] == [
        ("email", "ALERT_EMAIL_URL"), ("slack", "ALERT_SLACK_URL"), ("pagerduty", "ALERT_PAGERDUTY_URL")
    ]  # fmt: skip


@pytest.mark.row(105)
def test_the_seeds_section_of_monitoring_is_understood_as_it_is_written() -> None:
    alerting = {"enabled": True, "channels": ["email", "slack", "pagerduty"]}
    config = parse_config({"monitoring": {"enabled": True, "metricsInterval": 30_000, "retentionPeriod": 2_592_000_000, "alerting": alerting}}, "test")
    assert [one.name for one in config.alerting.channels] == ["email", "slack", "pagerduty"]
    assert (config.monitoring.metrics_interval_s, config.monitoring.retention_s) == (30, 30 * 86_400)
    assert not [notice for notice in config.notices() if "monitoring" in notice]
    assert config.alerting.notices({"ALERT_SLACK_URL": "slack://", "ALERT_PAGERDUTY_URL": "pagerduty://"}) == [
        "alerting: channel email waits for its URL in the variable ALERT_EMAIL_URL"
    ]
    shorter = parse_config({"monitoring": {"metrics_interval_s": 0.5, "retention_s": 86_400}}, "test")
    assert len([notice for notice in shorter.notices() if "monitoring" in notice]) == 2
    with pytest.raises(ConfigError, match="there is a section"):
        parse_config({"monitoring": {"alerting": alerting}, "alerting": alerting}, "test")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"channels": [{"name": "ops"}]}, "give one of url, url_env, url_file or command, not none"),
        ({"channels": [{"name": "ops", "url": "json://x", "url_env": "Y"}]}, "not url and url_env"),
        ({"channels": ["ops", "ops"]}, "two channels are called ops"),
        ({"channels": [{"name": "ops", "url_env": "Y", "matchers": ["pool"]}]}, "is no matcher"),
        ({"channels": [{"name": "Ops!", "url_env": "Y"}]}, "name"),
        ({"group_interval_s": 59}, "60"),
    ],
)
def test_a_wrong_channel_is_explained(data: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        AlertingSection.model_validate(data)


def test_an_address_is_never_shown() -> None:
    section = AlertingSection.model_validate({"channels": [{"name": "ops", "url": "slack://T0/B0/hunter2hunter2"}]})
    assert "hunter2" not in f"{section!r} {section.model_dump(mode='json')} {section.model_dump_json()}"
