"""Tasks in git worktrees: each its own, nothing of what was done is lost, and the repository itself stays as it is."""

# A test may hold up its own loop.
# ruff: noqa: ASYNC240

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from engine import FleetManager
from engine.config import parse_config
from engine.model.errors import ConfigError
from engine.model.ids import TaskId
from engine.model.task_commands import CancelTask, SubmitTask
from engine.model.tasks import FINISHED, Task

from tests.integration.engines import engine, until
from tests.integration.processes import wait_until
from tests.integration.test_losses import row_of, submit

WAIT_S = 60.0


def git(where: Path, *words: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main")
    return subprocess.run(("git", *identity, *words), cwd=where, check=True, capture_output=True, text=True).stdout.strip()


def repository(root: Path) -> Path:
    path = root / "repo"
    (path / "sub").mkdir(parents=True)
    (path / "a.txt").write_text("one\n")
    (path / "sub" / "b.txt").write_text("two\n")
    (path / ".gitignore").write_text("cache\n")
    git(path, "init", "-q")
    git(path, "add", "-A")
    git(path, "commit", "-q", "-m", "first")
    return path


def pool(size: int = 2, **worktree: Any) -> dict[str, Any]:
    """Return a pool whose programs do what the prompt says."""
    argv = ["sh", "-c", 'eval "$1"', "sh", "{prompt}"]
    return {"kind": "command", "min": size, "max": size, "workspace": "worktree", "worktree": worktree, "command": {"argv": argv, "prompt": "argument"}}


class Desk:
    def __init__(self, fleet: FleetManager) -> None:
        self.fleet = fleet

    async def give(self, pool: str, prompt: str, **more: Any) -> str:
        answer = await self.fleet.operator().execute([SubmitTask("work", pool, payload={"prompt": prompt}, max_attempts=1, **more)])
        return str(answer.values[0])

    async def ended(self, task: str) -> Task:
        await wait_until(lambda: self.task(task).state in FINISHED, WAIT_S)
        return self.task(task)

    def task(self, task: str) -> Task:
        return self.fleet.coordinator.state.tasks[TaskId(task)]


@asynccontextmanager
async def desk(root: Path, **pools: Any) -> AsyncIterator[Desk]:
    (root / "state").mkdir()
    async with FleetManager({"fleet": {"default_pools": pools}, "booster": {"enabled": False}}, directory=root / "repo", state_dir=root / "state") as fleet:
        yield Desk(fleet)


def work(task: Task) -> dict[str, Any]:
    found = task.result["workspace"]
    assert isinstance(found, dict)
    return found


async def test_tasks_at_once_work_apart_and_what_they_did_is_on_their_branches(tmp_path: Path) -> None:
    repo = repository(tmp_path)
    (repo / "a.txt").write_text("not committed\n")
    meet = "touch {0}/{1}; while [ ! -e {0}/one ] || [ ! -e {0}/two ]; do sleep 0.05; done"
    async with desk(tmp_path, talk=pool()) as subject:
        first = await subject.give("talk", f"echo ONE >> a.txt; {meet.format(tmp_path, 'one')}; pwd")
        commits = "git -c user.name=a -c user.email=a@a commit -qam 'second by its agent'"
        second = await subject.give("talk", f"echo TWO >> a.txt; {commits}; echo new > n.txt; {meet.format(tmp_path, 'two')}; pwd")
        ends = [await subject.ended(first), await subject.ended(second)]
        assert [end.state for end in ends] == ["succeeded", "succeeded"], [end.error for end in ends]
        assert ends[0].result["stdout"] != ends[1].result["stdout"], "they share no worktree"
        one, two = map(work, ends)
        assert git(repo, "show", f"{one['branch']}:a.txt") == "one\nONE"
        assert git(repo, "show", f"{two['branch']}:a.txt") == "one\nTWO"
        assert [commit.partition(" ")[2] for commit in two["commits"]] == [f"What {second} left uncommitted", "second by its agent"]
        assert (two["files"], two["insertions"], one["base_dirty"]) == (2, 2, True)
        diff = str(ends[0].result["diff"])
        assert "+ONE" in diff
        assert "TWO" not in diff
        assert (repo / "a.txt").read_text() == "not committed\n", "the repository's own files stay as they are"
        assert git(repo, "worktree", "list").count("\n") == 0, "those that ended well are gone"


async def test_what_fails_is_kept_and_what_changed_nothing_leaves_nothing(tmp_path: Path) -> None:
    repo = repository(tmp_path)
    pools = {
        "talk": pool(1, keep_failed=1, repository="sub", setup=["sh", "-c", "echo ready > cache"]),
        "lost": pool(1, base="no-such-branch"),
        "unset": pool(1, setup=["sh", "-c", "echo broken >&2; exit 3"]),
    }
    async with desk(tmp_path, **pools) as subject:
        idle = await subject.ended(await subject.give("talk", "cat b.txt ../cache"))
        assert (idle.state, idle.result["stdout"]) == ("succeeded", "two\nready\n"), "it works where the repository's path leads, after setup"
        assert (work(idle)["branch"], work(idle)["path"], git(repo, "branch", "--list", "fleet/*")) == ("", "", "")
        former = work(await subject.ended(await subject.give("talk", "echo f > f.txt; exit 1")))
        failed = await subject.ended(await subject.give("talk", "echo g > f.txt; exit 1"))
        kept = work(failed)
        assert (failed.state, Path(kept["path"], "sub", "f.txt").read_text()) == ("dead", "g\n")
        assert not Path(former["path"]).exists(), "more are not kept"
        assert git(repo, "show", f"{former['branch']}:sub/f.txt") == "f", "its branch is"
        lost = await subject.ended(await subject.give("lost", "true"))
        assert lost.error is not None
        assert (lost.state, lost.error.kind) == ("failed", "workspace")
        assert "'no-such-branch' names no commit" in lost.error.message
        unset = await subject.ended(await subject.give("unset", "touch never"))
        assert unset.error is not None
        assert "setup 'sh': exit code 3: broken; see " in unset.error.message
        stopped = await subject.give("talk", "echo half > h.txt; sleep 600")
        await wait_until(lambda: subject.task(stopped).state == "running", WAIT_S)
        await wait_until(lambda: any(tmp_path.glob("state/worktrees/*/*/*/tree/sub/h.txt")), WAIT_S)
        await subject.fleet.operator().execute([CancelTask(stopped)])
        await wait_until(lambda: "h.txt" in git(repo, "ls-tree", "-r", "--name-only", f"fleet/{stopped}", "--", "sub") if git(repo, "branch", "--list", f"fleet/{stopped}") else False, WAIT_S)


async def test_an_agent_keeps_its_worktree_and_begins_each_task_at_the_base(tmp_path: Path) -> None:
    repo = repository(tmp_path)
    async with desk(tmp_path, talk=pool(1, per="agent")) as subject:
        first = await subject.ended(await subject.give("talk", "pwd; echo warm > cache; echo x > new.txt; echo ONE >> a.txt"))
        second = await subject.ended(await subject.give("talk", "pwd; cat cache a.txt; ls; exit 1"))
        where, *rest = str(second.result["stdout"]).split()
        assert [where] == str(first.result["stdout"]).split()
        assert rest == ["warm", "one", "a.txt", "cache", "sub"], "what git ignores stays, the rest is as at the base"
        assert git(repo, "show", f"{work(first)['branch']}:new.txt") == "x"
        assert not work(second)["branch"]


async def test_branches_have_names_kept_worktrees_make_room_and_what_was_merged_is_not_the_tasks(tmp_path: Path) -> None:
    repo = repository(tmp_path)
    merging = "git -c user.name=a -c user.email=a@a merge -q --no-edit main"
    async with desk(tmp_path, talk=pool(1, branch_prefix="{pool}/{title}-", max_mb=1)) as subject:
        failed = work(await subject.ended(await subject.give("talk", "head -c 1500000 /dev/zero > big; exit 1", title="Fill: the DISK!")))
        assert failed["branch"].startswith("talk/fill-the-disk-tsk_")
        assert Path(failed["path"]).exists()
        (repo / "theirs.txt").write_text("theirs\n")
        task = await subject.give("talk", f"while [ ! -e {tmp_path}/on ]; do sleep 0.05; done; {merging}; echo mine > mine.txt", title="…")
        await wait_until(lambda: subject.task(task).state == "running", WAIT_S)
        assert not Path(failed["path"]).exists(), "it was kept, and went to make room"
        git(repo, "add", "theirs.txt")
        git(repo, "commit", "-q", "-m", "theirs")
        (tmp_path / "on").touch()
        done = await subject.ended(task)
        assert done.error is None
        told = work(done)
        assert (told["branch"], told["base"], told["files"], told["commits"][0].partition(" ")[2]) == (f"talk/task-{task}", git(repo, "rev-parse", "main"), 1, f"What {task} left uncommitted")


# As Claude Code: it finds a conversation only where that began. The first process dies in the middle of its task.
DIES_ONCE = """
import json, os, pathlib, sys
places = pathlib.Path(sys.argv[1])
resumed = sys.argv[sys.argv.index("--resume") + 1] if "--resume" in sys.argv else ""
if resumed and (places / resumed).read_text() != os.getcwd(): sys.exit(f"No conversation found with session ID: {resumed}")
def say(**message): print(json.dumps(message), flush=True)
for line in sys.stdin:
    told = json.loads(line)
    if told["type"] == "control_request":
        say(type="control_response", response={"subtype": "success", "request_id": told["request_id"]})
    elif told["type"] == "user":
        session = f"s-{os.getpid()}"
        is_first = not any(places.iterdir())
        (places / session).write_text(os.getcwd())
        say(type="system", subtype="init", session_id=session)
        if is_first: os._exit(1)
        say(type="result", subtype="success", is_error=False, result="done", session_id=session, total_cost_usd=0, usage={}, permission_denials=[])
"""


async def test_a_session_that_died_begins_anew_in_its_new_worktree(tmp_path: Path) -> None:
    repository(tmp_path)
    (tmp_path / "places").mkdir()
    argv = [sys.executable, "-c", DIES_ONCE, str(tmp_path / "places")]
    agents = {"kind": "session", "min": 1, "max": 1, "workspace": "worktree", "session": {"argv": argv, "protocol": "claude"}}
    async with desk(tmp_path, talk=agents) as subject:
        answer = await subject.fleet.operator().execute([SubmitTask("work", "talk", payload={"prompt": "go"}, max_attempts=3)])
        end = await subject.ended(str(answer.values[0]))
        assert (end.state, end.attempt, end.result.get("text")) == ("succeeded", 2, "done"), end.error


def has_half(trees: Path, attempt: str) -> bool:
    """Answer whether an attempt has begun to change its worktree; others come and go meanwhile."""
    with suppress(OSError):
        return any("half" in file.read_text() for file in trees.rglob(f"{attempt}/tree/a.txt"))
    return False


def test_what_a_killed_engine_left_is_saved_at_the_next_start(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    repo = repository(tmp_path)
    script = "touch $(git rev-parse --git-path index.lock); echo half >> a.txt; sleep 600"  # as an agent's git that dies with it
    config = f"""
[pools.talk]
min = 1
max = 1
kind = "command"
workspace = "worktree"
worktree = {{ repository = "{repo}" }}
command = {{ argv = ["sh", "-c", "{script}"] }}
"""
    with engine(tmp_path, config) as subject:
        task = submit(subject, "work", "talk")
        trees = tmp_path / "state"
        until(lambda: has_half(trees, f"{task}.1"))
        subject.kill()
        subject.start()
        until(lambda: git(repo, "branch", "--list", f"fleet/{task}"))
        until(lambda: "half" in git(repo, "show", f"fleet/{task}:a.txt"))
        until(lambda: row_of(subject, task)["attempt"] == 2)
        until(lambda: has_half(trees, f"{task}.2"))
        assert git(repo, "branch", "--show-current") == "main"


def test_a_worktree_is_for_programs_that_end_with_the_engine() -> None:
    for bad, told in (
        ({"kind": "python", "workspace": "worktree"}, "for pools of kind command or session"),
        ({"kind": "command", "workspace": "worktree", "command": {"argv": ["x"], "on_engine_death": "adopt"}}, "does not go with on_engine_death"),
        ({"worktree": {"branch_prefix": "-x"}}, "branch_prefix"),
        ({"worktree": {"branch_prefix": "{task}/"}}, "branch_prefix"),
    ):
        with pytest.raises(ConfigError, match=told):
            parse_config({"pools": {"talk": bad}}, "test")
