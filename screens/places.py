"""Where an operator is and was: places, the trail of them that `[`, `]` and `-` walk, and bookmarks.

Owner: the app owns one Trail and one Bookmarks; a Place is a value. Limits: TRAIL_MAX places, oldest forgotten first; nine bookmarks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from screens.commandline import VIEWS, ViewLine, format_line

TRAIL_MAX = 50
SLOTS = range(1, 10)


@dataclass(frozen=True, slots=True)
class Place:
    """A view as somebody left it."""

    view: str
    scope: str = ""
    filter_text: str = ""
    context: str = ""
    sort: tuple[str, bool] | None = None
    """Column, and whether the other way round; None = as the view is remembered."""
    row_id: str = ""
    """The row that was held; empty = none, the view rested at its top."""

    @property
    def line(self) -> str:
        """The command line that opens it, but for sort and row."""
        return format_line(ViewLine(self.view, self.scope, self.filter_text, self.context))

    def is_same(self, other: Place) -> bool:
        """Tell whether both are the same rows of the same view, whatever filter, sort and row."""
        return (self.view, self.scope, self.context) == (other.view, other.scope, other.context)


def place_to_plain(place: Place) -> dict[str, Any]:
    """Return a place as JSON takes it; the row is left out, for it will be gone."""
    return {name: value for name, value in asdict(replace(place, row_id="")).items() if value}


def place_from_plain(plain: object) -> Place | None:
    """Return the place that was kept so, None for anything else."""
    if not isinstance(plain, Mapping) or not isinstance(plain.get("view"), str) or plain["view"] not in VIEWS:
        return None
    texts = {name: str(plain.get(name, "")) for name in ("view", "scope", "filter_text", "context")}
    sort = plain.get("sort")
    is_sort = isinstance(sort, list | tuple) and len(sort) == 2
    return Place(**texts, sort=(str(sort[0]), bool(sort[1])) if is_sort and sort else None)


class Trail:
    """The places that were visited, and which of them is in view."""

    def __init__(self) -> None:
        self._visited: list[Place] = []
        self._at = -1
        self._before = -1

    @property
    def here(self) -> Place | None:
        """The place in view, as it was when it was last left or opened."""
        return self._visited[self._at] if self._visited else None

    def leave(self, place: Place | None) -> None:
        """Keep how the place in view is left, to come back to just that."""
        here = self.here
        if here is not None and place is not None and here.is_same(place):
            self._visited[self._at] = place

    def go(self, place: Place) -> None:
        """Be at a new place; what was ahead is forgotten. The same place again only renews it."""
        here = self.here
        if here is not None and here.is_same(place):
            self._visited[self._at] = place
            return
        del self._visited[self._at + 1 :]
        self._before = self._at
        self._visited.append(place)
        surplus = len(self._visited) - TRAIL_MAX
        if surplus > 0:
            del self._visited[:surplus]
            self._before -= surplus
        self._at = len(self._visited) - 1

    def surface(self, place: Place) -> None:
        """Be at the place that was below the one in view: back on the trail if it was there, else a new one."""
        if self._at > 0 and self._visited[self._at - 1].is_same(place):
            self._move(self._at - 1)
        else:
            self.go(place)

    def step(self, count: int) -> Place | None:
        """Go back (-1) or forward (1) and return the place that is in view then, None at the end of the trail."""
        at = self._at + count
        if not 0 <= at < len(self._visited):
            return None
        self._move(at)
        return self._visited[at]

    def swap(self) -> Place | None:
        """Go to the place that was in view before this one and return it, None if there was none."""
        if not 0 <= self._before < len(self._visited) or self._before == self._at:
            return None
        self._move(self._before)
        return self._visited[self._at]

    def _move(self, at: int) -> None:
        self._before, self._at = self._at, at


class Bookmarks:
    """Places under the digits 1 to 9."""

    def __init__(self, kept: object = None) -> None:
        self._places: dict[int, Place] = {}
        for slot in SLOTS:
            place = place_from_plain(kept.get(str(slot))) if isinstance(kept, Mapping) else None
            if place is not None:
                self._places[slot] = place

    def __iter__(self) -> Iterator[tuple[int, Place]]:
        """Return slots and places, in the order of their digits."""
        return iter(sorted(self._places.items(), key=lambda entry: entry[0]))

    def __getitem__(self, slot: int) -> Place | None:
        return self._places.get(slot)

    def keep(self, slot: int, place: Place) -> Place | None:
        """Put a place under a digit and return what was there."""
        assert slot in SLOTS
        before = self._places.get(slot)
        self._places[slot] = replace(place, row_id="")
        return before

    def drop(self, slot: int) -> None:
        """Empty a digit."""
        self._places.pop(slot, None)

    def to_plain(self) -> dict[str, Any]:
        """Return all of them as JSON takes it."""
        return {str(slot): place_to_plain(place) for slot, place in self}
