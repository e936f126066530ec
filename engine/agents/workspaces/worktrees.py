"""Agents whose tasks work in git worktrees: each attempt on a branch of its own, saved and compared when it ends.

Nothing that was done is lost: what is in no commit is committed to the branch before the worktree goes, whoever ended the attempt;
what a killed engine left is saved at the next start. Only what git ignores goes with the worktree. No two attempts share one.
Owner: `WorktreeAgents`, of the attempts between their delivery and their report; the agents themselves are another kind's.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from engine.agents.processes.child_process import ProcessHost
from engine.agents.results import pack_result
from engine.agents.runtime import AgentKind, Artifact, HostSample, Reporter
from engine.agents.workspaces.git import GitError, Repository
from engine.model import wire
from engine.model.agents import AgentSpec
from engine.model.effects import Assignment
from engine.model.ids import AgentId, TaskId
from engine.model.pools import PoolSpec, WorktreeSpec
from engine.model.questions import Reply
from engine.model.reports import HostDown, Report, TasksEnded
from engine.model.reviews import Work
from engine.model.secrets import conceal, conceal_in_code
from engine.model.shielding import shield
from engine.model.tasks import Outcome

logger = logging.getLogger(__name__)

FAILED = "workspace"
"""Outcome.error_kind of an attempt that got no worktree."""
NOTE = "fleet.json"
"""Beside each worktree: what it is."""
MB = 1_000_000
WORD_MAX = 40
"""Characters of a title in the name of a branch."""
_NO_NAME = re.compile(r"[^a-z0-9]+")
Run = tuple[TaskId, int]
K = TypeVar("K", bound=AgentKind)


@dataclass(frozen=True, slots=True)
class Worktree:
    """A worktree and what it is for; kept beside it, so that the next engine knows."""

    repository: str
    path: str
    branch: str
    base: str
    task: str
    teardown: tuple[str, ...] = ()
    timeout_s: float = 600.0
    is_kept: bool = False
    """It is an agent's, and stays there for the next task."""
    is_base_dirty: bool = False
    """The repository's own working tree had changes in no commit, which are not in this one."""
    onto: str = ""
    """Branch at which it began; empty = it began at none."""
    is_followed: bool = False
    """Its branch has what another task did."""


