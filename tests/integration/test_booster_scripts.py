"""On JavaScript, TypeScript and TSX the module gives the answers of the regular agent, or says that it is not certain."""

from __future__ import annotations

import random
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from engine.booster.module import find_module
from engine.booster.records import BOTH_TIERS, File, Language, Status, Tier
from engine.booster.sandbox import Machine, Sandbox
from engine.model.code_requests import is_name

from tests.integration.booster_agreement import OF_SCRIPTS, Arguments, ask_agent, ask_module
from tests.integration.script_packages import need_files, need_node, read, sample
from tests.unit.test_ecmascript_operations import CONSTANT

LANGUAGES = {"javascript": Language.JAVASCRIPT, "typescript": Language.TYPESCRIPT, "tsx": Language.TSX}
SAMPLES = Path(__file__).parent / "booster_samples"
SAMPLE = 60
CHECK_S = 30


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Machine() as machine, Sandbox(machine.load(find_module())) as sandbox:
        yield sandbox


def choose_arguments(chance: random.Random, operation: str, source: str) -> Arguments:
    """Names that are in the source, so that there is something to find."""
    names = [name for name in re.findall(r"[A-Za-z_$][\w$]*", source) if is_name(name, "javascript")] or ["x"]
    calls = re.findall(r"(?m)^\s*((?:[A-Za-z_$][\w$]*\.)*[A-Za-z_$][\w$]*)\(", source)
    calls = [call for call in calls if is_name(call.split(".")[0], "javascript") or call.startswith("this.")] or ["console.log"]
    return {
        "code.outline": {},
        "code.metrics": {},
        "code.find_references": {"name": chance.choice(names)},
        "code.rename": {"name": chance.choice(names), "to": "renamed_9", "attributes": chance.random() < 0.5},
        "code.remove_calls": {"function": chance.choice(calls)},
        "code.use_const": {},
    }[operation]


def compare(sandbox: Sandbox, path: Path, chance: random.Random) -> tuple[Counter[str], list[tuple[object, ...]]]:
    """How often the module is certain, and where it then says something else than the agent."""
    certain: Counter[str] = Counter()
    different: list[tuple[object, ...]] = []
    source, language = read(path)
    for operation in OF_SCRIPTS:
        arguments = choose_arguments(chance, operation, source)
        said = ask_module(sandbox, operation, source, arguments, tiers=BOTH_TIERS, language=LANGUAGES[language])
        certain["unsure" if said is None else "certain"] += 1
        if said is not None and said != ask_agent(operation, source, arguments, language):
            different.append((path, operation, arguments))
    return certain, different


def compare_files(sandbox: Sandbox, paths: Sequence[Path], seed: int) -> tuple[Counter[str], list[tuple[object, ...]]]:
    chance = random.Random(seed)
    certain: Counter[str] = Counter()
    different: list[tuple[object, ...]] = []
    for path in paths:
        of_file, rows = compare(sandbox, path, chance)
        certain += of_file
        different += rows
    return certain, different


def test_real_packages_have_the_agents_answers(sandbox: Sandbox) -> None:
    certain, different = compare_files(sandbox, sample(need_files(), SAMPLE, seed=41), seed=42)
    assert different == []
    assert certain["certain"] > 0.8 * certain.total()


@pytest.mark.slow
def test_whole_packages_have_the_agents_answers(sandbox: Sandbox) -> None:
    files = need_files()
    certain, different = compare_files(sandbox, files, seed=43)
    assert len({path for path, *_ in different}) <= len(files) // 1_000, different
    assert certain["certain"] > 0.85 * certain.total()


