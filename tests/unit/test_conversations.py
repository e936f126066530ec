"""Which conversation a task's next attempt goes on with: kept in files, few of them, and only names that are safe as arguments."""

from __future__ import annotations

import os
from pathlib import Path

from engine.agents.sessions import conversations
from engine.agents.sessions.conversations import KEPT_MAX, Conversations, is_name
from engine.model.ids import TaskId


def test_a_name_is_kept_for_the_next_engine_until_the_task_ends(tmp_path: Path) -> None:
    task, folder = TaskId("tsk_1"), tmp_path / "conversations"
    known = Conversations(folder)
    assert known.find(task) == ""
    known.note(task, "s-1")
    assert Conversations(folder).find(task) == "s-1"
    known.note(task, "--dangerously-skip-permissions x")
    assert Conversations(folder).find(task) == "s-1"
    (folder / "tsk_2").write_bytes(b"\xff--help")
    assert Conversations(folder).find(TaskId("tsk_2")) == ""
    known.forget(task)
    assert Conversations(folder).find(task) == ""
    assert [is_name(word) for word in ("a-b_9", "", "a b", "-x", 7)] == [True, False, False, False, False]


def test_where_nothing_can_be_written_it_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "conversations").write_text("a file")
    known = Conversations(tmp_path / "conversations")
    known.note(TaskId("tsk_1"), "s-1")
    assert known.find(TaskId("tsk_1")) == "s-1", "this engine knows it all the same"
    known.forget(TaskId("tsk_1"))


def test_the_oldest_go_when_there_are_many(tmp_path: Path) -> None:
    folder = tmp_path / conversations.FOLDER
    folder.mkdir()
    for number in range(KEPT_MAX):
        (folder / f"tsk_{number}").write_text("s")
        os.utime(folder / f"tsk_{number}", (number, number))
    Conversations(folder).note(TaskId("tsk_new"), "s-1")
    left = {path.name for path in folder.iterdir()}
    assert len(left) == KEPT_MAX // 2
    assert {"tsk_new", f"tsk_{KEPT_MAX - 1}"} <= left
    assert "tsk_0" not in left
