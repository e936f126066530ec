"""Verbs that change no state of the fleet: nothing is decided, what they do is done beside it and told in words.

Owner: nobody; functions only.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.gate import backing, baselines, channel_rows, region_plans
from engine.gate.queries import Sources
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
from engine.model.plans import Origin
from engine.model.region_commands import FailBack, FailOver
from engine.model.verbs import Command

WORK = (SynchronizeMemory, RotateKeys, EraseOwner, RecordMetric, SaveBaseline, DeleteBaseline, TestChannel, RequeueNotifications, FailOver, FailBack)
"""Those that `carry_out` does; the others have more to answer than words."""
UNDECIDED = (StopEngine, BackUpFleet, *WORK)


async def carry_out(sources: Sources, commands: Sequence[Command], origin: Origin) -> str:
    """Do what a verb asks; return in words what came of it. Raises FleetError."""
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
