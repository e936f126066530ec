"""`:reviews`: what waits, the diff that its author cannot disguise, and the keys that take it over, have it improved, or drop it."""

from __future__ import annotations

from typing import Any

import pytest
from engine.clock import Rng
from engine.model.effects import Assignment
from engine.model.ids import TaskId
from engine.model.reviews import ReviewState
from engine.model.task_commands import SubmitTask
from engine.model.tasks import FINISHED, Outcome
from screens.forms import VerbForm

from tests.ui.conftest import Snap
from tests.ui.fleet import BEGAN, Fleet, Seat, sit

CONFIG = {"fleet": {"default_pools": {"talk": {"kind": "command", "min": 1, "max": 1, "workspace": "worktree", "command": {"argv": ["x"]}}}}}
DIFF = "diff --git a/api.py b/api.py\n--- a/api.py\n+++ b/api.py\n@@ -1,3 +1,3 @@\n import os\n-import re\n+import re  # \x1b[2J wipes the screen\r-import os\n def run() -> None:\n"
CHECKS = {"rename Parser.parse": "passed", "drop the cache": "failed: exit code 2: 3 tests failed; see tsk.check.log"}


def leave_work(assignment: Assignment, _rng: Rng) -> tuple[float, Outcome]:
    """Leave a branch with a diff."""
    told: dict[str, Any] = {
        "branch": f"fleet/{assignment.task}", "base": "5e0c4b1f00", "head": "9a7d210c11", "repository": "/srv/app", "onto": "main", "count": 2, "files": 1,
        "insertions": 1, "deletions": 1, "commits": ["9a7d210 tidy", "1c2d3e4 rename it"], "check": CHECKS.get(assignment.title, ""),
    }  # fmt: skip
    diff = DIFF + "+more\n" * 200_000 if assignment.title == "rewrite all" else DIFF
    bad = assignment.title == "drop the cache"
    return 0.0, Outcome(assignment.task, assignment.token, ok=not bad, result={"workspace": told, "diff": diff}, error_kind="exit_code" if bad else "", retryable=False)


class Reviewed(Fleet):
    """A fleet whose tasks leave work."""

    def __init__(self) -> None:
        super().__init__(CONFIG)
        self.world.agents._work = leave_work

    async def left(self, title: str) -> TaskId:
        """Have a task end, and return it."""
        task = TaskId(str((await self.gate.execute([SubmitTask("work", "talk", title=title)])).values[0]))
        await self.until(lambda: self.state.tasks[task].state in FINISHED)
        return task

    def state_of(self, task: TaskId) -> ReviewState:
        review = self.state.tasks[task].review
        assert review is not None
        return ReviewState(review.state)


async def waiting(seat: Seat, number: int) -> None:
    """Wait until so many reviews are shown, and for longer than a row is protected that has just come under the cursor."""
    await seat.until(lambda: seat.screen.NAME == "reviews" and len(seat.table.shown_ids) == number)
    seat.fleet.clock.at += 60
    await seat.current()


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_looks_as_approved(size: tuple[int, int], snap: Snap) -> None:
    fleet = Reviewed()
    async with sit(fleet, size) as seat:
        await fleet.ready()
        fleet.clock.at = BEGAN + 60
        for title in ("drop the cache", "rename Parser.parse", "document the API, and every option of it, with an example for each of them"):
            await fleet.left(title)
            fleet.clock.at += 1_000
        await seat.open("reviews")
        await waiting(seat, 3)
        await snap(seat.pilot, "reviews")
        await seat.press("enter")
        await seat.read()
        assert "+import re  # ·[2J wipes the screen -import os" in seat.text, "one line, and nothing of it reaches the terminal"
        await snap(seat.pilot, "diff")


async def test_keys_take_it_over() -> None:
    fleet = Reviewed()
    async with sit(fleet, (120, 40)) as seat:
        await fleet.ready()
        first, second = [await fleet.left(title) for title in ("one", "two")]
        await seat.open("inbox")
        await seat.until(lambda: "2 reviews: talk" in seat.text)
        await seat.press("enter")
        await waiting(seat, 2)
        await seat.press("a")
        await seat.agree()
        await seat.until(lambda: fleet.state_of(first) is ReviewState.ACCEPTED)
        await waiting(seat, 1)
        await seat.press("A")
        await seat.until(lambda: isinstance(seat.screen, VerbForm))
        await seat.press(*"squash", "tab", *"next", "enter")
        await seat.agree()
        await seat.until(lambda: fleet.state_of(second) is ReviewState.ACCEPTED)
        assert (fleet.state.tasks[second].review.how, fleet.state.tasks[second].review.onto) == ("squash", "next")
        await waiting(seat, 0)


async def test_feedback_from_the_diff_makes_another_review_and_a_discard_comes_back() -> None:
    fleet = Reviewed()
    async with sit(fleet, (120, 40)) as seat:
        await fleet.ready()
        third = await fleet.left("rewrite all")
        await seat.open("reviews")
        await waiting(seat, 1)
        await seat.press("enter")
        await seat.until(lambda: seat.screen.NAME == "review")
        assert "185,008 more lines here: git -C /srv/app diff 5e0c4b1f00 9a7d210c11" in await seat.read()
        assert "diff --git" in seat.text, "it begins at its beginning"
        await seat.press("tab")
        await seat.until(lambda: "1c2d3e4 rename it" in seat.text)
        await seat.press("r")
        await seat.until(lambda: isinstance(seat.screen, VerbForm))
        await seat.press(*"shorter", "enter")
        await seat.agree()
        await seat.until(lambda: fleet.state_of(third) is ReviewState.RETRIED)
        await seat.until(lambda: "goes on as" in seat.text)
        again = fleet.state.tasks[third].review.next
        await fleet.until(lambda: fleet.state.tasks[again].review is not None)
        await seat.press("a")
        await seat.until(lambda: "this waits for a review no longer" in seat.told)
        await seat.open("reviews")
        await waiting(seat, 1)
        await seat.press("x")
        await seat.agree("yes")
        await seat.until(lambda: fleet.state_of(again) is ReviewState.DISCARDED)
        await waiting(seat, 0)
        await seat.press("u")
        await seat.agree()
        await waiting(seat, 1)
