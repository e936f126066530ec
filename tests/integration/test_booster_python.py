"""On Python the module gives the answers of the regular agent, or says that it is not certain."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest
from engine.booster.module import find_module
from engine.booster.records import File, Language, Status, Tier
from engine.booster.sandbox import Machine, Sandbox

from tests.integration.booster_agreement import (
    BY_BOTH_TIERS,
    OPERATIONS,
    STANDARD_LIBRARY,
    TRICKY,
    Arguments,
    ask_agent,
    ask_module,
    choose_arguments,
    make_variants,
)
from tests.integration.test_booster_tokens import library


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Machine() as machine, Sandbox(machine.load(find_module())) as sandbox:
        yield sandbox


@pytest.mark.parametrize("tier", [Tier.LEXICAL, Tier.TREE])
@pytest.mark.parametrize("variant", list(make_variants("")))
@pytest.mark.parametrize(("operation", "arguments"), OPERATIONS)
def test_tricky_code_has_the_agents_answers(
    sandbox: Sandbox, operation: str, arguments: Arguments, variant: str, tier: Tier
) -> None:
    source = make_variants(TRICKY)[variant]
    if "näme" in source:
        arguments = {key: value.replace("name", "näme") if key in ("name", "function") and isinstance(value, str) else value for key, value in arguments.items()}  # fmt: skip
    said = ask_module(sandbox, operation, source, arguments, tiers=tier)
    assert said == ask_agent(operation, source, arguments)


@pytest.mark.parametrize("operation", BY_BOTH_TIERS)
def test_files_of_the_standard_library_have_the_agents_answers(sandbox: Sandbox, operation: str) -> None:
    seed = 7
    chance = random.Random(seed)
    paths = [path for path in sorted(STANDARD_LIBRARY.glob("*.py")) if path.stat().st_size < 40_000]
    for path in chance.sample(paths, 12):
        source = path.read_text("utf-8")
        arguments = choose_arguments(chance, operation, source)
        said = ask_module(sandbox, operation, source, arguments, tiers=Tier.TREE)
        assert said == ask_agent(operation, source, arguments), (seed, path, arguments)


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.row(163, 211)
def test_the_whole_standard_library_has_the_agents_answers(sandbox: Sandbox) -> None:
    """Both tiers and LibCST on each file, with what the module is not certain of left out; it takes some minutes."""
    seed, paths = 8, library()
    chance = random.Random(seed)
    asked: Counter[str] = Counter()
    different = []
    for path in paths:
        source = path.read_bytes().decode()
        for operation in BY_BOTH_TIERS:
            arguments = choose_arguments(chance, operation, source)
            said = ask_agent(operation, source, arguments)
            for tier in (Tier.LEXICAL, Tier.TREE):
                found = ask_module(sandbox, operation, source, arguments, tiers=tier)
                asked["unsure" if found is None else "same" if found == said else "different"] += 1
                if found not in (None, said):
                    different.append((path, tier, operation, arguments))
    print(f"{len(paths)} files: {dict(asked)}; different: {different}")
    assert asked["same"] >= 0.95 * asked.total(), asked
    assert len({path for path, *_ in different}) <= len(paths) // 1_000, different


@pytest.mark.parametrize(
    "source",
    [
        "print 'old'\n", "exec 'old'\n", "a <> b\n", "x = 0777\n", "x = 10L\n",
        "def f(a, (b, c)): pass\n", "lambda (a, b): a\n", "(x): int = 1\n", "x = = 1\n", "def f(:\n", "try: pass\nexcept A, b: pass\n",
        "f(\n", "'open\n", "class\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("operation", ["code.outline", "code.metrics"])
def test_what_is_no_python_is_left_to_the_agent(sandbox: Sandbox, operation: str, source: str) -> None:
    (answer,) = sandbox.run(operation, [File(Language.PYTHON, source.encode())])
    assert answer.status is Status.UNSURE
    assert answer.value["line"] in (1, 2, 3)


def test_a_tab_behind_a_blank_is_left_to_tokens(sandbox: Sandbox) -> None:
    source = "class A:\n    \t   def a(self):\n                if a:\n                  pass\n"
    file = File(Language.PYTHON, source.encode())
    (by_tree,) = sandbox.run("code.metrics", [file], tiers=Tier.TREE)
    assert by_tree.status is Status.UNSURE
    assert by_tree.value["line"] == 2
    compile(source, "", "exec")
    (by_tokens,) = sandbox.run("code.metrics", [file], tiers=Tier.LEXICAL)
    assert [row["length"] for row in by_tokens.value["functions"]] == [3]


@pytest.mark.parametrize(
    ("operation", "source", "arguments", "reason"),
    [
        ("code.rename", "a = b\n", {"name": "a", "to": "b", "attributes": False}, "in use"),
        ("code.rename", "match = 1\n", {"name": "match", "to": "b", "attributes": False}, "keyword"),
        ("code.rename", "a = 1\n", {"name": "a", "to": "type", "attributes": False}, "keyword"),
    ],
)
def test_what_the_module_does_not_know_is_left_to_the_agent(
    sandbox: Sandbox, operation: str, source: str, arguments: Arguments, reason: str
) -> None:
    (answer,) = sandbox.run(operation, [File(Language.PYTHON, source.encode())], arguments)
    assert answer.status is Status.UNSURE
    assert reason in answer.value["reason"]


def test_arguments_and_languages_are_checked(sandbox: Sandbox) -> None:
    python, other = File(Language.PYTHON, b"x = 1\n"), File(9, b"x = 1\n")
    for name in ("", "a..b", ".a", "a."):
        (answer,) = sandbox.run("code.remove_calls", [python], {"function": name})
        assert answer.status is Status.BAD_REQUEST
    answers = sandbox.run("code.outline", [python, other])
    assert [answer.status for answer in answers] == [Status.DONE, Status.BAD_REQUEST]
