"""Git worktrees: made at a commit on a branch of their own, saved with all that was left in them, compared, and removed.

Owner: `Repository` of the lock under which its worktrees and branches change; git does the rest. Every git is a program of the
process host, with no questions, hooks or signatures; one that changes anything comes to its end though the engine is killed.
Limits: GIT_S seconds for each, DIFF_MAX_BYTES of a diff.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from engine.agents.processes.child_process import ProcessHost
from engine.agents.processes.finishing import Finished
from engine.agents.processes.spec import ProcessResult, ProcessSpec, ProcessStartError
from engine.model.reviews import Work
from engine.model.shielding import shield

GIT_S = 120.0
DIFF_MAX_BYTES = 8 << 20
COMMITS_MAX = 50
_SETTINGS = (
    "core.hooksPath=/dev/null", "commit.gpgSign=false", "user.name=fleet-tui", "user.email=fleet-tui@localhost",
    "gc.auto=0", "maintenance.auto=false", "core.fsmonitor=false",  # nothing that would go on in the background
)  # fmt: skip
_QUIET = tuple(word for setting in _SETTINGS for word in ("-c", setting))
_ERROR_MAX = 300
BRANCHES = "refs/heads/"
KEPT = "refs/fleet/kept/"
"""Refs that keep reviewed commits reachable, each named by its commit."""


class GitError(Exception):
    """Git did not do it; the message says what it was, why not, and where."""


@dataclass(frozen=True, slots=True)
class Change:
    """What was done in a worktree since its base."""

    base: str
    head: str
    commits: tuple[str, ...] = ()
    """Short hash and subject, the newest first."""
    count: int = 0
    """Of its commits, those included that are left out above."""
    files: int = 0
    insertions: int = 0
    deletions: int = 0
    diff: str = ""


class Git:
    """Runs git in a repository, and commands in its worktrees."""

    def __init__(self, path: Path, host: ProcessHost) -> None:
        self.path = path
        self._host = host
        self._runs = count()

    async def run(self, worktree: Path, argv: tuple[str, ...], timeout_s: float, log: Path) -> ProcessResult:
        """Run a command in a worktree; what it prints goes to a log. Raises GitError when it cannot start."""
        return await self._run(ProcessSpec(argv, worktree, timeout_s=timeout_s, log_path=log))

    async def git(self, where: Path, *words: str, told: str = "") -> str:
        """Return what a git prints that changes nothing but objects; `told` says what its failure means. Raises GitError."""
        result = await self.ask(where, *words)
        if result.exit_code != 0:
            raise GitError(f"git {_verb(words)} in {where}: {told or said_by(result)}")
        return result.stdout_text

    async def change(self, where: Path, *words: str, told: str = "") -> None:
        """Have a git change something; `told` says what its failure means. It ends, whatever becomes of the engine. Raises GitError."""
        result = await self.attempt(where, *words)
        if result.exit_code != 0:
            raise GitError(f"git {_verb(words)} in {where}: {told or said_by(result)}")

    async def attempt(self, where: Path, *words: str, stdin: bytes | None = None) -> Finished:
        """Have a git change something, and return how it ends, whatever that means. Raises GitError when it cannot start."""
        try:
            return await self._host.finishers.run(self._spec(where, words, stdin, {}))
        except ProcessStartError as error:
            raise GitError(str(error)) from error

    async def ask(self, where: Path, *words: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None) -> ProcessResult:
        """Return how a git ends that changes nothing but objects, whatever that means. Raises GitError when it cannot start."""
        return await self._run(self._spec(where, words, stdin, env or {}))

    def _spec(self, where: Path, words: Sequence[str], stdin: bytes | None, env: Mapping[str, str]) -> ProcessSpec:
        # Without optional locks: one that is killed while it only looks leaves none.
        given = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", **env}
        if where != self.path:
            given["GIT_CEILING_DIRECTORIES"] = str(where.parent)  # one whose link is gone is no part of a repository around it
        return ProcessSpec(("git", *_QUIET, *words), where, env=given, stdin=stdin, timeout_s=GIT_S, output_max_bytes=DIFF_MAX_BYTES)

    async def _run(self, spec: ProcessSpec) -> ProcessResult:
        try:
            async with self._host.program(spec, key=f"workspace.{id(self)}.{next(self._runs)}") as process:
                return await process.wait_result()
        except ProcessStartError as error:
            raise GitError(str(error)) from error


class Repository(Git):
    """One repository and its worktrees."""

    def __init__(self, path: Path, host: ProcessHost) -> None:
        super().__init__(path, host)
        self._changing = asyncio.Lock()

    async def commit_of(self, ref: str) -> str:
        """Return the commit that a ref names. Raises GitError."""
        return (await self.git(self.path, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}", told=f"{ref!r} names no commit")).strip()

    async def branch_of(self, ref: str) -> str:
        """Return the branch that a ref names, for HEAD the one that is checked out; empty = it names none. Raises GitError."""
        name = (await self.git(self.path, "rev-parse", "--symbolic-full-name", "--verify", "--quiet", "--end-of-options", ref, told=f"{ref!r} names nothing")).strip()
        return name.removeprefix(BRANCHES) if name.startswith(BRANCHES) else ""

    async def base_of(self, base: str, head: str, onto: str) -> str:
        """Return what work is compared with: where it began, or the newest commit of the branch that is to take it which was merged into it since.

        Raises GitError.
        """
        found = (await self.ask(self.path, "merge-base", f"{BRANCHES}{onto}", head)).stdout_text.strip() if onto else ""
        if found in ("", base, head):
            return base
        is_newer = (await self.ask(self.path, "merge-base", "--is-ancestor", base, found)).exit_code == 0
        return found if is_newer else base

    async def prefix(self) -> str:
        """Return where its path lies in the repository; empty = at its root. Raises GitError."""
        return (await self.git(self.path, "rev-parse", "--show-prefix")).strip()

    async def is_dirty(self) -> bool:
        """Tell whether its own working tree has changes that are in no commit. Raises GitError."""
        return bool(await self.git(self.path, "status", "--porcelain", "--untracked-files=no"))

    async def add(self, worktree: Path, branch: str, commit: str) -> None:
        """Make a worktree on a new branch. Raises GitError."""
        worktree.parent.mkdir(parents=True, exist_ok=True)
        async with self._changing:
            await self.change(self.path, "worktree", "add", "--quiet", "-b", branch, str(worktree), commit)

    async def renew(self, worktree: Path, branch: str, commit: str) -> None:
        """Bring a worktree to a commit on a new branch; what git ignores stays. Raises GitError."""
        async with self._changing:
            await self.change(worktree, "checkout", "--quiet", "--force", "-b", branch, commit)
        await self.change(worktree, "clean", "--quiet", "--force", "-d")

    async def resume(self, worktree: Path, work: Work, *, is_there: bool) -> None:
        """Bring a worktree to a branch that exists, as it was left; what is reviewed of it stays reachable, whatever comes. Raises GitError."""
        async with self._changing:
            await self.change(self.path, "update-ref", f"{KEPT}{work.head}", work.head)
            if is_there:
                await self.change(worktree, "checkout", "--quiet", "--force", work.branch, "--")
                return
            await self.change(self.path, "worktree", "prune")
            worktree.parent.mkdir(parents=True, exist_ok=True)
            await self.change(self.path, "worktree", "add", "--quiet", str(worktree), work.branch)

    async def save(self, worktree: Path, branch: str, message: str) -> str:
        """Put all that is in a worktree, but for what git ignores, on its branch; return its newest commit. Raises GitError."""
        await self.change(worktree, "add", "--all")
        if await self.git(worktree, "status", "--porcelain"):
            await self.change(worktree, "commit", "--quiet", "--no-verify", "--message", message)
        head = (await self.git(worktree, "rev-parse", "HEAD")).strip()
        on = (await self.git(worktree, "rev-parse", "--abbrev-ref", "HEAD")).strip()
        if on != branch:  # its agent went elsewhere
            async with self._changing:
                await self.change(worktree, "branch", "--force", branch, head)
        return head

    async def unlock(self, worktree: Path, branch: str) -> None:
        """Take away what a git of an agent left that was killed with its engine: nothing else is at work there. Raises GitError."""
        await self._host.finishers.wait_for_former()
        for name in ("index.lock", "HEAD.lock", f"{BRANCHES}{branch}.lock"):
            path = worktree / (await self.git(worktree, "rev-parse", "--git-path", name)).strip()
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def compare(self, base: str, head: str) -> Change:
        """Return what lies between two commits. Raises GitError."""
        commits = (await self.git(self.path, "log", "--format=%h %s", f"--max-count={COMMITS_MAX}", f"{base}..{head}")).splitlines()
        lines = (await self.git(self.path, "diff", "--numstat", base, head)).splitlines()
        numbers = [parts for line in lines if len(parts := line.split("\t")) > 2]  # noqa: PLR2004  # added, deleted, name
        added, taken = (sum(int(one[index]) for one in numbers if one[index].isdecimal()) for index in (0, 1))
        count = int(await self.git(self.path, "rev-list", "--count", f"{base}..{head}"))
        return Change(base, head, tuple(commits), count, len(numbers), added, taken, await self.git(self.path, "diff", "--no-color", "--no-ext-diff", base, head))

    async def remove(self, worktree: Path, branch: str = "") -> None:
        """Remove a worktree, and with it a branch on which nothing is. Raises GitError."""
        async with self._changing:
            await self.change(self.path, "worktree", "remove", "--force", "--force", str(worktree))
            if branch:
                await self.change(self.path, "branch", "--quiet", "-D", branch)

    async def detach(self, worktree: Path, branch: str = "") -> None:
        """Leave a worktree on no branch; a branch on which nothing is goes. Raises GitError."""
        await self.change(worktree, "checkout", "--quiet", "--detach")
        if branch:
            async with self._changing:
                await self.change(self.path, "branch", "--quiet", "-D", branch)


def _verb(words: Sequence[str]) -> str:
    return next(word for word in words if not word.startswith("-") and "=" not in word)


def said_by(result: ProcessResult | Finished) -> str:
    """Return why a git failed, in its own words."""
    return shield(" ".join(result.stderr_text.split()))[:_ERROR_MAX] or result.describe_end()
