"""`fleet-tui demo --agents`: real Claude Code and Codex in the demo's fleet ask for leave, and go on when they are answered."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fleet_tui.demo import hired

from tests.integration.engines import engine, until
from tests.integration.words import run_here
from tests.tools.agent_programs import need_agents

WAIT_S = 120


@pytest.mark.xdist_group("agent programs")
@pytest.mark.timeout(600)
def test_they_ask_and_count_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = need_agents()
    folder, code = tmp_path / "bin", tmp_path / "code"
    folder.mkdir()
    code.mkdir()
    for name in ("claude", "codex"):
        (folder / name).symlink_to(getattr(programs, name))
    (code / "a.py").write_text("x = 1\n" * 17)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    with engine(tmp_path, args=("--demo", str(code), "--demo-agents", "claude,codex")) as subject:
        until(lambda: {row["pool"] for row in subject.get("questions")} == {"claude", "codex"}, WAIT_S)
        asked = {row["pool"]: row["task"] for row in subject.get("questions")}
        for task in asked.values():
            assert subject.run("answer", task, "allow", "--yes").returncode == 0
        for task in asked.values():
            until(lambda task=task: subject.get("tasks", task)["state"] == "succeeded", WAIT_S)
            assert "17" in subject.get("tasks", task)["result"]["text"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("demo", "--agents", "cat"), "no agent 'cat' for the demo; there are claude, codex, here"),
        (("demo", "--agents", "codex"), "`codex` is not on PATH: npm install -g @openai/codex"),
        (("demo", "--headless", "--agents", "here"), "headless nobody answers"),
    ],
)
def test_what_cannot_be_hired_is_said(given: tuple[str, ...], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(hired.PROGRAMS, "here", hired.PROGRAMS["codex"])  # type: ignore[arg-type]  # a dict
    monkeypatch.setattr(hired.shutil, "which", lambda name: name if name == "here" else None)
    done = run_here(given, {"HOME": str(tmp_path)}, tmp_path, "")
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
