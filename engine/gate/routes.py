"""Learned routing as operators see it: rows, a pool in full, what the verbs would do, its events and its advice in words; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from engine.coordinator import Coordinator
from engine.model.errors import NotFound
from engine.model.ids import AgentId
from engine.model.learned import LEARNED_CONFIDENCE, Advice, By, Recent, RoutingMode
from engine.model.plans import Call, PlanStep
from engine.model.reports import Report
from engine.model.routing_commands import (
    ALL_POOLS,
    AS_CONFIGURED,
    ForgetRouting,
    RecallRouting,
    SetRouting,
)
from engine.model.routing_events import (
    RoutingForgotten,
    RoutingLearned,
    RoutingModeSet,
    RoutingRecalled,
)
from engine.model.routing_rows import RouteRow
from engine.model.verbs import Command
from engine.model.wire import call_of, nearest
from engine.scheduling.learned_router import LEARN_FIRST, SHUT, Course, LearnedRouter, Look
from engine.scheduling.learning import FEATURES
from engine.scheduling.proving import Logged, inverse_propensity, replay, replayed_gain
from engine.scheduling.router import pool_for
from engine.scheduling.routing_verbs import can_recall, mode_set, pools_meant
from engine.state import FleetState

if TYPE_CHECKING:
    from engine.gate.feed import Feed

AGENTS_SHOWN = 20
Line = tuple[str, str, str]
"""Level, id of what it is about, and the words for an event."""


def follow(router: LearnedRouter, coordinator: Coordinator, feed: Feed, report: Callable[[Report], None]) -> None:
    """Have a router hear what a coordinator does, and a feed show it; `report` has what it learned kept."""
    router.connect(report, feed.routed)
    feed.router = router
    coordinator.add_publisher(router.publish)
    coordinator.add_publisher(router.overhear, mirrors=True)


def route_ids(router: LearnedRouter | None, state: FleetState) -> list[str]:
    """Return the pools of which there is something to say."""
    return [pool for pool in state.pools if pool in state.routers or pool in router.courses] if router is not None else []


def route_row(router: LearnedRouter, state: FleetState, pool: str) -> RouteRow | None:
    """Return the row of a pool, None when there is nothing to say of it."""
    if pool not in state.pools or (pool not in state.routers and pool not in router.courses):
        return None
    course, mode = router.course(pool), router.mode(pool)
    state_word, reason = standing(course, mode)
    learned, scored, gain = replay(course.log, learned=True), replay(course.log, learned=False), replayed_gain(course.log)
    regret, scored_regret = regrets(course)
    return RouteRow(
        pool,
        mode.value,
        state_word,
        course.model.outcomes,
        course.looked,
        course.agreed,
        course.decided,
        course.explored,
        learned.value if learned else None,
        scored.value if scored else None,
        gain.value if gain else None,
        gain.low if gain else None,
        gain.high if gain else None,
        regret,
        scored_regret,
        course.guard.account,
        course.poisoned,
        course.recent[-1].at if course.recent else 0.0,
        reason,
    )


def standing(course: Course, mode: RoutingMode) -> tuple[str, str]:
    """Return how learned routing of a pool stands, in a word and in a line."""
    if mode is RoutingMode.OFF:
        return "off", "scores decide, and nothing is learned"
    left = LEARN_FIRST - course.model.outcomes
    if left > 0:
        return "learning", f"{left} more outcomes before it names anybody; scores decide"
    if mode is RoutingMode.SHADOW:
        return "watching", "it says whom it would take; scores decide"
    if course.guard.is_shut:
        return "held back", f"{SHUT}: it earned less than scores would have; scores decide until it has made up for it"
    return "deciding", f"it decides where it is more than {LEARNED_CONFIDENCE:g} sure, scores decide the rest"


def regrets(course: Course) -> tuple[float | None, float | None]:
    """Return the regret of what was done, and of the scores' choices, for 100 decisions, as was expected of the agents then."""
    if not course.log:
        return None, None
    of_done = sum(one.best_expected - one.expected for one in course.log)
    of_scores = sum(one.best_expected - one.scored_expected for one in course.log)
    return 100 * of_done / len(course.log), 100 * of_scores / len(course.log)


# ---- one pool in full


def in_full(router: LearnedRouter, state: FleetState, word: str) -> dict[str, Any]:
    """Return learned routing of a pool with its newest decisions, its agents, kinds and weights. Raises NotFound."""
    row = route_row(router, state, word)
    if row is None:
        raise NotFound(f"nothing is known of routing in {word!r}{nearest(word, set(route_ids(router, state)))}; `get routes` lists what is")
    course = router.course(word)
    gain = replayed_gain(course.log)
    return {
        **row._asdict(),
        "support": gain.support if gain else None,
        "decisions_logged": len(course.log),
        "ips_learned": inverse_propensity(course.log, _learned_of),
        "ips_scored": inverse_propensity(course.log, _scored_of),
        "weights": dict(zip(FEATURES, course.model.weights, strict=True)),
        "error": course.model.variance**0.5,
        "kinds": {kind: {"reward": known.reward, "usual_s": course.model.usual(kind)[0], "weight": known.weight} for kind, known in course.model.kinds.items()},
        "agents": _agents(state, course),
        "decisions": [_decision(look) for look in reversed(course.recent)],
        "can_recall": can_recall(state, word),
    }


def _learned_of(one: Logged) -> AgentId:
    return one.learned


def _scored_of(one: Logged) -> AgentId:
    return one.scored