OUTLINED = """\
/** doc */ @a export default class Foo<T> extends Bar { static #x = 1; y = () => 1
  /** m */ @dec({a() { return b || c }}) public async *load(this: Foo, name = 1, {b}: {b: string}, ...rest): Promise<void> {
    if (a && b || rest) { for (const q of rest) {} } else if (a) { try { } catch { } } else { if (b) {} }
    const inner = async (z) => { switch (z) { case 1: while (1) {} ; case 2: break; default: } }
    return [1].map(x => x ? 1 : 2)
  }
  /** p */ @p q = function named() {}; @r @s private t() {} private u(): void; [Symbol.iterator]() {} 'quoted name'() {} get a() { a ??= b; a = class B { c() {} } }
}
/** o */ function over(name: string): void
function over(a) { do {} while (a) } /** no */ foo(function named() { return 1 }); namespace N.M { export const p = () => {}, q = function* () {} }
/** z */ export const f = function g() {}, h = class K { m() {} }; module.exports.run = a.b['c'] = (a) => { with (a) {} }
interface I { a(): void } type A = { c(): void }; declare enum E { X } declare module "mod" { export function y(x: number): void; function z() }
const o = { a() {}, b: function () {}, 'd-e': async () => {}, [k || l]: () => {}, get [m]() {}, 1: async function () {} }; export abstract class Z { abstract h(): void }
"""
REFERRED = """\
import name, * as name from 'a'; import {name, b as name, name as c} from 'b'; import name = name.name; import name = require('name')
export {name, name as d, e as name}; export {name} from 'c'; export {name as f} from 'd'; export * as name from 'd'; export as namespace name; export = name
let name = name, [name = 1, {name, name: x, y: name, ...name}, ...name] = name; class name<name extends name> extends name implements name { name = name; name() {} }
function name(this: name, name, {z = name}, ...name: name[]) { name(); new name; name`t`; a.name(); (name)(); name?.(); new name<name>() ; name!() }
name = 1; name++; (name) = 1; [name, a.name] = b; ({name, k: name, name = 1} = c); ({name, name: name}); for (name of name) ; for (const name in {}) ; try {} catch (name) {}
name: for (;;) break name; type name<name> = name.name & {name: name; [name: string]: name; name(): name}; interface name extends name.name {}
enum name { name = name, x } namespace name.name {} function is(name?: typeof name): name is name {} type T = [name: name, name?: name]; type M = {[name in name as name]: name}
type U = name extends infer name ? import('name').name : keyof name; @name class A { @name() @name.name b; constructor(private name: name) {} } a = name as name; name += 1
"""
REFERRED_TAGS = "a = <name name={name} {...name}><Name /><name.name /><a:name name:name='name'>name {name}</a:name></name>; b = <Name name><name /></Name>\n"
REMOVED = """\
a
  log(1) // why
b
a; log(); b; log(log())
  log(1,
    2);   \r
if (a) log(); else log()
for (;;) log()
l: (log());
switch (a) { case log(): log(); break; default: log(); log(); }
x = log(); () => log(); new log; log`a`; log?.(); a.log(); b
log();
[b].c(() => { log(); log(); (1); })
log()
"""
DECLARED = """\
import a, * as b from 'c'; import {d, e as f} from 'c'; import g = a.b; import h = require('i'); export let j = 1, k = b; export default function () { l }
var l = 1, m, {n, o: p = 2, ...q} = b, [r, , s = t, ...u] = d; let t = r; u = m ??= 1; ({m, x: n} = b); for (p of q) ; for (const s in d) s; l++
function v(this: any, w, {x, y: z}: {x: l, y: number}, ...rest: m[]) { var w = 1; let A = x; var B = 2, C; var D = 3; { var E = B; var F; let D; } return function E() { C = w; E(); v() } }
class G extends l { static { var I = 1; let J = I; I } [l]() { var K = 1; return () => K } @a(l) L = () => { var M = 1; let N = M }; constructor(private O = 1) { let O = 2 } }
for (var P = 0, Q = 1; P < Q; P++) { var R = P; var S; let T = () => R } for (var U of [1]) U; for (var V in {}) () => V; for (let W of []) W; for (var X of [X]) ; while (1) var Y = 1
switch (l) { case 1: let Z = 1; var aa = 2; default: var bb = 1; { let cc = 1; cc } } try { var dd = 1 } catch ({ee, ff}) { var ee = 1; let gg = ff } finally { var hh = 2; hh }
early(); function early() { ii; late } var ii = 1; const late = async () => { var jj = await ii; let kk = yy; jj }; var yy = 1; function* gen() { var ll = yield 1; { function nn() {} } var nn = 1 }
namespace oo.pp { let qq = 1; export var rr = 2 } namespace ss { let tt = 1 } declare let uu: number; declare global { var vv: number; let ww: string } enum xx { a = 1 } let zz = xx.a, ab!: number
type T1 = (l: number, yy: string) => void; interface T2 { (m: l): void; new (n: l): T2; p(r: l): m } abstract class T3<l> { abstract s(t: l): void } let ac = class ad { ad() { ad } }, ae = function af() { af }
let ag = <T,>(x: T): x is T => true, ah = (y: typeof l) => { let ai = `${l}`; tagged`${ai}`; new ai; import('x'); super_(), ai?.() }; var aj = a.b.c, ak = { l, m: l, [m]: 1, ac() { let l = 1 } }
"""
SENTENCES: list[tuple[str, str, str, Arguments]] = [
    ("code.outline", "typescript", OUTLINED, {}),
    ("code.outline", "typescript", "function e() {} /*\n*/\nnamespace A {} /*\n*/\n", {}),
    ("code.metrics", "typescript", OUTLINED, {}),
    *(("code.find_references", "typescript", line, {"name": "name"}) for line in REFERRED.splitlines()),
    *(("code.rename", "typescript", line, {"name": "name", "to": "renamed", "attributes": False}) for line in REFERRED.splitlines()),
    *(("code.rename", "typescript", line, {"name": "name", "to": "renamed", "attributes": True}) for line in REFERRED.splitlines()),
    *(("code.find_references", "tsx", REFERRED_TAGS, {"name": name}) for name in ("name", "Name")),
    ("code.rename", "tsx", REFERRED_TAGS, {"name": "Name", "to": "Other", "attributes": False}),
    ("code.remove_calls", "javascript", REMOVED, {"function": "log"}),
    ("code.remove_calls", "javascript", "'use strict'; log();\n'a'\nfunction f() { log(); 'b' }\n", {"function": "log"}),
    ("code.remove_calls", "typescript", "log?.(); log?.(1)(2); a?.log(); log(3)\n", {"function": "log"}),
    ("code.remove_calls", "javascript", "this.a.b(); (this.a).b(1)\nthis?.a.b(); super.a.b(); await this.a.b()\n", {"function": "this.a.b"}),
    ("code.remove_calls", "typescript", "declare global { log<string>(); namespace N { log() } }\n", {"function": "log"}),
    *(("code.use_const", "typescript", line, {}) for line in [DECLARED, *DECLARED.splitlines()]),
    *(("code.use_const", "typescript", f"{line}; exports\n", {}) for line in DECLARED.splitlines()),
    *(("code.use_const", "javascript", f"{source}; exports\n", {}) for source, _ in CONSTANT),
    ("code.use_const", "tsx", "let A = () => <b.C d={e} />, b = A, e; export { A as exports, e as f }; <A>{e}</A>\n", {}),
    ("code.rename", "javascript", "let a = 1\n", {"name": "a", "to": "a", "attributes": True}),
]  # fmt: skip


