"""A guardrail's vote: others decide on a plan, the engine carries it out for whom it was made, once, and as it was described."""

from __future__ import annotations

import random
from typing import Any

import pytest
from engine.config import parse_config
from engine.gate.library import LibraryCalls
from engine.gate.votes import in_full, proposal_row
from engine.model.consensus import Round
from engine.model.consensus_commands import CastVote, SettleProposal, WithdrawProposal
from engine.model.errors import (
    CommandRefused,
    ConfigError,
    Denied,
    Unconfirmed,
)
from engine.model.fleet_commands import UndoPlan
from engine.model.ids import ProposalId
from engine.model.memory_commands import ConsolidateMemory, RememberEntry
from engine.model.plans import Origin
from engine.model.pool_commands import ScalePool
from engine.model.task_commands import SubmitTask
from engine.model.vote_words import Choice, Standing
from engine.simulation.loop import run_virtual
from engine.simulation.world import World, instant_success

ANN, BEN, CID = (Origin(name, "console", "", 2) for name in ("ann", "ben", "cid"))
PROGRAM = Origin("program", "library", "", 2)
RULE = {"name": "production", "verbs": ["scale"], "targets": ["prod"], "vote": {"voters": ["@ann", "@ben", "@cid"], "timeout_s": 600.0}}
POOLS = {"prod": {"min": 2, "max": 9}, "test": {"min": 1, "max": 9}}


def config(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"fleet": {"default_pools": POOLS}, "operations": {"guardrails": list(rules or (RULE,)), "undo_window_s": 900.0}}


def live(story: Any, *rules: dict[str, Any]) -> None:
    async def run() -> None:
        world = World(config(*rules), 1, hosts=2, work=instant_success)
        async with world.running():
            await world.until(lambda: world.state.totals.by_status.get("idle", 0) == 3)
            await story(world)
            world.coordinator.check()

    run_virtual(run())


async def asked(world: World, size: str = "5", origin: Origin = ANN, **more: Any) -> str:
    answer = await world.gate(origin).execute([ScalePool("prod", size)], **more)
    assert answer.values == () and answer.undo_until == 0.0
    return answer.vote


async def vote(world: World, id_: str, choice: str, *origins: Origin) -> None:
    for origin in origins:
        await world.gate(origin).execute([CastVote(id_, choice)])


def round_of(world: World, id_: str) -> Round:
    return world.state.rounds[ProposalId(id_)]


async def ended(world: World, id_: str) -> Round:
    await world.until(lambda: round_of(world, id_).acted is not None)
    return round_of(world, id_)


def results(world: World, action: str = "pool.scale") -> list[tuple[str, str, str]]:
    return [(entry.who, entry.result, entry.reason) for entry in world.state.audit if entry.action == action]


def test_a_plan_is_done_for_whom_it_was_made_once_others_accept_it_and_undone_as_any() -> None:
    async def story(world: World) -> None:
        plan = await world.gate(ANN).plan([ScalePool("prod", "5")], reason="a busy night")
        assert [(demand.kind, demand.rule, demand.text) for demand in plan.demands] == [("vote", "production", "needs 2 of 2 votes: @ben, @cid; within 600 s")]
        answer = await world.gate(ANN).execute(plan.id)
        assert (answer.plan, answer.vote) == (plan.id, next(iter(world.state.rounds)))
        assert answer.summary.startswith(f"scale prod 2 → 5: put to the vote {answer.vote} (production)")
        row = proposal_row(world.state, round_of(world, answer.vote), world.clock.now())
        assert (row.subject, row.who, row.plan, row.acted, row.waits_for) == ("scale prod 2 → 5", "ann", plan.id, "", "ben, cid")
        with pytest.raises(CommandRefused, match="@ann may not vote"):
            await vote(world, answer.vote, "approve", ANN)
        await vote(world, answer.vote, "approve", BEN)
        assert world.state.pools["prod"].size == 2
        await vote(world, answer.vote, "approve", CID)
        round_ = await ended(world, answer.vote)
        assert round_.acted is not None and (round_.acted.is_done, round_.acted.told) == (True, "scale prod 2 → 5")
        assert world.state.pools["prod"].size == 5
        assert world.state.plans[plan.id].plan.who == "ann"
        why = f"a busy night; vote {answer.vote}: 2 for, 0 against, 2 needed of 2"
        assert [(who, result[:12], reason) for who, result, reason in results(world)] == [("ann", "put to the v", "a busy night"), ("ann", "done", why)]
        full = in_full(world.state, answer.vote, world.clock.now())
        assert [(step["target"], step["before"], step["after"]) for step in full["does"]["steps"]] == [("prod", "2", "5")]
        # Taking it back is asked for alike.
        undo = await world.gate(ANN).execute([UndoPlan()])
        await vote(world, undo.vote, "approve", BEN, CID)
        await ended(world, undo.vote)
        assert world.state.pools["prod"].size == 2

    live(story)


