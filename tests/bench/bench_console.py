"""The console at 120x40 over an engine with 10,000 agents: how soon, how quick, how many bytes, how much of the machine.

The load is no-op tasks submitted over the socket at a steady rate; each makes four events (accepted, leased, started,
succeeded) and changes the row of one agent. htop and btop are measured in the same run when they can be had.
"""

from __future__ import annotations

import asyncio
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.api.client import Caller, connect
from engine.clock import SystemClock
from engine.model.task_commands import SubmitTask

from tests.bench.bench_frames import go_to
from tests.bench.engines import median, percentile
from tests.bench.terminals import COLUMNS, Stopwatch, console, running_engine
from tests.bench.terminals import ROWS as LINES

if TYPE_CHECKING:
    from tests.integration.engines import EngineProcess
    from tests.ui.pty_screen import PtyScreen

ROWS = {
    "console.rows10000_browsable_ms": "ms",
    "console.key_p95_ms.10000": "ms",
    "console.filter_p95_ms.10000": "ms",
    "console.idle_bytes_per_s": "B/s",
    "console.live_table_bytes_per_s": "B/s",
    "console.pulse_bytes_per_s": "B/s",
    "console.row_move_bytes": "B",
    "console.storm_bytes_per_s": "B/s",
    "console.cpu_quiet_percent": "%",
    "console.cpu_1000eps_percent": "%",
    "console.rss_mb.10000": "MB",
}
AGENTS = 10_000
CONFIG = f"[fleet]\nmaxAgents = 20000\ndefaultPools = {{}}\n[pools.light]\nmin = {AGENTS}\nmax = {AGENTS}\n"
EVENTS_A_TASK = 4
OPEN_RUNS, KEYS, FILTERS = 5, 40, 12
COUNT_S, CPU_S = 8.0, 10.0
SETTLE_S = 1.0
DOWN, ESCAPE = b"\x1b[B", b"\x1b"
STEP_S = 0.1
HOLD_S = 20.0
VIEWS = ("pulse", "pools", "agents", "tasks", "events", "plans", "audit", "scaler", "help")


def measure(report: Callable[..., None]) -> None:
    """Measure and report."""
    from tests.integration.engines import until

    with running_engine(CONFIG) as subject:
        until(lambda: subject.get("status")["agents"]["by_status"].get("idle") == AGENTS, 120)
        opened = [_open_ms(subject) for _ in range(OPEN_RUNS + 1)][1:]
        report("console.rows10000_browsable_ms", median(opened), OPEN_RUNS, f"exec to the last of {AGENTS:,} rows on the screen")
        with console(subject) as screen:
            screen.wait_text("LIVE")
            _quiet(screen, report)
            report("console.rss_mb.10000", _rss_mb(screen), 1, f"resident set, {AGENTS:,} agents, every view seen, filters applied")
            _busy(subject, screen, report)
    _others(report)


def _quiet(screen: PtyScreen, report: Callable[..., None]) -> None:
    rates = {}
    for view in VIEWS:
        _view(screen, view)
        rates[view] = _bytes_per_s(screen, COUNT_S / 2)
    worst = max(rates, key=lambda name: rates[name])
    report("console.idle_bytes_per_s", rates[worst], 1, f"worst of {len(VIEWS)} views: {worst}; a fleet at rest")
    _view(screen, "agents")
    report("console.cpu_quiet_percent", _cpu_percent(screen), 1, f"{AGENTS:,} agents, nothing changing")
    moves = []
    for _ in range(KEYS):
        before = screen.byte_count
        screen.send(DOWN)
        screen.count_bytes(0.1)
        moves.append(screen.byte_count - before)
    report("console.row_move_bytes", median(moves), KEYS, f"agents, one row down, {min(moves)} to {max(moves)}")
    filters = [ms for _ in range(FILTERS) for ms in _filter_ms(screen)]
    report("console.filter_p95_ms.10000", percentile(filters, 0.95), len(filters), f"one more letter, and clear; median {median(filters):.1f}")


def _busy(subject: EngineProcess, screen: PtyScreen, report: Callable[..., None]) -> None:
    with _load(subject, 1_000 / EVENTS_A_TASK) as sent:
        _view(screen, "agents")
        keys = [_key_ms(screen) for _ in range(KEYS)]
        report("console.key_p95_ms.10000", percentile(keys, 0.95), KEYS, f"key to its row pointed at, median {median(keys):.1f}; {sent}")
        report("console.cpu_1000eps_percent", _cpu_percent(screen), 1, f"agents view; {sent}")
    # A task changes its agent's row twice, and half of the agents hold one at any time: short ones go to the same few, out of sight.
    with _load(subject, AGENTS * 0.05 / 2, hold_s=HOLD_S) as sent:
        _view(screen, "agents")
        screen.count_bytes(HOLD_S)
        report("console.live_table_bytes_per_s", _bytes_per_s(screen), 1, f"agents view, 5 % of the rows a second; {sent}")
        _view(screen, "pulse")
        report("console.pulse_bytes_per_s", _bytes_per_s(screen), 1, f"with its charts; {sent}")
    with _load(subject, 10_000 / EVENTS_A_TASK) as sent:
        _view(screen, "events")
        report("console.storm_bytes_per_s", _bytes_per_s(screen), 1, f"events view following; {sent}")


