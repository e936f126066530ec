"""What the code operations answer on JavaScript, TypeScript and TSX."""

import json

import pytest
from engine.agents.code import CodeError, run
from engine.model.code_operations import OPERATIONS

SOURCE = """\
/** doc */
export default class Foo<T> extends Bar implements Baz {
  static #x = 1; y = () => 1;
  /** m */
  @dec({a: () => 2}) async *load(this: Foo, a = 1, {b}: {b: string}, ...rest): Promise<void> {
    if (a && b || rest) { for (const q of rest) {} } else if (a) { try { } catch { } } else { if (b) {} }
    const inner = async (z) => { switch (z) { case 1: while (1) {} ; case 2: break; default: } }
    return [1].map(x => x ? 1 : 2)
  }
  abstract foo(): void;
  get size() { return a ?? b }
  [Symbol.iterator]() {}
  'quoted name'() {}
}
function over(a: string): void
function over(a) { a ||= 2 }
/* no */
const f = function g() {}, h = class K { m() {} }
// line */
module.exports.run = (a) => { do {} while (a) }
interface I { a(): void; b: (x: number) => string }
type A = { c(): void }
/** e */
declare enum E { X }
namespace N.M { export const p = () => {}; export function q() {} }
declare module "mod" { export default function (x: number): void; function z(): string }
const obj = { a() {}, b: function () {}, 'd-e': async () => {}, [k]: () => {}, ...x }
foo(function named() { return 1 })
"""


def ask(operation: str, source: str, language: str = "typescript", **payload: object) -> dict[str, object]:
    answer = run(operation, {"source": source, "language": language, **payload})
    OPERATIONS[operation].result.model_validate_json(json.dumps(answer))
    return answer


def edit(operation: str, source: str, language: str = "javascript", **payload: object) -> tuple[str, dict[str, object]]:
    """The text after an edit, read off its diff, and the answer."""
    answer = ask(operation, source, language, **payload)
    lines = str(answer["diff"]).split("\n")[3:-1]
    return "\n".join(line[1:] for line in lines if line[:1] in (" ", "+")), answer


def test_outline_lists_definitions_with_kinds_names_and_lines():
    answer = ask("code.outline", SOURCE)
    assert [tuple(row.values())[:6] for row in answer["definitions"]] == [
        ("class", "Foo", "Foo", 2, 14, None),
        ("method", "y", "Foo.y", 3, 3, 0),
        ("method", "a", "Foo.a", 5, 5, 0),  # in a decorator, which stands outside of the method
        ("async method", "load", "Foo.load", 5, 9, 3),
        ("async function", "inner", "Foo.load.inner", 7, 7, 1),
        ("method", "foo", "Foo.foo", 10, 10, 0),
        ("method", "size", "Foo.size", 11, 11, 0),
        ("method", "[Symbol.iterator]", "Foo.[Symbol.iterator]", 12, 12, 0),
        ("method", "quoted name", "Foo.quoted name", 13, 13, 0),
        ("function", "over", "over", 15, 15, 1),
        ("function", "over", "over", 16, 16, 1),
        ("function", "f", "f", 18, 18, 0),
        ("class", "h", "h", 18, 18, None),
        ("method", "m", "h.m", 18, 18, 0),
        ("function", "run", "run", 20, 20, 1),
        ("interface", "I", "I", 21, 21, None),
        ("type", "A", "A", 22, 22, None),
        ("enum", "E", "E", 24, 24, None),
        ("namespace", "N.M", "N.M", 25, 25, None),
        ("function", "p", "N.M.p", 25, 25, 0),
        ("function", "q", "N.M.q", 25, 25, 0),
        ("namespace", "mod", "mod", 26, 26, None),
        ("function", "default", "mod.default", 26, 26, 1),
        ("function", "z", "mod.z", 26, 26, 0),
        ("method", "a", "a", 27, 27, 0),
        ("method", "b", "b", 27, 27, 0),
        ("async method", "d-e", "d-e", 27, 27, 0),
        ("method", "[k]", "[k]", 27, 27, 0),
        ("function", "named", "named", 28, 28, 0),
    ]
    assert answer["totals"] == {"functions": 22, "classes": 2, "lines": 28}
    assert [row["name"] for row in answer["definitions"] if row["docstring"]] == ["Foo", "load", "E"]
    assert {row["name"]: row["decorators"] for row in answer["definitions"] if row["decorators"]} == {"load": ["dec({a: () => 2})"]}


def test_metrics_count_branches_and_nesting():
    answer = ask("code.metrics", SOURCE)
    rows = {row["qualname"]: (row["length"], row["complexity"], row["nesting"], row["parameters"]) for row in answer["functions"]}
    assert rows["Foo.load"] == (5, 9, 2, 3)
    assert rows["Foo.load.inner"] == (1, 4, 2, 1)
    assert rows["Foo.size"] == (1, 2, 0, 0)
    assert rows["run"] == (1, 2, 1, 1)
    assert rows["over"] == (1, 2, 0, 1)
    assert "Foo.foo" not in rows  # it has no body
    assert answer["totals"]["functions"] == len(answer["functions"])


