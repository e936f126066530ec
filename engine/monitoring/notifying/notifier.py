"""Takes what became of alerts, and has each channel told of it in groups.

Owner: `Notifier`, of the groups and of one sender for each channel. What it decides to tell is kept in one transaction with
what each group was told; while the database cannot be written, it tells nevertheless and keeps it later: an alert about a full disk
must get out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial

from engine.model.alert_words import Severity
from engine.model.alerting_config import AlertingSection, ChannelConfig
from engine.model.alerts import Transition
from engine.model.errors import CommandRefused, JournalError, NotFound
from engine.model.notifications import (
    About,
    AlertNews,
    Group,
    Letter,
    Notification,
    Outcome,
    news_of,
)
from engine.model.wire import nearest
from engine.monitoring.archive import Files
from engine.monitoring.notifying.addresses import find_address
from engine.monitoring.notifying.courier import Carrier, Courier
from engine.monitoring.notifying.grouping import Grouping, Groups, key_of, merge
from engine.monitoring.notifying.outbox import Outbox
from engine.monitoring.notifying.routing import route_of
from engine.monitoring.notifying.sender import Means, Sender
from engine.supervisor import keep_running

logger = logging.getLogger(__name__)

ID_PREFIX = "ntf"
RETRY_S = 5.0
"""Pause before the database is tried again."""


class Notifier:
    """Who tells others of alerts."""

    def __init__(self, config: AlertingSection, files: Files, fleet: str, means: Means, *, carrier: Callable[[ChannelConfig], Carrier] | None = None) -> None:
        """`carrier` gives what delivers to a channel's receiver; without it that is a process."""
        self.config = config
        self.outbox = Outbox(files)
        self.groups = Groups(Grouping(config.group_by, config.group_wait_s, config.group_interval_s, config.repeat_interval_s))
        self.fleet = fleet
        self._carrier = carrier or (lambda channel: Courier(fleet, channel.ca_file, means.ways))
        self.channels = {channel.name: channel for channel in config.channels}
        self._means = means
        self._clock = means.clock
        self._ids = means.ids
        self._news = asyncio.Event()
        self._early: list[AlertNews] = []
        self._standing: Collection[str] | None = None
        """Alerts that fired when the engine started; None = nobody said."""
        self._is_open = False
        self.runbook_of: Callable[[str], str] = lambda _rule: ""
        """Where it is written what to do about a rule's alerts."""
        channels = [channel for channel in config.channels if channel.enabled] if config.enabled else []
        self.senders = {channel.name: self._sender(channel) for channel in channels}
        self.outbox.on_change(lambda letter: self._touched(letter.channel, letter.id))
        self.changed: Callable[[str, str], None] = lambda _channel, _letter: None
        """Called with the channel, and if there is one the letter, that read differently."""

    def _sender(self, channel: ChannelConfig) -> Sender:
        sender = Sender(channel, route_of(channel), self.outbox, self._carrier(channel), self._means)
        sender.changed = partial(self._touched, channel.name)
        return sender

    def _touched(self, channel: str, letter: str = "") -> None:
        self._news.set()
        sender = self.senders.get(channel)
        if sender is not None:
            sender.wake()
        self.changed(channel, letter)

    # ---- alerts come in

    def begin(self, firing: Collection[str]) -> None:
        """Say which alerts fire as the engine starts: others that a former engine told of are over."""
        self._standing = firing

    def take(self, transitions: Sequence[Transition], now: float) -> None:
        """Take what changed; the same again is no harm.

        At an engine's start all that fire are given again, so that none is forgotten that fired just before the former
        engine ended; so is one whose silence ended.
        """
        found = (news_of(one.alert, self.runbook_of(one.alert.rule)) for one in transitions)
        self.hear([news for news in found if news is not None], now)

    def hear(self, news: Iterable[AlertNews], now: float) -> None:
        """Take news of alerts."""
        if not self.senders:
            return
        if self._is_open:
            self.groups.take(news, now)
        else:
            self._early += news
        self._news.set()

    # ---- notifications go out

    async def run(self) -> None:
        """Tell until cancelled."""
        while not self._is_open:
            try:
                known = await self.outbox.open(self._clock.now())
            except JournalError as error:
                logger.warning("notifications that wait cannot be read yet", extra={"reason": str(error)})
                await self._clock.sleep(RETRY_S)
                continue
            self._open(known, self._clock.now())
        async with asyncio.TaskGroup() as group:
            for name, sender in self.senders.items():
                group.create_task(keep_running(f"channel {name}", sender.run, self._clock), name=f"channel {name}")
                self.changed(name, "")
            await self._tell()

    def _open(self, known: Sequence[Group], now: float) -> None:
        """Go on where a former engine ended."""
        self.groups.know(known)
        self.outbox.abandon(self.senders, now)
        standing = self._standing
        if standing is not None:
            told = [news for group in known for news in group.alerts.values() if news.is_firing and news.fingerprint not in standing]
            self.groups.take([replace(news, is_firing=False, until=now) for news in told], now)
        self.groups.take(self._early, now)
        self._early.clear()
        self._is_open = True

    async def _tell(self) -> None:
        retry_at = 0.0
        while True:
            self._news.clear()
            now = self._clock.now()
            for notification in self.groups.collect(now, partial(self._ids.new, ID_PREFIX)):
                self._put(notification, now)
            is_kept = self.outbox.is_kept and not self.groups.dirty
            if not is_kept and now >= retry_at:
                is_kept = await self._save()
                retry_at = 0.0 if is_kept else self._clock.now() + RETRY_S
            wait_s = min(self.groups.next_at(), float("inf") if is_kept else max(retry_at, now)) - self._clock.now()
            try:
                async with asyncio.timeout(None if wait_s == float("inf") else max(0.0, wait_s)):
                    await self._news.wait()
            except TimeoutError:
                continue

    def _put(self, notification: Notification, now: float) -> None:
        for sender in self.senders.values():
            part = sender.route.part_for(notification)
            if part is not None:
                self.outbox.put(sender.channel.name, part, now, waiting_max=sender.channel.waiting_max, join=merge)

    async def _save(self) -> bool:
        try:
            await self.outbox.save(self.groups.groups, self.groups.dirty)
        except JournalError as error:
            logger.warning("notifications cannot be kept, they are sent all the same", extra={"reason": str(error)})
            return False
        return True

    async def close(self) -> None:
        """Keep what is not kept yet; at the engine's end."""
        if self._is_open and (self.groups.dirty or not self.outbox.is_kept):
            await self._save()

    # ---- what operators ask for

    def channel(self, name: str) -> ChannelConfig:
        """Return a channel of the configuration. Raises NotFound."""
        if name not in self.channels:
            raise NotFound(f"no channel {name!r}{nearest(name, self.channels)}; write it into [[alerting.channels]] of the configuration")
        return self.channels[name]

    async def test(self, name: str, who: str) -> Outcome:
        """Send a test through a channel now, past all that waits, in a process of its own. Raises NotFound, CommandRefused."""
        channel = self.channel(name)
        address = await find_address(channel)
        if address.lacks:
            raise CommandRefused(f"channel {name}: {address.lacks}")
        now = self._clock.now()
        news = AlertNews("test", "test", Severity.INFO, {}, f"{who} tests this channel; there is nothing to do", is_firing=True, since=now)
        id_ = self._ids.new(ID_PREFIX)
        test = Notification(id_, key_of({"test": id_}), About.TEST, {}, (news,), now)
        courier = self._carrier(channel)
        try:
            outcome = await courier.deliver(address, test, channel.deadline_s)
        finally:
            await courier.close()
        sender = self.senders.get(name)
        if sender is not None and not outcome.error:
            sender.health.not_before = 0.0
            sender.wake()
        return outcome

    def parked(self, which: str) -> list[Letter]:
        """Return the dead letters that can be sent again: of a channel, one by its id, or all (empty). Raises NotFound, CommandRefused."""
        letters = self.outbox.parked(which)
        if which and not letters and which not in self.channels:
            raise NotFound(f"no channel and no parked notification {which!r}{nearest(which, self.channels)}; `get notifications` lists them")
        found = [letter for letter in letters if letter.channel in self.senders]
        if which and letters and not found:
            raise CommandRefused(f"channel {letters[0].channel} is switched off or no longer configured: nobody would send it")
        return found

    def requeue(self, which: str) -> int:
        """Have dead letters wait again, and return how many. Raises NotFound, CommandRefused."""
        letters = self.parked(which)
        for name in {letter.channel for letter in letters}:
            self.senders[name].health.not_before = 0.0
        return self.outbox.requeue(letters, self._clock.now())
