"""Tests that must not share a machine with their like are kept together when tests run at the same time."""

from __future__ import annotations

import pytest

GROUP = "the group of this test"


@pytest.mark.xdist_group(GROUP)
def test_a_group_is_known_to_whoever_gives_out_the_tests(request: pytest.FixtureRequest) -> None:
    """A test's group is part of its id wherever tests are given out by groups; without it the marks would do nothing."""
    is_grouped = request.config.getoption("loadgroup", default=False)
    assert request.node.nodeid.endswith(f"@{GROUP}") == is_grouped
