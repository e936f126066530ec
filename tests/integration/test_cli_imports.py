"""What a command line loads before it does anything: start-up time is spent on imports."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("asyncio", "msgspec", "pydantic", "textual", "rich", "websockets", "uvicorn", "engine.model.wire", "engine.config")


def find_loaded(code: str, names: tuple[str, ...]) -> str:
    """Return which modules a fresh interpreter holds after some code."""
    program = f"import sys\n{code}\nprint(*(name for name in {names!r} if name in sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return done.stderr.strip()


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["submit", "--help"], ["get", "--help"], ["config", "--help"]], ids=" ".join
)
def test_help_loads_click_and_the_table_only(words: list[str]) -> None:
    assert find_loaded(f"from fleet_tui.cli import run\nassert run({words!r}) == 0", HEAVY) == ""


def test_wrong_words_load_no_more() -> None:
    code = "from fleet_tui.cli import run\nimport io\nerr, sys.stderr = sys.stderr, io.StringIO()\nassert run(['scale']) == 2\nsys.stderr = err"
    assert find_loaded(code, HEAVY) == ""


def test_the_way_to_the_console_has_no_click() -> None:
    code = "import fleet_tui.cli, fleet_tui.console, fleet_tui.attach, fleet_tui.settings"
    assert find_loaded(code, ("click", "textual", *HEAVY)) == ""


def test_a_verb_loads_no_server() -> None:
    code = "import fleet_tui.acts, fleet_tui.look"
    assert find_loaded(code, ("pydantic", "uvicorn", "textual", "rich", "libcst", "aiosqlite", "engine.fleet")) == ""


def test_rows_as_csv_load_no_terminal() -> None:
    assert find_loaded("import fleet_tui.look, screens.export", ("textual", "rich", "pydantic")) == ""


def test_the_first_frame_loads_nothing_of_what_is_opened_later() -> None:
    opened_later = ("screens.details", "screens.editing", "engine.model.editing", "engine.model.scaling")
    assert find_loaded("import fleet_tui.app", opened_later) == ""
