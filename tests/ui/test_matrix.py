"""Every place of the console at three sizes, and at one of them in four looks, as approved: `snapshots/matrix/<place>.<size>.txt`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest
from fleet_tui.skins import Skin, glyphs_for
from screens.keys import CONTEXTS
from screens.line_filter import Terminal
from screens.views import _CLASSES as VIEW_CLASSES
from themes.reduction import Level

from tests.ui.conftest import SNAPSHOTS
from tests.ui.fleet import Fleet, sit
from tests.ui.matrix import LOOKS, Seen, describe, see
from tests.ui.walk import HOME, PARTS, prepare, walk_sizes

LOOKED_AT = (120, 40)
"""The size at which other looks are seen too: what a look changes is the same at any."""
SIZES = ((80, 24), LOOKED_AT, (200, 60))
TERMINALS = {"dark": Terminal(), "16": Terminal(Level.SIXTEEN), "ascii": Terminal(is_ascii=True)}
DIRECTORY = SNAPSHOTS / "matrix"
DIFFERENCES_SHOWN = 3


def name_of(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def looks_at(size: tuple[int, int]) -> tuple[str, ...]:
    return LOOKS if size == LOOKED_AT else LOOKS[:1]


async def see_all(places: Iterable[str]) -> dict[tuple[int, int], dict[str, dict[str, Seen]]]:
    """Walk through places once for each kind of terminal, at all sizes in the dark; the light theme is put on in passing."""
    seen: dict[tuple[int, int], dict[str, dict[str, Seen]]] = {size: {place: dict.fromkeys(looks_at(size)) for place in places} for size in SIZES}  # type: ignore[misc]  # filled below
    for look, terminal in TERMINALS.items():
        sizes = SIZES if look == LOOKS[0] else (LOOKED_AT,)
        async with sit(Fleet(), sizes[0], glyphs=glyphs_for(terminal), terminal=terminal, skin=Skin(usual="fleet-dark")) as seat:
            await prepare(seat)
            async for place, size in walk_sizes(seat, sizes, places):
                seen[size][place][look] = see(seat.app)
                if look == LOOKS[0] and size == LOOKED_AT:
                    seat.app.theme = "fleet-light"
                    await seat.pilot.pause()
                    seen[size][place]["light"] = see(seat.app)
                    seat.app.theme = "fleet-dark"
                    await seat.pilot.pause()
    return seen


@pytest.mark.timeout(900)  # three walks, on a machine with other work
@pytest.mark.parametrize("places", PARTS, ids=["first", "second", "third"])
async def test_every_place_looks_as_approved(places: tuple[str, ...], request: pytest.FixtureRequest) -> None:
    seen = await see_all(dict.fromkeys((HOME, *places)))
    shown = {
        path_of(place, size): describe(looks, seen[size][HOME] if looks["dark"].is_over else None) for size in SIZES for place, looks in seen[size].items()
    }
    if request.config.getoption("--update-snapshots"):
        DIRECTORY.mkdir(parents=True, exist_ok=True)
        for path, text in shown.items():
            path.write_text(text, "utf-8")
        return
    others = []
    for path, text in shown.items():
        approved = ""
        with suppress(FileNotFoundError):
            approved = path.read_text("utf-8")
        if text != approved:
            others.append("\n".join(difflib.unified_diff(approved.splitlines(), text.splitlines(), str(path), "seen now", "", "", n=0, lineterm="")))
    assert others == [], f"{len(others)} places look otherwise; look at them, then approve with --update-snapshots:\n" + "\n".join(others[:DIFFERENCES_SHOWN])


def path_of(place: str, size: tuple[int, int]) -> Path:
    return DIRECTORY / f"{place.replace(' ', '-')}.{name_of(size)}.txt"


def test_every_view_is_among_the_places() -> None:
    assert set(VIEW_CLASSES) <= set(CONTEXTS)


@pytest.mark.parametrize("place", CONTEXTS)
def test_every_place_is_approved_at_every_size_and_at_one_in_every_look(place: str) -> None:
    for size in SIZES:
        lines = path_of(place, size).read_text("utf-8").splitlines()
        assert [line for line in lines if line.startswith("== ")] == ["== parts", *(f"== {look}" for look in looks_at(size)[1:])]
        assert lines.index("== parts") == (8 if place == "too small" else size[1])


def test_nothing_is_approved_that_there_is_not() -> None:
    assert {path.name for path in DIRECTORY.iterdir()} == {path_of(place, size).name for place in CONTEXTS for size in SIZES}
