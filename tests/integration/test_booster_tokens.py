"""On Python the tokens give the answers of the syntax tree or say that they are unsure: on whole files, cut and broken ones."""

from __future__ import annotations

import random
import re
import textwrap
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from engine.booster.module import find_module
from engine.booster.records import BOTH_TIERS, Answer, File, Language, Status, Tier
from engine.booster.sandbox import Machine, Sandbox
from engine.editing.compiler import compile_problem

from tests.integration.booster_agreement import (
    BY_BOTH_TIERS,
    OPERATIONS,
    STANDARD_LIBRARY,
    TRICKY,
    Arguments,
    ask_agent,
    ask_module,
    choose_arguments,
)

SAMPLE = 50
MUTANTS = 1_000
MUTANTS_LONG = 200_000
# Tokens that mean much in few places, or that only other Pythons know.
FRAGMENTS = (
    "\n", "\r\n", "\r", "    ", "\t", " ", "\f", "\0", "\\", "\\\n", "#", "(", ")", "[", "]", "{", "}", ",", ":", ";", ".", "...",
    "=", "==", ":=", "->", "*", "**", "@", "/", "|", "~", "-", "%", "<>", "!=", "!", "`", "$", "?", "'", '"', '"""', "f'", 'f"{', 'b"x"',
    'r"', 'u"x"', 't"x"', "{x!r:>{w}}", "not ", "in ", "is ", "and ", "or ", "if ", "else ", "elif ", "for ", "async ", "await ",
    "lambda ", "lambda x: ", "yield ", "yield from ", "def ", "class ", "return ", "del ", "import ", "from ", "as ", "match ",
    "match x:\n", "case ", "case _:", "type ", "_", "global ", "try:", "except:", "finally:", "with ", "while ", "pass", "print",
    "print >>", "exec ", "from __future__ import ", "None", "0777", "1_0", "1e", "1j", "0x", "1.", ".5", "1if", "*a", "**k", "(a, b)",
    "é", "\u2028", "_\u0301", "ª", "𝐱",
)  # fmt: skip


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Machine() as machine, Sandbox(machine.load(find_module())) as sandbox:
        yield sandbox


def library() -> list[Path]:
    """The files of the standard library and its tests that are UTF-8."""
    paths = [path for path in STANDARD_LIBRARY.rglob("*.py") if "site-packages" not in path.parts]
    return [path for path in sorted(paths) if is_text(path.read_bytes())]


def is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def ask_both(sandbox: Sandbox, operation: str, source: str, arguments: Arguments) -> tuple[Answer, Answer]:
    """The answers by tokens and by tree, of the module alone; a trap would be raised."""
    file = File(Language.PYTHON, source.encode().removeprefix(b"\xef\xbb\xbf"))
    (by_tokens,) = sandbox.run(operation, [file], arguments, tiers=Tier.LEXICAL)
    (by_tree,) = sandbox.run(operation, [file], arguments, tiers=Tier.TREE)
    return by_tokens, by_tree


def compare(sandbox: Sandbox, operation: str, source: str, arguments: Arguments, *, ask_always: bool = False) -> str:
    """Say who answers; a difference fails the test. Where one tier alone is certain, the regular agent is asked, too."""
    by_tokens, by_tree = ask_both(sandbox, operation, source, arguments)
    assert by_tokens.status in (Status.DONE, Status.UNSURE), (operation, arguments, source)
    if by_tokens.status is by_tree.status is Status.DONE:
        assert by_tokens.value == by_tree.value, (operation, arguments, source)
        if not ask_always:
            return "both"
    file = File(Language.PYTHON, source.encode().removeprefix(b"\xef\xbb\xbf"))
    (answer,) = sandbox.run(operation, [file], arguments)
    if answer.status is not Status.DONE:
        return "none"
    said = ask_agent(operation, source, arguments)
    if said != {"error": "too_deep"}:  # what it does not even try
        assert ask_module(sandbox, operation, source, arguments, tiers=BOTH_TIERS) == said, (operation, arguments, source)
    return "both" if by_tokens.status is by_tree.status else "tokens" if answer.tier is Tier.LEXICAL else "tree"


