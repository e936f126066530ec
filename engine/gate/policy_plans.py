"""Plans of what operators do to policies and holds: in before, after and effect, and the calls that take it back; pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.coordinator.sizing import edited
from engine.gate.scaling_rows import keys_in_words, policy_rules
from engine.model.plans import Call, PlanStep
from engine.model.policy_text import policy_table, problems
from engine.model.pool_commands import (
    CreatePolicy,
    DeletePolicy,
    EditPool,
    HoldPool,
    ReleasePool,
    UpdatePolicy,
)
from engine.model.pools import EDITABLE, figure
from engine.model.scaling import Policy
from engine.model.verbs import Command
from engine.model.wire import call_of
from engine.scaling.autoscaler import policies_of
from engine.scaling.policies import find_pool
from engine.scaling.policy_verbs import created, find_policy, updated
from engine.state import FleetState

ScalingVerb = EditPool | HoldPool | ReleasePool | CreatePolicy | UpdatePolicy | DeletePolicy


def inverse_of(state: FleetState, command: ScalingVerb) -> Call | None:
    """Return the call that takes a verb back, from the state before it, or None when there is none."""
    if isinstance(command, EditPool):
        pool = state.pools.get(command.pool)
        return Call("pool.edit", {"pool": command.pool, "changes": {**dict.fromkeys(command.changes), **pool.overrides}}) if pool else None
    if isinstance(command, HoldPool | ReleasePool):
        pool = state.pools.get(command.pool)
        if pool is None or pool.hold is None:
            return Call("pool.release", {"pool": command.pool}) if pool and isinstance(command, HoldPool) else None
        return Call("pool.hold", {"pool": command.pool, "until": pool.hold.until})
    if isinstance(command, CreatePolicy):
        return Call("policy.delete", {"id": command.id})
    if isinstance(command, UpdatePolicy | DeletePolicy):
        policy = state.policies.get(command.id)
        return _policy_back(policy, command) if policy else None
    return None


def revert_warning(state: FleetState, pool: str) -> str:
    """Return a warning that the autoscaler may change a size set by hand, empty when it will not."""
    hold = state.pools[pool].hold
    names = [policy.id for policy in policies_of(state.policies, pool) if policy.enabled]
    if not names or (hold is not None and hold.holds(state.at)):
        return ""
    return f"policy {', '.join(names)} decides at its next look; hold {pool} to keep the size"


def _policy_back(policy: Policy, command: UpdatePolicy | DeletePolicy) -> Call:
    """Return the call that gives a policy back as it is."""
    table = policy_table(policy)
    del table["id"]
    if isinstance(command, DeletePolicy):
        return Call("policy.create", {"id": policy.id, "policy": table})
    return Call("policy.update", {"id": policy.id, "changes": {**dict.fromkeys(command.changes), **table}})


def _edit(state: FleetState, command: EditPool) -> PlanStep:
    pool, overrides, spec = edited(state, command)
    changed = [key for key in EDITABLE if figure(pool.spec, key) != figure(spec, key)]
    before, after = (", ".join(f"{key} {figure(one, key):g}" for key in changed) for one in (pool.spec, spec))
    size = min(max(pool.size, spec.min), spec.max)
    effect = f"size {pool.size} → {size}" if size != pool.size else f"stays at {size} agents" if changed else "no change"
    return PlanStep(call_of(command), command.pool, before, after, effect, changes=overrides != pool.overrides)


def _hold(state: FleetState, command: HoldPool | ReleasePool) -> PlanStep:
    pool = find_pool(state, command.pool)
    before = f"held by {pool.hold.who}" if pool.hold else "follows its load"
    if isinstance(command, ReleasePool):
        followed = policies_of(state.policies, command.pool)
        effect = f"{len(followed)} policies decide its size" if followed else "no policy decides its size"
        return PlanStep(call_of(command), command.pool, before, "follows its load", effect, changes=pool.hold is not None)
    for_s = command.until - state.at if command.until else command.for_s
    if for_s < 0:
        return PlanStep(call_of(command), command.pool, before, before, "its hold would be over by now", changes=False)
    after = f"held for {for_s:.0f} s" if for_s else "held until released"
    return PlanStep(call_of(command), command.pool, before, after, f"stays at {pool.size} agents")


def _policy(state: FleetState, command: CreatePolicy | UpdatePolicy | DeletePolicy) -> PlanStep:
    if isinstance(command, CreatePolicy):
        policy = created(state, command)
        return PlanStep(call_of(command), policy.id, "", _words(policy), _policy_effect(state, policy), _warning(policy))
    old = find_policy(state, command.id)
    if isinstance(command, DeletePolicy):
        return PlanStep(call_of(command), old.id, _words(old), "removed", "its pools keep their sizes")
    new = updated(state, command)
    before, after = policy_table(old), policy_table(new)
    differ = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return PlanStep(
        call_of(command),
        old.id,
        keys_in_words({key: before.get(key, "default") for key in differ}),
        keys_in_words({key: after.get(key, "default") for key in differ}),
        _policy_effect(state, new),
        _warning(new),
        changes=new != old,
    )


def _words(policy: Policy) -> str:
    where = f"pool {policy.pool}, " if policy.pool else ""
    return f"{where}{'' if policy.enabled else 'disabled, '}{policy_rules(policy)}"


def _policy_effect(state: FleetState, policy: Policy) -> str:
    pools = [name for name in state.pools if policy.id in {one.id for one in policies_of({**state.policies, policy.id: policy}, name)}]
    where = pools[0] if len(pools) == 1 else f"{len(pools)} pools"
    return f"decides for {where}" if policy.enabled else "is disabled"


def _warning(policy: Policy) -> str:
    return "; ".join(problems(policy).warnings)


DESCRIBE: dict[type[Command], Callable[[FleetState, Any], PlanStep]] = {
    EditPool: _edit,
    HoldPool: _hold,
    ReleasePool: _hold,
    CreatePolicy: _policy,
    UpdatePolicy: _policy,
    DeletePolicy: _policy,
}
