"""Structural search gives what tree-sitter's own wheels give, says what is wrong with a query and where, and replaces by it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
import tree_sitter
from engine.booster.module import find_module
from engine.booster.records import Answer, File, Language, Status
from engine.booster.sandbox import Machine, Sandbox
from engine.editing.matching import replace_matches, show_matches
from engine.editing.source import decode, read_bytes
from engine.editing.splices import splice
from engine.model import code_requests
from engine.model.code_errors import CodeError
from engine.model.code_operations import OPERATIONS, read_request

from tests.integration.test_booster_grammars import NATIVE, PARSERS, SAMPLES
from tests.integration.test_booster_tokens import library

QUERIES = {
    Language.PYTHON: (
        "(function_definition name: (identifier) @name) @def",
        '(call function: (identifier) @f (#eq? @f "len")) @call',
        '(call function: [(identifier) (attribute)] @f arguments: (argument_list . (_) @first) (#not-eq? @f "len"))',
        '((identifier) @a (#any-of? @a "self" "cls" "é"))',
        '(assignment left: (identifier) @a right: (identifier) @b (#eq? @a @b))',
        '(class_definition body: (block (function_definition name: (identifier) @m (#any-of? @m "__init__" "run")))) @class',
        '(if_statement "if" @if !alternative) (while_statement "while" @while)',
        "((string) @s . (comment)? @c)",
    ),
    Language.JAVASCRIPT: ("(call_expression function: (_) @f) @call", '(variable_declarator name: (identifier) @n (#eq? @n "x"))'),
    Language.TYPESCRIPT: ("(type_annotation (_) @type)", "(interface_declaration name: (_) @name body: (_) @body)"),
    Language.TSX: ("(jsx_element open_tag: (_ name: (_) @tag))",),
}
SUFFIXES = {Language.JAVASCRIPT: "js", Language.TYPESCRIPT: "ts", Language.TSX: "tsx"}
WRITTEN = {
    Language.JAVASCRIPT: "const x = f(1), y = a.b(x => x());\n",
    Language.TYPESCRIPT: "interface A<T> { b: T }\nfunction f(a: string, ü: A<number>): void {}\n",
    Language.TSX: "const x = <A b={1}><i>é</i></A>;\n",
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Machine() as machine, Sandbox(machine.load(find_module())) as sandbox:
        yield sandbox


def ask(sandbox: Sandbox, source: bytes, query: str, *, language: Language = Language.PYTHON, most: int = 100_000) -> Answer:
    (answer,) = sandbox.run("code.search", [File(language, source)], {"query": query, "max_matches": most})
    return answer


def list_own(value: dict[str, Any]) -> list[tuple[int, list[tuple[str, int, int]]]]:
    names = value["captures"]
    return sorted((pattern, sorted((names[n], start, end) for n, start, end in captures)) for pattern, captures in value["matches"])


def list_native(source: bytes, query: str, language: Language) -> list[tuple[int, list[tuple[str, int, int]]]]:
    cursor = tree_sitter.QueryCursor(tree_sitter.Query(tree_sitter.Language(NATIVE[language]), query))
    found = cursor.matches(PARSERS[language].parse(source).root_node)
    return sorted(
        (pattern, sorted((name, node.start_byte, node.end_byte) for name, nodes in captures.items() for node in nodes))
        for pattern, captures in found
    )


def sources(language: Language) -> list[bytes]:
    if language is Language.PYTHON:
        return [b"a = a\nb = c\n"] + [path.read_bytes() for path in random.Random(31).sample(library(), 30) if path.stat().st_size < 60_000]
    return [WRITTEN[language].encode(), (SAMPLES / f"tricky.{SUFFIXES[language]}").read_bytes()]


@pytest.mark.parametrize(("language", "query"), [(language, query) for language, queries in QUERIES.items() for query in queries])
def test_matches_are_those_of_the_native_wheels(sandbox: Sandbox, language: Language, query: str) -> None:
    checked = found = 0
    for source in sources(language):
        answer = ask(sandbox, source, query, language=language)
        has_error = PARSERS[language].parse(source).root_node.has_error
        assert answer.status is (Status.REFUSED if has_error else Status.DONE)
        if not has_error:
            assert list_own(answer.value) == list_native(source, query, language)
            checked += 1
            found += len(answer.value["matches"])
    assert checked
    assert found


@pytest.mark.parametrize(
    ("query", "reason", "place"),
    [
        ("(call", "no query", (1, 5)),
        ("(identifier) @a\n  (nothing) @b", "no such node", (2, 3)),
        ("(call foo: (identifier))", "no such field", (1, 6)),
        ('((call) @a (#eq? @b "é"))', "no node is captured", (1, 18)),
        ("(identifier (call))", "no node can stand there", (1, 12)),
        ('((call) @a\n (#match? @a "x"))', "not supported", (1, 0)),
        ("(call) @b\n((call) @a (#eq? @a))", "takes a capture", (2, 0)),
        ('((call) @a (#eq? @a "x" "y"))', "any-of?", (1, 0)),
        ('((call) @a (#any-of? @a "x" @a))', "texts in quotes", (1, 0)),
    ],
)
def test_what_is_wrong_with_a_query_is_said_with_its_place(sandbox: Sandbox, query: str, reason: str, place: tuple[int, int]) -> None:
    answer = ask(sandbox, b"x = 1\n", query)
    assert answer.status is Status.BAD_REQUEST
    assert reason in answer.value["reason"]
    assert (answer.value["line"], answer.value["column"]) == place


@pytest.mark.parametrize(
    ("predicate", "found"),
    [
        ('(#eq? @m "b")', [["b"]]),
        ('(#not-eq? @m "b")', [["a"], ["c"]]),
        ('(#any-of? @m "a" "c" "d")', [["a"], ["c"]]),
        ('(#not-any-of? @m "a" "c" "d")', [["b"]]),  # the wheel of tree-sitter 0.26.1 does not filter by it
        ('(#not-eq? @m "b") (#not-eq? @m "c")', [["a"]]),
    ],
)
def test_predicates_choose_among_the_matches(sandbox: Sandbox, predicate: str, found: list[list[str]]) -> None:
    source = b"a\nb\nc\n"
    value = ask(sandbox, source, f"(expression_statement (identifier) @m {predicate})").value
    assert [[source[start:end].decode() for _, start, end in captures] for _, captures in value["matches"]] == found
    # Of several nodes of one capture all have to satisfy it.
    value = ask(sandbox, source, f"(module (expression_statement (identifier) @m {predicate})+)").value
    assert value["matches"] == []


def test_many_queries_in_one_instance_keep_their_answers(sandbox: Sandbox) -> None:
    """More, and longer ones, than are kept compiled."""
    chance = random.Random(5)
    names = [f"n{index}" for index in range(60)]
    for _ in range(400):
        name = chance.choice(names)
        query = f'((identifier) @{name} (#eq? @{name} "{name}"))' + " ; long" * chance.choice([0, 3_000])
        answer = ask(sandbox, " = ".join(names).encode() + b" = 1\n", query)
        assert answer.value["captures"] == [name]
        assert len(answer.value["matches"]) == 1


def test_a_search_stops_after_so_many_matches(sandbox: Sandbox) -> None:
    for most, truncated in ((1, True), (2, True), (3, False), (4, False)):
        value = ask(sandbox, b"a = b = c\n", "(identifier) @x", most=most).value
        assert (len(value["matches"]), value["truncated"]) == (min(most, 3), truncated)
    (answer,) = sandbox.run("code.search", [File(Language.PYTHON, b"")], {"query": "(_) @a", "max_matches": "all"})
    assert answer.status is Status.BAD_REQUEST


def test_a_search_is_shown_by_lines_and_characters(sandbox: Sandbox) -> None:
    text = "é = 'ü'\r\ndef 文(a):\r\n    return é\r\n"
    request = read_request("code.search", {"source": text, "query": "(identifier) @name"})
    source = decode(request, read_bytes(request))
    answer = show_matches(source, ask(sandbox, text.encode(), "(identifier) @name").value)
    assert OPERATIONS["code.search"].result.model_validate(answer).model_dump(mode="json") == answer
    places = [(row["captures"][0]["text"], row["captures"][0]["line"], row["captures"][0]["column"]) for row in answer["matches"]]  # type: ignore[attr-defined]
    assert places == [("é", 1, 0), ("文", 2, 4), ("a", 2, 6), ("é", 3, 11)]


def replaced(sandbox: Sandbox, text: str, query: str, template: str, *, most: int = 100) -> tuple[str, int]:
    request = read_request("code.replace", {"source": text, "query": query, "template": template})
    assert isinstance(request, code_requests.ReplaceRequest)
    source = decode(request, read_bytes(request))
    edit = replace_matches(source, request, ask(sandbox, text.encode(), query, most=most).value)
    return splice(text, edit.splices), edit.count


@pytest.mark.parametrize(
    ("text", "query", "template", "after", "count"),
    [
        ("x == None\ny == é\n", '(comparison_operator (_) @a "==" (none)) @target', "$a is None", "x is None\ny == é\n", 1),
        ("f(é, 1)\nf(f(2))\n", "(call arguments: (argument_list . (_) @a . )) @target", "g($a, '$$')", None, 0),
        ("if é:\n    a\n    b\n", "(if_statement consequence: (block (_)+ @all)) @target", "if x:\n    $all", "if x:\n    a\n    b\n", 1),
        ("a = 1\n", "(identifier) @target", "a", "a = 1\n", 0),
        ("a = 1\n", "(integer) @target (integer) @target", "2", "a = 2\n", 1),
        ("a = b\n", "(call function: (_) @b) @target", "$b", "a = b\n", 0),
    ],
)
def test_a_template_takes_the_place_of_what_matches(
    sandbox: Sandbox, text: str, query: str, template: str, after: str | None, count: int
) -> None:
    if after is None:
        with pytest.raises(CodeError, match="inside of another") as caught:
            replaced(sandbox, text, query, template)
        assert (caught.value.kind, caught.value.line, caught.value.column) == ("ambiguous", 2, 2)
    else:
        assert replaced(sandbox, text, query, template) == (after, count)


@pytest.mark.parametrize(
    ("query", "template", "most", "kind"),
    [
        ("(identifier) @a", "b", 9, "bad_parameter"),
        ("(identifier) @target", "$b", 9, "bad_parameter"),
        ("(identifier) @target", "$ b", 9, "bad_parameter"),
        ("(identifier) @target", "b", 1, "too_large"),
        ("(assignment (identifier) @a) @target (identifier) @target", "$a", 9, "bad_parameter"),
    ],
)
def test_what_cannot_be_replaced_is_refused(sandbox: Sandbox, query: str, template: str, most: int, kind: str) -> None:
    if query.startswith("(assignment"):
        kind = "ambiguous"
        template = "x"
    with pytest.raises(CodeError) as caught:
        replaced(sandbox, "a = b = 1\n", query, template, most=most)
    assert caught.value.kind == kind


def test_the_tree_is_given_node_by_node(sandbox: Sandbox) -> None:
    def dump(source: str, *, named: bool, most: int = 100) -> dict[str, Any]:
        (answer,) = sandbox.run("code.ast_dump", [File(Language.PYTHON, source.encode())], {"named": named, "max_nodes": most})
        OPERATIONS["code.ast_dump"].result.model_validate(answer.value)
        return answer.value

    whole = [
        [0, "module", "", 1, 0, 2, 0], [1, "expression_statement", "", 1, 0, 1, 7], [2, "assignment", "", 1, 0, 1, 7],
        [3, "identifier", "left", 1, 0, 1, 1], [3, "=", "", 1, 2, 1, 3], [3, "string", "right", 1, 4, 1, 7],
        [4, "string_start", "", 1, 4, 1, 5], [4, "string_content", "", 1, 5, 1, 6], [4, "string_end", "", 1, 6, 1, 7],
    ]  # fmt: skip
    assert dump("é = 'ü'\n", named=False) == {"nodes": whole, "count": 9, "truncated": False, "errors": 0}
    named = [row for row in whole if row[1] != "="]
    assert dump("é = 'ü'\n", named=True, most=3) == {"nodes": named[:3], "count": 8, "truncated": True, "errors": 0}
    assert dump("x = = 1\n", named=True)["errors"] == 1