def compare_files(sandbox: Sandbox, paths: list[Path], seed: int) -> Counter[str]:
    chance = random.Random(seed)
    certain: Counter[str] = Counter()
    for path in paths:
        source = path.read_bytes().decode()
        for operation in BY_BOTH_TIERS:
            certain[compare(sandbox, operation, source, choose_arguments(chance, operation, source))] += 1
    return certain


def test_files_of_the_standard_library_are_answered_by_tokens_as_by_tree(sandbox: Sandbox) -> None:
    certain = compare_files(sandbox, random.Random(11).sample(library(), SAMPLE), seed=11)
    assert certain.total() == SAMPLE * len(BY_BOTH_TIERS)
    assert certain["both"] + certain["tokens"] >= 0.97 * certain.total(), certain


@pytest.mark.slow
def test_the_whole_standard_library_is_answered_by_tokens_as_by_tree(sandbox: Sandbox) -> None:
    certain = compare_files(sandbox, library(), seed=12)
    assert certain["both"] + certain["tokens"] >= 0.99 * certain.total(), certain


def cut_piece(chance: random.Random, source: str) -> str:
    """Some statements of a source that stand one after the other."""
    beginnings = [0, *(found.start() for found in re.finditer(r"(?m)^(?:@|def |class |import |if |for |\w+ = )", source)), len(source)]
    pieces = [(start, end) for start, end in pairwise(beginnings) if start < end < start + 4_000]
    if not pieces:
        return source[:2_000]
    first = chance.randrange(len(pieces))
    return "".join(source[start:end] for start, end in pieces[first : first + chance.randint(1, 4)])


def mutate(chance: random.Random, source: str) -> str:
    """Cut a source off, or take tokens out, put some in, exchange some."""
    tokens = re.findall(r"\w+|\s+|[^\w\s]", source)
    if not tokens or chance.random() < 0.1:
        return source[: chance.randint(0, len(source))]
    for _ in range(chance.randint(1, 3)):
        at, other = chance.randrange(len(tokens)), chance.randrange(len(tokens))
        how = chance.randrange(5)
        if how == 0:
            tokens[at] = ""
        elif how == 1:
            tokens[at] += chance.choice(FRAGMENTS)
        elif how == 2:
            tokens[at] = chance.choice(FRAGMENTS)
        elif how == 3:
            tokens[at] = tokens[other]
        else:
            tokens[at], tokens[other] = tokens[other], tokens[at]
    return vary(chance, "".join(tokens))


def vary(chance: random.Random, source: str) -> str:
    """Sometimes write it as another editor would."""
    how = chance.randrange(10)
    if how == 0:
        return source.replace("\n", "\r\n")
    if how == 1:
        return source.rstrip("\n")
    return source.replace("self", "ſélf文") if how == 2 else source


def compare_mutants(sandbox: Sandbox, count: int, seed: int) -> Counter[str]:
    chance = random.Random(seed)
    paths = chance.sample([path for path in library() if path.stat().st_size < 60_000], 60)
    sources = [TRICKY, *(path.read_bytes().decode().removeprefix("\ufeff") for path in paths)]
    certain: Counter[str] = Counter()
    for number in range(count):
        source = mutate(chance, cut_piece(chance, chance.choice(sources)))
        operation = chance.choice(BY_BOTH_TIERS)
        arguments = choose_arguments(chance, operation, source)
        certain[compare(sandbox, operation, source, arguments, ask_always=number % 8 == 0)] += 1
    return certain


def test_broken_sources_are_answered_by_tokens_as_by_tree_or_not_at_all(sandbox: Sandbox) -> None:
    certain = compare_mutants(sandbox, MUTANTS, seed=21)
    assert certain["both"] >= MUTANTS // 5, certain  # else there was little to compare
    assert certain["none"] >= MUTANTS // 10, certain


