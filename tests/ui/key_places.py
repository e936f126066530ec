"""Where somebody may be in the console, and an app that writes down which actions keys reach instead of acting."""

from __future__ import annotations

import asyncio
import string
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from engine.model.editing import Editable, EditField
from engine.model.memory import EntryId
from engine.model.memory_commands import RememberEntry
from engine.model.pool_commands import PausePool
from fleet_tui.app import FleetApp
from fleet_tui.typeahead import TypeAhead
from screens.conflict_details import ConflictDetails
from screens.dialogs import QuitDialog, RunDialog, ScaleDialog
from screens.editing import EditForm, Editing
from screens.export_dialog import ExportDialog, subject_of
from screens.keys import CONTEXTS
from screens.memory_found import FoundDetails
from screens.plan_dialog import PlanDialog
from screens.small import TooSmall
from screens.things import open_thing
from textual import events
from textual.dom import DOMNode
from textual.keys import key_to_character
from textual.message import Message
from textual.screen import Screen

from tests.ui.fleet import Seat
from tests.ui.memory_fleet import in_conflict

Reached = tuple[DOMNode, str, tuple[Any, ...]]
"""The node that would act, the action and its parameters."""

NAMED_KEYS = ["escape", "enter", "tab", "shift+tab", "space", "backspace", "delete", "insert", "home", "end", "pageup", "pagedown", "up", "down", "left", "right"]
EVERY_KEY = (
    *NAMED_KEYS,
    *string.ascii_letters,
    *string.digits,
    *(f"f{number}" for number in range(1, 13)),
    *(f"ctrl+{letter}" for letter in string.ascii_lowercase),
    *(f"alt+{letter}" for letter in string.ascii_lowercase),
    *(f"{modifier}+{key}" for modifier in ("ctrl", "shift") for key in NAMED_KEYS[8:]),
    "ctrl+@", "ctrl+space", "ctrl+backslash", "ctrl+underscore", "ctrl+right_square_bracket", "ctrl+circumflex_accent",
    "colon", "semicolon", "comma", "full_stop", "slash", "backslash", "minus", "plus", "equals_sign", "underscore", "asterisk",
    "question_mark", "exclamation_mark", "greater_than_sign", "less_than_sign", "left_square_bracket", "right_square_bracket",
    "left_parenthesis", "right_parenthesis", "left_curly_bracket", "right_curly_bracket", "at", "number_sign", "dollar_sign",
    "percent_sign", "ampersand", "apostrophe", "quotation_mark", "grave_accent", "circumflex_accent", "vertical_line", "tilde",
)  # fmt: skip
"""What a terminal can send."""


