"""What a machine has: /proc, the affinity and the limits of cgroups of both versions; and what agents took of its memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from engine.agents.machine import MachineFiles
from engine.agents.memory_use import MemoryUse, high
from engine.agents.room import RoomMeter
from engine.agents.runtime import HostSample
from engine.model.ids import HostId
from engine.model.machines import Expected
from engine.model.pools import Pool, PoolSpec
from engine.model.reports import Report, RoomSeen
from engine.model.resource_config import MachineSection
from tests.unit.core_fleet import Fleet

GB = 1 << 30


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, "proc/meminfo", "MemTotal: 8388608 kB\nMemFree: 1 kB\nMemAvailable: 4194304 kB\n")
    return tmp_path


def write(root: Path, path: str, text: object) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(str(text))


def test_without_limits_the_machine_counts(root: Path) -> None:
    found = MachineFiles(root).measure()
    assert (found.memory_mb, found.free_mb) == (8192, 4096)
    assert found.cores == len(os.sched_getaffinity(0))


def test_every_level_of_cgroups_counts(root: Path) -> None:
    write(root, "proc/self/cgroup", "0::/outer/inner\n")
    write(root, "sys/fs/cgroup/outer/memory.max", 2 * GB)
    write(root, "sys/fs/cgroup/outer/memory.current", GB)
    write(root, "sys/fs/cgroup/outer/memory.stat", f"anon 5\ninactive_file {GB // 2}\n")
    write(root, "sys/fs/cgroup/outer/inner/memory.max", "max\n")
    write(root, "sys/fs/cgroup/outer/inner/cpu.max", "50000 100000\n")
    found = MachineFiles(root).measure()
    assert (found.cores, found.memory_mb, found.free_mb) == (0.5, 2048, 1536)


def test_version_1_of_cgroups(root: Path) -> None:
    write(root, "proc/self/cgroup", "4:memory:/job\n3:cpu,cpuacct:/job\n")
    write(root, "sys/fs/cgroup/memory/job/memory.limit_in_bytes", GB)
    write(root, "sys/fs/cgroup/memory/job/memory.usage_in_bytes", GB // 4)
    write(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", 9223372036854771712)
    write(root, "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", 25000)
    write(root, "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", 100000)
    found = MachineFiles(root).measure()
    assert (found.cores, found.memory_mb, found.free_mb) == (0.25, 1024, 768)


def test_a_cgroup_of_another_namespace_and_files_that_make_no_sense(root: Path) -> None:
    write(root, "proc/self/cgroup", "0::/../../elsewhere\n")
    write(root, "sys/fs/cgroup/cpu.max", "max 100000\n")
    assert MachineFiles(root).measure().memory_mb == 8192
    assert MachineFiles(root / "nowhere").measure().free_mb is None


def test_this_machine_is_measured() -> None:
    found = MachineFiles().measure()
    assert 0 < found.cores <= (os.cpu_count() or 1)
    assert found.free_mb is not None
    assert 0 < found.free_mb <= found.memory_mb


def test_most_take_less_than_is_expected() -> None:
    assert high([]) == 0
    assert high(range(1, 101)) == 95
    assert high([7.0]) == 7


def sample(name: str, rss_mb: float) -> HostSample:
    return HostSample(HostId(name), "python", 1, 1, 0.0, 0.0, rss_mb)


def pool(kind: str) -> Pool:
    return Pool(PoolSpec("one", 0, 9, kind=kind))


def test_light_agents_take_what_workers_take_that_are_still_to_start() -> None:
    use = MemoryUse({"python": 2})
    assert use.expected({"one": pool("python")}) == {}
    use.see([sample("a", 60.0)])
    assert use.expected({"one": pool("python")}) == {"one": Expected(60.0, "python", 1)}
    use.see([sample("a", 60.0), sample("b", 80.0)])
    assert use.expected({"one": pool("python")}) == {}


def test_capacity_is_what_is_measured_less_what_is_kept_back(root: Path) -> None:
    fleet = Fleet()
    use = MemoryUse({})
    meter = RoomMeter(MachineSection(cpu=4, reserve_cpu=1, reserve_memory="1GB", named={"gpu": 2}), lambda: fleet.state, use, MachineFiles(root))
    room = meter.measure()
    assert room.capacity == {"cpu": 3_000, "memory": 7_168_000, "gpu": 2_000}
    assert room.free_mb == 3_072
    off = RoomMeter(MachineSection(memory_admission=False), lambda: fleet.state, use, MachineFiles(root))
    assert off.measure().free_mb is None


def test_it_reports_only_when_something_may_change(root: Path) -> None:
    fleet = Fleet()
    meter = RoomMeter(MachineSection(), lambda: fleet.state, MemoryUse({}), MachineFiles(root))
    told: list[Report] = []
    meter.look(told.append, 0.0)
    assert told == [RoomSeen()]
    fleet.room = meter.measure()
    fleet.report(RoomSeen())
    meter.look(told.append, 0.0)
    assert len(told) == 1
