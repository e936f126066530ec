"""The verbs about what an engine keeps: its database, figures, and the keys that memory is sealed with; part of the table in engine.model.commands."""

from __future__ import annotations

from engine.model.verbs import Command, Danger, Role, arg, verb


@verb
class BackUpFleet(Command):
    """Write a whole copy of the database while the engine goes on."""

    name = "fleet.backup"
    verb = "backup"
    help = "Write a whole, checked copy of the database; the engine goes on"
    role = Role.ADMIN
    danger = Danger.NONE
    irreversible = "the fleet is not changed; delete the file when it is not wanted"

    file: str = arg("where to; empty = a new file in backups/ of the state directory", default="")
    force: bool = arg("replace an older backup that lies there", default=False, option=True)


@verb
class RecordMetric(Command):
    """Keep a figure that the engine does not measure itself."""

    name = "metric.record"
    verb = "record-metric"
    help = "Record a figure of your own: recorded.NAME, for charts, alert rules and /metrics"
    danger = Danger.NONE
    irreversible = "a figure that was measured stays in the history; the next one takes its place"
    is_audited = False

    metric: str = arg("its name: letters, digits, _, - and .")
    value: float = arg("the figure, in its base unit")
    source: str = arg("what it is about, such as a pool; one series each", default="", option=True)
    at: float = arg("when it was measured, as seconds since 1970; 0 = now", default=0.0, ge=0, unit="s", option=True)


BASELINE_MAX_S = 3 * 86_400.0
"""Longest span of a baseline: reports read spans up to here by the minute."""


@verb
class SaveBaseline(Command):
    """Keep what was measured in a span under a name; reports compare later spans with it."""

    name = "baseline.save"
    verb = "save-baseline"
    help = "Keep what was measured under a name, to compare reports with"
    danger = Danger.NONE
    irreversible = "the fleet is not changed; delete-baseline removes it"

    baseline: str = arg("name of the new baseline, such as before-upgrade")
    last_s: float = arg("how far back it reaches", default=86_400.0, ge=60, le=BASELINE_MAX_S, unit="s", option=True)


@verb
class DeleteBaseline(Command):
    """Remove a baseline."""

    name = "baseline.delete"
    verb = "delete-baseline"
    help = "Remove a baseline; the history itself stays"
    danger = Danger.DESTRUCTIVE
    irreversible = "what it was made of is kept for 30 days: a later one of the same span can be saved only until then"

    baseline: str = arg("baseline to remove")


@verb
class RotateKeys(Command):
    """Seal what is stored from now on with new keys."""

    name = "memory.rotate"
    verb = "rotate"
    help = "Seal what memory stores from now on with new keys; what is there stays readable"
    role = Role.ADMIN
    danger = Danger.NONE
    irreversible = "older keys stay and open what they sealed; nothing is lost"
