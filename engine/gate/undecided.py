"""Verbs that change no state of the fleet: nothing is decided, what they do is done beside it and told in words.

Owner: nobody; functions only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.gate import backing, baselines, channel_rows, dead_events, region_plans
from engine.gate.queries import Sources
from engine.model.bus_commands import DropEvents, ReplayEvents
from engine.model.channel_commands import RequeueNotifications, TestChannel
from engine.model.data_commands import (
    BackUpFleet,
    DeleteBaseline,
    RecordMetric,
    RotateKeys,
    SaveBaseline,
)
from engine.model.fleet_commands import StopEngine
from engine.model.memory_commands import EraseOwner, SynchronizeMemory
from engine.model.plans import Origin, PlanStep
from engine.model.region_commands import FailBack, FailOver
from engine.model.verbs import Command

WORK = (SynchronizeMemory, RotateKeys, EraseOwner, RecordMetric, SaveBaseline, DeleteBaseline, TestChannel, RequeueNotifications, ReplayEvents, DropEvents, FailOver, FailBack)
"""Those that `carry_out` does; the others have more to answer than words."""
UNDECIDED = (StopEngine, BackUpFleet, *WORK)
LOOK: Mapping[type[Command], str] = {
    SaveBaseline: "baseline list",
    DeleteBaseline: "baseline list",
    TestChannel: "get channels",
    RequeueNotifications: "get notifications",
    ReplayEvents: "get dead-events",
    DropEvents: "get dead-events",
    FailOver: "get regions",
    FailBack: "get regions",
}
"""Those whose second time is another one, or is refused because of the first; with the command that tells whether they were done."""
ALONE = tuple(kind for kind in UNDECIDED if kind not in (ReplayEvents, DropEvents))
"""Those that have a plan to themselves."""


def describe(sources: Sources, commands: Sequence[Command]) -> list[PlanStep] | None:
    """Return what verbs would do that are about channels, regions or dead events; None for all others. Raises NotFound, CommandRefused."""
    if channel_rows.is_about_channels(commands[0]):
        return [channel_rows.describe(sources.notifier, command) for command in commands]
    if region_plans.is_about_regions(commands[0]):
        return [region_plans.describe(sources.regions, command) for command in commands]
    if dead_events.are_about_dead_events(commands):
        return [dead_events.describe(sources.feed.dead_events, command) for command in commands]
    return None


async def carry_out(sources: Sources, commands: Sequence[Command], origin: Origin) -> str:
    """Do what a verb asks; return in words what came of it. Raises FleetError."""
    if dead_events.are_about_dead_events(commands):
        return await dead_events.carry_out(sources.feed.dead_events, commands)
    [command] = commands
    if isinstance(command, RecordMetric):
        return baselines.record(sources.history, command)
    if isinstance(command, SaveBaseline | DeleteBaseline):
        return await baselines.carry_out(sources.history, command, origin.who)
    if isinstance(command, RotateKeys | EraseOwner | SynchronizeMemory):
        return await backing.work(sources, command, origin)
    if isinstance(command, FailOver | FailBack):
        return await region_plans.carry_out(sources.regions, command)
    return await channel_rows.carry_out(sources.notifier, command, origin.who)
