"""Swarms through a real fleet: the library's SwarmCoordinator, and what the database keeps over a restart."""

from __future__ import annotations

import asyncio
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import engine
import pytest
from engine import ConsensusResult, FleetManager, FleetOfSwarms, SwarmCoordinator
from engine.model.agent_commands import DrainAgent
from engine.model.consensus_commands import CastVote
from engine.model.errors import FleetError, NotFound, UsageError
from engine.model.swarm_shapes import VoteCount, WeightDistribution

from tests.integration.redis_servers import one_server

CONFIG = {"fleet": {"default_pools": {"coder": {"min": 4, "max": 4}, "coordinator": {"min": 1, "max": 1}}}}


@pytest.mark.row(295)
@pytest.mark.row(134)
async def test_a_coordinator_that_is_given_the_fleet_makes_swarms_that_outlive_the_engine(tmp_path: Path) -> None:
    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        swarms = SwarmCoordinator({"fleetManager": fleet})
        made = await swarms.create_swarm("parser", ["coder", "coordinator"])
        assert (made["topology"], made["leader"], made["layout"]["type"]) == ("mesh", "coordinator-1", "mesh")
        star = await swarms.edit_swarm("parser", topology="star")
        assert star["layout"]["center"] == {"agent": star["layout"]["consensus"]["decision_maker"]}
        await swarms.pause_swarm("parser")
    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        swarms = SwarmCoordinator(fleet=fleet)
        assert [(one["name"], one["state"], one["topology"], one["term"]) for one in await swarms.list_swarms()] == [("parser", "paused", "star", 1)]
        await swarms.unpause_swarm("parser")
        await swarms.end_swarm("parser", "merged")
        assert (await swarms.get_swarm("parser"))["reason"].endswith("merged")


async def test_members_speak_through_the_library_and_a_session_is_stopped_by_it(tmp_path: Path) -> None:
    async with FleetManager(CONFIG, state_dir=tmp_path) as fleet:
        swarms = SwarmCoordinator(fleet=fleet)
        async with asyncio.timeout(30):
            while len(idle := [str(one.spec.id) for one in fleet.coordinator.state.agents.values() if one.is_free()]) < 2:  # noqa: ASYNC110  # of an engine that knows no test
                await asyncio.sleep(0.02)
        swarm = await swarms.create_swarm("talk", idle[:2])
        message = await swarms.send_message(str(swarm["id"]), "question", idle[0], target=idle[1])
        assert [one["id"] for one in await swarms.read_mail(idle[1])] == [message]
        await swarms.take_message(idle[1], message)
        assert await swarms.read_mail(idle[1]) == []
        session = await swarms.give_objective("talk", "say hello", parts=["hello"])
        await swarms.stop_session(session)
        assert (await swarms.get_session(session))["state"] == "cancelled"


async def test_a_coordinator_has_a_fleet_of_its_own() -> None:
    async with SwarmCoordinator(CONFIG) as swarms:
        await swarms.create_swarm("pair", ["coder-1", "coder-2"], topology="star", rule="unanimous")
        with pytest.raises(UsageError, match="takes no colour; it takes swarm, members"):
            await swarms.create_swarm("other", ["coder-1"], colour="red")
        with pytest.raises(NotFound, match="no swarm 'other'"):
            await swarms.get_swarm("other")
    with pytest.raises(UsageError, match="not both"):
        SwarmCoordinator({**CONFIG, "fleetManager": swarms.fleet})


@pytest.mark.row(3, 307, 316)
async def test_a_program_puts_something_to_the_vote_and_is_told_what_came_of_it() -> None:
    async with SwarmCoordinator(CONFIG) as swarms:
        swarm = await swarms.create_swarm("parser", ["coder", "coordinator-1"], topology="star")
        operator = swarms.fleet.operator()

        async def decide(choices: str, **settings: Any) -> ConsensusResult:
            """Have coder-1, coder-2 ... say + or -, after the vote has opened."""
            known = set(swarms.fleet.coordinator.state.rounds)
            asked = asyncio.ensure_future(swarms.propose_decision("merge it", ["coder"], **settings))
            async with asyncio.timeout(30):
                while not (new := set(swarms.fleet.coordinator.state.rounds) - known):  # noqa: ASYNC110  # of an engine that knows no test
                    await asyncio.sleep(0.01)
            (id_,) = new
            for number, sign in enumerate(choices, 1):
                await operator.execute([CastVote(id_, "approve" if sign == "+" else "reject", voter=f"coder-{number}")])
                assert (await swarms.collect_votes(id_)).total == 4
            return await asked

        plain = await decide("-+++")
        assert (plain.consensus_reached, plain.vote_count, plain.threshold) == (True, VoteCount(4, 3, 1), pytest.approx(2 / 3))
        weighted = await decide("+--+", rule="weighted", weights={"coder-1": 2})
        assert (weighted.consensus_reached, weighted.vote_count, weighted.weight_distribution) == (True, VoteCount(4, 2, 2), WeightDistribution(3.0, 2.0, 5.0))
        assert await swarms.collect_weighted_votes(weighted.proposal_id) == weighted.weight_distribution
        assert plain.proposal_id != weighted.proposal_id
        assert weighted.timestamp >= plain.timestamp > 0
        state = await swarms.get_state("parser")
        assert (state.id, state.topology, state.tasks, state.consensus.settings.type) == (swarm["id"], "star", (), "centralized")
        assert [agent.name for agent in state.agents if agent.is_leader] == [swarm["leader"]]
        assert {(agent.name, agent.level) for agent in state.agents} == {(one["name"], one["level"]) for one in swarm["agents"]}
        assert (state.metadata.created_at, state.metadata.version, state.performance.messages) == (swarm["created_at"], 1, 0)


