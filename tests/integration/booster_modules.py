"""Small modules of the booster's ABI, as text: each operation of `TROUBLE` fails in its own way."""

from __future__ import annotations

import json

import wasmtime

OPERATIONS = {
    "fine": 1,
    "unreachable": 2,
    "endless": 3,
    "bomb": 4,
    "recursion": 5,
    "outside": 6,
    "garbage": 7,
    "too_few": 8,
    "cut_off": 9,
    "no_json": 10,
    "stray_read": 11,
}
# One answer: a file, done, by tokens, a payload of 12 bytes.
_ANSWER = b"\1\0\0\0" + b"\0\0\0\0" + b"\1\0\0\0" + b"\x0c\0\0\0" + b'{"files": 1}'
_NO_JSON = _ANSWER.replace(b"{", b"[")
_CUT_OFF = _ANSWER.replace(b"\x0c", b"\xff")


def describe(*, abi: int = 1, encoding: str = "json", names: list[str] | None = None) -> bytes:
    """The description of a module with these operations."""
    rows = [
        {"code": OPERATIONS.get(name, 99), "name": name, "edits": False, "languages": ["python"], "arguments": []}
        for name in (list(OPERATIONS) if names is None else names)
    ]
    return json.dumps({"abi": abi, "name": "trouble", "version": "1", "encoding": encoding, "operations": rows}).encode()


def assemble(
    *, description: bytes | None = None, abi: int = 1, body: str = "", imports: str = "", memory: str = "(memory (export \"memory\") 2)"
) -> bytes:
    """A module of the ABI; `body` stands at the beginning of `booster_run`."""
    told = describe() if description is None else description
    return bytes(wasmtime.wat2wasm(f"""(module
      {imports}
      {memory}
      (global $fault (mut i32) (i32.const 0))
      (data (i32.const 1024) "{quote(told)}")
      (data (i32.const 8192) "{quote(_ANSWER)}")
      (data (i32.const 8256) "{quote(_NO_JSON)}")
      (data (i32.const 8320) "{quote(_CUT_OFF)}")
      (func $deeper (param i32) (result i32) (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
      (func $place (param i64 i64) (result i64) (i64.or (i64.shl (local.get 0) (i64.const 32)) (local.get 1)))
      (func (export "booster_abi") (result i32) (i32.const {abi}))
      (func (export "booster_fault") (result i32) (global.get $fault))
      (func (export "booster_describe") (result i64) (call $place (i64.const 1024) (i64.const {len(told)})))
      (func (export "booster_alloc") (param i32) (result i32)
        (if (result i32) (i32.gt_u (local.get 0) (i32.const 65536)) (then (i32.const 0)) (else (i32.const 65536))))
      (func (export "booster_run") (param $op i32) (param i32 i32) (result i64)
        {body}
        (if (i32.eq (local.get $op) (i32.const 2)) (then unreachable))
        (if (i32.eq (local.get $op) (i32.const 3)) (then (loop $again (br $again))))
        (if (i32.eq (local.get $op) (i32.const 4)) (then
          (loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
          (global.set $fault (i32.const 1)) unreachable))
        (if (i32.eq (local.get $op) (i32.const 5)) (then (drop (call $deeper (i32.const 0)))))
        (if (i32.eq (local.get $op) (i32.const 6)) (then (return (call $place (i64.const 4294967295) (i64.const 16)))))
        (if (i32.eq (local.get $op) (i32.const 7)) (then (return (call $place (i64.const 1024) (i64.const 40)))))
        (if (i32.eq (local.get $op) (i32.const 8)) (then (return (call $place (i64.const 0) (i64.const 4)))))
        (if (i32.eq (local.get $op) (i32.const 9)) (then (return (call $place (i64.const 8320) (i64.const {len(_ANSWER)})))))
        (if (i32.eq (local.get $op) (i32.const 10)) (then (return (call $place (i64.const 8256) (i64.const {len(_ANSWER)})))))
        (if (i32.eq (local.get $op) (i32.const 11)) (then (drop (i32.load (i32.const -4)))))
        (call $place (i64.const 8192) (i64.const {len(_ANSWER)}))))"""))  # fmt: skip


def quote(data: bytes) -> str:
    """Write bytes as a string of the text format."""
    return "".join(f"\\{byte:02x}" for byte in data)
