"""GitHub put together: what has a label becomes a task, what came of it is posted.

Owner: `GitHubPart`, of the ledger, of the way to GitHub, and of the results that wait to be posted. It changes no state: what it takes in
it submits as the operator `github`. A task is made once by its idempotency key, a result is posted once by its marker.
Limits: WAITING_MAX results that wait; more are found again at the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import msgspec

from engine.clock import Clock
from engine.github.forge import Forge, ForgeError, LimitedError
from engine.github.hook import PATH, Hook
from engine.github.items import WHO, Item, ItemError, Place, command_of, item_of, place_of, pool_of
from engine.github.ledger import DATABASE, Ledger
from engine.github.posting import PAGE, PAGES_MAX, Poster, earliest
from engine.model.errors import FleetError
from engine.model.events import Record
from engine.model.github_config import GitHubSection, RepositoryConfig
from engine.model.ids import TaskId
from engine.model.plans import Origin
from engine.model.tasks import FINISHED, Task, TaskState
from engine.model.verbs import Role
from engine.operations import Operator
from engine.state import FleetState, Touched

logger = logging.getLogger(__name__)

WAITING_MAX = 100_000
RETRY_S = 10.0
LOOK_S = 1.0
"""Longest that a new result waits behind one that is tried again later."""
BETWEEN_POSTS_S = 1.0
"""GitHub asks for as much between two things that are made."""
_POSTED = FINISHED - {TaskState.CANCELLED}
"""What an operator cancelled is told of by the operator."""

P = ParamSpec("P")
T = TypeVar("T")
Artifact = Callable[[str], Awaitable[Any]]
"""Gives a stored payload by its id; None = it is not there."""


class GitHubPart:
    """Issues in, results out."""

    def __init__(self, section: GitHubSection, root: Path, directory: Path, clock: Clock) -> None:
        """`root` is the state directory; nothing is asked before `run`."""
        self._section, self._clock, self._directory = section, clock, directory
        self._ledger = Ledger(root)
        self._turn = asyncio.Lock()
        self._forge = Forge(section, clock)
        self._waiting: dict[TaskId, None] = {}
        self._tries: dict[TaskId, tuple[int, float]] = {}
        """Task whose result could not be posted -> how often, and when it is tried again."""
        self._news = asyncio.Event()
        self.hooks = {PATH: Hook(section, self.take, self._is_new, self._dealt_with)} if section.has_webhook else {}
        """What answers requests to the engine's door, by path."""

    def connect(self, state: Callable[[], FleetState], operator: Callable[[Origin], Operator], artifact: Artifact) -> None:
        """Say whose tasks these are; before anything else is called."""
        self._state, self._artifact = state, artifact
        self._operator = operator(Origin(WHO, "engine", "", Role.OPERATOR))
        self._poster = Poster(self._section, self._forge, self._whole, self._checkout)

    def publish(self, records: Sequence[Record], touched: Touched) -> None:
        """Note the tasks of GitHub's that one commit ended."""
        del records
        tasks = self._state().tasks
        self._note([task for id_ in touched.tasks if (task := tasks.get(id_)) is not None])

    def _note(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            if task.state in _POSTED and place_of(task) is not None and len(self._waiting) < WAITING_MAX:
                self._waiting[task.spec.id] = None
                self._news.set()

    async def run(self) -> None:
        """Look for items and post results until cancelled."""
        self._note(list(self._state().tasks.values()))  # what a former engine did not get to post
        async with asyncio.TaskGroup() as group:
            for repository in self._section.repositories:
                group.create_task(self._follow(repository), name=f"issues of {repository.name}")
            group.create_task(self._post(), name="results for GitHub")

    # ---- in

    async def _follow(self, repository: RepositoryConfig) -> None:
        """Look for items of a repository: again and again, or until it went well once where GitHub itself tells of news."""
        while True:
            wait_s = self._section.poll_s
            try:
                for label in repository.labels:
                    await self._look(repository, label)
                if self.hooks:
                    return
            except LimitedError as error:
                wait_s = max(wait_s, error.until - self._clock.now())
            except FleetError as error:
                logger.warning("issues could not be read", extra={"repository": repository.name, "reason": str(error)})
            await self._clock.sleep(wait_s)

    async def _look(self, repository: RepositoryConfig, label: str) -> None:
        """Take in what has a label; newest changes first, so that a page on which all is known ends it. Raises ForgeError, FleetError."""
        path = f"repos/{repository.name}/issues"
        name = f"{self._section.api_url} {path} {label}"
        etag, seen = await self._kept(self._ledger.etag, name), ""
        for page in range(1, PAGES_MAX + 1):
            wanted: dict[str, str | int] = {"labels": label, "state": "open", "sort": "updated", "direction": "desc", "per_page": PAGE, "page": page}
            answer = await self._forge.get(path, params=wanted, etag=etag if page == 1 else "")
            if not answer.is_modified:
                return
            seen = seen or answer.etag
            is_new = [await self.take(item) for item in _items(repository.name, answer.data)]
            if len(is_new) < PAGE or (etag and not any(is_new)):
                break
        await self._kept(self._ledger.see, name, seen)

    async def take(self, item: Item) -> str:
        """Make an item a task; return its id, empty = it has no label of ours or is one already. Raises FleetError."""
        repository = next(one for one in self._section.repositories if one.name == item.repository)
        pool = pool_of(item, repository.labels)
        if not pool or await self._kept(self._ledger.is_taken, item.node):
            return ""
        answer = await self._operator.execute([command_of(item, pool)], reason=item.url)
        task = str(answer.first())
        await self._kept(self._ledger.take, item.node, task, f"{item.repository}#{item.number}", self._clock.now())
        return task

    async def _is_new(self, delivery: str) -> bool:
        return not await self._kept(self._ledger.is_delivered, delivery)

    async def _dealt_with(self, delivery: str) -> None:
        await self._kept(self._ledger.deliver, delivery, self._clock.now())

    # ---- out

    async def _post(self) -> None:
        while True:
            due = [id_ for id_ in self._waiting if self._tries.get(id_, (0, 0.0))[1] <= self._clock.now()]
            if due:
                await self._post_one(due[0])
                continue
            self._news.clear()
            first = min((at for _, at in self._tries.values()), default=None)
            if first is None:
                await self._news.wait()
            else:
                await self._clock.sleep(min(LOOK_S, max(0.05, first - self._clock.now())))

    async def _post_one(self, id_: TaskId) -> None:
        task = self._state().tasks.get(id_)
        place = place_of(task) if task is not None else None
        if task is None or place is None or task.state not in _POSTED:
            self._over(id_)  # it runs again, and comes back when it ends
            return
        try:
            if not await self._kept(self._ledger.is_posted, id_):
                url = await self._poster.post(task, place)
                await self._kept(self._ledger.post, id_, url, self._clock.now())
                logger.info("a result is posted", extra={"task": id_, "url": url})
                await self._clock.sleep(BETWEEN_POSTS_S)
            self._over(id_)
        except LimitedError as error:
            self._tries[id_] = (self._tries.get(id_, (0, 0.0))[0], error.until)
        except FleetError as error:
            await self._failed(id_, place, str(error))

    async def _failed(self, id_: TaskId, place: Place, why: str) -> None:
        """Have a result wait for another try, longer each time."""
        times = self._tries.get(id_, (0, 0.0))[0] + 1
        self._tries[id_] = (times, self._clock.now() + earliest(RETRY_S, times - 1))
        logger.warning("a result could not be posted", extra={"task": id_, "place": f"{place.repository}#{place.number}", "reason": why})
        with contextlib.suppress(ForgeError):  # it is in the log
            await self._kept(self._ledger.fail, id_, why, self._clock.now())

    def _over(self, id_: TaskId) -> None:
        self._waiting.pop(id_, None)
        self._tries.pop(id_, None)

    async def _whole(self, task: Task) -> Mapping[str, Any]:
        """Return the whole result of a task: a large one is kept apart."""
        stored = await self._artifact(task.artifact) if task.artifact else None
        try:
            found = msgspec.json.decode(stored.data) if stored is not None else task.result
        except msgspec.DecodeError:
            found = task.result
        return found if isinstance(found, dict) else {"result": found}

    def _checkout(self, task: Task) -> Path | None:
        """Return the repository that the branch of a task is in; None = its pool has no worktrees."""
        pool = self._state().pools.get(task.spec.pool)
        if pool is None or pool.spec.worktree is None:
            return None
        return self._directory / (pool.spec.worktree.repository or task.spec.workspace)

    async def _kept(self, call: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """Ask the ledger, off the loop, one question at a time."""
        async with self._turn:
            try:
                return await asyncio.to_thread(partial(call, *args, **named))
            except sqlite3.Error as error:
                raise ForgeError(f"{DATABASE} cannot be used: {error}; look after the disk of the state directory") from error

    async def close(self) -> None:
        """Close the ledger."""
        await self._kept(self._ledger.close)


def _items(repository: str, data: object) -> list[Item]:
    """Return the items of a page; what is none is left out."""
    found = []
    for one in data if isinstance(data, list) else ():
        try:
            found.append(item_of(repository, one))
        except ItemError as error:
            logger.warning("an issue cannot be read", extra={"repository": repository, "reason": str(error)})
    return found
