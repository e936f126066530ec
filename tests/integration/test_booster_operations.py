"""Operations through a sandbox against the regular agent: the same answers, the same errors, the same files written."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine.agents import code
from engine.booster.asking import FOUND_BY, LEFT_TO_AGENT, list_offered
from engine.booster.deciding import judge
from engine.booster.failures import BadAnswer
from engine.booster.module import find_module
from engine.booster.operations import perform
from engine.booster.records import Answer, Language, Status, Tier
from engine.booster.sandbox import Machine, Program, Sandbox
from engine.editing.python import DECISIONS
from engine.model.code_errors import CodeError, HandedOn
from engine.model.code_operations import OPERATIONS, read_request
from engine.model.code_requests import LANGUAGES

from tests.integration.booster_agreement import (
    NAMES,
    STANDARD_LIBRARY,
    choose_arguments,
    make_variants,
)

SMALL = 'import os\n\n\ndef name(a, b):\n    """doc"""\n    print(a)\n    return name(b, a)\n'


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    with Machine() as machine:
        yield machine.load(find_module())


@pytest.fixture
def sandbox(program: Program) -> Iterator[Sandbox]:
    with Sandbox(program) as made:
        yield made


def ask_booster(program: Program, sandbox: Sandbox, operation: str, payload: dict[str, object]) -> dict[str, object]:
    return perform(sandbox, program.description, read_request(operation, payload))


def told(answer: dict[str, object]) -> dict[str, object]:
    """An answer without the name of who made it."""
    provenance = answer.get("provenance")
    return answer if provenance is None else {**answer, "provenance": {**provenance, "engine": ""}}  # type: ignore[dict-item]


def compare(program: Program, sandbox: Sandbox, operation: str, payload: dict[str, object]) -> bool:
    """Check that both say the same; tell whether the booster was certain."""
    try:
        ours: object = told(ask_booster(program, sandbox, operation, payload))
    except HandedOn:
        return False
    except CodeError as error:
        ours = (error.kind, error.message, error.line, error.column)
    try:
        theirs: object = told(code.run(operation, payload))
    except CodeError as error:
        theirs = (error.kind, error.message, error.line, error.column)
    assert ours == theirs, (operation, payload)
    return True


@pytest.mark.row(161)
@pytest.mark.parametrize(("seed", "count"), [(0, 5), *(pytest.param(seed, 12, marks=pytest.mark.slow) for seed in range(1, 5))])
def test_real_files_get_the_regular_agents_answer(program: Program, sandbox: Sandbox, seed: int, count: int) -> None:
    chance = random.Random(seed)
    files = chance.sample(sorted(STANDARD_LIBRARY.glob("[a-z]*.py")), count)
    certain = total = 0
    for path in files:
        source = path.read_text("utf-8")
        for operation in NAMES:
            payload: dict[str, object] = {"path": str(path), **choose_arguments(chance, operation, source)}
            certain += compare(program, sandbox, operation, payload)
            total += 1
    assert certain > total * 0.9, f"certain of {certain} of {total} only: the comparison would show nothing"


@pytest.mark.parametrize("variant", make_variants(SMALL))
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "latin-1"])
def test_files_as_others_write_them(tmp_path: Path, program: Program, sandbox: Sandbox, variant: str, codec: str) -> None:
    text = make_variants(SMALL)[variant]
    if codec == "latin-1":
        text = "# -*- coding: latin-1 -*-\n" + text.replace("文 🎉", "")
    path = tmp_path / "file.py"
    path.write_bytes(text.encode(codec))
    name = "näme" if "näme" in text else "name"
    for operation, arguments in (
        ("code.outline", {}),
        ("code.find_references", {"name": name}),
        ("code.rename", {"name": name, "to": "renamed"}),
        ("code.remove_calls", {"function": "print"}),
        ("code.add_docstrings", {}),
        ("code.sort_imports", {}),
        ("code.wrap_in_try", {"function": name}),
        ("code.add_return_type", {"function": name, "annotation": "int"}),
        ("code.apply_edit", {"edit": f"import sys\ndef {name}():\n    return 1\ndef other(): pass\n"}),
    ):
        assert compare(program, sandbox, operation, {"path": str(path), **arguments}), operation


@pytest.mark.parametrize(
    ("operation", "payload"),
    [
        ("code.outline", {"path": "/nowhere/file.py"}),
        ("code.outline", {"path": "/"}),
        ("code.rename", {"path": "file.py", "name": "a", "to": "b", "apply": True}),
        ("code.rename", {"path": "/etc/hosts.py", "workspace": "/tmp", "name": "a", "to": "b", "apply": True}),
        ("code.outline", {"source": "\ud800"}),
        ("code.outline", {"source": "x" * (8 * 2**20 + 1)}),
    ],
)
def test_what_is_refused_is_refused_alike(
    program: Program, sandbox: Sandbox, operation: str, payload: dict[str, object]
) -> None:
    assert compare(program, sandbox, operation, payload), "an error of the caller is no reason to ask another"


SNIPPET = {"edit": "def name(:", "source": SMALL}


@pytest.mark.parametrize(
    ("operation", "payload"),
    [
        ("code.apply_edit", {**SNIPPET, "edit": "x = 1"}),
        ("code.apply_edit", {**SNIPPET, "edit": "def name(): ..."}),
        ("code.apply_edit", {**SNIPPET, "edit": "def f(a, a): pass"}),
        ("code.apply_edit", {**SNIPPET, "edit": "def f(): pass", "target": "nowhere"}),
        ("code.sort_imports", {"source": "import b; import a\n"}),
        ("code.wrap_in_try", {"source": SMALL, "function": "name", "handler": "await x"}),
        ("code.add_return_type", {"source": "class A: pass\n", "function": "A", "annotation": "int"}),
    ],
)
def test_decisions_are_refused_alike(program: Program, sandbox: Sandbox, operation: str, payload: dict[str, object]) -> None:
    assert compare(program, sandbox, operation, payload)


def test_a_snippet_that_is_no_python_is_worded_by_the_regular_agent(program: Program, sandbox: Sandbox) -> None:
    with pytest.raises(HandedOn):
        ask_booster(program, sandbox, "code.apply_edit", dict(SNIPPET))


def test_every_decision_has_its_finder(program: Program) -> None:
    assert {name for name, by in FOUND_BY.items() if by == "code.structure"} == set(DECISIONS)
    own = {row.name: row.languages for row in program.description.operations}
    offered = list_offered({name: row.languages for name, row in OPERATIONS.items()}, own)
    assert set(OPERATIONS) - set(offered) == {name for name in OPERATIONS if name not in own and name not in FOUND_BY}
    assert set(LEFT_TO_AGENT) <= set(OPERATIONS)
    assert offered["code.syntax_check"] == ("python",)
    assert set(offered["code.apply_edit"]) == set(LANGUAGES)
    assert offered["code.use_const"] == ("javascript", "typescript", "tsx")
    assert set(offered["code.replace"]) == set(LANGUAGES)


def test_a_query_is_searched_and_replaced(program: Program, sandbox: Sandbox, tmp_path: Path) -> None:
    query = '(call function: (identifier) @f (#eq? @f "print")) @target'
    answer = ask_booster(program, sandbox, "code.search", {"source": SMALL, "query": query})
    assert OPERATIONS["code.search"].result.model_validate(answer).model_dump(mode="json") == answer
    assert [row["name"] for row in answer["matches"][0]["captures"]] == ["target", "f"]  # type: ignore[index]
    path = tmp_path / "file.py"
    path.write_bytes(("# é\r\n" + SMALL.replace("\n", "\r\n")).encode("utf-8-sig"))
    payload: dict[str, object] = {"path": "file.py", "workspace": str(tmp_path), "apply": True, "query": query}
    answer = ask_booster(program, sandbox, "code.replace", {**payload, "template": "log($f)"})
    assert OPERATIONS["code.replace"].result.model_validate(answer).applied is True  # type: ignore[attr-defined]
    assert path.read_bytes() == ("# é\r\n" + SMALL.replace("\n", "\r\n").replace("print(a)", "log(print)")).encode("utf-8-sig")


@pytest.mark.parametrize(
    ("payload", "kind", "reason"),
    [
        ({"source": SMALL, "query": "(call"}, "bad_parameter", r"`query` is wrong: this is no query \(its line 1, column 5\)"),
        ({"source": "x = = 1\n", "query": "(identifier) @target"}, "syntax_error", "has a syntax error"),
        ({"source": SMALL, "query": "(identifier) @target"}, "broken_edit", "would not be valid Python"),
        ({"source": "def f(a, b): pass\n", "query": "(parameters) @target", "template": "(a, a)"}, "broken_edit", "duplicate argument"),
        ({"source": "if a: b\n", "query": "(block) @target", "template": ""}, "broken_edit", "would not be valid Python"),  # the tree takes it
        ({"source": "f(a)\n", "language": "javascript", "query": "(arguments) @target", "template": "("}, "broken_edit", "JavaScript"),
    ],
)
def test_a_replacement_that_breaks_the_file_is_refused(
    program: Program, sandbox: Sandbox, payload: dict[str, object], kind: str, reason: str
) -> None:
    with pytest.raises(CodeError, match=reason) as caught:
        ask_booster(program, sandbox, "code.replace", {"template": "class", **payload})
    assert caught.value.kind == kind


def test_an_edit_is_written_alike(tmp_path: Path, program: Program, sandbox: Sandbox) -> None:
    written = {}
    for who in ("ours", "theirs"):
        path = tmp_path / who / "file.py"
        path.parent.mkdir()
        path.write_text(SMALL.replace("\n", "\r\n"), newline="")
        payload = {"path": "file.py", "workspace": str(path.parent), "name": "name", "to": "other", "apply": True}
        answer = ask_booster(program, sandbox, "code.rename", payload) if who == "ours" else code.run("code.rename", payload)
        assert answer["applied"] is True
        written[who] = path.read_bytes()
    assert written["ours"] == written["theirs"] != SMALL.encode()


@pytest.mark.parametrize(
    ("operation", "payload", "reason"),
    [
        ("code.syntax_check", {"source": "if x:\n"}, "not known to be Python"),
        ("code.syntax_check", {"source": "return\n"}, "may not compile (line 1)"),
        ("code.syntax_check", {"source": "a b", "language": "typescript"}, "reader of the regular agent"),
        ("code.outline", {"source": "x =\n"}, "not known to be Python (line 1)"),
        ("code.rename", {"source": "def f(a, b): pass\n", "name": "a", "to": "b"}, "the new name is in use"),
    ],
)
def test_what_only_the_regular_agent_knows_is_handed_on(
    program: Program, sandbox: Sandbox, operation: str, payload: dict[str, object], reason: str
) -> None:
    with pytest.raises(HandedOn, match=reason.replace("(", r"\(").replace(")", r"\)")):
        ask_booster(program, sandbox, operation, payload)
    assert not sandbox.is_lost


def test_a_language_that_an_operation_lacks_is_handed_on(program: Program, sandbox: Sandbox) -> None:
    lacking = [row for row in program.description.operations if "javascript" not in row.languages and row.name in OPERATIONS]
    for row in lacking:
        assert Language.JAVASCRIPT.name.lower() not in row.languages
        request = read_request(row.name, {"source": "", **_ARGUMENTS.get(row.name, {})})
        foreign = request.model_copy(update={"language": "javascript"})
        with pytest.raises(HandedOn, match="is not for javascript"):
            perform(sandbox, program.description, foreign)


_ARGUMENTS: dict[str, dict[str, object]] = {
    "code.find_references": {"name": "a"},
    "code.rename": {"name": "a", "to": "b"},
    "code.remove_calls": {"function": "print"},
}


class Liar:
    """A sandbox whose module says whatever it was told to."""

    def __init__(self, payload: bytes, status: Status = Status.DONE) -> None:
        self.answer = Answer(status, Tier.LEXICAL, payload, "json")

    def run(self, *_question: object, **_options: object) -> list[Answer]:
        return [self.answer]


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        b'{"splices": 1, "count": 1, "notes": {}}',
        b'{"splices": [[4, 2, "a"]], "count": 1, "notes": {}}',
        b'{"splices": [[0, 2, "a"], [1, 3, "a"]], "count": 1, "notes": {}}',
        b'{"splices": [[0, 999, "a"]], "count": 1, "notes": {}}',
        b'{"splices": [[0, 1, 7]], "count": 1, "notes": {}}',
    ],
)
@pytest.mark.parametrize("source", ["name = 1\n", "näme = 1\n"])
def test_an_edit_that_makes_no_sense_is_a_failure_of_the_module(program: Program, payload: bytes, source: str) -> None:
    request = read_request("code.rename", {"source": source, "name": "name", "to": "other"})
    with pytest.raises(BadAnswer):
        perform(Liar(payload), program.description, request)


def test_a_refusal_is_worded_by_the_regular_agent() -> None:
    with pytest.raises(HandedOn, match=r"^clashes \(line 3\)$"):
        judge(Answer(Status.REFUSED, Tier.TREE, b'{"reason": "clashes", "line": 3, "column": 0}', "json"))
