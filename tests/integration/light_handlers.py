"""Handlers that light workers import in the tests: well-behaved, slow, loud, stubborn and deadly ones."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

Payload = dict[str, object]


def describe(type_: str, payload: Payload) -> Payload:
    return {"type": type_, "payload": payload, "pid": os.getpid(), "path": sys.path}


def abort(_type: str, _payload: Payload) -> Payload:
    os.abort()


def kill(_type: str, payload: Payload) -> Payload:
    if payload.get("deadly", True):
        os.kill(os.getpid(), signal.SIGKILL)
    return {}


def leave_child(_type: str, _payload: Payload) -> Payload:
    """Die, but leave a forked child that holds the link open, in a session of its own."""
    if os.fork() == 0:
        os.setsid()
        time.sleep(30)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def fork_and_return(_type: str, _payload: Payload) -> Payload:
    """Return twice: in the worker, and in a child that must not answer for it."""
    return {"pid": os.getpid() if os.fork() else -1}


def start_program(_type: str, payload: Payload) -> Payload:
    """Die while a program that it started goes on."""
    child = subprocess.Popen(["sleep", "60"])
    Path(str(payload["file"])).write_text(str(child.pid))
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def loop_forever(_type: str, _payload: Payload) -> Payload:
    number = 0
    while True:
        number += 1


def loop_through_errors(_type: str, _payload: Payload) -> Payload:
    while True:
        with contextlib.suppress(Exception):
            sum(range(1000))
            raise ValueError


def refuse_to_stop(_type: str, _payload: Payload) -> Payload:
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(60)


def block_in_c(_type: str, _payload: Payload) -> Payload:
    time.sleep(60)
    return {}


def hold_lock(_type: str, _payload: Payload) -> Payload:
    """Hold the interpreter lock in C, busy."""
    return {"sum": sum(range(10**11))}


def hang_in_c(_type: str, payload: Payload) -> Payload:
    """Hold the interpreter lock in C, without using the CPU."""
    ctypes.PyDLL(None).sleep(int(str(payload.get("seconds", 60))))
    return {}


def work(_type: str, payload: Payload) -> Payload:
    """Be busy in Python for some seconds."""
    until = time.monotonic() + float(str(payload["seconds"]))
    while time.monotonic() < until:
        pass
    return {}


def fail(_type: str, payload: Payload) -> Payload:
    raise LookupError(payload.get("text", "nothing there"))


def fail_unprintably(_type: str, _payload: Payload) -> Payload:
    class Bad(Exception):
        def __str__(self) -> str:
            raise RuntimeError("not even that")

    raise Bad


def recurse(type_: str, payload: Payload) -> Payload:
    return recurse(type_, payload)


def exhaust(_type: str, _payload: Payload) -> Payload:
    raise MemoryError


def leave(_type: str, _payload: Payload) -> Payload:
    sys.exit("good bye")


def give_object(_type: str, _payload: Payload) -> Payload:
    return {"thread": threading.Lock()}


def give_list(_type: str, _payload: Payload) -> list[int]:
    return [1, 2, 3]


def give_text(_type: str, payload: Payload) -> Payload:
    return {"text": "x" * int(str(payload["chars"])), "lines": 7, "nested": {"a": 1}, "name": "n" * 300}


def shout(_type: str, payload: Payload) -> Payload:
    for number in range(int(str(payload["lines"]))):
        print("a line that nobody should see on a terminal", number)
    print("to the other stream", file=sys.stderr)
    os.write(1, b"past sys.stdout\n")
    subprocess.run(["echo", "from a program"], check=True)
    return {"encoding": sys.stdout.encoding}


async def nap(_type: str, payload: Payload) -> Payload:
    await asyncio.sleep(float(str(payload["seconds"])))
    return {"napped": True}


async def nap_on(_type: str, _payload: Payload) -> Payload:
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)


async def cancel_itself(_type: str, _payload: Payload) -> Payload:
    raise asyncio.CancelledError("on its own")


async def leave_async(_type: str, _payload: Payload) -> Payload:
    sys.exit(3)


async def kill_async(_type: str, _payload: Payload) -> Payload:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


class Napper:
    async def __call__(self, _type: str, _payload: Payload) -> Payload:
        await asyncio.sleep(0)
        return {"object": True}


napper = Napper()
not_a_function = 7


def answer_badly(_type: str, payload: Payload) -> object:
    """Return or raise what no JSON is, as the payload says."""
    nested: list[object] = []
    for _ in range(int(str(payload.get("levels", 0)))):
        nested = [nested]
    cycle: list[object] = []
    cycle.append(cycle)
    answers: dict[str, object] = {
        "nan": {"loss": float("nan"), "best": float("inf")},
        "bytes": {"data": b"\x00\xff", "view": memoryview(b"ab")},
        "object": {"x": object()},
        "surrogate": {"x": "\udc80"},
        "nested": nested,
        "cycle": cycle,
        "key": {(1, 2): 3},
        "number": 1 << 20_000,
    }
    if payload["how"] == "raise":
        raise LookupError("lone \udc80 \0 text")
    return answers[str(payload["how"])]
