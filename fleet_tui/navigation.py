"""How an operator gets about: views on a stack, the trail of places behind and ahead, bookmarks, contexts.

Owner: a Navigation owns the trail, the bookmarks, and what is remembered of views; the app is one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from engine.model.errors import FleetError
from engine.model.verbs import Command
from fleet_tui.boards import Boards
from fleet_tui.memory import Memory
from fleet_tui.skins import SETTINGS, Skin, SkinnedApp
from screens.base import FleetScreen
from screens.commandline import VerbLine, ViewLine, WordLine, parse_line, resolve_scope
from screens.feed import Feed
from screens.keyed import Keyed
from screens.line_filter import Terminal
from screens.pickers import BookmarkPicker
from screens.places import SLOTS, Bookmarks, Place, Trail
from screens.tables import TableScreen
from screens.views import open_screen

HOME_VIEW = "pulse"


class Navigation(Keyed, SkinnedApp):
    """The part of the app that views are opened through."""

    feed: Feed

    def __init__(self, *, memory: Memory, no_diff: bool, terminal: Terminal, skin: Skin) -> None:
        self._memory = memory
        super().__init__(no_diff=no_diff, terminal=terminal, skin=skin, remembered=memory.of(SETTINGS))
        console = memory.of("console")
        self.lines: list[str] = console.setdefault("lines", [])
        """History of the command line."""
        self.bookmarks = Bookmarks(console.get("bookmarks"))
        self.boards = Boards()
        """The dashboards that there are."""
        self.context = ""
        self._trail = Trail()
        self._words: dict[str, Callable[[tuple[str, ...]], None]] = {"bookmark": self._bookmark_by_word}
        """Words of the command line to what they do."""

    def settings_of(self, view: str) -> dict[str, Any]:
        """Return what is remembered of a view."""
        return self._memory.of(view)

    # ---- what the rest of the app brings

    def ask(self, commands: Sequence[Command], *, reason: str = "") -> None:
        """Plan verbs, show the plan, and carry them out when the operator agrees."""
        raise NotImplementedError

    def say(self, text: str, *, role: str = "") -> None:
        """Show a short text for a moment."""
        raise NotImplementedError

    # ---- views

    def open_view(self, line: str) -> None:
        """Do what a command line says: open a view, do what a word of the console means, or ask for verbs."""
        try:
            meant = parse_line(line)
            if isinstance(meant, ViewLine):
                self._open_line(meant)
        except FleetError as error:
            self.say(str(error), role="bad")
            return
        if isinstance(meant, VerbLine):
            self.ask(meant.commands)
        elif isinstance(meant, WordLine):
            self._words[meant.word](meant.args)

    def _open_line(self, line: ViewLine) -> None:
        if line.context and not self.use_context(line.context):
            return
        scope = resolve_scope(line.view, line.scope, self.feed.tables)
        self.open_place(Place(line.view, scope, line.filter_text, self.context))

    def open_place(self, place: Place) -> None:
        """Open a view as somebody left it, in its context."""
        if self._is_asked():
            return
        if place.context != self.context and not self.use_context(place.context):
            return
        self._trail.leave(self.place_in_view())
        self._trail.go(place)
        self._show(place)

    def _show(self, place: Place) -> None:
        screen = open_screen(place)
        while len(self.screen_stack) > 2:
            self.pop_screen()
        if len(self.screen_stack) > 1:
            self.switch_screen(screen)
        else:
            self.push_screen(screen)

    def _is_asked(self) -> bool:
        """Tell, and say, that a dialog below waits for an answer: views are not opened over it."""
        is_asked = any(screen.is_modal for screen in self.screen_stack)
        if is_asked:
            self.say(self.say_keys("a dialog waits below: {screen.back} goes back to it"), role="warn")
        return is_asked

    def place_in_view(self) -> Place | None:
        """Return the place that is in view, under whatever is open over it; None while it is still another context's."""
        screens = [screen for screen in reversed(self.screen_stack) if isinstance(screen, FleetScreen) and screen.feed is self.feed]
        place = next((place for screen in screens if (place := screen.place()) is not None), None)
        return replace(place, context=self.context) if place is not None else None

    def drill(self, screen: FleetScreen) -> None:
        """Put a screen on top."""
        if self._is_asked() and screen.place() is not None:
            return
        self._trail.leave(self.place_in_view())
        place = screen.place()
        if place is not None:
            self._trail.go(place)
        self.push_screen(screen)

    def back(self) -> None:
        """Leave the screen on top; the last view goes home."""
        if len(self.screen_stack) > 2:
            self._trail.leave(self.place_in_view())
            self.pop_screen()
            place = self.place_in_view()
            if place is not None:
                self._trail.surface(place)
        elif isinstance(self.screen, FleetScreen) and self.screen.NAME != HOME_VIEW:
            self.open_view(HOME_VIEW)

    def breadcrumb(self) -> Sequence[str]:
        """Return the titles of the views on the stack."""
        screens = [screen for screen in self.screen_stack if isinstance(screen, FleetScreen)]
        return [
            f"{screen.TITLE} {screen.scope_text}".strip() if isinstance(screen, TableScreen) else screen.TITLE for screen in screens
        ]

    def action_view(self, line: str) -> None:
        """Open a view."""
        self.open_view(line)

    def action_history(self, step: int) -> None:
        """Go to the view before or after this one, as it was left."""
        if self._is_asked():
            return
        self._trail.leave(self.place_in_view())
        self._revisit(self._trail.step(step), "there is no view before this one" if step < 0 else "there is no view after this one")

    def action_last_view(self) -> None:
        """Go to the view that was shown before this one, and back with the same key."""
        if self._is_asked():
            return
        self._trail.leave(self.place_in_view())
        self._revisit(self._trail.swap(), "there was no other view yet")

    def _revisit(self, place: Place | None, refusal: str) -> None:
        if place is None:
            self.say(refusal)
        elif place.context == self.context or self.use_context(place.context):
            self._show(place)

    # ---- contexts

    def contexts(self) -> Sequence[str]:
        """Return the names that `@` takes: of the one engine that this console is attached to."""
        return [self.feed.status.name] if self.feed.status is not None else []

    def use_context(self, name: str) -> bool:
        """Look at another engine; there is only the one, so any other name is refused."""
        known = self.contexts()
        if name in ("", *known):
            return True
        self.say(f"no context @{name}; this console is attached to {f'@{known[0]}' if known else 'one engine, which does not answer yet'}", role="bad")
        return False

    # ---- bookmarks

    def keep_bookmark(self, slot: int) -> None:
        """Put the place in view under a digit."""
        place = self.place_in_view()
        if place is None:
            self.say("this is no view that can be kept", role="warn")
            return
        before = self.bookmarks.keep(slot, place)
        self._save_bookmarks()
        self.say(f"{slot} opens {place.line}" + (f"; it opened {before.line}" if before is not None and before != place else ""))

    def drop_bookmark(self, slot: int) -> None:
        """Empty a digit."""
        self.bookmarks.drop(slot)
        self._save_bookmarks()

    def _save_bookmarks(self) -> None:
        self._memory.of("console")["bookmarks"] = self.bookmarks.to_plain()
        self._memory.save()

    def _bookmark_by_word(self, args: tuple[str, ...]) -> None:
        if not args:
            self.action_bookmark()
        elif len(args) == 1 and args[0].isdecimal() and int(args[0]) in SLOTS:
            self.keep_bookmark(int(args[0]))
        else:
            self.say("bookmark takes one digit from 1 to 9; 0 is always home", role="bad")

    def action_bookmark(self) -> None:
        """Ask for the digit that opens the view in front from then on."""
        place = self.place_in_view()
        if place is None or not isinstance(self.screen, FleetScreen):
            return

        def keep(slot: int | None) -> None:
            if slot is not None:
                self.keep_bookmark(slot)

        self.push_screen(BookmarkPicker(place.line, self.bookmarks), keep)

    def action_open_bookmark(self, slot: int) -> None:
        """Open what a digit holds."""
        place = self.bookmarks[slot]
        if place is None:
            self.say(f"{slot} is empty" + self.say_keys(f"; {{app.bookmark}} {slot} keeps the view in front there"))
        else:
            self.open_place(place)
