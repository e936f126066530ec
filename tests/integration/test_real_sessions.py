"""Real Claude Code as a warm session: it asks, is allowed and denied, goes on after kill -9, and one process does task after task."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import psutil
import pytest
from engine.model.ids import TaskId
from engine.model.question_commands import AnswerTask
from engine.model.questions import Question
from engine.model.review_commands import AcceptReview
from engine.model.task_commands import RetryTask
from engine.model.tasks import Task, TaskState
from fleet_tui.mock_model.script import Turn

from tests.integration.real_agents import WAIT_S, AgentWorld, agent_world, quoted
from tests.integration.test_scaling_library import until
from tests.integration.test_worktrees import git
from tests.tools.agent_programs import need_agents

# What the programs are fetched with may take longer than a test.
pytestmark = [pytest.mark.xdist_group("agent programs"), pytest.mark.timeout(600)]


def bash(match: str, command: str) -> Turn:
    return Turn(match=match, tool="Bash", input={"command": command, "description": "test"}, input_tokens=100, output_tokens=5)


async def question_of(task: Task) -> Question:
    await until(lambda: bool(task.questions) or bool(task.finished_at), WAIT_S)
    assert task.questions, (task.error, task.result)
    return next(iter(task.questions.values()))


async def answer(world: AgentWorld, task: Task, word: str, **more: str) -> None:
    await world.fleet.operator().execute([AnswerTask(task.spec.id, word, **more)])


def pids(program: Path, root: Path) -> list[int]:
    """The processes of a program that run in a world: with its home."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if process.status() != psutil.STATUS_ZOMBIE and process.exe() == str(program.resolve()) and process.environ().get("HOME") == str(root / "home"):
                found.append(process.pid)
    return sorted(found)


async def test_it_asks_is_answered_and_stays_warm(tmp_path: Path) -> None:
    programs = need_agents()
    made, denied = (tmp_path / "work" / name for name in ("made.txt", "denied.txt"))
    turns = [
        Turn(match="writes", tool="Write", input={"file_path": str(made), "content": "hello\n"}, input_tokens=100, output_tokens=5),
        Turn(match="writes", text="It is made.", input_tokens=200, output_tokens=5),
        bash("is refused", f"echo no > {quoted(denied)}"), Turn(match="is refused", text="I leave it.", input_tokens=10, output_tokens=1),
    ]  # fmt: skip
    async with agent_world(programs, tmp_path, turns) as world:
        task = await world.submit("warm", "one writes")
        asked = await question_of(task)
        assert (asked.ask.tool, asked.ask.arguments) == ("Write", {"file_path": str(made), "content": "hello\n"})
        assert asked.ask.diff.splitlines()[2:] == ["@@ -0,0 +1 @@", "+hello"]
        assert not made.exists()
        await answer(world, task, "allow")
        await world.finish([task])
        assert (task.state, task.result["text"], made.read_text()) == (TaskState.SUCCEEDED, "It is made.", "hello\n"), task.error
        assert (task.usage["input_tokens"], task.usage["output_tokens"], task.usage["turns"]) == (300, 10, 2)
        assert task.usage["cost"] > 0
        first = pids(programs.claude, tmp_path)

        refused = await world.submit("warm", "one is refused")
        await question_of(refused)
        await answer(world, refused, "deny", message="leave it alone")
        await world.finish([refused])
        assert (refused.state, refused.result["text"], refused.result["denied"]) == (TaskState.SUCCEEDED, "I leave it.", ["Bash"]), refused.error
        assert refused.result["turn"] == 2
        assert refused.result["session"] != task.result["session"]
        assert refused.usage["cost"] < task.usage["cost"]
        assert pids(programs.claude, tmp_path) == first, "the process is warm"
        assert "leave it alone" in str([line["last"] for line in world.model.requests])
        assert not denied.exists()


async def test_after_a_kill_it_goes_on_with_its_conversation_and_a_rule_answers_for_good(tmp_path: Path) -> None:
    programs = need_agents()
    twice = tmp_path / "work" / "twice.txt"
    turns = [
        bash("is killed", f"echo once >> {quoted(twice)}"), bash("is killed", f"echo once >> {quoted(twice)}"), Turn(match="is killed", text="It is there."),
        bash("by rule", f"echo once >> {quoted(twice)}"), Turn(match="by rule", text="Again."),
    ]  # fmt: skip
    async with agent_world(programs, tmp_path, turns) as world:
        killed = await world.submit("warm", "one is killed", max_attempts=3)
        await question_of(killed)
        for pid in pids(programs.claude, tmp_path):
            os.kill(pid, signal.SIGKILL)
        await until(lambda: killed.attempt == 2 and bool(killed.questions), WAIT_S)
        assert not twice.exists()
        again = await question_of(killed)
        await answer(world, killed, "allow", rule=f"Bash(command={again.ask.arguments['command']})")
        await world.finish([killed])
        assert (killed.state, killed.result["text"]) == (TaskState.SUCCEEDED, "It is there."), killed.error
        sessions = {line["session"] for line in world.model.requests if line["first"] == "one is killed"}
        assert sessions == {killed.result["session"]}, "the new process went on with the conversation"

        ruled = await world.submit("warm", "one by rule")
        await world.finish([ruled])
        assert (ruled.state, twice.read_text()) == (TaskState.SUCCEEDED, "once\nonce\n"), ruled.error


