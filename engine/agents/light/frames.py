"""Frames between the engine and a light worker: a length, a kind, and a body in MessagePack.

Owner: each end owns its socket; a `FrameDecoder` keeps at most one unfinished frame (`FRAME_MAX_BYTES`).
Light: the worker imports it, so nothing here may import the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from struct import Struct

import msgspec

FRAME_MAX_BYTES = 64 << 20
PAGE_BYTES = 16
"""Shared memory of one worker: number of the job it is in (unsigned, 8 bytes), instant it began (double)."""

_HEADER = Struct("<IB")


class FrameError(Exception):
    """The other end sent something that is no frame."""


class FrameKind(IntEnum):
    """What a frame holds; the first three go to the worker, the others to the engine."""

    JOBS = 1
    """A list of Job."""
    STOP = 2
    """A list of (task, token)."""
    LOAD = 3
    """The name of a handler that is to be imported."""
    READY = 4
    """Nothing: the worker takes jobs now."""
    BEAT = 5
    """A Beat."""
    RESULTS = 6
    """(began, ended, artifacts), see `engine.agents.light.link.Results`."""
    LOADED = 7
    """A Loaded."""
    WORD = 8
    """To the worker: a word for its resident."""


class Job(msgspec.Struct, array_like=True):
    """One attempt at a task, as it travels."""

    number: int
    """Counts the jobs of one worker, from 1; names the job in the shared page."""
    task: str
    token: int
    handler: str
    """`module:function`, or empty for the built-in types."""
    type: str
    payload: dict[str, object]
    workspace: str = ""
    apply: bool = False
    inputs: dict[str, object] | None = None
    agent: str = ""
    """Whose job it is; told to workers with a resident only."""
    timeout_s: float = 0.0
    """The task's own limit, told as the agent is; 0 = none."""
    module: str = ""
    """SHA-256 of the operator's module that does it, told as the agent is; empty = none."""
    agent_token: str = ""
    """With which its handler acts as its agent; empty = nothing of it speaks to the engine."""


class WorkerOptions(msgspec.Struct):
    """What a worker is told on its command line."""

    link_fd: int
    page_fd: int
    parent: int
    """Process id of the engine; the worker ends at once if that is not its parent."""
    clock_offset_s: float
    """Fleet clock minus CLOCK_MONOTONIC, which all processes of a machine share."""
    heartbeat_interval_s: float
    inline_result_max_bytes: int
    log_fd: int
    """Open for appending. What programs and C code print goes to the engine first, by standard output and error."""
    log_max_bytes: int
    resident: str = ""
    """`module:function` that makes what does all jobs of the worker; empty = handlers do."""
    resident_options: dict[str, object] = {}


class Beat(msgspec.Struct, array_like=True):
    """A sign of life."""

    task: str
    """Task that the main thread is in; empty = none."""
    elapsed_s: float
    waiting: int
    """Jobs that have not begun."""
    figures: dict[str, object] | None = None
    """What the resident tells, if that has changed."""


class Loaded(msgspec.Struct, array_like=True):
    """A handler is being imported, or has been; `error` says why it cannot be."""

    handler: str
    is_done: bool
    error: str = ""


class Ended(msgspec.Struct, omit_defaults=True):
    """The end of an attempt; its fields are those of `engine.model.tasks.Outcome`, as which the engine reads it."""

    task: str
    token: int
    ok: bool
    result: dict[str, object] = {}
    artifact: str = ""
    error_kind: str = ""
    error: str = ""
    retryable: bool = True
    started_at: float = 0.0
    ended_at: float = 0.0


class LargeResult(msgspec.Struct):
    """A result stored by its hash; its fields are those of `engine.agents.runtime.Artifact`."""

    id: str
    media: str
    data: bytes
    task: str


_encoder = msgspec.msgpack.Encoder()


def encode_frame(kind: FrameKind, body: object = None) -> bytes:
    """Return the bytes of a frame. Raises what msgspec raises, and ValueError when it is larger than a frame may be."""
    data = _encoder.encode(body)
    if len(data) > FRAME_MAX_BYTES:
        raise ValueError(f"{len(data)} bytes; at most {FRAME_MAX_BYTES} can be passed to a worker")
    return _HEADER.pack(len(data), kind) + data


class FrameDecoder:
    """Bytes in, whole frames out."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Add what was received and yield each frame that is whole now: kind and body. Raises FrameError."""
        self._data += data
        start, size = 0, len(self._data)
        while size - start >= _HEADER.size:
            length, kind = _HEADER.unpack_from(self._data, start)
            if length > FRAME_MAX_BYTES:
                raise FrameError(f"a frame of {length} bytes")
            end = start + _HEADER.size + length
            if size < end:
                break
            yield kind, bytes(self._data[start + _HEADER.size : end])
            start = end
        del self._data[:start]