class WorktreeAgents(Generic[K]):
    """A kind of agents, whose tasks get worktrees where their pool says so."""

    def __init__(self, make: Callable[[Reporter], K], report: Reporter, host: ProcessHost, places: tuple[Path, Path, Path]) -> None:
        """`places`: where the worktrees go, where programs work, and where tasks' logs go."""
        self._report = report
        self._host = host
        self._root, self._directory, self._logs = places
        self._pools: dict[AgentId, PoolSpec] = {}
        """Agent -> its pool, of pools with worktrees."""
        self._repositories: dict[Path, Repository] = {}
        self._making: set[Run] = set()
        self._stopping: set[Run] = set()
        self._used: dict[Run, tuple[Worktree, WorktreeSpec]] = {}
        self._ending: set[Run] = set()
        self._inbox: asyncio.Queue[Assignment | tuple[Outcome, Sequence[Artifact]]] = asyncio.Queue()
        self._is_swept = asyncio.Event()
        self.inner = make(self._heard)

    async def run(self) -> None:
        """Run the agents, and make and save worktrees, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sweep(), name="worktrees of a former engine")
            group.create_task(self.inner.run(), name="agents in worktrees")
            while True:
                item = await self._inbox.get()
                if isinstance(item, Assignment):
                    group.create_task(self._begin(item), name=f"worktree {item.task}")
                else:
                    group.create_task(self._end(*item), name=f"worktree {item[0].task}")

    def start(self, agents: Sequence[tuple[AgentSpec, PoolSpec]]) -> None:
        """Bring agents to life."""
        for spec, pool in agents:
            if pool.worktree is not None:
                self._pools[spec.id] = pool
            else:
                self._pools.pop(spec.id, None)
        self.inner.start(agents)

    def stop(self, agents: Sequence[AgentId]) -> None:
        """Forget agents."""
        for agent in agents:
            self._pools.pop(agent, None)
        self.inner.stop(agents)

    def deliver(self, assignments: Sequence[Assignment]) -> None:
        """Begin tasks, those that need a worktree once it is there."""
        at_once = []
        for assignment in assignments:
            if assignment.agent in self._pools:
                self._making.add((assignment.task, assignment.token))
                self._inbox.put_nowait(assignment)
            else:
                at_once.append(assignment)
        if at_once:
            self.inner.deliver(at_once)

    def stop_runs(self, runs: Sequence[Run], *, grace_s: float | None = None) -> None:
        """Stop attempts; one whose worktree is being made does not begin."""
        self._stopping.update(run for run in runs if run in self._making)
        self.inner.stop_runs([run for run in runs if run not in self._making], grace_s=grace_s)

    def answer(self, run: Run, ask: str, reply: Reply) -> None:
        """Tell an agent what it asked."""
        self.inner.answer(run, ask, reply)

    def tell(self, word: str) -> None:
        """Tell the agents a word."""
        self.inner.tell(word)

    def samples(self) -> Iterable[HostSample]:
        """Measure the hosts."""
        return self.inner.samples()

    # ---- before

    async def _begin(self, assignment: Assignment) -> None:
        run = (assignment.task, assignment.token)
        pool = self._pools.get(assignment.agent)
        outcome: Outcome | None = None
        try:
            await self._is_swept.wait()
            if pool is None or pool.worktree is None:
                outcome = Outcome(*run, ok=False, error_kind="agent_lost", error="its agent has left")
            elif run not in self._stopping:
                tree, where = await self._make(assignment, pool, pool.worktree)
                self._used[run] = (tree, pool.worktree)
                await self._command(tree, pool.worktree.setup, "setup")
        except GitError as error:
            outcome = Outcome(*run, ok=False, error_kind=FAILED, error=str(error), retryable=False)
        finally:
            self._making.discard(run)
        if outcome is None and run in self._stopping:
            outcome = Outcome(*run, ok=False, error_kind="stopped", error="it had not begun")
        self._stopping.discard(run)
        if outcome is None:
            self.inner.deliver([replace(assignment, workspace=str(where), is_place_new=assignment.work is None)])
        elif run in self._used:
            await self._end(outcome, ())
        else:
            self._report(TasksEnded((outcome,)))

    async def _make(self, assignment: Assignment, pool: PoolSpec, spec: WorktreeSpec) -> tuple[Worktree, Path]:
        """Make a worktree, or bring the agent's own to its base; return it and where in it the task works. Raises GitError."""
        work = assignment.work
        repository = self._repository(work.repository if work else assignment.workspace or spec.repository)
        folder = self._root / pool.name
        tree = await self._follow(work, assignment, folder, spec) if work else await self._begin_anew(repository, assignment, folder, spec)
        path = Path(tree.path)
        if spec.max_mb:
            await self._make_room(folder, pool.name, spec.max_mb)
        await asyncio.to_thread(self._note, tree)
        is_there = await asyncio.to_thread(path.exists)
        if work:
            await repository.resume(path, work, is_there=is_there)
        elif tree.is_kept and is_there:
            await repository.renew(path, tree.branch, tree.base)
        else:
            await repository.add(path, tree.branch, tree.base)
        return tree, path / await repository.prefix()

    async def _begin_anew(self, repository: Repository, assignment: Assignment, folder: Path, spec: WorktreeSpec) -> Worktree:
        """Return a worktree on a new branch at the base. Raises GitError."""
        own = spec.per == "agent"
        path = folder / (assignment.agent if own else f"{assignment.task}.{assignment.token}") / "tree"
        suffix = f".{assignment.token}" if assignment.token > 1 else ""
        return Worktree(
            str(repository.path),
            str(path),
            f"{_prefix_of(spec, folder.name, assignment.title)}{assignment.task}{suffix}",
            await repository.commit_of(spec.base),
            assignment.task,
            spec.teardown,
            spec.command_timeout_s,
            own,
            await repository.is_dirty(),
            await repository.branch_of(spec.base),
        )

    async def _follow(self, work: Work, assignment: Assignment, folder: Path, spec: WorktreeSpec) -> Worktree:
        """Return the worktree of what another task did: where it was, so that a conversation about it can go on."""
        own, former = spec.per == "agent", Path(work.tree)
        path = folder / assignment.agent / "tree" if own else former if former.is_relative_to(self._root) else folder / f"{assignment.task}.{assignment.token}" / "tree"
        return Worktree(
            work.repository, str(path), work.branch, work.base, assignment.task, spec.teardown, spec.command_timeout_s, own, onto=work.onto, is_followed=True
        )

    def _repository(self, word: str) -> Repository:
        path = (self._directory / word).resolve()
        if not path.is_dir():
            raise GitError(f"{str(path)!r} is no directory, so it is no repository")
        if path not in self._repositories:
            self._repositories[path] = Repository(path, self._host)
        return self._repositories[path]

    async def _make_room(self, folder: Path, pool: str, max_mb: int) -> None:
        """Remove kept worktrees of failed attempts, the oldest first, until the others leave room. Raises GitError if they do not."""
        while (taken := await asyncio.to_thread(_size_of, folder)) > max_mb * MB:
            kept = len(await self._kept(folder))
            if not kept:
                raise GitError(f"the worktrees of {pool} take {taken / MB:,.0f} MB of {max_mb:,} (max_mb): end tasks, remove some below {folder}, or raise it")
            await self._thin_out(folder, kept - 1)
            if len(await self._kept(folder)) == kept:
                raise GitError(f"the worktrees of {pool} take {taken / MB:,.0f} MB of {max_mb:,} (max_mb), and the oldest below {folder} cannot be removed")

    def _note(self, tree: Worktree) -> None:
        folder = Path(tree.path).parent
        folder.mkdir(parents=True, exist_ok=True)
        (folder / NOTE).write_text(json.dumps(asdict(tree)), "utf-8")

    async def _command(self, tree: Worktree, argv: tuple[str, ...], what: str) -> None:
        """Run setup or teardown. Raises GitError when it does not end well."""
        if not argv:
            return
        log = self._logs / f"{tree.task}.{what}.log"
        result = await self._repository(tree.repository).run(Path(tree.path), argv, tree.timeout_s, log)
        if result.exit_code != 0:
            last = (result.stderr_text or result.stdout_text).strip().splitlines()[-1:]
            raise GitError(f"{what} {argv[0]!r}: {result.describe_end()}{''.join(f': {shield(line)[:200]}' for line in last)}; see {log}")

    async def _checked(self, tree: Worktree, argv: tuple[str, ...]) -> str:
        """Run the pool's check on what was saved; return `passed`, or how it failed."""
        try:
            await self._command(tree, argv, "check")
        except GitError as error:
            return f"failed: {str(error).removeprefix(f'check {argv[0]!r}: ')}"
        return "passed"

    # ---- after

    def _heard(self, report: Report, artifacts: Sequence[Artifact] = ()) -> None:
        """Take what the agents report; ends of attempts in worktrees wait until these are saved."""
        if isinstance(report, HostDown):
            for run in [*self._used]:  # they are handed back; what they did is saved all the same
                self._inbox.put_nowait((Outcome(*run, ok=False, error_kind="agent_lost", error=report.reason), ()))
        if not isinstance(report, TasksEnded):
            self._report(report, artifacts)
            return
        others = tuple(outcome for outcome in report.outcomes if (outcome.task, outcome.token) not in self._used)
        for outcome in report.outcomes:
            if (outcome.task, outcome.token) in self._used:
                self._inbox.put_nowait((outcome, [artifact for artifact in artifacts if artifact.id == outcome.artifact]))
        if others:
            self._report(TasksEnded(others), [artifact for artifact in artifacts if any(artifact.id == outcome.artifact for outcome in others)])

    async def _end(self, outcome: Outcome, artifacts: Sequence[Artifact]) -> None:
        """Save what an attempt did, tell it with the outcome, and remove the worktree where nobody needs it."""
        run = (outcome.task, outcome.token)
        if run not in self._used or run in self._ending:
            return  # it was saved when its host was lost
        self._ending.add(run)
        tree, spec = self._used[run]
        try:
            done = await self._save(tree, keeps=not outcome.ok and spec.keep_failed > 0, check=spec.check if outcome.ok else ())
        finally:
            del self._used[run]
            self._ending.discard(run)
        if not outcome.ok:
            await self._thin_out(Path(tree.path).parent.parent, spec.keep_failed)
        whole = wire.decode(artifacts[0].data) if artifacts else outcome.result
        kept, artifact = pack_result(outcome.task, {**(whole if isinstance(whole, dict) else {}), **done})
        outcome = msgspec.structs.replace(outcome, result={**kept, "workspace": done["workspace"]}, artifact=artifact.id if artifact else "")
        self._report(TasksEnded((outcome,)), (artifact,) if artifact else ())

    async def _save(self, tree: Worktree, *, keeps: bool, check: tuple[str, ...] = ()) -> dict[str, object]:
        """Save a worktree on its branch, and leave, keep or remove it; return what was done in it, or why that is not known."""
        try:
            return await self._put_away(tree, keeps=keeps, check=check)
        except GitError as error:
            logger.warning("worktree is left as it is", extra={"task": tree.task, "path": tree.path, "reason": str(error)})
            return {"workspace": {"branch": tree.branch, "base": tree.base, "path": tree.path, "problem": str(error)}}

    async def _put_away(self, tree: Worktree, *, keeps: bool, check: tuple[str, ...]) -> dict[str, object]:
        repository, path = self._repository(tree.repository), Path(tree.path)
        head = await repository.save(path, tree.branch, f"What {tree.task} left uncommitted")
        change = await repository.compare(await repository.base_of(tree.base, head, tree.onto), head)
        empty = tree.branch if head == tree.base and not tree.is_followed else ""
        stays = keeps and not empty
        told = {"base": change.base, "head": change.head, "commits": [shield(commit) for commit in change.commits], "count": change.count, "files": change.files}
        told |= {"insertions": change.insertions, "deletions": change.deletions, "branch": "" if empty else tree.branch, "path": tree.path if stays else ""}
        told |= {"repository": tree.repository, "onto": tree.onto, "tree": tree.path}
        told |= {"base_dirty": True} if tree.is_base_dirty else {}
        told |= {"check": await self._checked(tree, check)} if check and not empty else {}
        if tree.is_kept:
            await repository.detach(path, empty)
            (path.parent / NOTE).unlink(missing_ok=True)
        elif not stays:
            await self._command(tree, tree.teardown, "teardown")
            await repository.remove(path, empty)
            await asyncio.to_thread(shutil.rmtree, path.parent, ignore_errors=True)
        return {"workspace": told, **({"diff": await asyncio.to_thread(conceal_in_code, change.diff)} if change.diff else {})}

    async def _thin_out(self, folder: Path, most: int) -> None:
        """Remove the oldest of the kept worktrees of a pool, saved once more, until there are no more than so many."""
        trees = await self._kept(folder)
        for tree in trees[: max(0, len(trees) - most)]:
            await self._save(tree, keeps=False)

    async def _kept(self, folder: Path) -> list[Worktree]:
        """Return the worktrees of a pool that are there to be looked at only, the oldest first."""
        in_use = {tree.path for tree, _ in self._used.values()}
        return [tree for tree in await asyncio.to_thread(_found, folder, "*") if tree.path not in in_use and not tree.is_kept]

    async def _sweep(self) -> None:
        """Save what a former engine left, and remove it where it is no agent's."""
        try:
            for tree in await asyncio.to_thread(_found, self._root, "*/*"):
                with contextlib.suppress(GitError):  # which is told when it cannot be saved
                    await self._repository(tree.repository).unlock(Path(tree.path), tree.branch)
                await self._save(tree, keeps=False)
        finally:
            self._is_swept.set()


def _prefix_of(spec: WorktreeSpec, pool: str, title: str) -> str:
    """Return what goes before a task's id in the name of its branch."""
    words = {"pool": pool, "title": conceal(title)}
    return re.sub(r"\{(pool|title)\}", lambda place: _NO_NAME.sub("-", words[place[1]].lower())[:WORD_MAX].strip("-") or "task", spec.branch_prefix)


def _size_of(folder: Path) -> int:
    """Return the bytes of the files below a folder; those that go meanwhile are left out."""
    taken = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                taken += os.lstat(os.path.join(path, name)).st_size  # noqa: PTH116, PTH118  # many files
    return taken


def _found(root: Path, pattern: str) -> list[Worktree]:
    """Return the worktrees below a folder, the oldest first."""
    folders = sorted(root.glob(pattern), key=lambda folder: folder.stat().st_mtime)
    return [tree for folder in folders if (tree := _read(folder)) is not None and Path(tree.path).exists()]


def _read(folder: Path) -> Worktree | None:
    try:
        return msgspec.convert(json.loads((folder / NOTE).read_text("utf-8")), Worktree)
    except (OSError, ValueError, msgspec.ValidationError):
        return None
