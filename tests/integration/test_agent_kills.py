"""10,000 tasks done by programs and by sessions while these, and the engine, are killed at random: none lost, none done twice, no orphan.

`KILL_SEED=7 make test-long ARGS=tests/integration/test_agent_kills.py` for another seed, `KILL_TASKS=1000` for fewer tasks. It prints its figures.

Each attempt holds a lock on its task while it works: two attempts at once would find each other. Its effect is a file that is made once,
by the task's name; an attempt that finds it made by an earlier one, which was killed before that was known, makes none.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.engines import until

ROOT = Path(__file__).parent.parent.parent
SEED = int(os.environ.get("KILL_SEED", "20261122"))
TASKS = int(os.environ.get("KILL_TASKS", "10000"))
LIVES_MAX = 200
"""Engines that it may take."""

AGENT = """
import fcntl, os, sys
folder, kind = sys.argv[1:3]
def work(task, attempt):
    with open(f"{folder}/locks/{task}", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            open(f"{folder}/overlaps/{task}.{attempt}", "w").close()
        path, own = f"{folder}/effects/{task}", f"{folder}/made/{task}.{attempt}"
        with open(own, "w") as made: made.write(attempt)
        try: os.link(own, path)
        except FileExistsError: pass
        return open(path).read()
if kind == "command":
    print(work(os.environ["FLEET_TASK_ID"], os.environ["FLEET_TASK_ATTEMPT"]))
else:
    import json
    def say(**message): print(json.dumps(message), flush=True)
    say(type="hello", protocol=1)
    for line in sys.stdin:
        told = json.loads(line)
        if told["type"] == "task": say(type="result", id=told["id"], text=work(told["task"], str(told["attempt"])))
"""

ENGINE = """
import asyncio, json, sys
from pathlib import Path
from engine import FleetManager
from engine.model.task_commands import SubmitTask

folder, count, agent = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]

def argv(kind): return [sys.executable, "-S", "-E", "-c", agent, str(folder), kind]

POOLS = {
    "programs": {"kind": "command", "command": {"argv": argv("command")}, "min": 6, "max": 6},
    "sessions": {"kind": "session", "session": {"argv": argv("session"), "grace_s": 1.0}, "min": 6, "max": 6},
}
CONFIG = {
    "fleet": {"default_pools": POOLS, "workers": 1, "session_starts_per_s": 0}, "booster": {"enabled": False}, "machine": {"memory_admission": False},
    "tasks": {"poison_deaths": 1_000_000, "backoff_max_s": 0.05, "finished_max": 100 + count},
}

async def main():
    async with FleetManager(CONFIG, state_dir=folder / "state") as fleet:
        state = fleet.coordinator.state
        if not state.tasks:
            await fleet.operator().execute([SubmitTask("work", pool, max_attempts=100) for pool in POOLS for _ in range(count // 2)])
        print("ready", flush=True)
        while not all(task.finished_at for task in state.tasks.values()):
            await asyncio.sleep(0.2)
        found = {}
        for task in state.tasks.values():
            text = task.result.get("stdout", task.result.get("text", ""))
            found[task.spec.id] = [task.spec.pool, task.state, task.attempt, text.strip()]
        applied = sum(pool.succeeded for pool in state.pools.values())
        (folder / "found.json").write_text(json.dumps({"tasks": found, "applied": applied}))
        print("done", flush=True)

asyncio.run(main())
"""


class Killer(threading.Thread):
    """Kills an agent now and then."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        super().__init__(daemon=True)
        self.folder, self.rng = folder, rng
        self.over = threading.Event()
        self.killed: Counter[str] = Counter()

    def run(self) -> None:
        while not self.over.wait(self.rng.uniform(0.05, 0.4)):
            agents = [(process, kind) for process, kind in _marked(self.folder) if kind]
            if agents:
                process, kind = self.rng.choice(agents)
                try:
                    process.kill()
                except psutil.NoSuchProcess:
                    continue
                self.killed[kind] += 1


def _marked(folder: Path) -> Iterator[tuple[psutil.Process, str]]:
    """Yield what runs of an engine, and as what kind of agent; empty = it is none."""
    for process in psutil.process_iter():
        try:
            if process.environ().get("FLEET_ENGINE_STATE", "") == str(folder / "state") and process.status() != psutil.STATUS_ZOMBIE:
                words = process.cmdline()
                yield process, words[-1] if AGENT in words else ""
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


@contextmanager
def _engine(folder: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", ENGINE, str(folder), str(TASKS), AGENT], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _live(folder: Path, for_s: float) -> bool:
    """Run an engine and kill it after a time; return whether all was done before."""
    with _engine(folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", "the engine did not start"
        try:
            process.wait(for_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        return process.wait() == 0


def _found(folder: Path) -> tuple[dict[str, list[Any]], int, dict[str, str]]:
    """Return how the tasks ended, how many results were applied, and the effects."""
    found = json.loads((folder / "found.json").read_text())
    return found["tasks"], found["applied"], {path.name: path.read_text() for path in (folder / "effects").iterdir()}


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_agents_and_engines_that_are_killed_lose_nothing_and_do_nothing_twice(tmp_path: Path) -> None:
    for name in ("locks", "overlaps", "effects", "made", "state"):
        (tmp_path / name).mkdir()
    rng, began, gone_s = random.Random(SEED), time.monotonic(), []
    killer = Killer(tmp_path, random.Random(SEED + 1))
    killer.start()
    engine_kills = 0
    try:
        while not _live(tmp_path, rng.uniform(1.0, 2.0) if not engine_kills else rng.uniform(2.0, 25.0)):
            engine_kills += 1
            gone_s.append(until(lambda: not list(_marked(tmp_path))))
            assert engine_kills < LIVES_MAX, f"not done in {LIVES_MAX} lives"
    finally:
        killer.over.set()
        killer.join()
    found, applied, effects = _found(tmp_path)
    states = Counter(state for _, state, _, _ in found.values())
    wrong = [task for task, (_, _, _, text) in found.items() if effects.get(task) != text]
    figures = {
        "seed": SEED, "tasks": len(found), "succeeded": states["succeeded"], "results_applied": applied, "engine_kills": engine_kills, "agent_kills": dict(killer.killed),
        "attempts": sum(attempt for _, _, attempt, _ in found.values()), "overlaps": len(list((tmp_path / "overlaps").iterdir())),
        "effects": len(effects), "effects_found_made": sum(text != str(attempt) for _, _, attempt, text in found.values()), "orphans_gone_s": round(max(gone_s, default=0.0), 2), "seconds": round(time.monotonic() - began),
    }  # fmt: skip
    print(json.dumps(figures), flush=True)
    assert (states, applied) == ({"succeeded": TASKS // 2 * 2}, TASKS // 2 * 2)
    assert (figures["overlaps"], wrong, set(effects)) == (0, [], set(found))
    assert engine_kills
    assert set(killer.killed) == {"command", "session"}
    assert not list(_marked(tmp_path))
