"""Issues and pull requests as tasks, and tasks as what is said of them there; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.model.secrets import conceal, conceal_in_code
from engine.model.task_commands import SubmitTask
from engine.model.tasks import Task, TaskState

WHO = "github"
"""In whose name tasks are submitted; roles and guardrails know it by this."""
KEY_PREFIX = "github:"
"""Of the idempotency keys of tasks that come from there; GitHub's node id follows."""
ISSUE, PULL_REQUEST = "github.issue", "github.pull_request"
BODY_MAX = 60_000
"""Characters of what is posted; GitHub takes 65,536."""
PROMPT_MAX = 200_000


class ItemError(ValueError):
    """What came is no issue or pull request."""


@dataclass(frozen=True, slots=True)
class Item:
    """An issue or a pull request, as much of it as matters; what looks like a secret is hidden in its words."""

    node: str
    """Its id among all of GitHub's things; stays when the repository is renamed."""
    repository: str
    number: int
    title: str
    body: str
    url: str
    author: str
    labels: tuple[str, ...]
    is_pull: bool
    is_open: bool = True

    @property
    def key(self) -> str:
        """Return the idempotency key of its task."""
        return KEY_PREFIX + self.node


def item_of(repository: str, data: Mapping[str, Any], *, is_pull: bool | None = None) -> Item:
    """Return an issue or pull request of the API or a webhook. Raises ItemError."""
    try:
        return Item(
            _text(data["node_id"], 200),
            repository,
            int(data["number"]),
            _text(conceal_in_code(_text(data["title"], PROMPT_MAX)), 1_000),
            conceal_in_code(_text(data.get("body") or "", PROMPT_MAX)),
            _text(data.get("html_url") or "", 1_000),
            _text((data.get("user") or {}).get("login") or "", 200),
            tuple(_text(label["name"], 200) for label in data.get("labels") or ()),
            "pull_request" in data if is_pull is None else is_pull,
            data.get("state", "open") == "open",
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ItemError(f"no issue or pull request: {type(error).__name__} {error}") from error


def _text(value: object, most: int) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value[:most]


def pool_of(item: Item, labels: Mapping[str, str]) -> str:
    """Return the pool that does an item, by the first of the configured labels that it has; empty = none."""
    has = {label.lower() for label in item.labels}
    return next((pool for label, pool in labels.items() if label.lower() in has), "")


def command_of(item: Item, pool: str) -> SubmitTask:
    """Return the verb that makes an item a task."""
    what = "Pull request" if item.is_pull else "Issue"
    prompt = f"{what} #{item.number} of {item.repository} by {item.author or 'somebody'}: {item.title}\n{item.url}\n\n{item.body}".rstrip()
    payload: dict[str, Any] = {
        "repository": item.repository, "number": item.number, "url": item.url, "title": item.title, "body": item.body, "author": item.author, "labels": list(item.labels),
    }  # fmt: skip
    title = f"{item.repository}#{item.number} {item.title}"[:120]
    return SubmitTask(PULL_REQUEST if item.is_pull else ISSUE, pool, prompt, payload, title, idempotency_key=item.key, fairness_key=f"github {item.repository}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the result of a task goes."""

    repository: str
    number: int
    is_pull: bool


def place_of(task: Task) -> Place | None:
    """Return where the result of a task goes; None = it did not come from GitHub, though it may say so."""
    repository, number = task.spec.payload.get("repository"), task.spec.payload.get("number")
    if task.spec.submitted_by != WHO or not task.spec.idempotency_key.startswith(KEY_PREFIX) or not isinstance(repository, str) or not isinstance(number, int):
        return None
    return Place(repository, number, task.spec.type == PULL_REQUEST)


def marker_of(task: Task) -> str:
    """Return what tells that something posted is the result of a task: not shown, and looked for before it is posted again."""
    return f"<!-- fleet-tui result {task.spec.id} -->"


def branch_of(task: Task) -> str:
    """Return the branch that holds what a task has done; empty = it changed nothing, or had no worktree."""
    found = task.result.get("workspace")
    branch = found.get("branch") if isinstance(found, Mapping) and not found.get("problem") else ""
    return branch if task.state is TaskState.SUCCEEDED and isinstance(branch, str) else ""


def words_of(task: Task, result: Mapping[str, Any], *, closes: int = 0, note: str = "") -> str:
    """Return what is posted of a task that has ended: how it went, a note, its own words, and the marker. Nothing that looks like a secret is in it."""
    seconds, cost = max(0.0, task.finished_at - task.started_at) if task.started_at else 0.0, task.usage.get("cost", 0.0)
    how = "did this" if task.state is TaskState.SUCCEEDED else "did not succeed"
    head = f"The pool `{task.spec.pool}` {how} in {seconds:,.0f} s" + (f", ${cost:,.2f}" if cost else "") + f" (`{task.spec.id}`)."
    said = _said(task, result)
    if len(said) > BODY_MAX:
        said = f"{said[:BODY_MAX]}\n\n… {len(said) - BODY_MAX:,} more characters: `fleet-tui get task {task.spec.id}`"
    ends = f"Closes #{closes}\n" if closes else ""
    return "\n\n".join(filter(None, (head, note, said, ends + marker_of(task))))


def _said(task: Task, result: Mapping[str, Any]) -> str:
    if task.state is not TaskState.SUCCEEDED:
        return conceal(f"> {task.error.kind}: {task.error.message}") if task.error else ""
    for name in ("text", "stdout"):
        text = result.get(name)
        if isinstance(text, str) and text.strip():
            return conceal(text.strip())
    plain = {name: value for name, value in result.items() if name not in ("workspace", "diff")}
    return "```json\n" + conceal(json.dumps(plain, indent=2, ensure_ascii=False, default=str)).replace("```", "` ` `") + "\n```" if plain else ""
