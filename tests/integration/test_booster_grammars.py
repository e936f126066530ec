"""The module's trees are those of the official native wheels, node by node, also where the input is broken."""

from __future__ import annotations

import random
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree_sitter
import tree_sitter_javascript
import tree_sitter_python
import tree_sitter_typescript
from engine.booster.module import find_module
from engine.booster.records import File, Language
from engine.booster.sandbox import Machine, Sandbox

SAMPLES = Path(__file__).parent / "booster_samples"
STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))
NATIVE = {
    Language.PYTHON: tree_sitter_python.language(),
    Language.JAVASCRIPT: tree_sitter_javascript.language(),
    Language.TYPESCRIPT: tree_sitter_typescript.language_typescript(),
    Language.TSX: tree_sitter_typescript.language_tsx(),
}
PARSERS = {language: tree_sitter.Parser(tree_sitter.Language(row)) for language, row in NATIVE.items()}
ERROR = 65535
# What scanners look ahead for; put anywhere it makes trees that nobody wrote.
PIECES = (
    *("?", ":", "<", ">", "{", "}", "(", ")", "`", "${", "/", "//", "/*", "*/", "<!--", "-->", "!", "=", "++", "--", "."),
    *("?.", '"', "'", ";", ",", "&", "@", "#", " in ", " i ", " inx ", "=>", " as ", "é", "\xa0", "\u2028", "\\", "\n", "\r"),
    *("\t", "0", "\0", "abstract ", "class ", "function ", "async ", "await ", "def ", "if:", "lambda:", 'f"', "f'{", '"""'),
)
Node = tuple[str, int, int, int, int]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Machine() as machine, Sandbox(machine.load(find_module())) as sandbox:
        yield sandbox


def list_native_nodes(tree: tree_sitter.Tree) -> list[Node]:
    """Kind, depth, start, end and flags of every node, in the order of the source."""
    cursor = tree.walk()
    nodes: list[Node] = []
    depth = 0
    while True:
        node = cursor.node
        assert node is not None
        flags = node.is_named | node.is_missing << 1 | node.is_error << 2
        nodes.append((node.type, depth, node.start_byte, node.end_byte, flags))
        if cursor.goto_first_child():
            depth += 1
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return nodes
            depth -= 1


def list_nodes(sandbox: Sandbox, language: Language, source: bytes) -> list[Node]:
    """The same, of the module's tree."""
    (answer,) = sandbox.run("code.nodes", [File(language, source)])
    value = answer.value
    kinds, numbers = value["kinds"], iter(value["nodes"])
    return [
        ("ERROR" if kind == ERROR else kinds[kind], *rest)
        for kind, *rest in zip(numbers, numbers, numbers, numbers, numbers, strict=True)
    ]


def mutate(chance: random.Random, source: str) -> bytes:
    """Break a source in one to six places."""
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(source) + 1)
        match chance.randrange(3):
            case 0:
                source = source[:at] + chance.choice(PIECES) + source[at:]
            case 1:
                source = source[:at] + source[at + chance.randint(1, 12) :]
            case _:
                there = chance.randrange(len(source) + 1)
                source = source[:at] + source[there : there + chance.randint(1, 40)] + source[at:]
    return source.encode()


@pytest.mark.parametrize("name", ["tricky.js", "tricky.ts", "tricky.tsx"])
def test_trees_of_scripts_are_those_of_the_native_wheels(sandbox: Sandbox, name: str) -> None:
    source = (SAMPLES / name).read_bytes()
    language = Language.of(name)
    assert language is not None
    assert list_nodes(sandbox, language, source) == list_native_nodes(PARSERS[language].parse(source))


def test_trees_of_python_are_those_of_the_native_wheel(sandbox: Sandbox) -> None:
    paths = sorted(path for path in STANDARD_LIBRARY.glob("*.py") if path.stat().st_size < 40_000)[::8]
    assert len(paths) > 10
    for path in paths:
        source = path.read_bytes()
        native = list_native_nodes(PARSERS[Language.PYTHON].parse(source))
        assert list_nodes(sandbox, Language.PYTHON, source) == native, path


@pytest.mark.parametrize("name", ["tricky.js", "tricky.ts", "tricky.tsx", "colorsys.py"])
def test_trees_of_broken_sources_are_the_same_too(sandbox: Sandbox, name: str) -> None:
    seed = 20
    chance = random.Random(seed)
    language = Language.of(name)
    assert language is not None
    folder = STANDARD_LIBRARY if language is Language.PYTHON else SAMPLES
    source = (folder / name).read_text("utf-8")
    for number in range(120):
        broken = mutate(chance, source)
        native = list_native_nodes(PARSERS[language].parse(broken))
        assert list_nodes(sandbox, language, broken) == native, (seed, number, broken)