@pytest.mark.slow
@pytest.mark.parametrize("seed", [31, 32])
def test_very_many_broken_sources_are_answered_by_tokens_as_by_tree_or_not_at_all(sandbox: Sandbox, seed: int) -> None:
    certain = compare_mutants(sandbox, MUTANTS_LONG, seed)
    assert certain["both"] >= MUTANTS_LONG // 5, certain


@pytest.mark.parametrize(("operation", "arguments"), OPERATIONS[::3])
def test_sources_cut_off_anywhere_are_answered_by_tokens_as_by_tree_or_not_at_all(
    sandbox: Sandbox, operation: str, arguments: Arguments
) -> None:
    certain = Counter(compare(sandbox, operation, TRICKY[:end], arguments) for end in range(0, len(TRICKY), 3))
    assert certain["both"] >= 30, certain


@pytest.mark.parametrize(
    ("operation", "source", "arguments"),
    [
        ("code.outline", "class A:\n    def f(self): pass\n", {}),
        ("code.outline", "print >>x, y\n", {}),  # a tuple, to Python 3; the tree takes it for a statement of Python 2
        ("code.rename", "a = b = 1\n", {"name": "a", "to": "c", "attributes": False}),
        ("code.remove_calls", "def f():\n    print(1)\n", {"function": "print"}),
    ],
)
def test_tokens_answer_first(sandbox: Sandbox, operation: str, source: str, arguments: Arguments) -> None:
    (answer,) = sandbox.run(operation, [File(Language.PYTHON, source.encode())], arguments)
    assert (answer.status, answer.tier) == (Status.DONE, Tier.LEXICAL)
    assert ask_module(sandbox, operation, source, arguments, tiers=Tier.LEXICAL) == ask_agent(operation, source, arguments)


@pytest.mark.parametrize(
    ("source", "arguments"),
    [
        ("𝐱 = a\n", {"name": "a", "to": "b", "attributes": False}),  # a letter that the tokens do not know
        ("a = 1\n", {"name": "a", "to": "𝐱", "attributes": False}),  # the same behind the edit
        ("a = " + "(" * 95 + "1" + ")" * 95 + "\n", {"name": "a", "to": "b", "attributes": False}),  # deeper than they read
    ],
)
def test_what_tokens_do_not_know_the_tree_answers(sandbox: Sandbox, source: str, arguments: Arguments) -> None:
    (answer,) = sandbox.run("code.rename", [File(Language.PYTHON, source.encode())], arguments)
    # Python may take two letters for the same: of those not even the tree answers.
    assert (answer.status is Status.DONE and answer.tier is Tier.TREE) if "(" in source else answer.status is Status.UNSURE
    by_tokens, _ = ask_both(sandbox, "code.rename", source, arguments)
    assert by_tokens.status is Status.UNSURE


@pytest.mark.parametrize("source", ["x = 1  # a\ry = 2\n", "# a\r", "x = 1\ry = 2\n", "x = (1,\r2)\n", "if x:\n", "with : pass\n", "\\\nx = 1\n", "x = $\n"])
def test_what_tokens_refuse_goes_to_the_regular_agent(sandbox: Sandbox, source: str) -> None:
    """A lone carriage return ends a line to Python, but not to the tree, which also takes blocks without a body."""
    (answer,) = sandbox.run("code.metrics", [File(Language.PYTHON, source.encode())])
    assert (answer.status, answer.tier) == (Status.UNSURE, Tier.LEXICAL)


BREAKING = [  # keywords, words that are keywords only where they then stand, words of the compiler, letters that are the same to Python
    ("a = 1\n", "a", "class"), ("a.x\n", "x", "if"), ("f(a=1)\n", "a", "None"), ("a x\n", "a", "b"), ("a = 1\n", "a", "b c"), ("a(x)\n", "a", "if x:\n"),
    ("a = 1\n", "a", "print"), ("a x\n", "a", "type"), ("a = 1\n", "a", "__debug__"), ("from __future__ import annotations\n", "annotations", "b"),
    ("class A:\n    def f(self):\n        nonlocal __class__\n", "__class__", "b"), ("def f(a, ﬁ): pass\n", "a", "fi"), ("def f(a, fi): pass\n", "a", "ﬁ"),
]  # fmt: skip


