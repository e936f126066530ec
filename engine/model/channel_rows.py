"""Rows of channels and of notifications on their way through them; part of engine.model.rows. No row holds an address."""

from __future__ import annotations

from typing import NamedTuple


class ChannelRow(NamedTuple):
    """A way to people or programs outside. Instants in epoch seconds, 0 = none."""

    id: str
    """Its name."""
    kind: str
    """What receives: `slack`, `mailto`, `alertmanager`, `command` ...; where the address would be when there is none."""
    state: str
    """ready, failing, unset (there is no address) or off."""
    severities: str
    matchers: str
    waiting: int
    parked: int
    sent: int
    """Since the engine began."""
    failures: int
    """Attempts in a row that failed."""
    last_sent_at: float
    last_error: str
    last_error_at: float
    not_before: float
    """When the next attempt is, if one waits."""


class NotificationRow(NamedTuple):
    """A notification for one channel. Instants in epoch seconds, 0 = none."""

    id: str
    channel: str
    state: str
    """waiting, sent or parked."""
    about: str
    severity: str
    title: str
    alerts: int
    attempts: int
    at: float
    not_before: float
    """When it is tried next; 0 = it does not wait."""
    ended_at: float
    """When it was sent or parked."""
    error: str
    notification: str
    """The id that receivers see: the same in every channel."""
