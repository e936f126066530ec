"""Pure functions from rows to cells, badges and texts; no Textual app, no I/O, instants are passed in.

Here is what all kinds of rows share; `present_rows` has their tables, `present_pulse` the home, `present_text` documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from screens.widgets.bars import draw_meter
from screens.widgets.cells import UNICODE, Cell, Glyphs, Part

if TYPE_CHECKING:
    from engine.model.standing import Standing
    from screens.feed import Feed

UNKNOWN = Cell("–", "dim")
"""What is not known is never shown as 0."""
UNKNOWN_ASCII = Cell("-", "dim")
TOLD_LATE_S = 10.0
"""Age of what the engine that leads told, from which on it is said."""


# ---- numbers and times


def age(seconds: float) -> str:
    """Return a span in at most four characters: 0s, 59s, 3m, 2h, 4d."""
    whole = max(0, int(seconds))
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if whole >= size:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def rest_age(seconds: float) -> str:
    """Return the age of something at rest, in whole minutes: nobody counts its seconds, and a terminal at rest is sent none."""
    return age(seconds) if seconds >= 60 else "<1m"


def duration(seconds: float) -> str:
    """Return how long something took, in at most six characters: 12ms, 4.2s, 42s, 3m05s, 2h05m, 4d03h."""
    seconds = max(0.0, seconds)
    if seconds < 0.9995:
        return f"{seconds * 1_000:.0f}ms"
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole}s"
    for unit, size, part_unit, part_size in (("d", 86_400, "h", 3_600), ("h", 3_600, "m", 60), ("m", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // part_size
            return f"{whole // size}{unit}{rest:02d}{part_unit}" if whole < 100 * size else f"{whole // size}{unit}"
    return f"{whole}s"


def count(number: int) -> str:
    """Return a count in at most five characters: 999, 1.2k, 34k, 1.2M."""
    if number < 1_000:
        return str(number)
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if number >= size:
            value = number / size
            return f"{value:.1f}{unit}" if value < 10 else f"{int(value)}{unit}"
    return str(number)


def megabytes(number: float) -> str:
    """Return an amount of memory given in MB: 87 MB, 1.4 GB."""
    return f"{number:.0f} MB" if number < 1_000 else f"{number / 1_000:.1f} GB"


def byte_count(number: int) -> str:
    """Return a number of bytes: 87 B, 12 kB, 3.4 MB."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number >= size:
            value = number / size
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{number} B"


def clock_text(at: float) -> str:
    """Return the time of day of an instant in UTC, which is also what the engine logs."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")


def instant_text(at: float) -> str:
    """Return an instant as date and time in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def number_cell(number: int, role: str = "") -> Cell:
    """Return a count; a zero steps back, anything else plays the given part."""
    return Cell(count(number), role if number else "dim")


def unknown(glyphs: Glyphs) -> Cell:
    """Return the sign for what is not known."""
    return UNKNOWN_ASCII if glyphs.is_ascii else UNKNOWN


def plural(number: int, word: str) -> str:
    """Return `1 agent`, `2 agents`, `2 policies`."""
    if number != 1:
        word = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{number:,} {word}"


def arrow(glyphs: Glyphs) -> str:
    """Return the sign between before and after."""
    return "->" if glyphs.is_ascii else "→"


# ---- badges: a state by shape, by word and by colour


class Badge(NamedTuple):
    """How a state looks: one cell of shape, the same in ASCII, and the part it plays."""

    sign: str
    ascii: str
    role: str = ""
    word: str = ""
    """Shown in place of the state's own."""


