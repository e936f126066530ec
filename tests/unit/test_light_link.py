"""Frames to and from a light worker: cut anywhere, held back when the socket is full, refused when they cannot go."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from engine.agents.light import frames, link
from engine.agents.light.frames import (
    Beat,
    Ended,
    FrameDecoder,
    FrameError,
    FrameKind,
    Job,
    LargeResult,
    encode_frame,
)
from engine.agents.light.link import WorkerLink
from engine.agents.light.process import describe_end
from engine.agents.runtime import Artifact
from engine.model.ids import TaskId
from engine.model.tasks import Outcome


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.calls: list[tuple] = []

    def heard(self) -> None:
        pass

    def ready(self) -> None:
        self.calls.append(("ready",))

    def beat(self, beat: Beat) -> None:
        self.calls.append(("beat", beat))

    def results(self, *results) -> None:
        self.calls.append(("results", *results))

    def refused(self, job: Job, reason: str) -> None:
        self.calls.append(("refused", job.number, reason))

    def closed(self, reason: str) -> None:
        self.calls.append(("closed", reason))


class Socket(asyncio.Transport):
    """A transport that keeps what is written and fills up when told to."""

    def __init__(self, protocol: WorkerLink) -> None:
        super().__init__()
        self.protocol = protocol
        self.decoder = FrameDecoder()
        self.frames: list[tuple[int, object]] = []
        self.fills_up = False
        self.aborted = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high == link.WRITE_BUFFER_MAX_BYTES

    def write(self, data: bytes) -> None:
        self.frames += [(kind, msgspec.msgpack.decode(body)) for kind, body in self.decoder.feed(data)]
        if self.fills_up:
            self.protocol.pause_writing()

    def abort(self) -> None:
        self.aborted = True

    def jobs(self) -> list[list[int]]:
        """Return the numbers of the jobs in each frame."""
        return [[job[0] for job in body] for kind, body in self.frames if kind == FrameKind.JOBS]


def connect() -> tuple[WorkerLink, Heard, Socket]:
    heard = Heard()
    worker = WorkerLink(heard)
    socket = Socket(worker)
    worker.connection_made(socket)
    return worker, heard, socket


def jobs(first: int, count: int, payload: object = 1) -> list[Job]:
    return [Job(number, f"tsk_{number}", 1, "", "noop", {"a": payload}) for number in range(first, first + count)]


def test_frames_cut_anywhere_come_out_whole() -> None:
    stream = b"".join(encode_frame(FrameKind.STOP, [[f"tsk_{number}", number]]) for number in range(5))
    for size in (1, 3, 7, len(stream)):
        decoder = FrameDecoder()
        found = [frame for start in range(0, len(stream), size) for frame in decoder.feed(stream[start : start + size])]
        assert [(kind, msgspec.msgpack.decode(body)) for kind, body in found] == [(2, [[f"tsk_{number}", number]]) for number in range(5)]


def test_frame_that_claims_to_be_endless_is_refused() -> None:
    with pytest.raises(FrameError):
        list(FrameDecoder().feed(b"\xff\xff\xff\xff\x01"))


def test_jobs_wait_while_the_socket_is_full_and_stops_never_overtake_them() -> None:
    worker, _, socket = connect()
    socket.fills_up = True
    worker.send_jobs(jobs(1, 300))
    assert [len(frame) for frame in socket.jobs()] == [link.JOBS_IN_FRAME_MAX]
    worker.send_stop([(TaskId("tsk_300"), 1)])
    worker.send_jobs(jobs(301, 1))
    socket.fills_up = False
    worker.resume_writing()
    assert [number for frame in socket.jobs() for number in frame] == list(range(1, 302))
    assert socket.frames[-1] == (FrameKind.STOP, [["tsk_300", 1]])


def test_what_is_sent_before_the_link_stands_goes_out_when_it_does() -> None:
    heard = Heard()
    worker = WorkerLink(heard)
    worker.send_jobs(jobs(1, 2))
    worker.abort()
    socket = Socket(worker)
    worker.connection_made(socket)
    assert socket.jobs() == [[1, 2]]


def test_one_job_that_cannot_be_encoded_does_not_hold_up_the_others() -> None:
    worker, heard, socket = connect()
    worker.send_jobs([*jobs(1, 2), *jobs(3, 1, payload=object()), *jobs(4, 1), *jobs(5, 1, payload=1 << 70), *jobs(6, 1)])
    worker.send_jobs(jobs(7, 2))
    assert [number for frame in socket.jobs() for number in frame] == [1, 2, 4, 6, 7, 8]
    assert [call[:2] for call in heard.calls] == [("refused", 3), ("refused", 5)]


def test_jobs_that_are_too_large_together_go_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "FRAME_MAX_BYTES", 1_000)
    worker, heard, socket = connect()
    worker.send_jobs([*jobs(1, 3, "x" * 600), *jobs(4, 1, "x" * 2_000), *jobs(5, 2)])
    assert [number for frame in socket.jobs() for number in frame] == [1, 2, 3, 5, 6]
    assert heard.calls[0][:2] == ("refused", 4)
    assert "at most 1000" in heard.calls[0][2]


def test_results_arrive_in_the_words_of_the_model_one_call_for_each_read() -> None:
    worker, heard, _ = connect()
    ended = Ended("tsk_1", 2, ok=False, error_kind="k", error="e", retryable=False, started_at=1.0, ended_at=2.5, result={"a": [1]})
    first = encode_frame(FrameKind.RESULTS, ([("tsk_2", 1, 7.5)], [ended], [LargeResult("hash", "application/json", b"{}", "tsk_1")]))
    second = encode_frame(FrameKind.RESULTS, ([], [Ended("tsk_3", 1, ok=True)], []))
    worker.data_received(encode_frame(FrameKind.READY) + first + second + encode_frame(FrameKind.BEAT, Beat("tsk_2", 0.5, 3)))
    outcome = Outcome(TaskId("tsk_1"), 2, ok=False, error_kind="k", error="e", retryable=False, started_at=1.0, ended_at=2.5, result={"a": [1]})
    assert heard.calls == [
        ("ready",),
        ("beat", Beat("tsk_2", 0.5, 3)),
        (
            "results",
            [("tsk_2", 1, 7.5)],
            [outcome, Outcome(TaskId("tsk_3"), 1, ok=True)],
            [Artifact("hash", "application/json", b"{}", TaskId("tsk_1"))],
        ),
    ]


def test_worker_that_talks_nonsense_is_given_up() -> None:
    worker, heard, socket = connect()
    worker.data_received(encode_frame(FrameKind.RESULTS, {"no": "results"}))
    assert socket.aborted
    worker.connection_lost(None)
    assert heard.calls[0][0] == "closed"
    assert "no frame" in heard.calls[0][1]


@pytest.mark.parametrize(
    ("status", "words"),
    [(0, "worker 7 ended with status 0"), (-9, "worker 7 was killed by SIGKILL"), (-63, "worker 7 was killed by signal 63")],
)
def test_ends_are_told_in_words(status: int, words: str) -> None:
    assert describe_end(7, status) == words
