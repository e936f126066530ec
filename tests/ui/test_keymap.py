"""Keys: what is listed acts, what acts is listed, in every place and with every preset."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet_tui.keymap import Own, load_own
from screens.base import FleetScreen
from screens.dialogs import ScaleDialog
from screens.document import Document
from screens.forms import VerbForm
from screens.key_presets import PRESETS
from screens.key_table import KEYS
from screens.keymap import KEYMAP, Keymap
from screens.keys import CONTEXTS
from screens.palette import FleetCommands
from screens.plan_dialog import PlanDialog
from screens.rebinding import Wish, build_keymap
from screens.widgets.statusbar import KeyHints
from textual.actions import parse
from textual.dom import DOMNode
from textual.keys import key_to_character
from textual.widgets import Input

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit
from tests.ui.key_places import EVERY_KEY, Recorder, reach
from tests.ui.walk import PARTS, prepare, walk

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


@pytest.mark.timeout(900)  # every key at every place, by three presets, on a machine with other work
@pytest.mark.parametrize("places", PARTS, ids=["first", "second", "third"])
async def test_what_is_listed_acts_and_nothing_else_does(places: tuple[str, ...]) -> None:
    own = {preset: Own(build_keymap(preset), {}) for preset in PRESETS}
    in_force, pressed = next(iter(PRESETS)), set()
    async with sit(Fleet(), kind=Recorder, load_own=lambda _: own[in_force]) as seat:
        await prepare(seat)
        async for context in walk(seat, places):
            assert_keys_are_of_the_table(seat, context)
            for in_force in PRESETS:
                seat.app._take_own()
                await seat.pilot.pause()
                await assert_listed_acts(seat, context, own[in_force].keymap)
                pressed.add((context, in_force))
            in_force = next(iter(PRESETS))
            seat.app._take_own()
    assert pressed == {(context, preset) for context in places for preset in PRESETS}


async def assert_listed_acts(seat: Seat, context: str, keymap: Keymap) -> None:
    """Press every key there is: those that are listed here do what is listed, and no other does anything."""
    here, where = listed(keymap, context), f"in {context} by {keymap.preset}"
    behind = seat.screen.key_scopes() if context in ("command line", "filter") else ()
    below = {key: row.action for row in keymap.keys_in((*behind, "app")) if not row.is_eager for key in row.keys.split(",")} if behind else {}
    for key, found in (await reach(seat, (*here, *EVERY_KEY))).items():
        wanted = here.get(key, below.get(key)) if not is_typed(seat, key) else None
        if wanted is None:
            assert not found, f"{key} is not listed {where} and does {found}"
            continue
        _, name, parameters = parse(wanted)
        assert [(action, given) for _, action, given in found] == [(name, parameters)], f"{key} {where}"
        node = found[0][0]
        assert hasattr(node, f"action_{name}") or hasattr(node, f"_action_{name}"), f"{key} {where}: {node} cannot {name}"
    if isinstance(seat.screen, FleetScreen) and not isinstance(seat.app.focused, Input):
        rows = [row for scope in CONTEXTS[context] for row in keymap if row.scope == scope]
        hidden = {row.id for row in rows if row.keys} - {row.id for row in keymap.keys_in(CONTEXTS[context])}
        offered = [entry.help.rpartition(" · ")[2] for entry in FleetCommands(seat.screen)._actions()]
        assert sorted(offered) == sorted({row.id for row in rows} - hidden - {"app.palette"}), f"the palette offers what keys do {where}"
        assert list(seat.screen.query_one(KeyHints)._hints) == keymap.hints_in([scope for scope in CONTEXTS[context] if scope not in ("asked", "budget")]), f"{where}: nobody asks, and nothing is limited"


def assert_keys_are_of_the_table(seat: Seat, context: str) -> None:
    """Whatever answers to keys here takes them from the table."""
    bound = {binding.id for node in nodes_with_keys(seat) for _, binding in node._bindings}
    assert {row.id for row in KEYMAP.keys_in(CONTEXTS[context])} <= bound, context
    assert bound <= {row.id for row in KEYS}, f"something binds keys of its own in {context}"


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
    assert places == ["keymap.py"], "write a row in screens/key_table.py, and take it by KEY_SCOPES"


# ---- the user's own keys


async def test_reloading_gives_other_keys_to_what_is_open(tmp_path: Path) -> None:
    path, fleet = tmp_path / "keys.toml", Fleet()
    path.write_text("", "utf-8")
    async with sit(fleet, load_own=lambda _: load_own(path, None)) as seat:
        await fleet.busy()
        await seat.open("pools")
        assert "s scale" in seat.text
        path.write_text('[keys]\n"pools.scale" = "f9"\n"table.down" = "v"\n"screen.back" = ["escape", "f10"]\n', "utf-8")
        seat.app.reload_keys()
        await seat.pilot.pause()
        assert "f9 scale" in seat.text
        await seat.press("s")
        assert seat.screen.NAME == "pools"
        first = seat.table.pointed_id
        await seat.press("j")
        assert seat.table.pointed_id == first
        await seat.press("v")
        assert seat.table.pointed_id != first
        await seat.press("f9")
        await seat.until(lambda: isinstance(seat.screen, ScaleDialog))


async def test_the_keys_view_says_what_is_wrong_and_reads_again(tmp_path: Path) -> None:
    path, fleet = tmp_path / "keys.toml", Fleet()
    path.write_text('[keys]\n"pools.scale" = "q"\n', "utf-8")
    async with sit(fleet, load_own=lambda _: load_own(path, None)) as seat:
        await seat.until(lambda: "keys.toml line 2: pools.scale cannot have q" in seat.told)
        await seat.open("keys")
        assert "keys.toml line 2 pools.scale cannot have q" in await seat.read()
        path.write_text('preset = "vim-safe"\n[keys]\n"pools.scale" = "z"\n', "utf-8")
        await seat.press("r")
        await seat.until(lambda: "nothing is wrong" in seat.screen.query_one(Document).text)
        assert "Keys: vim-safe" in seat.text
        await seat.press("tab", "tab")
        await seat.until(lambda: "keys.toml line 3" in seat.screen.query_one(Document).text)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_how_the_keys_look(size: tuple[int, int], tmp_path: Path, snap: Snap) -> None:
    path, fleet = tmp_path / "keys.toml", Fleet()
    path.write_text('preset = "emacs-safe"\n[keys]\n"pools.scale" = "q"\n"tasks.bad" = "f5"\n"pools.tasks" = "alt+t"\n"pools.scal" = ""\n', "utf-8")
    async with sit(fleet, size, load_own=lambda _: load_own(path, None)) as seat:
        await fleet.ready()
        await seat.open("keys")
        for tab in ("problems", "", "changed"):
            await seat.read()
            if tab:  # all keys in force change with every new one
                await snap(seat.pilot, tab)
            shown = seat.screen.query_one(Document).text
            await seat.press("tab")
            await seat.until(lambda before=shown: seat.screen.query_one(Document).text != before)  # type: ignore[misc]


async def test_the_command_line_reads_the_keys_again(tmp_path: Path) -> None:
    path, fleet = tmp_path / "keys.toml", Fleet()
    path.write_text("", "utf-8")
    async with sit(fleet, load_own=lambda _: load_own(path, None)) as seat:
        await fleet.ready()
        path.write_text('[keys\n"pools.scale" = "z"\n', "utf-8")
        await seat.press("colon", *"keys", "space", *"reload", "enter")
        await seat.until(lambda: seat.screen.NAME == "keys")
        assert "the keys of the preset hold" in await seat.read()
        assert seat.app.keymap["pools.scale"].keys == "s"


async def test_texts_on_the_screens_name_the_keys_in_force() -> None:
    wishes = [
        ("table.submit", "f3"), ("table.open", "f4"), ("screen.back", "f5"), ("table.wide", "f6"), ("line.submit", "f7"), ("dialog.drop", "f8"),
        ("app.undo", "f9"), ("form.next", "f11"), ("form.drop", "f12"), ("stream.follow", "F"),
    ]  # fmt: skip
    keymap = build_keymap("k9s", [Wish(binding, (key,), "keys.toml") for binding, key in wishes])
    assert not keymap.problems
    fleet = Fleet()
    async with sit(fleet, (80, 24), load_own=lambda _: Own(keymap, {})) as seat:
        await fleet.ready()
        await seat.open("tasks")
        assert "no tasks yet; f3 submits one" in seat.text
        await seat.open("tasks /nothing")
        assert "f5 clears the filter" in seat.text or not seat.screen.rows
        await seat.open("agents")
        assert "f6: " in seat.text
        await seat.open("pools")
        await seat.press("greater_than_sign")
        assert "1 staged; f4 reviews, f5 drops" in seat.text
        await seat.press("f4")
        await seat.until(lambda: isinstance(seat.screen, PlanDialog))
        assert "f7 applies · f8 drops it · f9 undoes it" in seat.text
        await seat.press("f7")
        await seat.until(lambda: "f9 undoes it" in seat.told and not isinstance(seat.screen, PlanDialog))
        await seat.press("f3")
        await seat.until(lambda: isinstance(seat.screen, VerbForm))
        assert "f11 next field · f7 shows the plan · f12 drops it" in seat.text
        await seat.press("f12")
        await seat.open("events")
        await seat.press("k", "k", "g")
        await seat.until(lambda: "held, F follows" in seat.text)


# ---- help, palette, hints


async def test_f1_explains_what_has_the_focus_in_dialogs_and_lines() -> None:
    fleet = Fleet()
    async with sit(fleet) as seat:
        await fleet.ready()
        await seat.open("pools")
        await seat.press("f1")
        await seat.until(lambda: seat.screen.NAME == "help")
        assert "mark from the last mark to here" in await seat.read()
        await seat.press("escape", "s")
        await seat.until(lambda: isinstance(seat.screen, ScaleDialog))
        await seat.press("1", "f1")
        await seat.until(lambda: getattr(seat.screen, "NAME", "") == "help")
        text = await seat.read()
        assert "close it; nothing changes" in text
        assert "start of the line" in text
        await seat.press("0")
        await seat.until(lambda: "a dialog waits below: esc goes back to it" in seat.told)
        await seat.press("escape")
        await seat.until(lambda: isinstance(seat.screen, ScaleDialog))
        assert seat.screen.query_one(Input).value == "1"


async def test_the_palette_shows_keys_and_acts() -> None:
    fleet, keymap = Fleet(), build_keymap("k9s", [Wish("pools.scale", ("f9",), "keys.toml"), Wish("pools.tasks", (), "keys.toml")])
    async with sit(fleet, load_own=lambda _: Own(keymap, {})) as seat:
        await fleet.ready()
        await seat.open("pools")
        await seat.press("ctrl+p", *"scale")
        await seat.until(lambda: "f9 · pools.scale" in seat.text)
        await seat.press("escape", "ctrl+p", *"tasks of the pool")
        await seat.until(lambda: "no key · pools.tasks" in seat.text)
        await seat.press("enter")
        await seat.until(lambda: getattr(seat.screen, "NAME", "") == "tasks")


async def test_a_click_on_a_hint_is_its_key() -> None:
    fleet = Fleet()
    async with sit(fleet) as seat:
        await fleet.ready()
        await seat.open("pools")
        line = seat.text.splitlines()[-1]
        await seat.pilot.click("#keys", offset=(line.index("s scale"), 0))
        await seat.until(lambda: isinstance(seat.screen, ScaleDialog))
