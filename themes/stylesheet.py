"""A style sheet that remembers what each source says under each theme, and which rules hold at each kind of place.

Textual parses every source anew for each change of theme, and matches each node, and each part of a widget that has a
style of its own, with all rules whenever a view opens or a class or the focus changes.

Owner: each sheet owns which of its rules may hold for which nodes, until a source or the theme changes; what was parsed and
matched is shared, for it depends on nothing but its key. Limits: SOURCES_MAX parsed sources, CANDIDATES_MAX sets of rules
with PLACES_MAX places each.
"""

# ruff: noqa: SLF001, FBT001, FBT002, PLR0913  # Textual has no public way in; the signatures are its own

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

from textual.cache import LRUCache
from textual.css.model import CombinatorType, RuleSet, Selector, SelectorSet, SelectorType
from textual.css.styles import RulesMap
from textual.css.stylesheet import Stylesheet
from textual.css.types import CSSLocation
from textual.dom import DOMNode

SOURCES_MAX = 2048
CANDIDATES_MAX = 8192
PLACES_MAX = 64
STRUCTURAL = frozenset({"first-of-type", "last-of-type", "first-child", "last-child", "odd", "even", "focus-within", "empty"})
"""What depends on more than the nodes above: which rules hold there is found each time."""
MARKS = {SelectorType.CLASS: ".", SelectorType.ID: "#"}

Place = tuple[object, ...]
Kind = tuple[type[DOMNode], str | None, frozenset[str]]
"""A node's class, id and classes."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The rules that hold for a node, or for the parts of a widget, if the rest of their selectors does, too."""

    names: frozenset[str]
    """The types, classes and ids that their selectors name."""
    states: tuple[str, ...]
    """Pseudo-classes that decide at the node itself."""
    states_above: tuple[str, ...]
    """Pseudo-classes that decide at the nodes above it."""
    places: LRUCache[Place, Any] = field(default_factory=lambda: LRUCache(PLACES_MAX))
    """What they come to, by all that it depends on: RulesMap, or one for each part."""

    @property
    def is_structural(self) -> bool:
        """Whether what holds depends on the nodes beside or below."""
        return not STRUCTURAL.isdisjoint((*self.states, *self.states_above))

    def name_place(self, node: DOMNode) -> Place:
        """Return all that decides which of these rules hold for a node."""
        return (self.names & node._selector_names, *map(node.has_pseudo_class, self.states), *self.name_above(node._parent))

    def name_above(self, at: object) -> Place:
        """Return all that decides which of these rules hold for what is in a node, as far as it is of that and above."""
        place: list[object] = []
        while isinstance(at, DOMNode):
            place += (self.names & at._selector_names, *map(at.has_pseudo_class, self.states_above))
            at = at._parent
        return tuple(place)


@lru_cache(SOURCES_MAX)
def _parse(variables: frozenset[tuple[str, str]], source: tuple[str, CSSLocation, bool, int, str]) -> tuple[RuleSet, ...]:
    return tuple(Stylesheet(variables=dict(variables))._parse_rules(*source))


@lru_cache(CANDIDATES_MAX)
def _describe(rules: tuple[RuleSet, ...]) -> Candidates:
    chains = [(chain.selectors, _count_above(chain)) for rule in rules for chain in rule.selector_set]
    return Candidates(
        frozenset(MARKS.get(selector.type, "") + selector.name for selectors, _ in chains for selector in selectors),
        _states(selector for selectors, above in chains for selector in selectors[above:]),
        _states(selector for selectors, above in chains for selector in selectors[:above]),
    )


def _count_above(chain: SelectorSet) -> int:
    """Return how many selectors of a chain are about nodes above: the last ones may be of one node together."""
    above = len(chain.selectors) - 1
    while above and chain.selectors[above].combinator is CombinatorType.SAME:
        above -= 1
    return above


def _states(selectors: Iterable[Selector]) -> tuple[str, ...]:
    return tuple(sorted({state for selector in selectors for state in selector.pseudo_classes}))