@pytest.mark.parametrize("variant", ["as it is", "carriage returns", "letters of all widths"])
@pytest.mark.parametrize(("operation", "language", "source", "arguments"), SENTENCES)
def test_tricky_code_has_the_agents_answers(
    sandbox: Sandbox, operation: str, language: str, source: str, arguments: Arguments, variant: str
) -> None:
    if variant == "carriage returns":
        source = source.replace("\n", "\r\n")
    elif variant == "letters of all widths":
        source = f"/* 文 🎉 */ 'é'; {source}"
    said = ask_module(sandbox, operation, source, arguments, tiers=Tier.TREE, language=LANGUAGES[language])
    assert said is not None
    assert said == ask_agent(operation, source, arguments, language)


@pytest.mark.parametrize(
    ("operation", "source", "arguments", "reason"),
    [
        ("code.outline", "let a = = 1\n", {}, "syntax error"),
        ("code.outline", "a = !b!.c(d)\n", {}, "otherwise"),
        ("code.rename", "let a, b\n", {"name": "a", "to": "b", "attributes": False}, "in use"),
        ("code.rename", "let a\n", {"name": "a", "to": "async", "attributes": False}, "keyword"),
        ("code.rename", "export\n{a}\n", {"name": "a", "to": "b", "attributes": False}, "otherwise"),
        ("code.remove_calls", "new\na.b()\n", {"function": "a.b"}, "otherwise"),
    ],
)
def test_what_the_tree_cannot_tell_is_left_to_the_agent(
    sandbox: Sandbox, operation: str, source: str, arguments: Arguments, reason: str
) -> None:
    (answer,) = sandbox.run(operation, [File(Language.TYPESCRIPT, source.encode())], arguments, tiers=Tier.TREE)
    assert answer.status is Status.UNSURE
    assert reason in answer.value["reason"]


def test_files_after_an_edit_are_what_node_takes(sandbox: Sandbox, tmp_path: Path) -> None:
    node = str(need_node().path)
    chance = random.Random(44)
    # In a folder without package.json these are what they are by their names alone.
    scripts = [path for path in need_files() if path.suffix in (".cjs", ".mjs") and path.stat().st_size < 60_000]
    checked = 0
    for number, path in enumerate(chance.sample(scripts, 16)):
        source, _ = read(path)
        for operation in ("code.rename", "code.remove_calls", "code.use_const"):
            arguments = choose_arguments(chance, operation, source)
            said = ask_module(sandbox, operation, source, arguments, tiers=BOTH_TIERS, language=Language.JAVASCRIPT)
            if said is None or said["text"] == source:
                continue
            after = tmp_path / f"{number}{path.suffix}"
            after.write_text(str(said["text"]), "utf-8")
            done = subprocess.run([node, "--check", str(after)], capture_output=True, text=True, timeout=CHECK_S, check=False)
            assert done.returncode == 0, (path, operation, arguments, done.stderr)
            checked += 1
    assert checked > 10
