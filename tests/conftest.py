"""Options of the test run; fixtures live beside the tests that use them."""

from __future__ import annotations

import pytest
from hypothesis import settings

# A loaded machine is no failure: how long an example may take is a matter for benchmarks.
settings.register_profile("fleet", deadline=None)
settings.load_profile("fleet")


def pytest_addoption(parser: pytest.Parser) -> None:
    # Registered here because pytest reads deeper conftests only after the command line.
    parser.addoption(
        "--update-snapshots",
        action="store_true",
        help="approve the pictures of this run (snapshots/)",
    )
