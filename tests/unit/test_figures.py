"""What is counted beside the work: durations, recoveries, scalings, tokens; and what a sample reads of pools and fleet."""

from __future__ import annotations

import sqlite3

import pytest
from engine.booster.book import BoosterBook
from engine.gate.figures import Around, FigureReader, Figures
from engine.gate.usage import Used
from engine.memory.migrations import migrate, steps
from engine.memory.store import Tidied
from engine.model import events as ev
from engine.model.cache_layers import cache_layer
from engine.model.pool_commands import ScalePool
from engine.monitoring.agents import AgentColumns
from engine.monitoring.archive import Archive
from engine.monitoring.exposition import Newest, exposition
from engine.monitoring.histogram import BUCKETS, quantile
from engine.monitoring.machine import Machine
from engine.monitoring.meter import TIMED_MAX, Meter
from engine.monitoring.recorder import Recorder
from engine.scaling.autoscaler import AutoScaler
from engine.scaling.observer import PoolObserver, Usage
from engine.state import Touched
from prometheus_client.parser import text_string_to_metric_families
from tests.unit.core_fleet import Fleet


class Now:
    """The fleet's own clock."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def now(self) -> float:
        return self._fleet.now

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(seconds)


class Metered(Fleet):
    """A fleet whose every event the meter is told of."""

    def __init__(self, **config: object) -> None:
        self.meter: Meter | None = None
        super().__init__(**config)  # type: ignore[arg-type]
        self.meter = Meter(lambda: self.state, Now(self))
        self.meter.sized({name: pool.size for name, pool in self.state.pools.items()})

    def apply(self, events: list[ev.Event]) -> list[ev.Event]:
        done = super().apply(events)
        if self.meter is not None and events:
            records = [ev.Record(number, self.now, "test", event) for number, event in enumerate(events, 1)]
            self.meter.publish(records, Touched(agents=dict.fromkeys(self.state.agents)))
        return done

    def taken(self) -> dict[tuple[str, str], list[float]]:
        assert self.meter is not None
        return self.meter.take_histograms()


def times(found: dict[tuple[str, str], list[float]], name: str, pool: str = "coder") -> tuple[float, float]:
    """Return how many durations there are, and their sum in milliseconds."""
    counts = found.get((name, pool), [0.0] * (BUCKETS + 1))
    return sum(counts[:BUCKETS]), counts[BUCKETS]


@pytest.mark.row(203, 204)
def test_durations_are_counted_by_pool_and_for_the_fleet() -> None:
    fleet = Metered()
    task = fleet.submit()
    fleet.now += 2.0
    fleet.place()
    began = fleet.now
    fleet.begin(task)
    fleet.now += 1.0
    fleet.end(task, started_at=began, ended_at=fleet.now)
    found = fleet.taken()
    for pool in ("coder", ""):
        assert times(found, "allocation_ms", pool) == (1.0, 2_000.0)
        assert times(found, "response_ms", pool) == (1.0, 3_000.0)
        assert times(found, "run_ms", pool) == (1.0, 1_000.0)
    assert quantile(found["run_ms", "coder"][:BUCKETS], 0.5) == pytest.approx(1_000, rel=0.5)
    assert times(fleet.taken(), "run_ms") == (0.0, 0.0), "each is taken once"


def test_a_retry_waits_from_the_end_of_its_back_off() -> None:
    fleet = Metered()
    task = fleet.run()
    fleet.taken()
    fleet.end(task, ok=False)
    fleet.after(fleet.task(task).not_before - fleet.now + 0.5)
    fleet.place()
    count, total = times(fleet.taken(), "allocation_ms")
    assert (count, total) == (1.0, pytest.approx(500.0))


def test_of_a_storm_some_are_timed_and_count_for_all() -> None:
    fleet = Metered(pools={"coder": {"min": 100, "max": 100}})
    for _ in range(100):
        fleet.submit()
    fleet.now += 1.0
    assert len(fleet.place()) == 100 > TIMED_MAX
    count, total = times(fleet.taken(), "allocation_ms")
    assert (count, total) == (pytest.approx(100.0), pytest.approx(100_000.0))


@pytest.mark.row(203)
def test_recovery_is_from_a_loss_to_being_ready_again() -> None:
    fleet = Metered()
    fleet.now += 10.0
    fleet.down()
    fleet.now += 4.0
    fleet.up("hst_2")
    assert times(fleet.taken(), "recovery_ms") == (2.0, 8_000.0)
    fleet.do(ScalePool("coder", "4"))
    fleet.up("hst_3")
    assert times(fleet.taken(), "recovery_ms")[0] == 0, "new agents recover from nothing"


@pytest.mark.row(205)
def test_scalings_are_counted_by_direction() -> None:
    fleet = Metered()
    for size in ("6", "4", "9"):
        fleet.do(ScalePool("coder", size))
    assert fleet.meter is not None
    assert fleet.meter.counts == {("scale_ups", "coder"): 2, ("scale_downs", "coder"): 1}


# ---- a sample


def reader_of(fleet: Fleet, machine: Machine | None = None) -> FigureReader:
    observer = PoolObserver(lambda: fleet.state, lambda _pool: 0, dict)
    around = Around(
        state=lambda: fleet.state,
        ready=lambda pool: len(fleet.state.pending_of.get(pool, ())),
        used=lambda: Used(fleet.now, {"coder": Usage(0.5, 256.0)}),
        scaler=AutoScaler(lambda: fleet.state, observer, lambda _report: None, Now(fleet), 5.0),
        book=BoosterBook(),
        has_booster=lambda: False,
        bus=lambda: (fleet.state.seq, 0),
        commits=lambda: 3,
        counts={},
        tidied=lambda: Tidied(4, 2),
        layers=lambda: {"L1": cache_layer(9, 1), "L3": cache_layer(1, 0)},
    )
    return FigureReader(around, machine or Machine())


def sample(reader: FigureReader, fleet: Fleet, elapsed_s: float = 0.0) -> Figures:
    return reader.read(fleet.now, elapsed_s)


def test_how_the_layers_of_memory_answer_is_counted() -> None:
    fleet = Fleet()
    counts = sample(reader_of(fleet), fleet).counts
    assert {metric: count for (metric, _), count in counts.items() if metric.startswith("memory_l")} == {
        "memory_l1_hits": 9, "memory_l1_misses": 1, "memory_l3_hits": 1, "memory_l3_misses": 0,
    }  # fmt: skip


@pytest.mark.row(203, 204, 205)
def test_a_sample_reads_pools_and_fleet_and_leaves_out_what_it_does_not_know() -> None:
    fleet = Fleet({"coder": {"min": 4, "max": 9, "cost": 0.01, "resources": {"cpu": 0.5, "memory": 512}}})
    reader = reader_of(fleet)
    first = sample(reader, fleet).gauges
    assert (first["agents", "coder"], first["agents_idle", ""], first["utilisation", ""]) == (4, 4, 0.0)
    assert first["cpu", "coder"] == 0.25 and first["memory", ""] == 0.125
    assert first["cost_per_hour", "coder"] == pytest.approx(0.01 * 4 * 3_600)
    for unknown in ("error_rate", "prediction_accuracy", "savings", "cache_hit_rate", "engine_cpu", "booster_utilisation"):
        assert (unknown, "coder") not in first and (unknown, "") not in first
    good, bad = fleet.run(), fleet.run(max_attempts=1)
    fleet.submit()
    fleet.end(good)
    fleet.end(bad, ok=False)
    fleet.now += 2.0
    second = sample(reader, fleet, 2.0)
    assert second.gauges["error_rate", "coder"] == 0.5
    assert second.gauges["queue_depth", ""] == 1
    assert second.gauges["oldest_waiting_s", "coder"] == 2.0
    assert second.gauges["scaling_efficiency", "coder"] == 0.25
    assert second.gauges["savings", ""] == 0.0
    assert second.counts["succeeded", ""] == second.counts["succeeded", "coder"] == 1
    assert ("tokens", "") not in second.counts
    fleet.now += 1.0
    assert ("error_rate", "coder") not in sample(reader, fleet, 1.0).gauges, "nothing ended in this second"


def test_the_machine_is_read_from_proc_and_unknown_without_it(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    machine = Machine(folder)
    assert machine.cpu() is None and machine.memory() is None
    (folder / "stat").write_text("cpu  100 0 100 700 100 0 0 0 9 9\n")
    (folder / "meminfo").write_text("MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 250 kB\n")
    assert machine.cpu() is None, "there is nothing to compare with yet"
    (folder / "stat").write_text("cpu  130 0 100 760 110 0 0 0 99 99\n")
    assert machine.cpu() == pytest.approx(0.3)
    assert machine.memory() == 0.75
    (folder / "stat").write_text("nonsense\n")
    assert machine.cpu() is None


# ---- rates and the text of a scrape


def recorder_of(gauges: dict[tuple[str, str], float], counts: dict[tuple[str, str], float], fleet: Metered) -> Recorder:
    assert fleet.meter is not None
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, steps())

    class Files:
        async def write(self, work):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            return work(connection)

        read = write

    return Recorder(Archive(Files()), fleet.meter, lambda _now, _elapsed_s: (gauges, dict(counts)), Now(fleet), AgentColumns())


async def test_counts_become_rates_over_the_time_that_passed() -> None:
    fleet, counts = Metered(), {("succeeded", ""): 10.0}
    recorder = recorder_of({("agents", ""): 2.0}, counts, fleet)
    await recorder.store.open(960.0)
    seen = []
    for at, count in ((1_000.0, 10.0), (1_001.0, 14.0), (1_003.0, 15.0), (1_004.0, 3.0), (1_005.0, 4.0), (1_030.0, 99.0)):
        counts["succeeded", ""] = count
        recorder.sample(at)
        seen.append(recorder.newest.get(("succeeded", "")))
    assert seen == [None, 4.0, 0.5, None, 1.0, None], "unknown at first, when the count began anew, and after a long pause"
    assert recorder.newest["agents", ""] == 2.0


def test_a_scrape_is_what_prometheus_parses_in_base_units() -> None:
    durations = [0.0] * (BUCKETS + 1)
    durations[3], durations[5], durations[BUCKETS] = 2.0, 1.0, 9.5
    text = exposition(
        Newest(
            1_800_000_000.0,
            {("agents", "coder"): 4.0, ("agents", ""): 4.0, ("cpu", "coder"): 0.25, ("rss_mb", "coder"): 2.0, ("host_cpu", ""): 0.5, ("oldest_waiting_s", "coder"): 3.0},
            {("succeeded", "coder"): 7.0, ("events", ""): 11.0},
            {("response_ms", "coder"): durations, ("response_ms", ""): durations},
            {"fleet": 'a "b"\\\n', "version": "1"},
        )
    )
    found = {(one.name, tuple(sorted(one.labels.items()))): one.value for family in text_string_to_metric_families(text) for one in family.samples}
    coder = (("pool", "coder"),)
    assert found["fleet_agents", coder] == 4.0
    assert ("fleet_agents", ()) not in found, "the sum is the asker's to make"
    assert found["fleet_cpu_ratio", coder] == 0.25
    assert found["fleet_rss_bytes", coder] == 2e6
    assert found["fleet_oldest_waiting_seconds", coder] == 3.0
    assert found["fleet_host_cpu_ratio", ()] == 0.5
    assert found["fleet_succeeded_total", coder] == 7.0
    assert found["fleet_response_seconds_count", coder] == 3.0
    assert found["fleet_response_seconds_sum", coder] == pytest.approx(0.0095)
    assert found["fleet_response_seconds_bucket", (("le", "0.002"), ("pool", "coder"))] == 2.0
    assert found["fleet_response_seconds_bucket", (("le", "+Inf"), ("pool", "coder"))] == 3.0
    assert not any(name.startswith("fleet_tokens") for name, _ in found), "what is not known is left out"


def test_tokens_cost_and_budget_are_known_once_a_task_tells_of_them() -> None:
    fleet = Fleet(budget={"cost_per_day": 1.0}, pools={"coder": {"min": 2, "max": 9, "budget": {"tokens_per_hour": 480}}})
    reader = reader_of(fleet)
    fleet.end(fleet.run(), usage={"cpu_s": 3.0})
    assert not {("tokens", "coder"), ("cost", "coder")} & reader.read(fleet.now, 1.0).counts.keys()
    for ok in (True, False):
        fleet.end(fleet.run(max_attempts=1), ok=ok, usage={"input_tokens": 100.0, "output_tokens": 20.0, "cost": 0.25})
    found = reader.read(fleet.now, 1.0)
    assert (found.counts["tokens", "coder"], found.counts["cost", "coder"], found.counts["cost", ""]) == (240, 0.5, 0.5)
    assert (found.gauges["budget_used", "coder"], found.gauges["budget_used", ""]) == (0.5, 0.5)
