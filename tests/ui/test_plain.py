"""`--plain`: all that is shown can be read aloud, line by line, and nothing moves by itself."""

from __future__ import annotations

import importlib
import re
import string
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from fleet_tui.app import FleetApp
from fleet_tui.navigation import HOME_VIEW
from screens.ascii import to_plain
from screens.commandline import VIEWS
from screens.keys import CONTEXTS
from screens.line_filter import Terminal
from screens.views import _CLASSES as VIEW_CLASSES
from textual.geometry import Offset
from textual.screen import ModalScreen, Screen
from textual.widgets import OptionList

from tests.integration.engines import EngineProcess, engine
from tests.ui.fleet import Fleet, Seat, sit
from tests.ui.pty_screen import PtyScreen
from tests.ui.walk import leave, prepare, walk_sizes

PLAIN = Terminal(is_plain=True)
SIZES = ((80, 24), (200, 60))
PUNCTUATION = frozenset(string.punctuation) - frozenset("|\\")
"""What may stand beside letters and digits of any script, and spaces."""
DRAWN = re.compile(r"([^\w\s.])\1{3}")
"""Signs in a row are no words: lines, bars."""


def find_drawn(text: str) -> set[str]:
    """Return what in a text cannot be read aloud."""
    signs = {sign for sign in text if sign not in PUNCTUATION and not sign.isspace() and unicodedata.category(sign)[0] not in "LMN"}
    return signs | {found[0] for found in DRAWN.finditer(text)}


class Counting(FleetApp):
    """Counts what is drawn."""

    drawn = 0

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        self.drawn += renderable is not None
        super()._display(screen, renderable)


@pytest.mark.timeout(600)  # a walk through all places, on a machine with other work
async def test_every_place_is_words_in_lines_and_keeps_still() -> None:
    seen = set()
    async with sit(Fleet(), SIZES[0], glyphs=None, kind=Counting, terminal=PLAIN) as seat:
        await prepare(seat)
        async for place, size in walk_sizes(seat, SIZES):
            assert find_drawn(seat.text) == set(), f"{place} at {size}:\n{seat.text}"
            if isinstance(seat.screen, ModalScreen):
                assert_alone(seat)
            if size == SIZES[0]:
                await assert_still(seat, place)
            seen.add((place, size))
    assert seen == {(place, size) for place in CONTEXTS for size in SIZES}


def assert_alone(seat: Seat) -> None:
    """A dialog over a view would be read with what stands beside it."""
    boxes = seat.screen.query(".dialog, #--input, TooSmall > Static")
    assert boxes, seat.screen
    for box in boxes:
        assert (box.region.x, box.region.width) == (0, seat.app.size.width), box


async def assert_still(seat: Seat, place: str) -> None:
    """Nothing is drawn while nothing changes, however often the console looks."""
    app = seat.app
    assert isinstance(app, Counting)
    before = app.drawn
    for _ in range(4):
        app._tick()
        await seat.pilot.pause()
    assert app.drawn == before, f"{place} draws by itself:\n{seat.text}"


async def test_the_cursor_rests_on_what_keys_act_on() -> None:
    async with sit(Fleet(), glyphs=None, terminal=PLAIN) as seat:
        await prepare(seat)
        app = seat.app
        await seat.open("pools")
        line = app.find_cursor().y
        await seat.press("down", "down")
        assert app.find_cursor().y == line + 2
        assert seat.text.splitlines()[line + 2].startswith(">")
        await seat.press("colon", "p", "o")
        assert seat.text.splitlines()[app.find_cursor().y].startswith("po")
        await leave(seat, app.size)
        await seat.open("agents")
        await seat.press("S", "down")
        options = seat.screen.query_one(OptionList)
        assert options.highlighted == 1
        assert app.find_cursor() == options.content_region.offset + Offset(0, 1)
        await seat.press("escape", "ctrl+p")
        await seat.until(lambda: bool(seat.screen.query(OptionList)) and seat.screen.query_one(OptionList).option_count > 2)
        await seat.press("down", "down")
        chosen = seat.screen.query_one(OptionList)
        said = str(chosen.get_option_at_index(chosen.highlighted or 0).prompt).splitlines()[0]
        assert seat.text.splitlines()[app.find_cursor().y].strip() == said.strip()


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a · b – c … → ✓", "a - b - c ~ > +"),
        ("│█░▁⣿╭─╮", "|#._*+-+"),
        ("Größe 数値 имя", "Größe 数値 имя"),
        ("e\u0301te\u0301", "e\u0301te\u0301"),
        ("🚀 go", "?  go"),
    ],
)
def test_letters_of_any_script_stay_and_signs_go(text: str, plain: str) -> None:
    assert to_plain(text) == plain


# ---- on a real terminal


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """A running engine with the sixteen pools."""
    with engine(tmp_path_factory.mktemp("plain")) as running:
        yield running


def title_of(view: str) -> str:
    module, name = VIEW_CLASSES[view]
    return str(getattr(importlib.import_module(module), name).TITLE or view.capitalize())


@pytest.mark.xdist_group("terminal")
@pytest.mark.parametrize(("options", "environment"), [(["--plain"], {}), ([], {"FLEET_TUI_PLAIN": "1"})], ids=["option", "variable"])
def test_a_real_terminal_shows_words_and_a_cursor(subject: EngineProcess, options: list[str], environment: dict[str, str]) -> None:
    with PtyScreen([*subject.command(), *options], env=subject.environment | {"LANG": "C.UTF-8"} | environment) as screen:
        screen.wait_text("LIVE")
        assert find_drawn(screen.text) == set(), screen.text
        for view in (view for view in VIEWS if view != HOME_VIEW):
            screen.send(f":{view}\r".encode())
            screen.wait(lambda shown, view=view: shown.screen.display[-2].strip().startswith(title_of(view)))  # type: ignore[misc]
            assert find_drawn(screen.text) == set(), screen.text
        assert not screen.screen.cursor.hidden
        screen.send(b":pools\r")
        screen.wait(lambda shown: shown.screen.display[-2].strip().startswith("Pools"))
        for key, line in ((b"j", 4), (b"j", 5), (b"k", 4)):
            screen.send(key)
            screen.wait(lambda shown, line=line: shown.screen.cursor.y == line and shown.screen.display[line].startswith(">"))  # type: ignore[misc]