@pytest.mark.parametrize("tiers", [Tier.LEXICAL, Tier.TREE, BOTH_TIERS])
@pytest.mark.parametrize(("source", "name", "to"), BREAKING)
def test_an_edit_that_may_break_the_syntax_is_no_answer(sandbox: Sandbox, source: str, name: str, to: str, tiers: int) -> None:
    """The regular agent is asked, which refuses it and names the place. The tree alone takes `if x:` without a body."""
    arguments = {"name": name, "to": to, "attributes": True}
    (answer,) = sandbox.run("code.rename", [File(Language.PYTHON, source.encode())], arguments, tiers=tiers)
    assert answer.status is Status.UNSURE


@pytest.mark.parametrize("head", ["if x:", "try:", "with a:", "class A:", "async def f():", "for a in b:", "match a:\n    case b:"])
@pytest.mark.parametrize("body", ["\n        print(1)\n", " print(1); print(2)\n", "\n        print(1)  # why\n        print(2)\n"])
@pytest.mark.parametrize("tiers", [Tier.LEXICAL, Tier.TREE])
def test_a_block_that_loses_all_its_statements_stays_one(sandbox: Sandbox, head: str, body: str, tiers: int) -> None:
    source = head + body + "finally: pass\n" * (head == "try:")
    said = ask_module(sandbox, "code.remove_calls", source, {"function": "print"}, tiers=tiers)
    assert said is not None
    assert said == ask_agent("code.remove_calls", source, {"function": "print"})
    compile(str(said["text"]).replace("async def", "def"), "edited", "exec")


@pytest.mark.parametrize("piece", ["(", "[", "{", "f(", "lambda: ", "not ", "-", "if x:\n", "x if x else ", 'f"{', "a.b", "'' ", "else: "])
def test_very_deep_and_very_long_sources_trap_in_no_tier(sandbox: Sandbox, piece: str) -> None:
    source = piece * 20_000
    assert compare(sandbox, "code.metrics", source, {}) == {"a.b": "both", "'' ": "tree"}.get(piece, "none")


# What is grammar, but does not compile; and the like that does.
UNCOMPILABLE = [
    "return 1\n", "class A:\n    return\n", "yield 1\n", "x = [(yield) for a in b]\n", "def f():\n    x = [(yield) for a in b]\n", "await x\n", "def f(): await x\n",
    "async def f():\n    yield 1\n    return 2\n", "async def f(): yield from a\n", "def f():\n    async for a in b: pass\n", "def f(): return [x async for x in y]\n",
    "break\n", "for a in b: pass\nelse: break\n", "while a:\n    def f(): continue\n", "while a:\n    class A: break\n",
    "x = 1\nfrom __future__ import division\n", "import a\nfrom __future__ import division\n", "from __future__ import braces\n", "from __future__ import *\n",
    "def f():\n    from __future__ import division\n", "if a:\n    from __future__ import division\n", "def f():\n    from a import *\n", "class A:\n    from a import *\n",
    "def f(a, a): pass\n", "lambda a, *a: 1\n", "f(a=1, a=2)\n", "class A(b=1, b=2): pass\n", "def f(a):\n    global a\n", "def f():\n    a = 1\n    global a\n",
    "def f():\n    if b: print(a)\n    global a\n", "def f():\n    global a\n    a: int = 1\n", "nonlocal a\n", "def f():\n    nonlocal a\n", "def f():\n    global a\n    def g():\n        nonlocal a\n",
    "*a, *b = c\n", "for *a, *b in c: pass\n", "[*a, *b] = c\n", "[a := 1 for a in b]\n", "[a for a in (b := c)]\n", "class A: x = [y := 1 for z in w]\n",
    "'\\x1'\n", "b'\\x1'\n", "'\\u123'\n", "'\\N{nothing}'\n", "'\\U00110000'\n", "f'\\x1'\n", "f'{a!r:{b:{c:{d}}}}'\n", "__debug__ = 1\n", "def f(__debug__): pass\n", "x.__debug__ = 1\n",
    "from __future__ import annotations\ndef f(a: (yield)): pass\n", "from __future__ import annotations\nx: (y := 1) = 2\n", "x = '\0'\n", "# \0\n", "x = " + "9" * 5000 + "\n",
    "match a:\n    case b: pass\n    case c: pass\n", "match a:\n    case [b, b]: pass\n", "def f():\n    try: pass\n    except* A: return\n", "try: pass\nexcept* A: pass\nexcept* : pass\n",
    "for a in b:\n" + "".join(" " * depth + "while x:\n" for depth in range(1, 25)) + " " * 25 + "pass\n",
]  # fmt: skip
COMPILABLE = [
    "def f():\n    'doc'\n    global a, b\n    global c\n    a = b\n", "async def f():\n    async with a: await b\n    return await c\n", "def f(): yield [x for x in y]\n", "while a:\n    if b: break\nelse: pass\n",
    "'doc'\nfrom __future__ import (division, annotations)\nfrom __future__ import generators\nimport a\n", "*a, b = c\n", "[*a, *b]\n", "f(*a, *b, c=1, **d)\n", "'\\x41\\u0041\\d'\nr'\\x'\nb'\\u'\n",
    "if (a := b): pass\n", "x = lambda: (yield)\n", "f'{a!r:>{b}}'\n", "del a.b[c], (d)\n", "while True:\n    try: continue\n    finally: break\n",
]  # fmt: skip


