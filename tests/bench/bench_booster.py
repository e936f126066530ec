"""The booster on one core: the regular agent (LibCST) and the module, by tree and by tokens, do the same on the same files.

The files are a fixed sample of the standard library, or of what is named behind `booster`. A file counts for a ratio only if both answers are equal; each
pair is measured and compared in this run. What the module cannot do faster is not in here.
"""

from __future__ import annotations

import ast
import os
import random
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from engine.agents.code.python.parsing import TREES_MAX
from engine.booster.module import find_module
from engine.booster.records import File, Language, Status, Tier
from engine.booster.sandbox import Machine, Program, Sandbox
from fleet_tui.bench import Goal

from tests.bench.booster_scripts import SCRIPT_ROWS, find_scripts, measure_scripts
from tests.bench.engines import median
from tests.bench.fallback import measure_fallback
from tests.bench.tallies import (
    BATCH_BYTES,
    RUNS,
    SECONDS,
    TIERS,
    Report,
    Tally,
    batch_files,
    count,
    measure_pool,
    one_core,
    parse_each,
    rate_pool,
    time_core,
)
from tests.integration import edit_corpus
from tests.integration.booster_agreement import (
    BY_BOTH_TIERS,
    NAMES,
    STANDARD_LIBRARY,
    ask_agent,
    ask_module,
    choose_arguments,
)
from tests.tools.programs import Missing

# What is decided outside of the module, of what its tokens find.
TOKENS_ONLY = {("tree", name) for name in NAMES if name not in BY_BOTH_TIERS}
SHORT = {name: name.removeprefix("code.") for name in NAMES}
TAKES_PATHS = True
ROWS = {
    "booster.speedup_median": "ratio",
    "booster.speedup_worst": "ratio",
    **{f"booster.{SHORT[name]}.{tier}_ratio": "ratio" for name in NAMES for tier in TIERS if tier != "both" and (tier, name) not in TOKENS_ONLY},
    "booster.certain_tokens_percent": "%",
    "booster.parse_vs_native": "ratio",
    "booster.small_ops_per_s": "1/s",
    "booster.small_op_p50_ms": "ms",
    "booster.files1000_s": "s",
    "booster.cold_first_task_ms": "ms",
    "booster.fallback_ms": "ms",
    "booster.edit_corpus_correct": "ratio",
    "booster.memory_efficiency": "%",
    "booster.pool_ratio": "ratio",
    "booster.pool_speedup": "ratio",
    **SCRIPT_ROWS,
}
GOALS = {
    "booster.speedup_median": Goal(52),
    "booster.speedup_worst": Goal(20),
    "booster.parse_vs_native": Goal(1.5, is_most=True),
    "booster.small_ops_per_s": Goal(5_000),
    "booster.small_op_p50_ms": Goal(1, is_most=True),
    "booster.files1000_s": Goal(2, is_most=True),
    "booster.cold_first_task_ms": Goal(50, is_most=True),
    "booster.fallback_ms": Goal(20, is_most=True),
    "booster.edit_corpus_correct": Goal(0.95),
    "booster.memory_efficiency": Goal(90),
    "booster.pool_ratio": Goal(1.7),
    "booster.pool_speedup": Goal(52),
    "booster.scripts.parse_vs_native": Goal(1.5, is_most=True),
    "booster.scripts.pool_ratio": Goal(1.7),
}
SEED = 41
FILES = 30
SMALL_BYTES = 3_000
COLD = """
import sys, time
from pathlib import Path
from engine.booster.records import File, Language
from engine.booster.sandbox import Machine, Sandbox
began = time.perf_counter()
with Machine() as machine, Sandbox(machine.load(Path(sys.argv[1]))) as sandbox:
    answer, = sandbox.run("code.outline", [File(Language.PYTHON, b"def f(): pass\\n")])
    assert answer.value["totals"]["functions"] == 1
    print(1e3 * (time.perf_counter() - began))
"""


def measure(report: Report, paths: Sequence[Path] = (STANDARD_LIBRARY,)) -> None:
    """Measure and report; files of one's own may be Python or scripts, or both."""
    sources, scripts = find_sources(paths), find_scripts(paths if paths != (STANDARD_LIBRARY,) else None)
    if len(sources) > TREES_MAX:
        _measure_python(report, sources)
    elif len(scripts) <= TREES_MAX:
        raise RuntimeError(f"{len(sources)} files of Python in UTF-8 are too few, and so are {len(scripts)} scripts; name a folder with more than {TREES_MAX}")
    measure_scripts(report, scripts)


def _measure_python(report: Report, sources: Sequence[str]) -> None:
    with Machine() as machine:
        program = machine.load(find_module())
        with one_core(), Sandbox(program) as sandbox:
            _compare_operations(report, sandbox, sources)
            _compare_parsers(report, sandbox, sources)
            _measure_one_small(report, sandbox, sources)
            _measure_batch(report, sandbox, sources)
            _measure_memory(report, program, sources)
        _measure_many_small(report, program, sources)
    with one_core():
        _measure_cold(report)
    measure_pool(report, "booster.pool_ratio", _batch([source.encode() for source in sources[:400]]))
    _measure_pool_against_agent(report, sources[:FILES])
    measure_fallback(report, [source for source in sources if 2_000 < len(source) < 4_000])
    _score_edits(report)


