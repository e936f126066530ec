"""What the demo's reviewers say to an edit, by checks of the edit itself."""

from __future__ import annotations

import difflib

import pytest
from engine.agents.light.answers import JobFailed
from engine.config import load_config
from fleet_tui.reviewer import (
    HANDLER,
    SMALL_LINES,
    Edit,
    apply_diff,
    check_effects,
    check_meaning,
    check_size,
    public_names,
)
from fleet_tui.serve import with_reviewers


def edit(before: str, after: str) -> Edit:
    diff = "\n".join(difflib.unified_diff(before.splitlines(), after.splitlines(), "a", "b", lineterm=""))
    return Edit(before, apply_diff(before, diff), diff)


def test_a_diff_is_applied_to_the_text_that_it_is_of() -> None:
    before = "".join(f"line_{number} = {number}\n" for number in range(60))
    after = before.replace("line_3 = 3\n", "").replace("line_40 = 40", "line_40 = 'forty'") + "more = 1\n"
    assert edit(before, after).after == after
    diff = edit(before, after).diff
    with pytest.raises(JobFailed, match="line 2 is not as the diff has it"):
        apply_diff(before.replace("line_1 = 1", "line_1 = 2"), diff)


@pytest.mark.parametrize(
    ("before", "after", "vote", "says"),
    [
        ("def f():\n    print(1)\n    return 2\n", "def f():\n    return 2\n", "approve", "parses"),
        ("def f():\n    print(1)\n", "def f():\n", "reject", "does not parse"),
        ("def f(): pass\n\nx = 1\n", "x = 1\n", "reject", "public names are gone: f"),
        ("class A:\n    def m(self): pass\n    def _p(self): pass\n", "class A:\n    def _p(self): pass\n", "reject", "gone: A.m"),
        ("def _f(): pass\n\nx = 1\n", "x = 1\n", "approve", "parses"),
    ],
)
def test_meaning(before: str, after: str, vote: str, says: str) -> None:
    opinion = check_meaning(edit(before, after))
    assert opinion.vote == vote
    assert says in opinion.reasoning


@pytest.mark.parametrize(
    ("gone", "vote", "says"),
    [
        ("print(x, len(x))", "approve", "nothing else"),
        ("print(queue.pop())", "abstain", "queue.pop"),
        ("print(x, file=opened())", "abstain", "opened"),
        ("print(y := 1)", "reject", "y := 1"),
        ("print(await x)", "reject", "await x"),
        ("eval('1')", "approve", "nothing else"),
    ],
)
def test_effects(gone: str, vote: str, says: str) -> None:
    opinion = check_effects(edit(f"async def f(x):\n    {gone}\n    return x\n", "async def f(x):\n    return x\n"))
    assert opinion.vote == vote
    assert says in opinion.reasoning


def test_size() -> None:
    many = "".join(f"print({number})\n" for number in range(SMALL_LINES + 1))
    assert check_size(edit(many + "x = 1\n", "x = 1\n")).vote == "reject"
    assert check_size(edit(many + "x = 1\n", many[len("print(0)\n") :] + "x = 1\n")).vote == "approve"


def test_names_of_parts_that_are_nobodys_business_do_not_count() -> None:
    import ast

    source = "a: int = 1\n_b = 2\n\ndef c():\n    d = 3\n\nclass _E:\n    def f(self): pass\n"
    assert public_names(ast.parse(source)) == {"a", "c"}


def test_the_pool_of_reviewers_votes_unless_it_is_somebodys_own() -> None:
    config = with_reviewers(load_config(None))
    assert (config.pools["reviewer"].handler, config.pools["reviewer"].min) == (HANDLER, 3)
    spec = next(spec for spec in config.pool_specs() if spec.name == "reviewer")
    seed = next(spec for spec in load_config(None).pool_specs() if spec.name == "reviewer")
    assert (spec.max, spec.priority, spec.capabilities) == (seed.max, seed.priority, seed.capabilities)
    own = type(config).model_validate({"pools": {"reviewer": {"handler": "own:work"}}})
    assert with_reviewers(own) is own
