"""The verbs about reviews of what tasks did in git worktrees; part of the table in engine.model.commands."""

from __future__ import annotations

from engine.model.reviews import HOWS, MERGE
from engine.model.verbs import Command, Danger, arg, verb


@verb
class AcceptReview(Command):
    """Take over what a task did in its worktree, all of it or nothing; a working copy keeps what is in no commit."""

    name = "review.accept"
    verb = "accept"
    help = "Take over what a task did in its git worktree, into its base branch"
    inverse = "review.reopen"
    undo_note = "the branch goes back only while nothing came after it"

    task: str = arg("task whose work is reviewed", completes="reviews")
    how: str = arg("merge commit, its commits one by one, one commit, or changes in no commit", default=MERGE, choices=HOWS, option=True)
    onto: str = arg("branch that takes it; empty = the one at which it began", default="", option=True)
    made: str = arg("OLD..NEW: where that branch must be, and what is ready for it; empty = made now", default="", option=True)


@verb
class DiscardReview(Command):
    """Drop what a task did in its worktree: its branch goes, and the worktree where it was kept."""

    name = "review.discard"
    verb = "discard"
    help = "Drop what a task did in its git worktree: the branch goes"
    danger = Danger.DESTRUCTIVE
    inverse = "review.reopen"
    undo_note = "the branch comes back; what git ignores in a worktree that was kept does not"

    task: str = arg("task whose work is reviewed", completes="reviews")


@verb
class ReopenReview(Command):
    """Have a review wait again: its branch comes back, and the branch that took the work goes back to before."""

    name = "review.reopen"
    verb = "reopen"
    help = "Have the review of a task's work wait again; its branch comes back"
    irreversible = "accept or discard it again"

    task: str = arg("task whose work was accepted or discarded", completes="tasks")


ReviewVerb = AcceptReview | DiscardReview | ReopenReview
