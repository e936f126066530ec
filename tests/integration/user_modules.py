"""Modules of operators for tests, as text: each answers with what it was told to, unless the first letter of a source says otherwise."""

from __future__ import annotations

import json

from tests.integration.booster_modules import OPERATIONS, assemble, quote

LETTERS = {"T": "unreachable", "L": "endless", "M": "bomb", "R": "recursion", "G": "garbage", "O": "outside"}
"""First letter of a source without arguments -> how the module fails at it."""
# An answer to no file: four zeros, which lie at the beginning of the memory. The number of files stands behind two others.
NO_FILE = "(if (i32.eqz (i32.load offset=8 (local.get 1))) (then (return (call $place (i64.const 0) (i64.const 4)))))"
_FAILING = "".join(
    f"(if (i32.eq (i32.load8_u offset=20 (local.get 1)) (i32.const {ord(letter)})) (then (local.set $op (i32.const {OPERATIONS[name]}))))"
    for letter, name in LETTERS.items()
)


def make(*names: str, title: str = "mine", version: str = "1", **more: object) -> bytes:
    """A module that answers every operation with one fixed answer to one file, and an empty batch with none."""
    return assemble(description=_describe(names, title, version, more), body=NO_FILE)


def fickle(*names: str, title: str = "fickle", version: str = "1") -> bytes:
    """The same, but it fails as the first letter of the source says."""
    return assemble(description=_describe(names, title, version, {}), body=f"{NO_FILE} {_FAILING}")


def answering(name: str, value: dict[str, object], *, status: int = 0, edits: bool = False, title: str = "told") -> bytes:
    """A module that answers a text beginning with `a` with a value and a status, and any other with nothing to do."""
    quiet = json.dumps({"splices": [], "count": 0} if edits else {}).encode()
    pieces = [(status, json.dumps(value).encode(), 16_384), (0, quiet, 32_768)]
    data = "".join(
        f'(data (i32.const {at}) "{quote(b"".join(number.to_bytes(4, "little") for number in (1, how, 2, len(text))) + text + bytes(-len(text) % 4))}")'
        for how, text, at in pieces
    )
    (_, told, first), (_, none, second) = pieces
    length = [16 + len(text) + -len(text) % 4 for text in (told, none)]
    body = f"""{NO_FILE}
      (if (i32.eq (i32.load8_u offset=20 (local.get 1)) (i32.const {ord("a")}))
        (then (return (call $place (i64.const {first}) (i64.const {length[0]})))))
      (return (call $place (i64.const {second}) (i64.const {length[1]})))"""
    return assemble(description=_describe((name,), title, "1", {"edits": edits}), body=body, imports="", memory=f'(memory (export "memory") 2) {data}')


def starting(start: str) -> bytes:
    """A module that does something as soon as it starts; it is looked at only when that has ended."""
    return assemble(description=_describe(("user.start",), "start", "1", {}), body=NO_FILE, memory=f'(memory (export "memory") 2) (func $begin {start}) (start $begin)')


def _describe(names: tuple[str, ...], title: str, version: str, more: dict[str, object]) -> bytes:
    rows = [{"code": 50 + at, "name": name, "edits": False, "languages": ["python"], "arguments": [], **more} for at, name in enumerate(names)]
    return json.dumps({"abi": 1, "name": title, "version": version, "encoding": "json", "operations": rows}).encode()