AGENT_BADGES: dict[str, Badge] = {
    "starting": Badge("◌", ":", "dim"),
    "idle": Badge("○", "o"),
    "assigned": Badge("◔", "/", "accent"),
    "busy": Badge("●", "@", "accent"),
    "draining": Badge("◑", "(", "warn"),
    "drained": Badge("◇", "_", "warn"),
    "failed": Badge("✕", "x", "bad"),
}
TASK_BADGES: dict[str, Badge] = {
    "pending": Badge("·", "."),
    "leased": Badge("◔", "/", "accent"),
    "running": Badge("●", "@", "accent"),
    "needs_input": Badge("?", "?", "warn", "needs you"),
    "succeeded": Badge("✓", "+", "good"),
    "failed": Badge("✕", "x", "bad"),
    "dead": Badge("‡", "#", "bad"),
    "cancelled": Badge("−", "-", "dim"),
}
HEALTH_BADGES: dict[str, Badge] = {
    "healthy": Badge("✓", "+", "dim"),
    "slow": Badge("~", "~", "warn"),
    "suspect": Badge("?", "?", "warn"),
    "lost": Badge("✕", "x", "bad"),
    "unknown": Badge("–", "-", "dim"),
}
HOST_BADGES: dict[str, Badge] = {
    "cordoned": Badge("‖", "|", "warn"),
    "draining": Badge("↓", "v", "warn"),
    "drained": Badge("○", "o", "warn"),
}
"""Hosts that joined and take no agents."""
CONDITION_BADGES: dict[str, Badge] = {
    "healthy": Badge("✓", "+", "dim"),
    "degraded": Badge("▲", "!", "warn"),
    "unhealthy": Badge("✕", "x", "bad"),
}
ENGINE_BADGES: dict[str, Badge] = {
    "leads": Badge("●", "*", "good"),
    "stands by": Badge("○", "o", "dim"),
    "silent": Badge("?", "?", "warn"),
}
PLUGIN_BADGES: dict[str, Badge] = {
    "ready": Badge("✓", "+", "good"),
    "broken": Badge("✕", "x", "bad"),
    "off": Badge("−", "-", "dim"),
}
REGION_BADGES: dict[str, Badge] = {
    "healthy": Badge("●", "*", "good"),
    "silent": Badge("?", "?", "warn"),
    "cut off": Badge("▲", "!", "warn"),
    "down": Badge("✕", "x", "bad"),
    "unknown": Badge("○", "o", "dim"),
}
BUDGET_BADGES: dict[str, Badge] = {
    "open": Badge("●", "*", "good"),
    "soft": Badge("▲", "!", "warn", "little left"),
    "hard": Badge("✕", "x", "bad", "used up"),
}
LEVEL_BADGES: dict[str, Badge] = {
    "info": Badge("·", ".", "dim"),
    "warn": Badge("▲", "!", "warn"),
    "error": Badge("✕", "x", "bad"),
}
POOL_BADGES: dict[str, Badge] = {
    "broken": Badge("✕", "x", "bad"),
    "paused": Badge("‖", "=", "warn"),
    "waiting": Badge("◔", "/", "warn"),
    "starting": Badge("◌", ":", "dim"),
    "draining": Badge("◑", "(", "warn"),
    "busy": Badge("●", "@", "accent"),
    "idle": Badge("○", "o"),
    "empty": Badge("–", "-", "dim"),
}
VOTE_BADGES: dict[str, Badge] = {
    "open": Badge("●", "@", "accent"),
    "accepted": Badge("✓", "+", "good"),
    "rejected": Badge("✕", "x", "bad"),
    "vetoed": Badge("▼", "v", "bad"),
    "deadlocked": Badge("‡", "#", "warn"),
    "expired": Badge("◔", "/", "warn"),
    "withdrawn": Badge("−", "-", "dim"),
}
ALERT_BADGES: dict[str, Badge] = {
    "firing": Badge("●", "@", "bad"),
    "taken": Badge("◑", "(", "accent"),
    "pending": Badge("◔", "/", "warn"),
    "silenced": Badge("‖", "=", "dim"),
    "explained": Badge("◇", "_", "dim"),
    "resolved": Badge("✓", "+", "good"),
}
SEVERITY_BADGES: dict[str, Badge] = {
    "critical": Badge("✕", "x", "bad"),
    "warning": Badge("▲", "!", "warn"),
    "info": Badge("·", "."),
    "auto": Badge("~", "~"),
}
RULE_BADGES: dict[str, Badge] = {
    "firing": Badge("●", "@", "bad"),
    "pending": Badge("◔", "/", "warn"),
    "quiet": Badge("✓", "+", "good"),
    "unknown": Badge("–", "-", "dim"),
    "disabled": Badge("−", "_", "dim"),
}
CHANNEL_BADGES: dict[str, Badge] = {
    "ready": Badge("✓", "+", "good"),
    "failing": Badge("✕", "x", "bad"),
    "unset": Badge("?", "?", "warn"),
    "off": Badge("−", "-", "dim"),
}
LETTER_BADGES: dict[str, Badge] = {
    "waiting": Badge("◔", "/", "accent"),
    "sent": Badge("✓", "+", "good"),
    "parked": Badge("‡", "#", "bad"),
}
SWARM_BADGES: dict[str, Badge] = {
    "initializing": Badge("◌", ":", "dim"),
    "active": Badge("●", "@", "accent"),
    "paused": Badge("‖", "=", "warn"),
    "completed": Badge("✓", "+", "dim"),
    "failed": Badge("✕", "x", "bad"),
}
SESSION_BADGES: dict[str, Badge] = {
    "queued": Badge("·", "."),
    "splitting": Badge("◌", ":", "accent"),
    "working": Badge("●", "@", "accent"),
    "integrating": Badge("◑", "(", "accent"),
    "succeeded": Badge("✓", "+", "good"),
    "failed": Badge("✕", "x", "bad"),
    "cancelled": Badge("−", "-", "dim"),
    "interrupted": Badge("‖", "=", "warn"),
    "rolled-back": Badge("▼", "v", "warn"),
}
PART_BADGES: dict[str, Badge] = {
    "waiting": Badge("·", "."),
    "working": Badge("●", "@", "accent"),
    "reviewing": Badge("◑", "(", "accent"),
    "accepted": Badge("✓", "+", "good"),
    "failed": Badge("✕", "x", "bad"),
}
BADGES = {"agents": AGENT_BADGES, "tasks": TASK_BADGES, "health": HEALTH_BADGES, "levels": LEVEL_BADGES, "pools": POOL_BADGES, "votes": VOTE_BADGES, "alerts": ALERT_BADGES, "severities": SEVERITY_BADGES, "rules": RULE_BADGES, "channels": CHANNEL_BADGES, "letters": LETTER_BADGES, "swarms": SWARM_BADGES, "conditions": CONDITION_BADGES, "sessions": SESSION_BADGES, "parts": PART_BADGES, "engines": ENGINE_BADGES, "plugins": PLUGIN_BADGES, "regions": REGION_BADGES, "budgets": BUDGET_BADGES}
NO_BADGE = Badge("?", "?", "warn")
"""A word that this console does not know yet; the word itself is shown with it."""


