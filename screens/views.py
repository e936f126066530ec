"""Which screen a view's name opens; screens are imported when they are first opened."""

from __future__ import annotations

import importlib
from typing import cast

from screens.base import FleetScreen
from screens.commandline import FILTERED
from screens.places import Place

_CLASSES = {
    "pulse": ("screens.pulse", "PulseScreen"),
    "pools": ("screens.pools", "PoolsScreen"),
    "agents": ("screens.agents", "AgentsScreen"),
    "tasks": ("screens.tasks", "TasksScreen"),
    "hosts": ("screens.hosts", "HostsScreen"),
    "engines": ("screens.engines", "EnginesScreen"),
    "regions": ("screens.regions", "RegionsScreen"),
    "plugins": ("screens.plugins", "PluginsScreen"),
    "bookmarks": ("screens.bookmarks", "BookmarksScreen"),
    "events": ("screens.events", "EventsScreen"),
    "plans": ("screens.plans", "PlansScreen"),
    "audit": ("screens.audit", "AuditScreen"),
    "can-i": ("screens.can_i", "CanIScreen"),
    "conflicts": ("screens.conflicts", "ConflictsScreen"),
    "runs": ("screens.runs", "RunsScreen"),
    "keys": ("screens.key_view", "KeysScreen"),
    "ctx": ("screens.contexts", "ContextsScreen"),
    "inbox": ("screens.inbox", "InboxScreen"),
    "reviews": ("screens.reviews", "ReviewsScreen"),
    "scaler": ("screens.scaler", "ScalerScreen"),
    "policies": ("screens.scaler", "PoliciesScreen"),
    "optimize": ("screens.optimize", "OptimizeScreen"),
    "gangs": ("screens.gangs", "GangsScreen"),
    "alerts": ("screens.alerts", "AlertsScreen"),
    "rules": ("screens.alerts", "RulesScreen"),
    "silences": ("screens.alerts", "SilencesScreen"),
    "channels": ("screens.alerts", "ChannelsScreen"),
    "notifications": ("screens.alerts", "NotificationsScreen"),
    "dead-events": ("screens.dead_events", "DeadEventsScreen"),
    "votes": ("screens.votes", "VotesScreen"),
    "routes": ("screens.routes", "RoutesScreen"),
    "swarms": ("screens.swarms", "SwarmsScreen"),
    "sessions": ("screens.swarms", "SessionsScreen"),
    "cost": ("screens.costs", "CostScreen"),
    "report": ("screens.report", "ReportScreen"),
    "trends": ("screens.trends", "TrendsScreen"),
    "dash": ("screens.dash", "DashScreen"),
    "heatmap": ("screens.heatmap", "HeatmapScreen"),
    "topology": ("screens.topology", "TopologyScreen"),
    "xray": ("screens.xray", "XrayScreen"),
    "memory": ("screens.memory", "MemoryScreen"),
    "booster": ("screens.booster", "BoosterScreen"),
    "skin": ("screens.skin", "SkinScreen"),
    "help": ("screens.help", "HelpScreen"),
}


def open_screen(place: Place) -> FleetScreen:
    """Return a new screen of a view as its place says; one that is no table takes only a text: what to find, or to explain."""
    module, name = _CLASSES[place.view]
    kind = getattr(importlib.import_module(module), name)
    return cast("FleetScreen", kind(place=place) if place.view in FILTERED else kind(place.filter_text or place.scope))
