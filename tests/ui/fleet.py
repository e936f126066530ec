"""A console on a world whose time stands still: what the tests of the screens share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from engine.agents.runtime import HostSample
from engine.clock import Rng
from engine.model.effects import Assignment
from engine.model.engine_rows import EngineRow
from engine.model.plugin_rows import PluginRow
from engine.model.pool_commands import PausePool, ScalePool
from engine.model.region_rows import RegionRow
from engine.model.task_commands import SubmitTask
from engine.model.tasks import Outcome
from engine.operations import Operator
from engine.simulation.world import World
from fleet_tui.app import FleetApp
from screens.attention import LOOK_EVERY_S
from screens.base import FleetScreen
from screens.document import Document
from screens.tables import TableScreen
from screens.widgets.cells import UNICODE, Glyphs
from screens.widgets.table import Table
from textual.pilot import Pilot

from tests.ui.conftest import screen_text

NEVER_S = 1e9
DIFF = "--- a/api.py\n+++ b/api.py\n@@ -1,3 +1,2 @@\n import os\n-import re\n def run() -> None:\n"


BEGAN = 1_700_000_000.0


class StillClock:
    """Time that a test moves; waiting takes real time."""

    def __init__(self, at: float = BEGAN) -> None:
        self.at = at

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.05))


def work_by_title(assignment: Assignment, _rng: Rng) -> tuple[float, Outcome]:
    """Run for ever, fail, or succeed, as the task's payload says."""
    how = assignment.payload.get("how", "")
    key = (assignment.task, assignment.token)
    if how == "run":
        return NEVER_S, Outcome(*key, ok=True)
    if how == "fail":
        return 0.0, Outcome(*key, ok=False, error_kind="syntax", error="invalid syntax (api.py, line 12)", retryable=False)
    result: dict[str, object] = {"path": "api.py", "changed": True, "edits": 1, "diff": DIFF} if how == "edit" else {"functions": 12}
    return 0.0, Outcome(*key, ok=True, result=result, usage={"cpu_s": 0.34, "peak_mb": 87.0})


def region(name: str, health: str = "healthy", **known: Any) -> RegionRow:  # noqa: ANN401
    usual: dict[str, Any] = {
        "is_own": False, "location": "", "cost": 1.0, "residency": "", "rtt_s": None, "rtt_p99_s": None, "probes": 120, "measured_at": BEGAN, "heard_at": BEGAN,
        "engine": "eng_1m80r39rq0ye6", "seq": 4_711, "waiting": 0, "free": 3, "trips": "", "reason": "", "home": name, "epoch": 1, "lag": 0, "lag_s": 0.2,
    }  # fmt: skip
    return RegionRow(name, health, **{**usual, **known})


ENGINES = (
    EngineRow("eng_1m80r39rq0ye6", "leads", 4, "build-01", 4711, "0.1.0", "local", 0, BEGAN - 7_300, 0.0, is_asked=False),
    EngineRow("eng_1m80r3b4tk2f1", "stands by", 0, "build-02", 982, "0.1.0", "local", 12, BEGAN - 260, 0.0, is_asked=True),
    EngineRow("eng_1m7zw1c0d9xk4", "silent", 3, "a-machine-with-a-long-name.example.com", 31, "0.1.0", "local", 0, BEGAN - 90_000, BEGAN - 95, is_asked=False),
)

REGIONS = (
    region("us-east-1", is_own=True, lag_s=None, location="Virginia", rtt_s=0.0004, rtt_p99_s=0.0021, trips="us-east-1 0.0004 0.0021, eu-west-1 0.081 0.12"),
    region("eu-west-1", location="Ireland", cost=1.2, residency="eu, gdpr", rtt_s=0.081, rtt_p99_s=0.12, waiting=14, free=0, trips="us-east-1 0.079 0.11"),
    region("us-west-1", "silent", location="California", rtt_s=0.064, rtt_p99_s=0.07, heard_at=BEGAN - 95, reason="its server answers, and no engine that leads it tells of itself"),
    region("ap-southeast-1", "down", home="us-east-1", epoch=2, lag_s=None, location="Singapore", cost=0.8, probes=31, rtt_s=0.203, rtt_p99_s=0.41, measured_at=BEGAN - 40, heard_at=BEGAN - 40, reason="redis cannot be reached at ap.example.com:6379 (connection refused)"),
)


class Plugged:
    """Plug-ins of an engine."""

    ROWS = (
        PluginRow("acme", "ready", "1.2", "fleet-acme 1.2", "kind acme, metric acme.gpu", "", 0.0, 0, BEGAN - 3, "acme.gpu coder 0.75"),
        PluginRow("broken", "broken", "0.1", "fleet-broken 0.1", "", "ImportError: No module named 'nowhere'", BEGAN - 60, 2, 0.0, ""),
        PluginRow("security-scanner", "off", "0.1.0", "fleet-tui 0.1.0", "", "", 0.0, 0, 0.0, ""),
    )

    def names(self) -> list[str]:
        return [row.id for row in self.ROWS]

    def row(self, name: str) -> PluginRow | None:
        return next((row for row in self.ROWS if row.id == name), None)


