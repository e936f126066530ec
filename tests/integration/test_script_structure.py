"""The structure of a script: the module finds what the regular agent does, on real packages and on tricky code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from engine.agents.code.ecmascript.structure import find_structure
from engine.agents.code.stack import run_deep
from engine.booster.module import find_module
from engine.booster.records import File, Status, Tier
from engine.booster.sandbox import Machine, Sandbox
from engine.editing.ecmascript.structure import Form, Structure, read_structure
from engine.editing.source import Source
from engine.model.code_requests import Language

from tests.integration.script_packages import need_files, read, sample
from tests.integration.test_booster_scripts import DECLARED, LANGUAGES, OUTLINED, REFERRED

SAMPLE = 120
PLACED = """\
'use strict'
/** a */ @d // one
@e export abstract class A<T extends {a: 1}> extends B { /* m */ @f @g static async *h(this: A): AsyncGenerator<T> { 'use x'; try { } finally { } } // behind
  static i = 1; 'j' = () => { k }; l = x => x; [m]?: n; static { } [o: string]: p; abstract q(r: s): t is u; get v() { return `
  ${w`
`}` } ; constructor(); accessor x = "a\\
b" }
export @d class C { } ; export default async function* () { } export default (y): z => { }
export const a1 = (b: c): asserts b is d => { try { } catch { } ; }, a2 = 1; export let a3 = function a4() { }; declare function a5<T>(): T; export declare const a6: 1
module.exports.a7 = exports.a8 = class { a9() { } }; if (b1) b2 = () => { }; else function b3() { } { var b4 = async b5 => b5 }
interface D { (): void; new (): D; e: f; g(): h; get i(): j; readonly [k: string]: l } enum E { m, n = 1, 'o', ['p'] = 2 } declare namespace F.G { type H = `
`; namespace I { } } declare module 'J' { const K: () => void; function L() } declare global { interface M { } }
import N = O.P; import Q = require('R'); export import S = T.U; type V = W; const X = { Y() { }, Z: () => { } }
<aa>{1}</aa>
"""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Machine() as machine, Sandbox(machine.load(find_module())) as sandbox:
        yield sandbox


def find_by_tree(text: str, language: Language) -> Structure:
    return run_deep(lambda: find_structure(Source(None, text.encode(), "utf-8", text, language)))


def compare(sandbox: Sandbox, text: str, language: Language, place: object) -> str:
    """Say whether the module is certain by one of its tiers; a difference fails the test."""
    data = text.encode()
    certain = "unsure"
    for tier in (Tier.LEXICAL, Tier.TREE):
        (answer,) = sandbox.run("code.structure", [File(LANGUAGES[language], data)], tiers=tier)
        if answer.status is Status.DONE:
            assert read_structure(answer.value, data) == find_by_tree(text, language), (tier, place)
            certain = "equal"
    return certain


def test_real_packages_have_the_agents_structure(sandbox: Sandbox) -> None:
    files = [path for path in sample(need_files(), SAMPLE, seed=51) if path.stat().st_size < 200_000]
    said = Counter(compare(sandbox, *read(path), path) for path in files)
    assert said["equal"] > 0.8 * said.total()


@pytest.mark.slow
def test_whole_packages_have_the_agents_structure(sandbox: Sandbox) -> None:
    said = Counter(compare(sandbox, *read(path), path) for path in need_files() if path.stat().st_size < 200_000)
    assert said["equal"] > 0.85 * said.total()


@pytest.mark.parametrize("variant", ["as it is", "carriage returns", "letters of all widths"])
@pytest.mark.parametrize("text", [*PLACED.splitlines(), *OUTLINED.splitlines(), *REFERRED.splitlines(), *DECLARED.splitlines()])
def test_tricky_code_has_the_agents_structure(sandbox: Sandbox, text: str, variant: str) -> None:
    if variant == "carriage returns":
        text = text.replace("; ", ";\r\n")
    elif variant == "letters of all widths":
        text = f"/* 文 🎉 */ 'é'; {text}"
    compare(sandbox, text, "typescript", text)
    compare(sandbox, text, "tsx", text)


def test_a_structure_says_how_things_are_written(sandbox: Sandbox) -> None:
    text = "#!/usr/bin/env node\nimport a from 'a'\n@b export class C { d() {}\n  e = () => 1; f = 2 }\nexport const g = () => {}, h = 1; exports.i = function () {}; j(function k() {})\nlet l = 1; let l = 2\n"
    assert compare(sandbox, text, "typescript", text) == "equal"
    found = find_by_tree(text, "typescript")
    forms = {row.name: row.form for row in found.definitions}
    assert forms == {"C": Form.DECLARATION, "d": Form.MEMBER, "e": Form.MEMBER, "g": Form.INSIDE, "i": Form.ASSIGNMENT, "k": Form.INSIDE}
    first = found.definitions[0]
    assert (text[first.start : first.own], text[first.own : first.inner]) == ("@b ", "export ")
    assert [text[row.start : row.end] for row in found.statements][0] == "import a from 'a'"
    assert found.members == ((0, "d"), (0, "e"), (0, "f"))
    assert found.twice == 1


def test_await_where_nothing_may_wait_counts_and_is_left_to_the_agent(sandbox: Sandbox) -> None:
    for text, count in [("function f() { await g }", 1), ("await g", 0), ("async () => { await g }", 0), ("class A { b = await c }", 1)]:
        assert find_by_tree(text, "javascript").twice == count
        assert compare(sandbox, text, "javascript", text) == ("unsure" if count else "equal")
