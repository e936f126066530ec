"""`fleet-tui keys`: what is in force, the check of a file, and what doctor says of it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from tests.integration.cli_shell import Shell
from tests.integration.test_cli_imports import find_loaded


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "home", tmp_path / "run")


@pytest.fixture
def own(shell: Shell) -> Path:
    """Return the user's keys.toml, in a directory that is there."""
    path = Path(shell.environment["HOME"]) / ".config" / "fleet-tui" / "keys.toml"
    path.parent.mkdir(parents=True)
    return path


def test_keys_in_force_as_table_json_and_file(shell: Shell, own: Path) -> None:
    own.write_text('preset = "vim-safe"\n[keys]\n"pools.scale" = ["z", "f5"]\n')
    table = shell.run("keys").stdout
    assert "pools.scale" in table
    scale = next(line.split() for line in table.splitlines() if line.startswith("pools.scale "))
    assert scale[1:7] == ["z", "f5", "pools", "keys.toml", "line", "3"]
    rows = {row["id"]: row for row in json.loads(shell.run("keys", "-o", "json").stdout)}
    assert (rows["pools.scale"]["keys"], rows["table.left"]["keys"], rows["table.left"]["from"]) == (["z", "f5"], ["left", "h"], "vim-safe")
    written = tomllib.loads(shell.run("keys", "-o", "toml").stdout)
    assert (written["preset"], written["keys"]["pools.scale"]) == ("vim-safe", ["z", "f5"])
    assert "emacs-safe" in shell.run("keys", "--preset", "emacs-safe").stdout
    assert "did you mean 'vim-safe'?" in shell.run("keys", "--preset", "vimsafe", code=2).stderr


def test_checking_a_file_says_where_and_fails(shell: Shell, own: Path) -> None:
    own.write_text('[keys]\n"pools.scale" = "q"\n"pools.scal" = "z"\n')
    done = shell.run("keys", "--check", own, code=2)
    assert done.stdout == ""
    assert [line[:17] for line in done.stderr.splitlines()] == ["keys.toml line 2:", "keys.toml line 3:"]
    assert "warning: keys.toml line 2" in shell.run("keys").stderr
    assert "warning  keys" in shell.run("doctor").stdout
    own.write_text('[keys]\n"pools.scale" = "z"\n')
    assert "valid; preset k9s, 1 binding changed" in shell.run("keys", "--check", own).stderr


def test_the_option_and_the_variable_name_a_file(shell: Shell, own: Path) -> None:
    own.write_text('[keys]\n"pools.scale" = "z"\n')
    other = own.with_name("other.toml")
    other.write_text('[keys]\n"pools.scale" = "f6"\n')
    assert '"f6"' in shell.run("--keys", other, "keys", "-o", "json").stdout
    shell.environment["FLEET_TUI_KEYS"] = str(other)
    assert '"f6"' in shell.run("keys", "-o", "json").stdout
    assert "valid" in shell.run("config", "check").stderr  # the variable is no key of fleet.toml
    assert "No such file" in shell.run("--keys", own.with_name("none.toml"), "keys").stderr


def test_without_a_file_the_way_to_the_first_frame_reads_no_toml() -> None:
    code = "from fleet_tui.keymap import load_keymap\nload_keymap(None)"
    assert find_loaded(code, ("tomllib", "screens.rebinding", "screens.key_names")) == ""
