"""The contexts of a real console: found by console.toml and by what runs, connected through the remote operator.

Owner: nobody changes it; the file is read anew whenever contexts are listed, so that an entry needs no new console.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from engine.api.client import Caller, RemoteOperator, connect
from engine.clock import Clock
from engine.operations import Operator
from fleet_tui.console import Opening
from fleet_tui.contexts import Context, address_of, list_contexts, mode_in
from fleet_tui.preferences import load_preferences
from fleet_tui.probes import ANSWER_S
from fleet_tui.settings import Remote
from fleet_tui.skins import Skin, make_skin
from screens.feed import Connect

CONNECT_S = 5.0


class Contexts:
    """What a console may look at, as whom it was opened."""

    def __init__(self, opening: Opening, caller: Caller, clock: Clock) -> None:
        self.home = opening.context
        self._opening = opening
        self._caller = caller
        self._clock = clock

    def contexts(self) -> Sequence[Context]:
        """Return all there are now, home first. Blocks for reading some small files. Raises UsageError."""
        preferences = load_preferences()
        listed = list_contexts(self.home.paths, preferences, os.environ)
        return [replace(context, name=self.home.name) if context.is_same(self.home) else context for context in listed]

    def connect(self, context: Context) -> Connect:
        """Return how the feed of a context is connected, anew after each loss."""

        @asynccontextmanager
        async def connected() -> AsyncIterator[Operator]:
            async with self._operator(context, CONNECT_S) as operator:
                yield operator

        return connected

    def probe(self, context: Context) -> RemoteOperator:
        """Return a connection that gives up soon."""
        return self._operator(context, ANSWER_S)

    def skin(self, context: Context) -> Skin:
        """Return what the theme of a context is chosen by; one of its own goes above the command line's, which is of home."""
        wished = self._opening.theme if context is self.home or not context.look.theme else ""
        return make_skin(self._opening.preferences, context.look, wished, os.environ)

    def _operator(self, context: Context, timeout_s: float) -> RemoteOperator:
        is_home = context.is_same(self.home) and not context.problem
        address = self._opening.attached.socket if is_home and context.paths.remote is None else address_of(context)
        token = address.read_token() if isinstance(address, Remote) else ""
        # What was typed for the fleet here, `--write` above all, is not meant for another one.
        typed = self._caller.mode if is_home or self._caller.mode == "read-only" else ""
        caller = replace(self._caller, token=token, mode=mode_in(context, typed))
        return connect(str(address), clock=self._clock, caller=caller, timeout_s=timeout_s)