@pytest.mark.parametrize("source", UNCOMPILABLE)
def test_what_does_not_compile_is_left_to_the_regular_agent(sandbox: Sandbox, source: str) -> None:
    (answer,) = sandbox.run("code.syntax_check", [File(Language.PYTHON, source.encode())])
    assert answer.status is Status.UNSURE


@pytest.mark.parametrize("source", COMPILABLE)
def test_what_compiles_has_no_errors(sandbox: Sandbox, source: str) -> None:
    said = ask_module(sandbox, "code.syntax_check", source, {}, tiers=BOTH_TIERS)
    assert said == ask_agent("code.syntax_check", source, {}) == {"ok": True, "errors": []}


def compiles(source: str) -> bool:
    return compile_problem(source, "source") is None


@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_files_of_the_standard_library_that_are_certain_compile(sandbox: Sandbox, step: int) -> None:
    certain = total = 0
    for path in library()[::step]:
        source = path.read_bytes().decode().removeprefix("\ufeff")
        (answer,) = sandbox.run("code.syntax_check", [File(Language.PYTHON, source.encode())])
        assert answer.status is Status.UNSURE or compiles(source), path
        certain += answer.status is Status.DONE
        total += 1
    assert certain > 0.8 * total


def test_broken_pieces_that_are_certain_compile(sandbox: Sandbox) -> None:
    seed = 13
    chance = random.Random(seed)
    sources = [path.read_bytes().decode() for path in chance.sample(library(), 40)]
    more = ("break\n", "return 1\n", "yield 1\n", "(yield)", "global x\n", "x := 1", "*a, ", "await x", "[x for x in y]", "a=1,", "\\x1", "from a import *\n")
    certain = 0
    for _ in range(1_000):
        piece = textwrap.dedent(cut_piece(chance, chance.choice(sources)))
        at = chance.randrange(len(piece) + 1)
        piece = piece[:at] + chance.choice(FRAGMENTS + more) + piece[at:]
        if chance.random() < 0.3:
            piece = "def f():\n" + textwrap.indent(piece, "    ")
        (answer,) = sandbox.run("code.syntax_check", [File(Language.PYTHON, piece.encode())])
        certain += answer.status is Status.DONE
        assert answer.status is Status.UNSURE or compiles(piece), (seed, piece)
    assert certain > 50
