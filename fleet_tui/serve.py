"""The engine in this process: in the foreground or behind a console, and under the headless demo.

Owner: of the process's signals and its log while the engine runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.clock import Clock, SystemClock
from engine.config import FleetManagerConfig, load_config
from engine.fleet import FleetManager
from engine.model.errors import FleetError, JournalDiverged, JournalError, JournalTrimmed, errors_in
from engine.model.plans import Origin
from engine.model.verbs import Role
from engine.supervisor import calm_collector
from fleet_tui import output
from fleet_tui.attach import hold_lock
from fleet_tui.diverting import engine_output
from fleet_tui.logs import open_log
from fleet_tui.reviewer import CHECKS, HANDLER, POOL
from fleet_tui.settings import Paths, prepare_state

if TYPE_CHECKING:
    from fleet_tui.demo.hired import Hired
    from fleet_tui.demo.planner import Progress
    from fleet_tui.demo.report import DemoReport

logger = logging.getLogger(__name__)

Work = Callable[[FleetManager], Coroutine[Any, Any, None]]

PROGRESS_S = 5.0
"""Between two words about how far the headless demo is."""

REPORT_CHARACTERS = 160
"""Longest line of the report where there is no terminal."""

DEMO = Origin("demo", "engine", "", Role.ADMIN)


def with_reviewers(config: FleetManagerConfig) -> FleetManagerConfig:
    """Return a configuration whose pool of reviewers votes; as it is, where that pool is somebody's own kind or handler."""
    given = config.pools.get(POOL)
    if given is None:
        if config.fleet.default_pools is not True and config.fleet.default_pools != "scale":
            return config
        pool = FleetManagerConfig.model_validate({"pools": {POOL: {"min": len(CHECKS), "handler": HANDLER}}}).pools[POOL]
    elif given.kind != "python" or given.handler:
        return config
    else:
        pool = given.model_copy(update={"handler": HANDLER})
    return config.model_copy(update={"pools": {**config.pools, POOL: pool}})


def with_pools(config: FleetManagerConfig, pools: Mapping[str, Any]) -> FleetManagerConfig:
    """Return a configuration with pools more; those of its own stay as they are."""
    more = FleetManagerConfig.model_validate({"pools": pools}).pools
    return config.model_copy(update={"pools": {**more, **config.pools}})


@dataclass(frozen=True, slots=True)
class Demo:
    """What an engine of the demo works on, and which real agents it runs beside the built-in ones."""

    root: Path
    agents: tuple[str, ...] = ()


def run_engine(paths: Paths, *, demo: Demo | None, detached: bool) -> None:
    """Run the engine until it is stopped by a verb or a signal. Raises FleetError when it cannot start."""
    config = load_config(paths.config)
    if demo is not None:
        config = with_reviewers(config)
    prepare_state(paths)
    with hold_lock(paths), engine_output(paths.printed), open_log(paths.log, config.log_level, echo=not detached):
        if not detached:
            for notice in config.notices():
                output.say(f"note: {notice}")
        try:
            asyncio.run(_serve(paths, config, demo, detached=detached))
        except FleetError as error:
            logger.info("engine refused to run", extra={"why": str(error)})
            raise
        except Exception:
            # Whoever started it may be gone; the log is what is left to look at.
            logger.exception("engine broke")
            raise


async def _serve(paths: Paths, config: FleetManagerConfig, demo: Demo | None, *, detached: bool) -> None:
    """Run the engine until it is stopped; one that others left behind begins anew, from what they have."""
    with end_signals(detached=detached) as over:
        is_over = False
        while not is_over:
            try:
                await _serve_once(paths, config, demo, over, detached=detached)
                is_over = True
            except ExceptionGroup as errors:  # from an engine at work; one that cannot start says so by one error
                behind, others = errors.split((JournalTrimmed, JournalDiverged))
                if others is not None or behind is None:
                    raise
                logger.warning("this engine cannot go on from what it has; it begins anew", extra={"reason": str(next(errors_in(behind, JournalError)))})
                is_over = over.is_set()
    if not detached:
        output.say("engine ended; running tasks go on at the next start")


async def _serve_once(paths: Paths, config: FleetManagerConfig, demo: Demo | None, over: asyncio.Event, *, detached: bool) -> None:
    async with contextlib.AsyncExitStack() as stack:
        who = None
        if demo is not None and demo.agents:
            from fleet_tui.demo.hired import hired

            who = await stack.enter_async_context(hired(demo.agents, demo.root, paths.state_dir, SystemClock()))
            config = with_pools(config, who.pools)
        await _serve_fleet(paths, config, partial(_demo_work, demo=demo, who=who) if demo else None, over, detached=detached)


