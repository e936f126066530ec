"""Broken inputs against the module, in several processes: what may come back, and what may never happen.

`python -m tests.integration.booster_fuzz --seed 7 --inputs 100000 --processes 2` runs it from a shell; a process that dies,
hangs or grows fails the run. What failed is told with its seed, and the smallest part of the batch that fails alone.
"""

from __future__ import annotations

import argparse
import gc
import random
import re
import sys
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

import psutil
from engine.booster.failures import BadAnswer, OutOfMemory, SandboxFailure, StackOverflow
from engine.booster.module import find_module
from engine.booster.records import (
    Answer,
    File,
    Language,
    Operation,
    Status,
    Tier,
    decode_answer,
    encode_request,
)
from engine.booster.sandbox import MEMORY_MAX_BYTES, Machine, Program, Sandbox

from tests.integration.booster_mutants import (
    FRAGMENTS,
    Corpus,
    cut_off,
    load_corpus,
    put_broken,
    put_fragments,
)

BATCH_FILES = 40
TIMEOUT_S = 30.0
HANG_S = 3_600.0
GROWTH_MAX_BYTES = 64 * 1024 * 1024
"""What a process may grow by after a quarter of its share: Python's own heap breathes."""
RENEW_BYTES = 64 * 1024 * 1024
LANGUAGES = {"python": Language.PYTHON, "javascript": Language.JAVASCRIPT, "typescript": Language.TYPESCRIPT, "tsx": Language.TSX}
WORDS = (b"name", b"self", b"x", b"print", b"os.path.join", b"console.log", b"__debug__", b"annotations", b"class", b"", b"1", b"a b", b"(identifier) @a")
QUERIES = (
    b"(identifier) @a", b"(_) @a", b"(_ (_) @a (_) @b)", b"((identifier) @a (#eq? @a \"x\"))", b"(ERROR) @a", b"(MISSING) @a", b"(call_expression) @a",
    b"(_ . (_)+ @a .) @b", b"[(string) (number)] @a", b"(a", b"(nonsense) @a", b"(_)" * 300 + b"@a", b"(" * 300, b"((_ (_)* @a) (#match? @a \"(\"))",
)  # fmt: skip


@dataclass
class Report:
    """What a process did."""

    inputs: int = 0
    requests: int = 0
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    compiled: int = 0
    slowest_s: float = 0.0
    memory_bytes: int = 0
    growth_bytes: int = 0

    def add(self, other: Report) -> None:
        self.inputs += other.inputs
        self.requests += other.requests
        self.answers += other.answers
        self.failures += other.failures
        self.compiled += other.compiled
        self.slowest_s = max(self.slowest_s, other.slowest_s)
        self.memory_bytes = max(self.memory_bytes, other.memory_bytes)
        self.growth_bytes = max(self.growth_bytes, other.growth_bytes)

    def __str__(self) -> str:
        rows = [f"{operation} {status}: {count:,}" for (operation, status), count in sorted(self.answers.items())]
        return (
            f"{self.inputs:,} inputs and {self.requests:,} broken requests; edits compiled: {self.compiled:,}; failures: {dict(self.failures)}; slowest "
            f"batch {self.slowest_s:.2f} s; an instance took {self.memory_bytes / 2**20:.1f} MB, a process grew by {self.growth_bytes / 2**20:.1f} MB\n"
        ) + "\n".join(rows)


