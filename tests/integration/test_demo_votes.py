"""Reviewers vote on the demo's edits as themselves, by real checks: accepted, rejected, and left for an operator to settle."""

from __future__ import annotations

from pathlib import Path

from engine.clock import SystemClock
from engine.config import load_config
from engine.fleet import FleetManager
from engine.model.consensus_commands import SettleProposal
from engine.model.plans import Origin
from fleet_tui.demo import run_demo
from fleet_tui.serve import with_reviewers

DEMO = Origin("demo", "library", "", 2)
SOURCES = {
    "fine.py": "def fine(x):\n    print(x)\n    return x\n",
    "doubt.py": "def doubt(queue):\n    print(queue.pop())\n    return queue\n",
    "big.py": "def big(x):\n" + "".join(f"    print({number})\n    x += {number}\n" for number in range(20)),
}


async def test_reviewers_vote_on_each_edit(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (tmp_path / "state").mkdir()
    for name, text in SOURCES.items():
        (code / name).write_text(text)
    async with FleetManager(with_reviewers(load_config(None)), state_dir=tmp_path / "state", socket=tmp_path / "s.sock") as fleet:
        operator = fleet.operator(DEMO)
        report = await run_demo(operator, code, clock=SystemClock())
        found = {row.file: row for row in report.verdicts}
        assert {file: row.standing for file, row in found.items()} == {"fine.py": "accepted", "doubt.py": "deadlocked", "big.py": "rejected"}
        assert [row.file for row in report.removals] == ["fine.py"], "only what was accepted"
        assert report.removed == 1
        assert "more than 12" in found["big.py"].why
        assert "queue.pop" in found["doubt.py"].why
        text = report.to_text()
        assert "1 accepted, 1 rejected, 1 undecided" in text
        assert "undecided: remove print() from doubt.py" in text
        assert {row["standing"] for row in report.to_json()["verdicts"]} == {"accepted", "deadlocked", "rejected"}
        assert report.ok

        agents = {row["id"] for row in await operator.query("agents", limit=1000) if row["pool"] == "reviewer"}  # type: ignore[attr-defined]
        for row in found.values():
            vote = await operator.query("proposal", id=row.proposal)
            assert isinstance(vote, dict)
            ballots = {voter["id"]: voter["ballots"] for voter in vote["voters"]}
            assert len(ballots) == 3
            assert set(ballots) <= agents
            assert all(len(cast) <= 1 for cast in ballots.values()), "each votes once, as itself"
            assert all(0 < ballot["confidence"] <= 1 and ballot["reasoning"] for cast in ballots.values() for ballot in cast)
            if row.standing != "rejected":  # a rejection ends it before all have voted
                assert all(ballots.values())
        audit = {entry["who"] for entry in await operator.query("audit", limit=1000) if entry["action"] == "proposal.vote"}  # type: ignore[attr-defined]
        assert audit <= agents
        assert audit

        await operator.execute([SettleProposal(found["doubt.py"].proposal, "accept", "the queue is a copy")], reason="break it")
        settled = await operator.query("proposal", id=found["doubt.py"].proposal)
        assert isinstance(settled, dict)
        assert settled["state"] == "accepted"


async def test_a_fleet_whose_reviewers_do_not_vote_is_asked_nothing(tmp_path: Path) -> None:
    (tmp_path / "fine.py").write_text(SOURCES["fine.py"])
    async with FleetManager() as fleet:
        report = await run_demo(fleet.operator(DEMO), tmp_path, clock=SystemClock())
        assert report.verdicts == ()
        assert [row.file for row in report.removals] == ["fine.py"]
        assert "Votes of reviewers" not in report.to_text()
        assert await fleet.operator(DEMO).query("proposals") == []


async def test_without_a_socket_reviewers_cannot_vote_and_the_report_says_so(tmp_path: Path) -> None:
    (tmp_path / "fine.py").write_text(SOURCES["fine.py"])
    async with FleetManager(with_reviewers(load_config(None))) as fleet:
        report = await run_demo(fleet.operator(DEMO), tmp_path, clock=SystemClock())
        [verdict] = report.verdicts
        assert verdict.word == "undecided"
        assert "no agent's task" in verdict.why
        assert report.removals == ()
