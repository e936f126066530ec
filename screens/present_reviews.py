"""Reviews as cells, and a diff that is read line by line: what its author wrote cannot pass for something else; pure."""

from __future__ import annotations

from engine.model.review_rows import ReviewRow
from screens.present import (
    TASK_BADGES,
    age,
    badge,
    instant_text,
    number_cell,
    plural,
    rest_age,
    unknown,
)
from screens.present_rows import Sorted
from screens.present_text import DIFF_ROLES, Data, Lines, field_line, note, part
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column, right

LINE_MAX = 2_000
"""Characters of a line of a diff that are shown."""
PASSED = "passed"

REVIEW_COLUMNS: tuple[Sorted, ...] = (
    (Column("task", "task", width_min=28, flex=3), lambda r: r.title or r.id),
    (Column("pool", "pool", width_min=10, priority=3), lambda r: r.pool),
    (Column("ended", "task ended", width_min=11, priority=5), lambda r: r.ended),
    (right("commits", "commits", 7, 4), lambda r: r.commits),
    (right("files", "files", 5, 2), lambda r: r.files),
    (right("added", "+", 6, 0), lambda r: r.insertions),
    (right("deleted", "−", 6, 0), lambda r: r.deletions),
    (Column("check", "check", width_min=12, flex=2, priority=1), lambda r: (r.check == PASSED, r.check)),
    (right("age", "age", 4, 0), lambda r: -r.opened_at),
    (Column("onto", "into", width_min=8, priority=6), lambda r: r.onto),
    (Column("branch", "branch", width_min=24, priority=7), lambda r: r.branch),
    (Column("agent", "agent", width_min=10, priority=8), lambda r: r.agent),
)


def check_cell(check: str, glyphs: Glyphs) -> Cell:
    """Return how a pool's check ended."""
    if not check:
        return unknown(glyphs)
    return Cell(check, "good" if check == PASSED else "bad")


def review_cells(row: ReviewRow, now: float, glyphs: Glyphs) -> Cells:
    """Return a review's cells."""
    return (
        row.title or row.id,
        row.pool,
        badge(TASK_BADGES, row.ended, glyphs),
        number_cell(row.commits),
        number_cell(row.files),
        number_cell(row.insertions, "good"),
        number_cell(row.deletions, "bad"),
        check_cell(row.check, glyphs),
        rest_age(now - row.opened_at),
        row.onto or unknown(glyphs),
        Cell(row.branch, "dim"),
        row.agent or unknown(glyphs),
    )


def changes(data: Data) -> Lines:
    """Return the diff of a review in colours. Only a line feed ends a line: nothing else can make one look like two."""
    if data["diff"] is None:
        return note("the diff is kept no longer; git has it: " + _git_diff(data))
    lines: Lines = [(_changed(line),) for line in data["diff"].removesuffix("\n").split("\n")]
    if data["left_out"]:
        lines += [(), (Cell(f"{plural(data['left_out'], 'more line')} here: {_git_diff(data)}", "warn"),)]
    return lines


def _git_diff(data: Data) -> str:
    work = data["work"]
    return f"git -C {work['repository']} diff {work['base'][:10]} {work['head'][:10]}"


def _changed(line: str) -> Cell:
    role = next((role for sign, role in DIFF_ROLES if line.startswith(sign)), "")
    return Cell(line if len(line) <= LINE_MAX else f"{line[:LINE_MAX]} … {len(line) - LINE_MAX:,} more characters", role)


def review_lines(data: Data, now: float) -> tuple[Lines, dict[int, tuple[str, str]]]:
    """Return a review in full, and which of its lines name which things."""
    work, state = data["work"], data["state"]
    decided = f"by {data['who']}, {age(now - data['decided_at'])} ago" if data["who"] else ""
    how = f"{data['how']} into {data['onto'] or 'the working copy'}" if data["how"] else ""
    check = [field_line("check", Cell(work["check"], "good" if work["check"] == PASSED else "bad"))] if work["check"] else []
    named = [("review", Cell(state, "warn" if state == "waiting" else ""), "  ".join(word for word in (decided, how) if word)), ("task", data["id"], ""), ("pool", data["pool"], "")]
    lines: Lines = [field_line(label, cell, *([Cell(f"  {more}", "dim")] if more else [])) for label, cell, more in named]
    lines += [
        field_line("branch", work["branch"]),
        field_line("into", work["onto"] or "no branch: say which, with --onto"),
        field_line("changes", f"{plural(work['commits'], 'commit')}, {plural(work['files'], 'file')}, +{work['insertions']:,} −{work['deletions']:,}"),
        *check,
        field_line("ended", f"{data['ended']}, {instant_text(data['opened_at'])}"),
        field_line("base", work["base"]),
        field_line("head", work["head"]),
        field_line("repository", work["repository"] + (f" on host {work['host']}" if work["host"] else "")),
        *([field_line("goes on with", data["follows"])] if data["follows"] else []),
        *([field_line("goes on as", data["next"])] if data["next"] else []),
        (),
        *part("Commits, the newest first", [(Cell(f"  {commit}"),) for commit in data["commits"]]),
    ]
    places = {1: ("tasks", data["id"]), 2: ("pools", data["pool"])}
    places |= {number: ("tasks", data[field]) for number, line in enumerate(lines) for label, field in (("goes on with", "follows"), ("goes on as", "next")) if line and _label(line) == label}
    return lines, places


def _label(line: Cells) -> str:
    first = line[0]
    return first.text.strip() if isinstance(first, Cell) else ""
