"""The table of keys, `fleet-tui keys`, `?`, `:keys` and docs/keys.md say the same, for every preset."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet_tui.key_list import keys_of, objects, table_lines, toml_lines
from fleet_tui.keymap import load_keymap
from screens.help import key_lines
from screens.key_presets import PRESETS
from screens.key_view import binding_lines, changed_lines, problem_lines
from screens.keymap import KEYMAP, Keymap
from screens.keys import CONTEXTS, SCOPES
from screens.present_text import Lines
from screens.rebinding import build_keymap, preset_rows
from screens.widgets.cells import split_cell
from tests.tools.keys_page import PAGE, cell, page

ROOT = Path(__file__).parents[2]


def texts(lines: Lines) -> list[str]:
    return [" ".join(split_cell(part)[0] for part in line) for line in lines]


@pytest.fixture(params=PRESETS)
def keymap(request: pytest.FixtureRequest) -> Keymap:
    return build_keymap(request.param)


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `make keys`"


@pytest.mark.parametrize("preset", PRESETS)
def test_the_page_has_every_key_of_every_preset(preset: str) -> None:
    column = 2 + list(PRESETS).index(preset)
    written = {columns[1].strip(" `"): columns for line in page().splitlines() if (columns := line.split("|"))[1:2] and columns[1].startswith(" `")}
    for row in preset_rows(preset):
        columns = written[row.id]
        assert (columns[column].strip() or columns[2].strip()) == cell(row), row.id


@pytest.mark.parametrize("context", CONTEXTS)
def test_help_lists_what_works_in_a_context_and_nothing_else(keymap: Keymap, context: str) -> None:
    bound = keymap.keys_in(CONTEXTS[context])
    said = [line for line in texts(key_lines(keymap, CONTEXTS[context])) if line.startswith("  ")]
    alike: dict[tuple[str, str], list[str]] = {}
    for row in bound:
        alike.setdefault((row.scope, row.help), []).extend(keys_of(row))
    assert sorted(line.split() for line in said) == sorted([*keys, *help_text.split()] for (_, help_text), keys in alike.items())
    assert {word for word, label in keymap.hints_in(CONTEXTS[context])} <= {key for row in bound for key in keys_of(row)}


def test_the_view_and_the_command_list_every_binding(keymap: Keymap) -> None:
    lines = {words: line for line in texts(binding_lines(keymap)) if (words := line.partition("  ")[2])}
    assert sorted(" ".join(words.split()) for words in lines) == sorted(" ".join([*(keys_of(row) or ["-"]), row.id, row.help]) for row in keymap)
    listed = [line.split() for line in table_lines(keymap)[1:]]
    assert [line[0] for line in listed] == [row.id for row in keymap]
    assert [entry["keys"] for entry in objects(keymap)] == [keys_of(row) for row in keymap]


def test_the_printed_file_means_what_is_in_force(keymap: Keymap, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("keys") / "keys.toml"
    path.write_text("\n".join(toml_lines(keymap)), "utf-8")
    again = load_keymap(path)
    assert (again.rows, again.problems, again.preset) == (keymap.rows, (), keymap.preset)


def test_every_scope_has_a_title() -> None:
    assert {row.scope for row in KEYMAP} <= set(SCOPES)


def test_what_is_changed_and_what_is_wrong_is_said(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("keys") / "keys.toml"
    path.write_text('[keys]\n"pools.scale" = "z"\n"pools.tasks" = "q"\n"app.undo" = "ctrl+a"\n', "utf-8")
    found = load_keymap(path)
    assert [(line.split()[:2], line.partition("(keys.toml")[2]) for line in texts(changed_lines(found))] == [
        (["ctrl+a", "app.undo"], " line 4)"),
        (["z", "pools.scale"], " line 2)"),
    ]
    said = "\n".join(texts(problem_lines(found)))
    assert "keys.toml line 3 pools.tasks cannot have q" in said
    assert "keys.toml line 4 app.undo has no key that surely arrives" in said
    assert texts(problem_lines(KEYMAP)) == ["nothing is wrong in the user's files"]
    assert "as the preset k9s has it" in texts(changed_lines(KEYMAP))[0]


KEY_WORDS = re.compile(r"(?<![\w{.`])(esc|escape|enter|tab|pgup|pgdn|ctrl\+\w|shift\+\w+|f\d\d?)(?![\w}])")
TABLES = ("key_table.py", "key_presets.py", "key_names.py", "keymap.py", "key_view.py")
OF_THE_TERMINAL = {"fleet_tui/command_runner.py: · enter goes back to the console"}
"""Keys that are not the console's."""


def test_texts_name_keys_by_binding_for_people_change_them() -> None:
    found = {f"{path}: {text.strip()}" for path, text in texts_of_the_console() if KEY_WORDS.search(text)}
    assert found == OF_THE_TERMINAL, 'write say_keys("{screen.back} goes back"), or keymap.fill(...)'


def texts_of_the_console() -> Iterator[tuple[str, str]]:
    """Give every text in the code of the console that is no docstring."""
    for path in sorted(path for folder in ("screens", "fleet_tui") for path in (ROOT / folder).rglob("*.py") if path.name not in TABLES):
        tree = ast.parse(path.read_text("utf-8"))
        loose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in loose:
                yield str(path.relative_to(ROOT)), node.value


def test_help_of_bindings_names_no_key() -> None:
    assert [row.id for row in KEYMAP if KEY_WORDS.search(row.help)] == ["document.tab", "document.tab_back"]  # tabs of a text
