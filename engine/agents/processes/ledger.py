"""The sweep: kill what a former engine of this state directory left behind, and nobody else.

Owner: the engine, before its spawner starts (or after it died); while a spawner runs, the ledger file is the spawner's.
A pid alone proves nothing, because the kernel gives it out again. A process is killed only if its pid *and* start time
stand in the ledger, if it is in the group or session of such a process, or if it carries a mark (see `process_table`)
of an engine that is dead. The signal goes through a pidfd opened before the check, so the number cannot change hands.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from engine.agents.processes import process_table
from engine.agents.processes.ledger_lines import LedgerEntry, parse_ledger, rewrite_ledger

ROUNDS_MAX = 5
"""A program that forks while it is killed is met again in the next round."""
DEATH_WAIT_S = 2.0
"""How long one round waits for what it has killed."""


@dataclass(frozen=True, slots=True)
class EngineMarker:
    """Which engine a process belongs to: what its tasks carry in ledger and environment."""

    state_dir: str
    engine_id: str
    pid: int
    start: int | None
    boot: str

    @classmethod
    def of_this_process(cls, state_dir: Path, engine_id: str) -> EngineMarker:
        """Return the marker of the engine that this process is."""
        pid = os.getpid()
        start = process_table.read_start(pid)
        return cls(str(state_dir.resolve()), engine_id, pid, start, process_table.read_boot())

    def environment(self, key: str) -> dict[str, str]:
        """Return the variables that mark a process of task `key`."""
        return {
            process_table.TASK_KEY: key,
            process_table.ENGINE_STATE: self.state_dir,
            process_table.ENGINE_PID: f"{self.pid}:{self.start}",
        }


@dataclass(frozen=True, slots=True)
class SweptProcess:
    """A process that the sweep killed. found_by: ledger, group, tag or environment."""

    pid: int
    key: str
    found_by: str


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What a sweep did."""

    killed: tuple[SweptProcess, ...] = ()
    survivors: tuple[int, ...] = ()
    """Did not die within `DEATH_WAIT_S`, or belong to another user now."""
    gone: int = 0
    """Open entries whose process has ended, or whose pid is somebody else's today."""
    torn_lines: int = 0


def sweep(
    ledger_path: Path, marker: EngineMarker, *, with_own: bool = False, others: Iterable[LedgerEntry] = ()
) -> SweepReport:
    """Kill the survivors of former engines of this state directory, and rewrite the ledger without them.

    `others` are entries of other ledgers: of keepers, whose programs are spared as long as they live.
    `with_own` kills what this engine's spawner started too: for when that died. Blocks, at most some seconds.
    Raise OSError if the ledger can be neither read nor written.
    """
    data = ledger_path.read_bytes() if ledger_path.exists() else b""
    contents = parse_ledger(data)
    hunt = _Hunt(marker, [*contents.entries, *others], with_own=with_own)
    known = sum(1 for entry in contents.entries if hunt.leaders.get(entry.pid) is entry)
    killed: dict[int, SweptProcess] = {}
    survivors: list[int] = []
    for _ in range(ROUNDS_MAX):
        found = hunt.search()
        if not found:
            break
        survivors = _kill_all(found, hunt)
        killed.update((one.pid, one) for one in found if one.pid not in survivors)
        if len(survivors) == len(found):
            break
    kept = [entry for entry in contents.entries if hunt.is_kept(entry, survivors)]
    rewrite_ledger(str(ledger_path), kept)
    gone = (
        len(contents.entries)
        - known
        - sum(1 for entry in kept if entry not in hunt.leaders.values())
    )
    return SweepReport(tuple(killed.values()), tuple(survivors), gone, contents.torn_lines)


