"""Alerts, rules, silences, channels and notifications in full.

Owner: an alert's document owns what was read of its figures, a rule's how it would have done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, cast

from engine.model.alert_commands import DeleteRule, EndSilence
from engine.model.alert_rows import AlertRow, RuleRow, SilenceRow
from engine.model.channel_commands import RequeueNotifications, TestChannel
from engine.model.channel_rows import ChannelRow, NotificationRow
from screens.alerts import NotificationsScreen, ack_or_not, silence_form, switched
from screens.charted import ChartedDocument, Drawing, PastDocument
from screens.details import ThingDocument
from screens.forms import ask_by
from screens.linked import Linked
from screens.present_alerts import (
    alert_info,
    channel_info,
    matchers_of,
    notification_info,
    rule_info,
    scope_of,
    silence_info,
)
from screens.present_figures import SERIES, figure_drawing, figure_lines, past_lines
from screens.present_text import Lines, note
from screens.widgets.braille import Series

GONE = "this {} is gone; its timeline has what came of it"


class AlertDetails(ChartedDocument):
    """An alert: how it stands, its figures beside the limit, why, and what happened to it."""

    NAME: ClassVar[str] = "alert"
    KIND: ClassVar[str] = "alerts"
    KINDS: ClassVar[tuple[str, ...]] = ("alerts",)
    PAST: ClassVar[str] = "figures"
    TABS: ClassVar[tuple[str, ...]] = ("info", PAST, "why", "timeline")
    SERIES: ClassVar[Sequence[Series]] = SERIES

    def __init__(self, thing: str, tab: str = "") -> None:
        super().__init__(thing, tab)
        self._figures: dict[str, Any] | None = None
        self._measured: dict[str, Any] = {}

    def subject(self) -> str:
        """Return the rule, and what the alert is about."""
        row = cast("AlertRow | None", self.row)
        return " ".join(part for part in (row.rule, row.pool, row.agent) if part) if row is not None else self.thing

    async def read_plain(self) -> object:
        """Return the whole alert."""
        return await self.ask_engine("alert", id=self.thing)

    async def read_own(self, tab: str) -> Lines | Linked:
        """Describe it, or its figures over time."""
        self._figures = None
        if self.row is None:
            return note(GONE.format("alert"))
        data = await self.ask_engine("alert", id=self.thing)
        if tab != self.PAST:
            return alert_info(data, self.feed.tables, self.feed.now(), self.console.glyphs)
        if data["measured"] is None:
            return note("its rule is about events, or about figures that are not kept: there is nothing to draw")
        self._measured = data["measured"]
        asked = {name: self._measured[name] for name in ("metric", "label", "quantile")}
        self._figures = await self.ask_engine("history", **asked, last_s=self.range_shown.last_s, points=self.dots())
        return figure_lines(data, self._measured, self._figures)

    def step_s(self) -> float:
        """Return how long a point is."""
        return float(self._figures["step_s"]) if self._figures is not None else 0.0

    def drawing(self) -> Drawing | None:
        """Return the figures, and the limit."""
        if self._figures is None:
            return None
        about, lines, scale, axis = figure_drawing(self._figures, self._measured, self.range_shown, self.feed.now(), dots=self.dots(), width=self.axis_width())
        return Drawing(about, lines, scale, self.dots(), axis)

    def to_edit(self) -> tuple[str, str] | None:
        """Return its rule."""
        row = cast("AlertRow | None", self.row)
        return ("rules", row.rule) if row is not None else None

    def action_acknowledge(self) -> None:
        """Take care of it, or no longer do."""
        row = cast("AlertRow | None", self.row)
        self.ask_about(ack_or_not(row) if row is not None else None, "it is resolved: there is nothing to take care of")

    def action_silence(self) -> None:
        """Fill in a silence that begins with its labels."""
        row = cast("AlertRow | None", self.row)
        ask_by(self, silence_form(self.feed.tables, matchers_of(row) if row is not None else ""))

    def action_end_silence(self) -> None:
        """End the silence that keeps it quiet."""
        silence = cast("AlertRow", self.row).silenced_by if self.row is not None else ""
        self.ask_about(EndSilence(silence) if silence in self.feed.tables["silences"] else None, "no silence keeps it quiet")


class RuleDetails(PastDocument):
    """A rule: what it watches and found, and when it would have fired."""

    NAME: ClassVar[str] = "rule"
    KIND: ClassVar[str] = "rules"
    KINDS: ClassVar[tuple[str, ...]] = ("rules", "alerts")
    PAST: ClassVar[str] = "past"
    TABS: ClassVar[tuple[str, ...]] = ("info", PAST, "timeline")

    def __init__(self, thing: str, tab: str = "") -> None:
        super().__init__(thing, tab)
        self._resolution_s = 0.0

    async def read_own(self, tab: str) -> Lines | Linked:
        """Describe it, or when it would have fired."""
        row = cast("RuleRow | None", self.row)
        if row is None:
            return note(GONE.format("rule"))
        if tab != self.PAST:
            return rule_info(row, self.feed.tables, self.feed.now(), self.console.glyphs)
        shown = self.range_shown
        found = await self.ask_engine("alert-test", id=self.thing, last_s=shown.last_s)
        self._resolution_s = float(found["resolution_s"])
        return past_lines(found, shown, self.size.width - 2, self.console.glyphs)

    def step_s(self) -> float:
        """Return how far apart the samples were: a replay of a day is not asked for every second."""
        return max(60.0, self._resolution_s)

    def action_switch(self) -> None:
        """Watch it, or watch it no more."""
        row = cast("RuleRow | None", self.row)
        self.ask_about(switched(row) if row is not None else None, GONE.format("rule"))

    def action_delete(self) -> None:
        """Ask to remove it."""
        self.ask_about(DeleteRule(self.thing), "")


class SilenceDetails(ThingDocument):
    """A silence, and the alerts that it keeps quiet."""

    NAME: ClassVar[str] = "silence"
    KIND: ClassVar[str] = "silences"
    KINDS: ClassVar[tuple[str, ...]] = ("silences", "alerts")
    TABS: ClassVar[tuple[str, ...]] = ("info", "timeline")

    async def read_own(self, _tab: str) -> Lines | Linked:
        """Describe it."""
        row = cast("SilenceRow | None", self.row)
        return note(GONE.format("silence")) if row is None else silence_info(row, self.feed.tables, self.feed.now(), self.console.glyphs)

    def action_end_silence(self) -> None:
        """End it."""
        self.ask_about(EndSilence(self.thing) if self.row is not None else None, "it is over already")


class ChannelDetails(ThingDocument):
    """A channel, and what went through it."""

    NAME: ClassVar[str] = "channel"
    KIND: ClassVar[str] = "channels"
    KINDS: ClassVar[tuple[str, ...]] = ("channels", "notifications")
    TABS: ClassVar[tuple[str, ...]] = ("info",)

    async def read_own(self, _tab: str) -> Lines | Linked:
        """Describe it."""
        row = cast("ChannelRow | None", self.row)
        if row is None:
            return note("no such channel is configured any more")
        return channel_info(row, self.feed.tables, self.feed.now(), self.console.glyphs)

    def action_test(self) -> None:
        """Send a test through it."""
        self.console.ask([TestChannel(self.thing)])

    def action_requeue(self) -> None:
        """Send what is parked for it again."""
        self.console.ask([RequeueNotifications(self.thing)])

    def action_notifications(self) -> None:
        """Show what went through it as a table."""
        self.console.drill(NotificationsScreen(scope=scope_of("channel", self.thing)))


class NotificationDetails(ThingDocument):
    """A notification on its way through a channel."""

    NAME: ClassVar[str] = "notification"
    KIND: ClassVar[str] = "notifications"
    KINDS: ClassVar[tuple[str, ...]] = ("notifications",)
    TABS: ClassVar[tuple[str, ...]] = ("info",)

    async def read_own(self, _tab: str) -> Lines | Linked:
        """Describe it."""
        row = cast("NotificationRow | None", self.row)
        return note("this notification is no longer kept") if row is None else notification_info(row, self.feed.now(), self.console.glyphs)

    def action_requeue(self) -> None:
        """Send it again, if it is parked."""
        row = cast("NotificationRow | None", self.row)
        self.ask_about(RequeueNotifications(self.thing) if row is not None and row.state == "parked" else None, "only a parked notification is sent again")
