"""Puts proposed edits to the vote of three reviewers: each makes another check and votes as itself; an edit passes with all three.

Owner: `Reviews`, of what it has put to the vote, ENOUGH_KNOWN edits at most. A reviewer that cannot tell abstains, so the vote ends
deadlocked, for an operator to settle. The demo waits for no operator: such an edit is undecided in its report.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from engine.clock import Clock
from engine.model.consensus_commands import OpenProposal
from engine.model.errors import NotFound
from engine.model.task_commands import SubmitTask
from engine.model.tasks import FINISHED, TaskState
from engine.operations import Operator
from fleet_tui.demo.findings import EditToVote, shorten
from fleet_tui.demo.planner import answered
from fleet_tui.demo.verdicts import Verdict
from fleet_tui.reviewer import CHECKS, HANDLER, POOL, REVIEW

VOTERS = len(CHECKS)
VOTE_S = 60.0
"""How long a vote is open for reviewers; all have mostly voted within a second."""
REVIEW_TIMEOUT_S = 20.0
LOOK_S = 0.05
GRACE_S = 20.0
"""How long reviews are waited for when the time is up."""
ABLE = ("idle", "busy")
ENOUGH_KNOWN = 10_000
REASON = "the demo has its edits reviewed"


class Reviews:
    """Has edits voted on, each version of a file once."""

    def __init__(self, operator: Operator, *, clock: Clock) -> None:
        self._operator = operator
        self._clock = clock
        self._known: dict[tuple[str, str, str], None] = {}

    async def vote(self, edits: Sequence[EditToVote], most: int, until: float = math.inf) -> tuple[Verdict, ...]:
        """Put up to `most` edits to the vote and return the verdicts; nothing in a fleet without three reviewers that vote. Raises FleetError."""
        voters = await self._voters()
        new = [edit for edit in edits if (edit.path, edit.function, edit.diff) not in self._known][:most]
        if len(voters) < VOTERS or not new or self._clock.now() >= until:
            return ()
        self._known.update(((edit.path, edit.function, edit.diff), None) for edit in new)
        while len(self._known) > ENOUGH_KNOWN:
            del self._known[next(iter(self._known))]
        chosen = [[voters[(number + turn) % len(voters)] for turn in range(VOTERS)] for number in range(len(new))]
        opened = await self._execute(
            [
                OpenProposal(f"remove {edit.function}() from {edit.file}", tuple(names), text=shorten(edit.diff), threshold=1.0, timeout_s=VOTE_S)
                for edit, names in zip(new, chosen, strict=True)
            ]
        )
        tasks = await self._execute(
            [
                SubmitTask(
                    REVIEW, POOL, payload={"proposal": proposal, "path": edit.path, "diff": edit.diff, "check": check},
                    title=f"review {edit.file}: {check}", capabilities=(voter,), deadline_s=VOTE_S, timeout_s=REVIEW_TIMEOUT_S,
                )
                for edit, proposal, names in zip(new, opened, chosen, strict=True)
                for voter, check in zip(names, CHECKS, strict=True)
            ]
        )  # fmt: skip
        failed = dict.fromkeys(opened, "")
        for number, task in enumerate(tasks):
            failed[opened[number // VOTERS]] += await self._failure(task, until + GRACE_S)
        return tuple([await self._verdict(edit, proposal, failed[proposal]) for edit, proposal in zip(new, opened, strict=True)])

    async def _voters(self) -> list[str]:
        """Return the ids of the reviewers that can vote, in the order of their names."""
        try:
            pool = cast("Mapping[str, Any]", await answered(self._operator.query("pool", id=POOL)))
        except NotFound:
            return []
        spec = pool["spec"]
        if (spec["handler"] if isinstance(spec, dict) else spec.handler) != HANDLER:
            return []
        rows = cast("list[Mapping[str, Any]]", await answered(self._operator.query("agents", limit=1_000)))
        return [str(row["id"]) for row in sorted(rows, key=lambda row: str(row["name"])) if row["pool"] == POOL and row["status"] in ABLE]

    async def _failure(self, task: str, until: float) -> str:
        """Return why a review gave no vote, when it has ended; empty = it gave one. Its deadline sees to that it ends."""
        while True:
            row = cast("Mapping[str, Any]", await answered(self._operator.query("task", id=task)))
            if row["state"] == TaskState.SUCCEEDED:
                return ""
            if row["state"] in FINISHED:
                return f"; {row['title']}: {(row['error'] or {}).get('message') or row['state']}"
            if self._clock.now() >= until:
                return f"; {row['title']} has not ended"
            await self._clock.sleep(LOOK_S)

    async def _verdict(self, edit: EditToVote, proposal: str, failed: str) -> Verdict:
        full = cast("Mapping[str, Any]", await answered(self._operator.query("proposal", id=proposal)))
        said = [f"{ballot['choice']}: {ballot['reasoning']}" for voter in full["voters"] for ballot in voter["ballots"][-1:] if ballot["choice"] != "approve"]
        return Verdict(edit.file, edit.function, edit.statements, proposal, str(full["state"]), ("; ".join(said) or str(full["reason"])) + failed)

    async def _execute(self, commands: Sequence[OpenProposal] | Sequence[SubmitTask]) -> list[str]:
        return [str(value) for value in (await answered(self._operator.execute(list(commands), reason=REASON))).values]
