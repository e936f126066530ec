"""Embeddings: what makes vectors of texts, and the one that is built in.

Owner: nobody; pure. The built-in embedder hashes words, pairs of words and parts of words into 384 signed buckets: it finds
other forms of the same words without a model or a network, and knows nothing of meaning (a synonym is another word to it).
One that does comes as a plug-in with the same three members. Needs numpy (extra `vectors`), loaded at first use.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable
from zlib import crc32

from engine.model.errors import ConfigError, FleetError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

DIMENSIONS = 384
TEXT_MAX = 16_384
"""Characters of a text that the built-in embedder reads; what follows changes little."""

_WORD = re.compile(r"\w+")
_PAIR_WEIGHT = 0.7
_PART_WEIGHT = 0.35
_PART_LENGTHS = (3, 4)


@runtime_checkable
class Embedder(Protocol):
    """Makes vectors of texts. May block: it is called in a thread."""

    name: str
    """Vectors of embedders with different names are never compared."""
    dimensions: int

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Give a matrix: texts x dimensions."""
        ...


class VectorsUnavailable(FleetError):
    """The package that vectors need is not installed."""

    code = "vectors"


class HashingEmbedder:
    """Signed feature hashing (Weinberger et al. 2009), normalised."""

    name = "hashing-384"
    dimensions = DIMENSIONS

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Give a vector a text; a text without a word gives zeros."""
        np = load_numpy()
        matrix = np.zeros((len(texts), DIMENSIONS), np.float32)
        for row, text in enumerate(texts):
            places, weights = _features(text[:TEXT_MAX])
            matrix[row] = np.bincount(places, weights, DIMENSIONS)
        return normalised(matrix)


def load_numpy() -> Any:  # noqa: ANN401  # a module
    """Give numpy. Raises VectorsUnavailable."""
    try:
        import numpy as np
    except ImportError as error:
        raise VectorsUnavailable("search by likeness needs one more package: pip install 'fleet-tui[vectors]'") from error
    return np


def normalised(matrix: Vectors) -> Vectors:
    """Give every row the length 1; a row of zeros stays."""
    np = load_numpy()
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    unit: Vectors = np.divide(matrix, lengths, out=np.zeros_like(matrix), where=lengths > 0)
    return unit


def embedder_of(name: str) -> Embedder:
    """Give the built-in embedder for an empty name, else the plug-in `module:factory`. Raises ConfigError."""
    if not name:
        return HashingEmbedder()
    module, _, factory = name.partition(":")
    try:
        made = getattr(importlib.import_module(module), factory)()
    except Exception as error:  # a plug-in may raise what it likes
        raise ConfigError(f"memory.embedder {name!r} cannot be made ({type(error).__name__}: {error}): name it as module:factory") from error
    if not isinstance(made, Embedder):
        raise ConfigError(f"memory.embedder {name!r} is no embedder: it needs name, dimensions and embed(texts)")
    return made


def _features(text: str) -> tuple[list[int], list[float]]:
    """Give the buckets of a text's words, their parts and their pairs, with the signed weight of each."""
    words = _WORD.findall(text.lower())
    places, weights = list[int](), list[float]()
    for word in words:
        its_places, its_weights = _features_of(word)
        places += its_places
        weights += its_weights
    for first, second in pairwise(words):
        place, weight = _bucket(f"{first}_{second}", _PAIR_WEIGHT)
        places.append(place)
        weights.append(weight)
    return places, weights


@lru_cache(maxsize=50_000)
def _features_of(word: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Give the buckets of a word and its parts; texts repeat their words."""
    marked = f"<{word[:64]}>"
    parts = (marked[start : start + length] for length in _PART_LENGTHS for start in range(len(marked) - length + 1))
    places, weights = zip(_bucket(word, 1.0), *(_bucket(part, _PART_WEIGHT) for part in parts), strict=True)
    return places, weights


def _bucket(feature: str, weight: float) -> tuple[int, float]:
    number = crc32(feature.encode("utf-8", "replace"))
    return number % DIMENSIONS, weight if number >> 31 else -weight
