"""On scripts the tokens give the answers of the syntax tree or say that they are unsure: on whole files, cut and broken ones."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine.booster.module import find_module
from engine.booster.records import BOTH_TIERS, File, Language, Status, Tier
from engine.booster.sandbox import Machine, Sandbox
from engine.editing.ecmascript.structure import read_structure

from tests.integration.booster_agreement import OF_SCRIPTS, Arguments, ask_agent, ask_module
from tests.integration.script_packages import need_files, read, sample
from tests.integration.test_booster_scripts import (
    LANGUAGES,
    OUTLINED,
    REFERRED,
    REFERRED_TAGS,
    REMOVED,
    SENTENCES,
    choose_arguments,
)
from tests.integration.test_script_structure import find_by_tree

STRUCTURE = "code.structure"
OPERATIONS = (*OF_SCRIPTS, STRUCTURE)
SAMPLE = 150
MUTANTS = 6_000
MUTANTS_LONG = 400_000
PIECE_MAX = 900
SAMPLES = Path(__file__).parent / "booster_samples"
TRICKY = {language: (SAMPLES / f"tricky.{ending}").read_text("utf-8") for language, ending in (("javascript", "js"), ("typescript", "ts"), ("tsx", "tsx"))}
TOKEN = re.compile(r"\s+|[A-Za-z_$][\w$]*|\d+|=>|\.\.\.|\?\.|&&|\|\||\?\?|[^\w\s]")
# Tokens that mean much in few places, or other things in other languages.
FRAGMENTS = (
    "(", ")", "[", "]", "{", "}", ",", ":", ";", ".", "...", "=", "=>", "*", "**", "@", "/", "<", ">", "?.", "?", "??", "!", "`", "${a}", "'", '"x"', "in",
    "of", "instanceof", "as", "satisfies", "async ", "await ", "yield ", "function ", "class ", "new ", "let ", "const ", "get ", "set ", "static ", "type ",
    "interface ", "enum ", "declare ", "abstract ", "readonly ", "keyof ", "typeof ", "infer ", "is ", "asserts ", "extends ", "implements ", "\n", "//x\n",
    "/*x*/", "/* \n */", "<T>", "<T,>", "<a>", "</a>", "/>", "{}", "()", "[]", "++", "--", "+", "-", "/re/g", "#x", "1", "0x1", "1n", ".5", "+=", "||=", "&",
    "|", "this", "super", "import(", "export ", "default ", "from ", "delete ", "void ", "return ", "a", "name", "x => ", "(x) => ", "(x): y => ", "\r\n", "-->",
    "<!--", "using ", "accessor ", "namespace ", "module ", "global", "\\u0061", "é", "\u2028", "if(a)", "else ", "for(", "while(a)", "do ", "switch(a){",
    "case 1:", "default:", "try{", "catch{", "label:", "with(a)", "`a${b}c`", "!.", "a!", "@a ", "out ", "unique symbol", "a?:b", "a:b", "undefined", "true", "null",
)  # fmt: skip


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Machine() as machine, Sandbox(machine.load(find_module())) as sandbox:
        yield sandbox


def compare(sandbox: Sandbox, operation: str, source: str, arguments: Arguments, language: str) -> str:
    """Say who answers; a difference fails the test. Where tokens alone are certain, the regular agent is asked."""
    file = File(LANGUAGES[language], source.encode().removeprefix(b"\xef\xbb\xbf"))
    (by_tokens,) = sandbox.run(operation, [file], arguments, tiers=Tier.LEXICAL)
    assert by_tokens.status in (Status.DONE, Status.UNSURE), (operation, arguments, language, source)
    (by_tree,) = sandbox.run(operation, [file], arguments, tiers=Tier.TREE)
    if by_tokens.status is Status.UNSURE:
        return "tree" if by_tree.status is Status.DONE else "none"
    if by_tree.status is Status.DONE:
        assert by_tokens.value == by_tree.value, (operation, arguments, language, source)
        return "both"
    if operation == STRUCTURE:
        assert read_structure(by_tokens.value, file.data) == find_by_tree(file.data.decode(), language), (language, source)
        return "tokens"
    said = ask_agent(operation, source, arguments, language)
    if said != {"error": "too_deep"}:  # what it does not even try
        assert ask_module(sandbox, operation, source, arguments, tiers=Tier.LEXICAL, language=LANGUAGES[language]) == said, (operation, arguments, language, source)
    return "tokens"


def choose(chance: random.Random, operation: str, source: str) -> Arguments:
    return {} if operation == STRUCTURE else choose_arguments(chance, operation, source)


def compare_files(sandbox: Sandbox, paths: list[Path], seed: int) -> Counter[str]:
    chance = random.Random(seed)
    certain: Counter[str] = Counter()
    for path in paths:
        source, language = read(path)
        for operation in OPERATIONS:
            certain[compare(sandbox, operation, source, choose(chance, operation, source), language)] += 1
    print(f"{len(paths)} files: {dict(certain)}")
    return certain


def test_files_of_real_packages_are_answered_by_tokens_as_by_tree(sandbox: Sandbox) -> None:
    certain = compare_files(sandbox, sample(need_files(), SAMPLE, seed=51), seed=51)
    assert certain["both"] >= 0.85 * certain.total(), certain
    assert certain["tree"] <= 0.01 * certain.total(), certain


@pytest.mark.slow
def test_whole_packages_are_answered_by_tokens_as_by_tree(sandbox: Sandbox) -> None:
    certain = compare_files(sandbox, need_files(), seed=52)
    assert certain["both"] >= 0.85 * certain.total(), certain
    assert certain["tree"] <= 0.01 * certain.total(), certain


def cut_pieces(chance: random.Random, source: str) -> list[str]:
    """Some statements of a source."""
    beginnings = [0, *(found.start() for found in re.finditer(r"(?m)^(?=[^\s})\]/*])", source)), len(source)]
    pieces = [source[start:end] for start, end in zip(beginnings, beginnings[1:], strict=False) if 8 < end - start < PIECE_MAX]
    return chance.sample(pieces, min(6, len(pieces)))


def load_pieces(chance: random.Random) -> list[tuple[str, str]]:
    """Languages and sources: statements of real packages, and lines that have much of the grammar each."""
    pieces = [("typescript", line + "\n") for line in (OUTLINED + REFERRED).splitlines()]
    pieces += [("tsx", REFERRED_TAGS), ("javascript", REMOVED), *TRICKY.items()] * 3
    for path in sample(need_files(), 400, seed=53):
        source, language = read(path)
        pieces += [(language, piece) for piece in cut_pieces(chance, source)]
    return pieces


def mutate(chance: random.Random, source: str) -> str:
    """Take some tokens out, put some in, exchange some; or nothing."""
    tokens = TOKEN.findall(source)
    for _ in range(chance.choice((0, 1, 1, 1, 2, 2, 3)) if tokens else 0):
        at, other, how = chance.randrange(len(tokens)), chance.randrange(len(tokens)), chance.randrange(6)
        if how == 0:
            tokens[at] = ""
        elif how in (1, 2):
            tokens[at] += chance.choice(FRAGMENTS)
        elif how == 3:
            tokens[at] = chance.choice(FRAGMENTS)
        elif how == 4:
            tokens[at] = tokens[other]
        else:
            tokens[at], tokens[other] = tokens[other], tokens[at]
    source = "".join(tokens)
    return source.replace("\n", "\r\n") if chance.random() < 0.03 else source


def compare_mutants(sandbox: Sandbox, count: int, seed: int) -> Counter[str]:
    chance = random.Random(seed)
    pieces = load_pieces(chance)
    certain: Counter[str] = Counter()
    for _ in range(count):
        language, source = chance.choice(pieces)
        if chance.random() < 0.3:
            source += "\n" + chance.choice(pieces)[1]
        if chance.random() < 0.1:
            language = chance.choice(list(LANGUAGES))
        source = mutate(chance, source)
        operation = chance.choice(OPERATIONS)
        certain[compare(sandbox, operation, source, choose(chance, operation, source), language)] += 1
    print(f"{count} mutants: {dict(certain)}")
    return certain


def test_broken_scripts_are_answered_by_tokens_as_by_tree_or_not_at_all(sandbox: Sandbox) -> None:
    certain = compare_mutants(sandbox, MUTANTS, seed=61)
    assert certain["both"] >= MUTANTS // 5, certain  # else there was little to compare
    assert certain["none"] >= MUTANTS // 10, certain


@pytest.mark.slow
@pytest.mark.parametrize("seed", [62, 63])
def test_very_many_broken_scripts_are_answered_by_tokens_as_by_tree_or_not_at_all(sandbox: Sandbox, seed: int) -> None:
    certain = compare_mutants(sandbox, MUTANTS_LONG, seed)
    assert certain["both"] >= MUTANTS_LONG // 5, certain


@pytest.mark.parametrize("language", TRICKY)
def test_scripts_cut_off_anywhere_are_answered_by_tokens_as_by_tree_or_not_at_all(sandbox: Sandbox, language: str) -> None:
    source = TRICKY[language]
    certain = Counter(compare(sandbox, "code.outline", source[:end], {}, language) for end in range(0, len(source), 3))
    assert certain["both"] + certain["tokens"] >= 5, certain


@pytest.mark.parametrize(("operation", "language", "source", "arguments"), SENTENCES)
def test_tricky_sentences_have_the_same_answer_by_tokens(sandbox: Sandbox, operation: str, language: str, source: str, arguments: Arguments) -> None:
    for line in source.splitlines(keepends=True):
        compare(sandbox, operation, line, arguments, language)
    compare(sandbox, operation, source, arguments, language)


@pytest.mark.parametrize(
    ("operation", "language", "source", "arguments"),
    [
        ("code.outline", "typescript", "/** a */ export class A<T> extends B<T> { @c() d = (e: T): void => {} }\n", {}),
        ("code.metrics", "javascript", "const f = async ({a, b = 1}, ...c) => a && b ? c : /[/]/g\n", {}),
        ("code.find_references", "tsx", "const a = <B c={a}>a {a} <a.b /></B>\n", {"name": "a"}),
        ("code.rename", "javascript", "({a, b: [a = 1]} = a); a`${a}`\n", {"name": "a", "to": "c", "attributes": False}),
        ("code.remove_calls", "typescript", "a.b<C>(1); if (d) a.b(); else a?.b()\n", {"function": "a.b"}),
        ("code.outline", "typescript", "export import a = b.c\nfor (const d of e satisfies f) { function g(this: h) {} }\n", {}),
    ],
)
def test_tokens_answer_first(sandbox: Sandbox, operation: str, language: str, source: str, arguments: Arguments) -> None:
    (answer,) = sandbox.run(operation, [File(LANGUAGES[language], source.encode())], arguments)
    assert (answer.status, answer.tier) == (Status.DONE, Tier.LEXICAL)
    assert ask_module(sandbox, operation, source, arguments, tiers=Tier.LEXICAL, language=LANGUAGES[language]) == ask_agent(operation, source, arguments, language)


@pytest.mark.parametrize(
    ("operation", "source", "arguments"),
    [
        ("code.outline", "let é = 1\n", {}),  # a letter that the tokens do not know
        ("code.rename", "a = 1\n", {"name": "a", "to": "é", "attributes": False}),  # the same behind the edit
        ("code.find_references", "a.class\n", {"name": "class"}),  # a word that is a name in few places only
        ("code.outline", "(" * 130 + "1" + ")" * 130 + "\n", {}),  # deeper than they read
        ("code.outline", "a\n`b`\n", {}),  # the language goes on with the line before; the tree does too
    ],
)
def test_what_tokens_do_not_know_the_tree_answers(sandbox: Sandbox, operation: str, source: str, arguments: Arguments) -> None:
    file = File(Language.JAVASCRIPT, source.encode())
    (answer,) = sandbox.run(operation, [file], arguments, tiers=BOTH_TIERS)
    assert answer.status is Status.DONE
    if "`" not in source:
        assert answer.tier is Tier.TREE


# What the long runs found: the tree, or the agent, read these otherwise than the tokens did at first.
FOUND: list[tuple[str, str, str, Arguments]] = [
    ("code.use_const", "javascript", "export using { z };\n", {}),
    ("code.use_const", "javascript", "import {undefined} from 'a'; const undefined = 1; const undefined = 2\n", {}),
    ("code.outline", "typescript", "export declare\np\n", {}),
    ("code.metrics", "javascript", "export type\nu\n", {}),
    ("code.outline", "typescript", "export type[C]|C\n", {}),
    ("code.outline", "typescript", "export default function():{}\n;", {}),
    ("code.rename", "javascript", "export\n{z}\n", {"name": "z", "to": "y", "attributes": False}),
    ("code.metrics", "javascript", "(function(){async//\nfunction e(){}})\n", {}),
    ("code.outline", "typescript", "(e);@a export interface Z{}\n", {}),
    ("code.metrics", "typescript", "function e() {} /*\n*/\nnamespace A {} /*\n*/\n", {}),
    ("code.outline", "typescript", "namespace a.class {}\nnamespace 1 {}\n", {}),
    ("code.remove_calls", "typescript", "new\nBenchmark.Suite('')\n", {"function": "Benchmark.Suite"}),
    ("code.remove_calls", "typescript", "log?.(); log?.()(() => {(1)})\n", {"function": "log"}),
    ("code.remove_calls", "javascript", "switch(a){case t:}``;log?.()\n", {"function": "log"}),
    ("code.outline", "javascript", "/** a */\na = b = function c() {}\n/** d */\ne = function () {}, f = 1\n", {}),
    ("code.find_references", "typescript", "type A = bigint\n", {"name": "bigint"}),
    ("code.find_references", "javascript", "let\nprevDebounce\n", {"name": "prevDebounce"}),
    ("code.outline", "typescript", "export default function(): A\n;\n", {}),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "language", "source", "arguments"), FOUND)
def test_what_was_read_otherwise_once(sandbox: Sandbox, operation: str, language: str, source: str, arguments: Arguments) -> None:
    compare(sandbox, operation, source, arguments, language)
    said = ask_module(sandbox, operation, source, arguments, tiers=Tier.LEXICAL, language=LANGUAGES[language])
    assert said is None or said == ask_agent(operation, source, arguments, language)


PIECES = ("(", "[", "{", "f(", "!", "`${", "<a>", "a=>", "x?", "x?y:", "a[", "function f(){", "class A{a(){", "A<", "a:", "else ", "new ", "@a\n", "x=function(){", "({a:", "a.b", "if(a)b;else ", "/*")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "source",
    ["export using { z };\n", "const undefined = 1; const undefined = 2\n", "undefined => 1; function undefined(undefined, {undefined}) { }\n", "<a\n// one\nb={1} /* two */ c>{/* three */}</a>\n"],
)
def test_the_structure_of_what_was_read_otherwise_once(sandbox: Sandbox, source: str, language: str) -> None:
    compare(sandbox, STRUCTURE, source, {}, language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("piece", PIECES)
def test_very_deep_and_very_long_scripts_trap_in_no_tier(sandbox: Sandbox, piece: str, language: str) -> None:
    (answer,) = sandbox.run("code.metrics", [File(LANGUAGES[language], piece.encode() * 20_000)], tiers=Tier.LEXICAL)
    assert answer.status is Status.UNSURE or piece == "a.b"


def test_attempts_that_nest_do_not_multiply(sandbox: Sandbox) -> None:
    """Each of these could begin an arrow function, and each is read twice at most before the tokens give up."""
    for source in ("(a = " * 60 + "1" + ")" * 60, "a = function () { " * 60 + "}()" * 60, "f<" * 60 + "a" + ">(b)" * 60):
        (answer,) = sandbox.run("code.metrics", [File(Language.TYPESCRIPT, source.encode())], tiers=Tier.LEXICAL)
        assert answer.status is Status.UNSURE