REFERENCES = """\
import name, * as name from 'a'; import {name, b as name, name as c} from 'b'
export {name, name as d, e as name}; export {name} from 'c'; export * as name from 'd'
let name = name, [name = 1, {name, name: x, y: name}] = name
function name(name, {z = name}) { name(); new name; name`t`; a.name(); (name)(); name?.() }
name = 1; name++; [name, a.name] = b; ({name, k: name}) ; for (name of name) ; for (const name in {}) ; try {} catch (name) {}
class name extends name { name = name; #name; name() { name: for (;;) break name } [name]() {} }
<name name={name}><Name /><name.name /></name>
"""


def test_references_are_told_apart_by_their_places():
    answer = ask("code.find_references", REFERENCES, "javascript", name="name")
    kinds: dict[int, list[str]] = {}
    for row in answer["references"]:
        kinds.setdefault(row["line"], []).append(row["kind"][0])
    assert {line: "".join(row) for line, row in kinds.items()} == {
        1: "iiiii",
        2: "uua" + "i" + "a",
        3: "du" + "dda" + "d" + "u",
        4: "dd" + "u" + "ccc" + "a" + "cc",
        5: "dd" + "da" + "uu" + "du" + "d" + "d",
        6: "du" + "au" + "a" + "u",
        7: "aau" + "ua" + "a",
    }


def test_types_are_references_too():
    source = "type name<name> = name.name & {name: name; [name: string]: name}; function f(this: name, name?: typeof name): name is name {}"
    rows = ask("code.find_references", source, name="name")["references"]
    assert "".join(row["kind"][0] for row in rows) == "dduaauduuduuu"


@pytest.mark.parametrize(
    ("source", "attributes", "after", "clashes"),
    [
        ("let {a} = b, c = {a}", False, "let {a: z} = b, c = {a: z}", 0),
        ("let {a = 1} = b", False, "let {a: z = 1} = b", 0),
        ("import {a} from 'a'; export {a}; x.a; ({a: a})", False, "import {a as z} from 'a'; export {z as a}; x.a; ({a: z})", 0),
        ("import {a} from 'a'; export {a}; x.a; ({a: a})", True, "import {z} from 'a'; export {z}; x.z; ({z: z})", 0),
        ("a: for (;;) { a = z; break a }", False, "a: for (;;) { z = z; break a }", 1),
        ("é = `${a}`; '🎉'; a", False, "é = `${z}`; '🎉'; z", 0),
    ],
)
def test_rename_keeps_what_others_see(source: str, attributes: bool, after: str, clashes: int):  # noqa: FBT001
    text, answer = edit("code.rename", f"{source}\n", name="a", to="z", attributes=attributes)
    assert text == after
    assert answer["clashes"] == clashes


@pytest.mark.parametrize(
    ("source", "after", "kept"),
    [
        ("a\n  log(1) // why\nb", "a\n  // why\nb", 0),
        ("a\nlog(1,\n  2);\nb", "a\nb", 0),
        ("a; log(); b", "a; b", 0),
        ("a; log()\nb", "a;\nb", 0),
        ("a; log(); log(log());\nb", "a;\nb", 0),
        ("{ log() }", "{ }", 0),
        ("if (a) log(); else log()", "if (a) {} else {}", 0),
        ("for (;;) log()\nl: log()\nb", "for (;;) {}\nl: {}\nb", 0),
        ("switch (a) { case 1: log(); break }", "switch (a) { case 1: break }", 0),
        ("x = log(); await log(); () => log(); b;\n(log());", "x = log(); await log(); () => log(); b;", 3),
        ("a\nlog();\n[b].c()", "a\n;\n[b].c()", 0),
        ("log();\n'use strict'", ";\n'use strict'", 0),
        ("log(() => { log() }); log?.(); a.log(); new log()", "log?.(); a.log(); new log()", 0),
    ],
)
def test_remove_calls_cuts_statements(source: str, after: str, kept: int):
    text, answer = edit("code.remove_calls", f"{source}\n", function="log")
    assert text == after
    assert answer["kept"] == kept


def test_dotted_names_are_compared_as_they_are_written():
    text, _ = edit("code.remove_calls", "this.log();\na.b.c(); (a.b).c(); a?.b.c(); a['b'].c(); a.b.c\n", function="a.b.c")
    assert text == "this.log();\na?.b.c(); a['b'].c(); a.b.c"
    text, _ = edit("code.remove_calls", "this.log()\na\n", function="this.log")
    assert text == "a"


