"""Functions, classes, calls and identifiers of a script, by the reader of the regular agent and by tree-sitter's native wheels."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

import tree_sitter
import tree_sitter_javascript
import tree_sitter_typescript
from engine.agents.code.ecmascript.parser import Parser
from engine.agents.code.ecmascript.tree import Node, walk
from engine.agents.code.stack import run_deep
from engine.model.code_requests import Language

GRAMMARS = {
    "javascript": tree_sitter_javascript.language(),
    "typescript": tree_sitter_typescript.language_typescript(),
    "tsx": tree_sitter_typescript.language_tsx(),
}
PARSERS = {language: tree_sitter.Parser(tree_sitter.Language(row)) for language, row in GRAMMARS.items()}
OURS = {
    **dict.fromkeys(("Function", "Arrow", "Method"), "function"),
    "Class": "class",
    **dict.fromkeys(("Call", "New", "Tagged"), "call"),
    **dict.fromkeys(("Identifier", "PrivateName", "TagName"), "identifier"),
}
THEIRS = {
    **dict.fromkeys(("function_declaration", "function_expression", "generator_function"), "function"),
    **dict.fromkeys(("generator_function_declaration", "arrow_function", "method_definition"), "function"),
    **dict.fromkeys(("class_declaration", "class", "abstract_class_declaration"), "class"),
    **dict.fromkeys(("call_expression", "new_expression"), "call"),
    **dict.fromkeys(("identifier", "property_identifier", "private_property_identifier", "type_identifier"), "identifier"),
    **dict.fromkeys(("shorthand_property_identifier", "shorthand_property_identifier_pattern"), "identifier"),
}
WORDS = {"undefined", "const", "default"}
"""Words that are identifiers in some places only, and not to both: nobody can ask for them."""
Place = tuple[str, int, int]


def read_ours(text: str, language: Language) -> Node:
    return run_deep(lambda: Parser(text, has_types=language != "javascript", has_jsx=language != "typescript").parse_program())


def list_ours(text: str, language: Language) -> set[Place]:
    """What the reader finds, in offsets of characters."""
    found = set()
    for node in walk(read_ours(text, language)):
        kind = OURS.get(node.kind)
        if kind == "function" and node.kind != "Arrow" and node.node("body") is None:
            continue  # a signature
        if kind and text[node.start : node.end] not in WORDS:
            found.add((kind, node.number("own") if "own" in node.parts else node.start, node.end))
    return found


def list_theirs(text: str, language: Language) -> set[Place] | None:
    """What tree-sitter finds, in offsets of characters; None if it reads an error."""
    data = text.encode()
    tree = PARSERS[language].parse(data)
    if tree.root_node.has_error:
        return None
    starts = [0, *accumulate(len(letter.encode()) for letter in text)] if len(data) != len(text) else range(len(data) + 1)
    found = {
        (kind, bisect_right(starts, node.start_byte) - 1, bisect_right(starts, node.end_byte) - 1)
        for node in _walk(tree)
        if node.is_named and (kind := _kind(node))
    }
    return {place for place in found if text[place[1] : place[2]] not in WORDS}


def _kind(node: tree_sitter.Node) -> str | None:
    called = node.child_by_field_name("function") if node.type == "call_expression" else None
    # `import("a").B` as a type is a call to tree-sitter, like the call; neither is of a function that has a name.
    return None if called is not None and called.type == "import" else THEIRS.get(node.type)


def _walk(tree: tree_sitter.Tree) -> Iterator[tree_sitter.Node]:
    cursor = tree.walk()
    while True:
        assert cursor.node is not None
        yield cursor.node
        if cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return
