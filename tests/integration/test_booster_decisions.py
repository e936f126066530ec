"""What is decided from a structure: the module's tokens find what the regular agent's tree does, and edits are the same, once."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine.agents.code import CodeError, run
from engine.agents.code.python.structure import find_structure
from engine.agents.code.stack import run_deep
from engine.booster.module import find_module
from engine.booster.records import File, Language, Status, Tier
from engine.booster.sandbox import Machine, Sandbox
from engine.editing.python import DECISIONS
from engine.editing.source import Source
from engine.editing.structure import read_structure
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.integration.booster_agreement import (
    TRICKY,
    ask_agent,
    ask_module,
    choose_arguments,
    make_variants,
)
from tests.integration.test_booster_tokens import library

SAMPLE = 25
REFUSALS = {"ambiguous", "no_target", "unsupported", "lost_code"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Machine() as machine, Sandbox(machine.load(find_module())) as sandbox:
        yield sandbox


def compare_structures(sandbox: Sandbox, text: str, place: object) -> str:
    """Say whether tokens are certain; a difference from the tree fails the test."""
    data = text.encode()
    (answer,) = sandbox.run("code.structure", [File(Language.PYTHON, data)])
    if answer.status is not Status.DONE:
        return "unsure"
    found = run_deep(lambda: find_structure(Source(None, data, "utf-8", text)))
    assert read_structure(answer.value, data) == found, place
    return "equal"


def read(path: Path) -> str:
    return path.read_bytes().decode().removeprefix("\ufeff")


@pytest.mark.parametrize("variant", list(make_variants("")))
def test_the_structure_of_tricky_code_is_the_same(sandbox: Sandbox, variant: str) -> None:
    assert compare_structures(sandbox, make_variants(TRICKY)[variant], variant) == "equal"


@pytest.mark.parametrize(
    "source",
    [
        "", "\n", "# c\n", "x", "if a: pass", "\f\nclass A:\n\f  x = 1\n", "match x:\n  case 1: 'a\\\nb'\n", "match(x, 'a\\\nb')\nif a:\n   b\n",
        'f"""{a\n}"""\n', "@a\n@b\nasync def f(): return; x\n", "async with a:\n\tdef f(): 'd'; try_()\n", "class A: 'd'\nclass B: x; 'd'\n",
        "def f():\n  ('d'\n   'e')\n  try: pass\n  except A: pass\n", "def f():\n  try: pass\n  finally: pass\n  x\n", "def f() -> (a\n): pass\ndef g(  # c\n) -> a[b]: pass\n",
        "try:\n pass\nexcept* A:\n pass\nelse:\n pass\nfinally:\n  def f(): pass\n", "from a import (b,\n  c)\nimport a; import b as c; x\n'text'\n",
        "for x in y:\n  a\nelse:\n  b; c  # d\n# e\nwhile x: a\n", "class é[T](a, b=c):\n    def 文(self, x: 'é' = 1) -> '文': pass\n",
    ],
)  # fmt: skip
def test_the_structure_of_rare_forms_is_the_same(sandbox: Sandbox, source: str) -> None:
    assert compare_structures(sandbox, source, source) == "equal"


def test_the_structure_of_the_standard_library_is_the_same(sandbox: Sandbox) -> None:
    certain = Counter(compare_structures(sandbox, read(path), path) for path in random.Random(21).sample(library(), SAMPLE))
    assert certain["equal"] >= 0.97 * SAMPLE


@pytest.mark.slow
def test_the_structure_of_the_whole_standard_library_is_the_same(sandbox: Sandbox) -> None:
    certain: Counter[str] = Counter()
    for path in library():
        try:
            certain[compare_structures(sandbox, read(path), path)] += 1
        except CodeError:
            certain["refused"] += 1
    assert certain["equal"] >= 0.99 * certain.total(), certain


@pytest.mark.parametrize("operation", DECISIONS)
def test_files_of_the_standard_library_are_edited_as_by_the_agent(sandbox: Sandbox, operation: str) -> None:
    seed = 22
    chance = random.Random(seed)
    paths = [path for path in library() if path.stat().st_size < 40_000]
    outcomes: Counter[str] = Counter()
    for path in chance.sample(paths, 12):
        source = read(path)
        arguments = choose_arguments(chance, operation, source)
        said = ask_module(sandbox, operation, source, arguments, tiers=Tier.LEXICAL)
        if said is None:
            outcomes["unsure"] += 1
            continue
        asked = ask_agent(operation, source, arguments)
        assert said == asked, (seed, path, arguments)
        outcomes[str(said.get("error", "edited"))] += 1
    assert outcomes["unsure"] <= 1
    assert outcomes["edited"] >= 3, outcomes
    assert set(outcomes) <= REFUSALS | {"edited", "unsure"}, outcomes


@settings(max_examples=examples(60), deadline=None)
@given(path=st.sampled_from([path for path in library() if path.stat().st_size < 20_000]), operation=st.sampled_from(sorted(DECISIONS)), seed=st.integers(0, 999))
def test_an_edit_of_a_real_file_loses_nothing_and_is_done_once(path: Path, operation: str, seed: int) -> None:
    source = read(path)
    arguments = choose_arguments(random.Random(seed), operation, source)
    said = ask_agent(operation, source, arguments)
    if "error" in said:
        assert said["error"] in REFUSALS | {"syntax_error"}
        return
    after = str(said["text"])
    is_replaced = operation == "code.apply_edit" and arguments["place"] == "replace"
    if not is_replaced:  # the target is not there any more
        again = ask_agent(operation, after, arguments)
        assert (again.get("text", after), again.get("count", 0)) == (after, 0), (path, arguments)
    if operation != "code.apply_edit":
        lost = Counter(source.split()) - Counter(after.replace("try:", "").split())
        assert operation == "code.sort_imports" or not {word for word in lost if word.isidentifier()}, (path, arguments, lost)
    answer = run(operation, {"source": source, **arguments})
    assert answer["changed"] == (after != source)
