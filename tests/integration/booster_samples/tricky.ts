// Where a semicolon may be left out, which question mark is an operator, what a scanner must look ahead for.
type F = ({a}: {a: number}) => number
type G = { new (x: string): G; readonly [key: string]: any; method?(): void; -readonly [K in keyof T]?: T[K] }
let a = 1
let b = a
++a
a
(b)
let c = a ? b : .5 ? c : d?.e ?? f?.5:1
function optional(a?: number, b ?, c?) : void
function optional(this: Window, ...rest: string[]): asserts rest is string[] {
  return
  a /* newline
  in a comment */ + 1
}
abstract class Shape<T extends object = {}> extends Base<T>.Inner implements I, J {
  #secret?: number
  static { this.x = 1 }
  declare field: string; readonly other = 1
  constructor(private readonly x?: number, public y = 2) { super() }
  abstract area(): number
  get size(): number { return 1 }
  set size(v) {}
  async *[Symbol.iterator]() { yield* a; await b }
  method<T>(this: T)
  method(): void {}
}
interface A extends B, C<D> { (x: number): string; new (x: number): A; [k: string]: any; x?: number, y(): void }
enum Color { Red = 1, Green = `g${1}`.length, Blue }
declare module "m" { export default function f(): void; export = x }
namespace N.M { export const x = 1 }
import type { X, type Y } from "x"; import fs = require("fs"); export * as ns from 'y'
export type { X } from "x"
const re = /[/\]]+/g, s = `a${b}c${`d${e}`}\`f`, t = <any>x, u = x as const satisfies Y, v = x!
x = y! as any
let z = a
in_ = 2
a instanceof b
!a
a
!= b
const fn = async <T,>(x: T): Promise<T> => { for await (const y of x) {} }
const g = (a: number, b?: string): a is 1 => a
label: for (;;) { if (a) continue label; else break }
let { a: { b: [c1, , ...d1] = [] }, ...e1 } = o
let k: typeof import('x'), l: keyof typeof y, m: T[number]['a'], n: A extends infer B ? B : never, o1: `a${string}`
let p: (new () => A) | (abstract new () => B) | [a: string, b?: number, ...c: T[]]
@decorator({a: 1}) export class D { @prop() x; @method y() {} }
function assertIsString(val: any): asserts val
let q = a<b>(c), r = new Map<string, Array<number>>(), w = a < b > c
var html = 1 <!-- comment
--> another
x = a ?
  b : c
"use strict"
var in$ = 1