def find_sources(paths: Sequence[Path]) -> list[str]:
    """Read the files of Python that are UTF-8, in an order by chance that is always the same."""
    found = {file for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path])}
    files = sorted(file for file in found if file.is_file() and not {"site-packages", ".venv"} & set(file.parts))
    random.Random(SEED).shuffle(files)
    sources = []
    for path in files:
        try:
            sources.append(path.read_bytes().decode().removeprefix("\ufeff"))
        except UnicodeDecodeError:
            continue
    return [source for source in sources if source.strip()]


def _time(runs: int, work: Callable[[], Any]) -> tuple[Any, float]:
    """Give the answer, and the median of the seconds that somebody waits for it."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        answer = work()
        times.append(time.perf_counter() - began)
    return answer, median(times)


def _compare_operations(report: Report, sandbox: Sandbox, sources: Sequence[str]) -> None:
    chance = random.Random(SEED)
    tallies = {(operation, tier): Tally() for operation in NAMES for tier in TIERS if (tier, operation) not in TOKENS_ONLY}
    for operation in NAMES:
        for source in sources[:FILES]:
            arguments = choose_arguments(chance, operation, source)
            said, agent_s = time_core(1, ask_agent, operation, source, arguments)
            for tier, tiers in TIERS.items():
                if (tier, operation) in TOKENS_ONLY:
                    continue
                found, module_s = time_core(RUNS, ask_module, sandbox, operation, source, arguments, tiers=tiers)
                count(tallies[operation, tier], found, said, agent_s, module_s, len(source.encode()))
    for (operation, tier), tally in tallies.items():
        if tier != "both" and tally.ratios:
            report(f"booster.{SHORT[operation]}.{tier}_ratio", median(tally.ratios), len(tally.ratios), tally.note)
    _summarize(report, tallies)


def _summarize(report: Report, tallies: dict[tuple[str, str], Tally]) -> None:
    used = {operation: tally for (operation, tier), tally in tallies.items() if tier == "both" and tally.ratios}
    medians = {operation: median(tally.ratios) for operation, tally in used.items()}
    asked = sum(len(tally.ratios) + tally.unsure + tally.different for (_, tier), tally in tallies.items() if tier == "both")
    equal = sum(len(tally.ratios) for tally in used.values())
    note = f"regular agent / module, core for core, {len(used)} operations on Python; {equal} of {asked} answers equal"
    report("booster.speedup_median", median(list(medians.values())), equal, note)
    worst = min(medians, key=medians.__getitem__)
    report("booster.speedup_worst", medians[worst], len(used[worst].ratios), worst)
    unsure = sum(tally.unsure for (_, tier), tally in tallies.items() if tier == "tokens")
    report("booster.certain_tokens_percent", 100 * (1 - unsure / asked), asked, "answered by tokens; the tree, then the agent, does the rest")


def _compare_parsers(report: Report, sandbox: Sandbox, sources: Sequence[str]) -> None:
    """Parse the same batches by the module, by tree-sitter's own wheel, and by Python's `ast`."""
    import tree_sitter
    import tree_sitter_python

    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_python.language()))
    ratios, totals, size = [], {"module": 0.0, "native": 0.0, "ast": 0.0}, 0
    for batch in _batch([data for data in map(str.encode, sources[: 4 * FILES]) if _is_python(data)]):
        ways: dict[str, Callable[[], object]] = {
            "module": partial(sandbox.run, "code.parses", batch, tiers=Tier.TREE),
            "native": partial(parse_each, parser.parse, batch),
            "ast": partial(parse_each, ast.parse, batch),
        }
        times = {way: time_core(RUNS, work)[1] for way, work in ways.items()}
        ratios.append(times["module"] / times["native"])
        size += sum(len(file.data) for file in batch)
        totals = {way: totals[way] + seconds for way, seconds in times.items()}
    rates = ", ".join(f"{way} {size / seconds / 1e6:.1f} MB/s" for way, seconds in totals.items())
    note = f"time of the module's parse / native tree-sitter, batches of {BATCH_BYTES // 1024} kB; {rates}"
    report("booster.parse_vs_native", median(ratios), len(ratios), note)


def _is_python(data: bytes) -> bool:
    """The library has samples of bad syntax: `ast` has no time for them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(data)
        except (SyntaxError, ValueError):
            return False
    return True


def _smalls(sources: Sequence[str]) -> list[bytes]:
    datas = [source.encode() for source in sources]
    return [data for data in datas if SMALL_BYTES / 10 <= len(data) <= SMALL_BYTES]


