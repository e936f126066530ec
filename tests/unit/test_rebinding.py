"""Presets and the user's own keys: what is granted, what is refused, and what is said of it."""

from __future__ import annotations

import string

import pytest
from screens.key_names import EATEN, doubt, is_typed, read_key
from screens.key_presets import PRESETS
from screens.key_table import KEYS, Key
from screens.keymap import KEYMAP, Keymap
from screens.keys import CONTEXTS
from screens.rebinding import (
    NEEDED,
    TYPED_SCOPES,
    Conflict,
    Wish,
    build_keymap,
    find_conflicts,
    preset_rows,
)
from textual.keys import _character_to_key

MEANT_TO_MEET = {frozenset((conflict.first, conflict.second)) for conflict in find_conflicts(KEYS)}


def wished(*wishes: tuple[str, str | tuple[str, ...]], preset: str = "k9s") -> Keymap:
    """Build a keymap from (binding, keys) as if they stood on lines 1, 2, …"""
    return build_keymap(
        preset,
        [
            Wish(binding, tuple(name for key in ((keys,) if isinstance(keys, str) else keys) if key for name in read_key(key)), f"keys.toml line {line}")
            for line, (binding, keys) in enumerate(wishes, 1)
        ],
    )


def said(keymap: Keymap) -> str:
    return "\n".join(map(str, keymap.problems))


# ---- names


@pytest.mark.parametrize("character", string.printable[:95])
def test_every_character_is_a_key_by_textuals_name(character: str) -> None:
    assert read_key(character) == (_character_to_key(character),)
    assert is_typed(*read_key(character))


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("esc", "escape"), ("pgup", "pageup"), ("Ctrl+S", "ctrl+s"), ("C-x", "ctrl+x"), ("^x", "ctrl+x"), ("M-v", "alt+v"), ("S-Tab", "shift+tab"),
        ("ctrl+]", "ctrl+right_square_bracket"), ("greater_than_sign", "greater_than_sign"), ("F5", "f5"), ("shift+ctrl+left", "ctrl+shift+left"),
    ],
)  # fmt: skip
def test_keys_as_people_write_them(written: str, name: str) -> None:
    assert read_key(written) == (name,)
    assert not is_typed(name) or len(written) == 1 or name == written


