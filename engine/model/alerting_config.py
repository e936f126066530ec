"""The section `alerting` of the configuration: where notifications go. What a channel's address holds is a secret."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, field_validator, model_validator

from engine.model.alert_words import Severity
from engine.model.alerts import matcher_of
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


class AlertingSection(ConfigTree):
    """Who is told of alerts, and how often."""

    enabled: bool = Field(default=True, description="tell the channels; false = alerts stay in the console")
    channels: tuple[ChannelConfig, ...] = Field((), max_length=CHANNELS_MAX, description="where notifications go; a name alone, such as email, has its URL in ALERT_EMAIL_URL")
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

    def notices(self, environment: Mapping[str, str] = os.environ) -> list[str]:
        """Return one sentence for each channel that has no address yet."""
        lacking = [channel for channel in self.channels if self.enabled and channel.enabled and channel.url_env and not environment.get(channel.url_env)]
        return [f"alerting: channel {channel.name} waits for its URL in the variable {channel.url_env}" for channel in lacking]

    @model_validator(mode="after")
    def _names_differ(self) -> AlertingSection:
        names = [channel.name for channel in self.channels]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two channels are called {', '.join(twice)}; give each a name of its own")
        return self
