"""Which document shows a thing of a kind; documents are imported when they are first opened."""

from __future__ import annotations

import importlib
from typing import cast

from screens.base import FleetScreen

_CLASSES = {
    "tasks": ("screens.work_details", "TaskDetails"),
    "agents": ("screens.work_details", "AgentDetails"),
    "reviews": ("screens.review_details", "ReviewDetails"),
    "pools": ("screens.pool_details", "PoolDetails"),
    "hosts": ("screens.pool_details", "HostDetails"),
    "engines": ("screens.engines", "EngineDetails"),
    "regions": ("screens.regions", "RegionDetails"),
    "plugins": ("screens.plugins", "PluginDetails"),
    "plans": ("screens.record_details", "PlanDetails"),
    "audit": ("screens.record_details", "AuditDetails"),
    "events": ("screens.record_details", "EventDetails"),
    "memory": ("screens.memory_details", "EntryDetails"),
    "policies": ("screens.scaler_details", "PolicyDetails"),
    "advice": ("screens.room_details", "RecommendationDetails"),
    "gangs": ("screens.room_details", "GangDetails"),
    "proposals": ("screens.vote_details", "VoteDetails"),
    "swarms": ("screens.swarm_details", "SwarmDetails"),
    "sessions": ("screens.swarm_details", "SessionDetails"),
    "alerts": ("screens.alert_details", "AlertDetails"),
    "rules": ("screens.alert_details", "RuleDetails"),
    "silences": ("screens.alert_details", "SilenceDetails"),
    "channels": ("screens.alert_details", "ChannelDetails"),
    "notifications": ("screens.alert_details", "NotificationDetails"),
    "dead-events": ("screens.dead_events", "DeadEventDetails"),
    "routes": ("screens.route_details", "RouteDetails"),
    "scaling": ("screens.scaler_details", "ScalingDetails"),
}
YAML_TAB = "yaml"
"""A document's tab with all that it is about, as plain values."""
DESCRIBED = tuple(_CLASSES)
"""Kinds of things that have a document."""


def open_thing(kind: str, id_: str, tab: str = "") -> FleetScreen:
    """Return the document of a thing that opens on a tab, its first one unless named."""
    module, name = _CLASSES[kind]
    return cast("FleetScreen", getattr(importlib.import_module(module), name)(id_, tab))