def test_a_key_with_two_names_has_both() -> None:
    assert read_key("ctrl+space") == ("ctrl+space", "ctrl+@")
    assert read_key("ctrl+/") == ("ctrl+slash", "ctrl+underscore")


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("escpe", "did you mean 'escape'?"), ("pagup", "did you mean 'pageup'?"), ("ctrl+i", "terminals send tab for it"), ("ctrl+m", "send enter"),
        ("shift+a", "write the character itself, such as A"), ("k,j", "several keys are a list"), ("", "a key is needed"), ("\x01", "no key"),
    ],
)  # fmt: skip
def test_what_is_no_key_is_refused(written: str, why: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        read_key(written)
    assert why in str(refused.value)


# ---- presets


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_has_no_conflict_that_the_table_has_not(preset: str) -> None:
    assert list(find_conflicts(preset_rows(preset), MEANT_TO_MEET)) == []


def test_what_meets_on_one_key_is_meant_to() -> None:
    assert {
        frozenset(("plans.undo", "app.undo")),
        frozenset(("plans.redo", "app.redo")),
        frozenset(("branches.open", "table.right")),
        frozenset(("branches.close", "table.left")),
    } == MEANT_TO_MEET


@pytest.mark.parametrize("preset", PRESETS)
def test_no_action_of_a_preset_hangs_on_a_key_that_may_not_arrive(preset: str) -> None:
    for row in preset_rows(preset):
        keys = row.keys.split(",") if row.keys else []
        assert not keys or not all(map(doubt, keys)), f"{row.id} has only {row.keys}"
    if preset == "vim-safe":
        assert not {key for row in preset_rows(preset) for key in row.keys.split(",")} & set(EATEN)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_written_in_textuals_names(preset: str) -> None:
    assert set(PRESETS[preset].keys) <= {row.id for row in KEYS}
    for row in preset_rows(preset):
        for key in filter(None, row.keys.split(",")):
            assert key in read_key(key), f"{row.id}: {key}"
            assert row.scope not in TYPED_SCOPES or not is_typed(key)
        assert row.keys or row.id not in NEEDED


def test_bindings_have_names_of_their_own() -> None:
    assert len({row.id for row in KEYS}) == len(KEYS)
    assert {row.scope for row in KEYS} <= {scope for scopes in CONTEXTS.values() for scope in scopes}


# ---- wishes


def test_a_wish_is_granted_and_known_by_its_place() -> None:
    keymap = wished(("pools.scale", ("z", "f5")), ("tasks.bad", ""))
    assert (keymap["pools.scale"].keys, keymap["tasks.bad"].keys) == ("z,f5", "")
    assert (keymap.origin("pools.scale"), keymap.origin("pools.more")) == ("keys.toml line 1", "k9s")
    assert not keymap.problems


def test_two_bindings_may_change_places() -> None:
    keymap = wished(("pools.scale", "t"), ("pools.tasks", "s"))
    assert (keymap["pools.scale"].keys, keymap["pools.tasks"].keys, keymap.problems) == ("t", "s", ())


def test_a_key_that_is_taken_where_both_work_is_not_granted() -> None:
    keymap = wished(("tasks.bad", "f5"), ("pools.scale", "q"))
    assert keymap["pools.scale"].keys == "s"
    assert said(keymap) == (
        'keys.toml line 2: pools.scale cannot have q, which is app.quit\'s, and both work in pools; it keeps s. Give app.quit another key, or none: "app.quit" = ""'
    )


def test_a_key_that_is_taken_elsewhere_is_granted() -> None:
    assert wished(("pools.scale", "x")).problems == ()  # tasks.cancel, which does not work in pools


def test_a_key_that_was_given_up_can_be_taken() -> None:
    keymap = wished(("app.quit", "f10"), ("pools.scale", "q"))
    assert (keymap["pools.scale"].keys, keymap.problems) == ("q", ())


def test_of_two_wishes_for_one_key_the_earlier_one_holds() -> None:
    keymap = wished(("pools.scale", "z"), ("pools.tasks", "z"))
    assert (keymap["pools.scale"].keys, keymap["pools.tasks"].keys) == ("z", "t")
    assert said(keymap).startswith("keys.toml line 2: pools.tasks cannot have z, which is pools.scale's")


def test_a_wish_that_leaned_on_a_refused_one_is_refused_too() -> None:
    # app.quit cannot have the slash, so it keeps q, so pools.scale cannot have q.
    keymap = wished(("pools.scale", "q"), ("app.quit", "slash"))
    assert (keymap["app.quit"].keys, keymap["pools.scale"].keys, len(keymap.problems)) == ("q", "s", 2)
    assert not list(find_conflicts(keymap.rows, MEANT_TO_MEET))


def test_pairs_that_are_meant_to_meet_may_move_together() -> None:
    assert wished(("plans.undo", "Z"), ("app.undo", "Z")).problems == ()


@pytest.mark.parametrize(
    ("binding", "keys", "why"),
    [
        ("pools.scal", "z", "no binding 'pools.scal'; did you mean 'pools.scale'?"),
        ("zzz", "z", "no binding 'zzz'; `fleet-tui keys` lists them"),
        ("screen.back", "", "screen.back needs a key, for without one there is no way on; it keeps esc"),
        ("line.left", "h", "line.left: h is typed there and can do nothing else; it keeps left"),
        ("dialog.drop", "q", "dialog.drop: q is typed there"),
    ],
)
def test_what_is_refused_whatever_else_is_wished(binding: str, keys: str, why: str) -> None:
    keymap = wished((binding, keys))
    assert said(keymap).startswith(f"keys.toml line 1: {why}")
    assert keymap.rows == KEYS


def test_a_wish_of_keys_that_may_not_arrive_is_granted_and_noted() -> None:
    keymap = wished(("pools.scale", "ctrl+a"), ("pools.tasks", ("alt+t", "f6")))
    assert (keymap["pools.scale"].keys, keymap.problems) == ("ctrl+a", ())
    assert [str(note) for note in keymap.notes] == [
        "keys.toml line 1: pools.scale has no key that surely arrives: ctrl+a: screen takes it, and tmux often; give it a second one"
    ]


def test_bindings_of_ones_own_are_wishes_too() -> None:
    extra = [Key("command.lint", "", "app.run_command('lint')", "lint", "lint it", scope) for scope in ("agents", "tasks")]
    keymap = build_keymap("k9s", [Wish("command.lint", ("x",), "commands.toml line 1")], extra)
    assert said(keymap).startswith("commands.toml line 1: command.lint cannot have x, which is tasks.cancel's")
    assert "it keeps no key" in said(keymap)
    keymap = build_keymap("k9s", [Wish("command.lint", ("L",), "commands.toml line 1")], extra)
    assert [row.scope for row in keymap if row.id == "command.lint" and row.keys == "L"] == ["agents", "tasks"]
    assert not keymap.problems


# ---- what is said and listed


def test_texts_name_the_keys_in_force_and_nothing_that_has_none() -> None:
    keymap = wished(("app.undo", "f9"), ("tasks.bad", ""))
    assert keymap.fill("done · {app.undo} undoes it") == "done · f9 undoes it"
    assert keymap.fill("{tasks.bad} hides the rest · {app.undo} undoes") == "f9 undoes"
    assert keymap.fill("; {tasks.bad} hides") == ""
    assert KEYMAP.fill("{table.wide}: 3 more") == "w: 3 more"
    assert KEYMAP.fill("no place {here}") == "no place {here}"


def test_what_hides_another_binding_is_listed_alone() -> None:
    ids = [row.id for row in KEYMAP.keys_in(CONTEXTS["plans"])]
    assert "plans.undo" in ids
    assert "app.undo" not in ids


def test_conflicts_say_where() -> None:
    rows = (Key("a.one", "x", "one", "", "", "tasks"), Key("app.two", "x,y", "two", "", "", "app"))
    assert list(find_conflicts(rows)) == [Conflict("a.one", "app.two", "x", "tasks")]
