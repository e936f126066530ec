"""How a console goes from one engine to another, and looks at all of them: the part of the app that contexts are used through.

Only the engine in view is connected. The rows of the last FEEDS_KEPT others stay, so that coming back shows them at once,
as old as they are, until the first frame is there; a connection that nobody looks at would cost its engine frames.
Owner: a Switching owns the feeds, the workers that fill them, and the probes of `:ctx`. Limits: FEEDS_KEPT feeds and ROWS_KEPT
rows besides those in view; a connection left with a plan under way is closed when that is answered.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from textual.worker import Worker

from engine.clock import Clock
from engine.model.errors import UsageError
from engine.model.plans import Authority
from engine.model.verbs import Role
from fleet_tui.attending import Attending
from fleet_tui.contexts import Context, nearest_context
from fleet_tui.navigation import HOME_VIEW
from fleet_tui.probes import CONTEXTS_MAX, Open, Probes
from fleet_tui.skins import SETTINGS, Skin
from screens.base import FleetScreen
from screens.commandline import ViewLine
from screens.feed import Connect, Feed
from screens.places import Place
from screens.present_contexts import ContextRow

FEEDS_KEPT = 2
ROWS_KEPT = 20_000
LIST_EVERY_S = 2.0
CONTEXTS_VIEW = "ctx"
OF_A_FLEET = frozenset({"inbox", SETTINGS})
"""What is remembered for each context apart; sorts, widths and lines are the operator's."""


class Catalogue(Protocol):
    """Which contexts there are, and what a console needs to look at one."""

    home: Context
    """The one that the console was opened on."""

    def contexts(self) -> Sequence[Context]:
        """Return all there are now, home first. May take a moment. Raises UsageError."""
        ...

    def connect(self, context: Context) -> Connect:
        """Return how the feed of a context is connected."""
        ...

    def skin(self, context: Context) -> Skin:
        """Return what the theme of a context is chosen by. Raises UsageError."""
        ...

    @property
    def probe(self) -> Open:
        """How a context is asked for how it is."""
        ...


