"""Real control groups of version 2 hold programs to their memory, measure them, are ended whole, and are left as they were found.

FLEET_TEST_CGROUP names a group below which the tests may make one, with the memory controller for its children; without it they are left out.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from engine.agents.processes.cgroups import LEAF, Groups
from engine.agents.processes.spec import ProcessSpec
from engine.model.pools import PoolSpec

from tests.integration.processes import is_gone, open_host, wait_until

GIVEN = os.environ.get("FLEET_TEST_CGROUP", "")
pytestmark = [pytest.mark.row(93), pytest.mark.skipif(not GIVEN, reason="FLEET_TEST_CGROUP names no control group of version 2 to test in")]

HOLDS = "import subprocess, time; subprocess.Popen(['sleep', '3600'], start_new_session=True); held = bytearray(b'x' * {}); time.sleep(3600)"
TOO_MUCH = "with all it started, and pool tool allows 50 MB (memory_max)"


def spec(megabytes: int) -> ProcessSpec:
    """A program that holds memory and has a child that went into a session of its own."""
    return ProcessSpec((sys.executable, "-S", "-c", HOLDS.format(megabytes << 20)), cwd=Path("/"))


def pool(_key: str) -> PoolSpec:
    """Return the pool of all programs."""
    return PoolSpec("tool", 1, 1, memory_max=50)


def pids_in(folder: Path) -> list[int]:
    """Who is in a group."""
    return [int(word) for word in (folder / "cgroup.procs").read_text().split()]


def names_in(place: Path) -> list[str]:
    """The groups in a group."""
    return [one.name for one in place.iterdir() if one.is_dir()]


@contextmanager
def delegation() -> Iterator[Path]:
    """Have this process in a group that is marked as systemd marks those that it delegates."""
    before, place = Path(GIVEN, "fleet-tests"), Path(GIVEN, f"fleet-test-{os.getpid()}")
    before.mkdir(exist_ok=True)
    place.mkdir()
    os.setxattr(place, "user.delegate", b"1")
    (place / "cgroup.procs").write_text(str(os.getpid()))
    yield place
    assert names_in(place) == [], "nothing is left"
    assert os.getpid() in pids_in(place)
    (before / "cgroup.procs").write_text(str(os.getpid()))
    place.rmdir()


async def test_programs_are_held_to_their_memory_measured_and_ended_whole(tmp_path: Path) -> None:
    with delegation() as place:
        async with open_host(tmp_path) as host:
            host.groups.pool_of = pool
            assert os.getpid() in pids_in(place / LEAF)
            grown = await host.run(spec(90), key="tsk_1.1")
            kept = await host.keepers.start(spec(90), "tsk_2.1", adopt_within_s=60)
            for result in (grown, await kept.wait_result()):
                assert (result.signal, result.stopped_reason, TOO_MUCH in result.stopped_detail) == (9, "memory limit", True), result
            await host.keepers.end(kept)
            async with host.program(spec(30), key="tsk_3.1") as process:
                await wait_until(lambda: (host.groups.measure("tsk_3.1") or (0.0, 0.0))[1] > 30)
                measured = host.groups.measure("tsk_3.1")
                assert measured is not None
                assert measured[0] > 0
                pids = pids_in(next(place.glob("*-tsk_3.1")))
                assert process.pid in pids
                assert len(pids) == 2
            await wait_until(lambda: all(is_gone(pid) for pid in pids))
            assert process.stopped_reason == "cancelled"


def test_groups_of_an_engine_that_was_killed_are_ended_by_the_next_one_unless_their_programs_go_on(tmp_path: Path) -> None:
    with delegation() as place:
        former, other, here = Groups(str(tmp_path)), Groups("another"), Groups(str(tmp_path))
        former.pool_of = pool
        former.open()
        left = {key: subprocess.Popen(["sh", "-c", f"echo 0 > {former.make(key)}/cgroup.procs; exec sleep 3600"]) for key in ("tsk_1.1", "tsk_2.1")}
        groups = {key: next(place.glob(f"*-{key}")) for key in left}
        for key, process in left.items():
            while process.pid not in pids_in(groups[key]):
                assert process.poll() is None
        for subject in (other, here):
            subject.open()
            assert subject.why == f"by control groups below {place}"
        other.keep_only(())
        here.keep_only(("tsk_1.1",))
        assert left["tsk_2.1"].wait() == -9
        assert left["tsk_1.1"].poll() is None
        assert here.measure("tsk_1.1") is not None
        assert (groups["tsk_1.1"] / "memory.max").read_text().strip() == str(50 << 20)
        here.remove("tsk_1.1")
        left["tsk_1.1"].wait()
        for subject in (here, other, former):
            subject.close()
