"""The home screen in words: what needs somebody, how pools stand, and what the last minute was like; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from engine.model.alert_rows import AlertRow
from engine.model.budget_rows import BudgetRow
from engine.model.channel_rows import ChannelRow
from engine.model.fields import error_of, standing_of
from engine.model.filters import quote_value
from engine.model.question_rows import QuestionRow
from engine.model.review_rows import ReviewRow
from engine.model.rows import BoosterRow, FleetStatus, HostRow, PoolRow, TaskRow
from engine.model.tasks import SAMPLER
from engine.model.vote_rows import ProposalRow
from screens.history import SAMPLES, SPAN_S
from screens.present import (
    BUDGET_BADGES,
    CHANNEL_BADGES,
    HEALTH_BADGES,
    POOL_BADGES,
    SEVERITY_BADGES,
    TASK_BADGES,
    VOTE_BADGES,
    badge,
    count,
    megabytes,
    meter_cell,
    number_cell,
    plural,
    rest_age,
    unknown,
)
from screens.present_rows import METER_WIDTH, Sorted, pool_state_cell, size_cell
from screens.widgets.bars import draw_sparkline
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column

# ---- the last minute


def spark_cell(values: Sequence[int | None], glyphs: Glyphs) -> Cell:
    """Return a load as bars, scaled from 0 to its own greatest; blank where it was not seen, and while there was none at all.

    Where it is to be read aloud: what it was last, and at most.
    """
    known = [value for value in values if value is not None]
    if not any(known):
        return Cell("")  # thirty empty bars in every pool at rest are noise, and bytes while they come in
    if glyphs.is_plain:
        return Cell(f"last {known[-1]}, at most {max(known)}", "accent")
    bars = iter(draw_sparkline(known, len(known), scale=(0, max(known)), spark=glyphs.spark)[0])
    return Cell("".join(" " if value is None else next(bars) for value in values), "accent")


# ---- what needs somebody


class Need(NamedTuple):
    """One thing that needs somebody, and the command line that shows it."""

    id: str
    what: Cell
    why: str
    at: float
    """Since when, in epoch seconds; 0 = not known."""
    view: str
    """`task`, `vote`, `alert`, `channel`, or a view with its scope: where Enter leads."""
    thing: str = ""
    """The id of the one thing, else the scope."""


NEED_KINDS = ("pools", "tasks", "questions", "reviews", "budgets", "hosts", "boosters", "proposals", "alerts", "channels")
"""Kinds of rows among which something may need somebody."""

NEED_COLUMNS: tuple[Column, ...] = (
    Column("what", "needs somebody", width_min=30, width_max=48, flex=2),
    Column("why", "why", width_min=20, flex=3),
    Column("since", "for", width_min=4, align="right"),
)


def find_needs(status: FleetStatus, tables: Mapping[str, Mapping[str, object]], glyphs: Glyphs, *, me: str = "") -> list[Need]:
    """Return what needs somebody, the most pressing first; tasks of a pool that failed alike are one thing."""
    needs: list[Need] = []
    if status.read_only:
        needs.append(Need("engine", Cell("✕ engine is read-only" if not glyphs.is_ascii else "x engine is read-only", "bad"), status.read_only, 0.0, "audit"))
    if status.damage:
        needs.append(Need("damage", Cell("✕ the database is damaged" if not glyphs.is_ascii else "x the database is damaged", "bad"), status.damage, 0.0, "audit"))
    if status.differences:
        look = Cell("! agents are not as planned", "warn")
        needs.append(Need("differences", look, "; ".join(status.differences), 0.0, "agents"))
    needs += _question_needs(tables.get("questions", {}).values(), glyphs)
    alerts = _alert_needs(tables.get("alerts", {}).values(), glyphs)
    limits = _budget_needs(tables.get("budgets", {}).values(), glyphs)
    needs += limits["hard"] + _memory_needs(status) + alerts[CRITICAL]
    for host in tables["hosts"].values():
        if isinstance(host, HostRow) and host.health not in ("healthy", "unknown"):
            look = badge(HEALTH_BADGES, host.health, glyphs)
            needs.append(Need(host.id, Cell(f"{look.text} host {host.id}", look.role), host.evidence or plural(host.agents, "agent"), host.beat_at, "agents", f"host={quote_value(host.id)}"))
    for pool in tables["pools"].values():
        if isinstance(pool, PoolRow):
            needs += _pool_needs(pool, glyphs)
    for booster in tables.get("boosters", {}).values():
        if isinstance(booster, BoosterRow):
            needs += _booster_needs(booster, glyphs)
    needs += _review_needs(tables.get("reviews", {}).values(), glyphs)
    needs += limits["soft"] + alerts[WARNING] + _channel_needs(tables.get("channels", {}).values(), glyphs)
    return needs + _vote_needs(tables.get("proposals", {}).values(), glyphs, me) + _task_needs(tables["tasks"].values(), glyphs)


def _question_needs(rows: Iterable[object], glyphs: Glyphs) -> list[Need]:
    """Return what agents ask, the one that waits longest first."""
    sign = badge(TASK_BADGES, "needs_input", glyphs).text.partition(" ")[0]
    needs = []
    for row in sorted((row for row in rows if isinstance(row, QuestionRow)), key=lambda row: (row.asked_at, row.id)):
        what = f"{sign} {row.agent} asks{f' for {row.tool}' if row.tool else ''}: {row.title or row.task}"
        needs.append(Need(row.id, Cell(what, "warn"), row.text, row.asked_at, "task", row.task))
    return needs


def _review_needs(rows: Iterable[object], glyphs: Glyphs) -> list[Need]:
    """Return what waits for a review, of each pool as one thing, the one that waits longest first."""
    pools: dict[str, list[ReviewRow]] = {}
    for row in sorted((row for row in rows if isinstance(row, ReviewRow)), key=lambda row: (row.opened_at, row.id)):
        pools.setdefault(row.pool, []).append(row)
    sign = badge(TASK_BADGES, "needs_input", glyphs).text.partition(" ")[0]
    return [
        Need(f"reviews of {pool}", Cell(f"{sign} {plural(len(found), 'review')}: {pool}", "warn"), ", ".join(row.title or row.id for row in found[:3]), found[0].opened_at, "reviews", f"pool={quote_value(pool)}")
        for pool, found in pools.items()
    ]


def _budget_needs(rows: Iterable[object], glyphs: Glyphs) -> dict[str, list[Need]]:
    """Return the limits that are used up, and those of which little is left, by level; the newest first."""
    needs: dict[str, list[Need]] = {"hard": [], "soft": []}
    for row in rows:
        if isinstance(row, BudgetRow) and row.level in needs:
            look = badge(BUDGET_BADGES, row.level, glyphs)
            what = f"{look.text}: {row.limit} of {row.title or row.of}"
            needs[row.level].append(Need(row.id, Cell(what, look.role), row.reason, row.since, "cost"))
    return {level: sorted(found, key=lambda need: (-need.at, need.id)) for level, found in needs.items()}


def _vote_needs(votes: Iterable[object], glyphs: Glyphs, me: str) -> list[Need]:
    """Return the votes that wait for mine, those that ended with nothing decided, and what I wanted and others did not."""
    needs = []
    for vote in sorted((vote for vote in votes if isinstance(vote, ProposalRow)), key=lambda row: (row.state != "open", row.deadline, row.id)):
        look, mine = badge(VOTE_BADGES, vote.state, glyphs), vote.plan and vote.who == me
        if me and me in vote.waits_for.split(", "):
            needs.append(Need(vote.id, Cell(f"{look.text}, your vote: {vote.subject}", look.role), f"{vote.who} proposes it; {vote.reason}", vote.opened_at, "vote", vote.id))
        elif vote.state in ("deadlocked", "expired") or (mine and vote.state in ("rejected", "vetoed")):
            needs.append(Need(vote.id, Cell(f"{look.text}: {vote.subject}", look.role), vote.reason, vote.closed_at, "vote", vote.id))
        elif mine and vote.acted == "refused":
            needs.append(Need(vote.id, Cell(f"{look.text}, not done: {vote.subject}", "bad"), vote.reason, vote.closed_at, "vote", vote.id))
    return needs


CRITICAL, WARNING = "critical", "warning"


def _alert_needs(rows: Iterable[object], glyphs: Glyphs) -> dict[str, list[Need]]:
    """Return what fires and is nobody's, by how bad it is at worst: alerts of a rule and a pool are one thing; infos need nobody."""
    groups: dict[tuple[str, str], list[AlertRow]] = {}
    for row in rows:
        if isinstance(row, AlertRow) and standing_of(row) == "firing" and row.severity in (CRITICAL, WARNING):
            groups.setdefault((row.rule, row.pool), []).append(row)
    needs: dict[str, list[Need]] = {CRITICAL: [], WARNING: []}
    for group in groups.values():
        worst = min(group, key=lambda row: (row.severity != CRITICAL, row.fired_at))
        needs[worst.severity].append(_alert_need(group, worst, glyphs))
    return {severity: sorted(found, key=lambda need: -need.at) for severity, found in needs.items()}


