"""Facts about alerts: rules, what they found, silences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.model.alerts import Alert, Rule, Silence


@dataclass(frozen=True, slots=True)
class AlertRulesSet:
    """Rules were made or changed."""

    type: ClassVar[str] = "alert.rules_set"
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class AlertRuleRemoved:
    """A rule is gone."""

    type: ClassVar[str] = "alert.rule_removed"
    rule: str


@dataclass(frozen=True, slots=True)
class AlertsMoved:
    """Alerts began, fired, were resolved, or are kept quiet by something else than before."""

    type: ClassVar[str] = "alert.moved"
    alerts: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class AlertAcked:
    """Somebody takes care of an alert, or (nobody named) no longer does."""

    type: ClassVar[str] = "alert.acked"
    alert: str
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class AlertsSilenced:
    """Nobody is told of some alerts for a while."""

    type: ClassVar[str] = "alert.silenced"
    silence: Silence


@dataclass(frozen=True, slots=True)
class SilenceEnded:
    """A silence was taken back, or its time is over."""

    type: ClassVar[str] = "alert.silence_ended"
    silence: str
    why: str
