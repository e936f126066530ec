"""The verbs about what an engine keeps: its database, and the keys that memory is sealed with; part of the table in engine.model.commands."""

from __future__ import annotations

from dataclasses import dataclass

from engine.model.verbs import Command, Danger, Role, arg


@dataclass(frozen=True, slots=True)
class BackUpFleet(Command):
    """Write a whole copy of the database while the engine goes on."""

    name = "fleet.backup"
    verb = "backup"
    help = "Write a whole, checked copy of the database; the engine goes on"
    role = Role.ADMIN
    danger = Danger.NONE
    irreversible = "the fleet is not changed; delete the file when it is not wanted"

    file: str = arg("where to; empty = a new file in backups/ of the state directory", default="")


@dataclass(frozen=True, slots=True)
class RotateKeys(Command):
    """Seal what is stored from now on with new keys."""

    name = "memory.rotate"
    verb = "rotate"
    help = "Seal what memory stores from now on with new keys; what is there stays readable"
    role = Role.ADMIN
    danger = Danger.NONE
    irreversible = "older keys stay and open what they sealed; nothing is lost"