class _Sent:
    """What a load really was."""

    def __init__(self) -> None:
        self.tasks = 0
        self.began = time.perf_counter()

    def __str__(self) -> str:
        rate = self.tasks / max(0.001, time.perf_counter() - self.began)
        return f"{rate * EVENTS_A_TASK:,.0f} events/s"


@contextmanager
def _load(subject: EngineProcess, tasks_per_s: float, hold_s: float = 0.0) -> Iterator[_Sent]:
    """Submit tasks at a steady rate from a thread of its own: no-ops, or such that hold their agents for some seconds."""
    sent, stop = _Sent(), threading.Event()
    task = SubmitTask("sleep", "light", payload={"seconds": hold_s}) if hold_s else SubmitTask("noop", "light")

    async def submit() -> None:
        from fleet_tui.settings import find_paths

        socket = find_paths(subject.directory, environment=subject.environment).socket
        clock = SystemClock()
        async with connect(socket, clock=clock, caller=Caller("api", "0", "")) as operator:
            due = clock.now()
            while not stop.is_set():
                await operator.execute([task] * math.ceil(tasks_per_s * STEP_S))
                sent.tasks += math.ceil(tasks_per_s * STEP_S)
                due += STEP_S
                await clock.sleep(max(0.0, due - clock.now()))

    thread = threading.Thread(target=lambda: asyncio.run(submit()), daemon=True)
    thread.start()
    time.sleep(SETTLE_S)
    try:
        yield sent
    finally:
        stop.set()
        thread.join(30)


def _view(screen: PtyScreen, name: str) -> None:
    go_to(screen, name, name.capitalize())
    screen.count_bytes(SETTLE_S)


def _open_ms(subject: EngineProcess) -> float:
    began = time.perf_counter()
    with console(subject) as screen:
        watch = Stopwatch(screen)
        watch.wait(lambda shown: "LIVE" in shown.text)
        screen.send(b":agents\r")
        watch.wait(lambda shown: "light-1" in shown.text)
        screen.send(b"G")
        return 1e3 * (watch.wait(lambda shown: f"light-{AGENTS}" in shown.text) - began)


def _key_ms(screen: PtyScreen) -> float:
    before = _pointed(screen)
    watch = Stopwatch(screen)
    began = time.perf_counter()
    screen.send(DOWN)
    took = 1e3 * (watch.wait(lambda shown: _pointed(shown) != before) - began)
    del screen.feed  # type: ignore[attr-defined]  # the stopwatch's
    return took


def _pointed(screen: PtyScreen) -> str:
    return next((line[:20] for line in screen.screen.display if line.startswith("▶")), "")


def _filter_ms(screen: PtyScreen) -> tuple[float, float]:
    screen.send(b"/light-77")
    screen.count_bytes(SETTLE_S)
    watch = Stopwatch(screen)
    began = time.perf_counter()
    screen.send(b"7")
    applied = 1e3 * (watch.wait(lambda shown: _first(shown).startswith("light-777")) - began)
    del screen.feed  # type: ignore[attr-defined]
    screen.send(b"\r")
    screen.count_bytes(SETTLE_S / 2)
    watch = Stopwatch(screen)
    began = time.perf_counter()
    screen.send(ESCAPE)
    cleared = 1e3 * (watch.wait(lambda shown: not _first(shown).startswith("light-777")) - began)
    del screen.feed  # type: ignore[attr-defined]
    screen.count_bytes(SETTLE_S / 2)
    return applied, cleared


def _first(screen: PtyScreen) -> str:
    """Return the first row of the table."""
    return screen.screen.display[3].lstrip("▶ ")


def _bytes_per_s(screen: PtyScreen, seconds: float = COUNT_S) -> float:
    return screen.count_bytes(seconds) / seconds


def _cpu_percent(screen: PtyScreen) -> float:
    import psutil

    process = psutil.Process(screen.pid)
    before = sum(process.cpu_times()[:2])
    screen.count_bytes(CPU_S)
    return 100 * (sum(process.cpu_times()[:2]) - before) / CPU_S


def _rss_mb(screen: PtyScreen) -> float:
    import psutil

    return psutil.Process(screen.pid).memory_info().rss / 1e6


def _others(report: Callable[..., None]) -> None:
    """Say what htop and btop write on the same terminal, on stderr: they are beside the goals, no rows of ours."""
    from fleet_tui import output

    from tests.tools.programs import Missing, find_program
    from tests.ui.pty_screen import PtyScreen

    for name in ("htop", "btop"):
        try:
            program = find_program((name,), (name,))
        except Missing as error:
            output.say(f"{name} is left out: {error}")
            continue
        env: Mapping[str, str] = {**program.environment, "TERM": "xterm-256color", "LANG": "C.UTF-8", "HOME": os.environ.get("HOME", "/"), "PATH": os.environ["PATH"]}
        with PtyScreen([str(program.path)], columns=COLUMNS, rows=LINES, env=dict(env)) as screen:
            screen.count_bytes(SETTLE_S)
            output.say(f"{name}: {_bytes_per_s(screen):,.0f} B/s at rest, {_cpu_percent(screen):.1f} % of a core, {_rss_mb(screen):.0f} MB")
