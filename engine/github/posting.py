"""Puts the result of a task where it belongs: a comment, or a pull request from the branch of its worktree.

Owner: nobody. Nothing is posted twice: what is there already is looked for first, by a marker in comments, by the branch in pull requests.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from engine.github.forge import Forge, ForgeError
from engine.github.items import Place, branch_of, marker_of, words_of
from engine.github.pushing import places_of_keys, push
from engine.model.github_config import GitHubSection, RepositoryConfig
from engine.model.secrets import conceal
from engine.model.tasks import Task

PAGE = 100
PAGES_MAX = 50
EARLIER_S = 3_600.0
"""Comments are looked through from so long before the task was made: clocks differ."""
PUSH_TIMES = 10
TITLE_MAX = 200

Whole = Callable[[Task], Awaitable[Mapping[str, Any]]]
"""Gives the whole result of a task, also when it is kept apart."""


class Poster:
    """Posts results."""

    def __init__(self, section: GitHubSection, forge: Forge, whole: Whole, checkout: Callable[[Task], Path | None]) -> None:
        """`checkout` gives the repository on this machine that a task's branch is in; None = its pool has no worktrees."""
        self._section, self._forge, self._whole, self._checkout = section, forge, whole, checkout
        self._repositories = {repository.name.lower(): repository for repository in section.repositories}

    async def post(self, task: Task, place: Place) -> str:
        """Post the result of a task unless it is there; return its address. Raises ForgeError, LimitedError, ConfigError, JournalError."""
        repository = self._repositories.get(place.repository.lower())
        if repository is None:
            raise ForgeError(f"{place.repository} is no repository of the configuration any more", 404)
        branch, checkout = branch_of(task), self._checkout(task)
        note = ""
        try:
            if repository.result == "pull_request" and not place.is_pull and branch and checkout is not None:
                keys = await self._keys(task, branch, checkout)
                if not keys:
                    return await self._pull_request(task, place, repository, (branch, checkout))
                note = f"Its branch `{branch}` is not pushed: what looks like a key is in {', '.join(keys)}. Look at it with `fleet-tui get review {task.spec.id}`."
            return await self._comment(task, place, note)
        except (KeyError, TypeError, AttributeError) as error:
            raise ForgeError(f"GitHub's answer is not what it should be: {type(error).__name__} {error}") from error

    async def _keys(self, task: Task, branch: str, checkout: Path) -> list[str]:
        """Return where a branch has what looks like a key. Raises ForgeError."""
        found = task.result.get("workspace")
        base = str(found.get("base", "")) if isinstance(found, Mapping) else ""
        timeout_s = PUSH_TIMES * self._section.timeout_s
        return await places_of_keys(checkout, branch, base, timeout_s=timeout_s, withheld=self._section.variables)

    async def _comment(self, task: Task, place: Place, note: str) -> str:
        path = f"repos/{place.repository}/issues/{place.number}/comments"
        since = datetime.fromtimestamp(max(0.0, task.spec.submitted_at - EARLIER_S), UTC)
        marker = marker_of(task)
        for page in range(1, PAGES_MAX + 1):
            found = (await self._forge.get(path, params={"per_page": PAGE, "page": page, "since": since.strftime("%Y-%m-%dT%H:%M:%SZ")})).data
            there = next((comment for comment in found if marker in (comment.get("body") or "")), None)
            if there is not None:
                return str(there.get("html_url", ""))
            if len(found) < PAGE:
                break
        made = await self._forge.post(path, {"body": words_of(task, await self._whole(task), note=note)})
        return str(made.get("html_url", ""))

    async def _pull_request(self, task: Task, place: Place, repository: RepositoryConfig, made: tuple[str, Path]) -> str:
        branch, checkout = made
        await push(checkout, repository.remote, branch, timeout_s=PUSH_TIMES * self._section.timeout_s, withheld=self._section.variables)
        path, owner = f"repos/{place.repository}/pulls", place.repository.partition("/")[0]
        found = (await self._forge.get(path, params={"head": f"{owner}:{branch}", "state": "all", "per_page": PAGE})).data
        there = next((pull for pull in found if pull["head"]["ref"] == branch), None)  # the branch is this task's alone
        if there is not None:
            return str(there.get("html_url", ""))
        base = repository.base or str((await self._forge.get(f"repos/{place.repository}")).data["default_branch"])
        title = f"{conceal(str(task.spec.payload.get('title') or task.spec.title))} (#{place.number})"[:TITLE_MAX]
        body = words_of(task, await self._whole(task), closes=place.number)
        pull = await self._forge.post(path, {"title": title, "head": branch, "base": base, "body": body})
        return str(pull.get("html_url", ""))


def earliest(pause_s: float, times: int) -> float:
    """Return how long to wait after so many failures: twice as long each time, an hour at most."""
    return min(timedelta(hours=1).total_seconds(), pause_s * 2.0 ** min(times, 20))