@pytest.mark.row(307, 308)
def test_the_seeds_names_of_swarms_votes_and_agents_are_types_with_fields() -> None:
    """Each is what the engine itself works with or answers."""
    fields_of = {
        engine.MeshTopology: "type agents connections consensus characteristics", engine.HierarchicalTopology: "type levels coordinators workers consensus communication",
        engine.StarTopology: "type center satellites consensus communication", engine.AgentConnection: "source target",
        engine.CoordinatorAgent: "agent level below coordinator", engine.WorkerAgent: "agent level coordinator", engine.CenterAgent: "agent", engine.SatelliteAgent: "agent",
        engine.AgentType: "id name category capabilities resources performance", engine.ResourceRequirement: "memory cpu storage reserved named",
        engine.PerformanceProfile: "speed accuracy reliability",
    }  # fmt: skip
    for type_, wanted in fields_of.items():
        assert [field.name for field in fields(type_)] == wanted.split()
    assert {field.name for field in fields(engine.Proposal)} >= {"id", "subject", "voters", "terms", "deadline"}
    assert (engine.MESH_CHARACTERISTICS.agent_count_min, engine.MESH_CHARACTERISTICS.agent_count_max) == (2, 7)
    assert " ".join(engine.AGENT_TYPES) == "RESEARCHER CODER TESTER REVIEWER COORDINATOR SECURITY_SPECIALIST PERFORMANCE_ANALYST"
    coder = engine.AGENT_TYPES["CODER"]
    assert coder.capabilities[0] == engine.Capability("coding")
    assert isinstance(coder.resources, engine.ResourceRequirement)
    assert isinstance(coder.performance, engine.PerformanceProfile)


HANDLERS = """
def answer(type_, payload):
    if type_ == "judge":
        [done] = payload["inputs"].values()
        return {"vote": "approve" if done["result"]["words"] == len(payload["part"]["prompt"].split()) else "reject", "confidence": 0.8, "reasoning": "counted again"}
    if type_ == "merge":
        return {"words": sum(one["result"]["words"] for one in payload["inputs"].values())}
    right = payload["attempt"] > 1 or payload["part"] != 2
    return {"words": len(payload["prompt"].split()) + (not right), "reasons": payload.get("reasons", [])}
"""


async def test_a_real_fleet_counts_words_reviews_them_and_corrects_the_part_that_was_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "swarm_handlers.py").write_text(HANDLERS)
    monkeypatch.syspath_prepend(str(tmp_path))
    pools = {"fleet": {"default_pools": {"coder": {"min": 4, "max": 4, "handler": "swarm_handlers:answer"}}}}
    async with FleetManager(pools, state_dir=tmp_path) as fleet:
        swarms = SwarmCoordinator(fleet=fleet)
        await swarms.create_swarm("counters", ["coder"], topology="star")
        session = await swarms.give_objective("counters", "count", work="count", review="judge", integrate="merge", parts=["one two", {"prompt": "three four five"}])
        async with asyncio.timeout(60):
            while not (found := await swarms.get_session(session))["ended_at"]:
                await asyncio.sleep(0.05)
        assert (found["state"], found["accepted"], found["attempts"]) == ("succeeded", 2, 3)
        merged = await fleet.operator().query("task", id=found["task"])
        assert merged["result"] == {"words": 5}  # type: ignore[index]
        again = await fleet.operator().query("task", id=found["parts_in_full"][1]["task"])
        assert again["result"]["reasons"] == ["counted again"] * 3  # type: ignore[index]
        [row] = await swarms.list_swarms()
        assert row["sent"] == found["tasks"] == 13


