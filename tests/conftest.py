"""Options of the test run; fixtures live beside the tests that use them."""

from __future__ import annotations

import gc
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


def pytest_collection_finish() -> None:
    """Leave what was imported and collected to itself: to look for garbage in it again and again was a fifth of the work."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


@pytest.hookimpl(tryfirst=True)  # before xdist puts the groups into the names
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests together that share what is made once for their module: on five workers it would be made five times."""
    for item in items:
        if isinstance(item, pytest.Function) and item.get_closest_marker("xdist_group") is None and _shares(item):
            item.add_marker(pytest.mark.xdist_group(item.module.__name__))


def _shares(item: pytest.Function) -> bool:
    own = item.nodeid.partition("::")[0]
    of_the_item = item._fixtureinfo
    definitions = (definition for name in of_the_item.names_closure for definition in of_the_item.name2fixturedefs.get(name, ()))
    return any(definition.scope == "module" and definition.baseid == own for definition in definitions)
