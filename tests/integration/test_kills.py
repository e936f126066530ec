"""kill -9 of a whole engine at random points under load: every acknowledged write is there, none half-written, integrity ok.

The short run kills SHORT times; `KILL_SEED=7 make test-long ARGS=tests/integration/test_kills.py` kills 200 times.
"""

from __future__ import annotations

import json
import os
import random
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest
from engine.memory.checking import verify

from tests.integration.engines import until

ROOT = Path(__file__).parent.parent.parent
SEED = int(os.environ.get("KILL_SEED", "20261121"))
SHORT, LONG = 8, 25
FLEETS = 8
"""Times LONG: 200 kills, on states that stay small enough to be replayed after each."""
TOGETHER = 5
"""Tasks submitted at once: all of them are accepted, or none."""

ENGINE = """
import asyncio, os, sys
from pathlib import Path
from engine import SwarmMemory
from engine.fleet import FleetManager
from engine.model.task_commands import CancelTask, SubmitTask
from engine.model.pool_commands import PausePool, ScalePool, UnpausePool
from tests.bench.engines import POOL, light_config

life, folder = sys.argv[1], Path(sys.argv[2])

def tell(*words):
    os.write(1, (" ".join(words) + "\\n").encode())

async def submit(operator, writer):
    count = 0
    while True:
        count += 1
        name = f"{life}-{writer}-{count}"
        text = "x" * (5_000 if count % 3 == 0 else 5)  # a large result is an artifact
        payload = {"batch": name, "text": text}
        answer = await operator.execute([SubmitTask("echo", POOL, payload=payload)] * int(sys.argv[3]))
        tell("accepted", name, *map(str, answer.values))

async def steer(operator):
    while True:
        for size in ("4", "6"):
            answer = await operator.execute([ScalePool(POOL, size)], reason=f"{life}")
            tell("scaled", size, str(answer.seq))
            await operator.execute([PausePool(POOL)])
            await operator.execute([UnpausePool(POOL)])

async def remember(memory, writer):
    count = 0
    while True:
        count += 1
        key = f"{writer}-{count % 7}"
        text = "x" * (20_000 if count % 5 == 0 else 50)  # a large value is an artifact
        head = await memory.store(key, {"count": count, "text": text, "size": len(text)})
        pair = await memory.store_many([(f"{writer}-left", f"{life} {count}"), (f"{writer}-right", f"{life} {count}")])
        tell("remembered", key, str(head.version), f"{writer}-left", str(pair[0].version))

async def main():
    async with FleetManager(light_config(4), state_dir=folder) as fleet:
        fleet.on("task.succeeded", lambda record: tell("succeeded", *(outcome.task for outcome in record.event.outcomes)))
        operator = fleet.operator()
        tell("ready")
        async with asyncio.TaskGroup() as group:
            for writer in range(4):
                group.create_task(submit(operator, writer))
                group.create_task(remember(SwarmMemory(fleet=fleet), writer))
            group.create_task(steer(operator))

asyncio.run(main())
"""


