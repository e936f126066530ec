"""The notifier on virtual time: pauses between attempts, dead letters, a database that cannot be written, limits; and what is said of errors."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
from engine.model.alert_words import Severity
from engine.model.alerting_config import AlertingSection
from engine.model.alerts import Alert, AlertState, Transition
from engine.model.errors import JournalError
from engine.model.notifications import About, AlertNews, LetterState, Notification, Outcome
from engine.monitoring.notifying.grouping import merge
from engine.monitoring.notifying.hiding import without_secrets
from engine.monitoring.notifying.notifier import RETRY_S, Notifier
from engine.monitoring.notifying.outbox import ENDED_MAX, Outbox
from engine.monitoring.notifying.sender import Means, pause_after
from engine.monitoring.notifying.worker import plain_reason, reason_of, seconds_of
from engine.simulation.fake_channels import MemoryFiles, SimulatedCourier
from engine.simulation.loop import CountedIds, VirtualClock, run_virtual

_T = TypeVar("_T")
HOOK = {"name": "hook", "url": "json://127.0.0.1:1/"}


class Files(MemoryFiles):
    """A database that can be had fail."""

    is_broken = False

    async def write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Write, or fail."""
        if self.is_broken:
            raise JournalError("the disk is full")
        return await super().write(work)

    async def read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Read, or fail."""
        if self.is_broken:
            raise JournalError("the disk is full")
        return await super().read(work)

    def states(self) -> list[str]:
        """Return the states of the letters that are kept."""
        return [state for (state,) in self.connection.execute("SELECT state FROM alert_letters ORDER BY number")]


class Told:
    """A notifier at work, and what its one channel was given."""

    def __init__(self, files: Files, **settings: Any) -> None:  # noqa: ANN401  # of a channel
        self.files = files
        self.clock = VirtualClock()
        self.courier = SimulatedCourier()
        self.instants: list[float] = []
        section = AlertingSection.model_validate({"channels": [HOOK | settings]})
        means = Means(self.clock, random.Random(1), CountedIds())  # noqa: TID251  # seeded
        self.notifier = Notifier(section, files, "prod", means, carrier=lambda _channel: self)

    async def deliver(self, *given: Any) -> Outcome:  # noqa: ANN401  # as the courier's
        """Note when, and have the courier do it."""
        self.instants.append(self.clock.now())
        return await self.courier.deliver(*given)

    async def close(self, *, at_once: bool = False) -> None:
        """Have nothing to end."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Tell, and at the end keep what is not kept."""
        task = asyncio.create_task(self.notifier.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            await self.notifier.close()

    def fires(self, fingerprint: str = "f1", *, is_firing: bool = True) -> None:
        news = AlertNews(fingerprint, "queue", Severity.WARNING, {"pool": "coder"}, "120 tasks wait", is_firing, self.clock.now())
        self.notifier.hear([news], self.clock.now())

    def states(self) -> list[LetterState]:
        return [letter.state for letter in self.notifier.outbox.letters.values()]


def live(story: Callable[[Told], Awaitable[None]], **settings: Any) -> None:  # noqa: ANN401  # of a channel
    async def run() -> None:
        told = Told(Files(), **settings)
        async with told.running():
            await story(told)

    run_virtual(run())


def test_pauses_double_up_to_ten_minutes_and_then_it_is_parked() -> None:
    async def story(told: Told) -> None:
        told.courier.outcomes = [Outcome("no answer")] * 11
        told.fires()
        await told.clock.sleep(3 * 3_600)
        pauses = [later - earlier for earlier, later in zip(told.instants, told.instants[1:], strict=False)]
        for number, pause in enumerate(pauses):
            least = min(600, 5 * 2**number)
            assert least <= pause <= 1.21 * least + 0.1
        assert len(told.instants) == 11
        assert told.states() == [LetterState.PARKED]
        assert told.files.states() == ["parked"]
        assert told.notifier.requeue("hook") == 1
        await told.clock.sleep(1)
        assert told.files.states() == ["sent"]

    live(story, retries=10)


def test_a_receiver_is_not_asked_earlier_than_it_says_nor_put_off_for_ever() -> None:
    rng = random.Random(1)  # noqa: TID251  # seeded
    assert pause_after(1, 5, 120, rng) == 120
    assert pause_after(1, 5, 10**9, rng) == 3_600
    assert 5 <= pause_after(1, 5, 0, rng) <= 6
    assert pause_after(10_000, 5, 0, rng) <= 720


def test_what_still_fires_is_told_every_four_hours_until_somebody_has_it() -> None:
    async def story(told: Told) -> None:
        told.fires()
        await told.clock.sleep(9 * 3_600)
        assert [one.is_reminder for one in told.courier.given] == [False, True, True]
        told.fires(is_firing=False)
        await told.clock.sleep(9 * 3_600)
        assert [one.about for one in told.courier.given[3:]] == [About.RESOLVED]

    live(story)


def test_while_the_database_cannot_be_written_it_is_told_all_the_same_and_kept_later() -> None:
    async def story(told: Told) -> None:
        await told.clock.sleep(1)
        told.files.is_broken = True
        told.fires()
        await told.clock.sleep(60)
        assert len(told.courier.given) == 1
        assert told.files.states() == []
        told.files.is_broken = False
        await told.clock.sleep(RETRY_S + 1)
        assert told.files.states() == ["sent"]

    live(story)


def test_what_comes_before_the_database_can_be_read_is_told_when_it_can() -> None:
    async def run() -> None:
        told = Told(Files())
        told.files.is_broken = True
        async with told.running():
            told.fires()
            await told.clock.sleep(60)
            assert told.courier.given == []
            told.files.is_broken = False
            await told.clock.sleep(RETRY_S + 11)
            assert len(told.courier.given) == 1

    run_virtual(run())


def test_a_clock_that_was_set_back_puts_nothing_off() -> None:
    async def run() -> None:
        files = Files()
        told = Told(files)
        told.courier.outcomes = [Outcome("no answer")] * 2
        async with told.running():
            told.fires()
            await told.clock.sleep(20)
        files.connection.execute("UPDATE alert_letters SET due_at = 1e12")
        files.connection.execute("UPDATE alert_groups SET data = json_set(data, '$.told_at', 1e12)")
        again = Told(files)
        async with again.running():
            await again.clock.sleep(1)
            assert len(again.courier.given) == 1
            again.fires(is_firing=False)
            await again.clock.sleep(61)
            assert [one.about for one in again.courier.given] == [About.FIRING, About.RESOLVED]

    run_virtual(run())


def test_the_newest_that_ended_are_kept_and_the_parked_ones_longest() -> None:
    outbox = Outbox(Files())
    for number in range(ENDED_MAX + 10):
        letter = outbox.put("hook", Notification(f"ntf_{number}", f"key{number}", About.FIRING, {}, (), 0.0), 0.0, waiting_max=10, join=merge)
        if number < 5:
            outbox.park(letter, "nobody was there", 0.0)
        else:
            outbox.delivered(letter, 0.0)
    assert len(outbox.letters) == ENDED_MAX
    assert len(outbox.parked("hook")) == 5
    assert outbox.lost == 0


def alert(state: AlertState, **changes: Any) -> Alert:  # noqa: ANN401  # of an alert
    return Alert(id="alt_1", rule="queue", labels={"pool": "coder"}, severity=Severity.CRITICAL, state=state, value=120.0, since=1.0, counted_from=1.0, message="120 wait", **changes)


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (alert(AlertState.PENDING), 0),
        (alert(AlertState.FIRING, fired_at=2.0), 1),
        (alert(AlertState.FIRING, fired_at=2.0, silenced_by="sil_1"), 0),
        (alert(AlertState.FIRING, fired_at=2.0, inhibited_by="halt"), 0),
        (alert(AlertState.RESOLVED, fired_at=2.0, resolved_at=3.0), 0),
    ],
)
def test_only_what_fires_and_is_not_kept_quiet_is_told(seen: Alert, told: int) -> None:
    async def story(here: Told) -> None:
        here.notifier.runbook_of = lambda rule: f"see {rule}"
        here.notifier.take([Transition(seen, None)], here.clock.now())
        await here.clock.sleep(60)
        assert [(one.alerts[0].text, one.alerts[0].runbook) for one in here.courier.given] == [("120 wait", "see queue")] * told

    live(story)


