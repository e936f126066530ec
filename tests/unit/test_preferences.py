"""The user's `console.toml`: what it may hold, what is refused and how, and what the command line changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine.model.errors import UsageError
from fleet_tui.preferences import ContextPreferences, Preferences, Wishes, load_preferences


def write(home: Path, text: str) -> dict[str, str]:
    (home / "fleet-tui").mkdir(exist_ok=True)
    (home / "fleet-tui" / "console.toml").write_text(text, "utf-8")
    return {"XDG_CONFIG_HOME": str(home)}


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert load_preferences({"XDG_CONFIG_HOME": str(tmp_path)}) == Preferences()


def test_everything_can_be_set(tmp_path: Path) -> None:
    environment = write(
        tmp_path,
        'theme = "auto"\ndark = "nord"\nlight = "solarized-light"\ncolors = 16\nshapes = "ascii"\nmouse = false\n'
        '[contexts.shop]\ntheme = "gruvbox"\nbar = "bad"\n[contexts."/srv/shop"]\nbar = "warn"\n',
    )
    found = load_preferences(environment)
    contexts = {"shop": ContextPreferences("gruvbox", "bad"), "/srv/shop": ContextPreferences("", "warn")}
    assert found == Preferences("auto", "nord", "solarized-light", "16", "ascii", mouse=False, contexts=contexts)
    assert found.of_context(("/srv/shop", "shop")).bar == "warn"
    assert found.of_context(("/home/me/shop", "shop")).bar == "bad"
    assert found.of_context(("/x", "x")) == ContextPreferences()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('themes = "nord"', "unknown key themes; did you mean theme?"),
        ('zzz = "nord"', "there are theme, dark, light"),
        ("theme = 3", "theme must be the name of a theme"),
        ('colors = "many"', "colors must be one of auto, none, 16, 256, truecolor"),
        ('shapes = "round"', "shapes must be one of auto, unicode, ascii"),
        ('mouse = "no"', "mouse must be true or false"),
        ("theme = nord", "console.toml: "),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        load_preferences(write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("contexts = 1", "contexts must be a table for each context"),
        ('[contexts]\nshop = "nord"', "contexts.shop must be a table"),
        ('[contexts.shop]\nbar = "red"', "contexts.shop.bar must be one of accent, good, warn, bad"),
        ("[contexts.shop]\ntheme = 1", "contexts.shop.theme must be the name of a theme"),
        ('[contexts.shop]\nsokcet = "/x"', "contexts.shop.sokcet is unknown; did you mean socket?"),
        ('[contexts.shop]\nzzz = "/x"', "contexts.shop.zzz is unknown; there are theme, bar, directory"),
        ('[contexts.shop]\ndirectory = "shop"', "contexts.shop.directory must be a whole path"),
        ('[contexts."my shop"]\ndirectory = "/srv/shop"', "contexts.'my shop' is no name for a context"),
        ('[contexts.shop]\nurl = "http://shop:80"', "contexts.shop.url must be wss://HOST:PORT"),
        ('[contexts.shop]\nurl = "ws://10.0.0.7:8640"', "contexts.shop.url must be wss://: a token on ws:// can be read on its way"),
        ('[contexts.shop]\nsocket = "/run/x.sock"\nurl = "wss://shop"', "contexts.shop says where the engine is by socket and by url; socket counts"),
        ('[contexts.shop]\nsocket = "/run/x.sock"\ntoken_file = "/x"', "contexts.shop.token_file is for a url"),
    ],
)
def test_what_is_wrong_with_a_context_stops_nothing_and_is_said_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    found = load_preferences(write(tmp_path, text + '\n[contexts.blog]\ndirectory = "/srv/blog"\n' if "contexts = 1" not in text else text))
    assert len(found.problems) == 1
    assert found.problems[0].startswith(f"{tmp_path / 'fleet-tui' / 'console.toml'}: {said}")
    assert ("blog" in found.contexts) is ("contexts = 1" not in text)


def test_an_engine_can_be_a_directory_a_socket_or_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    text = (
        '[contexts.shop]\ndirectory = "~/shop"\nstate_dir = "/var/shop"\n[contexts.far]\nsocket = "~/far.sock"\nread_only = true\n'
        '[contexts.prod]\nurl = "wss://fleet.example:8640"\ntoken_file = "~/prod.token"\n[contexts.near]\nurl = "ws://[::1]:8640"\n'
    )
    found = load_preferences(write(tmp_path, text))
    assert found.problems == ()
    assert found.contexts == {
        "shop": ContextPreferences(directory="/home/ada/shop", state_dir="/var/shop"),
        "far": ContextPreferences(socket="/home/ada/far.sock", read_only=True),
        "prod": ContextPreferences(url="wss://fleet.example:8640", token_file="/home/ada/prod.token"),
        "near": ContextPreferences(url="ws://[::1]:8640"),
    }


@pytest.mark.parametrize("line", ['read_only = "yes"', "readonly = true", "read-only = true", "readOnly = true"])
def test_a_fleet_that_was_meant_to_be_protected_is_protected(tmp_path: Path, line: str) -> None:
    found = load_preferences(write(tmp_path, f'[contexts.prod]\ndirectory = "/srv/prod"\n{line}\n'))
    assert found.contexts["prod"].read_only
    assert "read_only" in found.problems[0]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "fleet-tui" / "console.toml").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"console\.toml cannot be read"):
        load_preferences({"XDG_CONFIG_HOME": str(tmp_path)})


def test_the_command_line_goes_above_the_file() -> None:
    preferences = Preferences(colors="256", shapes="ascii", mouse=True)
    assert Wishes().apply(preferences) == preferences
    assert Wishes(colors="16", shapes="unicode", mouse=False).apply(preferences) == Preferences(colors="16", shapes="unicode", mouse=False)


@pytest.mark.parametrize(("variable", "shapes"), [("1", "plain"), ("yes", "plain"), ("0", "ascii"), ("", "ascii")])
def test_the_environment_goes_above_the_file_and_below_the_command_line(tmp_path: Path, variable: str, shapes: str) -> None:
    environment = write(tmp_path, 'shapes = "ascii"') | {"FLEET_TUI_PLAIN": variable}
    preferences = load_preferences(environment)
    assert preferences.shapes == shapes
    assert Wishes(shapes="unicode").apply(preferences).shapes == "unicode"
