"""`fleet-tui ctx`: every context and how its engine is, asked all at once.

Owner: nobody; one connection for each context, for as long as it takes to answer once.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Any

from engine.clock import SystemClock
from fleet_tui import output
from fleet_tui.acts import operator_at
from fleet_tui.contexts import VARIABLE, Context, address_of, find_context, list_contexts
from fleet_tui.preferences import load_preferences
from fleet_tui.probes import ANSWER_S, Probes
from screens.present_contexts import ContextRow

NUMBERS = ("agents", "busy", "running", "queued", "needs", "rtt_s", "version")


def show_contexts(name: str, form: str) -> None:
    """Print all contexts, or the one of a name; what is wrong in the file goes to stderr. Raises UsageError."""
    preferences = load_preferences()
    contexts = list_contexts(None, preferences, os.environ)
    if name:
        contexts = [find_context(name, contexts)]
    for problem in preferences.problems:
        output.say(f"warning: {problem}")
    rows = [to_plain(row) for row in ask(contexts)]
    if form == "json":
        output.print_json(rows)
    elif rows:
        output.print_lines(output.table("contexts", rows, now=SystemClock().now()))
    else:
        output.say("no engine of yours runs, and console.toml has no contexts; docs/console.md says how to write one")
    if rows and form != "json" and os.environ.get(VARIABLE):
        output.say(f"{VARIABLE} is {os.environ[VARIABLE]}: commands without --context are about that one")


def ask(contexts: Sequence[Context]) -> list[ContextRow]:
    """Return how each context is, within the time of the slowest one that answers."""
    probes = Probes(lambda context: operator_at(address_of(context), ANSWER_S), SystemClock())
    asyncio.run(probes.look(contexts))
    return [probes.row(context) for context in contexts]


def to_plain(row: ContextRow) -> dict[str, Any]:
    """Return a row as one flat object; what is not known is null."""
    figures = row.figures
    known = {name: getattr(figures, name) if figures else None for name in NUMBERS}
    return {"name": row.name, "where": row.where, "state": row.state, "read_only": row.is_read_only, **known, "error": row.error}