class Switching(Attending):
    """The part of the app that goes from engine to engine."""

    clock: Clock

    def __init__(self, *, connect: Connect, clock: Clock, catalogue: Catalogue | None, **more: Any) -> None:  # noqa: ANN401  # what Attending takes
        super().__init__(**more)
        self.clock = clock
        self._catalogue = catalogue
        self._known: dict[str, Context] = {catalogue.home.name: catalogue.home} if catalogue else {}
        """Contexts by name, also those that have gone: they are down, and may come back."""
        self._listed_at = 0.0
        self._listing: Worker[None] | None = None
        self._left: dict[str, Place] = {}
        """Where each context was left."""
        self._kept: dict[str, Feed] = {}
        """Feeds of contexts not in view, the one left last at the end."""
        self._followers: dict[Feed, Worker[None]] = {}
        self._asking: Counter[Feed] = Counter()
        """Plans under way."""
        self._probes = Probes(catalogue.probe, clock) if catalogue else None
        self._probing: dict[str, Worker[None]] = {}
        self.feed = Feed(connect, clock)
        if catalogue is not None:
            _mark(self.feed, catalogue.home)

    def settings_of(self, view: str) -> dict[str, Any]:
        """Return what is remembered of a view; some of it for each fleet apart."""
        return super().settings_of(f"{view}@{self.context}" if self.context and view in OF_A_FLEET else view)

    # ---- the engine in view

    def _show_all(self) -> None:
        """Show a frame with everything."""

    def _follow_authority(self) -> None:
        """Offer what may be done here."""

    def _follow(self) -> None:
        """Have the feed in view filled."""
        self.feed.on_full = self._show_all
        if self.feed not in self._followers:
            # The function, not its coroutine: who goes on at once cancels it before it has begun.
            self._followers[self.feed] = self.run_worker(self.feed.run, group="feed", exit_on_error=True)

    def _let_go(self, feed: Feed) -> None:
        """Close the connection of a feed that is not in view, unless a plan of it is under way."""
        if feed is not self.feed and not self._asking[feed] and feed in self._followers:
            self._followers.pop(feed).cancel()

    @contextmanager
    def _holding(self, feed: Feed) -> Iterator[None]:
        """Keep a feed's connection open, whatever is in view meanwhile."""
        self._asking[feed] += 1
        try:
            yield
        finally:
            self._asking[feed] -= 1
            if not self._asking[feed]:
                del self._asking[feed]
            self._let_go(feed)

    # ---- from one to another

    def contexts(self) -> Sequence[str]:
        """Return the names that `@` takes."""
        if self._catalogue is None:
            return super().contexts()
        self._list_again()
        return list(self._known)

    def use_context(self, name: str) -> bool:
        """Look at another engine; False, and it was said why, when that cannot be."""
        if self._catalogue is None:
            return super().use_context(name)
        home = self._catalogue.home
        context = self._find(name) if name not in ("", home.name) else home
        if context is None:
            self.say(f"no context @{name}{nearest_context(name, list(self._known.values()))}", role="bad")
            return False
        name = "" if context is home else context.name
        if name == self.context:
            return True
        if self._is_asked():
            return False
        self._trail.leave(self.place_in_view())
        self._note_left()
        self._keep(self.feed)
        self._enter(name, context)
        return True

    def _find(self, name: str) -> Context | None:
        if name not in self._known:
            self._take_known(self._list())
        return self._known.get(name)

    def _keep(self, feed: Feed) -> None:
        """Keep the rows of a feed that goes out of view, and forget the oldest where that becomes too much."""
        feed.on_full = None
        self._kept[self.context] = feed
        while len(self._kept) > FEEDS_KEPT or (self._kept and sum(map(_weigh, self._kept.values())) > ROWS_KEPT):
            del self._kept[next(iter(self._kept))]

    def _enter(self, name: str, context: Context) -> None:
        assert self._catalogue is not None, "who named the context"
        before, self.context = self.feed, name
        self.feed = self._kept.pop(name) if name in self._kept else Feed(self._catalogue.connect(context), self.clock)
        _mark(self.feed, context)
        self._let_go(before)
        self._follow()
        self._leave_attention()
        self._follow_authority()
        try:
            self.wear(self._catalogue.skin(context), self.settings_of(SETTINGS))
        except UsageError as error:
            self.say(str(error), role="warn")

    def _note_left(self) -> None:
        place = self.place_in_view()
        if place is not None and place.view != CONTEXTS_VIEW:
            self._left[self.context] = place

    def open_place(self, place: Place) -> None:
        """Open a view as somebody left it, in its context."""
        self._note_left()
        super().open_place(place)

    def open_context(self, name: str) -> None:
        """Look at a context where it was left, at its home the first time."""
        if self.use_context(name):
            place = self._left.get(self.context) or Place(HOME_VIEW, context=self.context)
            self.open_place(place)

    def _open_line(self, line: ViewLine) -> None:
        if line.view == CONTEXTS_VIEW and line.scope:
            self.open_context(line.scope.removeprefix("@"))
        elif line.view == CONTEXTS_VIEW and line.context:
            self.open_context(line.context)
        else:
            super()._open_line(line)

    # ---- all of them

    def context_rows(self) -> Sequence[ContextRow]:
        """Return how each context is, and go on asking for as long as that is looked at."""
        if self._catalogue is None or self._probes is None:
            return ()
        self._list_again()
        for context in self._known.values():
            if context.name not in self._probing and not context.problem:
                self._probing[context.name] = self.run_worker(partial(self._probes.follow, context), group="probe", exit_on_error=True)
        here = self.context or self._catalogue.home.name
        return [replace(self._probes.row(context), is_here=context.name == here) for context in self._known.values()]

    def _rest_probes(self) -> None:
        """Ask no more unless the contexts are looked at."""
        if self._probes is not None and self._probing and not (isinstance(self.screen, FleetScreen) and self.screen.NAME == CONTEXTS_VIEW):
            for worker in self._probing.values():
                worker.cancel()
            self._probing.clear()
            self._probes.rest()

    def _list(self) -> Sequence[Context]:
        assert self._catalogue is not None, "who asks for its list"
        try:
            return self._catalogue.contexts()
        except UsageError as error:
            self.call_later(self.say, str(error), role="warn")
            return ()

    def _list_again(self) -> None:
        """Find the contexts anew, beside the console, if that was not just done."""
        now = self.clock.now()
        if now - self._listed_at >= LIST_EVERY_S:
            self._listed_at = now
            self._listing = self.run_worker(self._list_beside, group="list", exclusive=True, exit_on_error=True)

    async def _list_beside(self) -> None:
        self._take_known(await asyncio.to_thread(self._list))

    def _take_known(self, listed: Sequence[Context]) -> None:
        for context in listed:
            if context.name not in self._known and len(self._known) >= CONTEXTS_MAX:
                continue
            changed = self._known.get(context.name)
            if changed is not None and changed != context and (worker := self._probing.pop(context.name, None)):
                worker.cancel()  # it is elsewhere now
            if context.name != self.context:
                self._known[context.name] = context


def _mark(feed: Feed, context: Context) -> None:
    """Tell a feed of which context it is, and that this one is only looked at before its engine says so."""
    feed.context = context.name
    if context.look.read_only and feed.authority is None:
        feed.authority = Authority("", Role.ADMIN, f"read_only of @{context.name} in console.toml")


def _weigh(feed: Feed) -> int:
    return sum(map(len, feed.tables.values())) + len(feed.events)
