"""The measured history: buckets, blocks, roll-ups, gaps, restarts, clock jumps, limits; and what is counted beside the work."""

from __future__ import annotations

import math
import random
import sqlite3
import zlib
from array import array
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
from engine.memory.migrations import migrate, steps
from engine.model.errors import JournalError, UsageError
from engine.model.ids import AgentId
from engine.model.metrics import ALIASES, CATALOGUE, Group, find_gaps, find_metric, written_value
from engine.monitoring import agents as agent_columns
from engine.monitoring import archive as archives
from engine.monitoring import series
from engine.monitoring.agents import SECONDS, AgentColumns, Looked, as_measured, minutes_of, packed
from engine.monitoring.archive import Archive, Key
from engine.monitoring.blocks import HISTOGRAM, ROLLUP, SLOTS, VALUE, Block, start_of, summed
from engine.monitoring.histogram import BUCKETS, bounds, bucket_of, limit_of, quantile
from engine.monitoring.series import UNSAVED_MAX, SeriesStore, step_for
from engine.monitoring.trends import Window, points_of, wider_step
from engine.simulation.loop import VirtualClock, run_virtual
from engine.state import Touched
from tests.unit.core_fleet import Fleet

T = TypeVar("T")
NOON = 1_800_000_000
"""A whole day, hour and block."""
KEY = ("agents", "coder")


