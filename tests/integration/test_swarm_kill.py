"""An objective of a swarm of real programs goes on where it was after the engine is killed."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.engines import engine, until

SCRIPT = """while [ ! -e go ]; do sleep 0.05; done; echo '{"vote": "approve", "reasoning": "by a program"}'"""
"""Each waits for the test; what a worker prints is no vote, and does no harm."""
CONFIG = f"""
[pools.team]
min = 3
max = 3
kind = "command"
[pools.team.command]
argv = ["sh", "-c", {json.dumps(SCRIPT)}]
"""


def test_a_killed_engine_goes_on_with_its_sessions(tmp_path: Path) -> None:
    with engine(tmp_path, CONFIG) as subject:
        assert subject.run("create-swarm", "team", "--members", "team", "--yes").returncode == 0
        given = subject.run("give", "team", "ship it", "--parts", "one", "--parts", "two", "--review", "judge", "--yes")
        assert given.returncode == 0, given.stderr
        until(lambda: subject.get("sessions")[0]["working"] == 2)
        subject.kill()
        subject.start()
        (subject.directory / "go").touch()
        until(lambda: subject.get("sessions")[0]["ended_at"], 60)
        [session] = subject.get("sessions")
        assert (session["state"], session["accepted"], session["attempts"]) == ("succeeded", 2, 2)
        assert [vote["state"] for vote in subject.get("proposals")] == ["accepted", "accepted"]
