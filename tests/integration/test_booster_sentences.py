"""Small sentences of Python by chance, right and wrong ones: where tokens are certain, the regular agent says the same."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from engine.booster.module import find_module
from engine.booster.records import File, Language, Status, Tier
from engine.booster.sandbox import Machine, Sandbox

from tests.integration.booster_agreement import Arguments, ask_agent, ask_module

# Places where some words (X) may stand.
PLACES = (
    "X\n", "x; X; y\n", "a = X\n", "X = a\n", "a: X\n", "X: a = 1\n", "X += 1\n", "a += X\n", "a X b\n", "print(X)\n",
    "def f(X): pass\n", "async def f(X, c): X\n", "def f(a=X, *b): pass\n", "def f(a: X): pass\n", "def f(*a: X): pass\n",
    "def f() -> X: pass\n", "def f():\n return X\n", "def f():\n yield X\n", "@X\ndef f(): pass\n", "lambda X: 0\n",
    "class C(X): pass\n", "class C[X]: pass\n", "type X\n", "with X: pass\n", "with (X): pass\n", "async with X: pass\n",
    "for X: pass\n", "for X in c: pass\n", "while X: pass\n", "if X: pass\nelif X: pass\n", "if x: X\nelse: y\n",
    "try: pass\nexcept X: pass\n", "try: X\nfinally: X\n", "match X\n", "match X:\n case _: pass\n", "match x:\n case X: pass\n",
    "match x:\n case a(X): pass\n", "match x:\n case {X}: pass\n", "match x:\n case [X]: pass\n", "f(X)\n", "f(a=X)\n", "f(*X)\n",
    "f(**X)\n", "f(a, X, b)\n", "x[X]\n", "[X]\n", "(X)\n", "{X}\n", "{a: X}\n", "{X: a for a in b}\n", "[a for X]\n", "[X for a in b]\n",
    "[a for X in b]\n", "f'{X}'\n", "f'{a:X}'\n", "f'{a:{X}}'\n", "del X\n", "global X\n", "assert X\n", "raise X\n", "import X\n", "from X\n",
    "from a import X\n",
)  # fmt: skip
WORDS = (
    "a", "a", "b", "c", "_", "1", "0", "'s'", "b'b'", "f'{a}'", "None", "...", "(", ")", "[", "]", "{", "}", ",", ",", ":", "=", ":=",
    "*", "**", ".", "@", "-", "~", "+", "/", "<", "|", "->", "!r", "!=", ";", "\n", "\n ", "not", "in", "is", "and", "or", "if", "else",
    "for", "async", "await", "lambda", "yield", "from", "import", "as", "match", "case", "type", "print", "a.b", "a()", "a[0]", "(a)",
    "[a]", "(a, b)", "a=1", "*a", "**a", "a: b", "a as b", "->a", "a := b", "lambda: a", "for a in b", "async for a in b",
    "if a else b", "print(a)",
)  # fmt: skip
OPERATIONS: tuple[tuple[str, Arguments], ...] = (
    ("code.metrics", {}),
    ("code.outline", {}),
    ("code.find_references", {"name": "a"}),
    ("code.find_references", {"name": "b"}),
    ("code.rename", {"name": "a", "to": "zz", "attributes": True}),
    ("code.remove_calls", {"function": "print"}),
)
BATCH = 2_000


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Machine() as machine, Sandbox(machine.load(find_module())) as sandbox:
        yield sandbox


def make_sentence(chance: random.Random) -> str:
    words = " ".join(chance.choices(WORDS, k=min(chance.randint(0, 8), chance.randint(0, 8))))
    return chance.choice(PLACES).replace("X", words)


def compare_batch(sandbox: Sandbox, chance: random.Random) -> int:
    """How many sentences the tokens were certain of; a difference fails the test."""
    operation, arguments = chance.choice(OPERATIONS)
    sentences = [make_sentence(chance) for _ in range(BATCH)]
    answers = sandbox.run(operation, [File(Language.PYTHON, sentence.encode()) for sentence in sentences], arguments, tiers=Tier.LEXICAL)
    certain = [sentence for sentence, answer in zip(sentences, answers, strict=True) if answer.status is Status.DONE]
    for sentence in certain:
        said = ask_module(sandbox, operation, sentence, arguments, tiers=Tier.LEXICAL)
        expected = ask_agent(operation, sentence, arguments)
        assert expected in (said, {"error": "unreadable"}), (operation, arguments, sentence)
    return len(certain)


def test_tokens_are_certain_only_of_what_the_agent_says_too(sandbox: Sandbox) -> None:
    chance = random.Random(51)
    assert sum(compare_batch(sandbox, chance) for _ in range(15)) >= 15 * BATCH // 20  # else there was little to compare


@pytest.mark.slow
@pytest.mark.parametrize("seed", [61, 62])
def test_tokens_are_certain_only_of_what_the_agent_says_too_for_long(sandbox: Sandbox, seed: int) -> None:
    chance = random.Random(seed)
    assert sum(compare_batch(sandbox, chance) for _ in range(500)) >= 500 * BATCH // 20


@pytest.mark.parametrize(
    "sentence",
    [
        "with : pass\n", "with (a as b for b in c): pass\n", "with (a as b, *c): pass\n", "with (a as b, c := d): pass\n", "with (*a := b): pass\n",
        "(*a := b)\n", "x[a := b:]\n", "match x:\n case *a: pass\n", "match x:\n case {**_}: pass\n", "match x:\n case a as _: pass\n",
        "match x:\n case {a(): b}: pass\n", "match x:\n case {1 | 2: b}: pass\n", "f'{a, lambda: b}'\n", "f'{yield lambda: a}'\n", "f'{a:{lambda: b}}'\n",
    ],
)  # fmt: skip
def test_what_is_no_python_is_refused(sandbox: Sandbox, sentence: str) -> None:
    assert ask_agent("code.metrics", sentence, {}) == {"error": "syntax_error"}
    (answer,) = sandbox.run("code.metrics", [File(Language.PYTHON, sentence.encode())])
    assert (answer.status, answer.tier) == (Status.UNSURE, Tier.LEXICAL)