# ---- what is said of errors


@pytest.mark.parametrize(
    ("text", "date", "seconds"),
    [
        ("120", "", 120),
        ("Wed, 21 Oct 2026 07:28:10 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", 10),
        ("Wed, 21 Oct 2026 07:27:00 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", 0),
        ("Wed, 21 Oct 2026 07:27:00 GMT", "", 0),
        ("soon", "", 0),
        ("-5", "", 0),
        ("", "", 0),
    ],
)
def test_retry_after_is_read_in_both_forms(text: str, date: str, seconds: float) -> None:
    assert seconds_of(text, date) == seconds


def test_the_innermost_reason_is_named() -> None:
    inner = ConnectionRefusedError(111, "Connection refused")
    outer = RuntimeError("Max retries exceeded with url: /services/T0/B0/hunter2hunter2")
    outer.__cause__ = inner
    assert reason_of(outer) == "the connection was refused: is it running, is the port right? (ConnectionRefusedError: [Errno 111] Connection refused)"
    inner.__cause__ = outer  # in a circle
    assert reason_of(outer)
    assert plain_reason("something else") == "something else"


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "no TIiajkdnlazkcOXrIdevi7FQ and no T1JJ3T3L2"),
        ("jsons://me:hunter2hunter2@host.test/a/path/hunter3hunter3?key=hunter4hunter4", "/a/path/hunter3hunter3 hunter2hunter2 hunter4hunter4"),
        ("json://host.test/100%25secret-part", "100%secret-part 100%25secret-part"),
        ("http://[broken", "http://[broken"),
    ],
)
def test_no_part_of_an_address_stays_in_a_text(url: str, text: str) -> None:
    found = without_secrets(text, url)
    for word in ("TIiajkdnlazkcOXrIdevi7FQ", "T1JJ3T3L2", "hunter", "secret-part", "broken"):
        assert word not in found
    assert "host.test" in without_secrets("host.test answered 404", url)
