"""Where the requirements of the booster contradict each other: what was settled, each under the number of its line.

C19, the efficiency of memory, is measured on a real fleet: tests/integration/test_booster_fleet.py.
"""

from __future__ import annotations

import pytest
from engine.booster.classifier import Facts, classify
from engine.config import parse_config
from engine.model.code_operations import OPERATIONS
from engine.model.code_routes import CodeClass
from engine.model.errors import ConfigError
from engine.model.pools import BOOSTER, PoolSpec
from tests.bench.bench_booster import ROWS

THERE = Facts("", {}, ())
SOURCE = {"source": "x = 1\n", "path": "one.py"}


def booster(**keys: object) -> PoolSpec:
    return next(spec for spec in parse_config({"booster": keys}, "test").pool_specs() if spec.name == BOOSTER)


# ---- C16: 52 times faster, without a baseline


def test_c16_the_ratio_is_reported_against_named_baselines() -> None:
    assert {"booster.speedup_median", "booster.speedup_worst", "booster.parse_vs_native", "booster.edit_corpus_correct"} <= set(ROWS)


# ---- C17: 5 to 10, 10, more than 10, or 20 instances


def test_c17_five_instances_at_most_unless_said_otherwise_and_twenty_at_the_utmost() -> None:
    assert (booster().min, booster().max) == (1, 5)
    assert booster(poolSize=20).max == 20
    for wrong in (0, 21):
        with pytest.raises(ConfigError, match="booster.poolSize"):
            booster(poolSize=wrong)


# ---- C18: 512 MB times 10 is 5 GB


def test_c18_512_mb_is_a_cap_and_nothing_is_reserved_for_an_instance() -> None:
    resources = booster().resources
    assert (resources.memory, resources.reserved) == (512, False)


# ---- C46: generation needs a model


def test_c46_the_booster_takes_operations_on_trees_and_says_so_of_generation() -> None:
    assert classify("code.rename", {**SOURCE, "old": "x", "new": "y"}, THERE).of is CodeClass.BOOSTER
    route = classify("code.generate", SOURCE, THERE)
    assert (route.of, "needs a model" in route.reason) == (CodeClass.REGULAR, True)
    assert not any("generat" in name for name in OPERATIONS)