async def test_feedback_reaches_its_conversation_in_the_same_worktree(tmp_path: Path) -> None:
    programs = need_agents()
    where = quoted(tmp_path / "where")
    turns = [
        bash("writes it", f"pwd >> {where}; echo one > notes.txt"), Turn(match="writes it", text="It is written."),
        bash("writes it", f"pwd >> {where}; echo two >> notes.txt"), Turn(match="writes it", text="It is better."),
    ]  # fmt: skip
    async with agent_world(programs, tmp_path, turns) as world:
        git(world.work, "init", "-q")
        git(world.work, "commit", "-q", "--allow-empty", "-m", "first")
        first = await world.submit("reviewed", "one writes it")
        await world.finish([first])
        assert (first.state, first.result["text"]) == (TaskState.SUCCEEDED, "It is written."), first.error
        answered = await world.fleet.operator().execute([RetryTask(first.spec.id, feedback="say more, as SECOND_WORD")])
        second = world.fleet.coordinator.state.tasks[TaskId(str(answered.values[0]))]
        await world.finish([second])
        assert (second.state, second.result["text"], second.result["session"]) == (TaskState.SUCCEEDED, "It is better.", first.result["session"]), second.error
        lines = [line for line in world.model.requests if line["first"] == "one writes it"]
        assert {line["session"] for line in lines} == {first.result["session"]}, "the conversation goes on"
        assert ["SECOND_WORD" in str(line["last"]) for line in lines] == [False, False, True, False], "the feedback is what it hears next"
        places = (tmp_path / "where").read_text().split()
        assert (len(places), len(set(places))) == (2, 1), "where it was"
        await world.fleet.operator().execute([AcceptReview(second.spec.id)])
        assert git(world.work, "show", "HEAD:notes.txt") == "one\ntwo"


async def test_codex_asks_is_answered_stays_warm_and_goes_on_after_a_kill(tmp_path: Path) -> None:
    programs = need_agents()
    made, denied = (tmp_path / "work" / name for name in ("made.txt", "denied.txt"))
    beyond = {"sandbox_permissions": "require_escalated", "justification": "to write"}
    runs = {
        match: Turn(match=match, tool="exec_command", input={"cmd": f"echo {match} >> {quoted(path)}", **beyond}, input_tokens=100, output_tokens=5)
        for match, path in (("is run", made), ("is refused", denied), ("is killed", made))
    }
    turns = [
        runs["is run"], Turn(match="is run", text="It ran.", input_tokens=200, output_tokens=5),
        runs["is refused"], Turn(match="is refused", text="I leave it."),
        runs["is killed"], runs["is killed"], Turn(match="is killed", text="At last."),
    ]  # fmt: skip
    async with agent_world(programs, tmp_path, turns) as world:
        task = await world.submit("warm codex", "one is run")
        asked = await question_of(task)
        assert (asked.ask.tool, asked.ask.text, f"echo is run >> {made}" in str(asked.ask.arguments["command"])) == ("shell", "to write", True)
        await answer(world, task, "allow")
        await world.finish([task])
        assert (task.state, task.result["text"], made.read_text()) == (TaskState.SUCCEEDED, "It ran.", "is run\n"), task.error
        assert (task.usage["input_tokens"], task.usage["output_tokens"], task.usage["turns"]) == (300, 10, 2)
        first = pids(programs.codex, tmp_path)
        assert first
        refused = await world.submit("warm codex", "one is refused")
        await question_of(refused)
        await answer(world, refused, "deny")
        await world.finish([refused])
        assert (refused.state, refused.result["text"], refused.result["turn"], denied.exists()) == (TaskState.SUCCEEDED, "I leave it.", 2, False), refused.error
        assert set(first) <= set(pids(programs.codex, tmp_path)), "the process is warm"
        killed = await world.submit("warm codex", "one is killed", max_attempts=3)
        await question_of(killed)
        for pid in pids(programs.codex, tmp_path):
            os.kill(pid, signal.SIGKILL)
        await until(lambda: killed.attempt == 2 and bool(killed.questions), WAIT_S)
        await answer(world, killed, "allow")
        await world.finish([killed])
        assert (killed.state, killed.result["text"], made.read_text()) == (TaskState.SUCCEEDED, "At last.", "is run\nis killed\n"), killed.error


async def test_an_exit_without_a_result_is_no_success_and_its_limits_are_said(tmp_path: Path) -> None:
    programs = need_agents()
    turns = [bash("is interrupted", "exec tail -f /dev/null"), Turn(match="is refused", status=400, body={"type": "error", "error": {"type": "invalid_request_error", "message": "no such beast"}}, repeat=9)]
    async with agent_world(programs, tmp_path, turns) as world:
        interrupted = await world.submit("warm", "one is interrupted")
        await question_of(interrupted)
        for pid in pids(programs.claude, tmp_path):
            os.kill(pid, signal.SIGINT)
        await world.finish([interrupted])
        said = interrupted.error is not None and interrupted.error.kind == "interrupted"
        assert said or interrupted.attempt > 1, "with a last word it says so; without one its process is lost, and another one goes on"
        refused = await world.submit("warm", "this is refused")
        await world.finish([refused])
        assert refused.error is not None
        assert (refused.state, refused.error.kind) == (TaskState.FAILED, "api_error")
        assert "no such beast" in refused.error.message
        unknown = await world.submit("warm", "go on", payload={"prompt": "go on", "resume": "00000000-0000-0000-0000-000000000000"})
        await world.finish([unknown])
        assert unknown.error is not None
        assert "No conversation found" in unknown.error.message
