"""Which screen a view's name opens; screens are imported when they are first opened."""

from __future__ import annotations

import importlib
from typing import cast

from screens.base import FleetScreen

_CLASSES = {
    "pulse": ("screens.pulse", "PulseScreen"),
    "pools": ("screens.pools", "PoolsScreen"),
    "agents": ("screens.agents", "AgentsScreen"),
    "tasks": ("screens.tasks", "TasksScreen"),
    "events": ("screens.events", "EventsScreen"),
    "plans": ("screens.plans", "PlansScreen"),
    "audit": ("screens.audit", "AuditScreen"),
    "keys": ("screens.key_view", "KeysScreen"),
    "scaler": ("screens.scaler", "ScalerScreen"),
    "policies": ("screens.scaler", "PoliciesScreen"),
    "help": ("screens.help", "HelpScreen"),
}


def open_screen(view: str, text: str = "") -> FleetScreen:
    """Return a new screen of a view; `text` is its filter (for help: the scope it explains)."""
    module, name = _CLASSES[view]
    kind = getattr(importlib.import_module(module), name)
    return cast("FleetScreen", kind(text))
