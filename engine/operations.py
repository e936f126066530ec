"""The Operator protocol every face uses, near or far: plan, execute, query, follow."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from engine.model.plans import Answer, Authority, Plan
from engine.model.rows import Frame
from engine.model.verbs import Command

FRAMES_PER_SECOND = 10.0
"""Most frames a follower gets in a second; a slow one gets fewer, fuller frames."""

EVENTS_IN_FRAME_MAX = 200
"""Newest events in one frame; the rest is counted."""

Following = AbstractAsyncContextManager[AsyncIterator[Frame]]


class Operator(Protocol):
    """One person's or program's authority over one fleet."""

    @property
    def authority(self) -> Authority:
        """Who this is to the engine, and whether it may change anything."""
        ...

    async def plan(self, commands: Sequence[Command], *, reason: str = "") -> Plan:
        """Check verbs and describe what they would do; nothing changes. Raises FleetError."""
        ...

    async def execute(self, commands: Sequence[Command] | str, *, reason: str = "", confirm: str = "") -> Answer:
        """Carry out verbs, or a plan by its id; returns when it is durable. Raises FleetError.

        `confirm` is what somebody typed where a rule demands it (`Plan.confirm`). Raises PlanChanged when a plan would no
        longer do what it said, Unconfirmed when a demand is not met, Denied when it never will be. A plan that was refused
        can be executed again.
        Cancelling it leaves open whether it was carried out; the audit tells.
        """
        ...

    async def query(self, what: str, **parameters: object) -> object:
        """Return the FleetStatus for `status`; plain values for rows of a kind or one thing in full. Raises FleetError.

        `what` is one of: status; pools, agents, tasks, hosts, plans, audit, events (parameters: limit,
        filter text, after); pool, agent, task (parameter: id); artifact (id); log (id of a task); timeline (id); commands;
        config; schema; cost (parameter: last_s); metrics; realtime; loads; prometheus;
        history (parameters: metric, label, last_s, ago_s, points, quantile in percent); can-i (parameters: verb, target).
        """
        ...

    def follow(self, kinds: Sequence[str]) -> Following:
        """Follow rows of some kinds: a full frame, then what changed, conflated; leaving the context stops it."""
        ...
