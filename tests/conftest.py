"""Options of the test run; fixtures live beside the tests that use them."""

from __future__ import annotations

import signal

import pytest

from tests.examples import register_profiles

register_profiles()

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So a shell starts what runs in the background, and every program of a test would be deaf to Ctrl-C, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # `nohup make test` is no reason that a test's terminal cannot hang up


def pytest_addoption(parser: pytest.Parser) -> None:
    # Registered here because pytest reads deeper conftests only after the command line.
    parser.addoption(
        "--update-snapshots",
        action="store_true",
        help="approve the pictures of this run (snapshots/)",
    )
