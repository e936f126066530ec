"""Answers kept by what they are answers to: the same operation on the same bytes is not done twice.

Owner: of the answers of one worker, at most `max_bytes` of payloads and arguments; the one used longest ago goes first.
Only reads are kept. The reader of the worker's link may clear it while the main thread uses it.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from engine.booster.records import Answer, File, Status

CACHE_MAX_BYTES: Final = 32 * 1024 * 1024
_OVERHEAD_BYTES: Final = 200  # of an entry, beside its payload


class AnswerCache:
    """Answers by the hash of their question."""

    def __init__(self, max_bytes: int = CACHE_MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._rows: OrderedDict[bytes, Answer] = OrderedDict()
        self._lock = threading.Lock()
        self.bytes = 0
        self.hits = 0
        self.misses = 0

    def find(self, key: bytes) -> Answer | None:
        """Give the answer that is kept, or None; counts which it was."""
        with self._lock:
            answer = self._rows.get(key)
            if answer is None:
                self.misses += 1
                return None
            self.hits += 1
            self._rows.move_to_end(key)
            return answer

    def keep(self, key: bytes, answer: Answer) -> None:
        """Keep an answer, and forget others where there is no room; one larger than a quarter of all is not kept."""
        size = len(answer.payload) + _OVERHEAD_BYTES
        if size > self._max_bytes // 4:
            return
        with self._lock:
            if key in self._rows:
                return
            self._rows[key] = answer
            self.bytes += size
            while self.bytes > self._max_bytes:
                _, gone = self._rows.popitem(last=False)
                self.bytes -= len(gone.payload) + _OVERHEAD_BYTES

    def clear(self) -> None:
        """Forget all answers; the counts of hits and misses stay."""
        with self._lock:
            self._rows.clear()
            self.bytes = 0


class KeptAnswers:
    """What is asked in place of a sandbox: it gives an answer that is kept, or asks and keeps."""

    def __init__(self, cache: AnswerCache, run: Callable[..., list[Answer]], *, keeps: bool = True, of: str = "") -> None:
        """`of` tells modules apart that have an operation of the same name: the hash of one that is an operator's."""
        self._cache = cache
        self._run = run
        self._keeps = keeps
        self._of = of

    def run(self, operation: str, files: Sequence[File], arguments: Mapping[str, str | int] = MappingProxyType({}), *, timeout_s: float) -> list[Answer]:
        """Give the answer to one file."""
        if not self._keeps:
            return self._run(operation, files, arguments, timeout_s=timeout_s)
        (file,) = files
        key = key_of(f"{operation} {self._of}" if self._of else operation, file, arguments)
        kept = self._cache.find(key)
        if kept is not None:
            return [kept]
        (answer,) = self._run(operation, files, arguments, timeout_s=timeout_s)
        if answer.status is Status.DONE:
            self._cache.keep(key, answer)
        return [answer]


def key_of(operation: str, file: File, arguments: Mapping[str, str | int]) -> bytes:
    """Give the hash of a question."""
    head = repr((operation, int(file.language), sorted(arguments.items()))).encode(errors="surrogatepass")
    return hashlib.sha256(len(head).to_bytes(8, "little") + head + file.data).digest()
