"""What reviews do to a repository: take work over into a branch, drop it, and go back, each all of it or nothing, and again if need be.

Merges are made of commits alone, so that no working copy is touched before all of it is known to fit. A working copy that shows the
branch follows it as a fast-forward does, with what is in no commit left as it is, or everything stays. Whatever was killed half way
can be asked for again: work that is there already is noted only.
Owner: nobody; the repository keeps all. Limits: PICKED_MAX commits one by one, KEPT_MAX branches of decided reviews a repository.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

from engine.agents.processes.child_process import ProcessHost
from engine.agents.workspaces.git import (
    BRANCHES,
    DIFF_MAX_BYTES,
    KEPT,
    GitError,
    Repository,
    said_by,
)
from engine.model.reviews import CHERRY_PICK, MERGE, PATCH, SHORT_COMMIT, Taking, Work, ends_of

PICKED_MAX = 200
KEPT_MAX = 500
"""Commits of decided reviews that stay reachable; the oldest go first."""
TRAILER = "Fleet-Task: "
_FILES_TOLD = 8


class GitReviewer:
    """Changes repositories as reviews say."""

    def __init__(self, host: ProcessHost) -> None:
        self._host = host

    async def make(self, work: Work, taking: Taking, task: str, title: str, *, at: str = "") -> Taking:
        """Make what takes work over, without changing anything that anybody sees; return it, with the branch that is to take it.

        `at` is where the branch will be by then; empty = where it is. Raises GitError, which says what conflicts.
        """
        repository = await self._settled(work)
        how = taking.how
        await repository.commit_of(work.head)
        if how == PATCH:
            if taking.onto:
                raise GitError("changes in no commit go into the working copy as it is: leave --onto out")
            return Taking(how, "", "" if await self._is_applied(repository, work) else f"{work.base}..{work.head}")
        branch = taking.onto or work.onto
        if not branch:
            raise GitError(f"its worktree began at {work.base[:SHORT_COMMIT]}, which is no branch: say which one takes it, with --onto")
        old = at or await repository.commit_of(f"{BRANCHES}{branch}")
        if await self._has(repository, work, task, old):
            return Taking(how, branch)
        if how == CHERRY_PICK:
            return Taking(how, branch, f"{old}..{await self._pick(repository, work, task, old, branch)}")
        tree = await self._merged(repository, old, work.head, f"{work.branch} conflicts with {branch}")
        parents = ("-p", old, *(("-p", work.head) if how == MERGE else ()))
        subject = f"Merge {work.branch}: {title}" if how == MERGE else title
        return Taking(how, branch, f"{old}..{await self._commit(repository, tree, parents, (subject, TRAILER + task))}")

    async def take(self, work: Work, taking: Taking) -> None:
        """Have a branch, or the working copy, take what was made; again, if it has it, does nothing. Raises GitError; nothing has then changed."""
        repository, (old, new) = await self._settled(work), ends_of(taking.made)
        if taking.how == PATCH and taking.made:
            await self._apply(repository, work)
        elif taking.made:
            await self._move(repository, taking.onto, old, new)

    async def give_back(self, work: Work, taking: Taking) -> None:
        """Take back what take() did. Raises GitError when something came after it; nothing has then changed."""
        repository, (old, new) = await self._settled(work), ends_of(taking.made)
        if taking.how == PATCH and taking.made:
            await self._apply(repository, work, "--reverse")
        elif taking.made:
            now = await repository.commit_of(f"{BRANCHES}{taking.onto}")
            if now == old:
                return
            if not await self._is_within(repository, new, now):
                return  # taken back already, by what was cut off, and the branch went on
            if now != new:
                revert = f"git revert -m 1 {new[:SHORT_COMMIT]}" if taking.how == MERGE else f"git revert {old[:SHORT_COMMIT]}..{new[:SHORT_COMMIT]}"
                raise GitError(f"{taking.onto} has moved on since, to {now[:SHORT_COMMIT]}: take it back by hand, with {revert}")
            await self._move(repository, taking.onto, new, old)

    async def retire(self, work: Work) -> None:
        """Remove the branch of decided work, and its worktree where it was kept; its commit stays reachable. Raises GitError."""
        repository, ref = await self._settled(work), f"{BRANCHES}{work.branch}"
        await repository.change(repository.path, "update-ref", f"{KEPT}{work.head}", work.head)
        place = await self._place_of(repository, work.branch)
        if place is not None and await asyncio.to_thread(place.resolve) == await asyncio.to_thread(Path(work.tree).resolve):
            await repository.remove(place)
            await asyncio.to_thread(shutil.rmtree, place.parent, ignore_errors=True)
        elif place is not None:
            raise GitError(f"{work.branch} is checked out in {place}: go to another branch there first")
        tip = await self._tip(repository, ref)
        if tip:
            await repository.change(repository.path, "update-ref", f"{KEPT}{tip}", tip)
            await repository.change(repository.path, "update-ref", "-m", "fleet-tui: reviewed", "-d", ref, tip)
        await self._thin_out(repository)

    async def restore(self, work: Work) -> None:
        """Bring the branch of decided work back; one that is there stays as it is. Raises GitError."""
        repository, ref = await self._settled(work), f"{BRANCHES}{work.branch}"
        if not await self._tip(repository, ref):
            await repository.change(repository.path, "update-ref", "-m", "fleet-tui: reopened", ref, work.head, "", told=f"{work.head[:SHORT_COMMIT]} is kept no more")

    # ---- what is there

    async def _settled(self, work: Work) -> Repository:
        """Return a repository in which nothing goes on any more that a killed engine began."""
        await self._host.finishers.wait_for_former()
        return Repository(Path(work.repository), self._host)

    async def has(self, work: Work, task: str) -> bool:
        """Tell whether the branch at which work began has it. Raises GitError."""
        repository = await self._settled(work)
        tip = await self._tip(repository, f"{BRANCHES}{work.onto}") if work.onto else ""
        return bool(tip) and await self._has(repository, work, task, tip)

    async def _has(self, repository: Repository, work: Work, task: str, commit: str) -> bool:
        """Tell whether a commit has the work: as its ancestor, or by commits that name the task."""
        if await self._is_within(repository, work.head, commit):
            return True
        named = await repository.git(repository.path, "log", "--max-count=1", "--format=%H", "--fixed-strings", f"--grep={TRAILER}{task}", f"{work.base}..{commit}")
        return bool(named.strip())

    async def _is_within(self, repository: Repository, older: str, newer: str) -> bool:
        """Tell whether a commit is another one, or before it."""
        return (await repository.ask(repository.path, "merge-base", "--is-ancestor", older, newer)).exit_code == 0

    async def _tip(self, repository: Repository, ref: str) -> str:
        """Return where a ref is; empty = there is none."""
        return (await repository.ask(repository.path, "rev-parse", "--verify", "--quiet", ref)).stdout_text.strip()

    async def _place_of(self, repository: Repository, branch: str) -> Path | None:
        """Return the working copy that shows a branch."""
        place = None
        for line in (await repository.git(repository.path, "worktree", "list", "--porcelain", "-z")).split("\0"):
            if line.startswith("worktree "):
                place = Path(line.removeprefix("worktree "))
            elif line == f"branch {BRANCHES}{branch}":
                return place
        return None

    # ---- commits

    async def _merged(self, repository: Repository, ours: str, theirs: str, what: str) -> str:
        """Return the tree that merges two commits. Raises GitError when they conflict, with the files."""
        result = await repository.ask(repository.path, "merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", ours, theirs)
        tree, *files = result.stdout_text.rstrip("\0").split("\0")
        if result.exit_code == 1:
            told = ", ".join(files[:_FILES_TOLD]) + (f" and {len(files) - _FILES_TOLD} more" if len(files) > _FILES_TOLD else "")
            raise GitError(f"{what} in {told}")
        if result.exit_code != 0:
            raise GitError(f"git merge-tree in {repository.path}: {said_by(result)}; it takes git 2.38 or newer")
        return tree

    async def _pick(self, repository: Repository, work: Work, task: str, onto: str, branch: str) -> str:
        """Return the last of the commits that do again, on a commit, what those of the work did. Raises GitError."""
        commits = (await repository.git(repository.path, "rev-list", "--reverse", "--no-merges", f"{work.base}..{work.head}")).split()
        if len(commits) > PICKED_MAX:
            raise GitError(f"{work.branch} has {len(commits)} commits, one by one at most {PICKED_MAX}: merge or squash it")
        for commit in commits:
            # Commits are merged with their parents as base; a commit that has ours and that parent says so.
            parent = await repository.commit_of(f"{commit}^")
            ours = (await repository.git(repository.path, "commit-tree", f"{onto}^{{tree}}", "-p", parent, "-m", "ours")).strip()
            tree = await self._merged(repository, ours, commit, f"{commit[:SHORT_COMMIT]} of {work.branch} conflicts with {branch}")
            *author, message = (await repository.git(repository.path, "show", "--no-patch", "--format=%an%x00%ae%x00%aI%x00%B", commit)).split("\0")
            onto = await self._commit(repository, tree, ("-p", onto), (message.strip(), TRAILER + task), author)
        return onto

    async def _commit(self, repository: Repository, tree: str, parents: Sequence[str], messages: Sequence[str], author: Sequence[str] = ()) -> str:
        """Make a commit by whom the repository knows, of paragraphs. Raises GitError."""
        env = dict(zip(("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_AUTHOR_DATE"), author, strict=False))
        for key, variable in (("user.name", "GIT_COMMITTER_NAME"), ("user.email", "GIT_COMMITTER_EMAIL")):
            known = (await repository.ask(repository.path, "config", "--get-all", key)).stdout_text.splitlines()[:-1]  # the last one is ours
            if known:
                env |= {variable: known[-1], **({} if author else {variable.replace("COMMITTER", "AUTHOR"): known[-1]})}
        result = await repository.ask(repository.path, "commit-tree", tree, *parents, *(word for text in messages for word in ("-m", text)), env=env)
        if result.exit_code != 0:
            raise GitError(f"git commit-tree in {repository.path}: {said_by(result)}")
        return result.stdout_text.strip()

    # ---- what people see

    async def _move(self, repository: Repository, branch: str, old: str, new: str) -> None:
        """Move a branch, and the working copy that shows it, from one commit to another. Raises GitError; nothing has then changed."""
        now = await repository.commit_of(f"{BRANCHES}{branch}")
        if now == new:
            return
        if now != old:
            raise GitError(f"{branch} has moved meanwhile, to {now[:SHORT_COMMIT]}: look at the new plan")
        place = await self._place_of(repository, branch)
        if place is None:
            await repository.change(repository.path, "update-ref", "-m", "fleet-tui: reviewed", f"{BRANCHES}{branch}", new, old)
            return
        is_forward = await self._is_within(repository, old, new)
        words = ("merge", "--ff-only", "--no-autostash", "--quiet", new) if is_forward else ("reset", "--keep", "--quiet", new)
        if not is_forward:
            await repository.attempt(place, "update-index", "-q", "--refresh")  # for reset, a file that was only touched is a changed one
        result = await repository.attempt(place, *words)
        if result.exit_code != 0:
            raise GitError(f"the working copy in {place} cannot follow {branch}: {said_by(result)}; commit or stash what is there, or take another --onto")

    async def _patch(self, repository: Repository, work: Work) -> bytes:
        result = await repository.ask(repository.path, "diff", "--binary", "--no-color", "--no-ext-diff", work.base, work.head)
        if result.exit_code != 0 or result.truncated:
            raise GitError(f"git diff in {repository.path}: {said_by(result) if result.exit_code else f'more than {DIFF_MAX_BYTES >> 20} MiB'}: merge it instead")
        return result.stdout

    async def _is_applied(self, repository: Repository, work: Work) -> bool:
        """Tell whether the working copy has the changes. Raises GitError when it can neither have nor take them."""
        top = Path((await repository.git(repository.path, "rev-parse", "--show-toplevel")).strip())
        patch = await self._patch(repository, work)
        if (await repository.ask(top, "apply", "--check", "--reverse", "-", stdin=patch)).exit_code == 0:
            return True
        result = await repository.ask(top, "apply", "--check", "-", stdin=patch)
        if result.exit_code != 0:
            raise GitError(f"the changes do not fit into the working copy in {top}: {said_by(result)}")
        return False

    async def _apply(self, repository: Repository, work: Work, *options: str) -> None:
        """Change the working copy, all files or none. Raises GitError."""
        top = Path((await repository.git(repository.path, "rev-parse", "--show-toplevel")).strip())
        result = await repository.attempt(top, "apply", "--whitespace=nowarn", *options, "-", stdin=await self._patch(repository, work))
        if result.exit_code != 0:
            raise GitError(f"the changes do not fit into the working copy in {top}: {said_by(result)}")

    async def _thin_out(self, repository: Repository) -> None:
        """Let the oldest commits of decided reviews go; git removes them some weeks later."""
        kept = (await repository.git(repository.path, "for-each-ref", "--sort=-creatordate", "--format=%(refname)", KEPT)).split()
        for ref in kept[KEPT_MAX:]:
            await repository.change(repository.path, "update-ref", "-d", ref)
