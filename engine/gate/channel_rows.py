"""Channels and notifications as rows; and the verbs about them, which change no state of the fleet.

Owner: nobody; functions only.
"""

from __future__ import annotations

from typing import TypeAlias

from engine.model.channel_commands import RequeueNotifications, TestChannel
from engine.model.channel_rows import ChannelRow, NotificationRow
from engine.model.errors import CommandRefused, FleetError
from engine.model.notifications import ChannelHealth, Letter, LetterState
from engine.model.plans import PlanStep
from engine.model.verbs import Command
from engine.model.wire import call_of
from engine.monitoring.notifying.addresses import Address, kind_of
from engine.monitoring.notifying.notifier import Notifier
from engine.monitoring.notifying.wording import title_of

ChannelVerb: TypeAlias = TestChannel | RequeueNotifications


def channel_row(notifier: Notifier, name: str) -> ChannelRow | None:
    """Return how a channel is now; None = there is none of that name."""
    channel = notifier.channels.get(name)
    if channel is None:
        return None
    sender = notifier.senders.get(name)
    health = sender.health if sender else ChannelHealth()
    letters = [letter for letter in notifier.outbox.letters.values() if letter.channel == name]
    waiting = [letter for letter in letters if letter.state is LetterState.WAITING]
    address = sender.address if sender else Address()
    state, error = _state_of(health, address, is_on=sender is not None)
    return ChannelRow(
        name, kind_of(channel, address), state, " ".join(channel.severities), ", ".join(channel.matchers), len(waiting),
        sum(letter.state is LetterState.PARKED for letter in letters), health.sent, health.failures, health.last_sent_at,
        error, health.last_error_at, max(waiting[0].due_at, health.not_before) if waiting else 0.0,
    )  # fmt: skip


def _state_of(health: ChannelHealth, address: Address, *, is_on: bool) -> tuple[str, str]:
    """Return the word for a channel's state, and what is wrong."""
    if not is_on:
        return "off", health.last_error
    if address.lacks:
        return "unset", address.lacks
    return "failing" if health.failures else "ready", health.last_error


def notification_row(notifier: Notifier, id_: str) -> NotificationRow | None:
    """Return how a notification is on its way through a channel; None = there is none of that id."""
    letter = notifier.outbox.find(id_)
    return _row_of(notifier.fleet, letter) if letter else None


def _row_of(fleet: str, letter: Letter) -> NotificationRow:
    told = letter.notification
    is_waiting = letter.state is LetterState.WAITING
    return NotificationRow(
        letter.id, letter.channel, letter.state.value, told.about.value, told.severity.value, title_of(fleet, told),
        len(told.alerts) + told.left_out, letter.attempts, told.at, letter.due_at if is_waiting else 0.0, letter.ended_at, letter.error, told.id,
    )  # fmt: skip


# ---- verbs


def is_about_channels(command: Command) -> bool:
    """Tell whether a verb is one of these."""
    return isinstance(command, ChannelVerb)


def describe(notifier: Notifier | None, command: Command) -> PlanStep:
    """Return what a verb would do. Raises NotFound, CommandRefused."""
    notifier = _required(notifier)
    if isinstance(command, TestChannel):
        notifier.channel(command.channel)
        return PlanStep(call_of(command), command.channel, "", "a test goes out now", "past all that waits for it")
    assert isinstance(command, RequeueNotifications), "is_about_channels() was asked"
    number = len(notifier.parked(command.which))
    effect = f"{number} parked notification{'' if number == 1 else 's'} sent again" if number else "nothing is parked"
    return PlanStep(call_of(command), command.which or "channels", f"{number} parked", "waiting", effect, changes=number > 0)


async def carry_out(notifier: Notifier | None, command: Command, who: str) -> str:
    """Do what a verb asks and say how it went. Raises NotFound, CommandRefused, and FleetError for a test that failed."""
    notifier = _required(notifier)
    if isinstance(command, TestChannel):
        outcome = await notifier.test(command.channel, who)
        if outcome.error:
            raise FleetError(f"channel {command.channel} does not work: {outcome.error}")
        return f"the test went through {command.channel} in {outcome.took_s:.1f} s"
    assert isinstance(command, RequeueNotifications), "is_about_channels() was asked"
    number = notifier.requeue(command.which)
    return f"{number} parked notification{' waits' if number == 1 else 's wait'} again"


def _required(notifier: Notifier | None) -> Notifier:
    if notifier is None:
        raise CommandRefused("this engine tells nobody of alerts")
    return notifier
