"""The booster of a host that joined: modules come in pieces, once, or are said to be lacking; limits are the leader's; what it counts is counted once."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.util
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from engine.agents.joined import messages as m
from engine.agents.joined.boosting import CHANGED, HostedBooster
from engine.agents.joined.hosting import FleetClock, Hosting, Offer
from engine.agents.joined.modules import ModuleSource
from engine.booster.book import CLOSED_MAX, BoosterBook
from engine.booster.figures import Figures, InstanceFigures
from engine.clock import SystemClock
from engine.gate.boosting import Boosting
from engine.gate.sampling import Sampling
from engine.gate.why_boosted import boosted_evidence
from engine.model import wire
from engine.model.agent_events import HostInfo
from engine.model.agents import AgentSpec
from engine.model.effects import Assignment
from engine.model.errors import CommandRefused, JournalError, UsageError
from engine.model.ids import AgentId, HostId, TaskId
from engine.model.pools import PoolSpec
from engine.model.reports import HostDown, HostUp, Report, TasksEnded
from engine.model.task_events import TasksSucceeded
from engine.model.tasks import Outcome, Task, TaskSpec
from engine.state import Touched
from engine.worker import lacking_here
from fleet_tui import worker as command
from tests.unit.core_fleet import host_joined

WASM = bytes(range(256)) * 40
SHA256 = hashlib.sha256(WASM).hexdigest()
LAB = HostId("lab")


def assignment(task: str, module: str = SHA256) -> Assignment:
    return Assignment(TaskId(task), 1, AgentId("agt_1"), "user.count", {}, module=module)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.001)


class Shelf:
    """A folder of modules in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.problem = ""

    def has(self, sha256: str) -> bool:
        return sha256 in self.kept

    def write(self, sha256: str, wasm: bytes) -> None:
        if self.problem:
            raise CommandRefused(self.problem)
        self.kept[sha256] = wasm

    def tidy(self, keep: Collection[str]) -> None:
        self.kept = {sha256: wasm for sha256, wasm in self.kept.items() if sha256 in keep}


class Inner:
    """Notes what it is to run."""

    def __init__(self, limits: object, report: Any, beat: Any) -> None:
        self.limits, self.report, self.beat = limits, report, beat
        self.delivered: list[str] = []
        self.started: list[object] = []
        self.stopped: list[object] = []
        self.runs = False

    async def run(self) -> None:
        self.runs = True
        try:
            await asyncio.Event().wait()
        finally:
            self.runs = False

    def start(self, agents: Iterable[object]) -> None:
        self.started += agents

    def deliver(self, assignments: Iterable[Assignment]) -> None:
        self.delivered += [one.task for one in assignments]

    def stop(self, agents: Sequence[AgentId]) -> None:
        self.stopped += agents

    def stop_runs(self, runs: Sequence[m.Run], *, grace_s: float | None = None) -> None:  # noqa: ARG002  # as it is called
        self.stopped += runs


class Host:
    """A booster of a host, its leader, and a clock; the test carries what they say."""

    def __init__(self) -> None:
        self.now = 100.0
        self.made: list[Inner] = []
        self.shelf, self.reports, self.said = Shelf(), list[Report](), list[Any]()
        self.runs: dict[m.Run, None] = {}
        self.found: bytes | None = WASM
        self.fails = False
        self.booster = HostedBooster(self._make, self.shelf, lambda report, _artifacts=(): self.reports.append(report), SimpleNamespace(now=lambda: self.now))  # type: ignore[arg-type]
        self.booster.connect(lambda: None, self.runs.__contains__)
        self.source = ModuleSource(self, lambda _id: SimpleNamespace(say=self.said.append))  # type: ignore[arg-type, return-value]
        self.asked: list[m.Want] = []

    def _make(self, *words: Any) -> Any:
        self.made.append(Inner(*words))
        return self.made[-1]

    async def module(self, sha256: str) -> bytes | None:
        assert sha256 == SHA256
        if self.fails:
            raise JournalError("the disk is gone")
        return self.found

    def settle(self, *modules: str, **limits: int) -> None:
        self.booster.settle(m.BoosterTerms({"pool_size": 1, **limits}, list(modules)))

    def deliver(self, *tasks: str) -> None:
        self.runs.update({(TaskId(task), 1): None for task in tasks})
        self.booster.deliver([assignment(task) for task in tasks])

    async def ask(self) -> int:
        """Wait until it wants something, and carry that; return after which byte."""
        found: list[m.Want] = []
        await until(lambda: found or found.extend(self.booster.wants()) or found)
        self.asked += found
        self.source.take(LAB, found[0])
        await until(lambda: self.said)
        return found[0].after

    async def answer(self) -> None:
        self.booster.take(self.said.pop())

    def failures(self) -> list[tuple[str, str]]:
        return [(one.error_kind, one.error) for report in self.reports if isinstance(report, TasksEnded) for one in report.outcomes]