class _Hunt:
    """Whose processes may be killed, decided once from the ledger."""

    def __init__(
        self, marker: EngineMarker, entries: Iterable[LedgerEntry], *, with_own: bool
    ) -> None:
        self._marker = marker
        self._with_own = with_own
        of_boot = [entry for entry in entries if entry.boot == marker.boot]
        ours = [
            entry
            for entry in of_boot
            if self._is_ended_engine(entry.engine_pid, entry.engine_start)
        ]
        self._others = [entry for entry in of_boot if entry not in ours]
        self._keys_by_tag = {entry.tag: entry.key for entry in ours}
        self._families = {process_table.tag_family(entry.tag) for entry in ours if entry.tag}
        self.leaders = {entry.pid: entry for entry in ours if is_same(entry)}
        self._spared = _ancestors(os.getpid())

    def search(self) -> list[SweptProcess]:
        """Return everything alive that may be killed; spawners first, so that they start nothing meanwhile."""
        if not process_table.HAS_PROC:
            leaders = [entry for entry in self.leaders.values() if is_same(entry)]
            return [SweptProcess(entry.pid, entry.key, "ledger") for entry in leaders]
        stats = (process_table.read_stat(pid) for pid in process_table.iterate_pids())
        found = [self._judge(stat) for stat in stats if stat and not stat.is_dead]
        return sorted((one for one in found if one), key=lambda one: one.key != "")

    def is_kept(self, entry: LedgerEntry, survivors: list[int]) -> bool:
        """Answer whether an entry stays in the ledger: another engine's, or one that would not die."""
        return entry in self._others or (
            entry.pid in survivors and self.leaders.get(entry.pid) is entry
        )

    def _judge(self, stat: process_table.ProcessStat) -> SweptProcess | None:
        if stat.pid in self._spared:
            return None
        entry = self.leaders.get(stat.pid)
        if entry and entry.start == stat.start:
            return SweptProcess(stat.pid, entry.key, "ledger")
        leader = self.leaders.get(stat.session) or self.leaders.get(stat.pgid)
        # A group keeps its number as long as it has a member; one younger than its leader's entry is that group's.
        if leader and leader.start is not None and stat.start >= leader.start and is_same(leader):
            return SweptProcess(stat.pid, leader.key, "group")
        tag = process_table.read_tag(stat.pid)
        if tag and process_table.tag_family(tag) in self._families:
            return SweptProcess(stat.pid, self._keys_by_tag.get(tag, ""), "tag")
        return self._judge_environment(stat.pid)

    def _judge_environment(self, pid: int) -> SweptProcess | None:
        environment = process_table.read_environment(pid)
        if environment.get(process_table.ENGINE_STATE) != self._marker.state_dir:
            return None
        engine, _, start = environment.get(process_table.ENGINE_PID, "").partition(":")
        if not (engine.isdigit() and start.isdigit() and self._is_ended_engine(int(engine), int(start))):
            return None
        key = environment.get(process_table.TASK_KEY, "")
        # This engine's light workers, and what they start, carry its mark, too, but were not started by its spawner.
        is_own = self._is_own(int(engine), int(start))
        return None if is_own and not key else SweptProcess(pid, key, "environment")

    def _is_own(self, pid: int, start: int | None) -> bool:
        return (pid, start) == (self._marker.pid, self._marker.start)

    def _is_ended_engine(self, pid: int, start: int | None) -> bool:
        if self._is_own(pid, start):
            return self._with_own
        return start is None or process_table.read_start(pid) != start


def is_same(entry: LedgerEntry) -> bool:
    """Answer whether the process of a line is alive: the number alone proves nothing."""
    return entry.start is not None and process_table.read_start(entry.pid) == entry.start


def _ancestors(pid: int) -> set[int]:
    """Return `pid` and its ancestors: an engine started from an agent's shell inherited marks and must not sweep itself."""
    found = set()
    while pid > 0 and pid not in found:
        found.add(pid)
        stat = process_table.read_stat(pid) if process_table.HAS_PROC else None
        pid = stat.ppid if stat else os.getppid() if len(found) == 1 else 0
    return found


def _kill_all(found: list[SweptProcess], hunt: _Hunt) -> list[int]:
    """Kill these and wait for their end; return those that live on."""
    if not process_table.HAS_PROC:
        for one in found:
            with contextlib.suppress(OSError):
                os.killpg(hunt.leaders[one.pid].pgid, signal.SIGKILL)
        return []
    with contextlib.ExitStack() as stack:
        pidfds = {one.pid: _kill(one.pid, stack) for one in found}
        open_fds = {fd for fd in pidfds.values() if fd is not None}
        _wait_until_dead(open_fds)
    stats = {pid: process_table.read_stat(pid) for pid, fd in pidfds.items() if fd is not None}
    return [pid for pid, stat in stats.items() if stat and not stat.is_dead]


def _kill(pid: int, stack: contextlib.ExitStack) -> int | None:
    """Kill `pid` if it is still who it was; return a pidfd to wait on, None if it has gone."""
    before = process_table.read_start(pid)
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return None
    stack.callback(os.close, fd)
    if before is None or process_table.read_start(pid) != before:
        return None
    with contextlib.suppress(ProcessLookupError, PermissionError):
        signal.pidfd_send_signal(fd, signal.SIGKILL)
    return fd


def _wait_until_dead(pidfds: set[int]) -> None:
    poll = select.poll()
    for fd in pidfds:
        poll.register(fd, select.POLLIN)
    waiting = set(pidfds)
    while waiting:
        dead = {fd for fd, _ in poll.poll(DEATH_WAIT_S * 1000)}
        if not dead:
            return
        for fd in dead:
            poll.unregister(fd)
        waiting -= dead
