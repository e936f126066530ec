"""What `policy apply` makes of a file: new, changed and pruned policies."""

from __future__ import annotations

from typing import Any

import pytest
from engine.model.policy_text import merged, policy_of, policy_table
from engine.model.pool_commands import CreatePolicy, DeletePolicy, UpdatePolicy
from fleet_tui.policy_file import changes

OLD = {"id": "a", "pool": "coder", "target": 1.0, "tolerance": 0.3, "scale_down": {"stabilization_s": 60.0, "cooldown_s": 9.0}}


@pytest.mark.parametrize(
    "new",
    [
        {"target": 0.7},
        {"pool": "ui", "target": 1.0, "scale_down": {"stabilization_s": 60.0}},
        {"target": 1.0, "scale_down": {"stabilization_s": 5.0}, "panic": {"window_s": 6.0}},
        {"up": {"metric": "queue_length", "threshold": 20.0}},
    ],
)
def test_the_changes_make_exactly_what_the_file_says(new: dict[str, Any]) -> None:
    old, wanted = policy_of(OLD), policy_of({**new, "id": "a"})
    [command] = changes({"a": old}, {"a": wanted}, prune=False)
    assert isinstance(command, UpdatePolicy)
    assert policy_of({**merged(policy_table(old), command.changes), "id": "a"}) == wanted


def test_new_ones_come_first_and_others_go_only_when_asked() -> None:
    old, new = policy_of(OLD), policy_of({"id": "b", "target": 1.0})
    assert changes({"a": old}, {"a": old}, prune=True) == []
    [made] = changes({"a": old}, {"b": new}, prune=False)
    assert isinstance(made, CreatePolicy)
    assert policy_of({**made.policy, "id": made.id}) == new
    assert [type(one) for one in changes({"a": old}, {"b": new}, prune=True)] == [CreatePolicy, DeletePolicy]