@contextlib.asynccontextmanager
async def hosted() -> AsyncIterator[Host]:
    host = Host()
    async with asyncio.TaskGroup() as group:
        parts = [group.create_task(host.booster.run()), group.create_task(host.source.run())]
        yield host
        for part in parts:
            part.cancel()


async def test_a_module_comes_in_pieces_once_and_its_tasks_begin_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(m, "MODULE_PART_BYTES", 4_096)
    async with hosted() as host:
        host.settle(SHA256)
        host.deliver("one", "two")
        assert await host.ask() == 0
        host.said.clear()  # it was lost on the way
        assert host.booster.wants() == []
        host.now += 2.0
        for after in (0, 4_096, 8_192):
            assert await host.ask() == after
            await host.answer()
        del host.runs["two", 1]  # it runs elsewhere meanwhile
        await until(lambda: host.made[0].delivered)
        assert (host.made[0].delivered, host.shelf.kept) == (["one"], {SHA256: WASM})
        host.deliver("three")
        assert (host.made[0].delivered, host.booster.wants(), host.reports) == (["one", "three"], [], [])
        host.settle()
        await until(lambda: not host.shelf.kept)


@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        ("lost", "the engine has not got it; add it again"),
        ("unread", "the engine cannot read it: the disk is gone"),
        ("cut", "what came is something else, by its hash"),
        ("full", "the module cannot be kept: No space left on device"),
    ],
)
async def test_a_host_that_cannot_get_a_module_says_why(trouble: str, why: str) -> None:
    async with hosted() as host:
        host.found = {"lost": None, "cut": WASM[:-1]}.get(trouble, WASM)
        host.fails, host.shelf.problem = trouble == "unread", why if trouble == "full" else ""
        host.settle(SHA256)
        host.deliver("one")
        await host.ask()
        await host.answer()
        await until(host.failures)
        assert host.failures() == [("no_module", f"its host has not got the module {SHA256[:12]}: {why}")]
        news = host.booster.news()
        assert news is not None
        assert news.lacks == {SHA256: why}
        host.found, host.fails, host.shelf.problem = WASM, False, ""
        host.source = ModuleSource(host, lambda _id: SimpleNamespace(say=host.said.append))  # type: ignore[arg-type, return-value]
        async with asyncio.TaskGroup() as group:
            again = group.create_task(host.source.run())
            host.deliver("two")
            await host.ask()
            await host.answer()
            await until(lambda: host.made[0].delivered == ["two"])
            again.cancel()
        assert host.booster.news() == m.Boosted({}, {})


async def test_a_module_that_does_not_come_is_not_waited_for_for_ever_and_what_waits_can_be_stopped() -> None:
    async with hosted() as host:
        host.settle(SHA256)
        host.deliver("one", "two")
        await until(host.booster.wants)
        host.booster.stop_runs([(TaskId("one"), 1)])
        host.booster.stop([AgentId("agt_2")])
        assert host.failures() == [("stopped", "stopped before it began")]
        host.now += 61.0
        assert host.booster.wants() == []
        assert [kind for kind, _ in host.failures()] == ["stopped", "no_module"]
        host.deliver("three")
        host.booster.stop([AgentId("agt_1")])
        assert host.failures()[2:] == [("stopped", "stopped before it began")]


async def test_other_limits_have_workers_started_anew_and_the_former_ones_unheard() -> None:
    async with hosted() as host:
        host.booster.start([(SimpleNamespace(id=AgentId("agt_1")), SimpleNamespace())])  # type: ignore[list-item]
        host.settle()
        [former] = host.made
        worker = HostUp(HostInfo(HostId("hst_1"), "booster", 8), (AgentId("agt_1"),))
        former.report(worker)
        former.beat(HostId("hst_1"), {"answered": 1})
        news = host.booster.news()
        assert news == m.Boosted({"hst_1": {"answered": 1}}, {})
        host.booster.note_told(news)
        assert host.booster.news() == m.Boosted({"hst_1": None}, {})
        host.settle()
        assert host.booster.news() == news, "another leader is told it all"
        assert (len(host.made), host.reports) == (1, [worker])
        host.settle(memory_limit=64)
        assert host.reports == [worker, HostDown(HostId("hst_1"), CHANGED)]
        former.report(worker)
        former.beat(HostId("hst_1"), {"answered": 2})
        assert (len(host.reports), host.booster.news()) == (2, m.Boosted({}, {}))
        await until(lambda: host.made[1].runs and not former.runs)
        assert len(host.made[1].started) == 1


