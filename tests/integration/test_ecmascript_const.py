"""`code.use_const` on real packages: they say the same afterwards, and there is nothing left to do."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from engine.agents.code import run

from tests.integration.script_packages import PINS, find_package, is_script, need_files, need_node

RUN_S = 60
PROGRAM = """
const {z} = require("zod"), v4 = require("zod/v4").z, _ = require("underscore"), immer = require("immer"), preact = require("preact")
const model = z.object({a: z.string().email(), b: z.array(z.number()).optional()})
console.log(JSON.stringify([
  model.safeParse({a: "x", b: [1]}), model.parse({a: "a@b.de"}), v4.toJSONSchema(v4.object({a: v4.string().min(2)})),
  _.chain([3, 1, 2]).sortBy(x => x).map(x => x * 2).value(), _.template("<%= a %>!")({a: 1}), _.isEqual({a: [1]}, {a: [1]}),
  _.groupBy([1, 2, 3], x => x % 2), _.functions(_).length, immer.produce({a: [1]}, d => { d.a.push(2) }), preact.h("a", {b: 1}, "c").type,
]))
import("underscore").then(m => import("preact/hooks").then(h => console.log(Object.keys(m).length, Object.keys(h).length)))
"""


def run_program(node: str, folder: Path) -> str:
    done = subprocess.run([node, "-e", PROGRAM], cwd=folder, capture_output=True, text=True, timeout=RUN_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_packages_with_const_do_what_they_did(tmp_path: Path) -> None:
    node = str(need_node().path)
    need_files()
    modules = tmp_path / "node_modules"
    for pin in PINS:
        if pin.project in ("zod", "underscore", "immer", "preact"):
            shutil.copytree(find_package(pin) / "package", modules / pin.project)
    before = run_program(node, tmp_path)
    counts = {"to_const": 0, "to_let": 0, "kept": 0}
    for path in sorted(modules.rglob("*.*js")):
        if not is_script(path) or path.stat().st_size > 80_000:
            continue
        payload = {"path": os.fspath(path.relative_to(tmp_path)), "workspace": os.fspath(tmp_path)}
        answer = run("code.use_const", {**payload, "apply": True})
        counts = {key: counts[key] + answer[key] for key in counts}
        if answer["changed"] and path.suffix == ".cjs":
            assert run("code.use_const", payload)["edits"] == 0, path
    assert counts["to_const"] > 1_000
    assert counts["to_let"] > 200
    assert run_program(node, tmp_path) == before
