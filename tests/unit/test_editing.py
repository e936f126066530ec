"""What of a thing may be edited: made from the models, texts read and refused, merge patches that mean what was typed."""

from __future__ import annotations

from typing import Any

import pytest
from engine.gate.editable import editable
from engine.model.editing import (
    EditField,
    check_patch,
    check_value,
    keys_of,
    moved,
    patch_of,
    read_text,
    table_of,
    text_of,
    verb_of,
)
from engine.model.errors import NotFound, UsageError
from engine.model.policy_text import merged, policy_of, policy_table
from engine.model.pool_commands import CreatePolicy, EditPool, UpdatePolicy
from engine.model.pools import EDITABLE
from engine.model.scaling import Policy
from tests.unit.core_fleet import Fleet

POLICY = {"pool": "coder", "target": 0.8, "up": {"metric": "cpu", "threshold": 0.7}, "scale_up": {"rates": [{"period_s": 15, "agents": 4}]}}


@pytest.fixture
def fleet() -> Fleet:
    fleet = Fleet()
    fleet.do(CreatePolicy("own", POLICY))
    return fleet


def test_a_pool_s_keys_come_from_its_model_with_limits_help_and_the_configured_value(fleet: Fleet) -> None:
    fleet.do(EditPool("coder", {"max": 6, "cpu": 2}))
    fields = {field.key: field for field in editable(fleet.state, "pools", "coder").fields}
    assert list(fields) == list(EDITABLE)
    assert (fields["max"].value, fields["max"].default, fields["max"].type, fields["max"].limits) == (6, 9, "whole", "1 to 100000")
    assert (fields["cpu"].value, fields["cpu"].default, fields["cpu"].type) == (2.0, 0.5, "cores")
    assert all(field.help for field in fields.values())


def test_the_form_s_limits_are_those_that_the_verb_enforces(fleet: Fleet) -> None:
    for field in editable(fleet.state, "pools", "coder").fields:
        low, high = EDITABLE[field.key]
        assert field.ge == low
        assert field.le is None or field.le == high


def test_every_key_of_a_policy_is_there_once_with_its_help(fleet: Fleet) -> None:
    thing = editable(fleet.state, "policies", "own")
    fields = {field.key: field for field in thing.fields}
    assert len(fields) == len(thing.fields)
    assert (fields["target"].value, fields["drain_s"].value, fields["drain_s"].default) == (0.8, None, 5.0)
    assert fields["fallback.behaviour"].choices == ("static", "current", "current_if_higher", "current_if_lower")
    assert "goal" in fields["target"].help.lower()
    assert policy_of(table_of(thing, {})) == fleet.state.policies["own"]


@pytest.mark.parametrize("kind", ["agents", "tasks", "pool"])
def test_what_cannot_be_edited_is_refused(fleet: Fleet, kind: str) -> None:
    with pytest.raises(UsageError, match=f"{kind!r} cannot be edited"):
        editable(fleet.state, kind, "coder")
    with pytest.raises(NotFound):
        editable(fleet.state, "pools", "nobody")


# ---- texts


WHOLE = EditField("max", "whole", ge=1, le=100)


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        (WHOLE, "7", 7), (WHOLE, " ", None), (EditField("x", "number"), "1e2", 100.0), (EditField("x", "flag"), "yes", True),
        (EditField("x", "flag"), "False", False), (EditField("x", "megabytes"), "4GB", 4096), (EditField("x", "cores"), "500m", 0.5),
        (EditField("x", "choice", choices=("max", "min")), "min", "min"), (EditField("x", "json"), '[{"a": 1}]', [{"a": 1}]), (EditField("x", "text"), "7", "7"),
    ],
)  # fmt: skip
def test_a_text_means_a_value(field: EditField, text: str, value: object) -> None:
    assert read_text(field, text) == value


