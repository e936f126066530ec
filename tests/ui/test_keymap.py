"""Keys: what is listed acts, what acts is listed, in every place and with every preset."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from screens.base import FleetScreen
from screens.keymap import KEYMAP, Keymap
from screens.keys import CONTEXTS, KEYS
from textual.actions import parse
from textual.dom import DOMNode
from textual.keys import key_to_character
from textual.widgets import Input

from tests.ui.fleet import Fleet, Seat, sit
from tests.ui.key_places import EVERY_KEY, Recorder, go, reach

ROOT = Path(__file__).resolve().parents[2]
SCREENS = [path.stem for path in (ROOT / "screens").glob("*.py") if path.stem != "__init__"]


def nodes_with_keys(seat: Seat) -> Iterator[DOMNode]:
    """Give everything that answers to keys here: what has the focus, what it is in, the screen and the app."""
    return iter((seat.app.focused or seat.screen).ancestors_with_self)


def listed(keymap: Keymap, context: str) -> dict[str, str]:
    """Return key to action of what is listed in a context."""
    return {key: row.action for row in keymap.keys_in(CONTEXTS[context]) for key in row.keys.split(",")}


def is_typed(seat: Seat, key: str) -> bool:
    focused = seat.app.focused
    return isinstance(focused, Input) and focused.check_consume_key(key, key_to_character(key))


@pytest.mark.parametrize("context", CONTEXTS)
async def test_what_is_listed_acts_and_nothing_else_does(context: str) -> None:
    fleet = Fleet()
    async with sit(fleet, kind=Recorder) as seat:
        await fleet.busy()
        await seat.current()
        await go(seat, context)
        here = listed(KEYMAP, context)
        behind = seat.screen.key_scopes() if context in ("command line", "filter") else ()
        below = {key: row.action for row in KEYMAP.keys_in((*behind, "app")) if not row.is_eager for key in row.keys.split(",")} if behind else {}
        for key, found in (await reach(seat, (*here, *EVERY_KEY))).items():
            wanted = here.get(key, below.get(key)) if not is_typed(seat, key) else None
            if wanted is None:
                assert not found, f"{key} is not listed in {context} and does {found}"
                continue
            _, name, parameters = parse(wanted)
            assert [(action, given) for _, action, given in found] == [(name, parameters)], f"{key} in {context}"
            node = found[0][0]
            assert hasattr(node, f"action_{name}") or hasattr(node, f"_action_{name}"), f"{key} in {context}: {node} cannot {name}"


@pytest.mark.parametrize("context", CONTEXTS)
async def test_every_node_that_answers_to_keys_takes_them_from_the_table(context: str) -> None:
    fleet = Fleet()
    async with sit(fleet) as seat:
        await fleet.busy()
        await seat.current()
        await go(seat, context)
        bound = {binding.id for node in nodes_with_keys(seat) for _, binding in node._bindings}
        assert {row.id for row in KEYMAP.keys_in(CONTEXTS[context])} <= bound
        assert bound <= {row.id for row in KEYS}, "something binds keys of its own"


def test_every_binding_works_somewhere() -> None:
    met = {row.id for scopes in CONTEXTS.values() for row in KEYMAP.keys_in(scopes)}
    assert met == {row.id for row in KEYS if row.keys}


def test_every_view_has_its_scopes() -> None:
    for name in SCREENS:
        importlib.import_module(f"screens.{name}")
    views = [FleetScreen]
    for view in views:
        views += view.__subclasses__()
    assert {view.NAME for view in views if view.NAME and view.__module__.startswith("screens.")} <= set(CONTEXTS)


def test_keys_are_bound_nowhere_but_in_the_table() -> None:
    places = [f"{path.name}" for name in ("screens", "fleet_tui") for path in (ROOT / name).rglob("*.py") if re.search(r"\bBINDINGS\b|\bBinding\(", path.read_text("utf-8"))]
    assert places == ["keymap.py"], "write a row in screens/keys.py, and take it by KEY_SCOPES"
