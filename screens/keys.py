"""The one table of keys: bindings, hints, `?`, the palette and the docs are made from it.

A scope is a view's name, or `app`, `screen` (every view), `table` (every table), `document` (every text). Keys of the
widgets themselves (moving, marking, scrolling) are listed here with `action` empty, for help and for the tests.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from textual.binding import Binding


@dataclass(frozen=True, slots=True)
class Key:
    """One binding: its id is stable and can be remapped."""

    id: str
    keys: str
    action: str
    label: str
    """One or two words for the hint line; empty = not hinted."""
    help: str
    scope: str
    is_eager: bool = False
    """Acted on before the next key is looked at, since it opens something that the next keys are meant for."""


KEYS: tuple[Key, ...] = (
    # everywhere
    Key("app.command", "colon", "command_line", "command", "command line: a view, or any verb with its arguments", "app", is_eager=True),
    Key("app.help", "question_mark", "help", "keys", "keys of this view", "app"),
    Key("app.palette", "ctrl+p", "command_palette", "", "palette of views and verbs", "app"),
    Key("app.home", "0", "view('pulse')", "", "home: the pulse of the fleet", "app"),
    Key("app.history_back", "left_square_bracket", "history(-1)", "", "view before this one", "app"),
    Key("app.history_forward", "right_square_bracket", "history(1)", "", "view after this one", "app"),
    Key("app.last_view", "minus", "last_view", "", "the other view", "app"),
    Key("app.undo", "u", "undo", "undo", "undo my last plan, while its window is open", "app"),
    Key("app.redo", "U", "redo", "", "apply my last undone plan again", "app"),
    Key("app.submit", "n", "submit", "new task", "submit a task", "app"),
    Key("app.save", "ctrl+s", "save_picture", "", "save this screen as text and SVG", "app"),
    Key("app.theme", "ctrl+t", "next_theme", "", "next colour theme", "app"),
    Key("app.quit", "q", "leave", "quit", "leave; asks what becomes of the engine", "app"),
    Key("app.quit_now", "ctrl+c", "leave", "", "leave", "app"),
    # every view
    Key("screen.back", "escape", "back", "back", "clear the filter, then the marks, then go back", "screen"),
    Key("screen.pause", "p", "pause", "", "hold the view still; data keeps arriving", "screen"),
    Key("screen.redraw", "ctrl+r", "redraw", "", "read and draw everything anew", "screen"),
    # every table
    Key("table.filter", "slash", "filter", "filter", "filter: words, !not, -r regex, field=value, field>80, age<2h", "table", is_eager=True),
    Key("table.submit", "n", "submit_task", "new task", "submit a task", "table", is_eager=True),
    Key("table.sort", "S", "sort", "", "sort by the next column", "table"),
    Key("table.invert_sort", "I", "invert_sort", "", "turn the order round", "table"),
    Key("table.wide", "w", "wide", "", "all columns, or those that fit", "table"),
    Key("table.copy", "c", "copy", "", "copy the name (OSC 52, works over SSH)", "table"),
    Key("table.open", "enter", "", "open", "open the row", "table"),
    Key("table.up", "up,k", "", "", "row up", "table"),
    Key("table.down", "down,j", "", "", "row down", "table"),
    Key("table.page_up", "pageup,ctrl+b", "", "", "page up", "table"),
    Key("table.page_down", "pagedown,ctrl+f", "", "", "page down", "table"),
    Key("table.half_page_up", "ctrl+u", "", "", "half a page up", "table"),
    Key("table.first", "home,g", "", "", "first row", "table"),
    Key("table.last", "end,G", "", "", "last row", "table"),
    Key("table.left", "left", "", "", "columns to the left", "table"),
    Key("table.right", "right", "", "", "columns to the right", "table"),
    Key("table.mark", "space", "", "", "mark the row; verbs act on all marked rows", "table"),
    Key("table.mark_range", "ctrl+space,ctrl+@,V", "", "", "mark from the last mark to here", "table"),
    Key("table.invert_marks", "*", "", "", "marked becomes unmarked and the other way round", "table"),
    # pulse
    Key("pulse.open", "enter", "", "open", "open what needs you, or the agents of the pool or host", "pulse"),
    Key("pulse.next_list", "tab", "", "next list", "next list: needs, pools, hosts", "pulse"),
    Key("pulse.list_before", "shift+tab", "", "", "list before", "pulse"),
    Key("pulse.submit", "n", "submit_task", "new task", "submit a task", "pulse", is_eager=True),
    # pools
    Key("pools.scale", "s", "scale", "scale", "scale: 12, +3, -2, 150%, =min or =max", "pools", is_eager=True),
    Key("pools.more", "greater_than_sign", "stage(1)", "+1", "one agent more, staged: enter reviews, esc drops", "pools"),
    Key("pools.fewer", "less_than_sign", "stage(-1)", "-1", "one agent fewer, staged", "pools"),
    Key("pools.pause", "f", "freeze", "pause pool", "pause or resume placing tasks on the pool", "pools"),
    Key("pools.tasks", "t", "tasks", "tasks", "tasks of the pool", "pools"),
    Key("pools.describe", "d", "describe", "", "describe the pool", "pools"),
    Key("pools.why", "X", "why", "", "why is it as it is", "pools"),
    # agents
    Key("agents.drain", "ctrl+d", "drain", "drain", "drain: no more work, finish what it has; always shows the plan", "agents"),
    Key("agents.undrain", "D", "undrain", "", "give a drained agent work again", "agents"),
    Key("agents.restart", "r", "restart", "restart", "start anew when its task has ended", "agents"),
    Key("agents.unregister", "K", "unregister", "", "take out of the pool for good", "agents"),
    Key("agents.describe", "d", "describe", "", "describe the agent", "agents"),
    Key("agents.log", "l", "log", "log", "output of its task", "agents"),
    Key("agents.timeline", "T", "timeline", "", "what happened to it", "agents"),
    Key("agents.why", "X", "why", "", "why is it as it is", "agents"),
    # tasks
    Key("tasks.cancel", "x", "cancel", "cancel", "cancel: stops a running task in its process", "tasks"),
    Key("tasks.retry", "r", "retry", "retry", "run a failed, cancelled or dead task again", "tasks"),
    Key("tasks.raise", "greater_than_sign", "prioritise(1)", "", "priority of a waiting task one up", "tasks"),
    Key("tasks.lower", "less_than_sign", "prioritise(-1)", "", "priority of a waiting task one down", "tasks"),
    Key("tasks.describe", "d", "describe", "", "describe the task", "tasks"),
    Key("tasks.log", "l", "log", "log", "its output", "tasks"),
    Key("tasks.timeline", "T", "timeline", "", "what happened to it", "tasks"),
    Key("tasks.why", "X", "why", "why", "why it is where it is, or why it waits", "tasks"),
    Key("tasks.bad", "exclamation_mark", "only_bad", "", "only what failed, is dead or was cancelled", "tasks"),
    # plans
    Key("plans.undo", "u", "undo_this", "undo", "undo the plan that is pointed at", "plans"),
    Key("plans.redo", "U", "redo_this", "redo", "apply the undone plan again", "plans"),
    # events
    Key("events.find", "slash", "find", "find", "find text; lines around it stay", "events", is_eager=True),
    Key("events.next", "n", "", "", "next match", "events"),
    Key("events.previous", "N", "", "", "match before", "events"),
    Key("events.follow", "s", "", "follow", "follow the newest, or stop", "events"),
    Key("events.wrap", "w", "", "", "wrap long lines", "events"),
    # documents
    Key("document.find", "slash", "find", "find", "find text; lines around it stay", "document", is_eager=True),
    Key("document.next", "n", "next_match(1)", "", "next match", "document"),
    Key("document.previous", "N", "next_match(-1)", "", "match before", "document"),
    Key("document.tab", "tab", "next_tab(1)", "next tab", "next tab", "document"),
    Key("document.tab_back", "shift+tab", "next_tab(-1)", "", "tab before", "document"),
    Key("document.copy", "c", "copy", "copy", "copy the text (OSC 52)", "document"),
    Key("document.yaml", "y", "yaml", "", "as YAML", "document"),
)
"""Every key, most important first in each scope."""

EAGER_ACTIONS = frozenset(key.action for key in KEYS if key.is_eager)
"""They must be refused while somebody types into an input."""

SHOWN = {
    "colon": ":",
    "question_mark": "?",
    "slash": "/",
    "escape": "esc",
    "greater_than_sign": ">",
    "less_than_sign": "<",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "minus": "-",
    "exclamation_mark": "!",
    "space": "space",
    "ctrl+@": "ctrl+@",
}


def shown(keys: str) -> str:
    """Return how people read a binding's keys: `colon` is `:`."""
    return " ".join(SHOWN.get(key, key) for key in keys.split(","))


def keys_in(*scopes: str) -> list[Key]:
    """Return the keys that work in some scopes, the first scope's first; a key taken there hides later ones."""
    found: list[Key] = []
    taken: set[str] = set()
    for scope in (*scopes, "app"):
        mine = [key for key in KEYS if key.scope == scope and not taken.issuperset(key.keys.split(","))]
        found += mine
        taken.update(word for key in mine for word in key.keys.split(","))
    return found


def bindings_of(*scopes: str) -> Iterable[Binding]:
    """Return Textual bindings for the keys of some scopes that call an action."""
    return [
        Binding(key.keys, key.action, key.label or key.help, show=False, id=key.id, priority=key.is_eager)
        for key in KEYS
        if key.scope in scopes and key.action
    ]


def hints_of(*scopes: str) -> list[tuple[str, str]]:
    """Return (key, label) of what is worth a hint, the view's own first."""
    return [(shown(key.keys.split(",")[0]), key.label) for key in keys_in(*scopes) if key.label]