class Fleet:
    """A world, its clock and the console on it."""

    def __init__(self, config: dict[str, Any] | None = None, clock: StillClock | None = None) -> None:
        self.clock = clock or StillClock()
        self.world = World(config, 1, hosts=2, work=work_by_title, clock=self.clock)
        self.world.feed.regions = lambda: {row.id: row for row in REGIONS}
        self.world.feed.engines = lambda: {row.id: row for row in ENGINES}
        self.world.feed.plugins = Plugged()
        self.gate: Operator = self.world.gate()
        self.at_console: Operator | None = None
        """Who sits there, if not who does all the rest."""

    @property
    def state(self) -> Any:
        return self.world.state

    async def ready(self) -> None:
        await self.until(lambda: bool(self.state.agents) and all(agent.is_free() for agent in self.state.agents.values()))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():  # noqa: ASYNC110  # conditions of any kind, of an engine that does not know the test
                await asyncio.sleep(0.005)

    async def submit(self, title: str, pool: str = "coder", how: str = "", **more: Any) -> str:
        """Submit a task and wait until it is as far as it gets."""
        answer = await self.gate.execute([SubmitTask("code.outline", pool, title=title, payload={"how": how, "path": f"{title}.py"}, **more)])
        task = str(answer.values[0])
        wanted = {"run": "running", "fail": "failed", "wait": "pending"}.get(how, "succeeded")
        await self.until(lambda: self.state.tasks[task].state == wanted)
        return task

    async def busy(self) -> None:
        """Bring about a bit of everything."""
        await self.ready()
        self.world.feed.measured(
            [HostSample(host, "python", 1, len(agents), self.clock.at, 0.31, 164.0) for host, agents in self.world.agents.hosts.items()]
        )
        for number in range(6):
            await self.submit(f"outline module_{number}", ("coder", "tester", "analyst")[number % 3])
        self.clock.at += 40
        await self.submit("rename Parser.parse", "coder", "edit")
        failed = await self.submit("check api", "security", "fail")
        self.clock.at += 75
        for number in range(3):
            await self.submit(f"references of name_{number}", "coder", "run")
        await self.submit("review api", "reviewer", "run")
        await self.gate.execute([PausePool("database")], reason="migration tonight")
        await self.gate.execute([ScalePool("tester", "+2")], reason="more tests to run")
        await self.submit("index users", "database", "wait", priority=8)
        await self.submit("index orders", "database", "wait")
        await self.submit("fix api", "coder", "wait", depends_on=(await self.submit("long analysis", "analyst", "run"),))
        await self.until(lambda: len([agent for agent in self.state.agents.values() if agent.spec.pool == "tester" and agent.is_free()]) == 5)
        assert self.state.tasks[failed].state == "failed"
        self.clock.at += 12

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Operator]:
        yield self.at_console or self.gate


class Seat:
    """Somebody at the console."""

    def __init__(self, fleet: Fleet, app: FleetApp, pilot: Pilot[None]) -> None:
        self.fleet, self.app, self.pilot = fleet, app, pilot

    @property
    def screen(self) -> Any:
        return self.app.screen

    @property
    def table(self) -> Table:
        assert isinstance(self.screen, TableScreen)
        return self.screen.table

    @property
    def text(self) -> str:
        return screen_text(self.app)

    @property
    def told(self) -> str:
        """What was said for a moment, a line each."""
        return "\n".join(notification.message for notification in self.app._notifications)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the console shows or the engine is something."""
        async with asyncio.timeout(60):
            while not condition():
                await self.pilot.pause(0.01)
                self.tick()
        await self.pilot.pause()

    def tick(self) -> None:
        if isinstance(self.screen, FleetScreen):
            self.screen.tick(self.app.feed.now())

    async def current(self) -> None:
        """Wait until the console has all that the engine has, and shows it."""
        feed = self.app.feed
        await self.until(lambda: feed.status is not None and (feed.status.seq, feed.status.now) == (self.fleet.state.seq, self.fleet.clock.at))
        # A frame that came before the last one may have used up this second's look.
        self.app.attention.look(feed.now() + LOOK_EVERY_S)
        self.tick()
        await self.pilot.pause()

    async def forget_the_past(self) -> None:
        """Know of the last minute only how it is now: which frames came before depends on the machine."""
        feed = self.app.feed
        feed.history.loads.clear()
        feed.history.successes.clear()
        frames = feed.frames
        await self.until(lambda: feed.frames > frames)
        await self.current()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def resize(self, size: tuple[int, int]) -> None:
        """Give the terminal another size; what is in front shows all that the engine has."""
        if self.app.size != size:
            await self.pilot.resize_terminal(*size)
        await self.until(lambda: self.screen.size == self.app.size == size)
        if isinstance(self.screen, FleetScreen):
            await self.current()

    async def open(self, line: str, name: str = "") -> None:
        """Open a view as the command line does."""
        self.app.open_view(line)
        await self.until(lambda: isinstance(self.screen, FleetScreen) and (name or line.split()[0]) == self.screen.NAME)
        await self.current()

    async def read(self) -> str:
        """Wait until the document in front is read."""
        await self.until(lambda: isinstance(self.screen, FleetScreen) and bool(self.screen.query(Document)) and bool(self.screen.query_one(Document).text))
        return str(self.screen.query_one(Document).text)

    async def agree(self, word: str = "") -> None:
        """Agree to the plan that is shown."""
        await self.until(lambda: type(self.screen).__name__ == "PlanDialog")
        await self.press(*word, "enter")


@asynccontextmanager
async def sit(
    fleet: Fleet, size: tuple[int, int] = (120, 40), *, glyphs: Glyphs = UNICODE, kind: type[FleetApp] = FleetApp, **more: Any
) -> AsyncIterator[Seat]:
    """Open the console on a running world."""
    async with fleet.world.running():
        app = kind(fleet.connect, clock=fleet.clock, glyphs=glyphs, **more)
        async with app.run_test(size=size) as pilot:
            seat = Seat(fleet, app, pilot)
            await seat.until(lambda: app.feed.status is not None)
            yield seat
