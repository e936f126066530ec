"""`:alerts`, `:rules`, `:silences`, `:channels`, `:notifications`: what is wrong, what is watched, who is not told, and who is.

Tab goes from list to list: alerts by how they stand, then the others.

Owner: each list owns how many alerts stood how when it was drawn last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import ClassVar, cast

from textual.widget import Widget

from engine.model.alert_commands import (
    AckAlert,
    DeleteRule,
    DisableRule,
    EnableRule,
    EndSilence,
    SilenceAlerts,
    UnackAlert,
)
from engine.model.alert_rows import AlertRow, RuleRow, SilenceRow
from engine.model.channel_commands import RequeueNotifications, TestChannel
from engine.model.channel_rows import ChannelRow, NotificationRow
from engine.model.rows import Row
from engine.model.verbs import Command
from screens.described import DescribedTable
from screens.feed import Changes
from screens.forms import VerbForm, ask_by
from screens.places import Place
from screens.present_alerts import (
    CHANNEL_COLUMNS,
    LISTS,
    NOTIFICATION_COLUMNS,
    RULE_COLUMNS,
    SILENCE_COLUMNS,
    alert_cells,
    alert_columns,
    channel_cells,
    count_standings,
    list_parts,
    matchers_of,
    notification_cells,
    rule_cells,
    scope_of,
    silence_cells,
)
from screens.present_rows import columns_over
from screens.rule_forms import make_rule
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column
from screens.widgets.statusbar import ContextBar, Part

SILENCE_S = 7_200
"""How long a form of a silence begins with."""
SILENCE_FIELDS = ("matchers", "for_s", "why")


def ack_or_not(row: AlertRow) -> Command | None:
    """Return the verb that takes an alert, or gives it back; None for one that is over."""
    if row.acked_by:
        return UnackAlert(row.id)
    return AckAlert(row.id) if row.state != "resolved" else None


def silence_form(tables: dict[str, dict[str, Row]], matchers: str = "") -> VerbForm:
    """Return the form of a silence."""
    return VerbForm(SilenceAlerts, tables, {"matchers": matchers, "for_s": str(SILENCE_S)}, asked=SILENCE_FIELDS)


def switched(row: RuleRow) -> Command:
    """Return the verb that has a rule watched, or not."""
    return DisableRule(row.id) if row.enabled else EnableRule(row.id)


class AlertingTable(DescribedTable):
    """One of the lists that Tab goes through, with their names above it."""

    KINDS: ClassVar[tuple[str, ...]] = ("alerts",)

    def __init__(self, filter_text: str = "", scope: str = "", *, place: Place | None = None) -> None:
        super().__init__(filter_text, scope, place=place)
        self._standings: Counter[str] = Counter()

    @property
    def _list(self) -> int:
        """Which of the lists this is; -1 = another part of them."""
        here = (self.NAME, self.scope_text)
        return next((number for number, (_name, view, scope) in enumerate(LISTS) if (view, scope) == here), -1)

    def compose_body(self) -> Iterable[Widget]:
        """Yield the names of the lists, and the table."""
        yield ContextBar(glyphs=self.console.glyphs, id="lists")
        yield from super().compose_body()

    def refresh_rows(self, changes: Changes) -> None:
        """Show changed rows, and how many alerts stand how."""
        if changes.touches(("alerts",)):
            self._standings = count_standings(self.feed.tables["alerts"].values())
            self.query_one("#lists", ContextBar).show(list_parts(self._list, self._standings))
        super().refresh_rows(changes)

    def heading(self) -> tuple[Sequence[Part], Sequence[Part]]:
        """Leave the scope out where the name of the list says it."""
        left, right = super().heading()
        return ([part for part in left if part != self.scope_text] if self._list >= 0 else left), right

    def action_next_list(self, step: int) -> None:
        """Show the next list, or the one before."""
        here = max(self._list, 0) if self._list >= 0 or step > 0 else len(LISTS)
        _name, view, scope = LISTS[(here + step) % len(LISTS)]
        self.console.open_place(Place(view, scope, context=self.console.context))


class AlertsScreen(AlertingTable):
    """Alerts: what fires and is nobody's first."""

    NAME: ClassVar[str] = "alerts"
    TITLE: ClassVar[str] = "Alerts"
    KIND: ClassVar[str] = "alerts"
    NOUN: ClassVar[str] = "alert"
    SORT: ClassVar[tuple[str, bool]] = ("state", False)
    EMPTY: ClassVar[str] = "nothing is wrong that a rule watches"

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return columns_over(alert_columns(self.feed.tables), lambda: self.rows)

    def present_row(self, row: AlertRow, now: float) -> Cells:
        """Return an alert's cells."""
        return alert_cells(row, self.feed.tables, now, self.console.glyphs)

    def to_edit(self, row: Row) -> tuple[str, str] | None:
        """Return the rule of an alert."""
        return "rules", cast("AlertRow", row).rule

    def action_acknowledge(self) -> None:
        """Take care of the chosen alerts, or no longer do."""
        self.ask_each(lambda row: ack_or_not(cast("AlertRow", row)))

    def action_silence(self) -> None:
        """Fill in a silence that begins with the labels of the alert pointed at."""
        row = self.pointed()
        ask_by(self, silence_form(self.feed.tables, matchers_of(cast("AlertRow", row)) if row is not None else ""))

    def action_end_silence(self) -> None:
        """End the silences that keep the chosen alerts quiet."""
        silences = self.feed.tables["silences"]
        self.ask_each(lambda row: EndSilence(silence) if (silence := cast("AlertRow", row).silenced_by) in silences else None)