@pytest.mark.row(59)
@pytest.mark.row(60)
@pytest.mark.row(61)
async def test_a_fleet_of_swarms_starts_the_agents_it_lacks_and_gives_work_to_the_fittest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fleet_handlers.py").write_text("def answer(type_, payload):\n    return {'done': True}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    coder, tester = ({"min": 1, "max": most, "handler": "fleet_handlers:answer"} for most in (4, 1))
    async with FleetManager({"fleet": {"default_pools": {"coder": coder, "tester": tester}}}, state_dir=tmp_path) as fleet:
        swarms = FleetOfSwarms({"fleetManager": fleet})
        # At once: an agent that is still starting is one that needs no second.
        made = await swarms.initialize_fleet("release", {"code": {"agents": {"coder": 3}}, "check": {"agents": {"tester": 1}, "rule": "unanimous"}})
        assert [(one["name"], one["members"]) for one in made["swarms"]] == [("release/code", 3), ("release/check", 1)]
        assert len({agent["id"] for one in made["swarms"] for agent in one["agents"]}) == 4
        taken = await swarms.distribute_task("release", "rename", needs=["coding"], work="rename", parts=["a.py"])
        assert (taken["fleet"], taken["swarm"]) == ("release", "release/code")
        assert taken["why"].startswith("match 1.00 × free 1.00 × success 0.85")
        async with asyncio.timeout(60):
            while not (found := await swarms.get_session(taken["session"]))["ended_at"]:
                await asyncio.sleep(0.05)
        assert (found["state"], found["chosen"]) == ("succeeded", taken["why"])
        with pytest.raises(NotFound, match="Fleet other not found"):
            await swarms.distribute_task("other", "rename", parts=["a.py"])
        with pytest.raises(FleetError):
            await swarms.initialize_fleet("more", {"code": {"agents": {"tester": 1}}})
        await swarms.end_swarm("release/check")
        health = await swarms.monitor_fleet_health()
        assert (health["total"], health["healthy"], health["fleets"]["release"]) == (1, 1, {"status": "healthy", "swarms": {"release/code": ("healthy",)}})


@pytest.mark.row(62)
async def test_where_no_swarm_has_room_an_objective_waits_or_one_gets_another_agent() -> None:
    async with FleetOfSwarms({"auto_scaling": {"enabled": False}, "fleet": {"default_pools": {"coder": {"min": 1, "max": 2}, "tester": {"min": 1, "max": 1}}}}) as swarms:
        made = await swarms.initialize_fleet("release", {"code": {"agents": {"coder": 1}}, "check": {"agents": {"tester": 1}}})
        await swarms.fleet.operator().execute([DrainAgent(agent["id"]) for one in made["swarms"] for agent in one["agents"]])
        waits = await swarms.distribute_task("release", "wait", needs=["coding"], parts=["b.py"])
        assert waits["why"].startswith("no swarm has room; it waits for the best: match 1.00")
        with pytest.raises(UsageError, match="it is one of queue, scale"):
            await swarms.distribute_task("release", "wait", when_full="drop", parts=["b.py"])
        await swarms.stop_session(waits["session"])  # else it takes the agent that comes
        scaled = await swarms.distribute_task("release", "grow", when_full="scale", needs=["coding"], parts=["c.py"])
        assert (scaled["swarm"], scaled["why"]) == ("release/code", "match 1.00 × free 0.50 × success 0.85 = 0.42; no other suits")
        code = await swarms.get_swarm("release/code")
        assert code["members"] == 2
        await swarms.fleet.operator().execute([DrainAgent(agent["id"]) for agent in code["agents"]])
        with pytest.raises(FleetError, match=r"coder holds 1\.\.2 agents"):
            await swarms.distribute_task("release", "grow", when_full="scale", needs=["coding"], parts=["d.py"])


@pytest.mark.row(58)
async def test_fleets_of_swarms_over_redis_are_the_same_for_every_engine_and_shown_to_other_programs(tmp_path: Path) -> None:
    coder = {"min": 2, "max": 4, "handler": "tests.integration.light_handlers:describe"}
    async with one_server(tmp_path) as server, server.client() as plain:
        config = {"fleet": {"default_pools": {"coder": coder}}, "redis": {"url": server.url, "share": True}}
        for name in "ab":
            (tmp_path / name).mkdir()
        async with (
            FleetManager(config, state_dir=tmp_path / "a", socket=tmp_path / "a.sock") as first,
            FleetManager(config, state_dir=tmp_path / "b", socket=tmp_path / "b.sock") as second,
        ):
            assert first.turns is not None
            assert first.turns.standing.leads
            # Through the one that stands by: what is asked there is decided by the leader.
            swarms = FleetOfSwarms({"fleetManager": second})
            made = await swarms.initialize_fleet("release", {"code": {"agents": {"coder": 2}}})
            taken = await swarms.distribute_task("release", "describe", needs=["coding"], parts=["a.py", "b.py"], work="echo")
            assert taken["swarm"] == "release/code"
            async with asyncio.timeout(60):
                while not (found := await swarms.get_session(taken["session"]))["ended_at"]:
                    await asyncio.sleep(0.05)
            assert found["state"] == "succeeded", found
            [swarm] = made["swarms"]
            healthy = {"release": {"status": "healthy", "swarms": {"release/code": ("healthy",)}}}
            for seen in (swarms, FleetOfSwarms({"fleetManager": first})):
                health = await seen.monitor_fleet_health()
                assert (health["total"], health["healthy"], health["fleets"]) == (1, 1, healthy)
            async with asyncio.timeout(60):
                while not (kept := await plain.get(f"swarm:{swarm['id']}:state")):
                    await asyncio.sleep(0.05)
            assert len(json.loads(kept)["agents"]) == 2
