"""Workers of light agents that die, hang, stop, starve or cannot start, and an engine that is killed."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from engine.agents.light import worker_host
from engine.agents.processes.process_table import ENGINE_PID, ENGINE_STATE, read_environment
from engine.model.agents import AgentSpec, Health
from engine.model.effects import Assignment
from engine.model.ids import AgentId, HostId, TaskId
from engine.model.pools import PoolSpec
from engine.model.reports import AgentsFailed, HostDown, HostUp

from tests.integration.light import cpu_of, open_light
from tests.integration.processes import is_gone, wait_until


@pytest.mark.parametrize(("handler", "signal_name"), [("abort", "SIGABRT"), ("kill", "SIGKILL"), ("kill_async", "SIGKILL")])
async def test_crash_takes_one_worker_and_its_agents_come_back(handler: str, signal_name: str) -> None:
    async with open_light(2) as rig:
        [deadly] = await rig.start(handler=handler)
        [neighbour] = await rig.start()
        host, pid = rig.where[deadly], rig.pid_of(deadly)
        other = rig.pid_of(neighbour)
        key = rig.give(deadly)
        await rig.until(lambda: deadly in rig.where and rig.where[deadly] != host, "the agent came back")
        assert (await rig.run(neighbour, "noop")).ok
        assert rig.pid_of(neighbour) == other
        assert is_gone(pid)
        down = rig.of(HostDown)
        assert [(one.host, one.reason) for one in down] == [(host, f"worker {pid} was killed by {signal_name}")]
        begun_first = [index for index, report in enumerate(rig.reports) if key in rig.began and report is down[0]]
        assert begun_first, "the coordinator must know what was running, or a deadly task is tried for ever"
        assert key not in rig.outcomes


async def test_only_the_task_that_was_running_is_blamed() -> None:
    async with open_light() as rig:
        agents = await rig.start(20, "kill")
        keys = [rig.give(agent, payload={"deadly": number == 7}) for number, agent in enumerate(agents)]
        await rig.until(lambda: rig.of(HostDown))
    assert keys[7] in rig.began
    assert not set(keys[8:]) & set(rig.began), "they had not begun"
    assert not set(keys[7:]) & set(rig.outcomes)


async def test_replacement_comes_at_once_then_after_growing_waits() -> None:
    async with open_light(respawn_first_s=0.4) as rig:
        [agent] = await rig.start()
        waits = []
        for _ in range(3):
            died = rig.clock.now()
            os.kill(rig.pid_of(agent), signal.SIGKILL)
            ups = len(rig.of(HostUp))
            await rig.until(lambda ups=ups: len(rig.of(HostUp)) > ups and agent in rig.where)
            waits.append(rig.clock.now() - died)
    assert waits[1] >= 0.4
    assert waits[2] >= 0.8
    async with open_light(respawn_first_s=600) as rig:
        [agent] = await rig.start()
        former = rig.pid_of(agent)
        os.kill(former, signal.SIGKILL)
        await rig.until(lambda: agent in rig.where and rig.pid_of(agent) != former)


async def test_agents_asked_for_while_their_worker_is_away_wait_for_it() -> None:
    async with open_light(respawn_first_s=0.3) as rig:
        [agent] = await rig.start()
        for _ in range(2):
            pid = rig.pid_of(agent)
            os.kill(pid, signal.SIGKILL)
            await rig.until(lambda pid=pid: rig.of(HostDown) and str(pid) in rig.of(HostDown)[-1].reason)
            if len(rig.of(HostDown)) < 2:
                await rig.until(lambda: agent in rig.where)
        [late] = await rig.start(1)
        assert (await rig.run(late, "noop")).ok


async def test_programs_of_a_dead_worker_and_a_child_that_holds_its_link_do_no_harm(tmp_path: Path) -> None:
    async with open_light() as rig:
        [starter] = await rig.start(handler="start_program")
        rig.give(starter, payload={"file": str(tmp_path / "pid")})
        await rig.until(lambda: len(rig.of(HostDown)) == 1)
        await wait_until(lambda: is_gone(int((tmp_path / "pid").read_text())))
        [leaver] = await rig.start(handler="leave_child")
        rig.give(leaver)
        await rig.until(lambda: len(rig.of(HostDown)) == 2)
    assert all("SIGKILL" in down.reason for down in rig.of(HostDown))


@pytest.mark.parametrize("ahead_s", [3_600.0, -3_600.0])
async def test_instants_follow_a_clock_that_was_set_while_the_worker_was_there(ahead_s: float) -> None:
    async with open_light() as rig:
        [agent] = await rig.start(handler="work")
        assert (await rig.run(agent, payload={"seconds": 0})).ok
        rig.clock.ahead_s = ahead_s  # a host has the clock of its leader, and its leader is another one now
        given_at = rig.clock.now()
        key = rig.give(agent, payload={"seconds": 0.5})
        await rig.has_begun(key)
        outcome = await rig.outcome(key)
        assert given_at - 1 < rig.began[key] <= outcome.started_at + 1
        assert given_at - 1 < outcome.started_at < outcome.ended_at < rig.clock.now() + 1


async def test_busy_worker_still_beats_and_stays_healthy() -> None:
    async with open_light(heartbeat_interval_s=0.1) as rig:
        [agent] = await rig.start(handler="work")
        given_at = rig.clock.now()
        outcome = await rig.run(agent, payload={"seconds": 1.5})
        [sample] = rig.samples()
        assert sample.beat_at > given_at
    assert outcome.ok
    assert Health.SUSPECT.value not in [health for health, _ in rig.healths()]
    assert not rig.of(HostDown)


async def test_worker_that_holds_its_lock_busy_is_slow_not_dead() -> None:
    async with open_light(heartbeat_interval_s=0.2, missed_beats=3) as rig:
        [agent] = await rig.start(handler="hold_lock")
        rig.give(agent)
        pid = rig.pid_of(agent)
        busy_from = cpu_of(pid)
        await rig.until(lambda: rig.healths())
        await wait_until(lambda: cpu_of(pid) > busy_from + 1.5)
        assert {health for health, _ in rig.healths()} == {"slow"}
        assert "no beat for" in rig.healths()[0][1]
        assert "CPU busy" in rig.healths()[0][1]
        assert not rig.of(HostDown)


async def test_worker_that_hangs_in_c_turns_suspect_and_recovers() -> None:
    async with open_light(heartbeat_interval_s=0.3, missed_beats=20) as rig:
        [agent] = await rig.start(handler="hang_in_c")
        outcome = await rig.run(agent, payload={"seconds": 3})
        await rig.until(lambda: ("healthy", "") in rig.healths())
    assert outcome.ok
    # It may count as busy at first: it has just started.
    assert [health for health, _ in rig.healths()][-2:] == ["suspect", "healthy"]
    assert "no CPU used, it sleeps" in rig.healths()[-2][1]
    assert not rig.of(HostDown)


async def test_stopped_worker_is_found_and_replaced() -> None:
    async with open_light(2, heartbeat_interval_s=0.2, missed_beats=3) as rig:
        [agent] = await rig.start(handler="work")
        [neighbour] = await rig.start()
        host, pid = rig.where[agent], rig.pid_of(agent)
        key = rig.give(agent, payload={"seconds": 60})
        await rig.has_begun(key)
        os.kill(pid, signal.SIGSTOP)
        stopped_at = rig.clock.now()
        await rig.until(lambda: rig.of(HostDown))
        assert 0.8 < rig.clock.now() - stopped_at < 5
        await rig.until(lambda: agent in rig.where)
        assert (await rig.run(neighbour, "noop")).ok
        assert is_gone(pid)
    [down] = rig.of(HostDown)
    assert down.host == host
    assert f"worker {pid} stopped answering" in down.reason
    assert "is stopped by a signal" in down.reason


async def test_nothing_is_judged_while_the_engine_itself_is_late() -> None:
    async with open_light(heartbeat_interval_s=0.1, missed_beats=3) as rig:
        [agent] = await rig.start()
        pid = rig.pid_of(agent)
        time.sleep(1.0)  # noqa: ASYNC251  # the loop shall not read beats meanwhile
        await asyncio.sleep(0.3)
        assert (await rig.run(agent, "noop")).ok
        assert rig.pid_of(agent) == pid
    assert not rig.healths()
    assert not rig.of(HostDown)


async def test_worker_that_is_too_large_is_recycled_when_idle() -> None:
    async with open_light(rss_max_mb=1.0) as rig:
        [agent] = await rig.start()
        await rig.until(lambda: rig.of(HostDown))
    assert "was recycled" in rig.of(HostDown)[0].reason
    assert agent


async def test_workers_that_cannot_start_fail_the_agents_that_wait_and_bring_them_up_later(tmp_path: Path) -> None:
    python = tmp_path / "python"
    options = {"python": str(python), "log_dir": tmp_path / "logs"}
    async with open_light(respawn_first_s=0.01, respawn_max_s=0.05, options=options) as rig:
        waiting = asyncio.get_running_loop().create_task(rig.start(2))
        await rig.until(lambda: rig.of(AgentsFailed))
        assert "No such file" in rig.of(AgentsFailed)[0].reason
        late = AgentId("agt_late")
        rig.light.start([(AgentSpec(late, "late", "p"), PoolSpec("p", 1, 1))])
        assert rig.of(AgentsFailed)[-1].agents == (late,)
        python.write_text(f"#!/bin/sh\nexec '{sys.executable}' \"$@\"\n")
        python.chmod(0o755)
        agents = await waiting
        assert (await rig.run(agents[0], "noop")).ok
        assert late in rig.where
    assert len(rig.of(AgentsFailed)[0].agents) == 2


async def test_worker_that_ends_while_it_starts_says_why(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no interpreter here >&2; exit 9\n")
    python.chmod(0o755)
    async with open_light(respawn_first_s=0.01, respawn_max_s=0.02, options={"python": str(python)}) as rig:
        rig.light.start([(AgentSpec(AgentId("agt_1"), "one", "p"), PoolSpec("p", 1, 1))])
        await rig.until(lambda: rig.of(AgentsFailed))
    assert "ended with status 9 (no interpreter here)" in rig.of(AgentsFailed)[0].reason
    assert not rig.of(HostDown)


async def test_worker_that_never_gets_ready_is_replaced(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexec sleep 60\n")
    python.chmod(0o755)
    options = {"python": str(python)}
    async with open_light(start_timeout_s=0.1, heartbeat_interval_s=0.1, respawn_first_s=0.01, respawn_max_s=0.02, options=options) as rig:
        rig.light.start([(AgentSpec(AgentId("agt_1"), "one", "p"), PoolSpec("p", 1, 1))])
        await rig.until(lambda: rig.of(AgentsFailed))
    assert "was not ready after 0.1 s" in rig.of(AgentsFailed)[0].reason


async def test_work_for_an_agent_whose_worker_is_gone_is_left_to_host_down() -> None:
    async with open_light() as rig:
        [agent] = await rig.start()
        rig.light.stop([agent])
        key = rig.give(agent, "noop")
        [other] = await rig.start()
        assert (await rig.run(other, "noop")).ok
    assert key not in rig.outcomes


async def test_every_attempt_ends_or_its_host_goes_down_whatever_kills_the_workers() -> None:
    """Workers die at random while work goes on: each attempt is answered for once, and all tasks get done."""
    chance = random.Random(7)
    async with open_light(2, heartbeat_interval_s=0.1, respawn_first_s=0.01, respawn_max_s=0.05) as rig:
        agents = await rig.start(40)
        open_keys: dict[AgentId, tuple[tuple[TaskId, int], HostId]] = {}
        wanted = collections.deque(TaskId(f"tsk_{number}") for number in range(4_000))
        attempts: collections.Counter[TaskId] = collections.Counter()
        killed = done = 0
        async with asyncio.timeout(60):
            while wanted or open_keys:
                for agent in agents:
                    key, host = open_keys.get(agent, (None, None))
                    if key in rig.outcomes:
                        done += 1
                        del open_keys[agent]
                    elif key is not None and any(down.host == host for down in rig.of(HostDown)):
                        wanted.append(key[0])
                        del open_keys[agent]
                    if agent not in open_keys and agent in rig.where and wanted:
                        task = wanted.popleft()
                        attempts[task] += 1
                        key = (task, attempts[task])
                        open_keys[agent] = (key, rig.where[agent])
                        rig.light.deliver([Assignment(*key, agent, "echo", {"a": 1})])
                if killed < 12 and done > killed * 300 and rig.where:
                    killed += 1
                    number = chance.choice((signal.SIGKILL, signal.SIGABRT, signal.SIGSTOP, signal.SIGTERM))
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(rig.pid_of(chance.choice(list(rig.where))), number)
                await asyncio.sleep(0)
        downs = [down.host for down in rig.of(HostDown)]
    assert len(downs) == len(set(downs))
    assert killed == 12
    assert {task for task, _ in rig.outcomes} == {f"tsk_{number}" for number in range(4_000)}


async def test_samples_measure_the_worker() -> None:
    async with open_light() as rig:
        [agent] = await rig.start(handler="work")
        rig.samples()
        assert (await rig.run(agent, payload={"seconds": 0.5})).ok
        [sample] = rig.samples()
    assert sample.kind == "python" == worker_host.KIND
    assert (sample.host, sample.pid, sample.agents) == (*rig.pids.popitem(), 1)
    assert 0 < sample.cpu <= 1.2
    assert 5 < sample.rss_mb < 200


async def test_ended_engine_unwinds_its_workers_and_kills_those_that_do_not_listen(tmp_path: Path) -> None:
    async with open_light(2, stop_grace_s=0.3, options={"state_marker": str(tmp_path)}) as rig:
        agents = [(await rig.start(handler=name))[0] for name in ("refuse_to_stop", "nap")]
        for key in [rig.give(agent, payload={"seconds": 60}) for agent in agents]:
            await rig.has_begun(key)
        environment = read_environment(rig.pid_of(agents[0]))
        before = rig.clock.now()
    assert rig.clock.now() - before < 3
    assert environment[ENGINE_STATE] == str(tmp_path)
    assert environment[ENGINE_PID].startswith(f"{os.getpid()}:")
    assert not rig.of(HostDown)


ENGINE = """
import asyncio
from tests.integration.light import open_light

async def main():
    async with open_light(2) as rig:
        one, two = (await rig.start(handler="hold_lock"))[0], (await rig.start(handler="work"))[0]
        rig.give(one)
        key = rig.give(two, payload={"seconds": 60})
        await rig.has_begun(key)
        print(*rig.pids.values(), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_killed_engine_leaves_no_worker() -> None:
    engine = subprocess.Popen([sys.executable, "-c", ENGINE], stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
    try:
        assert engine.stdout is not None
        pids = [int(word) for word in engine.stdout.readline().split()]
        assert len(pids) == 2
        assert not any(is_gone(pid) for pid in pids)
    finally:
        engine.kill()
        engine.communicate()
    await wait_until(lambda: all(is_gone(pid) for pid in pids))
