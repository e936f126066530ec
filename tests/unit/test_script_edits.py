"""Edits of scripts that are decided from a structure, one by one: what comes out, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from engine.agents.code import CodeError, run


def edit(operation: str, source: str, language: str = "typescript", **arguments: Any) -> str:
    """The text after an edit, which a second time changes nothing."""
    found = read_diff(run(operation, {"source": source, "language": language, **arguments}), source)
    if arguments.get("place") not in ("replace", "before", "after"):
        assert not run(operation, {"source": found, "language": language, **arguments})["changed"]
    return found


def read_diff(answer: dict[str, Any], source: str) -> str:
    """Carry out a unified diff."""
    before, after, at = source.splitlines(keepends=True), [], 0
    for line in answer["diff"].splitlines(keepends=True)[2:]:
        if line.startswith("@@"):
            first, _, size = line.split()[1][1:].partition(",")
            start = int(first) - (size != "0")
            after += before[at:start]
            at = start
        elif line[0] in " -":
            assert before[at].rstrip("\n") == line[1:].rstrip("\n")
            after += [before[at]] if line[0] == " " else []
            at += 1
        elif line[0] == "+":
            after.append(line[1:])
        elif after:  # no newline at the end
            after[-1] = after[-1].rstrip("\n")
    return "".join(after + before[at:])


def refuse(kind: str, operation: str, source: str, language: str = "typescript", **arguments: Any) -> str:
    with pytest.raises(CodeError) as caught:
        run(operation, {"source": source, "language": language, **arguments})
    assert caught.value.kind == kind, caught.value
    return caught.value.message


# ---- the order of modules

IMPORTS = """\
import z, { y } from './z';
import { b, a as c, type D } from "lib"; // behind

// about fs
import fs from 'node:fs';
import up from '../../up';
import near from '../near'
import './effect';
import { q } from '@/q';
import p10 from 'p10';
import p2, * as all from 'p2';

code();
"""


def test_imports_are_sorted_in_blocks_that_imports_for_effect_part() -> None:
    assert edit("code.sort_imports", IMPORTS) == """\
// about fs
import fs from 'node:fs';

import { a as c, b, type D } from "lib"; // behind

import up from '../../up';
import near from '../near'

import z, { y } from './z';
import './effect';
import p2, * as all from 'p2';
import p10 from 'p10';

import { q } from '@/q';

