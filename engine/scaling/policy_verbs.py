"""What operators do to policies, and to the autoscaler's hold on pools."""

from __future__ import annotations

from collections.abc import Sequence

from engine.model.errors import CommandRefused, NotFound
from engine.model.events import Event
from engine.model.policy_text import merged, policy_of, policy_table
from engine.model.pool_commands import (
    CreatePolicy,
    DeletePolicy,
    HoldPool,
    ReleasePool,
    UpdatePolicy,
)
from engine.model.pool_events import PolicyRemoved, PolicySet, PoolHeld
from engine.model.scaling import Hold, Policy
from engine.model.wire import nearest
from engine.scaling.policies import find_pool
from engine.state import FleetState
from engine.state.deciding import Deciding, Decision


def find_policy(state: FleetState, word: str) -> Policy:
    """Return the policy of that id. Raises NotFound with the nearest one."""
    policy = state.policies.get(word)
    if policy is None:
        raise NotFound(f"no policy {word!r}{nearest(word, state.policies)}; `get policies` lists them")
    return policy


def new_policies(state: FleetState, policies: Sequence[Policy]) -> list[Event]:
    """Return the events that make those policies which the fleet does not have."""
    return [PolicySet(policy) for policy in policies if policy.id not in state.policies]


def created(state: FleetState, command: CreatePolicy) -> Policy:
    """Return the policy that a command would make. Raises FleetError."""
    if command.id in state.policies:
        raise CommandRefused(f"policy {command.id!r} is there already; change it with update-policy")
    policy = policy_of({**command.policy, "id": command.id})
    if policy.pool:
        find_pool(state, policy.pool)
    return policy


def updated(state: FleetState, command: UpdatePolicy) -> Policy:
    """Return the policy as a command would have it. Raises FleetError."""
    policy = policy_of({**merged(policy_table(find_policy(state, command.id)), command.changes), "id": command.id})
    if policy.pool:
        find_pool(state, policy.pool)
    return policy


def decide_create(state: FleetState, commands: Sequence[CreatePolicy], _deciding: Deciding) -> Decision:
    """Make policies."""
    if len({command.id for command in commands}) < len(commands):
        raise CommandRefused("a policy is named twice in one plan")
    policies = [created(state, command) for command in commands]
    return Decision([PolicySet(policy) for policy in policies], [policy.id for policy in policies])


def decide_update(state: FleetState, commands: Sequence[UpdatePolicy], _deciding: Deciding) -> Decision:
    """Change policies."""
    if len({command.id for command in commands}) < len(commands):
        raise CommandRefused("a policy is named twice in one plan")
    policies = [updated(state, command) for command in commands]
    events: list[Event] = [PolicySet(policy) for policy in policies if state.policies[policy.id] != policy]
    return Decision(events, [policy.id for policy in policies])


def decide_delete(state: FleetState, commands: Sequence[DeletePolicy], _deciding: Deciding) -> Decision:
    """Remove policies."""
    ids = dict.fromkeys(find_policy(state, command.id).id for command in commands)
    return Decision([PolicyRemoved(policy_id) for policy_id in ids], [command.id for command in commands])


def decide_hold(state: FleetState, commands: Sequence[HoldPool], deciding: Deciding) -> Decision:
    """Hold pools against the autoscaler."""
    events: list[Event] = []
    for command in commands:
        pool = find_pool(state, command.pool)
        until = command.until or (deciding.now + command.for_s if command.for_s else 0.0)
        events.append(PoolHeld(pool.spec.name, Hold(until, deciding.origin.who)))
    return Decision(events, [command.pool for command in commands])


def decide_release(state: FleetState, commands: Sequence[ReleasePool], _deciding: Deciding) -> Decision:
    """Let the autoscaler have pools again; one that is not held gives nothing."""
    pools = [find_pool(state, command.pool) for command in commands]
    return Decision([PoolHeld(pool.spec.name, None) for pool in pools if pool.hold is not None], [command.pool for command in commands])
