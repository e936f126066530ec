"""Votes in the database: a row a ballot, there after a kill, and a round that goes on in the next engine."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from engine import FleetManager
from engine.model.consensus_commands import CastVote, OpenProposal
from engine.model.ids import ProposalId
from engine.model.task_commands import SubmitTask
from engine.model.vote_words import Standing

CONFIG = {"fleet": {"default_pools": {"reviewer": {"min": 2, "max": 2}}}}
BALLOTS = "SELECT task_id, agent_id, confidence, reasoning, voter, choice, number FROM consensus ORDER BY rowid"


@pytest.mark.row(184)
async def test_every_ballot_is_a_row_and_a_round_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        operator = fleet.operator()
        task = str((await operator.execute([SubmitTask("noop", "reviewer")])).values[0])
        me = f"@{operator.authority.who}"
        id_ = str((await operator.execute([OpenProposal("keep it", ("reviewer", me), task=task)])).values[0])
        await operator.execute([CastVote(id_, "reject", "no tests", 0.4, "reviewer-1"), CastVote(id_, "approve", "")])
        await operator.execute([CastVote(id_, "approve", "tests are there now", 0.8, "reviewer-1")])
        agent = fleet.coordinator.state.agent_ids["reviewer-1"]
    with sqlite3.connect(tmp_path / "fleet.db") as database:
        rows = database.execute(BALLOTS).fetchall()
    assert rows == [
        (task, agent, 0.4, "no tests", agent, "reject", 1),
        (task, None, 1.0, "", me, "approve", 1),
        (task, agent, 0.8, "tests are there now", agent, "approve", 2),
    ]
    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        round_ = fleet.coordinator.state.rounds[ProposalId(id_)]
        assert (round_.standing, len(round_.all_ballots())) == (Standing.ACCEPTED, 3)