class RememberingStylesheet(Stylesheet):
    """Does what Textual's does, once."""

    def __init__(self, *, variables: dict[str, str] | None = None) -> None:
        super().__init__(variables=variables)
        self._values = frozenset(self._variables.items())
        self._order: dict[RuleSet, int] = {}
        self._of_nodes: dict[Kind, Candidates] = {}
        self._of_parts: dict[type[DOMNode], tuple[tuple[str, ...], Candidates]] = {}

    # ---- what the sources say

    def set_variables(self, variables: dict[str, str]) -> None:
        """Take the values that a theme gives."""
        super().set_variables(variables)
        self._values = frozenset(variables.items())

    def _parse_rules(self, css: str, read_from: CSSLocation, is_default_rules: bool = False, tie_breaker: int = 0, scope: str = "") -> list[RuleSet]:
        return list(_parse(self._values, (css, read_from, is_default_rules, tie_breaker, scope)))

    def parse(self) -> None:
        """Read all sources. Raises StylesheetError, and then has the rules of before."""
        super().parse()
        self._order = {rule: number for number, rule in enumerate(self._rules)}
        self._of_nodes.clear()
        self._of_parts.clear()

    reparse = parse

    # ---- which rules hold for a node

    def apply(self, node: DOMNode, *, animate: bool = False, cache: dict[tuple[Any, ...], RulesMap] | None = None) -> None:
        """Give a node, and the parts of it, the styles that hold for them."""
        named = self.rules_map  # reads new sources first
        kind = (node.__class__, node._id, frozenset(node._classes))
        candidates = self._of_nodes.get(kind)
        if candidates is None:
            candidates = self._of_nodes[kind] = _describe(self._select(named.keys() & node._selector_names))
        if candidates.is_structural:
            super().apply(node, animate=animate)
            return
        place = candidates.name_place(node)
        rules = candidates.places.get(place)
        if rules is None:
            found: dict[tuple[Any, ...], RulesMap] = {}
            super().apply(node, animate=animate, cache=found)
            for rules in found.values():
                candidates.places[place] = rules
            return
        node._has_hover_style = "hover" in candidates.states or "hover" in candidates.states_above
        node._has_focus_within = node._has_order_style = node._has_odd_or_even = False
        self.replace_rules(node, rules, animate=animate)
        self._process_component_classes(node)

    def _select(self, names: Iterable[str]) -> tuple[RuleSet, ...]:
        """Return the rules that end in one of these names, in the order of the sources."""
        return tuple(sorted({rule for name in names for rule in self.rules_map[name]}, key=self._order.__getitem__))

    @classmethod
    def replace_rules(cls, node: DOMNode, rules: RulesMap, animate: bool = False) -> None:
        """Set what is another than before."""
        base = node.styles.base
        if animate and ("transitions" in rules or base._rules == rules):
            super().replace_rules(node, rules, animate=animate)
            return
        before, after = cast(dict[str, object], base._rules), cast(dict[str, object], rules)
        for name in [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]:
            setattr(base, name, after.get(name))
        node.notify_style_update()

    # ---- and for its parts

    def _process_component_classes(self, node: DOMNode) -> None:
        """Give the parts of a widget their styles, and have it drawn anew if they are others."""
        names, candidates = self._find_parts(node)
        if not names:
            return
        place = candidates.name_above(node)
        rules = None if candidates.is_structural else candidates.places.get(place)
        if rules is None:
            rules = candidates.places[place] = [self._find_part_rules(node, name) for name in names]
        styles, is_other = node._component_styles, False
        for name, of_part in zip(names, rules, strict=True):
            if name not in styles:
                part = DOMNode(classes=name)
                part._attach(node)
                styles[name] = part.styles
            elif styles[name].base._rules == of_part:
                continue
            styles[name].base.reset()
            styles[name].base.merge_rules(of_part)
            is_other = True
        if is_other:
            node.refresh()

    def _find_parts(self, node: DOMNode) -> tuple[tuple[str, ...], Candidates]:
        """Return what the parts of a widget are called, and the rules that may hold for any."""
        found = self._of_parts.get(node.__class__)
        if found is None:
            names = tuple(sorted(node._get_component_classes()))
            ends = {"*", DOMNode.__name__, *(f".{name}" for name in names)} if names else set()
            found = self._of_parts[node.__class__] = names, _describe(self._select(self.rules_map.keys() & ends))
        return found

    def _find_part_rules(self, node: DOMNode, name: str) -> RulesMap:
        part = DOMNode(classes=name)
        part._attach(node)
        super().apply(part)
        return part.styles.base._rules
