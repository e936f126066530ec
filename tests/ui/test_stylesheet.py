"""The style sheet that remembers gives every node and every part what Textual's own gives them."""

from __future__ import annotations

from typing import Any

from textual.css.styles import RulesMap, Styles
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode
from textual.screen import Screen
from themes import stylesheet
from themes.palettes import PALETTES

from tests.ui.fleet import Fleet, Seat, sit
from tests.ui.key_places import go
from tests.ui.walk import prepare

PLACES = ("agents", "skin", "dialog", "palette", "filter")
"""A table, previews, buttons, Textual's own list, an input."""


class Matching(Stylesheet):
    """Finds what holds for each node, and gives it to none."""

    def __init__(self, like: Stylesheet, variables: dict[str, str]) -> None:
        super().__init__(variables=variables)
        self.source = like.source
        self._require_parse = True
        self.found: dict[tuple[DOMNode, str], dict[str, Any]] = {}

    def replace_rules(self, node: DOMNode, rules: RulesMap, animate: bool = False) -> None:  # type: ignore[override]
        owner = node if type(node) is not DOMNode else node._parent
        assert isinstance(owner, DOMNode)
        styles = Styles()
        for name, value in rules.items():
            setattr(styles, name, value)
        self.found[owner, "" if owner is node else next(iter(node.classes))] = comparable(styles)

    def _process_component_classes(self, node: DOMNode) -> None:
        for name in node._get_component_classes():
            part = DOMNode(classes=name)
            part._attach(node)
            self.apply(part)


def comparable(styles: Styles) -> dict[str, Any]:
    """Return the rules, with layouts by name: each parsed sheet has its own."""
    return {name: str(value) if name == "layout" else value for name, value in styles.get_rules().items()}


def find_others(seat: Seat) -> list[str]:
    """Return the nodes and parts in front that have other styles than Textual would give them."""
    app, screen = seat.app, seat.screen
    assert isinstance(app.stylesheet, stylesheet.RememberingStylesheet)
    assert isinstance(screen, Screen)
    matching = Matching(app.stylesheet, app.get_css_variables())
    for node in (app, *screen.walk_children(with_self=True)):
        matching.apply(node)
    given = {(node, part): comparable((node._component_styles[part] if part else node.styles).base) for node, part in matching.found}
    assert len(given) > 10
    return [
        f"{node} {part} {name}: {given[node, part].get(name)} should be {wanted.get(name)}"
        for (node, part), wanted in matching.found.items()
        for name in sorted(wanted.keys() | given[node, part].keys())
        if given[node, part].get(name) != wanted.get(name)
    ]


async def test_every_node_and_part_has_the_styles_that_textual_gives() -> None:
    async with sit(Fleet()) as seat:
        await prepare(seat)
        for place in PLACES:
            await seat.open("pools")
            await go(seat, place)
            for theme in ("fleet-light", "nord", "fleet-dark"):
                seat.app.theme = theme
                await seat.pilot.pause()
                assert find_others(seat) == []
            await seat.press("tab")  # another has the focus
            assert find_others(seat) == []
            seat.screen.add_class("-stacked")
            seat.screen.disabled = True
            await seat.pilot.pause()
            assert find_others(seat) == []
            seat.screen.disabled = False
            while len(seat.app.screen_stack) > 2:
                seat.app.pop_screen()
                await seat.pilot.pause()


async def test_a_theme_that_was_shown_before_is_not_parsed_again() -> None:
    async with sit(Fleet()) as seat:
        for theme in ("nord", "fleet-dark"):
            seat.app.theme = theme
            await seat.pilot.pause()
        parsed = stylesheet._parse.cache_info().misses
        seat.app.theme = "nord"
        await seat.pilot.pause()
        assert seat.screen.styles.background.hex.lower() == PALETTES["nord"].background.lower()
        assert stylesheet._parse.cache_info().misses == parsed
