"""What the reader of JavaScript and TypeScript takes and refuses, sentence by sentence."""

from functools import partial

import pytest
from engine.agents.code.ecmascript.parser import Parser
from engine.agents.code.ecmascript.tokens import ParseError
from engine.agents.code.ecmascript.tree import Node, walk
from engine.agents.code.stack import run_deep


def read(text: str, *, typed: bool = False, jsx: bool = False) -> Node:
    return Parser(text, has_types=typed, has_jsx=jsx).parse_program()


@pytest.mark.parametrize(
    "text",
    [
        "#!/usr/bin/env node\nlet of = /^$|[/]/g.test(of) / 2 / of", "a = b\n++c", "for (const of of of);", "for (var a in b, c);",
        "x = a ? (b) : c => d", "async (x) => await x\nasync = async\n(1)", "class A { static async *#b() {} static {} get\n= 1; set; async\nc() {} }",
        "var a = false\n // ? => in a comment\n var b", "`a${`b${{c: 1}.c}`}`", "label: for (;;) continue label", "if (a) b; else c",
        "({a, b = 1, ...c} = d)", "({get, set, async, get a() {}, async *b() {}})", "new.target; import.meta.url; import('x')",
        "import a, * as b from 'b' with {type: 'json'}\nexport * as c from 'c'; export {a as 'd-e', default} from 'f'", "yield = let_\nawait = 1",
        "a\n/b/g", "x = y\n(z)", "do a(); while (b) c()", "a?.[b]?.(c)?.d ?? e?.5:1", "\\u0061b = é\u2028c", "'\\\n'", "throw a, b",
    ],
)  # fmt: skip
def test_javascript_is_read(text: str):
    assert read(text).end == len(text)


@pytest.mark.parametrize(
    "text",
    [
        "a = = b", "f(", "let a b", "`${a", "'open", "/* open", "/open", "if (a", "x => { ", "({a: })", "case 1:", "return => 1",
        "f(,)", "a ? b", "try {}", "for (;;", "new", "import a b from 'c'", "}", "let a: number = 1", "a as b",
    ],
)  # fmt: skip
def test_what_is_no_javascript_is_refused(text: str):
    with pytest.raises(ParseError) as caught:
        read(text)
    assert 0 <= caught.value.offset <= len(text)


@pytest.mark.parametrize(
    "text",
    [
        "type A = (<T>() => T extends B ? 1 : 2) extends <T>() => T extends C ? 1 : 2 ? true : false", "f<A>(x); a < b > c; new M<K, V[]>()",
        "let a = <T>(b as const satisfies C)!", "abstract class A<in out T> extends B<T>.C implements D { declare a?: 1; b!: 2; c(): void; [k: string]: any }",
        "declare module 'm' { export = x }\nnamespace A.B {}\ndeclare global { }", "function f(this: A, b?: c, ...d): asserts b is e\nfunction f() {}",
        "enum A { B = 1, 'c', [`d`] }\nconst enum E {}", "import type {A, type B} from 'a'; import c = require('c'); export import d = e.f",
        "type M = { -readonly [K in keyof T as `x${K}`]+?: T[K] }", "type I = A extends (infer B extends C)[] ? B : never", "type\nA = 1",
        "interface A extends B, C<D> { (a: b): c; new (): A; get d(): e; readonly f?: g }", "a = async <T,>(x: T): Promise<T> => x", "let x: typeof import('a')",
        "@d({a}) export class A { @e accessor b = 1; constructor(private readonly c = 1) {} }", "type F = abstract new (...a: b) => c; let u: unique symbol",
    ],
)  # fmt: skip
def test_typescript_is_read(text: str):
    assert read(text, typed=True).end == len(text)


@pytest.mark.parametrize(
    "text",
    [
        "<a.b c='\\' d-e={f} {...g}>h &amp; {/* i */}<j:k/>{...l}</a.b>", "<></>", "x = <a>'</a> < b", "const F = <T = string,>(a: T) => <b<T> c/>",
        "y = <T,>() => <T extends U>() => 1",
    ],
)  # fmt: skip
def test_jsx_is_read(text: str):
    assert read(text, typed=True, jsx=True).end == len(text)


def test_nodes_stand_in_the_order_of_the_source_inside_their_parents():
    text = "@d class A extends B { static async *f(a = 1, {b: [c]}, ...e) { for (const g of h) try {} catch (i) {} } } x = (j) => `k${l}`"
    for node in walk(read(text)):
        at = node.start
        for child in node.children():
            # The decorators of a class stand before it.
            assert at <= child.start <= child.end <= node.end or child.kind == "Decorator", (node, child)
            at = max(at, child.start)


def test_deep_nesting_costs_no_exponential_time():
    for text in ("f(" * 200 + "a" + ")" * 200, "(" * 200 + "a" + ")" * 200, "a ? (b) : " * 200 + "c", "(a = " * 200 + "b" + ")" * 200):
        assert run_deep(partial(read, text)).end == len(text)