class Fuzz:
    """One process's share of a run."""

    def __init__(self, program: Program, corpus: Corpus, seed: str) -> None:
        self._program = program
        self._corpus = corpus
        self._seed = seed
        self._sandbox = Sandbox(program)
        self.report = Report()

    def run(self, inputs: int) -> Report:
        """Do so many inputs."""
        process, before, number = psutil.Process(), 0, 0
        while self.report.inputs < inputs:
            chance = random.Random(f"{self._seed}/{number}")
            self._run_batch(chance, number)
            if number % 4 == 3:
                self._run_broken_request(chance, number)
            number += 1
            if not before and self.report.inputs >= inputs / 4:
                before = self._measure(process)
        self.report.growth_bytes = self._measure(process) - before
        self._sandbox.close()
        return self.report

    def _measure(self, process: psutil.Process) -> int:
        """What the process holds beside an instance."""
        self._renew()
        gc.collect()
        return process.memory_info().rss

    def _renew(self) -> None:
        self._sandbox.close()
        self._sandbox = Sandbox(self._program)

    def _run_batch(self, chance: random.Random, number: int) -> None:
        operation, request, files, arguments, tiers = self._make_batch(chance)
        began = time.monotonic()
        try:
            data = self._sandbox._call(operation.code, request, TIMEOUT_S)
            answers = decode_answer(data, len(files), self._program.description.encoding)
            for file, answer in zip(files, answers, strict=True):
                self._check(operation, file, answer)
            if number % 5 == 0:
                self._check_tiers(self._sandbox, operation, files, arguments)
            if number % 20 == 0:
                self._check_alone(operation, files, answers, arguments, tiers)
        except (SandboxFailure, AssertionError) as error:
            culprit = self._find_culprit(operation, files, arguments, tiers)
            if culprit:
                story = f"batch {self._seed}/{number} of corpus {self._corpus.version}: {operation.name} {arguments!r} tiers {tiers}: {error!r} {culprit}"
                raise AssertionError(story) from error
            answers = []
            self._renew()
        self.report.slowest_s = max(self.report.slowest_s, time.monotonic() - began)
        self.report.inputs += len(files)
        self.report.memory_bytes = max(self.report.memory_bytes, self._sandbox.memory_bytes)
        if self._sandbox.memory_bytes > RENEW_BYTES:
            self._renew()
        if operation.edits and answers:
            self._check_compiles(files, answers)

    def _make_batch(self, chance: random.Random) -> tuple[Operation, bytes, list[File], list[bytes], int]:
        operation = chance.choice(self._program.description.operations)
        known = [LANGUAGES[language] for language in operation.languages]
        files = [self._corpus.choose_file(chance, known) for _ in range(chance.randint(1, 2 * BATCH_FILES))]
        arguments = [self._choose_argument(chance, name, files) for name in operation.arguments]
        tiers = chance.choices((3, 1, 2, 0, 2**32 - 1), (80, 8, 8, 2, 2))[0]
        return operation, encode_request(files, arguments, tiers), files, arguments, tiers

    def _choose_argument(self, chance: random.Random, name: str, files: Sequence[File]) -> bytes:
        """A word of the files, so that there is something to do; or anything."""
        if name in ("attributes", "every", "named"):
            return chance.choice((b"", b"1"))
        if name.startswith("max_"):
            return chance.choice((b"0", b"1", b"100", b"10000", b"4294967295", b"4294967296", b"-1", b"x", b""))
        if name == "query" and chance.random() < 0.7:
            return chance.choice(QUERIES)
        words = chance.choice(files).data.replace(b"(", b" ").split()
        kind = chance.random()
        if words and kind < 0.75:
            word = chance.choice(words)
            return word.strip(b"()[]{}:;,.'\"") if kind < 0.6 else put_fragments(chance, word)
        if kind < 0.85:
            return chance.choice(WORDS)
        if kind < 0.95:
            return cut_off(chance, chance.choice(files).data)
        return put_broken(chance, chance.choice(FRAGMENTS))

    def _check(self, operation: Operation, file: File, answer: Answer) -> None:
        value = answer.value
        self.report.answers[operation.name, answer.status.name] += 1
        is_text = _is_text(file.data)
        if answer.status is not Status.DONE:
            assert set(value) == {"reason", "line", "column"}, value
            assert value["reason"], value
        if answer.status in (Status.UNSURE, Status.REFUSED):  # what is wrong with a request has its place in an argument
            lines = file.data.count(b"\n") + file.data.count(b"\r") + file.data.count(b"\f") + 1
            assert value["line"] is None or 1 <= value["line"] <= lines, value
            assert value["column"] is None or 0 <= value["column"] <= len(file.data), value
        assert (value.get("reason") == "the text is no UTF-8") == (not is_text and answer.status is Status.UNSURE), (is_text, value)
        assert is_text or answer.status in (Status.UNSURE, Status.BAD_REQUEST), answer.status
        assert (answer.status is Status.DONE) <= (answer.tier in (Tier.LEXICAL, Tier.TREE)), answer.tier
        if answer.status is Status.DONE and operation.edits:
            apply(file.data, value)

    def _check_tiers(self, sandbox: Sandbox, operation: Operation, files: Sequence[File], arguments: list[bytes]) -> None:
        """Where tokens and tree both have an answer, it is the same."""
        found = []
        for tier in (Tier.LEXICAL, Tier.TREE):
            data = sandbox._call(operation.code, encode_request(files, arguments, tier), TIMEOUT_S)
            found.append(decode_answer(data, len(files), self._program.description.encoding))
        for by_tokens, by_tree in zip(*found, strict=True):
            if by_tokens.status is by_tree.status is Status.DONE:
                self.report.answers[operation.name, "by both tiers"] += 1
                assert by_tokens.payload == by_tree.payload, "the tiers differ"

    def _check_alone(self, operation: Operation, files: Sequence[File], answers: Sequence[Answer], arguments: list[bytes], tiers: int) -> None:
        """A fresh instance says the same of a file, whatever came before."""
        at = len(files) // 2
        with Sandbox(self._program) as fresh:
            data = fresh._call(operation.code, encode_request([files[at]], arguments, tiers), TIMEOUT_S)
        (alone,) = decode_answer(data, 1, self._program.description.encoding)
        assert alone == answers[at], f"alone it says {alone}"

    def _check_compiles(self, files: Sequence[File], answers: Sequence[Answer]) -> None:
        """What compiled still does, for a Python that knows all of it."""
        for file, answer in zip(files, answers, strict=True):
            if answer.status is not Status.DONE or file.language != Language.PYTHON or len(file.data) > 4_000 or not _compiles(file.data):
                continue
            after = apply(file.data, answer.value)
            assert after == file.data or _compiles(after), (file, after)
            self.report.compiled += 1

    def _find_culprit(self, operation: Operation, files: Sequence[File], arguments: list[bytes], tiers: int) -> str:
        """Name the first file that fails alone; nothing if all that failed is what scripts nested too deep may do."""
        too_deep = 0
        for file in files:
            with Sandbox(self._program) as fresh:
                try:
                    data = fresh._call(operation.code, encode_request([file], arguments, tiers), TIMEOUT_S)
                    (answer,) = decode_answer(data, 1, self._program.description.encoding)
                    self._check(operation, file, answer)
                    self._check_tiers(fresh, operation, [file], arguments)
                except (StackOverflow, OutOfMemory) as error:
                    if file.language == Language.PYTHON or not is_deep(file.data):
                        return f"alone: {error!r}: {file!r:.4000}"
                    too_deep += 1
                except (SandboxFailure, AssertionError) as error:
                    return f"alone: {error!r}: {file!r:.4000}"
        self.report.failures["scripts nested too deep"] += too_deep
        return "" if too_deep else "no file fails alone"

    def _run_broken_request(self, chance: random.Random, number: int) -> None:
        """A request with wrong lengths and counts: answers, or an answer of no bytes; the instance goes on."""
        operation, request, files, _, _ = self._make_batch(chance)
        broken = break_request(chance, request, len(files))
        self.report.requests += 1
        try:
            data = self._sandbox._call(operation.code if chance.random() < 0.9 else chance.getrandbits(32), broken, TIMEOUT_S)
            told = int.from_bytes(data[:4], "little")
            for answer in decode_answer(data, told if told < 2**20 else 0, self._program.description.encoding):
                assert isinstance(answer.value, dict)
        except BadAnswer:
            self.report.failures["bad answer to a broken request"] += 1
        except SandboxFailure as error:
            if isinstance(error, StackOverflow | OutOfMemory) and is_deep(broken):
                self.report.failures["scripts nested too deep"] += 1
                self._renew()
                return
            raise AssertionError(f"request {self._seed}/{number} of corpus {self._corpus.version}: {error!r}: {broken!r:.4000}") from error
        assert not self._sandbox.is_lost


