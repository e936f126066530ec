"""Why tasks that the booster was given were done by regular agents instead; pure."""

from __future__ import annotations

from engine.booster.book import BoosterBook
from engine.model.explanations import Evidence
from engine.model.modules import SHORT_HASH

REASONS_MAX = 8


def boosted_evidence(book: BoosterBook, fallback: str, now: float) -> list[Evidence]:
    """Return what was handed on and why, the most frequent first, and what keeps failing."""
    ranked = book.sums().handed_on.most_common()
    lines = [Evidence(f"{_tasks(count)} handed on: {reason}") for reason, count in ranked[:REASONS_MAX]]
    if len(ranked) > REASONS_MAX:
        lines.append(Evidence(f"{_tasks(sum(count for _, count in ranked[REASONS_MAX:]))} handed on for {len(ranked) - REASONS_MAX} more reasons"))
    if ranked and fallback:
        lines.append(Evidence(f"what it hands on goes to {fallback}", kind="pools", id=fallback))
    if not ranked:
        lines.append(Evidence("it has handed nothing on"))
    lines += [
        Evidence(f"{name} keeps failing and goes straight to regular agents for {until - now:.0f} s more", "warn") for name, until in book.breakers(now).items()
    ]
    lines += [Evidence(f"host {host} has not got the module {sha256[:SHORT_HASH]}: {why}", "warn", kind="hosts", id=host) for host, sha256, why in book.lacks()[:REASONS_MAX]]
    at, error = book.last_error
    if at:
        lines.append(Evidence(f"an instance last failed with {error}" + (f"; {book.reproducer} repeats it" if book.reproducer else ""), "error", at))
    return lines


def _tasks(number: int) -> str:
    return f"{number} task was" if number == 1 else f"{number} tasks were"