class Files:
    """A database whose writes can be made to fail."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.is_broken = False

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self.is_broken:
            raise JournalError("the disk is full")
        return work(self.connection)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return work(self.connection)


@pytest.fixture
def files() -> Iterator[Files]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, steps())
    yield Files(connection)
    connection.close()


async def opened(files: Files, at: float) -> SeriesStore:
    archive = Archive(files)
    await archive.open()
    store = SeriesStore(archive, VirtualClock())
    await store.open(at)
    return store


async def put(store: SeriesStore, begin: int, values: list[float], key: Key = KEY) -> None:
    for number, value in enumerate(values):
        at = begin + number + 0.01
        if not store.is_open(at):
            await store.open(at)
        store.put(at, {key: value}, {})


async def values_of(store: SeriesStore, step: int, since: int, until: int, key: Key = KEY) -> list[float | None]:
    points, _ = points_of(await store.read(key, step, since, until), Window(since, until, step, step), 0.95)
    return [point.value for point in points]


# ---- durations


def test_every_duration_is_in_a_bucket_that_holds_it() -> None:
    chance = random.Random(7)
    for _ in range(2_000):
        milliseconds = 10 ** chance.uniform(-3, 6)
        bucket = bucket_of(milliseconds)
        assert milliseconds <= limit_of(bucket)
        assert not bucket or milliseconds > limit_of(bucket - 1)
    assert [bucket_of(limit_of(bucket)) for bucket in range(BUCKETS)] == list(range(BUCKETS))
    assert bucket_of(-5.0) == 0
    assert bucket_of(1e12) == BUCKETS - 1


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_quantiles_are_within_a_factor_of_two_of_the_true_ones(share: float) -> None:
    chance = random.Random(3)
    durations = sorted(chance.lognormvariate(4, 1.5) for _ in range(5_000))
    counts = [0.0] * BUCKETS
    for one in durations:
        counts[bucket_of(one)] += 1
    found, true = quantile(counts, share), durations[int(share * len(durations))]
    assert found is not None
    assert 0.5 < found / true < 2
    low, high = bounds(counts) or (0, 0)
    assert low <= durations[0] <= durations[-1] <= high
    assert quantile([0.0] * BUCKETS, share) is None
    assert bounds([0.0] * BUCKETS) is None


# ---- blocks


@pytest.mark.parametrize("columns", [VALUE, ROLLUP, HISTOGRAM])
def test_blocks_come_back_as_they_were(columns: int) -> None:
    chance, block = random.Random(columns), Block(SLOTS[1], columns)
    for slot in range(0, SLOTS[1], 3):
        block.put(slot, [chance.choice((0.0, 1.0, -2.5, 1e9, chance.random())) for _ in range(columns)])
    again = Block.decode(block.encode(), SLOTS[1])
    assert [column.tobytes() for column in again.columns] == [column.tobytes() for column in block.columns]


@pytest.mark.parametrize("data", [b"", b"no block", zlib.compress(b"123"), zlib.compress(bytes(2 * 4 * SLOTS[1]))])
def test_what_is_no_block_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="a block of metrics"):
        Block.decode(data, SLOTS[1])


def test_a_quiet_series_takes_next_to_nothing() -> None:
    block = Block(SLOTS[1], VALUE)
    block.columns[0][:] = array("f", [27.0]) * SLOTS[1]
    assert len(block.encode()) < SLOTS[1] / 10


def test_sums_weigh_by_samples_and_keep_extremes() -> None:
    raw = Block(SLOTS[1], VALUE)
    for slot, value in enumerate([1.0, 2.0, math.nan, 6.0]):
        raw.put(slot, [value])
    assert summed(raw, 0, 60) == [3.0, 1.0, 6.0, 3.0]
    assert summed(raw, 60, 120) is None
    minutes = Block(SLOTS[60], ROLLUP)
    minutes.put(0, [3.0, 1.0, 6.0, 3.0])
    minutes.put(2, [0.0, -1.0, 1.0, 1.0])
    assert summed(minutes, 0, 60) == [2.25, -1.0, 6.0, 4.0]
    durations = Block(SLOTS[1], HISTOGRAM)
    durations.put(0, [2.0, *([0.0] * 5), 2.0, *([0.0] * 20)])
    durations.columns[0][1] = 0.0
    assert summed(durations, 1, 60) == [0.0] * HISTOGRAM, "somebody looked, nothing was there"
    assert (summed(durations, 0, 60) or [])[6] == 2.0


# ---- the store


def test_what_was_not_measured_is_a_gap_and_never_zero(files: Files) -> None:
    async def work() -> None:
        store = await opened(files, NOON)
        await put(store, NOON, [0.0, 4.0])
        await put(store, NOON + 5, [8.0])
        assert await values_of(store, 1, NOON, NOON + 7) == [0.0, 4.0, None, None, None, 8.0, None]
        assert await values_of(store, 1, NOON, NOON + 3, ("agents", "gone")) == [None, None, None]

    run_virtual(work())
    assert find_gaps([0.0, None, None, 1.0, None], 100.0, 10.0) == [(110.0, 130.0), (140.0, 150.0)]


def test_minutes_and_hours_follow_from_seconds_over_blocks_and_days(files: Files) -> None:
    async def work() -> None:
        store = await opened(files, NOON)
        for begin in range(0, 2 * 3_600 + 30, 1_230):
            await store.save()
            await put(store, NOON + begin, [float(second // 60) for second in range(begin, min(begin + 1_230, 7_230))])
        assert await values_of(store, 60, NOON, NOON + 7_200) == [float(minute) for minute in range(120)]
        assert await values_of(store, 3_600, NOON, NOON + 7_200) == [29.5, 89.5]
        assert (await values_of(store, 60, NOON + 7_200, NOON + 7_320)) == [120.0, None], "the minute that goes on is there already"
        await store.save()
        again = await opened(files, NOON + 7_300)
        assert await values_of(again, 60, NOON, NOON + 7_260) == [float(minute) for minute in range(121)]
        assert await values_of(again, 1, NOON + 599, NOON + 601) == [9.0, 10.0]

    run_virtual(work())


def test_a_restart_goes_on_where_the_last_save_was(files: Files) -> None:
    async def work() -> None:
        store = await opened(files, NOON)
        await put(store, NOON, [1.0] * 90)
        await store.save()
        await put(store, NOON + 90, [9.0] * 20)  # lost: the engine is killed before the next save
        again = await opened(files, NOON + 130)
        await put(again, NOON + 130, [3.0] * 110)
        await again.save()
        seconds = await values_of(again, 1, NOON, NOON + 240)
        assert seconds == [1.0] * 90 + [None] * 40 + [3.0] * 110
        assert await values_of(again, 60, NOON, NOON + 240) == [1.0, 1.0, 3.0, 3.0]
        assert await values_of(again, 3_600, NOON, NOON + 3_600) == [pytest.approx((90 + 330) / 200)]

    run_virtual(work())


def test_an_engine_that_was_killed_before_its_roll_up_has_it_made_later(files: Files) -> None:
    async def work() -> None:
        store = await opened(files, NOON)
        await put(store, NOON, [2.0] * 130)
        await store.save()
        files.connection.execute("DELETE FROM metric_blocks WHERE step > 1")
        again = await opened(files, NOON + 200)
        assert await values_of(again, 60, NOON, NOON + 240) == [2.0, 2.0, 2.0, None]
        assert await values_of(again, 3_600, NOON, NOON + 3_600) == [2.0]

    run_virtual(work())


def test_many_readings_in_a_row_roll_up_once(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    monkeypatch.setattr(series, "summed", lambda *slots: made.append(1) or summed(*slots))
    names = [("agents", f"pool-{number}") for number in range(50)]

    async def work() -> None:
        store = await opened(files, NOON)
        store.put(NOON, dict.fromkeys(names, 4.0), {})
        made.clear()
        for key in names:
            points, _ = points_of(await store.read(key, 60, NOON, NOON + 60), Window(NOON, NOON + 60, 60, 60), 0.5)
            assert points[0].value == 4.0
        assert len(made) == 2 * len(names)  # its minute and its hour
        store.put(NOON + 1, {names[0]: 8.0}, {})
        assert await values_of(store, 60, NOON, NOON + 60, names[0]) == [6.0]

    run_virtual(work())


def test_clock_jumps_leave_gaps_and_lose_nothing(files: Files) -> None:
    async def work() -> None:
        store = await opened(files, NOON)
        await put(store, NOON, [1.0] * 70)
        await store.save()
        await put(store, NOON + 5_000, [2.0] * 5)  # forwards, over two hours' block of minutes
        await put(store, NOON + 30, [7.0] * 2)  # and back
        await put(store, NOON + 5_010, [2.0])
        await store.save()
        assert await values_of(store, 1, NOON + 29, NOON + 33) == [1.0, 7.0, 7.0, 1.0]
        assert await values_of(store, 1, NOON + 69, NOON + 71) == [1.0, None]
        assert await values_of(store, 60, NOON, NOON + 120) == [pytest.approx(1.2), 1.0]
        assert await values_of(store, 3_600, NOON, NOON + 7_200) == [pytest.approx(82 / 70), 2.0]

    run_virtual(work())


def test_not_a_number_is_a_gap(files: Files) -> None:
    async def work() -> None:
        store = await opened(files, NOON)
        await put(store, NOON, [1.0, math.nan, 3.0])
        assert await values_of(store, 1, NOON, NOON + 3) == [1.0, None, 3.0]
        assert await values_of(store, 60, NOON, NOON + 60) == [2.0]

    run_virtual(work())


def test_durations_roll_up_without_loss(files: Files) -> None:
    async def work() -> None:
        store = await opened(files, NOON)
        key, whole = ("response_ms", ""), [0.0] * BUCKETS
        chance = random.Random(5)
        for second in range(180):
            counts = [0.0] * BUCKETS
            for _ in range(chance.randrange(3)):
                counts[bucket_of(chance.expovariate(1 / 40))] += 1
            whole = [one + other for one, other in zip(whole, counts, strict=True)]
            store.put(NOON + second, {}, {key: counts})
        points, _ = points_of(await store.read(key, 60, NOON, NOON + 180), Window(NOON, NOON + 180, 180, 60), 0.99)
        assert points[0].value == quantile(whole, 0.99)
        assert (points[0].low, points[0].high) == bounds(whole)

    run_virtual(work())


def test_a_database_that_cannot_be_written_costs_nothing_at_first_and_memory_stays_bounded(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        store = await opened(files, NOON)
        files.is_broken = True
        for block in range(UNSAVED_MAX + 3):
            await put(store, NOON + 600 * block, [float(block)] * 2)
            with pytest.raises(JournalError):
                await store.save()
        files.is_broken = False
        await store.save()
        again = await opened(files, NOON + 10_000)
        kept = [(await values_of(again, 1, NOON + 600 * block, NOON + 600 * block + 1))[0] for block in range(UNSAVED_MAX + 3)]
        assert kept == [None, None, *(float(block) for block in range(2, UNSAVED_MAX + 3))]

    run_virtual(work())
    assert "given up" in caplog.text


def test_what_is_too_old_is_removed(files: Files) -> None:
    async def work() -> None:
        store = await opened(files, NOON)
        await put(store, NOON, [1.0] * 61)
        await store.save()
        await store.prune(NOON + 86_400 + 601)
        again = await opened(files, NOON + 90_000)
        assert await values_of(again, 1, NOON, NOON + 60) == [None] * 60
        assert await values_of(again, 60, NOON, NOON + 120) == [1.0, 1.0]
        await store.prune(NOON + 32 * 86_400)
        assert files.connection.execute("SELECT count(*) FROM metric_blocks").fetchone() == (0,)

    run_virtual(work())


def test_there_are_only_so_many_series(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "SERIES_MAX", 2)

    async def work() -> None:
        store = await opened(files, NOON)
        for number in range(4):
            await put(store, NOON, [1.0], ("agents", f"pool{number}"))
        await store.save()
        assert files.connection.execute("SELECT count(*) FROM metric_series").fetchone() == (2,)

    run_virtual(work())


def test_a_block_that_cannot_be_read_is_a_gap(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        store = await opened(files, NOON)
        await put(store, NOON, [1.0] * 3)
        await store.save()
        files.connection.execute("UPDATE metric_blocks SET data = x'00'")
        again = await opened(files, NOON + 1_200)
        assert await values_of(again, 1, NOON, NOON + 2) == [None, None]

    run_virtual(work())
    assert "cannot be read" in caplog.text


def test_a_span_is_cut_into_steps_of_what_is_kept() -> None:
    now = float(NOON)
    day = 86_400
    assert step_for(now - 3_600, now, now) == 1
    assert step_for(now - day, now, now) == 60
    assert step_for(now - 7 * day, now, now) == 3_600
    assert step_for(now - 2 * day - 3_600, now - 2 * day, now) == 60, "the seconds of the day before yesterday are gone"
    assert wider_step(3_600, 1, 120) == 30
    assert wider_step(7 * day, 3_600, 120) == 2 * 3_600
    assert start_of(NOON + 601.5, 1) == NOON + 600


# ---- the catalogue


@pytest.mark.row(203, 204, 205, 223)
def test_the_catalogue_has_all_that_was_asked_for() -> None:
    wanted = "agents utilisation succeeded error_rate recovery_ms events allocation_ms cpu memory booster_ops rss_mb cache_hit_rate scale_ups scale_downs scaling_efficiency prediction_accuracy savings response_ms queue_depth tokens cost"
    assert set(wanted.split()) <= CATALOGUE.keys()
    assert {metric.group for metric in CATALOGUE.values()} == set(Group)
    for name, metric in CATALOGUE.items():
        assert metric.unit
        assert metric.help
        assert find_metric(name) is metric


def test_the_seeds_spellings_name_metrics() -> None:
    assert {find_metric(word).name for word in ALIASES} <= CATALOGUE.keys()
    assert [find_metric(word).unit for word in ("cpuUsage", "memoryUsage", "queueDepth", "responseTime")] == ["ratio", "ratio", "count", "ms"]
    with pytest.raises(UsageError, match="did you mean 'agents_idle'"):
        find_metric("agents_idel")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(None, "ms", "unknown"), (0.256, "ratio", "25.6 %"), (12.0, "count", "12"), (1.5, "count", "1.5"), (12_345.6, "ms", "12,346 ms"), (0.0, "1/s", "0 1/s")],
)
def test_values_are_written_with_their_units(value: float | None, unit: str, text: str) -> None:
    assert written_value(value, unit) == text




# ---- agents


def agents_at(fleet: Fleet, columns: AgentColumns, second: int, uses: dict[AgentId, tuple[float | None, float]] | None = None) -> None:
    looked = Looked(uses, dict.fromkeys(uses, (second % 60) / 10)) if uses is not None else None
    columns.sample(fleet.state, looked, NOON + second + 0.1)


def test_agents_read_by_the_second_and_are_kept_by_the_minute() -> None:
    fleet, columns = Fleet(), AgentColumns()
    first, second = fleet.state.agents
    for at in range(SECONDS + 70):
        if at == SECONDS + 5:
            fleet.state.agents[first].succeeded = 6
            columns.note(Touched(agents={first: None}))
        agents_at(fleet, columns, at, {first: (0.5, 64.0)} if at % 2 else None)
    times = [at for at, _ in columns.seconds(first, "agent_idle")]
    assert times == list(range(NOON + 70, NOON + SECONDS + 70)), "the last seconds, oldest first"
    assert [value for _, value in columns.seconds(first, "agent_succeeded")] == [0.0] * (SECONDS - 65) + [6.0] * 65
    assert as_measured("agent_succeeded", columns.seconds(first, "agent_succeeded"), 1)[SECONDS - 66] == (NOON + SECONDS + 5, 6.0)
    assert columns.seconds(first, "agent_rss_mb")[-1][1] == 64.0
    silences = dict(columns.seconds(first, "agent_silence_s"))
    assert silences[NOON + 119] == pytest.approx(5.9) and silences[NOON + 131] == pytest.approx(1.1), "the longest of each minute"
    assert columns.seconds(second, "agent_rss_mb") == [], "a process that several agents share is nobody's: unknown, not 0"
    assert columns.seconds("agt_unknown", "agent_idle") == []
    minutes = [(begin, dict(found)) for begin, found in columns.pending]
    lists = [(begin, packed(found["ids"], "ids")) for begin, found in minutes if "ids" in found]
    kept = [(begin, packed(found["agent_succeeded"], "agent_succeeded")) for begin, found in minutes]
    assert minutes_of(first, lists, kept) == [(NOON, 0.0), (NOON + 60, 0.0), (NOON + 120, 6.0)]
    assert as_measured("agent_succeeded", minutes_of(first, lists, kept), 60) == [(NOON + 60, 0.0), (NOON + 120, 0.1)]


def test_an_agents_place_is_given_away_only_when_nothing_of_it_is_left() -> None:
    fleet, columns = Fleet(), AgentColumns()
    first, second = fleet.state.agents
    agents_at(fleet, columns, 0)
    gone = fleet.state.agents.pop(first)
    columns.note(Touched(removed_agents=[gone]))
    agents_at(fleet, columns, 1)
    assert columns.seconds(first, "agent_idle") == []
    fleet.state.agents[AgentId("agt_new")] = gone
    columns.note(Touched(agents={AgentId("agt_new"): None}))
    agents_at(fleet, columns, 2)
    assert [at for at, _ in columns.seconds("agt_new", "agent_idle")] == [NOON + 2], "it does not have the other one's past"
    assert len(columns.seconds(second, "agent_idle")) == 3


def test_missed_seconds_of_agents_are_gaps_and_many_agents_fit() -> None:
    fleet, columns = Fleet({"coder": {"min": 700, "max": 700}}), AgentColumns()
    last = list(fleet.state.agents)[-1]
    agents_at(fleet, columns, 0)
    agents_at(fleet, columns, 5)
    assert [at - NOON for at, _ in columns.seconds(last, "agent_idle")] == [0, 5]
    agents_at(fleet, columns, 3)
    assert [at - NOON for at, _ in columns.seconds(last, "agent_idle")] == [3], "after a clock that went back nothing is of its second"
    assert columns.bytes <= 44 * (SECONDS + 1) * 700 * 1.3


def test_agents_beyond_the_limit_are_not_kept_and_it_is_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(agent_columns, "PLACES_MAX", 1)
    fleet, columns = Fleet(), AgentColumns()
    first, second = fleet.state.agents
    agents_at(fleet, columns, 0)
    assert (len(columns.seconds(first, "agent_idle")), len(columns.seconds(second, "agent_idle"))) == (1, 0)
    assert "so many agents only" in caplog.text