def test_attempts_are_still_known_after_a_worker_of_the_host_was_lost() -> None:
    joined = host_joined("lab", kinds=("booster",))
    clock = FleetClock(SystemClock())
    hosting = Hosting(Offer(joined.host, joined.capacity), SimpleNamespace(), clock, lambda report: (report, wire.encode(report)), lambda _said: None)  # type: ignore[arg-type]
    inner: list[Inner] = []
    booster = HostedBooster(lambda *words: inner.append(Inner(*words)) or inner[-1], Shelf(), hosting.report, clock)  # type: ignore[arg-type, func-returns-value, return-value]
    hosting.connect({"booster": booster}, SimpleNamespace(), SimpleNamespace(tell_again=lambda: None), lambda _runs: None)  # type: ignore[arg-type]
    spec = PoolSpec("booster", 1, 2, kind="booster")
    agent = AgentSpec(AgentId("agt_1"), "booster-1", "booster", machine="lab")
    hosting._settle(m.Welcome(1.0, m.members_of([(agent, spec)]), [], m.BoosterTerms({"pool_size": 1}, [])))
    for worker in (HostId("hst_1"), HostId("hst_2")):
        inner[0].report(HostUp(HostInfo(worker, "booster", 8), (agent.id,)))
        hosting._deliver(m.Deliver([assignment(f"by_{worker}")]))
        assert booster._has_run((TaskId(f"by_{worker}"), 1))
        inner[0].report(HostDown(worker, "it died"))
        assert not booster._has_run((TaskId(f"by_{worker}"), 1)), "it waits again, and is not begun when its module comes"


def told(calls: int, **more: object) -> dict[str, object]:
    plain = msgspec.to_builtins(Figures(instances=[InstanceFigures("agt_1", calls=calls)], answered=calls, **more))  # type: ignore[arg-type]
    assert isinstance(plain, dict)
    return plain


def test_a_worker_that_comes_back_with_its_host_is_counted_once() -> None:
    book = BoosterBook()
    page = HostId("lab/hst_1")
    book.note(page, told(5), 1.0)
    book.lost(page)
    assert (book.sums().calls, book.living()) == (5, [])
    book.note(page, None, 2.0)
    book.note(page, told(7), 3.0)
    assert (book.sums().calls, book.sums().answered) == (7, 7)
    for number in range(2 * CLOSED_MAX):
        book.note(HostId(f"hst_{number}"), told(1), 4.0)
        book.lost(HostId(f"hst_{number}"))
    assert book.sums().calls == 7 + 2 * CLOSED_MAX


def test_what_a_host_tells_is_in_the_book_until_it_or_its_worker_goes() -> None:
    book, seen = BoosterBook(), list[object]()
    boosting = Boosting(SimpleNamespace(book=book, boosted=seen.append), SimpleNamespace(now=lambda: 9.0), "")  # type: ignore[arg-type]
    boosting.hosted(LAB, m.Boosted({"hst_1": told(1, reproducer="/f.json"), "hst_2": told(2)}, {SHA256: "no space"}))
    boosting.hosted(HostId("lab2"), m.Boosted({"hst_3": told(4)}, {}))
    assert (len(book.living()), book.sums().calls, book.reproducer) == (3, 7, "lab:/f.json")
    [warning] = [line for line in boosted_evidence(book, "", 9.0) if line.id == "lab"]
    assert warning.text == f"host lab has not got the module {SHA256[:12]}: no space"
    boosting.hosted(LAB, m.Boosted({"hst_2": None}, {}))
    assert (len(book.living()), book.sums().calls, book.lacks()) == (2, 7, [])
    boosting.leave_hosts()
    assert (len(book.living()), book.sums().calls) == (0, 7)


def test_what_read_a_file_of_a_host_is_not_done_again_to_compare() -> None:
    def done(id_: str, machine: str, payload: dict[str, object]) -> Task:
        return Task(TaskSpec(TaskId(id_), "code.outline", "booster", payload), machine=machine)

    tasks = [done("far", "lab", {"path": "a.py"}), done("told", "lab", {"source": "a = 1"}), done("near", "", {"path": "a.py"})]
    state = SimpleNamespace(tasks={task.spec.id: task for task in tasks}, pools={"booster": SimpleNamespace(spec=PoolSpec("booster", 1, 2, kind="booster"))})
    around = SimpleNamespace(state=lambda: state, clock=SimpleNamespace(now=lambda: 1.0), rng=SimpleNamespace(random=lambda: 0.0))
    sampling = Sampling(BoosterBook(), around, share=1.0, per_minute=9, folder=Path("/nowhere"))  # type: ignore[arg-type]
    sampling.publish([SimpleNamespace(event=TasksSucceeded(tuple(Outcome(task.spec.id, 1, ok=True) for task in tasks)))], Touched())  # type: ignore[list-item]
    assert [task.spec.id for _, task in sampling._waiting] == ["told", "near"]


def test_a_machine_without_the_runtime_offers_no_booster_and_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "wasmtime" else find(name, *more))
    assert list(lacking_here()) == ["booster"]
    assert command._kinds("") == ("python", "command", "session", "openai", "a2a")
    assert "no agents of kind booster here: they need the package wasmtime" in "".join(capsys.readouterr())
    with pytest.raises(UsageError, match="--kinds: no agents of kind booster here: they need the package wasmtime"):
        command._kinds("python,booster")