def _alert_need(group: Sequence[AlertRow], worst: AlertRow, glyphs: Glyphs) -> Need:
    look = badge(SEVERITY_BADGES, worst.severity, glyphs)
    sign = "" if glyphs.is_plain else f"{look.text.partition(' ')[0]} "
    about = f"{worst.rule} {worst.pool}".strip()
    id_ = f"alert {about}"
    if len(group) == 1:
        return Need(id_, Cell(f"{sign}{about}", look.role), worst.message, worst.fired_at, "alert", worst.id)
    scope = f"rule={quote_value(worst.rule)} pool={quote_value(worst.pool)} standing=firing"
    return Need(id_, Cell(f"{sign}{plural(len(group), 'alert')} of {about}", look.role), worst.message, min(row.fired_at for row in group), "alerts", scope)


def _channel_needs(rows: Iterable[object], glyphs: Glyphs) -> list[Need]:
    """Return the channels through which nobody is told, and those that gave something up."""
    needs = []
    for row in rows:
        if not isinstance(row, ChannelRow) or not (row.state in ("failing", "unset") or row.parked):
            continue
        look = badge(CHANNEL_BADGES, "failing" if row.state == "ready" else row.state, glyphs)
        sign = "" if glyphs.is_plain else f"{look.text.partition(' ')[0]} "
        parked = f"{plural(row.parked, 'notification')} not delivered" if row.parked else ""
        why = "; ".join(part for part in (row.last_error, parked) if part)
        needs.append(Need(f"channel {row.id}", Cell(f"{sign}channel {row.id}{'' if row.state == 'ready' else f' {row.state}'}", look.role), why, row.last_error_at, "channel", row.id))
    return needs


