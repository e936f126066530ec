"""The section `alerting` of the configuration: rules of its own, and where notifications go. What a channel's address holds is a secret."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from engine.model.alert_commands import LONGEST_S
from engine.model.alert_words import Severity
from engine.model.alerts import FILE, Rule, matcher_of
from engine.model.config_tree import ConfigTree
from engine.model.errors import UsageError

CHANNELS_MAX = 50


def variable_of(name: str) -> str:
    """Return the environment variable with the address of a channel that is given by its name alone."""
    return f"ALERT_{name.upper().replace('-', '_')}_URL"


class ChannelConfig(ConfigTree):
    """A way to people or programs outside. Its address is written here, or in a variable, or in a file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$", description="what it is called")
    url: SecretStr | None = Field(None, description="an Apprise URL (mailto://, slack://, workflows://, pagerduty://, jsons:// ...) or alertmanager(s)://host:port")
    url_env: str = Field("", description="the environment variable that holds the URL")
    url_file: Path | None = Field(None, description="the file that holds the URL; read anew for each notification")
    command: tuple[str, ...] = Field((), description="in place of a URL: a program that gets the notification as JSON on its standard input")
    severities: tuple[Severity, ...] = Field(tuple(Severity), min_length=1, description="only alerts of these severities")
    matchers: tuple[str, ...] = Field((), max_length=20, description='only alerts whose labels meet all of these, such as pool=coder or rule=~"queue.*"')
    resolved: bool = Field(default=True, description="also tell when alerts are over")
    deadline_s: float = Field(15.0, ge=0.1, le=300, description="longest that one attempt may take")
    retries: int = Field(8, ge=0, le=100, description="attempts after the first one; then the notification is parked")
    retry_s: float = Field(5.0, ge=0.01, le=3_600, description="pause before the second attempt; each further one is twice as long, at most 10 min")
    waiting_max: int = Field(100, ge=1, le=10_000, description="notifications that may wait; one more parks the oldest")
    ca_file: Path | None = Field(None, description="certificates of authorities to trust in place of the system's")
    enabled: bool = Field(default=True, description="false = nothing is sent, nothing waits")

    @field_validator("matchers")
    @classmethod
    def _parse(cls, matchers: tuple[str, ...]) -> tuple[str, ...]:
        for text in matchers:
            try:
                matcher_of(text)
            except UsageError as error:
                raise ValueError(str(error)) from error
        return matchers

    @model_validator(mode="after")
    def _has_one_address(self) -> ChannelConfig:
        given = [name for name in ("url", "url_env", "url_file", "command") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(f"channel {self.name}: give one of url, url_env, url_file or command, not {' and '.join(given) or 'none'}")
        return self


class RuleConfig(ConfigTree):
    """An alert rule that the configuration has; operators can disable it, and change it only here."""

    id: str = Field(description="its short name, such as deep-queue")
    expr: str = Field(description="its condition, such as 'queue_depth > 100'")
    name: str = Field("", description="its name in words; empty = its id")
    for_s: float = Field(0.0, ge=0, le=LONGEST_S, description="how long the condition must hold")
    keep_firing_for_s: float = Field(0.0, ge=0, le=LONGEST_S, description="how long it fires after it held last")
    severity: Literal["critical", "warning", "info", "auto"] = Field("warning", description="how bad it is; auto = by how far the value is from the limit")
    labels: dict[str, str] = Field(default_factory=dict, description="labels to add")
    summary: str = Field("", description="what it says, with {value}, {limit}, {pool}, {agent}")
    runbook: str = Field("", description="where it is written what to do")
    actions: tuple[str, ...] = Field((), description="verbs to do when it fires, such as 'restart {agent}'")

    @model_validator(mode="after")
    def _can_be_watched(self) -> RuleConfig:
        from engine.model.alert_checks import (
            check_rule,  # reads conditions and verbs: only where somebody writes a rule
        )

        try:
            check_rule(self.made())
        except UsageError as error:
            raise ValueError(str(error)) from error
        return self

    def made(self) -> Rule:
        """Return the rule."""
        return Rule(**self.model_dump(), source=FILE)


class AlertingSection(ConfigTree):
    """Who is told of alerts, and how often."""

    enabled: bool = Field(default=True, description="tell the channels; false = alerts stay in the console")
    channels: tuple[ChannelConfig, ...] = Field((), max_length=CHANNELS_MAX, description="where notifications go; a name alone, such as email, has its URL in ALERT_EMAIL_URL")
    rules: tuple[RuleConfig, ...] = Field((), max_length=100, description="alert rules; one with the name of a built-in rule replaces it")
    group_by: tuple[str, ...] = Field(("rule", "pool"), description="labels that alerts have in common which are told together")
    group_wait_s: float = Field(10.0, ge=0, le=3_600, description="how long the first notification of a group waits for more alerts")
    group_interval_s: float = Field(60.0, ge=60, le=86_400, description="at most one notification of a group in so long")
    repeat_interval_s: float = Field(4 * 3_600.0, ge=60, le=30 * 86_400, description="when a group that still fires is told again")

    @model_validator(mode="before")
    @classmethod
    def _by_name_alone(cls, data: Any) -> Any:  # noqa: ANN401  # raw input
        channels = data.get("channels") if isinstance(data, dict) else None
        if not isinstance(channels, list | tuple):
            return data
        return {**data, "channels": [{"name": one, "url_env": variable_of(one)} if isinstance(one, str) else one for one in channels]}

    def made_rules(self) -> tuple[Rule, ...]:
        """Return the rules."""
        return tuple(rule.made() for rule in self.rules)

    def notices(self, environment: Mapping[str, str] = os.environ) -> list[str]:
        """Return one sentence for each channel that has no address yet."""
        lacking = [channel for channel in self.channels if self.enabled and channel.enabled and channel.url_env and not environment.get(channel.url_env)]
        return [f"alerting: channel {channel.name} waits for its URL in the variable {channel.url_env}" for channel in lacking]

    @model_validator(mode="after")
    def _names_differ(self) -> AlertingSection:
        for kind, names in (("channels", [channel.name for channel in self.channels]), ("rules", [rule.id for rule in self.rules])):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"two {kind} are called {', '.join(twice)}; give each a name of its own")
        return self