def break_request(chance: random.Random, request: bytes, files: int) -> bytes:
    """The same with a wrong number, or cut off."""
    kind = chance.randrange(5)
    if kind == 0:
        return request[: chance.randint(0, len(request))]
    number = chance.choice((0, 1, 2, 3, 5, files - 1, files + 1, 2**16, 2**31 - 1, 2**31, 2**32 - 5, 2**32 - 4, 2**32 - 1)).to_bytes(4, "little", signed=False)
    at = chance.choice((0, 4, 8, 12)) if kind < 3 else 4 * chance.randrange(len(request) // 4)
    broken = request[:at] + number + request[at + 4 :]
    return broken + chance.randbytes(chance.randint(0, 9)) if kind == 4 else broken


def is_deep(data: bytes) -> bool:
    """Does something short stand there a thousand times in a row?

    The core of tree-sitter merges its stacks by recursion, and keeps what they hold: of 5,000 tags that are not closed its own
    wheel makes 650 MB.
    """
    return bool(re.search(rb"(?s)(.{1,12}?)\1{999}", data))


def apply(data: bytes, value: dict[str, object]) -> bytes:
    """Give the edited file; its splices must be in order, inside, apart and on whole letters."""
    pieces, at = [], 0
    splices = value["splices"]
    assert isinstance(splices, list)
    for start, end, text in splices:
        assert at <= start <= end <= len(data), (start, end, at)
        pieces += [data[at:start], text.encode()]
        at = end
    after = b"".join([*pieces, data[at:]])
    assert _is_text(after), value
    count = value["count"]
    assert isinstance(count, int)
    assert count >= 0
    return after


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _compiles(data: bytes) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(data, "fuzz", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
            return False
    return True


def run_share(seed: str, inputs: int) -> Report:
    """What each process does."""
    with Machine() as machine:
        return Fuzz(machine.load(find_module()), load_corpus(), seed).run(inputs)


def run(seed: str, inputs: int, processes: int) -> Report:
    """Share a run out to processes; one that dies or hangs is an error here."""
    total = Report()
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        shares = [pool.submit(run_share, f"{seed}.{share}", -(-inputs // processes)) for share in range(processes)]
        for share in shares:
            total.add(share.result(timeout=HANG_S))
    assert total.memory_bytes <= MEMORY_MAX_BYTES, total
    assert total.growth_bytes < GROWTH_MAX_BYTES, total
    return total


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description="Broken inputs against the booster's module.")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--batch", help="one batch again, as a failure names it: 1.0/17")
    given = parser.parse_args(words)
    began = time.monotonic()
    if given.batch:
        seed, _, number = given.batch.partition("/")
        with Machine() as machine:
            fuzz = Fuzz(machine.load(find_module()), load_corpus(), seed)
            fuzz._run_batch(random.Random(given.batch), int(number))
        print(fuzz.report)
        return
    report = run(given.seed, given.inputs, given.processes)
    print(f"seed {given.seed}, {time.monotonic() - began:.0f} s: {report}")


if __name__ == "__main__":
    main(sys.argv[1:])
