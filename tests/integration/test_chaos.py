"""Real engines that share a fleet are broken under load: what was taken is there, once, and done; one engine leads at a time.

The short run strikes twice; `CHAOS_SEED=7 make test-long ARGS=tests/integration/test_chaos.py` strikes with every fault, again and again.
"""

from __future__ import annotations

import json
import os

import pytest
from fleet_tui.chaos.chance import Chance
from fleet_tui.chaos.faults import FAULTS
from fleet_tui.chaos.load import Load
from fleet_tui.chaos.run import chosen, judged
from fleet_tui.subcommands import run_words

SEED = os.environ.get("CHAOS_SEED", "20261122")


def run(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    """Run the command as a user does, and return its report."""
    code = run_words(["chaos", "--seed", SEED, "-o", "json", *words])
    report: dict[str, object] = json.loads(capsys.readouterr().out)
    assert (code, report["broken"]) == (0, []), f"again: fleet-tui chaos --seed {SEED} {' '.join(words)}"
    return report


def test_a_killed_leader_and_one_that_is_cut_off_cost_nothing_that_was_taken(capsys: pytest.CaptureFixture[str]) -> None:
    report = run(capsys, "--fault", "leader-killed", "--fault", "leader-cut")
    assert {blow["fault"]: blow["epochs"] for blow in report["blows"]} == {"leader-killed": 1, "leader-cut": 1}  # type: ignore[attr-defined]
    assert report["tasks"]


@pytest.mark.slow
def test_every_fault_again_and_again(capsys: pytest.CaptureFixture[str]) -> None:
    report = run(capsys, "--rounds", "6")
    took: dict[str, list[float]] = {}
    for blow in report["blows"]:  # type: ignore[attr-defined]
        took.setdefault(blow["fault"], []).append(blow["recovered_s"])
    assert set(took) == set(FAULTS)
    for fault, seconds in took.items():
        print(f"{fault}: median {sorted(seconds)[len(seconds) // 2]:.2f} s, longest {max(seconds):.2f} s")


def test_a_seed_gives_the_same_faults_again_each_once_a_round() -> None:
    order = chosen((), 2, Chance(3))
    assert order == chosen((), 2, Chance(3)) != chosen((), 2, Chance(4))
    assert sorted(order[: len(FAULTS)]) == sorted(order[len(FAULTS) :]) == sorted(FAULTS)


def test_an_unknown_fault_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(Exception, match=r"no fault 'leader-kill'.*did you mean 'leader-killed'"):
        run_words(["chaos", "--fault", "leader-kill"])


GOOD = {"t1": ("one", "succeeded"), "t2": ("two", "succeeded")}


@pytest.mark.parametrize(
    ("found", "leaders", "what"),
    [
        ([GOOD, GOOD], {1: {"a"}, 2: {"b"}}, []),
        ([GOOD, GOOD], {1: {"a", "b"}}, ["more than one said to lead in epoch 1: a, b"]),
        ([GOOD, {"t1": GOOD["t1"]}], {}, ["the engines do not have the same tasks"]),
        ([{"t2": GOOD["t2"]}], {}, ["1 tasks that were taken are lost: one"]),
        ([{**GOOD, "t3": ("two", "succeeded")}], {}, ["1 tasks are there twice: two"]),
        ([{**GOOD, "t2": ("two", "failed")}], {}, ["1 tasks did not succeed: two"]),
        ([{**GOOD, "t3": ("no", "succeeded")}], {}, ["1 tasks are there that were refused: no"]),
        ([{**GOOD, "t3": ("maybe", "succeeded")}], {}, []),
    ],
)
def test_what_was_not_kept_is_found(found: list[dict[str, tuple[str, str]]], leaders: dict[int, set[str]], what: list[str]) -> None:
    load = Load((), Chance(1))
    load.accepted, load.refused, load.unknown = {"one": "t1", "two": "t2"}, {"no"}, {"maybe"}
    assert judged(found, leaders, load) == what