class RulesScreen(AlertingTable):
    """Rules, those that found something first."""

    NAME: ClassVar[str] = "rules"
    TITLE: ClassVar[str] = "Rules"
    KIND: ClassVar[str] = "rules"
    NOUN: ClassVar[str] = "rule"
    KINDS: ClassVar[tuple[str, ...]] = ("rules", "alerts")
    SORT: ClassVar[tuple[str, bool]] = ("state", False)
    EMPTY: ClassVar[str] = "nothing is watched"

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return columns_over(RULE_COLUMNS, lambda: self.rows)

    def present_row(self, row: RuleRow, now: float) -> Cells:  # noqa: ARG002  # nothing of a rule ages
        """Return a rule's cells."""
        return rule_cells(row, self.console.glyphs)

    def action_create(self) -> None:
        """Fill in a new rule."""
        make_rule(self)

    def action_switch(self) -> None:
        """Watch the chosen rules, or watch them no more."""
        self.ask_each(lambda row: switched(cast("RuleRow", row)))

    def action_delete(self) -> None:
        """Ask to remove the chosen rules."""
        self.ask_each(lambda row: DeleteRule(row.id))

    def action_range(self) -> None:
        """Say when the rule pointed at would have fired."""
        self._open_tab("past")


class SilencesScreen(AlertingTable):
    """Silences, what ends first on top."""

    NAME: ClassVar[str] = "silences"
    TITLE: ClassVar[str] = "Silences"
    KIND: ClassVar[str] = "silences"
    NOUN: ClassVar[str] = "silence"
    KINDS: ClassVar[tuple[str, ...]] = ("silences", "alerts")
    SORT: ClassVar[tuple[str, bool]] = ("ends", False)
    EMPTY: ClassVar[str] = "nothing is kept quiet; {silences.create} makes a silence"

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return columns_over(SILENCE_COLUMNS, lambda: self.rows)

    def present_row(self, row: SilenceRow, now: float) -> Cells:
        """Return a silence's cells."""
        return silence_cells(row, now, self.console.glyphs)

    def action_create(self) -> None:
        """Fill in a silence."""
        ask_by(self, silence_form(self.feed.tables))

    def action_end_silence(self) -> None:
        """End the chosen silences."""
        self.ask_each(lambda row: EndSilence(row.id))


class ChannelsScreen(AlertingTable):
    """Channels, those that do not work first."""

    NAME: ClassVar[str] = "channels"
    TITLE: ClassVar[str] = "Channels"
    KIND: ClassVar[str] = "channels"
    NOUN: ClassVar[str] = "channel"
    KINDS: ClassVar[tuple[str, ...]] = ("channels", "alerts")
    SORT: ClassVar[tuple[str, bool]] = ("state", False)
    EMPTY: ClassVar[str] = "nobody outside is told: [[alerting.channels]] in fleet.toml says who"

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return columns_over(CHANNEL_COLUMNS, lambda: self.rows)

    def present_row(self, row: ChannelRow, now: float) -> Cells:
        """Return a channel's cells."""
        return channel_cells(row, now, self.console.glyphs)

    def action_test(self) -> None:
        """Send a test through the chosen channel."""
        row = self.pointed()
        if row is None:
            self.console.say("there is no channel under the cursor", role="warn")
        else:
            self.console.ask([TestChannel(row.id)])

    def action_requeue(self) -> None:
        """Send what is parked for the channel again."""
        row = self.pointed()
        if row is None:
            self.console.say("there is no channel under the cursor", role="warn")
        else:
            self.console.ask([RequeueNotifications(row.id)])

    def action_notifications(self) -> None:
        """Show what went through the channel."""
        row = self.pointed()
        self.console.drill(NotificationsScreen(scope=scope_of("channel", row.id) if row is not None else ""))


class NotificationsScreen(DescribedTable):
    """Notifications on their way through channels, and those that have ended, the newest first."""

    NAME: ClassVar[str] = "notifications"
    TITLE: ClassVar[str] = "Notifications"
    KIND: ClassVar[str] = "notifications"
    NOUN: ClassVar[str] = "notification"
    KINDS: ClassVar[tuple[str, ...]] = ("notifications",)
    SORT: ClassVar[tuple[str, bool]] = ("age", False)
    EMPTY: ClassVar[str] = "nobody outside was told of anything yet"

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return columns_over(NOTIFICATION_COLUMNS, lambda: self.rows)

    def present_row(self, row: NotificationRow, now: float) -> Cells:
        """Return a notification's cells."""
        return notification_cells(row, now, self.console.glyphs)

    def action_requeue(self) -> None:
        """Send the notification pointed at again, if it is parked."""
        row = self.pointed()
        if row is None or cast("NotificationRow", row).state != "parked":
            self.console.say("only a parked notification is sent again", role="warn")
        else:
            self.console.ask([RequeueNotifications(row.id)])
