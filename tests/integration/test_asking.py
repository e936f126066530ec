"""Programs of agents ask the operators and tell how far they are, from the command line of a real engine."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

from tests.integration.engines import engine, until

FLEET = f"{shlex.quote(sys.executable)} -m fleet_tui"
SCRIPT = f"""
{FLEET} progress 'looking around' --ratio 0.5 --yes
{FLEET} ask 'Which database?' --options pg --options sqlite --wait --yes > chosen; echo $? > codes
{FLEET} ask 'Drop the old one?' --wait -o json --yes > dropped; echo $? >> codes
"""
CONFIG = f"""
[pools.keep]
min = 1
max = 1
kind = "command"
[pools.keep.command]
argv = ["sh", "-c", {json.dumps(SCRIPT)}]
"""


def test_a_program_asks_waits_and_goes_on(tmp_path: Path) -> None:
    with engine(tmp_path, CONFIG) as subject:
        here = subject.directory
        task = subject.run("submit", "noop", "keep").stdout.split()[0]
        until(lambda: subject.get("questions"))
        [row] = subject.get("questions")
        assert (row["task"], row["text"], row["options"]) == (task, "Which database?", "pg, sqlite")
        assert subject.get("tasks", task)["progress"]["text"] == "looking around"
        assert subject.run("answer", task, "sqlite", "--yes").returncode == 0
        until(lambda: [row["text"] for row in subject.get("questions")] == ["Drop the old one?"])
        assert subject.run("answer", task, "deny", "--message", "not on a Friday", "--yes").returncode == 0
        until(lambda: subject.get("tasks", task)["state"] == "succeeded")
        assert (here / "chosen").read_text() == "sqlite\n"
        assert json.loads((here / "dropped").read_text())["text"] == "not on a Friday"
        assert (here / "codes").read_text().split() == ["0", "4"]