def _agents(state: FleetState, course: Course) -> list[dict[str, Any]]:
    known: list[tuple[str, Recent]] = sorted(course.model.agents.items(), key=lambda item: -item[1].reward)
    return [
        {"id": id_, "name": state.agents[AgentId(id_)].spec.name, "reward": one.reward, "weight": one.weight, "pace": one.pace}
        for id_, one in known
        if AgentId(id_) in state.agents
    ][:AGENTS_SHOWN]


def _decision(look: Look) -> dict[str, Any]:
    advice = look.advice
    agent, learned, scored = look.names
    return {
        "at": look.at, "task": look.task, "kind": look.kind, "agent": agent, "by": advice.by.value, "reason": advice.reason,
        "expected": look.prospect.expected, "error": look.prospect.error,
        "learned": learned, "learned_expected": advice.learned_expected, "scored": scored, "scored_expected": advice.scored_expected,
        "confidence": advice.confidence, "propensity": advice.propensity, "reward": look.reward, "ended": look.ended,
    }  # fmt: skip


# ---- a decision in words


def advice_words(advice: Advice, name: Callable[[str], str]) -> str:
    """Return what a rule or learned routing said of a decision; `name` names an agent."""
    if advice.by is By.RULE:
        return f"by the rule {advice.reason}, {advice.confidence:.2f} sure"
    both = f"{name(advice.learned)} {advice.learned_expected:.2f} ± {advice.learned_error:.2f}"
    if advice.scored != advice.learned:
        both += f", {name(advice.scored)}, whom scores chose, {advice.scored_expected:.2f} ± {advice.scored_error:.2f}; {advice.confidence:.2f} sure"
    if advice.by is By.LEARNED:
        return f"learned routing decided: it expects {both}"
    if advice.by is By.EXPLORED:
        return f"chance decided, to learn, at a probability of {advice.propensity:.3f}; learned routing expects {both}"
    if advice.scored == advice.learned:
        return f"scores decided; learned routing agrees: it expects {both}"
    return f"scores decided; learned routing would have taken {name(advice.learned)}, but {advice.reason}: it expects {both}"


# ---- verbs and events




def _mode_before(state: FleetState, pools: list[str]) -> str:
    return ", ".join(sorted({mode_set(state, pool) for pool in pools}))


_EFFECTS: Mapping[str, str] = {
    "on": "it decides where it is sure; a guard falls back to scores when it earns less",
    "shadow": "it learns and says what it would do; scores decide",
    "off": "scores decide, and nothing is learned; what was learned is kept",
    AS_CONFIGURED: "as routing.mode of the configuration says",
}


def _mode(state: FleetState, command: SetRouting) -> PlanStep:
    pools = pools_meant(state, command.pool)
    before = _mode_before(state, pools)
    target = f"{len(pools)} pools" if command.pool == ALL_POOLS else pools[0]
    return PlanStep(call_of(command), target, before, command.mode, _EFFECTS[command.mode], changes=before != command.mode)


def _forget(state: FleetState, command: ForgetRouting) -> PlanStep:
    pools = pools_meant(state, command.pool)
    target = f"{len(pools)} pools" if command.pool == ALL_POOLS else pools[0]
    return PlanStep(call_of(command), target, _lessons(state, pools, is_forgotten=False), "nothing learned", "scores decide until it has learned anew", changes=bool(inverse_of(state, command)))


def _recall(state: FleetState, command: RecallRouting) -> PlanStep:
    pools = [pool_for(state, command.pool)]
    return PlanStep(call_of(command), pools[0], _lessons(state, pools, is_forgotten=False), _lessons(state, pools, is_forgotten=True), "what was learned since the reset is lost")


def _lessons(state: FleetState, pools: list[str], *, is_forgotten: bool) -> str:
    records = [record for pool in pools if (record := state.routers.get(pool)) is not None]
    models = [record.forgotten if is_forgotten else record.model for record in records]
    outcomes = sum(model.outcomes for model in models if model is not None)
    return f"{outcomes} outcomes kept" if outcomes else "nothing kept yet"


DESCRIBE: dict[type[Command], Callable[[FleetState, Any], PlanStep]] = {
    SetRouting: _mode,
    ForgetRouting: _forget,
    RecallRouting: _recall,
}


def inverse_of(state: FleetState, command: SetRouting | ForgetRouting) -> list[Call]:
    """Return the calls that take a verb back, from the state before it; none when it changes nothing."""
    pools = pools_meant(state, command.pool)
    if isinstance(command, ForgetRouting):
        return [Call(command.inverse, {"pool": pool}) for pool in pools if (record := state.routers.get(pool)) is not None and record.model is not None]
    return [Call(command.name, {"mode": before, "pool": pool}) for pool in pools if (before := mode_set(state, pool)) != command.mode]


def _learned_words(_state: FleetState, event: RoutingLearned) -> Line:
    pools = ", ".join(f"{model.pool} ({model.outcomes:,} outcomes)" for model in event.models)
    what = "what learned routing forgot is set aside" if event.set_aside else "what learned routing knows is kept"
    return "info", event.models[0].pool, f"{what}: {pools}"


WORDS: dict[type, Callable[[FleetState, Any], Line]] = {
    RoutingModeSet: lambda _state, event: ("info", event.pools[0], f"{event.by} sets learned routing of {_pools(event.pools)} to {event.mode or AS_CONFIGURED}"),
    RoutingLearned: _learned_words,
    RoutingForgotten: lambda _state, event: ("warn", event.pools[0], f"{event.by} has learned routing of {_pools(event.pools)} begin anew"),
    RoutingRecalled: lambda _state, event: ("info", event.pools[0], f"{event.by} has learned routing of {_pools(event.pools)} take up again what it had forgotten"),
}


def _pools(pools: tuple[str, ...]) -> str:
    return pools[0] if len(pools) == 1 else f"{len(pools)} pools"