def _measure_one_small(report: Report, sandbox: Sandbox, sources: Sequence[str]) -> None:
    """One operation a call, from Python and back, on the file nearest to 3 kB."""
    data = max(_smalls(sources), key=len, default=None)
    if data is None:
        return

    def outline() -> object:
        return sandbox.run("code.outline", [File(Language.PYTHON, data)])[0].value

    report("booster.small_op_p50_ms", 1e3 * _time(500, outline)[1], 500, f"outline of {len(data):,} bytes, one call each")


def _batch(datas: Sequence[bytes]) -> list[list[File]]:
    return batch_files([File(Language.PYTHON, data) for data in datas])


def _measure_batch(report: Report, sandbox: Sandbox, sources: Sequence[str]) -> None:
    datas = [source.encode() for source in sources[:1_000]]
    if len(datas) < 1_000:
        return
    batches = _batch(datas)

    def outline() -> int:
        answers = [answer for batch in batches for answer in sandbox.run("code.outline", batch)]
        return sum(answer.status is Status.DONE and "totals" in answer.value for answer in answers)

    done, seconds = _time(RUNS, outline)
    size = sum(map(len, datas)) / 1e6
    note = f"outline of {len(datas):,} files, {size:.1f} MB, by one instance, answers read; {done} certain"
    report("booster.files1000_s", seconds, RUNS, note)


def _measure_pool_against_agent(report: Report, sources: Sequence[str]) -> None:
    """The same files, by the time that somebody waits for them."""
    ask_agent("code.outline", sources[0], {})  # it imports its parser
    began = time.perf_counter()
    for source in sources:
        ask_agent("code.outline", source, {})
    agent = len(sources) / (time.perf_counter() - began)
    pool = rate_pool(_batch([source.encode() for source in sources]))
    note = f"outlines: files/s of a pool of two processes ({pool:,.0f}) / of one regular agent ({agent:,.0f})"
    report("booster.pool_speedup", pool / agent, len(sources), note)


def _measure_many_small(report: Report, program: Program, sources: Sequence[str]) -> None:
    """As many instances as cores, each with a thread of its own, for a second."""
    batches = _batch(_smalls(sources))
    if not batches[0]:
        return
    cores = min(2, os.cpu_count() or 1)
    rates = []
    for _ in range(RUNS):
        counts: list[int] = []
        began = time.perf_counter()
        threads = [threading.Thread(target=_work, args=(program, batches, began + SECONDS, counts)) for _ in range(cores)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rates.append(sum(counts) / (time.perf_counter() - began))
    note = f"outlines of files of {SMALL_BYTES:,} bytes or less, in batches, {cores} instances on {cores} cores"
    report("booster.small_ops_per_s", median(rates), RUNS, note)


def _work(program: Program, batches: Sequence[Sequence[File]], until: float, counts: list[int]) -> None:
    count = 0
    with Sandbox(program) as sandbox:
        while time.perf_counter() < until:
            for batch in batches:
                count += sum(answer.status is Status.DONE for answer in sandbox.run("code.outline", batch))
    counts.append(count)


def _measure_cold(report: Report) -> None:
    """A new process with the compiled module in the cache: from the engine to the first result."""
    times = []
    for _ in range(RUNS + 1):
        done = subprocess.run([sys.executable, "-c", COLD, str(find_module())], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the process of the first task failed: {done.stderr.strip()[-300:]}")
        times.append(float(done.stdout))
    report("booster.cold_first_task_ms", median(times[1:]), RUNS, "machine, compiled module from the cache, instance, outline")


def _score_edits(report: Report) -> None:
    """Score apply_edit, and npm's agent-booster where node and npm are here, on the same cases."""
    cases = edit_corpus.load_cases()
    ours = edit_corpus.score(cases, [edit_corpus.edit_here(case) for case in cases])
    try:
        peer = str(edit_corpus.score(cases, edit_corpus.edit_by_peer(cases))).splitlines()[0]
    except Missing as missing:
        peer = f"absent: {missing}"
    languages = ", ".join(sorted({case.language for case in cases}))
    note = f"{languages}: {str(ours).splitlines()[0]}; npm {edit_corpus.PEER} {edit_corpus.PEER_VERSION}, which takes no target: {peer}"
    report("booster.edit_corpus_correct", ours.correct_percent / 100, len(cases), note)


def _measure_memory(report: Report, program: Program, sources: Sequence[str]) -> None:
    """Of the memory that an instance took, how much it has used by the end of its batches."""
    with Sandbox(program) as sandbox:
        shares = []
        for batch in _batch([source.encode() for source in sources[:1_000]]):
            sandbox.run("code.outline", batch, tiers=Tier.TREE)
            shares.append(100 * sandbox.measure_used_bytes() / sandbox.memory_bytes)
        taken = sandbox.memory_bytes / 2**20
    note = f"used of the memory taken, at the end of the last of {len(shares)} batches; least {min(shares):.0f}; it took {taken:.1f} MB"
    report("booster.memory_efficiency", shares[-1], len(shares), note)
