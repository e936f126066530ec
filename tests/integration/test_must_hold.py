"""The main job under fault: engines and workers that are really killed, work that must survive it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from pathlib import Path

import pytest

from tests.integration.engines import EngineProcess, engine, until

FILES = 40
SLOW = """
[pools.slow]
min = 4
max = 8
kind = "command"
[pools.slow.command]
argv = ["sh", "-c", "echo $FLEET_TASK_ID >> effects; sleep 2"]
"""


def states(subject: EngineProcess) -> dict[str, int]:
    """Tasks by state."""
    return dict(subject.get("status")["tasks"]["by_state"])


def unfinished(subject: EngineProcess) -> int:
    """Tasks that have not ended."""
    return sum(states(subject).get(state, 0) for state in ("pending", "leased", "running"))


def submit_many(subject: EngineProcess, count: int, *words: str) -> list[str]:
    """Submit tasks; return their ids."""
    found = []
    for number in range(count):
        done = subject.run("submit", *words, "--title", f"task {number}", "-o", "json")
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout)["values"][0])
    return found


@pytest.mark.row(10, 22)
def test_killed_engine_loses_no_task_and_leaves_no_orphan(tmp_path: Path) -> None:
    """Accepted work survives kill -9; nothing that was running outlives the engine by 5 seconds."""
    with engine(tmp_path, SLOW) as subject:
        ids = submit_many(subject, 12, "command", "slow", "--prompt", "go")
        until(lambda: states(subject).get("running", 0) > 0 and states(subject).get("succeeded", 0) > 0)
        subject.kill()
        until(lambda: not subject.marked(), within_s=60.0)
        finished_before = _succeeded_in_database(tmp_path)
        subject.start()
        until(lambda: unfinished(subject) == 0)
        rows = {row["id"]: row for row in subject.get("tasks")}
        assert set(ids) <= set(rows)
        assert {rows[task_id]["state"] for task_id in ids} == {"succeeded"}
        again = {task_id for task_id in finished_before if rows[task_id]["attempt"] > 1 and _runs_after(subject, task_id)}
        assert not again, "a task whose success was durable ran again"


def _database(root: Path) -> Path:
    return next((root / "state").rglob("fleet.db"))


def _succeeded_in_database(root: Path) -> set[str]:
    connection = sqlite3.connect(f"file:{_database(root)}?mode=ro", uri=True)
    try:
        return {row[0] for row in connection.execute("SELECT id FROM tasks WHERE status = 'succeeded'")}
    finally:
        connection.close()


def _runs_after(subject: EngineProcess, task_id: str) -> bool:
    history = subject.get("task", task_id)["history"]
    words = [what for _, what, _ in history]
    return "succeeded" in words and "leased" in words[words.index("succeeded") :]


@pytest.mark.row(10)
def test_killed_worker_gives_its_tasks_to_another_within_three_seconds(tmp_path: Path) -> None:
    """A worker process killed with its tasks: they run again elsewhere."""
    with engine(tmp_path) as subject:
        ids = submit_many(subject, 4, "sleep", "coder", "--payload", '{"seconds": 60}')
        until(lambda: states(subject).get("running", 0) >= 2)
        before = {row["id"]: row for row in subject.get("tasks")}
        hosts = {row["id"]: row["pid"] for row in subject.get("hosts") if row["kind"] == "python"}
        agents = {row["name"]: row["host"] for row in subject.get("agents")}
        victim = next(hosts[agents[row["agent"]]] for row in before.values() if row["state"] == "running")
        held = {task_id for task_id in ids if hosts[agents[before[task_id]["agent"]]] == victim}
        os.kill(victim, signal.SIGKILL)

        def run_again() -> bool:
            rows = {row["id"]: row for row in subject.get("tasks")}
            return all(rows[task_id]["attempt"] == 2 for task_id in held)

        until(run_again, within_s=60.0)
        for task_id in ids:
            assert subject.run("cancel", task_id, "--yes").returncode == 0
        until(lambda: states(subject).get("cancelled", 0) == len(ids), within_s=60.0)


def test_program_that_prints_a_gigabyte_of_binary_does_not_grow_the_engine(tmp_path: Path) -> None:
    """Output is counted and cut, the engine's memory stays, the result says what was left out."""
    config = SLOW.replace('"echo $FLEET_TASK_ID >> effects; sleep 2"', '"head -c 1000000 /dev/urandom; head -c 999000000 /dev/zero"')
    with engine(tmp_path, config) as subject:
        done = subject.run("submit", "command", "slow", "--prompt", "x", "--wait")
        assert done.returncode == 0, done.stderr
        task = next(row for row in subject.get("tasks") if row["pool"] == "slow")
        whole = subject.get("task", task["id"])
        assert whole["result"]["stdout_bytes"] == 1_000_000_000
        assert whole["result"]["truncated_output"] is True
        resident = int(Path(f"/proc/{subject.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        assert resident < 300_000_000


def test_program_that_is_not_there_fails_its_agents_with_the_remedy(tmp_path: Path) -> None:
    """The pool says what is wrong; the task waits and says why."""
    with engine(tmp_path, SLOW.replace('"sh", "-c", "echo $FLEET_TASK_ID >> effects; sleep 2"', '"no-such-program"')) as subject:
        until(lambda: subject.get("pool", "slow")["failed_agents"] == 4)
        assert "no program on PATH" in subject.get("pool", "slow")["reason"]
        submit_many(subject, 1, "command", "slow", "--prompt", "x")
        task = next(row for row in subject.get("tasks"))
        why = " ".join(subject.get("task", task["id"])["why"])
        assert "4 failed" in why


def test_corrupt_database_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """An engine does not start on a damaged database, and says so."""
    with engine(tmp_path) as subject:
        submit_many(subject, 1, "noop", "coder")
        subject.kill()
        path = _database(tmp_path)
        data = bytearray(path.read_bytes())
        for offset in range(0, min(len(data), 4096)):
            data[offset] ^= 0x5A
        path.write_bytes(data)
        for extra in ("-wal", "-shm"):
            path.with_name(path.name + extra).unlink(missing_ok=True)
        done = subject.run("engine")
        assert done.returncode == 1
        assert "fleet.db" in done.stderr
        assert "Traceback" not in done.stderr


def test_full_disk_turns_the_engine_read_only_and_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """Verbs are refused with the reason while nothing can be written; what was accepted is there at the next start."""
    subject = EngineProcess(tmp_path)
    try:
        subject.start(file_bytes_max=1_500_000)
        accepted: list[str] = []
        for size in (60_000, 10_000):  # what is left for the second is too little for the engine's own trial, so it stays read-only
            payload = json.dumps({"filler": "x" * size})
            for _ in range(60):
                done = subject.run("submit", "noop", "coder", "--payload", payload, "-o", "json")
                if done.returncode:
                    break
                accepted.append(json.loads(done.stdout)["values"][0])
            assert done.returncode == 4, done.stderr
        assert "nothing was changed" in done.stderr
        assert accepted
        assert subject.get("status")["read_only"]
        subject.kill()
        subject.start()
        until(lambda: unfinished(subject) == 0)
        assert {row["id"] for row in subject.get("tasks")} == set(accepted)
        assert states(subject) == {"succeeded": len(accepted)}
        assert subject.run("submit", "noop", "coder", "--wait").returncode == 0
    finally:
        subject.close()


def test_second_engine_on_the_same_state_is_refused(tmp_path: Path) -> None:
    """One engine a state directory; the error names the one that runs."""
    with engine(tmp_path) as subject:
        done = subject.run("engine")
        assert done.returncode == 4
        assert str(subject.pid) in done.stderr


def test_edit_outside_the_workspace_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    """A task may write only inside its workspace."""
    target = tmp_path / "outside.py"
    target.write_text("print('x')\n", "utf-8")
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    with engine(tmp_path) as subject:
        payload = json.dumps({"path": str(target), "function": "print"})
        done = subject.run("submit", "code.remove_calls", "coder", "--payload", payload, "--workspace", str(workspace), "--apply", "--wait")
        assert done.returncode == 1
        assert "workspace" in done.stdout + done.stderr
        assert target.read_text("utf-8") == "print('x')\n"
        inside = workspace / "inside.py"
        inside.write_text("print('x')\ny = 1\n", "utf-8")
        payload = json.dumps({"path": str(inside), "function": "print"})
        done = subject.run("submit", "code.remove_calls", "coder", "--payload", payload, "--workspace", str(workspace), "--apply", "--wait")
        assert done.returncode == 0, done.stdout + done.stderr
        assert inside.read_text("utf-8") == "y = 1\n"
