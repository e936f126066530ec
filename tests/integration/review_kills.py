"""A program that carries a review's verb out and is killed on the way, again and again: `python -m tests.integration.review_kills FOLDER KILLS`.

Each kill is `WORD:STEP`: the engine dies of SIGKILL in front of its second change of the repository (`2.before`), in the middle of it
(`2.within`), right after it (`2.after`), or after so many seconds (`0.25`). Engines are forked, so that they load nothing anew.
It prints, as JSON, for each kill what the next engine found, and fails when anything is half done or cannot be asked for again.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from engine import FleetManager
from engine.agents.processes.finishing import Finished, Finishers
from engine.agents.processes.spec import ProcessSpec
from engine.model.ids import TaskId
from engine.model.review_commands import AcceptReview, DiscardReview, ReopenReview
from engine.model.task_commands import SubmitTask
from engine.model.tasks import FINISHED
from engine.model.verbs import Command

from tests.integration.processes import wait_until
from tests.integration.test_worktrees import git, pool, repository

CHANGES = 'echo mine > mine.txt; for n in 1 2 3; do echo $n > new$n.txt; done; git add -A; git -c user.name=ann -c user.email=a@a commit -qm "by its agent"; echo more >> mine.txt'
# What is checked out goes through this: once git has written some files and not yet the others, it waits until the engine of `dying` is dead.
SLOW = 'if [ -e "{0}/dying" ]; then touch "{0}/begun"; for n in $(seq 6000); do kill -0 "$(cat "{0}/dying")" 2>&1 || break; sleep 0.01; done >/dev/null; fi; cat'
TAKEN = {"merge": 1, "squash": 1, "cherry-pick": 2, "patch": 0}
"""Commits that name the task."""
LOCKS = ("**/*.lock", "MERGE_HEAD", "CHERRY_PICK_HEAD", "AUTO_MERGE", "rebase-*", "worktrees/*")


class Life:
    """One engine on the folder, in a process of its own."""

    def __init__(self, root: Path, word: str, step: str = "") -> None:
        self.root = root
        self.repo = root / "repo"
        self.how = word if word in ("merge", "squash", "cherry-pick", "patch") else "merge"
        self.word = word
        self.step = step
        self.changes = 0

    def verb(self, task: str) -> Command:
        if self.word in ("discard", "reopen"):
            return (DiscardReview if self.word == "discard" else ReopenReview)(task)
        return AcceptReview(task, how=self.how)

    def fleet(self) -> FleetManager:
        config = {"fleet": {"default_pools": {"talk": pool(1)}}, "booster": {"enabled": False}}
        return FleetManager(config, directory=self.repo, state_dir=self.root / "state")

    async def make(self) -> None:
        """Have a task leave work; for `reopen`, accept it."""
        async with self.fleet() as fleet:
            answer = await fleet.operator().execute([SubmitTask("work", "talk", payload={"prompt": CHANGES}, max_attempts=1)])
            task = str(answer.values[0])
            await wait_until(lambda: fleet.coordinator.state.tasks[TaskId(task)].state in FINISHED)
            assert task in fleet.coordinator.state.reviewing, fleet.coordinator.state.tasks[TaskId(task)].error
            (self.root / "task").write_text(task)
            if self.word == "reopen":
                await fleet.operator().execute([AcceptReview(task)])

    async def act(self) -> None:
        """Carry the verb out, and be killed at the step."""
        run = Finishers.run

        async def counted(one: Finishers, spec: ProcessSpec) -> Finished:
            self.changes += 1
            self.die_at("before")
            if self.step == f"{self.changes}.within":
                (self.root / "dying").write_text(str(os.getpid()))
                threading.Thread(target=self.die_when_it_began, daemon=True).start()
            finished = await run(one, spec)
            self.die_at("after")
            return finished

        async with self.fleet() as fleet:
            Finishers.run = counted  # type: ignore[method-assign]
            if not self.step.partition(".")[2].isalpha() and self.step:
                threading.Timer(float(self.step), os.kill, (os.getpid(), signal.SIGKILL)).start()
            await fleet.operator().execute([self.verb((self.root / "task").read_text())])

    def die_at(self, where: str) -> None:
        if self.step == f"{self.changes}.{where}":
            os.kill(os.getpid(), signal.SIGKILL)

    def die_when_it_began(self) -> None:
        while not (self.root / "begun").exists():
            threading.Event().wait(0.005)
        os.kill(os.getpid(), signal.SIGKILL)

    async def follow(self) -> None:
        """Be the next engine: nothing is half done, and what was asked for is done when it is asked for again."""
        task = (self.root / "task").read_text()
        async with self.fleet() as fleet:
            found = self.review(fleet, task)
            before = ("waiting", "accepted") if self.word != "reopen" else ("accepted", "waiting")
            assert found in (*before, "discarded"), found
            if found == before[0]:
                await fleet.operator().execute([self.verb(task)])
            assert self.review(fleet, task) == {"discard": "discarded", "reopen": "waiting"}.get(self.word, "accepted")
            self.check(task, is_open=self.word == "reopen", is_in=self.word not in ("discard", "reopen"))
            if self.word != "reopen":
                await fleet.operator().execute([ReopenReview(task)])
                self.check(task, is_open=True, is_in=None if found == before[0] else False)
            fleet.coordinator.state.check()
        (self.root / "told").write_text(found)

    def review(self, fleet: FleetManager, task: str) -> str:
        review = fleet.coordinator.state.tasks[TaskId(task)].review
        assert review is not None
        return str(review.state)

    def check(self, task: str, *, is_open: bool, is_in: bool | None) -> None:
        """Look at the repository: whole, with the work's branch or without, with the work on `main` or in the working copy or without."""
        left = [str(path) for pattern in LOCKS for path in (self.repo / ".git").glob(pattern)]
        assert not left, left
        assert bool(git(self.repo, "branch", "--list", f"fleet/{task}")) is is_open
        assert git(self.repo, "fsck", "--connectivity-only", "--no-dangling", "--no-progress") == ""
        has_files = [(self.repo / name).exists() for name in ("mine.txt", "new1.txt", "new2.txt", "new3.txt")]
        assert has_files in ([True] * 4, [False] * 4), has_files
        is_patch = self.word == "patch" and has_files[0]
        assert bool(git(self.repo, "status", "--porcelain")) is is_patch
        if is_in is not None:
            assert has_files[0] is is_in
            named = git(self.repo, "log", "--format=%B", "main").count(f"Fleet-Task: {task}")
            assert named == (TAKEN[self.how] if is_in else 0), "taken over once"


