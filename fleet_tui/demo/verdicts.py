"""What became of the edits that reviewers voted on: values, and their lines in the report.

Owner: nobody; values and pure functions.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from engine.model.vote_words import Standing

ACCEPTED = Standing.ACCEPTED.value
REJECTED = (Standing.REJECTED.value, Standing.VETOED.value)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the vote on an edit stood when all its reviews had ended."""

    file: str
    function: str
    statements: int
    proposal: str
    standing: str
    """accepted, rejected, deadlocked, expired, open, or what an operator made of it."""
    why: str

    @property
    def word(self) -> str:
        """Return accepted, rejected or undecided."""
        return "accepted" if self.standing == ACCEPTED else "rejected" if self.standing in REJECTED else "undecided"


def verdict_lines(verdicts: Sequence[Verdict], shown_removals: int, width: int) -> list[str]:
    """Return the counts, and what was not accepted with why; nothing where nobody voted."""
    if not verdicts:
        return []
    counts = {word: sum(row.word == word for row in verdicts) for word in ("accepted", "rejected", "undecided")}
    unvoted = shown_removals - counts["accepted"]
    lines = [f"Votes of reviewers on {_edits(len(verdicts))}", "  " + ", ".join(f"{count:,} {word}" for word, count in counts.items())]
    if unvoted:
        lines.append(f"  not put to the vote: {_edits(unvoted)}")
    for row in sorted(verdicts, key=lambda row: (row.word, row.file, row.function)):
        if row.word != "accepted":
            lines.append(f"  {row.word}: remove {row.function}() from {row.file} ({row.proposal})")
            lines += textwrap.wrap(row.why, width, initial_indent="    ", subsequent_indent="    ", max_lines=3)
    return [*lines, ""]


def _edits(count: int) -> str:
    return f"{count:,} edit{'s' * (count != 1)}"
