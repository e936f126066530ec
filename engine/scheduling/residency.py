"""Whether a task may be kept in this region: the check of the write path, which no way of submitting goes around; pure."""

from __future__ import annotations

from engine.config import FleetManagerConfig
from engine.model.errors import CommandRefused, NotFound
from engine.model.task_commands import SubmitTask
from engine.model.wire import nearest


def check_residency(config: FleetManagerConfig, command: SubmitTask) -> None:
    """Raise CommandRefused for a task that is for another region, or about what may not be kept in this one; NotFound for an unknown region."""
    if not command.region and not command.residency:
        return
    if config.redis is None or not config.regions:
        raise CommandRefused("this fleet knows no regions, so nothing says what may be kept where; docs/regions.md says how to name them")
    own, sections = config.redis.region, config.regions
    if command.region and command.region not in sections:
        raise NotFound(f"no region {command.region!r}{nearest(command.region, set(sections))}; `get regions` lists them")
    target = command.region or own
    lacks = [tag for tag in command.residency if tag not in sections[target].residency]
    if lacks:
        fit = [name for name, section in sections.items() if set(command.residency) <= set(section.residency)]
        where = f"it may in {' and '.join(fit)}" if fit else "it may in no region"
        raise CommandRefused(f"residency: {', '.join(lacks)} may not be kept in {target} ([regions.{target}] residency); {where}; `get regions` says how they are. Nothing was kept")
    if target != own:
        raise CommandRefused(f"this is region {own}, and the task is for {target}: submit it there. Nothing was kept")