@pytest.mark.parametrize(("choice", "standing"), [("reject", Standing.REJECTED), ("", Standing.EXPIRED)])
def test_a_plan_that_is_not_accepted_ends_refused_and_the_audit_says_so(choice: str, standing: Standing) -> None:
    async def story(world: World) -> None:
        id_ = await asked(world)
        if choice:
            await vote(world, id_, choice, BEN)
        await world.until(lambda: not round_of(world, id_).is_open)
        assert round_of(world, id_).standing is standing
        await world.clock.sleep(5)
        assert (world.state.pools["prod"].size, round_of(world, id_).acted) == (2, None)
        assert results(world)[-1][:2] == ("ann", f"not done: the vote {id_} ended {standing}: {round_of(world, id_).because}")

    live(story)


def test_a_plan_that_would_do_something_else_by_then_is_refused() -> None:
    async def story(world: World) -> None:
        id_ = await asked(world)
        other = await asked(world, "4", BEN)
        await vote(world, other, "approve", ANN, CID)
        assert (await ended(world, other)).acted.is_done  # type: ignore[union-attr]
        await vote(world, id_, "approve", BEN, CID)
        acted = (await ended(world, id_)).acted
        assert acted is not None and not acted.is_done
        assert "prod was 2 → 5, now 4 → 5" in acted.told
        assert world.state.pools["prod"].size == 4
        assert acted.told == results(world)[-1][1]
        assert proposal_row(world.state, round_of(world, id_), world.clock.now()).acted == "refused"

    live(story)


def test_nobody_breaks_a_tie_about_a_plan_of_their_own() -> None:
    async def story(world: World) -> None:
        id_ = await asked(world)
        with pytest.raises(Denied, match="a plan of yours, so that others decide"):
            await world.gate(ANN).execute([SettleProposal(id_, "accept")])
        await world.gate(BEN).execute([SettleProposal(id_, "accept", "it burns")])
        assert (await ended(world, id_)).closed_by == "ben"
        assert world.state.pools["prod"].size == 5
        second = await asked(world, "6")
        await world.gate(ANN).execute([WithdrawProposal(second)])
        assert results(world)[-1][1] == f"not done: the vote {second} ended withdrawn: withdrawn by ann"

    live(story)


def test_what_is_demanded_beside_the_vote_comes_first() -> None:
    async def story(world: World) -> None:
        with pytest.raises(Unconfirmed, match="type 'prod'"):
            await asked(world)
        assert not world.state.rounds
        id_ = await asked(world, confirm="prod")
        await vote(world, id_, "approve", BEN, CID)
        assert (await ended(world, id_)).acted.is_done  # type: ignore[union-attr]

    live(story, {**RULE, "confirm": "type-name"})


def test_every_rule_has_its_own_vote_one_after_the_other() -> None:
    second = {"name": "agents, too", "verbs": ["scale"], "vote": {"voters": ["test"], "rule": "unanimous"}}

    async def story(world: World) -> None:
        first = await asked(world)
        await vote(world, first, "approve", BEN, CID)
        acted = (await ended(world, first)).acted
        [follower] = [id_ for id_, round_ in world.state.rounds.items() if round_.is_open]
        assert acted is not None and f"put to the vote {follower} (agents, too)" in acted.told
        assert world.state.pools["prod"].size == 2
        await world.gate(PROGRAM).execute([CastVote(follower, "approve", voter="test-1")])
        assert (await ended(world, follower)).acted.told == "scale prod 2 → 5"  # type: ignore[union-attr]
        assert world.state.pools["prod"].size == 5

    live(story, RULE, second)


