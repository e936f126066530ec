"""Bytes on the terminal, screen by screen at 120x40: opening it, with nothing changing, and over a fleet at work.

amplification is what was written over the fewest bytes that turn each screen into the next (tests/ui/minimal.py), for
everything that a screen wrote here. The work is the demo over this project's own engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.bench.engines import median
from tests.bench.terminals import ROOT, console, running_engine

if TYPE_CHECKING:
    from tests.integration.engines import EngineProcess
    from tests.ui.pty_screen import PtyScreen


@dataclass(frozen=True, slots=True)
class View:
    """A screen: the line that names it, the key that opens a row of it, and what its breadcrumb says then."""

    line: str
    crumbs: str
    key: bytes = b""


VIEWS = {
    "pulse": View("pulse", "Pulse"),
    "pools": View("pools", "Pools"),
    "agents": View("agents", "Agents"),
    "agent": View("agents /coder", "Agents · ", b"d"),
    "tasks": View("tasks", "Tasks"),
    "task": View("tasks", "Tasks · ", b"\r"),
    "events": View("events", "Events"),
    "heatmap": View("heatmap pools", "Heat map"),
    "heatmap_agents": View("heatmap agents", "Heat map"),
    "topology": View("topology", "Topology"),
    "xray": View("xray", "X-ray"),
    "alerts": View("alerts", "Alerts"),
    "rules": View("rules", "Rules"),
    "notifications": View("notifications", "Notifications"),
    "trends": View("trends", "Trends"),
    "dash": View("dash", "Dashboard"),
    "report": View("report", "Report"),
    "plans": View("plans", "Plans"),
    "audit": View("audit", "Audit"),
    "help": View("help", "Help"),
}
UNITS = {"open_bytes": "B", "live_bytes_per_s": "B/s", "idle_bytes_per_s": "B/s", "amplification": "ratio"}
ROWS = {f"frames.{view}.{figure}": unit for view in VIEWS for figure, unit in UNITS.items()} | {"frames.row_move_bytes": "B"}
DOWN = b"\x1b[B"
MOVES = 12
SETTLE_S = 0.6
"""What comes in this time belongs to the key before it: twice the slowest tick and answer."""
IDLE_S = 3.0
LIVE_S = 5.0
TASKS = 8
ALERTING = """
[[alerting.rules]]
id = "seen"
expr = "agents_idle >= 0"
severity = "info"
[[alerting.channels]]
name = "log"
command = ["true"]
"""
"""An alert of every pool whose value moves with the work, and somebody who is told."""


@dataclass(slots=True)
class Tally:
    """What one screen wrote."""

    open_bytes: int = 0
    idle: float = 0.0
    live: float = 0.0
    written: int = 0
    minimal: int = 0


def measure(report: Callable[..., None]) -> None:
    """Measure and report."""
    tallies = {name: Tally() for name in VIEWS}
    with running_engine(ALERTING) as quiet:
        _fill(quiet)
        _look_at_work(tallies)
        # By now the quiet fleet is older than a minute, so that its ages change once a minute, as they mostly do.
        with console(quiet) as screen:
            screen.wait_text("LIVE")
            for name, view in VIEWS.items():
                _look_idle(screen, view, tallies[name])
            moves = _move(screen)
    for name, tally in tallies.items():
        report(f"frames.{name}.open_bytes", tally.open_bytes, 1, "from another screen, an idle fleet of 26 agents")
        report(f"frames.{name}.idle_bytes_per_s", tally.idle, 1, f"{IDLE_S:g} s of a fleet at rest for a minute")
        report(f"frames.{name}.live_bytes_per_s", tally.live, 1, f"{LIVE_S:g} s of the demo")
        report(f"frames.{name}.amplification", tally.written / max(1, tally.minimal), 1, f"{tally.written} B for {tally.minimal} B")
    report("frames.row_move_bytes", median(moves), MOVES, f"agents, one row down, {min(moves)} to {max(moves)}")


def _look_at_work(tallies: Mapping[str, Tally]) -> None:
    from tests.integration.engines import until

    with running_engine(ALERTING, ("--demo", str(ROOT / "engine"))) as subject, console(subject) as screen:
        until(lambda: subject.get("status")["tasks"]["succeeded"] > 0)
        screen.wait_text("LIVE")
        for name, view in VIEWS.items():
            _leave(screen, view)
            _open(screen, view)
            with _weighed(screen, tallies[name]):
                tallies[name].live = screen.count_bytes(LIVE_S) / LIVE_S


def _fill(subject: EngineProcess) -> None:
    """Leave something to see in every view: tasks that ended, a plan, a line of the audit."""
    from tests.integration.engines import until

    for number in range(TASKS):
        subject.run("submit", "noop", "coder", "--title", f"nothing {number}").check_returncode()
    subject.run("scale", "tester", "+1").check_returncode()
    until(lambda: subject.get("status")["tasks"]["by_state"].get("succeeded", 0) >= TASKS)


def _look_idle(screen: PtyScreen, view: View, tally: Tally) -> None:
    _leave(screen, view)
    with _weighed(screen, tally):
        tally.open_bytes = _open(screen, view)
        tally.idle = screen.count_bytes(IDLE_S) / IDLE_S


def _leave(screen: PtyScreen, view: View) -> None:
    """Show another screen than the view's: all views open from help, and help from pulse."""
    go_to(screen, "pulse" if view.line == "help" else "help", "Pulse" if view.line == "help" else "Help")
    screen.count_bytes(SETTLE_S)


def _open(screen: PtyScreen, view: View) -> int:
    """Open a view and return the bytes that its own screen took."""
    before = go_to(screen, view.line, view.crumbs.partition(" ")[0])
    if view.key:
        screen.count_bytes(SETTLE_S)
        before = screen.byte_count
        screen.send(view.key)
        screen.wait(lambda shown: _crumbs(shown).startswith(view.crumbs))
    screen.count_bytes(SETTLE_S)
    return screen.byte_count - before


def go_to(screen: PtyScreen, line: str, crumbs: str) -> int:
    """Name a view on the command line, wait for it, and return how many bytes had come before Enter."""
    screen.send(b":")
    screen.send(line.encode())
    screen.wait(lambda shown: _last_line(shown) == line)
    before = screen.byte_count
    screen.send(b"\r")
    screen.wait(lambda shown: _crumbs(shown).startswith(crumbs) and _last_line(shown) != line)
    return before


def _last_line(screen: PtyScreen) -> str:
    return screen.screen.display[-1].strip()


def _crumbs(screen: PtyScreen) -> str:
    return screen.screen.display[-2].strip()


def _move(screen: PtyScreen) -> list[int]:
    go_to(screen, "agents", "Agents")
    screen.count_bytes(SETTLE_S)
    moves = []
    for _ in range(MOVES):
        screen.send(DOWN)
        moves.append(screen.count_bytes(0.3))
    return moves


@contextmanager
def _weighed(screen: PtyScreen, tally: Tally) -> Iterator[None]:
    """Weigh every frame against the fewest bytes that would do."""
    from tests.ui.minimal import Amplification

    weighing = Amplification(screen)
    try:
        yield
    finally:
        screen.on_frame = None
    tally.written += weighing.written
    tally.minimal += weighing.minimal