code();
"""


@pytest.mark.parametrize(
    ("source", "after"),
    [
        ("import { b, default as a, c } from 'x'\nimport y from 'w'\n", "import y from 'w'\nimport { b, default as a, c } from 'x'\n"),
        ("import {\n  b,\n  a,\n} from 'b'\nimport d from 'a'\n", "import d from 'a'\nimport {\n  b,\n  a,\n} from 'b'\n"),
        ("import {c, b} from 'b' with { type: 'json' }\nimport a = require('a')\n", ""),
        ("import b from 'b'\n\n// alone\n\nimport a from 'a'\n", ""),
        ("import type { A } from './a'\nimport { B } from './a'\n", "import { B } from './a'\nimport type { A } from './a'\n"),
        ("let a\n", ""),
    ],
)
def test_what_is_not_known_stays_together(source: str, after: str) -> None:
    assert edit("code.sort_imports", source) == (after or source)


def test_imports_that_cannot_be_moved_are_refused() -> None:
    assert "Line 1" in refuse("unsupported", "code.sort_imports", "import b from 'b'; import a from 'a'\n")
    refuse("unsupported", "code.sort_imports", "import b from 'b'\n// eslint-disable-next-line\nimport a from 'a'\n")
    refuse("unsupported", "code.sort_imports", "import b /* c */ from 'b'\nimport a from 'a'\n")


# ---- bodies in try


@pytest.mark.parametrize(
    ("source", "after"),
    [
        ("function f() {\n\t'use x'\n\n\t// why\n\ta()\n}\n", "function f() {\n\t'use x'\n\n\ttry {\n\t\t// why\n\t\ta()\n\t} catch (error) {\n\t\tthrow error;\n\t}\n}\n"),
        ("const f = () => { a() }\n", "const f = () => {\n  try {\n    a()\n  } catch (error) {\n    throw error;\n  }\n}\n"),
        ("class A {\n    f() {\n        return `\nb`\n    }\n}\n", "class A {\n    f() {\n        try {\n            return `\nb`\n        } catch (error) {\n            throw error;\n        }\n    }\n}\n"),
        ("function f() { try { a() } finally { b() } }\n", ""),
    ],
)  # fmt: skip
def test_a_body_is_wrapped_but_for_its_directives(source: str, after: str) -> None:
    assert edit("code.wrap_in_try", source, "javascript", function="f") == (after or source)


def test_a_handler_is_one_statement() -> None:
    source = "async function f() {\r\n  a()\r\n}\r\n"
    wanted = "async function f() {\r\n  try {\r\n    a()\r\n  } catch (error) {\r\n    if (!(error instanceof x.E)) throw error;\r\n    await log(error);\r\n  }\r\n}\r\n"
    assert edit("code.wrap_in_try", source, function="f", handler="await log(error)", exception="x.E") == wanted
    for handler in ("} b(); {", "a(); b()", "// c", "a() // c", "import 'a'", "{ a }", "let error = 1", "function a() {}"):
        refuse("bad_parameter", "code.wrap_in_try", source, function="f", handler=handler)
    refuse("broken_edit", "code.wrap_in_try", "function f() { a() }\n", function="f", handler="await b")


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("no_target", "class f {}"),
        ("no_target", "function f() { /* nothing */ }"),
        ("unsupported", "const f = a => a"),
        ("unsupported", "function f(): void"),
        ("unsupported", "function f() { a()\n b() }"),
        ("unsupported", "function f() { 'use x'; b() }"),
        ("unsupported", "function f() { var a; function a() {} }"),
        ("unsupported", "function f() { function a() {} function a() {} }"),
        ("ambiguous", "class A { f() { a() } }; class B { f() { a() } }"),
    ],
)
def test_bodies_that_cannot_be_wrapped_are_refused(kind: str, source: str) -> None:
    refuse(kind, "code.wrap_in_try", source, function="f")


# ---- types of what is given back


@pytest.mark.parametrize(
    ("source", "after"),
    [
        ("function f(a) {}", "function f(a): T {}"),
        ("const f = async (a) => a", "const f = async (a): T => a"),
        ("class A { @b private static *f<C>(a: C) {} }", "class A { @b private static *f<C>(a: C): T {} }"),
        ("class A { get f() {} set f(a) {} }", "class A { get f(): T {} set f(a) {} }"),
        ("({ set f(a) {}, f() {} })", "({ set f(a) {}, f(): T {} })"),
        ("function f(): U {}", "function f(): U {}"),
        ("abstract class A { abstract f(); }", "abstract class A { abstract f(): T; }"),
    ],
)
def test_a_return_type_is_added_where_there_is_none(source: str, after: str) -> None:
    assert edit("code.add_return_type", source, function="f", annotation="T") == after


def test_return_types_are_types_of_functions() -> None:
    for annotation in ("T {} function g()", "T // c", "a +", "T; x", "T\nU"):
        refuse("bad_parameter", "code.add_return_type", "function f() {}", function="f", annotation=annotation)
    assert edit("code.add_return_type", "function f(a) {}", function="f", annotation="a is { b: 1 }") == "function f(a): a is { b: 1 } {}"
    refuse("no_target", "code.add_return_type", "class A { constructor() {} }", function="constructor", annotation="T")
    refuse("unsupported", "code.add_return_type", "let f = a => a", function="f", annotation="T")
    refuse("ambiguous", "code.add_return_type", "function f(): T\nfunction f() {}", function="f", annotation="T")
    refuse("bad_parameter", "code.add_return_type", "function f() {}", "javascript", function="f", annotation="T")


# ---- documentation


def test_documentation_is_added_to_what_is_public() -> None:
    source = """\
/** has */
export class A {
  #b() {}
  @c()
  readFile2() {}
  get d() {} set d(e) {}
  constructor() {}
  _f() {}
  /* no documentation */
  g = () => { function h() {} }
}
  export const parseHTTPHeader = () => {}; function k(): void
function k() {}
const l = { m() {} }, n = () => {}
interface O {}
"""
    assert edit("code.add_docstrings", source, template="{kind} {words}!") == """\
/** has */
export class A {
  #b() {}
  /** Method read file 2! */
  @c()
  readFile2() {}
  /** Method d! */
  get d() {} set d(e) {}
  constructor() {}
  _f() {}
  /* no documentation */
  /** Method g! */
  g = () => { function h() {} }
}
  /** Function parse HTTP header! */
  export const parseHTTPHeader = () => {}; /** Function k! */ function k(): void