def test_syntax_errors_are_told_with_their_place():
    assert ask("code.syntax_check", "let a = <b>c</b>", "tsx") == {"ok": True, "errors": []}
    answer = ask("code.syntax_check", "let é =\n  = 1", "javascript")
    assert answer == {"ok": False, "errors": [{"by": "regular", "message": "unexpected '='", "line": 2, "column": 2}]}
    with pytest.raises(CodeError, match="not valid TypeScript: .*line 1"):
        ask("code.outline", "let a: = 1")
    with pytest.raises(CodeError, match="code.add_return_type is for python, typescript, tsx, not for javascript"):
        ask("code.add_return_type", "let a", "javascript", function="a", annotation="b")
    with pytest.raises(CodeError) as caught:
        ask("code.syntax_check", "[" * 300_000, "javascript")
    assert caught.value.kind == "too_deep"


CONSTANT = [
    ("let a = 1, b = 2; a", "const a = 1, b = 2; a"),
    ("let a = 1, b = 2; b++", "let a = 1, b = 2; b++"),
    ("let a; a = 1", "let a; a = 1"),
    ("let a = 1; { let a = 2; a = 3 }", "const a = 1; { let a = 2; a = 3 }"),
    ("let a = 1; function f(a) { a = 2 } function g() { ({a} = b) }", "let a = 1; function f(a) { a = 2 } function g() { ({a} = b) }"),
    ("for (let a of b) a; for (let i = 0; i < 1; i++);", "for (const a of b) a; for (let i = 0; i < 1; i++);"),
    ("function f() { var a = 1, b; return a }", "function f() { let a = 1, b; return a }"),
    ("function f() { var a = 1; return () => a }", "function f() { const a = 1; return () => a }"),
    ("function f() { if (b) { var a = 1 } return a }", "function f() { if (b) { var a = 1 } return a }"),
    ("function f() { if (b) { var a = 1; a += 1 } }", "function f() { if (b) { let a = 1; a += 1 } }"),
    ("function f() { a = 2; var a = 1 }", "function f() { a = 2; var a = 1 }"),
    ("function f(a) { var a = 1; var b; var b }", "function f(a) { var a = 1; var b; var b }"),
    ("for (var i = 0; i < 1; i++) g(() => i); for (var j in b) j", "for (var i = 0; i < 1; i++) g(() => i); for (const j in b) j"),
    ("while (b) { var a; var c = 1; c; var d = () => d }", "while (b) { var a; const c = 1; c; var d = () => d }"),
    ("switch (b) { case 1: var a = 1 }", "switch (b) { case 1: var a = 1 }"),
    ("var a = 1; h(); function h() { a }", "const a = 1; h(); function h() { a }"),
    ("h(); var a = 1; function h() { a }", "h(); var a = 1; function h() { a }"),
    ("var a = require('a'), b = a.c; function h() { b }", "const a = require('a'), b = a.c; function h() { b }"),
    ("module.exports = h; var c = require('c'), b = 1; function h() { b }", "module.exports = h; var c = require('c'), b = 1; function h() { b }"),
    ("var f = function () { f() }, g = g || 1", "var f = function () { f() }, g = g || 1"),
    ("var f = function () { f() }", "const f = function () { f() }"),
    ("function k() { var f = 1; { function f() {} } }", "function k() { var f = 1; { function f() {} } }"),
    ("with (b) { let a = 1 }", "with (b) { let a = 1 }"),
    ("try {} catch (e) { var e = 1 }", "try {} catch (e) { var e = 1 }"),
    ("for (;;) var a = 1", "for (;;) var a = 1"),
    ("a.eval(); let b = 1", "a.eval(); const b = 1"),
]  # fmt: skip
"""Code of a module, and what it is with const."""


@pytest.mark.parametrize(("source", "after"), CONSTANT)
def test_use_const_changes_what_nobody_can_tell(source: str, after: str):
    text, answer = edit("code.use_const", f"{source}; exports\n")  # as a module, whose variables are its own
    assert answer["changed"] == (source != after)
    assert text == (f"{after}; exports" if source != after else "")


def test_use_const_leaves_variables_that_other_scripts_may_share():
    assert ask("code.use_const", "let a = 1; var b = 2\n", "javascript")["kept"] == 1
    answer = ask("code.use_const", "export let a = 1; var b = 2; let c; c = 1; declare var d: 1; namespace N { export let e = 1 }\n")
    assert (answer["to_const"], answer["to_let"], answer["kept"]) == (2, 0, 1)


@pytest.mark.parametrize(
    ("source", "is_refused"),
    [
        ("let a, z", True),
        ("const a = 1; function z() {}", True),
        ("function f(a) { let z }", True),
        ("import {a} from 'a'; class z {}", True),
        ("var a, z", False),
        ("let a; { let z }", False),
        ("let a; z = 1", False),
        ("let z; let z; a", False),  # it was so before
    ],
)
def test_a_rename_that_declares_a_name_twice_is_refused(source: str, is_refused: bool):  # noqa: FBT001
    if not is_refused:
        assert ask("code.rename", source, "javascript", name="a", to="z")["clashes"] > 0
        return
    with pytest.raises(CodeError, match="declare a name twice") as caught:
        ask("code.rename", source, "javascript", name="a", to="z")
    assert caught.value.kind == "broken_edit"
