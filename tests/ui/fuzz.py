"""A seeded operator who presses anything: random keys, words, resizes, against a fleet that lives on.

What must hold is checked on the way: nothing is carried out that was not shown as a plan and agreed to, and what is on the
screen is what a fresh drawing of it shows. A failure names its seed and the last keys.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count, zip_longest
from typing import Any

from engine.model.fleet_commands import StopEngine
from engine.model.plans import Answer, Plan
from engine.model.verbs import Command
from engine.operations import Operator
from screens.dialogs import QuitDialog
from screens.plan_dialog import PlanDialog
from textual import events
from textual.command import CommandPalette
from textual.geometry import Size
from textual.keys import key_to_character
from textual.screen import Screen

from tests.ui.conftest import screen_text
from tests.ui.fleet import Fleet, Seat
from tests.ui.key_places import EVERY_KEY

SIZES = ((80, 24), (120, 40), (200, 60), (60, 20), (99, 30), (40, 12))
LINES = (
    "pulse", "pools", "agents", "tasks /running", "events", "plans", "audit", "help", "scaler", "policies", "booster", "keys",
    "scale coder +1", "pause tester", "unpause tester", "halt", "resume", "drain coder-1", "undrain coder-1", "restart coder-2", "hold coder 60",
    "submit code.outline coder", "undo", "redo", "cancel none", "agents /(", "nonsense", "scale coder", "edit-pool ui --changes {}",
    "agents coder /age<2h !x", "tasks /-r [", "tasks pool=coder state=failed,dead /-f ab", "hosts /cpu>80", "bookmark 3", "bookmarks",
    "tasks @prod", "agents @world",
)  # fmt: skip
LAST_KEYS = 40
TURNS_MAX = 200
HARMLESS = frozenset({"q", "ctrl+c", "ctrl+q"})
"""Keys that leave; pressing them would only end the test."""


async def settle(seat: Seat) -> None:
    """Let what was pressed take effect: until no node of the screen has a message left, for so many turns of the loop."""
    app = seat.app
    while app.is_acting and app.is_running:  # for at most as long as it holds keys
        await asyncio.sleep(0.001)  # noqa: ASYNC110, TID251  # until the screen is drawn, which goes by time
    for _ in range(TURNS_MAX):
        await asyncio.sleep(0)  # noqa: TID251  # a turn of the loop, no time
        nodes = (app, app.screen, *app.screen.walk_children())
        if all(node._message_queue is None or node._message_queue.empty() for node in nodes):
            await asyncio.sleep(0)  # noqa: TID251
            return


class Witness:
    """An operator that writes down which plans were shown, and refuses what was carried out without."""

    def __init__(self, operator: Operator, shown: set[str]) -> None:
        self._operator = operator
        self._shown = shown
        self.unconfirmed: list[object] = []
        self.carried_out = 0
        self.planned = ""
        """The newest plan; a dialog that opens now shows it."""

    async def plan(self, commands: Sequence[Command], *, reason: str = "") -> Plan:
        """Plan as the engine does."""
        plan = await self._operator.plan(commands, reason=reason)
        self.planned = str(plan.id)
        return plan

    async def execute(self, commands: Sequence[Command] | str, *, reason: str = "", **more: Any) -> Answer:
        """Carry out what was shown."""
        if isinstance(commands, str):
            if commands not in self._shown:
                self.unconfirmed.append(commands)
        elif not all(isinstance(command, StopEngine) for command in commands):
            self.unconfirmed.append(commands)
        self.carried_out += 1
        return await self._operator.execute(commands, reason=reason, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._operator, name)


class Fuzz:
    """One seeded run."""

    def __init__(self, fleet: Fleet, seed: int) -> None:
        self.seed = seed
        self.fleet = fleet
        self.chance = random.Random(seed)
        self.shown: set[str] = set()
        self.keys: deque[str] = deque(maxlen=LAST_KEYS)
        self.pressed = 0
        self.witness = Witness(fleet.gate, self.shown)
        self.screens: set[str] = set()
        fleet.connect = self._connect  # type: ignore[method-assign]

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator[Operator]:
        yield self.witness  # type: ignore[misc]

    def story(self) -> str:
        """Return what to say of a failure."""
        return f"seed {self.seed}; again: FUZZ_SEED={self.seed} pytest tests/ui/test_fuzz.py; the last keys: {' '.join(self.keys)}"

    async def run(self, seat: Seat, presses: int, *, check_every: int = 25) -> None:
        """Act until so many keys were pressed; who leaves, by the palette say, comes back at once."""
        seat.app.exit = lambda *_given, **_more: None  # type: ignore[method-assign]
        for number in count():
            if self.pressed >= presses:
                return
            await self._act(seat)
            assert seat.app.is_running, f"the console ended: {seat.app._exception!r}; {self.story()}"
            assert not self.witness.unconfirmed, f"carried out without a plan that was shown: {self.witness.unconfirmed}; {self.story()}"
            if number % check_every == 0:
                await self.look(seat)

    async def _act(self, seat: Seat) -> None:
        choice = self.chance.random()
        if choice < 0.02:
            width, height = self.chance.choice(SIZES)
            self.keys.append(f"[{width}x{height}]")
            seat.app.post_message(events.Resize(Size(width, height), Size(width, height)))
        elif choice < 0.06:
            await self._press(seat, "escape")
        elif choice < 0.10:
            await self._press(seat, "enter")
        elif choice < 0.14:
            await self._press(seat, "colon")
            for letter in self.chance.choice(LINES):
                await self._press(seat, {" ": "space", "/": "slash", "+": "plus", "-": "minus"}.get(letter, letter))
            await self._press(seat, "enter")
        else:
            await self._press(seat, self.chance.choice([key for key in EVERY_KEY if key not in HARMLESS]))
        if self.chance.random() < 0.2:
            self.fleet.clock.at += 1
            seat.tick()
            await settle(seat)
        self._note(seat.app.screen)

    async def press(self, seat: Seat, *keys: str) -> None:
        """Press keys one after the other."""
        for key in keys:
            await self._press(seat, key)

    async def _press(self, seat: Seat, key: str) -> None:
        self.keys.append(key)
        self.pressed += 1
        if isinstance(seat.app.screen, QuitDialog):
            key = "escape"
        seat.app.post_message(events.Key(key, key_to_character(key)))
        await settle(seat)
        self._note(seat.app.screen)

    def _note(self, screen: Screen[Any]) -> None:
        self.screens.add(type(screen).__name__)
        if isinstance(screen, PlanDialog):
            self.shown.add(self.witness.planned)

    async def look(self, seat: Seat) -> None:
        """Compare the screen, when it shows all that the engine has, with a fresh drawing of it."""
        await seat.current()
        await seat.pilot.pause()
        if isinstance(seat.app.screen, CommandPalette):
            return  # its entries come one by one
        before = screen_text(seat.app)
        for widget in seat.app.screen.walk_children(with_self=True):
            widget._clear_arrangement_cache() if hasattr(widget, "_clear_arrangement_cache") else None
            widget._set_dirty()
            widget.refresh(layout=True)  # type: ignore[attr-defined]
        await seat.pilot.pause()
        after = screen_text(seat.app)
        differing = [f"{old!r} should be {new!r}" for old, new in zip_longest(before.split("\n"), after.split("\n")) if old != new]
        assert not differing, f"a fresh drawing differs; {self.story()}\n" + "\n".join(differing)
