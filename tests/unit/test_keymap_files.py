"""keys.toml: what can be written there, what is wrong and on which line; and the lines of TOML files."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine.model.errors import UsageError
from fleet_tui.key_list import check_lines
from fleet_tui.keymap import find_key_file, load_keymap
from fleet_tui.toml_places import BYTES_MAX, read_placed
from screens.keymap import KEYMAP, Keymap


@pytest.fixture
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys") / "keys.toml"


def load(path: Path, text: str) -> Keymap:
    path.write_text(text, "utf-8")
    return load_keymap(path)


def problems(path: Path, text: str) -> list[str]:
    return [str(problem) for problem in load(path, text).problems]


# ---- the lines of a file


def test_every_key_has_its_line(path: Path) -> None:
    path.write_text('# keys\npreset = "k9s"\n\n[keys]\n"pools.scale" = "s"\napp.undo = [\n  "u",\n]\n[ commands . "a b" ]\nkey="x"\nkey2 = """\nkey = 1\n"""\n')
    placed = read_placed(path)
    places = [("preset",), ("keys", "pools.scale"), ("keys", "app", "undo"), ("commands", "a b"), ("commands", "a b", "key"), ("commands", "a b", "none")]
    assert [placed.place(*place) for place in places] == [f"keys.toml line {line}" for line in (2, 5, 6, 9, 10, 9)]
    assert placed.place("nothing") == "keys.toml"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"a = \n", "line 1"),
        (b'a = "\xff"\n', "is not text in UTF-8: byte 5"),
        (b"#" * (BYTES_MAX + 1), "is larger than 1,000,000 bytes"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(path: Path, data: bytes, why: str) -> None:
    path.write_bytes(data)
    with pytest.raises(UsageError, match=r".") as refused:
        read_placed(path)
    assert why in str(refused.value)
    keymap = load_keymap(path)
    assert keymap.rows == KEYMAP.rows
    assert "the keys of the preset hold" in str(keymap.problems[0])


def test_a_named_file_that_is_not_there_is_a_problem(path: Path) -> None:
    assert "No such file or directory; the keys of the preset hold" in str(load_keymap(path).problems[0])


# ---- what it says


def test_a_key_a_list_none_and_names_without_quotes(path: Path) -> None:
    keymap = load(path, 'preset = "vim-safe"\n[keys]\n"pools.scale" = ">"\npools.more = ["f5", "+"]\ntasks.bad = ""\npools.fewer = []\n')
    assert (keymap.preset, keymap.problems) == ("vim-safe", ())
    bindings = ("pools.scale", "pools.more", "tasks.bad", "pools.fewer", "table.left")
    assert [keymap[binding].keys for binding in bindings] == ["greater_than_sign", "f5,plus", "", "", "left,h"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('preset = "vim"\n', "keys.toml line 1: no preset 'vim'; there are k9s, vim-safe, emacs-safe"),
        ('preset = "vim-saf"\n', "keys.toml line 1: no preset 'vim-saf'; did you mean 'vim-safe'?"),
        ("preset = 1\n", "keys.toml line 1: no preset '1'; there are k9s, vim-safe, emacs-safe"),
        ("\n[key]\n", "keys.toml line 2: unknown 'key'; did you mean 'keys'?"),
        ("colour = 1\n", "keys.toml line 1: unknown 'colour'; there are preset and [keys]"),
        ("keys = 1\n", "keys.toml line 1: keys must be a table"),
        ('[keys]\n"pools.scale" = 1\n', "keys.toml line 2: pools.scale must be a key or a list of keys"),
        ('[keys]\n"pools.scale" = ["s", 1]\n', "keys.toml line 2: pools.scale must be a key or a list of keys"),
        ('[keys]\n"pools.scale" = "escpe"\n', "keys.toml line 2: pools.scale keeps what it had: no key 'escpe'; did you mean 'escape'?"),
        ('[keys]\n"pools.scale" = ["s", ""]\n', "keys.toml line 2: pools.scale keeps what it had: a key is needed"),
        ('[keys]\n\n"pools.scal" = "z"\n', "keys.toml line 3: no binding 'pools.scal'; did you mean 'pools.scale'?"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(path: Path, text: str, said: str) -> None:
    found = problems(path, text)
    assert len(found) == 1
    assert found[0].startswith(said)
    assert load(path, text).rows == KEYMAP.rows


def test_problems_come_in_the_order_of_the_file(path: Path) -> None:
    text = '[keys]\n"pools.scale" = "q"\n"pools.scal" = "z"\n"tasks.bad" = "nokey!"\n'
    assert [problem.partition(":")[0] for problem in problems(path, text)] == [f"keys.toml line {line}" for line in (2, 3, 4)]


# ---- which file


def test_the_given_file_then_the_variable_then_the_users(path: Path) -> None:
    home = path.parent
    environment = {"XDG_CONFIG_HOME": str(home)}
    assert find_key_file(environment=environment) is None
    users = home / "fleet-tui" / "keys.toml"
    users.parent.mkdir()
    users.write_text("")
    assert find_key_file(environment=environment) == users
    assert find_key_file(environment={**environment, "FLEET_TUI_KEYS": "/a/b"}) == Path("/a/b")
    assert find_key_file("/c", {**environment, "FLEET_TUI_KEYS": "/a/b"}) == Path("/c")
    assert load_keymap(None) is KEYMAP


# ---- --check


def test_checking_a_file(path: Path) -> None:
    path.write_text('[keys]\n"pools.scale" = "ctrl+a"\n', "utf-8")
    lines, is_right = check_lines(path)
    assert is_right
    assert lines == [
        "note: keys.toml line 2: pools.scale has no key that surely arrives: ctrl+a: screen takes it, and tmux often; give it a second one",
        f"{path}: valid; preset k9s, 1 binding changed",
    ]
    path.write_text('[keys]\n"pools.scale" = "q"\n', "utf-8")
    lines, is_right = check_lines(path)
    assert not is_right
    assert len(lines) == 1


def test_checking_a_file_of_commands_beside_the_keys(path: Path) -> None:
    commands = path.with_name("mine.toml")
    commands.write_text('[commands.lint]\nkey = "L"\ndescription = "lint it"\nscopes = ["tasks"]\nargv = ["lint", "{id}"]\n', "utf-8")
    path.write_text('[keys]\n"pools.scal" = "z"\n"command.lint" = "f9"\n', "utf-8")
    assert check_lines(commands, path) == ([f"{commands}: valid; 1 command"], True)
    assert check_lines(path, commands)[0] == ["keys.toml line 2: no binding 'pools.scal'; did you mean 'pools.scale'?"]
    path.write_text('[keys]\n"tasks.bad" = "L"\n', "utf-8")
    lines, is_right = check_lines(commands, path)
    assert not is_right
    assert lines[0].startswith("mine.toml line 1: command.lint cannot have L, which is tasks.bad's")
