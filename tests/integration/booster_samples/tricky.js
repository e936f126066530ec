#!/usr/bin/env node
'use strict'
var a = 1, b = /=/, c = a / b / c, d = `x${`y${a}`}z`
let x
++x
a = b
(function () {})()
if (a) /re/.test(b); else a / b
const { p, q: [r, ...s] = [], ...t } = { get a() { return 1 }, set a(v) {}, async *gen() {}, [k]: 1, 'str': 2, 3: 4, p }
class A extends (B, C) { static #priv = 1; static async *m() { yield } get; set; static { } 'quoted'() {} }
async function* f({ a = 1 } = {}, [b], ...c) { for await (const x of y) await x; label: while (1) break label }
export { a as default, b as 'string name' }; export * from 'x'; import d2, { e as f2 } from "y" with { type: "json" }
x = a ? b : c ? (d, e) : async (y) => ({ ...y })
var old = 0777 + 0x1fn + 1_000.5e-3 + .5
a?.b?.[c]?.(d) ?? e
for (var i in o) for (const [k, v] of m) switch (k) { case 1: default: continue }
try { throw new Error } catch { } finally { debugger }
do x--; while (x) y = <div a="b" {...c}>text{'s'}<C.D/></div>
return_ = typeof void delete a in b instanceof c ** d
html = 1 <!-- comment
--> comment
new.target; import.meta.url; a ||= b &&= c ??= d
let async; async
function g() {}
