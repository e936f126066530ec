"""The booster on JavaScript, TypeScript and TSX: the regular agent's own reader and the module do the same on the same files.

The files are a fixed sample of real packages that npm brings, or of what is named behind `booster`; where there are none,
nothing is measured. Native tree-sitter only makes a tree: it is the limit of the tree, not of the tokens.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from engine.agents.code.python.parsing import TREES_MAX
from engine.booster.module import find_module
from engine.booster.records import File, Tier
from engine.booster.sandbox import Machine, Sandbox
from engine.editing.ecmascript import DECISIONS
from engine.model.code_operations import OPERATIONS

from tests.bench.engines import median
from tests.bench.tallies import (
    RUNS,
    TIERS,
    Report,
    Tally,
    batch_files,
    count,
    measure_pool,
    one_core,
    parse_each,
    time_core,
)
from tests.integration.booster_agreement import OF_SCRIPTS, ask_agent, ask_module
from tests.integration.script_packages import find_files, is_script, read, sample
from tests.integration.test_booster_scripts import LANGUAGES, choose_arguments
from tests.integration.test_script_decisions import choose_payload
from tests.tools.programs import Missing

NAMES = (*OF_SCRIPTS, *DECISIONS)
SHORT = {name: f"booster.scripts.{name.removeprefix('code.')}" for name in NAMES}
SCRIPT_ROWS = {
    "booster.scripts.speedup_median": "ratio",
    "booster.scripts.speedup_worst": "ratio",
    **{f"{SHORT[name]}.{tier}_ratio": "ratio" for name in NAMES for tier in TIERS if tier != "both"},
    "booster.scripts.certain_tokens_percent": "%",
    "booster.scripts.parse_vs_native": "ratio",
    "booster.scripts.tokens_vs_native": "ratio",
    "booster.scripts.pool_ratio": "ratio",
}
SEED = 41
FILES = 45
FILE_MAX_BYTES = 200_000


def find_scripts(paths: Sequence[Path] | None) -> list[Path]:
    """Find scripts in UTF-8 there; None: in the packages."""
    if paths is None:
        try:
            return [path for path in find_files() if path.stat().st_size < FILE_MAX_BYTES]
        except Missing:
            return []
    found = {file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])}
    return [file for file in sorted(found) if is_script(file) and "node_modules" not in file.parts and _is_text(file)]


def _is_text(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size < FILE_MAX_BYTES and bool(path.read_bytes().decode().strip())
    except UnicodeDecodeError:
        return False


def measure_scripts(report: Report, paths: list[Path]) -> None:
    """Measure and report; nothing where there are too few files."""
    if len(paths) <= TREES_MAX:
        return
    chosen = sample(paths, FILES, seed=SEED)
    with Machine() as machine, one_core(), Sandbox(machine.load(find_module())) as sandbox:
        _compare_operations(report, sandbox, chosen)
        _compare_parsers(report, sandbox, paths)
    files = [_load(path) for path in sample(paths, 400, seed=SEED)]
    measure_pool(report, "booster.scripts.pool_ratio", batch_files(files))


def _load(path: Path) -> File:
    source, language = read(path)
    return File(LANGUAGES[language], source.encode())


def _compare_operations(report: Report, sandbox: Sandbox, paths: Sequence[Path]) -> None:
    chance = random.Random(SEED)
    tallies = {(operation, tier): Tally() for operation in NAMES for tier in TIERS}
    for operation in NAMES:
        for path in paths:
            source, language = read(path)
            if language not in OPERATIONS[operation].languages:
                continue
            is_decided = operation in DECISIONS
            arguments = choose_payload(chance, operation, source, language) if is_decided else choose_arguments(chance, operation, source)
            said, agent_s = time_core(1, ask_agent, operation, source, arguments, language)
            for tier, tiers in TIERS.items():
                found, module_s = time_core(RUNS, ask_module, sandbox, operation, source, arguments, tiers=tiers, language=LANGUAGES[language])
                count(tallies[operation, tier], found, said, agent_s, module_s, len(source.encode()))
    for (operation, tier), tally in tallies.items():
        if tier != "both" and tally.ratios:
            report(f"{SHORT[operation]}.{tier}_ratio", median(tally.ratios), len(tally.ratios), tally.note)
    _summarize(report, tallies)


def _summarize(report: Report, tallies: dict[tuple[str, str], Tally]) -> None:
    used = {operation: tally for (operation, tier), tally in tallies.items() if tier == "both" and tally.ratios}
    medians = {operation: median(tally.ratios) for operation, tally in used.items()}
    equal = sum(len(tally.ratios) for tally in used.values())
    note = f"regular agent / module, core for core, {len(used)} operations on JavaScript, TypeScript and TSX; {equal} answers equal"
    report("booster.scripts.speedup_median", median(list(medians.values())), equal, note)
    worst = min(medians, key=medians.__getitem__)
    report("booster.scripts.speedup_worst", medians[worst], len(used[worst].ratios), worst)
    outlines = tallies["code.outline", "tokens"]
    asked = len(outlines.ratios) + outlines.unsure + outlines.different
    report("booster.scripts.certain_tokens_percent", 100 * (1 - outlines.unsure / asked), asked, "outlines answered by tokens; the tree, then the agent, does the rest")


def _compare_parsers(report: Report, sandbox: Sandbox, paths: list[Path]) -> None:
    """The same batches: a tree by the module and by tree-sitter's own wheels, and an outline by tokens, which makes no tree."""
    import tree_sitter
    import tree_sitter_javascript
    import tree_sitter_typescript

    grammars = {
        "javascript": tree_sitter_javascript.language(),
        "typescript": tree_sitter_typescript.language_typescript(),
        "tsx": tree_sitter_typescript.language_tsx(),
    }
    totals, ratios, size = {"tree": 0.0, "native": 0.0, "tokens": 0.0}, [], 0
    for language, grammar in grammars.items():
        parser = tree_sitter.Parser(tree_sitter.Language(grammar))
        files = [file for file in map(_load, sample(paths, 4 * FILES, seed=SEED)) if file.language == LANGUAGES[language]]
        for batch in batch_files(files):
            ways: dict[str, Callable[[], object]] = {
                "tree": partial(sandbox.run, "code.parses", batch, tiers=Tier.TREE),
                "native": partial(parse_each, parser.parse, batch),
                "tokens": partial(sandbox.run, "code.outline", batch, tiers=Tier.LEXICAL),
            }
            times = {way: time_core(RUNS, work)[1] for way, work in ways.items() if batch}
            totals = {way: totals[way] + times.get(way, 0.0) for way in totals}
            ratios += [(times["tree"] / times["native"], times["tokens"] / times["native"])] if batch else []
            size += sum(len(file.data) for file in batch)
    rates = ", ".join(f"{way} {size / seconds / 1e6:.1f} MB/s" for way, seconds in totals.items())
    report("booster.scripts.parse_vs_native", median([tree for tree, _ in ratios]), len(ratios), f"time of the module's parse / native tree-sitter; {rates}")
    report("booster.scripts.tokens_vs_native", median([tokens for _, tokens in ratios]), len(ratios), "time of an outline by tokens / native tree-sitter's parse alone")