def _memory_needs(status: FleetStatus) -> list[Need]:
    """Return what other engines disagree on, those that cannot be asked, and what they share when it is away."""
    needs = []
    if status.conflicts:
        what = Cell(f"! {plural(status.conflicts, 'entry')} of memory in conflict", "warn")
        needs.append(Need("conflicts", what, "written in two places: the version that lost is kept until somebody settles it", 0.0, "conflicts"))
    if status.peers_away:
        away = len(status.peers_away)
        what = Cell(f"! {plural(away, 'peer')} of memory away", "warn")
        needs.append(Need("peers", what, "; ".join(status.peers_away), 0.0, "conflicts"))
    if status.redis is not None and not status.redis.is_up:
        needs.append(Need("redis", Cell("! redis is away", "warn"), status.redis.reason, status.redis.since_at, "memory"))
    return needs


def _booster_needs(row: BoosterRow, glyphs: Glyphs) -> list[Need]:
    """Return what the booster did wrong: answers that differ from a regular agent's, then instances that failed."""
    look = badge(TASK_BADGES, "failed", glyphs).text.removesuffix("failed")
    needs = []
    if row.differences:
        what = Cell(f"{look}{plural(row.differences, 'answer')} of {row.id} differed", "bad")
        needs.append(Need(f"differs {row.id}", what, f"fleet-tui repeat {row.difference}" if row.difference else "neither answer could be kept", row.difference_at, "booster"))
    if row.failures:
        what = Cell(f"{look}{plural(row.failures, 'call')} of {row.id} failed", "bad")
        needs.append(Need(f"fails {row.id}", what, f"{row.last_error}; a regular agent did its task" if row.fallback else row.last_error, row.last_error_at, "booster"))
    return needs


def _pool_needs(pool: PoolRow, glyphs: Glyphs) -> list[Need]:
    needs = []
    if pool.failed_agents:
        look = badge(POOL_BADGES, "broken", glyphs)
        what = Cell(f"{look.text} {plural(pool.failed_agents, 'agent')} of {pool.id}", look.role)
        needs.append(Need(f"broken {pool.id}", what, pool.reason, 0.0, "agents", f"pool={quote_value(pool.id)} status=failed"))
    if pool.paused:
        look = badge(POOL_BADGES, "paused", glyphs)
        why = f"{plural(pool.pending - pool.blocked, 'task')} queued; f on the pool unpauses it"
        needs.append(Need(f"paused {pool.id}", Cell(f"{look.text} pool {pool.id}", look.role), why, pool.oldest_pending_at, "pools", f"id={quote_value(pool.id)}"))
    return needs


