"""Reviews of what tasks did in git worktrees: taken over, dropped and improved, and nobody's own files harmed."""

# A test may hold up its own loop.
# ruff: noqa: ASYNC240

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engine.memory.checking import verify
from engine.model.errors import CommandRefused
from engine.model.fleet_commands import RedoPlan, UndoPlan
from engine.model.review_commands import AcceptReview, DiscardReview, ReopenReview
from engine.model.reviews import ReviewState, Taking
from engine.model.task_commands import CancelTask, RetryTask
from engine.model.verbs import Command

from tests.integration.processes import wait_until
from tests.integration.test_worktrees import WAIT_S, Desk, desk, git, pool, repository, work

WAITING = ReviewState.WAITING


async def done(subject: Desk, prompt: str, at: str = "talk") -> str:
    """Return a task that has ended."""
    return (await subject.ended(await subject.give(at, prompt))).spec.id


async def do(subject: Desk, *commands: Command) -> Any:
    """Carry verbs out as a console does: by their plan."""
    gate = subject.fleet.operator()
    plan = await gate.plan(list(commands))
    return plan, await gate.execute(plan.id, confirm=plan.confirm)


def state_of(subject: Desk, task: str) -> str:
    review = subject.task(task).review
    return review.state if review else ""


def said(repo: Path, at: str = "main") -> list[str]:
    return git(repo, "log", "--first-parent", "--format=%s", at).splitlines()


async def test_each_way_takes_all_of_it_over_and_goes_back(tmp_path: Path) -> None:
    repo = repository(tmp_path)
    (repo / "mine.txt").write_text("in no commit\n")
    commit = "git -c user.name=ann -c user.email=a@a commit -qam 'by its agent'"
    async with desk(tmp_path, talk=pool(check=["sh", "-c", "test -e new.txt"])) as subject:
        for how in ("merge", "squash", "cherry-pick", "patch"):
            task = await done(subject, f"echo {how} >> a.txt; {commit}; echo new > new.txt")
            review = subject.task(task).review
            assert review is not None
            assert (review.state, review.work.onto, review.work.commits, review.work.files, review.work.check) == (WAITING, "main", 2, 2, "passed")
            before = git(repo, "rev-parse", "main")
            plan, answer = await do(subject, AcceptReview(task, how=how))
            assert f"{how} of fleet/{task} into" in plan.steps[0].effect
            assert (repo / "a.txt").read_text() == f"one\n{how}\n", "the working copy follows"
            assert (repo / "mine.txt").read_text() == "in no commit\n"
            assert git(repo, "branch", "--list", f"fleet/{task}") == ""
            assert state_of(subject, task) == "accepted"
            news = {"merge": [f"Merge fleet/{task}: work"], "squash": ["work"], "cherry-pick": [f"What {task} left uncommitted", "by its agent"], "patch": []}[how]
            assert [line[: len(new)] for line, new in zip(said(repo), news, strict=False)] == news
            if how == "cherry-pick":
                assert git(repo, "log", "-1", "--format=%an", "--skip=1") == "ann"
            with pytest.raises(CommandRefused, match="is accepted already"):
                await do(subject, DiscardReview(task))
            await do(subject, UndoPlan(answer.plan))
            assert (git(repo, "rev-parse", "main"), (repo / "a.txt").read_text(), (repo / "new.txt").exists()) == (before, "one\n", False)
            assert (state_of(subject, task), git(repo, "show", f"fleet/{task}:new.txt")) == ("waiting", "new")
            if how == "merge":
                await do(subject, RedoPlan())
                assert (state_of(subject, task), said(repo)[0]) == ("accepted", news[0])
                await do(subject, ReopenReview(task))
                assert git(repo, "rev-parse", "main") == before


async def test_what_does_not_fit_changes_nothing_and_says_what_to_do(tmp_path: Path) -> None:
    repo = repository(tmp_path)
    async with desk(tmp_path, talk=pool()) as subject:
        first, second = await done(subject, "echo FIRST > a.txt"), await done(subject, "echo SECOND > a.txt; echo b > b.txt")
        (repo / "a.txt").write_text("mine\n")
        before = git(repo, "rev-parse", "main")
        with pytest.raises(CommandRefused, match=r"the working copy in .* cannot follow main: .*a.txt.*nothing was changed"):
            await do(subject, AcceptReview(first))
        with pytest.raises(CommandRefused, match=r"do not fit into the working copy"):
            await do(subject, AcceptReview(first, how="patch"))
        assert (git(repo, "rev-parse", "main"), (repo / "a.txt").read_text(), state_of(subject, first)) == (before, "mine\n", "waiting")
        git(repo, "checkout", "-q", "--", "a.txt")
        with pytest.raises(CommandRefused, match=f"fleet/{second} conflicts with main in a.txt; nothing was changed; `retry {second} --feedback"):
            await do(subject, AcceptReview(first), AcceptReview(second))
        assert (git(repo, "rev-parse", "main"), git(repo, "status", "--porcelain")) == (before, "")
        with pytest.raises(CommandRefused, match="'refs/heads/nowhere' names no commit"):
            await do(subject, AcceptReview(first, onto="nowhere"))
        git(repo, "branch", "other")
        await do(subject, AcceptReview(first, onto="other"))
        assert (git(repo, "show", "other:a.txt"), git(repo, "rev-parse", "main")) == ("FIRST", before), "a branch that nobody shows"
        git(repo, "checkout", "-q", f"fleet/{second}")
        with pytest.raises(CommandRefused, match=f"fleet/{second} is checked out in"):
            await do(subject, AcceptReview(second, onto="main", how="squash"))
        assert git(repo, "rev-parse", "main") == before, "what was begun is taken back"
        git(repo, "checkout", "-q", "main")
        await do(subject, AcceptReview(second))
        git(repo, "commit", "-q", "--allow-empty", "-m", "somebody goes on")
        with pytest.raises(CommandRefused, match="main has moved on since, .* git revert -m 1"):
            await do(subject, ReopenReview(second))