def badge(badges: dict[str, Badge], word: str, glyphs: Glyphs = UNICODE) -> Cell:
    """Return a state as shape and word; as a word alone where it is to be read aloud."""
    look = badges.get(word, NO_BADGE)
    word = look.word or word
    if glyphs.is_plain:
        return Cell(word, look.role)
    return Cell(f"{look.ascii if glyphs.is_ascii else look.sign} {word}", look.role)


# ---- meters


def meter_cell(part: int, whole: int, width: int, glyphs: Glyphs) -> Cell:
    """Return how much of a whole is in use, as a bar with its percentage; unknown when there is no whole."""
    if whole <= 0:
        return unknown(glyphs)
    if not part:
        return Cell("0%".rjust(width), "dim")  # an empty bar in every idle row is noise
    if glyphs.is_plain:
        return Cell(f"{part / whole:.0%}".rjust(width), "accent")
    return Cell(draw_meter(part / whole, width, glyphs), "accent")


# ---- the context line


def standby_words(standing: Standing, now: float) -> str:
    """Say that an engine stands by, and how old is what the one that leads told, where that is no longer as good as new."""
    if standing.told_at is None or now - standing.told_at <= TOLD_LATE_S:
        return "STANDBY"
    return f"STANDBY figures {age(now - standing.told_at)} old" if standing.told_at else "STANDBY figures unknown"


def context_parts(feed: Feed, *, paused: bool) -> tuple[Sequence[Part], Sequence[Part]]:
    """Return the context line: which fleet and how much of it, and whether what is shown is current."""
    status = feed.status
    if status is None:
        return [Cell(f"@{feed.context}", "accent") if feed.context else "fleet-tui", Cell(feed.error or "connecting to the engine …", "warn")], []
    busy = sum(status.agents.by_status.get(kind, 0) for kind in ("assigned", "busy", "draining"))
    tasks = status.tasks.by_state
    bad = tasks.get("failed", 0) + tasks.get("dead", 0)
    blocked = sum(getattr(pool, "blocked", 0) for pool in feed.tables.get("pools", {}).values())
    running, queued = sum(tasks.get(state, 0) for state in ("running", "leased", "needs_input")), max(0, tasks.get("pending", 0) - blocked)
    left: list[Part] = [
        Cell(f"@{feed.context}" if feed.context else status.name, "accent"),
        f"{count(status.agents.total)} agents {count(busy)} busy",
        Cell(f"{count(bad)} task{'' if bad == 1 else 's'} failed" if bad else "", "bad"),
        f"{'' if bad else 'tasks '}{count(running)} running {count(queued)} queued" + (f" {count(blocked)} blocked" if blocked else ""),
    ]
    right: list[Part] = [Cell(f"! {feed.needs}", "warn")] if feed.needs else []
    if status.halted:
        right.append(Cell(f"HALTED {' '.join(halt.scope for halt in status.halted)}", "bad"))
    if status.standing is not None and not status.standing.leads:
        right.append(Cell(standby_words(status.standing, status.now), "warn"))
    if status.read_only:
        right.append(Cell(f"READ-ONLY {status.read_only}", "bad"))
    if feed.authority is not None and feed.authority.read_only:
        right.append(Cell("RO", "warn"))
    if paused:
        right.append(Cell("PAUSED", "warn"))
    stale = feed.stale_s()
    right.append(Cell(f"STALE {age(stale)}", "bad") if stale else Cell("LIVE", "good"))
    return left, right