function k() {}
const l = { m() {} }, n = () => {}
interface O {}
"""
    refuse("bad_parameter", "code.add_docstrings", "let a", template="*/ {words}")


# ---- snippets


@pytest.mark.parametrize(
    ("source", "arguments", "after"),
    [
        ("/** Old. */\nfunction f() { a }\n", {"edit": "/**\n * New.\n */\nfunction f() { b }"}, "/**\n * New.\n */\nfunction f() { b }\n"),
        ("export default class A { }\n", {"edit": "b() {}", "target": "A"}, "export default class A {\n  b() {}\n}\n"),
        ("class A {\n\tget b() { return 1 }\n\tset b(c) {}\n}\n", {"edit": "get b() { return 2 }", "target": "A"}, "class A {\n\tget b() { return 2 }\n\tset b(c) {}\n}\n"),
        ("class A {\n\tget b() { return 1 }\n\tset b(c) {}\n}\n", {"edit": "get b() { return 2 }", "target": "A.b"}, "class A {\n\tget b() { return 2 }\n\tset b(c) {}\n}\n"),
        ("exports.f = function () { a };\n", {"edit": "exports.f = function () { b };"}, "exports.f = function () { b };\n"),
        ("class A {\n  f = () => { a };\n}\n", {"edit": "f = () => { b };", "target": "A"}, "class A {\n  f = () => { b };\n}\n"),
        ("a()\n", {"edit": "// why\nconst f = () => {} // end"}, "a()\n\n// why\nconst f = () => {} // end\n"),
        ("/* license */\n\n'use strict'\na()\n", {"edit": "import { b } from 'b'"}, "/* license */\n\n'use strict'\n\nimport { b } from 'b'\n\na()\n"),
        ("// license\n\nexport let a\n", {"edit": "import b from 'b' // why"}, "// license\nimport b from 'b' // why\n\nexport let a\n"),
        ("import a, { b } from 'a'\n", {"edit": "import a, { b, c, type D } from 'a'"}, "import a, { b } from 'a'\nimport { c, type D } from 'a'\n"),
        ("interface A { b: c }\nnamespace A { }\n", {"edit": "interface A { b: d }"}, "interface A { b: d }\nnamespace A { }\n"),
        ("@a\nexport class B { c() { d } }\n", {"edit": "class B { c() { e } }"}, "@a\nexport class B { c() { e } }\n"),
        ("", {"edit": "import a from 'a'\nfunction f() { a }"}, "import a from 'a'\n\nfunction f() { a }\n"),
    ],
)  # fmt: skip
def test_an_edit_is_applied_where_it_belongs(source: str, arguments: dict[str, str], after: str) -> None:
    assert edit("code.apply_edit", source, **arguments) == after


@pytest.mark.parametrize(
    ("kind", "source", "arguments"),
    [
        ("lost_code", "function f() { a }", {"edit": "function f() {}"}),
        ("lost_code", "function f(a) { a }", {"edit": "function f(a): void;"}),
        ("lost_code", "class A extends B { }", {"edit": "class A { }"}),
        ("ambiguous", "export @a class B { }", {"edit": "export class B { }"}),
        ("lost_code", "function f() { a }", {"edit": "function f() { b /* rest of the code */ }"}),
        ("ambiguous", "const f = () => { a }", {"edit": "function f() { b }"}),
        ("ambiguous", "exports.f = function () { a }", {"edit": "module.exports.f = function () { b }"}),
        ("ambiguous", "class A { static f() { a } }", {"edit": "f() { b }", "target": "A"}),
        ("ambiguous", "class A { f() { a } }", {"edit": "get f() { b }", "target": "A"}),
        ("ambiguous", "class A { f() { a } }", {"edit": "f = () => { b }"}),
        ("ambiguous", "export default function f() { a }", {"edit": "export function f() { b }"}),
        ("ambiguous", "class A { }", {"edit": "function f() { }", "target": "A"}),
        ("ambiguous", "class A { f() { } }", {"edit": "function g() { }", "target": "A.f", "place": "after"}),
        ("ambiguous", "import type { A } from 'a'", {"edit": "import { A } from 'a'"}),
        ("ambiguous", "interface A { }", {"edit": "import { A } from 'a'"}),
        ("broken_edit", "const a = 1", {"edit": "import a from 'a'"}),
        ("broken_edit", "const a = 1", {"edit": "function a() { }"}),
        ("unsupported", "b(function f() { a })", {"edit": "function f() { c }", "target": "f", "place": "replace"}),
        ("unsupported", "a(); function f() { b }", {"edit": "function f() { c }"}),
        ("bad_parameter", "let a", {"edit": "const a = 1"}),
        ("bad_parameter", "let a", {"edit": "function f() {} } {"}),
        ("bad_parameter", "class A { }", {"edit": "b() {} } class C { d() {}", "target": "A"}),
        ("bad_parameter", "class A { }", {"edit": "b = 1", "target": "A"}),
        ("bad_parameter", "let a", {"edit": "function f() {} function g() {}"}),
        ("bad_parameter", "let a", {"edit": "import a from 'a'", "target": "a", "place": "after"}),
    ],
)
def test_edits_that_are_not_clear_are_refused(kind: str, source: str, arguments: dict[str, str]) -> None:
    if kind == "bad_parameter" and arguments.get("place"):
        source = "function a() {}"
    refuse(kind, "code.apply_edit", source, **arguments)


def test_an_import_makes_no_module_of_a_file_that_requires() -> None:
    source = "const a = require('a')\n"
    refuse("ambiguous", "code.apply_edit", source, "javascript", edit="import b from 'b'")
    assert edit("code.apply_edit", source, edit="import b from 'b'").startswith("import b from 'b'\n")
