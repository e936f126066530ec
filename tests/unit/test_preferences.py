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
        ("contexts = 1", r"contexts must be a table for each context"),
        ('[contexts]\nshop = "nord"', "contexts.shop must be a table"),
        ('[contexts.shop]\nbar = "red"', "contexts.shop.bar must be one of accent, good, warn, bad"),
        ("[contexts.shop]\ntheme = 1", "contexts.shop.theme must be the name of a theme"),
        ('[contexts.shop]\ncolour = "red"', "unknown key contexts.shop.colour"),
        ("theme = nord", "console.toml: "),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        load_preferences(write(tmp_path, text))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "fleet-tui" / "console.toml").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"console\.toml cannot be read"):
        load_preferences({"XDG_CONFIG_HOME": str(tmp_path)})


def test_the_command_line_goes_above_the_file() -> None:
    preferences = Preferences(colors="256", shapes="ascii", mouse=True)
    assert Wishes().apply(preferences) == preferences
    assert Wishes(colors="16", shapes="unicode", mouse=False).apply(preferences) == Preferences(colors="16", shapes="unicode", mouse=False)
