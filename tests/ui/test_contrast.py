"""Every text that the console shows, at every place and in every theme, stands out as the theme promises."""

from __future__ import annotations

import pytest
from fleet_tui.skins import Skin
from themes.palettes import PALETTES

from tests.ui.fleet import Fleet, sit
from tests.ui.matrix import find_low_contrasts, find_pairs
from tests.ui.walk import PARTS, prepare, walk

SIZE = (120, 40)


def test_themes_promise_enough() -> None:
    promised = [palette.contrast_min for palette in PALETTES.values()]
    assert min(promised) >= 4.5
    assert max(promised) >= 7


@pytest.mark.timeout(900)
@pytest.mark.parametrize("places", PARTS, ids=["first", "second", "third"])
async def test_every_text_stands_out_at_every_place_in_every_theme(places: tuple[str, ...]) -> None:
    """In the usual theme every text is measured; in the others wherever a part stands on a ground that was not measured before."""
    low: dict[tuple[str, str], set[str]] = {}
    measured: set[str] = set()
    seen = set()
    async with sit(Fleet(), SIZE) as seat:
        await prepare(seat)
        async for place in walk(seat, places):
            if found := find_low_contrasts(seat.app):
                low[place, seat.app.theme] = found
            seen.add(place)
            pairs = find_pairs(seat.app)
            if pairs <= measured:
                continue
            usual = seat.app.theme
            for theme in PALETTES:
                seat.app.preview_theme(theme)
                await seat.pilot.pause()
                assert seat.app.theme == theme
                if found := find_low_contrasts(seat.app):
                    low[place, theme] = found
            seat.app.preview_theme(usual)
            await seat.pilot.pause()
            measured |= pairs
    assert low == {}
    assert seen == set(places)


async def test_a_marked_context_stands_out_too() -> None:
    for bar in ("accent", "good", "warn", "bad"):
        async with sit(Fleet(), (80, 24), skin=Skin(bar=bar)) as seat:
            await prepare(seat)
            await seat.open("pools")
            for theme in PALETTES:
                seat.app.preview_theme(theme)
                await seat.pilot.pause()
                assert find_low_contrasts(seat.app) == set(), theme


async def test_what_does_not_stand_out_would_be_found() -> None:
    async with sit(Fleet(), (80, 24)) as seat:
        await seat.open("pools")
        assert find_low_contrasts(seat.app) == set()
        seat.screen.query_one("#heading").styles.background = PALETTES["fleet-dark"].line
        await seat.pilot.pause()
        assert any("Pools" in found for found in find_low_contrasts(seat.app))
