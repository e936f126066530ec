"""What agents ask, through a real engine: asked, answered by command, and asked again after the engine was killed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.integration.engines import EngineProcess, engine, until
from tests.integration.processes import is_gone
from tests.integration.sessions import sample
from tests.integration.test_losses import row_of, submit

WAIT_S = 60.0


CONFIG = f"""
[pools.talk]
min = 1
max = 1
kind = "session"
[pools.talk.session]
argv = {json.dumps([sys.executable, "agent.py"])}
"""


def asked(subject: EngineProcess, count: int = 1) -> list[dict[str, Any]]:
    """Wait until so many questions are open."""
    until(lambda: len(subject.get("questions")) == count, WAIT_S)
    rows: list[dict[str, Any]] = subject.get("questions")
    return rows


def lay_out(root: Path) -> Path:
    """Put the sample agent of docs/agents.md into the project."""
    (root / "project").mkdir()
    (root / "project" / "agent.py").write_text(sample("python"))
    return root


def test_a_question_is_seen_answered_and_made_a_rule(tmp_path: Path) -> None:
    with engine(lay_out(tmp_path), CONFIG) as subject:
        first, second, third = (submit(subject, "talk", "talk", "--prompt", f"write {word}") for word in ("one", "two", "three"))
        [row] = asked(subject)
        assert (row["task"], row["kind"], row["tool"], row["text"]) == (first, "permission", "Write", 'path="notes.txt"')
        assert row_of(subject, first)["state"] == "needs_input"
        full = subject.get("question", row["id"])
        assert (full["arguments"], full["diff"]) == ({"path": "notes.txt"}, "+one")
        told = subject.get("task", first)["progress"]
        assert (told["ratio"], told["evidence"]) == (0.5, "9 characters read")
        refused = subject.run("answer", first, "perhaps", "--yes")
        assert refused.returncode == 2, refused.stderr
        done = subject.run("answer", first, "deny", "--message", "not today", "--yes")
        assert done.returncode == 0, done.stderr
        until(lambda: row_of(subject, first)["state"] == "failed", WAIT_S)
        assert "not allowed: not today" in row_of(subject, first)["reason"]
        [row] = asked(subject)
        assert row["task"] == second
        assert subject.run("answer", second, "allow", "--rule", row["rule"], "--yes").returncode == 0
        until(lambda: row_of(subject, third)["state"] == "succeeded", WAIT_S)
        assert row_of(subject, second)["state"] == "succeeded"
        audit = [(line["action"], line["target"], line["after"]) for line in subject.get("audit") if line["action"] == "task.answer" and line["result"] == "done"]
        assert audit == [("task.answer", "Write", "denied"), ("task.answer", "Write", "allowed")]
        told = [row["text"] for row in subject.get("events") if row["type"] == "question.answered"]
        assert "(rule Write(path=notes.txt))" in told[-1]


def test_a_killed_engine_leaves_no_agent_and_answers_nothing_twice(tmp_path: Path) -> None:
    with engine(lay_out(tmp_path), CONFIG) as subject:
        task = submit(subject, "talk", "talk", "--prompt", "write one")
        [before] = asked(subject)
        marked = subject.marked()
        subject.kill()
        until(lambda: all(is_gone(pid) for pid in marked), WAIT_S)
        subject.start()
        until(lambda: [row["id"] != before["id"] for row in subject.get("questions")] == [True], WAIT_S)
        [again] = subject.get("questions")
        assert (again["task"], again["attempt"]) == (task, 2)
        late = subject.run("answer", task, "allow", "--question", before["id"], "--yes")
        assert late.returncode != 0
        assert "is answered or over" in late.stderr
        assert subject.run("answer", task, "allow", "--question", again["id"], "--yes").returncode == 0
        until(lambda: row_of(subject, task)["state"] == "succeeded", WAIT_S)
        events = [row["type"] for row in subject.get("events")]
        assert (events.count("question.asked"), events.count("question.answered")) == (2, 1)
        assert row_of(subject, task)["deaths"] == 0
