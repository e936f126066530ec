"""Edits of scripts that are decided from a structure: the booster's answer is the regular agent's, done once, and node takes it."""

from __future__ import annotations

import random
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine.agents.code import CodeError, run
from engine.agents.code.ecmascript.structure import find_structure
from engine.agents.code.stack import run_deep
from engine.booster.module import find_module
from engine.booster.operations import perform
from engine.booster.sandbox import Machine, Program, Sandbox
from engine.editing.ecmascript import DECISIONS
from engine.editing.ecmascript.structure import Definition, Form
from engine.editing.ecmascript.wholes import end_of
from engine.editing.source import Source
from engine.editing.structure import line_start
from engine.model.code_errors import HandedOn
from engine.model.code_operations import OPERATIONS, read_request
from engine.model.code_requests import Language

from tests.integration.booster_agreement import Answer, Arguments
from tests.integration.edit_corpus import load_cases
from tests.integration.script_packages import need_files, need_node, read, sample
from tests.unit.test_script_edits import read_diff

SAMPLE = 25
FILE_MAX_BYTES = 40_000
CHECK_S = 30
REFUSALS = {"ambiguous", "no_target", "unsupported", "lost_code", "broken_edit", "syntax_error"}
Payload = dict[str, object]


class Engines:
    """Both, asked the same."""

    def __init__(self, program: Program, sandbox: Sandbox) -> None:
        self._description = program.description
        self._sandbox = sandbox

    def ask_booster(self, operation: str, payload: Payload) -> Answer | None:
        """Its answer, or the kind of its refusal; None where it hands on."""
        try:
            answer = perform(self._sandbox, self._description, read_request(operation, payload))
        except CodeError as error:
            return {"error": error.kind}
        except HandedOn:
            return None
        assert OPERATIONS[operation].result.model_validate(answer).model_dump(mode="json") == answer
        return {**answer, "provenance": ""}

    def ask_agent(self, operation: str, payload: Payload) -> Answer:
        try:
            return {**run(operation, payload), "provenance": ""}
        except CodeError as error:
            return {"error": error.kind}


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    with Machine() as machine:
        program = machine.load(find_module())
        with Sandbox(program) as sandbox:
            yield Engines(program, sandbox)


def test_the_edit_corpus_is_done_by_the_booster_as_by_the_agent(engines: Engines) -> None:
    said: Counter[str] = Counter()
    for case in load_cases():
        payload: Payload = {"source": case.before, "language": case.language, "edit": case.edit, "place": case.where, "target": case.target}
        answer = engines.ask_booster("code.apply_edit", payload)
        said["handed on" if answer is None else "same"] += 1
        assert answer is None or answer == engines.ask_agent("code.apply_edit", payload), case.place
    assert said["same"] >= 0.85 * said.total()


def choose_payload(chance: random.Random, operation: str, source: str, language: Language) -> Arguments:
    """Names that are in the source, so that there is something to find."""
    functions = re.findall(r"\bfunction\*? ([A-Za-z_$][\w$]*)|\b(?:const|let|var) ([A-Za-z_$][\w$]*) = (?:async )?\(", source)
    name = chance.choice([one or other for one, other in functions] or ["f"])
    classes = re.findall(r"\bclass ([A-Z][\w$]*)", source)
    return {
        "code.add_docstrings": {},
        "code.sort_imports": {},
        "code.add_return_type": {"function": name, "annotation": "Map<string, number> | undefined", "every": True},
        "code.wrap_in_try": {"function": name, "handler": chance.choice(["", "console.error(error)"]), "exception": chance.choice(["", "TypeError"])},
        "code.apply_edit": choose_edit(chance, name, classes),
    }[operation]


def choose_edit(chance: random.Random, name: str, classes: list[str]) -> Arguments:
    """A new function, one that is there in another form, a method, or an import."""
    imports = chance.choice(["", "", "import { brandNew as other9 } from './other9'\n"])
    place = chance.choice(["auto", "auto", "before", "after", "replace"])
    if classes and chance.random() < 0.5:
        edit = chance.choice(["/** About it. */\nbrandNew9() {\n  return `a\n b`\n}\n", "  get brandNew9() {\n    return 1 // one\n  }\n"])
        return {"edit": edit, "target": chance.choice(classes)}
    edit = chance.choice(
        [
            "function brandNew9() { return 1 }\n",
            f"// about it\nfunction {name}(a) {{\n  return 1 // new\n}}\n",
            f"  export const {name} = (a) => {{\n    return `a\n  ${{a}}`\n  }};\n",
            "class BrandNew9 {\n\t#a = 1\n\n\tf() { return this.#a } // end\n}\n",
        ]
    )
    return {"edit": edit if edit[0] == " " else imports + edit, "place": place, "target": "" if place == "auto" else name}


def list_payloads(operation: str, seed: int) -> Iterator[tuple[Path, Payload]]:
    chance = random.Random(seed)
    for path in sample(need_files(), SAMPLE, seed=seed):
        source, language = read(path)
        if len(source) < FILE_MAX_BYTES and language in OPERATIONS[operation].languages:
            yield path, {"source": source, "language": language, **choose_payload(chance, operation, source, language)}