class Fleet:
    """What an engine was heard to acknowledge over all of its lives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.batches: dict[str, list[str]] = {}
        self.succeeded: set[str] = set()
        self.remembered: dict[str, int] = {}
        """Key of an entry of memory -> the newest version that was acknowledged."""
        self.seq = 0

    def live(self, number: int, rng: random.Random) -> None:
        """Run one life and kill it: mostly under load, sometimes while it starts."""
        early = rng.random() < 0.15
        after_s = rng.uniform(0.05, 1.0)
        with _process(self.folder, number) as process:
            assert process.stdout is not None
            if not early and (first := process.stdout.readline()) != b"ready\n":
                raise AssertionError(f"life {number} did not start: {first!r}")
            _drain_for(process, after_s, heard := [])
            assert process.poll() is None, f"it ended by itself with {process.returncode}"
            process.send_signal(signal.SIGKILL)
            heard.append(process.stdout.read())
        for line in b"".join(heard).splitlines(keepends=True):
            if line.endswith(b"\n"):
                self._hear(line.decode().split())

    def _hear(self, words: list[str]) -> None:
        if words[0] == "accepted":
            self.batches[words[1]] = words[2:]
        elif words[0] == "succeeded":
            self.succeeded.update(words[1:])
        elif words[0] == "remembered":
            for key, version in zip(words[1::2], words[2::2], strict=True):
                self.remembered[key] = max(self.remembered.get(key, 0), int(version))
        elif words[0] == "scaled":
            self.seq = max(self.seq, int(words[2]))

    def check(self, *, whole: bool = False) -> int:
        """Check the database as the killed engine left it; return its newest record."""
        path = self.folder / "fleet.db"
        if not path.exists():  # killed before it made one
            assert not self.batches
            return 0
        verdict = verify(path, whole=whole)
        assert verdict.problems == ()
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            rows = database.execute("SELECT id, status, spec ->> '$.payload.batch', progress ->> '$.artifact' FROM tasks").fetchall()
            artifacts = {id_ for (id_,) in database.execute("SELECT id FROM artifacts")}
            self._check_memory(database)
        kept: dict[str, list[str]] = {}
        for id_, _, batch, _ in rows:
            kept.setdefault(batch, []).append(id_)
        halves = {batch: len(ids) for batch, ids in kept.items() if len(ids) != TOGETHER}
        assert not halves, f"half-written: {halves}"
        lost = [batch for batch, ids in self.batches.items() if sorted(kept.get(batch, ())) != sorted(ids)]
        assert not lost, f"acknowledged and lost: {lost[:5]} of {len(lost)}"
        states = {id_: state for id_, state, _, _ in rows}
        undone = [id_ for id_ in self.succeeded if states[id_] != "succeeded"]
        assert not undone, f"told as succeeded and {states[undone[0]]}: {undone[:5]}"
        missing = [id_ for id_, _, _, artifact in rows if artifact and artifact not in artifacts]
        assert not missing, f"the results of {missing[:5]} are nowhere"
        assert verdict.contents.last >= self.seq
        return verdict.contents.last


    def _check_memory(self, database: sqlite3.Connection) -> None:
        """Check that entries are as new as was acknowledged, whole, and that two of one commit are of one commit."""
        rows = database.execute("SELECT key, version, CAST(value AS TEXT), artifact FROM memory").fetchall()
        versions = {key: version for key, version, _, _ in rows}
        lost = {key: (version, versions.get(key)) for key, version in self.remembered.items() if versions.get(key, 0) < version}
        assert not lost, f"entries acknowledged and lost (acknowledged, kept): {lost}"
        contents = dict(database.execute("SELECT id, data FROM artifacts WHERE id IN (SELECT artifact FROM memory)"))
        values = {key: json.loads(contents[artifact] if artifact else value) for key, _, value, artifact in rows}
        torn = [key for key, value in values.items() if isinstance(value, dict) and len(value["text"]) != value["size"]]
        assert not torn, f"entries half-written: {torn}"
        for key, value in values.items():
            if key.endswith("-left"):
                assert values[key.replace("left", "right")] == value, f"one of two entries of a commit is of another: {key}"


@contextmanager
def _process(folder: Path, number: int) -> Iterator[subprocess.Popen[bytes]]:
    words = [sys.executable, "-c", ENGINE, str(number), folder, str(TOGETHER)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, bufsize=0) as process:
        try:
            yield process
        finally:
            process.kill()


def _drain_for(process: subprocess.Popen[bytes], seconds: float, heard: list[bytes]) -> None:
    """Read what a process says, so that it never waits for us, until it is time to kill it."""
    assert process.stdout is not None
    ends_at = time.monotonic() + seconds
    while (left := ends_at - time.monotonic()) > 0:
        if select.select([process.stdout], [], [], left)[0]:
            heard.append(os.read(process.stdout.fileno(), 1 << 16))


def _orphans(folder: Path) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("FLEET_ENGINE_STATE", "") == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def kill_many(folder: Path, times: int, seed: int = SEED) -> Fleet:
    """Kill an engine so many times on the same state, and check it after each."""
    fleet, rng = Fleet(folder), random.Random(seed)
    for number in range(1, times + 1):
        try:
            fleet.live(number, rng)
            fleet.check()
        except AssertionError as error:
            again = f"KILL_SEED={seed} make test-long ARGS=tests/integration/test_kills.py"
            raise AssertionError(f"life {number} of seed {seed}: {error}; again: {again}") from error
    until(lambda: not _orphans(folder))
    return fleet


@pytest.mark.timeout(240)
def test_an_engine_that_is_killed_again_and_again_loses_nothing(tmp_path: Path) -> None:
    fleet = kill_many(tmp_path, SHORT)
    assert fleet.check(whole=True) >= fleet.seq > 0
    assert fleet.batches
    assert fleet.succeeded
    assert fleet.remembered


@pytest.mark.slow
def test_two_hundred_kills_lose_nothing(tmp_path: Path) -> None:
    for number in range(FLEETS):
        folder = tmp_path / str(number)
        folder.mkdir()
        fleet = kill_many(folder, LONG, SEED + number)
        found = {"kills": LONG, "seed": SEED + number, "records": fleet.check(whole=True), "batches": len(fleet.batches), "succeeded": len(fleet.succeeded)}
        print(json.dumps(found), flush=True)
        assert len(fleet.batches) > LONG
        shutil.rmtree(folder)
