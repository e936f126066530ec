"""commands.toml: what a command may be, what is refused and where, and what a press runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_type_hints

import pytest
from engine.model.errors import UsageError
from engine.model.rows import PoolRow, TaskRow
from fleet_tui.keymap import find_command_file, load_own
from fleet_tui.user_commands import (
    ROW_VIEWS,
    ROWS_MAX,
    SCOPE_OF,
    VIEWS,
    UserCommand,
    fields_of,
    invocations,
    load_commands,
    read_command,
)
from screens.key_presets import PRESETS
from screens.keys import CONTEXTS

LINT = """
[commands.lint]
key = "L"
description = "lint what the task changed"
scopes = ["tasks", "agents"]
argv = ["lint", "--level", "2", "--", "{name}", "{pool}"]
background = true
"""


def command(**values: Any) -> UserCommand:
    return read_command("lint", {"description": "lint it", "scopes": ["tasks"], "argv": ["lint", "--", "{title}"], **values}, "commands.toml line 1")


def task(**values: Any) -> TaskRow:
    hints = {str: "x", int: 1, float: 1.5, bool: False}
    fields = {name: hints.get(type_of(TaskRow, name), "x") for name in TaskRow._fields}
    return TaskRow(**{**fields, "id": "tsk_1", "pool": "coder", "title": "check api", **values})


def pool(name: str) -> PoolRow:
    fields: dict[str, Any] = {field: {str: "", int: 0, float: 0.0, bool: False}[type_of(PoolRow, field)] for field in PoolRow._fields}
    return PoolRow(**{**fields, "id": name})


def type_of(kind: Any, name: str) -> Any:
    return get_type_hints(kind)[name]


@pytest.fixture
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("own") / "commands.toml"


# ---- what a file says


def test_a_command_is_read_with_its_place(path: Path) -> None:
    path.write_text(LINT)
    found = load_commands(path)
    assert found.problems == ()
    lint = found.commands["lint"]
    assert (lint.key, lint.scopes, lint.marks, lint.background, lint.place) == (("L",), ("tasks", "agents"), "each", True, "commands.toml line 2")
    assert lint.places == ("name", "pool")


def test_its_keys_are_bindings_like_all_others(path: Path) -> None:
    path.write_text(LINT)
    keymap, commands = load_own(None, path)
    assert list(commands) == ["lint"]
    row = keymap["command.lint"]
    assert (row.keys, row.action, row.help) == ("L", "app.run_command('lint')", "lint what the task changed (your own)")
    assert keymap.origin("command.lint") == "commands.toml line 2"
    for context in ("tasks", "task", "agents", "agent"):
        assert "command.lint" in {row.id for row in keymap.keys_in(CONTEXTS[context])}
    assert "command.lint" not in {row.id for row in keymap.keys_in(CONTEXTS["pools"])}


def test_a_key_that_is_taken_leaves_the_command_to_the_palette(path: Path) -> None:
    path.write_text(LINT.replace('"L"', '"x"'))
    keymap, commands = load_own(None, path)
    assert list(commands) == ["lint"]
    assert keymap["command.lint"].keys == ""
    assert str(keymap.problems[0]).startswith("commands.toml line 2: command.lint cannot have x, which is tasks.cancel's")


def test_keys_toml_has_the_last_word(path: Path) -> None:
    path.write_text(LINT)
    keys = path.with_name("keys.toml")
    keys.write_text('[keys]\n"command.lint" = "f9"\n')
    keymap, _ = load_own(keys, path)
    assert (keymap["command.lint"].keys, keymap.origin("command.lint"), keymap.problems) == ("f9", "keys.toml line 2", ())
    keys.write_text('[keys]\n"tasks.bad" = "L"\n')
    keymap, _ = load_own(keys, path)
    assert (keymap["tasks.bad"].keys, keymap["command.lint"].keys) == ("L", "")


def test_a_read_only_console_is_offered_nothing_dangerous(path: Path) -> None:
    path.write_text(LINT + "dangerous = true\n" + LINT.replace("commands.lint", "commands.show").replace('"L"', '"f7"'))
    keys = path.with_name("keys.toml")
    keys.write_text('[keys]\n"command.lint" = "f9"\n')
    assert list(load_own(keys, path).commands) == ["lint", "show"]
    keymap, commands = load_own(keys, path, is_read_only=True)
    assert list(commands) == ["show"]
    assert "command.lint" not in keymap
    assert keymap.problems == ()


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"argv": "lint {title}"}, "argv must be a list"),
        ({"argv": []}, "argv must be a list of texts"),
        ({"argv": ["lint", 1]}, "argv must be a list of texts"),
        ({"argv": ["{title}"]}, "argv must begin with the program itself"),
        ({"argv": ["sh", "-c", "lint {title}"]}, "argv has {title} inside 'lint {title}': make it an argument of its own"),
        ({"argv": ["lint", "--file={title}"]}, "argv has {title} inside '--file={title}'"),
        ({"argv": ["lint", "{titel}"]}, "argv names {titel}, which tasks do not have; did you mean 'title'?"),
        ({"argv": ["lint", "a\0b"]}, "argv has an argument with a zero byte"),
        ({"scopes": ["pulse"]}, "argv names {title}, which pulse do not have; a row is pointed at in pools, agents, tasks"),
        ({"scopes": ["task"]}, "scopes has 'task', which is no view; did you mean 'tasks'?"),
        ({"scopes": []}, "scopes must be a list of texts"),
        ({"description": ""}, "description must be a text of one line"),
        ({"description": "a\nb"}, "description must be a text of one line"),
        ({"description": None}, "description is needed"),
        ({"marks": "all"}, "marks must be each or together"),
        ({"confirm": "yes"}, "confirm must be true or false"),
        ({"key": "escpe"}, "key: no key 'escpe'; did you mean 'escape'?"),
        ({"key": 1}, "key must be a key or a list of keys"),
        ({"shell": True}, "shell is not known; there are description, argv"),
        ({"backround": True}, "backround is not known; did you mean 'background'?"),
    ],
)
def test_what_is_refused(values: dict[str, Any], why: str) -> None:
    given = {name: value for name, value in {"description": "lint it", "scopes": ["tasks"], "argv": ["lint", "{title}"], **values}.items() if value is not None}
    with pytest.raises(ValueError, match=r".") as refused:
        read_command("lint", given)
    assert str(refused.value).startswith(why)


def test_a_wrong_command_is_left_out_with_its_line_and_the_others_stay(path: Path) -> None:
    path.write_text(LINT + '\n[commands.bad]\ndescription = "x"\nscopes = ["tasks"]\nargv = ["sh", "-c", "{id}; x"]\n[commands.Bad]\n[other]\n')
    found = load_commands(path)
    assert list(found.commands) == ["lint"]
    assert [str(problem) for problem in found.problems] == [
        "commands.toml line 14: unknown 'other'; there is [commands.NAME]",
        "commands.toml line 12: bad: argv has {id} inside '{id}; x': make it an argument of its own; it is not offered",
        "commands.toml line 13: Bad: its name must be small letters, digits, - and _, and begin with a letter; it is not offered",
    ]


def test_a_file_that_others_can_change_is_not_read(path: Path) -> None:
    path.write_text(LINT)
    path.chmod(0o666)
    found = load_commands(path)
    assert not found.commands
    assert "others can change" in str(found.problems[0])
    assert "chmod go-w it; none of its commands is offered" in str(found.problems[0])


def test_tables_are_wanted_and_not_too_many(path: Path) -> None:
    path.write_text("commands = 1\n")
    assert "commands must be tables" in str(load_commands(path).problems[0])
    path.write_text("[commands]\nlint = 1\n")
    assert "lint must be a table: [commands.lint]" in str(load_commands(path).problems[0])
    one = '[commands.c{}]\ndescription = "x"\nscopes = ["all"]\nargv = ["true"]\n'
    path.write_text("".join(one.format(number) for number in range(102)))
    found = load_commands(path)
    assert len(found.commands) == 100
    assert "there are more than 100 commands; c100 and those after it are not offered" in str(found.problems[0])


def test_only_the_users_own_file_is_found(path: Path) -> None:
    environment = {"XDG_CONFIG_HOME": str(path.parent)}
    assert find_command_file(environment) is None
    own = path.parent / "fleet-tui" / "commands.toml"
    own.parent.mkdir()
    own.write_text("")
    assert find_command_file(environment) == own
    assert find_command_file({**environment, "FLEET_TUI_COMMANDS": "/a"}) == Path("/a")
    assert "cannot be read" in str(load_commands(Path("/nowhere/commands.toml")).problems[0])


def test_every_view_has_a_scope_of_keys() -> None:
    for view in VIEWS:
        scope = SCOPE_OF.get(view, view)
        assert any(scope in scopes for scopes in CONTEXTS.values()), view
    assert set(ROW_VIEWS) == {"pools", "agents", "tasks", "plans", "audit"} & set(CONTEXTS) | (set(ROW_VIEWS) & {"hosts", "engines", "plugins", "regions", "policies", "scaling", "gangs", "reviews", "alerts", "rules", "silences", "channels", "notifications", "dead-events", "routes", "swarms", "sessions"})
    assert {"id", "name", "pool"} <= set(fields_of("pools")) & set(fields_of("agents"))


# ---- what a press runs


NASTY = ["two words", "a'b\"c", "; rm -rf /", "$(touch x)", "line\nbreak", "*", "`id`", "a\\b", "é 漢 🙂", " "]


@pytest.mark.parametrize("title", NASTY)
def test_a_field_is_one_whole_argument_whatever_is_in_it(title: str) -> None:
    (made,) = invocations(command(), "tasks", [task(title=title)], {})
    assert made.argv == ("lint", "--", title)
    assert made.environment["FLEET_ROW_TITLE"] == title


def test_each_row_is_a_program_of_its_own_or_all_are_one() -> None:
    rows = [task(id=f"tsk_{number}", title=f"t{number}") for number in range(3)]
    made = invocations(command(), "tasks", rows, {"view": "tasks"})
    assert [entry.argv for entry in made] == [("lint", "--", f"t{number}") for number in range(3)]
    assert [entry.target for entry in made] == ["tsk_0", "tsk_1", "tsk_2"]
    assert made[0].environment["FLEET_TUI_VIEW"] == "tasks"
    assert made[0].environment["FLEET_TUI_ROWS"] == "3"
    assert made[0].environment["FLEET_ROW_KIND"] == "tasks"
    (one,) = invocations(command(marks="together", argv=["lint", "--", "{title}", "-x", "{id}"]), "tasks", rows, {})
    assert one.argv == ("lint", "--", "t0", "t1", "t2", "-x", "tsk_0", "tsk_1", "tsk_2")
    assert one.target == "tsk_0, tsk_1, tsk_2"


def test_names_and_pools_are_there_where_a_row_is_that() -> None:
    (made,) = invocations(command(scopes=["pools"], argv=["x", "{name}", "{pool}", "{paused}", "{size}"]), "pools", [pool("coder")], {})
    assert made.argv == ("x", "coder", "coder", "false", "0")


@pytest.mark.parametrize(
    ("title", "why"),
    [("-rf", '\'-rf\' begins with -, and the program would take it for an option: put "--" before {title}'), ("", "{title} is empty for tsk_1"), ("a\0b", "{title} has a zero byte")],
)
def test_what_a_program_would_misread_is_not_given_to_it(title: str, why: str) -> None:
    with pytest.raises(UsageError) as refused:
        invocations(command(argv=["lint", "{title}"]), "tasks", [task(title=title)], {})
    assert str(refused.value).startswith(why)
    if title == "-rf":
        assert invocations(command(), "tasks", [task(title=title)], {})[0].argv == ("lint", "--", "-rf")


def test_a_row_is_needed_and_not_too_many() -> None:
    with pytest.raises(UsageError, match="lint is about a row, and none is chosen"):
        invocations(command(), "tasks", [], {})
    with pytest.raises(UsageError, match="for at most 500: filter or mark fewer"):
        invocations(command(), "tasks", [task()] * (ROWS_MAX + 1), {})
    (made,) = invocations(command(scopes=["all"], argv=["date"]), "", [], {"view": "pulse"})
    assert (made.argv, made.target) == (("date",), "")


def test_the_example_of_the_docs_is_granted_in_every_preset(path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "keys.md").read_text("utf-8")
    path.write_text(next(block for block in page.split("```toml\n")[1:] if "[commands." in block).partition("```")[0])
    for preset in PRESETS:
        keymap, commands = load_own(None, path, preset=preset)
        assert (list(commands), keymap.problems) == (["open-log", "notify"], ())
