"""The regular agent's reader of JavaScript and TypeScript, on real packages: against node and against tree-sitter."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from engine.agents.code.ecmascript.tokens import ParseError

from tests.integration.script_nodes import list_ours, list_theirs, read_ours
from tests.integration.script_packages import need_files, need_node, read, sample

SAMPLE = 90
MUTANTS = 150
CHECK_S = 30
COMPILE = """
const vm = require("vm"), names = ["exports", "require", "module", "__filename", "__dirname"]
const complains = text => { try { vm.compileFunction(text, names); return false } catch { return true } }
console.log(JSON.stringify(JSON.parse(require("fs").readFileSync(process.argv[1], "utf8")).map(complains)))
"""
"""Compiles each of many texts as a CommonJS module is."""
MISREAD = {
    "src/plugins/patches.ts": "`!a!.b(c)` is to tree-sitter a call of `!a!.b`",
    "v4/core/function.cjs": "`x = await (0, f)(y)` is to tree-sitter a call of `await (0, f)`",
    "tests/error.test.ts": "to tree-sitter a comment behind an arrow function is part of it",
}
"""Files that tree-sitter's grammar misreads, by the ends of their paths."""


def refuses(text: str, language: str) -> bool:
    try:
        read_ours(text, language)  # type: ignore[arg-type]
    except ParseError:
        return True
    return False


def is_misread(path: Path) -> bool:
    return path.as_posix().endswith(tuple(MISREAD))


def find_differences(paths: Iterable[Path]) -> tuple[int, list[tuple[Path, object]]]:
    """How many files tree-sitter reads, and the places that only one of the two finds."""
    compared, found = 0, []
    for path in paths:
        text, language = read(path)
        theirs = list_theirs(text, language)
        if theirs is None:
            assert not refuses(text, language), path  # a defect of its grammar; TypeScript's compiler takes them
            continue
        compared += 1
        found += [(path, (*place, text[place[1] : place[2]][:40])) for place in sorted(list_ours(text, language) ^ theirs)]
    return compared, found


def test_nodes_of_real_packages_stand_where_tree_sitter_has_them() -> None:
    compared, found = find_differences(sample(need_files(), SAMPLE, seed=31))
    assert compared > SAMPLE * 0.7
    assert [row for row in found if not is_misread(row[0])] == []


@pytest.mark.slow
def test_nodes_of_whole_packages_stand_where_tree_sitter_has_them() -> None:
    compared, found = find_differences(need_files())
    assert compared > 1_200
    misread = {path for path, _ in found}
    assert all(is_misread(path) for path in misread), found
    assert len(misread) == len(MISREAD)


def test_what_node_takes_is_read() -> None:
    node = need_node()
    scripts = [path for path in sample(need_files(), SAMPLE, seed=32) if path.suffix in (".js", ".cjs", ".mjs")]
    taken = [path for path in scripts if not complaint(str(node.path), path)]
    assert len(taken) > 20
    for path in taken:
        assert not refuses(*read(path)), path


def test_what_node_refuses_is_refused(tmp_path: Path) -> None:
    """Of broken files some break rules that are no matter of grammar (a name declared twice): those may be read."""
    node = need_node()
    chance = random.Random(33)
    paths = [path for path in need_files() if path.suffix == ".cjs" and path.stat().st_size < 4_000]
    broken = []
    for _ in range(MUTANTS):
        text, _ = read(chance.choice(paths))
        at = chance.randrange(len(text))
        broken.append(text[:at] + text[at + chance.randint(1, 3) :])
    # All in one node: a start for each takes more than everything else here.
    texts = tmp_path / "texts.json"
    texts.write_text(json.dumps(broken), "utf-8")
    complaints = json.loads(subprocess.run([node.path, "-e", COMPILE, texts], capture_output=True, text=True, timeout=CHECK_S, check=True).stdout)
    said = {"both": 0, "node": 0, "ours": 0}
    for text, complains in zip(broken, complaints, strict=True):
        refused = refuses(text, "javascript")
        if complains:
            said["both" if refused else "node"] += 1
        else:
            said["ours"] += refused
    assert said["ours"] == 0
    assert said["both"] > 0.9 * (said["both"] + said["node"]) > 0


def complaint(node: str, path: Path) -> str:
    done = subprocess.run([node, "--check", str(path)], capture_output=True, text=True, timeout=CHECK_S, check=False)
    return done.stderr if done.returncode else ""
