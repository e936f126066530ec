"""Options of the test run; fixtures live beside the tests that use them."""

from __future__ import annotations

import pytest

from tests.examples import register_profiles

register_profiles()


def pytest_addoption(parser: pytest.Parser) -> None:
    # Registered here because pytest reads deeper conftests only after the command line.
    parser.addoption(
        "--update-snapshots",
        action="store_true",
        help="approve the pictures of this run (snapshots/)",
    )
