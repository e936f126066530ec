"""Programs on hosts that joined are measured, limited and watched as those of the engine's own machine."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from engine import FleetManager
from engine.agents.joined.programs import Programs
from engine.clock import SystemClock
from engine.config import parse_config
from engine.model.task_commands import SubmitTask

from tests.integration.joined_workers import until, worker
from tests.integration.ports import free_port
from tests.integration.processes import open_host, shell
from tests.integration.sessions import python
from tests.integration.test_hosts import do, task
from tests.integration.test_hosts_by_engine import Address

pytestmark = pytest.mark.row(93)

GROWS = f"exec '{sys.executable}' -S -c 'import time; held = bytes(90 << 20); held = bytearray(held); time.sleep(3600)'"
TALKS = {"argv": list(python("for turn, told in turns(): time.sleep(3600)")), "grace_s": 0.5}
POOLS: dict[str, Any] = {
    "grows": {"kind": "command", "command": {"argv": ["sh", "-c", GROWS]}, "memory_max": "50MB"},
    "shown": {"kind": "command", "command": {"argv": ["sleep", "3600"]}, "stalled": {"after_s": 1.0, "then": "show"}},
    "stopped": {"kind": "session", "session": TALKS, "stalled": {"after_s": 1.0, "then": "stop"}},
}
TOO_MUCH = "with all it started, and pool grows allows 50 MB (memory_max)"


async def test_programs_on_a_host_are_measured_watched_and_limited(tmp_path: Path) -> None:
    pools = {name: {"min": 1, "max": 1, "hosts": "joined", **pool} for name, pool in POOLS.items()}
    root, port = tmp_path / "engine", free_port()
    (root / "state").mkdir(parents=True)
    config = {"fleet": {"default_pools": pools}, "booster": {"enabled": False}, "access": {"port": port}}
    engine = FleetManager(config, directory=root, state_dir=root / "state", socket=root / "s")
    words = (Address(f"ws://127.0.0.1:{port}"), tmp_path, "a", "--token-file", str(root / "state" / "api.token"))
    async with engine as one, worker(one, *words):
        grows, shown, stopped = await do(one, *(SubmitTask("run", name, max_attempts=1) for name in pools))
        for id_, kind, text in ((grows, "memory_limit", TOO_MUCH), (stopped, "stalled", "stalled: no output for ")):
            await until(lambda id_=id_: bool(task(one, id_).finished_at))
            error = task(one, id_).error
            assert error is not None
            assert (error.kind, text in error.message) == (kind, True)

        def is_shown() -> bool:
            row: Any = one.feed.row("agents", task(one, shown).agent or "")
            return row is not None and (row.host, row.rss_mb > 0) == ("a", True) and row.reason.startswith("stalled: no output for ")

        await until(is_shown)
        assert not one.usage.used.programs, "they take nothing of this machine"


async def test_a_host_ends_a_program_with_too_much_memory_without_asking_anybody(tmp_path: Path) -> None:
    [pool] = [pool for pool in parse_config({"fleet": {"default_pools": POOLS}}, "test").pool_specs() if pool.name == "grows"]
    async with open_host(tmp_path) as host:
        programs = Programs(host, SystemClock())
        async with host.program(shell(GROWS, tmp_path), key="tsk_1.1") as process, asyncio.timeout(60):
            while not process.is_done:
                programs.look(lambda _name: pool)
                seen = programs.news()
                assert seen is not None
                programs.note_told(seen)
                assert programs.news() is None
                await asyncio.sleep(0.05)
            result = await process.wait_result()
    assert result.stopped_reason == "memory limit"
    assert TOO_MUCH in result.describe_end()