def _task_needs(tasks: Iterable[object], glyphs: Glyphs) -> list[Need]:
    alike: dict[tuple[str, str, str], list[TaskRow]] = {}
    for task in tasks:
        if isinstance(task, TaskRow) and task.state in ("failed", "dead") and task.submitted_by != SAMPLER:
            alike.setdefault((task.pool, task.state, error_of(task)), []).append(task)
    needs = [_group_need(group, glyphs) for group in alike.values()]
    return sorted(needs, key=lambda need: -need.at)


def _group_need(group: Sequence[TaskRow], glyphs: Glyphs) -> Need:
    """Return one need for tasks of a pool that ended alike: the task itself, or how many there are."""
    newest = max(group, key=lambda task: task.finished_at)
    look = badge(TASK_BADGES, newest.state, glyphs)
    if len(group) == 1:
        return Need(newest.id, Cell(f"{look.text} {newest.title or newest.id}", look.role), newest.reason, newest.finished_at, "task", newest.id)
    kind = error_of(newest)
    why = newest.reason if len({task.reason for task in group}) == 1 else f"{newest.reason} (the newest)"
    scope = f"pool={quote_value(newest.pool)} state={newest.state} error={quote_value(kind)}"
    what = Cell(f"{look.text.partition(' ')[0]} {len(group):,} tasks of {newest.pool} {newest.state}", look.role)
    return Need(scope, what, why, newest.finished_at, "tasks", scope)


def need_cells(need: Need, now: float, glyphs: Glyphs) -> Cells:
    """Return the cells of one need."""
    return need.what, need.why, rest_age(now - need.at) if need.at else unknown(glyphs)


def health_parts(status: FleetStatus, needs: int) -> list[Cell | str]:
    """Return the fleet's health in words."""
    agents = f"{plural(status.agents.total, 'agent')}, {status.agents.by_status.get('idle', 0):,} free"
    if not needs:
        return [agents, Cell("nothing needs you", "good")]
    return [agents, Cell(f"{count(needs)} {'thing needs' if needs == 1 else 'things need'} you", "bad")]


# ---- pools

PULSE_COLUMNS: tuple[Sorted, ...] = (
    (Column("pool", "pool", width_min=14), lambda r: r.id),
    (Column("free", "free", width_min=7, align="right"), lambda r: r.idle),
    (Column("queue", "queue", width_min=5, align="right"), lambda r: r.pending - r.blocked),
    (Column("blocked", "blocked", width_min=7, align="right", priority=5), lambda r: r.blocked),
    (Column("use", "in use", width_min=METER_WIDTH), lambda r: r.busy / r.agents if r.agents else -1.0),
    (Column("load", f"queued+running, {SPAN_S:.0f} s", width_min=SAMPLES, priority=1), lambda r: r.pending - r.blocked + r.leased + r.running + r.needs_input),
    (Column("done", "done", width_min=5, align="right", priority=3), lambda r: r.succeeded),
    (Column("failed", "failed", width_min=6, align="right", priority=2), lambda r: r.failed + r.dead),
    (Column("state", "state", width_min=10, flex=1, priority=4), lambda r: r.reason),
)


def pulse_cells(row: PoolRow, load: Sequence[int | None], glyphs: Glyphs) -> Cells:
    """Return a pool in short: free of size, what is queued and what is blocked, use, the last minute, totals, state."""
    return (
        row.id,
        f"{row.idle}/{row.size}" if row.agents == row.size else Cell(f"{row.idle}/{size_cell(row, glyphs).text}", "accent"),
        number_cell(row.pending - row.blocked),
        number_cell(row.blocked),
        meter_cell(row.busy, row.agents, METER_WIDTH, glyphs),
        spark_cell(load, glyphs),
        number_cell(row.succeeded),
        number_cell(row.failed + row.dead, "bad"),
        pool_state_cell(row, glyphs),
    )


# ---- hosts


def hosts_parts(hosts: Sequence[HostRow], glyphs: Glyphs) -> list[Cell | str]:
    """Return the processes that carry agents in one line: how many, cores and memory in use, as far as measured."""
    if not hosts:
        return [Cell("no process carries agents", "dim")]
    measured = [host for host in hosts if host.cpu >= 0]
    parts: list[Cell | str] = [plural(len(hosts), "host")]
    if measured:
        cores = sum(host.cpu for host in measured)
        parts.append(f"cpu {cores:.1f} cores" if cores >= 0.1 else "cpu <0.1 cores")
        parts.append(f"memory {megabytes(sum(host.rss_mb for host in measured))}")
    else:
        parts.append(Cell("cpu and memory not measured yet", "dim"))
    if measured and len(measured) < len(hosts):
        parts.append(Cell(f"{len(hosts) - len(measured)} not measured", "dim"))
    return parts
