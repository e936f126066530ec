"""The judgement on a silent worker: what silence, CPU and the kernel's state letter add up to."""

from __future__ import annotations

import os

import pytest
from engine.agents.liveness import Usage, Watch, read_usage
from engine.model.agents import Health


def watch_at(busy_at: float) -> Watch:
    return Watch(interval_s=1.0, missed_beats=3, looked_at=10.0, busy_at=busy_at)


@pytest.mark.parametrize(
    ("silence_s", "idle_s", "state", "health", "hung", "words"),
    [
        (0.3, 9.0, "S", Health.HEALTHY, False, ""),
        (1.9, 9.0, "T", Health.HEALTHY, False, ""),
        (2.3, 9.0, "T", Health.SUSPECT, False, "no beat for 2.3 s, no CPU used, it is stopped by a signal"),
        (3.0, 9.0, "T", Health.SUSPECT, True, "stopped by a signal"),
        (3.0, 9.0, "S", Health.SUSPECT, True, "it sleeps"),
        (60.0, 60.0, "D", Health.SUSPECT, True, "waits for a device"),
        (60.0, 60.0, "t", Health.SUSPECT, False, "debugger"),
        (60.0, 60.0, "R", Health.SLOW, False, "waits for a core"),
        (7.2, 0.2, "R", Health.SLOW, False, "no beat for 7.2 s, CPU busy"),
        (60.0, 2.0, "S", Health.SUSPECT, False, "no CPU used"),
        (3.0, 9.0, "X", Health.SUSPECT, True, "is in state X"),
        (3.0, 9.0, "", Health.SUSPECT, True, "no beat for 3.0 s, no CPU used"),
    ],
)
def test_verdicts(silence_s: float, idle_s: float, state: str, health: Health, hung: bool, words: str) -> None:
    usage = Usage(state, 1.0, 20.0) if state else None
    verdict = watch_at(100.0 - idle_s).judge(silence_s, usage, 100.0)
    assert (verdict.health, verdict.hung) == (health, hung)
    assert words in verdict.evidence


def test_fast_beats_do_not_make_a_short_silence_deadly() -> None:
    watch = Watch(interval_s=0.05, missed_beats=3, looked_at=0.0)
    assert not watch.judge(0.9, Usage("S", 0.0, 1.0), 100.0).hung
    assert watch.judge(1.0, Usage("S", 0.0, 1.0), 100.0).hung


def test_busy_is_a_share_of_a_core_between_two_looks() -> None:
    watch = watch_at(0.0)
    watch.note(None, 10.5)
    watch.note(Usage("S", 0.02, 1.0), 11.0)
    assert watch.busy_at == 0.0, "2 % is a thread that polls"
    watch.note(Usage("R", 0.12, 1.0), 12.0)
    assert watch.busy_at == 12.0
    watch.note(Usage("R", 0.16, 1.0), 12.1)
    assert watch.busy_at == 12.0, "too soon to tell"
    watch.note(Usage("R", 0.16, 1.0), 12.5)
    assert watch.busy_at == 12.5


def test_usage_is_read_from_the_kernel() -> None:
    usage = read_usage(os.getpid())
    assert usage is not None
    assert usage.state in "RS"
    assert usage.cpu_s > 0
    assert 5 < usage.rss_mb < 5_000
    assert read_usage(2**22 + 1) is None
