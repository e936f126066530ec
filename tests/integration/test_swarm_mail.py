"""An agent's program reads its mail and answers as the agent, by the token of its attempt; nobody else's mail is its business."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from tests.integration.engines import engine, until

FLEET = f"{shlex.quote(sys.executable)} -m fleet_tui"
SCRIPT = f"""
{FLEET} mail -o json > mail; echo $? > codes
{FLEET} mail keep-2 > other 2>&1; echo $? >> codes
{FLEET} take $({shlex.quote(sys.executable)} -c 'import json; print(json.load(open("mail"))[0]["id"])') --yes > taken 2>&1; echo $? >> codes
{FLEET} send pair task_result --target keep-2 --payload '{{"ok": true}}' --yes > sent 2>&1; echo $? >> codes
{FLEET} send pair task_result --target keep-2 --source keep-2 --yes > forged 2>&1; echo $? >> codes
touch ready
"""
CONFIG = f"""
[pools.keep]
min = 2
max = 2
kind = "command"
[pools.keep.command]
argv = ["sh", "-c", {json.dumps(SCRIPT)}]
"""


@pytest.mark.row(126)
@pytest.mark.row(127)
def test_an_agents_program_reads_and_sends_messages_as_the_agent(tmp_path: Path) -> None:
    with engine(tmp_path, CONFIG) as subject:
        assert subject.run("create-swarm", "pair", "--members", "keep", "--yes").returncode == 0
        told = subject.run("send", "pair", "task_assignment", "--target", "keep-1", "--payload", '{"taskId": "tsk_1"}', "--priority", "high", "--yes")
        assert told.returncode == 0, told.stderr
        assert "task_assignment" in subject.run("mail", "keep-1").stdout
        assert subject.run("drain", "keep-2", "--yes").returncode == 0
        assert subject.run("submit", "noop", "keep").returncode == 0
        here = subject.directory
        until((here / "ready").exists)
        assert (here / "codes").read_text().split() == ["0", "4", "0", "0", "4"], [(here / name).read_text() for name in ("mail", "other", "taken", "sent", "forged")]
        [message] = json.loads((here / "mail").read_text())
        assert (message["payload"], message["priority"]) == ({"taskId": "tsk_1"}, "high")
        [answer] = json.loads(subject.run("mail", "keep-2", "-o", "json").stdout)
        [agent] = [row for row in subject.get("agents") if row["name"] == "keep-1"]
        assert (answer["source"], answer["type"], answer["payload"]) == (agent["id"], "task_result", {"ok": True})
        assert subject.run("mail", "keep-1").stdout.strip() == "no message waits"
        [row] = subject.get("swarms")
        assert (row["sent"], row["carried"], row["waiting"]) == (2, 1 + (row["leader"] != "keep-1"), 1)