def lived(life: Life, part: Coroutine[Any, Any, None]) -> int:
    """Return how a process ended that lived this part."""
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(part)
        except BaseException:  # noqa: BLE001  # a child must not go on as its parent
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    part.close()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed(life: Life, saved: Path) -> str:
    """Live a verb that is killed, and the engine after it; return what that found."""
    shutil.rmtree(life.root, ignore_errors=True)
    shutil.copytree(saved, life.root, symlinks=True)
    ended = lived(life, life.act())
    assert ended in (0, -signal.SIGKILL), (life.word, life.step, ended)
    assert lived(life, life.follow()) == 0, (life.word, life.step)
    return f"{'killed' if ended else 'ended'}, {(life.root / 'told').read_text()}"


def main(folder: Path, kills: list[str]) -> dict[str, str]:
    told = {}
    here = folder / "here"
    for word in dict.fromkeys(kill.partition(":")[0] for kill in kills):
        saved = folder / f"saved-{word}"
        here.mkdir()
        repo = repository(here)
        (here / "state").mkdir(mode=0o700)
        (repo / ".gitattributes").write_text("new*.txt filter=slow\n")
        git(repo, "add", "-A")
        git(repo, "commit", "-q", "-m", "slow")
        life = Life(here, word)
        assert lived(life, life.make()) == 0
        git(repo, "config", "filter.slow.smudge", SLOW.format(here))
        git(repo, "status")  # as a person would: the index knows what is there
        here.rename(saved)
        for kill in kills:
            if kill.startswith(f"{word}:"):
                told[kill] = killed(Life(here, word, kill.partition(":")[2]), saved)
        shutil.rmtree(here)
    return told


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), sys.argv[2:])))