@pytest.mark.parametrize(
    ("field", "text", "why"),
    [
        (WHOLE, "7.5", "7.5 is no whole number"), (WHOLE, "many", "many is no whole number"), (WHOLE, "0", "0 is not 1 to 100"), (WHOLE, "9" * 30, "is no whole number"),
        (EditField("x", "number", ge=0), "nan", "nan is no number"), (EditField("x", "number", ge=0), "-1", "-1.0 is not 0 or more"), (EditField("x", "flag"), "1", "1 is neither yes nor no"),
        (EditField("x", "choice", choices=("max", "min")), "mix", "mix is none of max, min; did you mean"), (EditField("x", "json"), "[", "not valid JSON"), (EditField("x", "megabytes"), "4 cats", "no amount of memory"),
    ],
)  # fmt: skip
def test_a_text_that_makes_no_sense_is_refused_in_words(field: EditField, text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        read_text(field, text)


@pytest.mark.parametrize(("type_", "value"), [("whole", True), ("flag", 1), ("number", [1]), ("whole", "x"), ("text", {"a": 1})])
def test_values_of_another_type_are_refused(type_: str, value: object) -> None:
    with pytest.raises(UsageError):
        check_value(EditField("x", type_), value)


# ---- patches


def test_changes_become_the_smallest_patch_and_the_verb_that_makes_them(fleet: Fleet) -> None:
    thing = editable(fleet.state, "pools", "coder")
    patch = patch_of(thing.fields, {"max": 6, "min": 2, "cost": None})
    assert patch == {"max": 6, "cost": None}
    assert verb_of(thing, patch) == EditPool("coder", {"max": 6, "cost": None})
    check_patch(thing, patch)
    with pytest.raises(UsageError, match="min 2 would be above max 1"):
        check_patch(thing, {"max": 1})


def test_a_part_that_is_emptied_is_taken_away(fleet: Fleet) -> None:
    thing = editable(fleet.state, "policies", "own")
    patch = patch_of(thing.fields, {"up.metric": None, "up.threshold": None})
    assert patch == {"up": None}
    check_patch(thing, patch)
    assert verb_of(thing, patch) == UpdatePolicy("own", {"up": None})


def test_a_part_that_was_not_written_keeps_what_it_implied(fleet: Fleet) -> None:
    """Written in part, scale_down would lose its window of 300 s, which nobody asked for."""
    thing = editable(fleet.state, "policies", "own")
    patch = patch_of(thing.fields, {"scale_down.cooldown_s": 5.0})
    assert patch == {"scale_down": {"cooldown_s": 5.0, "stabilization_s": 300.0}}
    fleet.do(UpdatePolicy("own", patch))
    assert fleet.state.policies["own"].scale_down.stabilization_s == Policy("", "").scale_down.stabilization_s == 300.0
    again = editable(fleet.state, "policies", "own")
    assert patch_of(again.fields, {"scale_down.cooldown_s": None}) == {"scale_down": {"cooldown_s": None}}


def test_any_one_key_changed_and_changed_back_gives_the_policy_again(fleet: Fleet) -> None:
    before = policy_table(fleet.state.policies["own"])
    values: dict[str, Any] = {"whole": 3, "number": 400.0, "flag": True, "json": [{"period_s": 5.0, "agents": 1}]}
    for field in editable(fleet.state, "policies", "own").fields:
        if field.type not in values or field.key.startswith(("down", "panic", "prediction")):
            continue
        thing = editable(fleet.state, "policies", "own")
        patch = patch_of(thing.fields, {field.key: values[field.type]})
        fleet.do(UpdatePolicy("own", patch))
        then = editable(fleet.state, "policies", "own")
        assert {new.key for _, new in moved(thing, then)} == ({field.key} if values[field.type] not in (field.value, field.default) else set())
        fleet.do(UpdatePolicy("own", patch_of(then.fields, {field.key: thing.field(field.key).value})))
        assert policy_of({**merged(before, {}), "id": "own"}) == fleet.state.policies["own"], field.key


def test_keys_of_a_patch_and_texts_of_values() -> None:
    assert keys_of({"a": 1, "up": {"metric": "cpu", "step": None}, "down": None}) == ["a", "up.metric", "up.step", "down"]
    assert [text_of(value) for value in (None, True, 1.5, [1], "x")] == ["", "yes", "1.5", "[1]", "x"]