async def test_what_a_kill_cut_off_is_noted_when_it_is_asked_for_again(tmp_path: Path) -> None:
    repo = repository(tmp_path)
    async with desk(tmp_path, talk=pool()) as subject:
        kinds = subject.fleet._kinds
        assert kinds is not None
        for how in ("merge", "squash", "cherry-pick", "patch"):
            task = await done(subject, f"echo {how} > {how}.txt")
            review = subject.task(task).review
            assert review is not None
            taking = await kinds.reviewer.make(review.work, Taking(how), task, "it")
            await kinds.reviewer.take(review.work, taking)
            if how != "patch":
                await kinds.reviewer.retire(review.work)
                with pytest.raises(CommandRefused, match=f"main has what {task} did already; `accept {task}` notes that"):
                    await do(subject, DiscardReview(task))
            before = git(repo, "rev-parse", "main")
            plan, _ = await do(subject, AcceptReview(task, how=how))
            assert "has it already" in plan.steps[0].effect
            assert (git(repo, "rev-parse", "main"), state_of(subject, task), (repo / f"{how}.txt").read_text()) == (before, "accepted", f"{how}\n")
            assert git(repo, "branch", "--list", "fleet/*") == ""
        task = await done(subject, "echo half > half.txt")
        review = subject.task(task).review
        assert review is not None
        await kinds.reviewer.retire(review.work)
        _, answer = await do(subject, DiscardReview(task))
        await kinds.reviewer.restore(review.work)
        await do(subject, UndoPlan(answer.plan))
        assert (state_of(subject, task), git(repo, "show", f"fleet/{task}:half.txt")) == ("waiting", "half")
        await do(subject, AcceptReview(task))
        accepted = subject.task(task).review
        assert accepted is not None
        (repo / "merge.txt").touch()  # is not changed
        await kinds.reviewer.give_back(accepted.work, Taking(accepted.how, accepted.onto, accepted.made))
        git(repo, "commit", "-q", "--allow-empty", "-m", "somebody goes on")
        await do(subject, ReopenReview(task))
        assert (state_of(subject, task), said(repo)[0], (repo / "half.txt").exists()) == ("waiting", "somebody goes on", False)


async def test_feedback_goes_on_in_the_same_worktree_and_a_discard_comes_back(tmp_path: Path) -> None:
    repo = repository(tmp_path)
    async with desk(tmp_path, talk=pool(1)) as subject:
        first = await done(subject, "pwd; echo one >> a.txt")
        prompt = "pwd; cat a.txt; echo two >> a.txt"
        plan, answer = await do(subject, RetryTask(first, feedback=prompt))
        assert plan.steps[0].effect == f"a new task goes on with fleet/{first}, with its prompt and the feedback"
        [second] = answer.values
        assert subject.task(first).review.next == second
        with pytest.raises(CommandRefused, match=f"{second} goes on with what {first} did"):
            await do(subject, AcceptReview(first))
        task = await subject.ended(second)
        assert str(task.spec.payload["prompt"]).startswith("pwd; echo one >> a.txt\n\nWhat was done so far")
        assert str(task.spec.payload["prompt"]).endswith(prompt)
        assert str(task.result["stdout"]).split()[0] == str(subject.task(first).result["stdout"]).strip()
        told = work(task)
        assert (told["branch"], told["count"], told["insertions"]) == (f"fleet/{first}", 2, 3), "its prompt ran once more, then the feedback"
        assert (state_of(subject, first), state_of(subject, second)) == ("retried", "waiting")
        assert list(subject.fleet.coordinator.state.reviewing) == [second]
        [third] = (await do(subject, RetryTask(second, feedback="sleep 600")))[1].values
        await wait_until(lambda: subject.task(third).state == "running", WAIT_S)
        await do(subject, CancelTask(third))
        await subject.ended(third)
        assert state_of(subject, second) == "waiting", "nothing came of the feedback"
        failed = await done(subject, "echo bad > bad.txt; exit 1")
        where = Path(work(subject.task(failed))["path"])
        _, answer = await do(subject, DiscardReview(failed))
        assert (where.exists(), git(repo, "branch", "--list", f"fleet/{failed}")) == (False, "")
        await do(subject, UndoPlan(answer.plan))
        assert git(repo, "show", f"fleet/{failed}:bad.txt") == "bad"
        subject.fleet.coordinator.state.check()
    verdict = verify(tmp_path / "state" / "fleet.db", whole=True)
    assert not verdict.problems