def test_where_nobody_else_may_vote_a_plan_is_refused() -> None:
    async def story(world: World) -> None:
        plan = await world.gate(ANN).plan([ScalePool("prod", "5")])
        assert plan.refused == "refused by 'production': others must vote on it, and nobody but @ann may vote on it"
        with pytest.raises(Denied):
            await asked(world)
        id_ = await asked(world, origin=BEN)
        await vote(world, id_, "approve", ANN)
        assert (await ended(world, id_)).acted.is_done  # type: ignore[union-attr]

    live(story, {**RULE, "vote": {"voters": ["@ann"]}})


def test_who_wants_it_votes_where_the_rule_says_so() -> None:
    async def story(world: World) -> None:
        id_ = await asked(world)
        await vote(world, id_, "approve", ANN, BEN)
        assert (await ended(world, id_)).acted.is_done  # type: ignore[union-attr]

    live(story, {**RULE, "vote": {"voters": ["@ann", "@ben"], "proposer_votes": True}})


def test_calls_of_programs_say_that_it_is_not_done() -> None:
    async def story(world: World) -> None:
        calls = LibraryCalls.__new__(LibraryCalls)
        calls.operator = lambda: world.gate(PROGRAM)  # type: ignore[method-assign]
        with pytest.raises(CommandRefused, match="nothing is done before it is accepted"):
            await calls.scale_pool("prod", 5)
        with pytest.raises(Denied, match="put to the vote by 'memory'"):
            world.gate(PROGRAM).allow(ConsolidateMemory, [ConsolidateMemory()])

    live(story, RULE, {"name": "memory", "verbs": ["consolidate"], "vote": {"voters": ["@ann"]}})


def test_what_is_about_entries_of_memory_is_not_put_to_the_vote_by_an_undo_either() -> None:
    async def story(world: World) -> None:
        await world.gate(BEN).execute([RememberEntry("note", "mine")])
        with pytest.raises(Denied, match="it is about entries of memory"):
            await world.gate(BEN).execute([UndoPlan()])
        assert not world.state.rounds

    live(story, {"name": "careful", "verbs": ["undo"], "vote": {"voters": ["@ann"]}})


@pytest.mark.parametrize("verbs", [[], ["vote"], ["remember", "scale"], ["forget"], ["memory.*"]])
def test_votes_themselves_and_values_cannot_be_put_to_the_vote(verbs: list[str]) -> None:
    with pytest.raises(ConfigError, match="cannot be put to the vote; name the verbs"):
        parse_config(config({**RULE, "verbs": verbs}), "fleet.toml")


def test_a_rule_says_who_votes() -> None:
    with pytest.raises(ConfigError, match="nobody could vote"):
        parse_config(config({**RULE, "vote": {"voters": []}}), "fleet.toml")


@pytest.mark.parametrize("seed", range(20))
def test_a_killed_engine_forgets_no_accepted_plan_and_does_none_twice(seed: int) -> None:
    """Each accepted plan submits one task; the engine is killed again and again, between a verdict and its plan, too."""
    rule = {"name": "work", "verbs": ["submit", "unregister"], "vote": {"voters": ["@ben", "@cid"], "threshold": 0.5}}
    chance = random.Random(seed)

    async def story() -> None:
        world = World(config(rule), seed, hosts=2, work=instant_success)
        asked_for: dict[str, str] = {}
        for life in range(8):
            async with world.running():
                for number in range(chance.randrange(4)):
                    title = f"work {life}.{number}"
                    answer = await world.gate(ANN).execute([SubmitTask("noop", "prod", title=title)])
                    asked_for[answer.vote] = title
                for id_, round_ in list(world.state.rounds.items()):
                    if round_.is_open and chance.random() < 0.7:
                        await world.gate(BEN).execute([CastVote(id_, chance.choice([Choice.APPROVE, Choice.APPROVE, Choice.REJECT]))])
                await world.clock.sleep(chance.choice([0.0, 0.0005, 0.001, 0.002, 0.05]))
            await world.reborn()
        async with world.running():
            await world.until(lambda: not any(round_.is_to_be_done for round_ in world.state.rounds.values()))
            accepted = sorted(asked_for[id_] for id_, round_ in world.state.rounds.items() if round_.standing is Standing.ACCEPTED)
            assert sorted(task.spec.title for task in world.state.tasks.values()) == accepted
            assert all(round_.acted.is_done for round_ in world.state.rounds.values() if round_.acted)
            world.coordinator.check()

    run_virtual(story())
