"""Rows of alerts, their rules and silences; part of engine.model.rows."""

from __future__ import annotations

from typing import NamedTuple


class AlertRow(NamedTuple):
    """An alert: one rule that holds, or held, for one set of labels."""

    id: str
    rule: str
    severity: str
    state: str
    """pending, firing or resolved."""
    pool: str
    agent: str
    labels: str
    """All of them, such as `pool=coder,team=core`."""
    value: float
    """Of now while it is pending or fires, else when it was resolved."""
    reads: str
    """The value with its unit."""
    message: str
    began_at: float
    """When its condition began to hold."""
    fired_at: float
    resolved_at: float
    acked_by: str
    ack_why: str
    silenced_by: str
    """The silence's id; empty = none."""
    inhibited_by: str
    """The alert, or `halt`, that explains it; empty = none."""
    flapping: bool
    runbook: str


class RuleRow(NamedTuple):
    """An alert rule, with what it found."""

    id: str
    name: str
    expr: str
    for_s: float
    keep_firing_for_s: float
    severity: str
    enabled: bool
    state: str
    """firing, pending, quiet, unknown (nothing that it looks at is measured) or disabled."""
    firing: int
    pending: int
    left_out: int
    """Alerts beyond the most that one rule has."""
    labels: str
    summary: str
    runbook: str
    actions: str
    source: str
    created_at: float


class SilenceRow(NamedTuple):
    """A silence, with how many alerts it keeps quiet now."""

    id: str
    matchers: str
    until: float
    by: str
    why: str
    created_at: float
    alerts: int