class Passed(Message):
    """Follows a key from what has the focus up from parent to parent, and does nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.prevent_default()
        self.is_up = asyncio.Event()


class Recorder(FleetApp):
    """Once told to, writes down what keys reach and does none of it."""

    reached: list[Reached] | None = None

    async def press(self, key: str) -> None:
        """Press a key, and wait until it has gone from the app to what has the focus, and up again."""
        self.post_message(events.Key(key, key_to_character(key)))
        self._passed = Passed()
        self.call_later(self._send_after)
        async with asyncio.timeout(60):
            await self._passed.is_up.wait()

    def _send_after(self) -> None:
        (self.focused or self.screen).post_message(self._passed)

    async def _on_message(self, message: Message) -> None:
        await super()._on_message(message)
        if isinstance(message, Passed):
            message.is_up.set()

    async def on_event(self, event: events.Event) -> None:
        """Let keys in at once: each is waited for by who presses it."""
        await super(TypeAhead, self).on_event(event)

    async def _dispatch_action(self, namespace: DOMNode, action_name: str, params: Any) -> bool:
        if self.reached is None:
            return await super()._dispatch_action(namespace, action_name, params)
        self.reached.append((namespace, action_name, params))
        return True


async def reach(seat: Seat, keys: Mapping[str, object] | tuple[str, ...]) -> dict[str, list[Reached]]:
    """Press keys one after the other and return what each reached."""
    app = seat.app
    assert isinstance(app, Recorder)
    found: dict[str, list[Reached]] = {}
    for key in keys:
        app.reached = found[key] = []
        await app.press(key)
    app.reached = None
    return found


async def _document(seat: Seat, screen: Screen[Any]) -> None:
    seat.app.push_screen(screen)
    await seat.read()


async def _agent(seat: Seat) -> None:
    await _document(seat, open_thing("agents", next(iter(seat.fleet.state.agents))))


async def _task(seat: Seat) -> None:
    await _document(seat, open_thing("tasks", next(iter(seat.fleet.state.tasks))))


async def _plan(seat: Seat) -> None:
    await _document(seat, open_thing("plans", next(iter(seat.app.feed.tables["plans"]))))


async def _entry(seat: Seat) -> None:
    await seat.fleet.gate.execute([RememberEntry("plan", "[1]")])
    await _document(seat, open_thing("memory", f"default/{seat.fleet.gate.origin.who}/plan"))  # type: ignore[attr-defined]


async def _conflict(seat: Seat) -> None:
    await in_conflict(seat.fleet, "plan", "[1]", b"[2]")
    await _document(seat, ConflictDetails("default/root/plan#life_z.1"))


async def _version(seat: Seat) -> None:
    mine = EntryId("default", seat.fleet.gate.origin.who, "plan")  # type: ignore[attr-defined]
    if not seat.fleet.world.memory.shelf.heads([mine]).get(mine):
        await seat.fleet.gate.execute([RememberEntry("plan", "[1]")])
    await _entry(seat)
    await seat.press("tab")
    await seat.until(lambda: "ver  changed" in seat.text)
    await seat.press("enter")
    await seat.until(lambda: seat.screen.NAME == "version")
    await seat.read()


async def _command_line(seat: Seat) -> None:
    seat.app.type_line("")


async def _filter(seat: Seat) -> None:
    await seat.open("agents")
    seat.screen.action_filter()


async def _choice(seat: Seat) -> None:
    await seat.open("agents")
    await _call(seat, seat.screen.action_sort)


async def _push(seat: Seat, screen: Screen[Any]) -> None:
    await seat.app.push_screen(screen)


async def _shrink(seat: Seat) -> None:
    await seat.pilot.resize_terminal(30, 8)
    await seat.until(lambda: isinstance(seat.screen, TooSmall))


async def _no_answer(_changes: dict[str, Any]) -> list[str]:
    return []


def _editing() -> Editing:
    thing = Editable("policies", "a", (EditField("target", "number", 1.0, 0.0, "what to aim for"),))

    async def read_again() -> Editable:
        return thing

    return Editing("a thing", thing, read_again, _no_answer)


async def _agree(seat: Seat, *, refused: str = "") -> None:
    command = PausePool("coder")
    plan = await seat.fleet.gate.plan([command])
    await _push(seat, PlanDialog(replace(plan, refused=refused), command, seat.app.glyphs))


GO: dict[str, Callable[[Seat], Awaitable[None]]] = {
    "pool": lambda seat: _document(seat, open_thing("pools", "coder")),
    "host": lambda seat: _document(seat, open_thing("hosts", next(iter(seat.fleet.state.hosts)))),
    "engine": lambda seat: _document(seat, open_thing("engines", next(iter(seat.app.feed.tables["engines"])))),
    "plugin": lambda seat: _document(seat, open_thing("plugins", next(iter(seat.app.feed.tables["plugins"])))),
    "region": lambda seat: _document(seat, open_thing("regions", next(iter(seat.app.feed.tables["regions"])))),
    "policy": lambda seat: _document(seat, open_thing("policies", "nobody")),
    "decision": lambda seat: _document(seat, open_thing("scaling", "coder")),
    "recommendation": lambda seat: _document(seat, open_thing("advice", "coder idle")),
    "review": lambda seat: _document(seat, open_thing("reviews", "tsk_1")),
    "gang": lambda seat: _document(seat, open_thing("gangs", "gng_1")),
    "vote": lambda seat: _document(seat, open_thing("proposals", "prp_1")),
    "swarm": lambda seat: _document(seat, open_thing("swarms", "swm_1")),
    "session": lambda seat: _document(seat, open_thing("sessions", "ssn_1")),
    "alert": lambda seat: _document(seat, open_thing("alerts", "alt_1")),
    "rule": lambda seat: _document(seat, open_thing("rules", "error-rate")),
    "silence": lambda seat: _document(seat, open_thing("silences", "sil_1")),
    "channel": lambda seat: _document(seat, open_thing("channels", "mail")),
    "notification": lambda seat: _document(seat, open_thing("notifications", "mail-1")),
    "dead event": lambda seat: _document(seat, open_thing("dead-events", "1-0")),
    "route": lambda seat: _document(seat, open_thing("routes", "coder")),
    "audit line": lambda seat: _document(seat, open_thing("audit", next(iter(seat.app.feed.tables["audit"])))),
    "event": lambda seat: _document(seat, open_thing("events", "ev_1")),
    "agent": _agent,
    "entry": _entry,
    "version": _version,
    "conflict": _conflict,
    "found": lambda seat: _push(seat, FoundDetails("plan")),
    "task": _task,
    "plan": _plan,
    "command line": _command_line,
    "filter": _filter,
    "dialog": lambda seat: _push(seat, ScaleDialog(["coder"])),
    "choice": _choice,
    "bookmark": lambda seat: _call(seat, seat.app.action_bookmark),
    "confirm": lambda seat: _push(seat, RunDialog("Lint", ["lint api.py"], 60, is_dangerous=False)),
    "plan to agree to": _agree,
    "answer": lambda seat: _agree(seat, refused="no"),  # without a field, into which typing would go
    "quit": lambda seat: _push(seat, QuitDialog(1, 1)),
    "export": lambda seat: _push(seat, ExportDialog(subject_of(seat.screen), "exports")),
    "form": lambda seat: _call(seat, lambda: seat.app.submit_task("coder")),
    "editing": lambda seat: _push(seat, EditForm(_editing())),
    "too small": _shrink,
    "palette": lambda seat: _call(seat, seat.app.action_command_palette),
}
"""How to get to the contexts that no word of the command line opens."""


async def _call(seat: Seat, act: Callable[[], None]) -> None:
    before = seat.screen
    act()
    await seat.until(lambda: seat.screen is not before)


async def go(seat: Seat, context: str) -> None:
    """Go somewhere; one of CONTEXTS."""
    assert context in CONTEXTS
    await (GO[context](seat) if context in GO else seat.open(context))
    await seat.pilot.pause()
