"""Search in memory: vectors of 384 dimensions by likeness, and entries of 1 KB by words, of 10,000 and of 100,000 entries.

Words are drawn by Zipf's law from 50,000, as texts have them; queries name one to three of them, common ones too.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from itertools import accumulate
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
from engine.memory.embedding import DIMENSIONS, HashingEmbedder
from engine.memory.index import Document, Index
from engine.memory.vectors import Matrix
from engine.model.memory import EntryId

ROWS = {
    "memory.vector_10k_ms": "ms",
    "memory.vector_100k_ms": "ms",
    "memory.words_10k_p95_ms": "ms",
    "memory.words_100k_p95_ms": "ms",
    "memory.indexed_per_s": "1/s",
    "memory.embed_ms": "ms",
}
SIZES = {"10k": 10_000, "100k": 100_000}
RUNS = 200
LIMIT = 20
VOCABULARY = 50_000
WORDS_A_VALUE = 150
SEED = 1


def measure(report: Callable[[str, float, int, str], None]) -> None:
    """Report each row."""
    texts = Texts()
    for name, count in SIZES.items():
        report(f"memory.vector_{name}_ms", _vectors_ms(count), RUNS, f"median of the best {LIMIT} of {count} random vectors x {DIMENSIONS}, exact")
    for name, count in SIZES.items():
        with tempfile.TemporaryDirectory() as folder, closing(Index(Path(folder) / "search.db")) as index:
            seconds = _fill(index, texts, count)
            report(f"memory.words_{name}_p95_ms", _words_p95_ms(index, texts), RUNS, f"best {LIMIT} of {count} entries of 1 KB by one to three words")
        if name == "100k":
            report("memory.indexed_per_s", count / seconds, 1, "entries of 1 KB taken into the index of words, on disk")
    values = [texts.value() for _ in range(100)]
    embedder = HashingEmbedder()
    embedder.embed(values)
    started = time.perf_counter()
    embedder.embed(values)
    report("memory.embed_ms", 1e3 * (time.perf_counter() - started) / len(values), len(values), "a text of 1 KB by the built-in embedder")


class Texts:
    """Texts of words whose shares follow Zipf's law."""

    def __init__(self) -> None:
        self._chance = random.Random(SEED)
        letters = "abcdefghijklmnopqrstuvwxyz"
        self._words = ["".join(self._chance.choices(letters, k=self._chance.randint(3, 9))) for _ in range(VOCABULARY)]
        self._shares = list(accumulate(1 / rank for rank in range(1, VOCABULARY + 1)))

    def value(self) -> str:
        """Give about 1 KB."""
        return " ".join(self._draw(WORDS_A_VALUE))

    def query(self) -> str:
        """Give one to three words."""
        return " ".join(self._draw(self._chance.randint(1, 3)))

    def _draw(self, count: int) -> list[str]:
        return self._chance.choices(self._words, cum_weights=self._shares, k=count)


def _vectors_ms(count: int) -> float:
    draw = np.random.default_rng(SEED)
    matrix = Matrix(DIMENSIONS)
    matrix.put(range(count), draw.standard_normal((count, DIMENSIONS), dtype=np.float32))
    return 1e3 * median(_timed(lambda query: matrix.nearest(query, LIMIT), [draw.standard_normal(DIMENSIONS, dtype=np.float32) for _ in range(RUNS)]))


def _words_p95_ms(index: Index, texts: Texts) -> float:
    return 1e3 * quantiles(_timed(lambda query: index.by_words(query, LIMIT, list), [texts.query() for _ in range(RUNS)]), n=20)[-1]


def _fill(index: Index, texts: Texts, count: int) -> float:
    """Take in entries by the thousand and give the seconds that it took, their making left out."""
    seconds = 0.0
    for start in range(0, count, 1_000):
        documents = [Document(EntryId("default", f"agt_{number % 100}", f"key-{number}"), "", texts.value()) for number in range(start, start + 1_000)]
        started = time.perf_counter()
        index.update(documents, [])
        seconds += time.perf_counter() - started
    return seconds


def _timed(ask: Callable[[Any], object], queries: Iterable[Any]) -> list[float]:
    seconds = []
    for query in queries:
        started = time.perf_counter()
        ask(query)
        seconds.append(time.perf_counter() - started)
    return seconds
