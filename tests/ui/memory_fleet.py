"""A fleet that remembers a bit of everything, with agents and operators as owners."""

from __future__ import annotations

import msgspec
from engine.model.memory import Dot, EntryId, Head, Level, Permissions
from engine.model.memory_commands import PermitEntry, RememberEntry
from engine.model.memory_events import MemoryConflicted
from engine.model.plans import Origin
from engine.model.replication import Carried
from engine.model.verbs import Role
from engine.simulation.world import ADA

from tests.ui.fleet import Fleet, Seat

CONFIG = {"fleet": {"default_pools": {"coder": {"min": 2, "max": 2}, "tester": {"min": 1, "max": 1}}}}
ROOT = Origin("root", "console", "", Role.ADMIN)
BOB = Origin("bob", "library", "", 1)
VIC = Origin("vic", "library", "", 0)
SECRET = "hush-hush"
PLAN = '{"goal": "ship the parser", "steps": ["read", "edit", "test"], "done": 1}'

ENTRIES = (
    RememberEntry("release plan", PLAN, level="team", tags=("plan", "parser"), owner="coder-1"),
    RememberEntry("style", "Nouns for things, verbs for functions.\nNo abbreviations.", level="swarm", kind="semantic", tags=("docs",), owner="coder-1"),
    RememberEntry("context of tsk_12", '{"file": "api.py", "line": 12}', kind="working", ttl=3600.0, owner="coder-2"),
    RememberEntry("outage of monday", '"the disk was full; logs were rotated"', kind="episodic", level="swarm", owner="tester-1"),
    RememberEntry("readme", "What the fleet remembers", level="public", namespace="docs", owner="tester-1"),
    RememberEntry("deploy key", SECRET, level="system"),
    RememberEntry("todo", '["rotate keys", "raise max of tester"]', ttl=86_400.0, owner="ada"),
)


async def remember(fleet: Fleet) -> None:
    """Store entries of every level and kind, half a minute apart."""
    await fleet.ready()
    gate = fleet.world.gate(ADA)
    for entry in ENTRIES:
        await gate.execute([entry])
        fleet.clock.at += 30
    await gate.execute([RememberEntry("release plan", PLAN.replace("1", "2"), owner="coder-1")], reason="edit is done")
    fleet.clock.at += 30
    await gate.execute([PermitEntry("todo", read=("bob", "tester-1"), write=("vic",))])
    fleet.clock.at += 30


async def open_memory(seat: Seat, line: str = "memory") -> None:
    """Open the view and wait until it has read."""
    await seat.open(line)
    await seat.until(lambda: seat.screen._is_read and not seat.screen._is_reading)


async def in_conflict(fleet: Fleet, key: str, value: str, lost: bytes) -> None:
    """Store an entry, unless it is there, and take in a version of it that another engine wrote at the same time."""
    id_, name = EntryId("default", "root", key), Dot("life_z", 1)
    if fleet.world.memory.shelf.heads([id_]).get(id_):
        return
    gate = fleet.world.gate(ROOT)
    await gate.execute([RememberEntry(key, value, level="swarm")])
    there = fleet.world.memory.shelf.heads([id_])[id_]
    loser = Head(id_, permissions=Permissions(Level.SWARM), version=1, updated_at=there.updated_at - 40, writer="zoe", size=len(lost), lineage=(name,))
    head = msgspec.structs.replace(there, rivals=(name,), heard=(name,))
    await fleet.world.coordinator.record([MemoryConflicted((head,), (Carried(loser, msgspec.Raw(lost)),))], ROOT)