async def _serve_fleet(paths: Paths, config: FleetManagerConfig, work: Work | None, over: asyncio.Event, *, detached: bool) -> None:
    async with FleetManager(config, directory=paths.directory, state_dir=paths.state_dir, socket=paths.socket) as fleet:
        calm_collector()
        if not detached:
            output.say(f"engine of {paths.directory} is ready; consoles attach with `fleet-tui -C {paths.directory}`; Ctrl-C ends it")
            if fleet.redis is not None and not fleet.redis.is_up:
                output.say(f"note: {fleet.redis.health.reason}; until then the engine works without it")
        async with asyncio.TaskGroup() as group:
            ends = [group.create_task(fleet.wait_stopped()), group.create_task(over.wait())]
            works = [group.create_task(work(fleet))] if work else []
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for task in (*ends, *works):
                task.cancel()


@dataclass(frozen=True, slots=True)
class DemoRequest:
    """What the headless demo is asked for."""

    root: Path
    """The code base: a directory, or one file."""
    seconds: float | None = None
    """Begin nothing new after so long; None = until all is done."""
    rounds: int = 1
    as_json: bool = False

    @property
    def directory(self) -> Path:
        """Return where the fleet works."""
        return self.root if self.root.is_dir() else self.root.parent


def run_headless_demo(paths: Paths | None, request: DemoRequest) -> bool:
    """Run the demo's fleet in this process, print its report, and tell whether it did its job. None = a temporary state."""
    with contextlib.ExitStack() as stack:
        if paths is None:
            temporary = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fleet-tui-demo-", ignore_cleanup_errors=True)))
            paths = Paths(request.directory, None, temporary, temporary / "engine.sock")
        else:
            prepare_state(paths)
        stack.enter_context(hold_lock(paths))
        stack.enter_context(open_log(paths.log, "INFO", echo=False))
        report = asyncio.run(_headless_demo(paths, request))
    if request.as_json:
        output.print_json(report.to_json())
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else REPORT_CHARACTERS
        output.print_lines([report.to_text(width).rstrip("\n")])
    return report.ok


async def _headless_demo(paths: Paths, request: DemoRequest) -> DemoReport:
    """Return the report. Raises KeyboardInterrupt after a clean end when a signal came first."""
    from fleet_tui.demo import run_demo

    # No configuration file: the demo's work needs the sixteen pools.
    config = with_reviewers(load_config(None))
    clock = SystemClock()
    with end_signals(detached=False) as over:
        async with FleetManager(config, directory=paths.directory, state_dir=paths.state_dir, socket=paths.socket) as fleet, asyncio.TaskGroup() as group:
            run = run_demo(
                fleet.operator(DEMO), request.root, clock=clock, seconds=request.seconds, rounds=request.rounds,
                on_progress=_progress_teller(clock),
            )  # fmt: skip
            work, end = group.create_task(run), group.create_task(over.wait())
            await asyncio.wait((work, end), return_when=asyncio.FIRST_COMPLETED)
            work.cancel()
            end.cancel()
    if work.cancelled():
        raise KeyboardInterrupt
    return work.result()


def _progress_teller(clock: Clock) -> Callable[[Progress], None]:
    """Return what tells a person now and then how far the demo is."""
    next_at = clock.now() + PROGRESS_S

    def tell(progress: Progress) -> None:
        nonlocal next_at
        if clock.now() >= next_at:
            next_at = clock.now() + PROGRESS_S
            output.say(f"{progress.files_done} of {progress.files} files; {progress.ended} tasks ended, {progress.open} open")

    return tell


async def _demo_work(fleet: FleetManager, *, demo: Demo, who: Hired | None) -> None:
    """Give the fleet work until it is cancelled; the engine outlives a demo that finds nothing to do."""
    from fleet_tui.demo import keep_busy

    operator, clock = fleet.operator(DEMO), SystemClock()
    try:
        async with asyncio.TaskGroup() as group:
            if who is not None:
                from fleet_tui.demo.hired import keep_hired_busy

                group.create_task(keep_hired_busy(operator, who, clock))
            await keep_busy(operator, demo.root, clock=clock)
    except* FleetError as errors:
        for error in errors_in(errors, FleetError):
            logger.error("demo failed", extra={"why": str(error)})  # noqa: TRY400  # a refusal needs no traceback


@contextlib.contextmanager
def end_signals(*, detached: bool) -> Iterator[asyncio.Event]:
    """Turn TERM, INT and HUP into an event; a second one ends the process at once. A detached engine survives HUP."""
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    ends = [signal.SIGTERM, signal.SIGINT] if detached else [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]

    def end(received: signal.Signals) -> None:
        logger.info("signal received", extra={"signal": received.name})
        over.set()
        for number in ends:
            loop.remove_signal_handler(number)

    for number in ends:
        loop.add_signal_handler(number, end, number)
    if detached:
        # It has a session of its own, so the terminal's end does not reach it; whoever sends HUP by hand means something else.
        loop.add_signal_handler(signal.SIGHUP, logger.warning, "hangup ignored: this engine has no terminal")
    try:
        yield over
    finally:
        for number in (*ends, signal.SIGHUP):
            loop.remove_signal_handler(number)
