"""Rows of a table as they stand: whichever came first, rows alike stand alike in every console."""

from __future__ import annotations

import random

import pytest
from screens.widgets.rows import Rows

IDS = [f"{name}-{number}" for name in ("coder", "agt_1", "tester") for number in range(1, 13)]
AGE = {row_id: number % 3 for number, row_id in enumerate(IDS)}


def listed(came: list[str], *, is_reversed: bool) -> list[str]:
    """Return the order of rows of which half were there and half came, by an age that many share."""
    rows = Rows()
    rows.fill(came[:18], [(row_id,) for row_id in came[:18]])
    rows.sort(AGE.__getitem__, is_reversed=is_reversed)
    rows.update({row_id: (row_id,) for row_id in came[18:]})
    rows.update({row_id: (row_id, "changed") for row_id in came[10:25]})
    return list(rows.order)


@pytest.mark.parametrize("is_reversed", [False, True])
def test_rows_with_equal_keys_stand_by_their_ids_in_whatever_order_they_came(is_reversed: bool) -> None:  # noqa: FBT001
    expected = listed(IDS, is_reversed=is_reversed)
    assert [AGE[row_id] for row_id in expected] == sorted(AGE.values(), reverse=is_reversed)
    chance = random.Random(8)
    for _ in range(5):
        assert listed(chance.sample(IDS, len(IDS)), is_reversed=is_reversed) == expected
    coders = [row_id for row_id in expected if row_id.startswith("coder") and AGE[row_id] == 0]
    assert coders == ["coder-1", "coder-4", "coder-7", "coder-10"], "as people count"


def test_rows_that_are_not_sorted_stand_as_they_came() -> None:
    rows = Rows()
    rows.fill(["b", "a"], [("b",), ("a",)])
    rows.update({"d": ("d",), "c": ("c",)})
    assert list(rows.order) == ["b", "a", "d", "c"]