@pytest.mark.parametrize("operation", DECISIONS)
def test_real_files_are_edited_as_by_the_agent(engines: Engines, operation: str) -> None:
    outcomes: Counter[str] = Counter()
    for path, payload in list_payloads(operation, 61):
        said = engines.ask_booster(operation, payload)
        if said is None:
            outcomes["handed on"] += 1
            continue
        assert said == engines.ask_agent(operation, payload), (path, payload)
        outcomes[str(said.get("error", "edited"))] += 1
    assert outcomes["edited"] >= 5, outcomes
    assert outcomes["handed on"] <= 0.35 * outcomes.total(), outcomes
    assert set(outcomes) <= REFUSALS | {"edited", "handed on"}, outcomes


@pytest.mark.parametrize("operation", DECISIONS)
def test_an_edit_of_a_real_file_is_done_once(tmp_path: Path, engines: Engines, operation: str) -> None:
    done = 0
    for path, payload in list_payloads(operation, 62):
        after = edit_file(tmp_path, operation, path, payload)
        if after is None or payload.get("place") == "replace":  # its target is not there any more
            continue
        again = engines.ask_agent(operation, {**payload, "source": after})
        assert (again.get("changed"), again.get("edits")) == (False, 0), (path, payload, again)
        done += 1
    assert done >= 5


@pytest.mark.parametrize("operation", [name for name in DECISIONS if "javascript" in OPERATIONS[name].languages])
def test_files_after_an_edit_are_what_node_takes(tmp_path: Path, operation: str) -> None:
    node, checked = str(need_node().path), 0
    for path, payload in list_payloads(operation, 63):
        if path.suffix not in (".js", ".cjs", ".mjs"):
            continue
        for source, suffix in ((payload["source"], ".mjs"), (payload["source"], ".cjs")):
            before = tmp_path / f"before{suffix}"
            before.write_text(str(source), "utf-8")
            if not is_taken(node, before):
                continue
            after = edit_file(tmp_path, operation, path, payload)
            if after is None or (suffix == ".cjs" and re.search(r"(?m)^(import|export)\b", after)):
                continue
            result = tmp_path / f"after{suffix}"
            result.write_text(after, "utf-8")
            assert is_taken(node, result), (path, payload)
            checked += 1
            break
    assert checked >= 2


def test_a_definition_given_again_changes_nothing_and_with_a_mark_just_that() -> None:
    chance = random.Random(64)
    outcomes: Counter[str] = Counter()
    for path in sample(need_files(), SAMPLE, seed=64):
        text, language = read(path)
        text = text.replace("\r\n", "\n")
        if len(text) > FILE_MAX_BYTES:
            continue
        try:
            structure = run_deep(lambda text=text, language=language: find_structure(Source(None, text.encode(), "utf-8", text, language)))
        except CodeError:
            continue
        rows = [(name, row) for name, row in zip(structure.qualnames(text), structure.definitions, strict=True) if row.form is not Form.INSIDE]
        for name, row in chance.sample(rows, min(4, len(rows))):
            outcomes[give_again(chance, text, language, name, row)] += 1
    assert outcomes["as it should be"] > 0.6 * outcomes.total(), outcomes
    assert set(outcomes) <= REFUSALS | {"as it should be", "bad_parameter"}, outcomes


def give_again(chance: random.Random, text: str, language: Language, name: str, row: Definition) -> str:
    """Its own text as the edit, with or without a mark, and without `export` and decorators or with them."""
    start = chance.choice([row.start, row.own, row.inner])
    margin = text[line_start(text, row.start) : row.start]
    at = row.body + 1 if row.body is not None and chance.random() < 0.7 else start
    mark = " /* mark 9 */" if at != start else ""
    edit = (margin if not margin.strip() else "") + text[start:at] + mark + text[at : end_of(text, row)]
    target = {"target": name} if row.parent is not None else {}
    try:
        answer = run("code.apply_edit", {"source": text, "language": language, "edit": edit, **target})
    except CodeError as error:
        return error.kind
    assert (read_diff(answer, text) if answer["changed"] else text) == text[:at] + mark + text[at:], (edit, answer["diff"])
    return "as it should be"


def is_taken(node: str, path: Path) -> bool:
    return subprocess.run([node, "--check", str(path)], capture_output=True, timeout=CHECK_S, check=False).returncode == 0


def edit_file(folder: Path, operation: str, path: Path, payload: Payload) -> str | None:
    """What the regular agent makes of a copy; None where it refuses or has nothing to do."""
    copy = folder / f"copy{path.suffix}"
    copy.write_text(str(payload["source"]), "utf-8")
    rest = {key: value for key, value in payload.items() if key not in ("source", "language")}
    try:
        answer = run(operation, {"path": copy.name, "workspace": str(folder), "apply": True, **rest})
    except CodeError:
        return None
    return copy.read_bytes().decode() if answer["changed"] else None
