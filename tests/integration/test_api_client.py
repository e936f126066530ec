"""RemoteOperator against a real gateway: every method, errors, feeds, lost connections."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from engine.api import client
from engine.api.client import Caller, RemoteOperator, connect
from engine.api.gateway import Gateway, LoopbackPort
from engine.api.limits import Limits
from engine.api.peers import user_name
from engine.clock import SystemClock
from engine.model import wire
from engine.model.errors import (
    CommandRefused,
    ConfigError,
    EngineStartError,
    EngineUnavailable,
    FleetError,
    JournalError,
    NotFound,
    ReadOnly,
    Unanswered,
    UsageError,
)
from engine.model.fleet_commands import UndoPlan
from engine.model.plans import Answer, Plan
from engine.model.pool_commands import PausePool, ScalePool
from engine.model.rows import ROW_KINDS, EventRow, FleetStatus
from engine.model.task_commands import SubmitTask
from engine.model.verbs import Role
from engine.simulation.fake_operator import Asked, FakeOperator, make_agent, make_pool, make_task

CLOCK = SystemClock()


@pytest.fixture
def fake() -> FakeOperator:
    return FakeOperator([make_pool(), make_agent(), make_task()])


@pytest_asyncio.fixture
async def gateway(tmp_path: Path, fake: FakeOperator) -> AsyncIterator[Gateway]:
    async with Gateway(tmp_path / "s", fake.for_origin, version="1.2.3", limits=Limits(drain_s=1.0)) as gateway:
        yield gateway


@pytest_asyncio.fixture
async def operator(gateway: Gateway) -> AsyncIterator[RemoteOperator]:
    async with connect(gateway.path, clock=CLOCK, caller=Caller("console", "9")) as operator:
        yield operator


async def test_hello(operator: RemoteOperator, fake: FakeOperator) -> None:
    welcome = operator.welcome
    assert (welcome.engine, welcome.wire, welcome.pid) == ("1.2.3", wire.VERSION, os.getpid())
    assert (welcome.who, welcome.role, welcome.address) == (user_name(os.getuid()), Role.ADMIN, f"pid {os.getpid()}")
    assert [(o.via, o.address) for o in fake.origins] == [("console", f"pid {os.getpid()}")]


async def test_ssh_is_noted(gateway: Gateway, fake: FakeOperator) -> None:
    caller = Caller("cli", ssh_connection="10.1.2.3 51234 10.0.0.1 22")
    async with connect(f"unix:{gateway.path}", clock=CLOCK, caller=caller):
        assert fake.origins[-1].address == f"pid {os.getpid()} via ssh from 10.1.2.3:51234"


async def test_plan_and_execute(operator: RemoteOperator, fake: FakeOperator) -> None:
    plan = await operator.plan([ScalePool("coder", "5")], reason="busy")
    assert isinstance(plan, Plan)
    assert plan.steps[0].call.args == {"pool": "coder", "size": "5"}
    answer = await operator.execute(plan.id)
    assert isinstance(answer, Answer)
    assert fake.rows["pools"]["coder"][5] == 5
    await operator.execute([UndoPlan()], reason="oops")
    assert fake.rows["pools"]["coder"][5] == 2
    assert fake.asked == [
        Asked("plan", [ScalePool("coder", "5")], "busy"),
        Asked("execute", "pln_1", ""),
        Asked("execute", [UndoPlan()], "oops"),
    ]


async def test_queries_have_the_models_types(operator: RemoteOperator, fake: FakeOperator) -> None:
    fake.artifacts["a"] = b"\x00\xff"
    status = await operator.query("status")
    assert isinstance(status, FleetStatus)
    assert status == fake.status()
    for kind in ROW_KINDS:
        assert await operator.query(kind, limit=10) == [wire.row_to_dict(row) for row in fake.rows[kind].values()]
    assert (await operator.query("pool", id="coder"))["size"] == 2
    assert await operator.query("artifact", id="a") == b"\x00\xff"
    assert await operator.query("log", id="tsk_1") == {"what": "log", "id": "tsk_1"}


@pytest.mark.parametrize(
    "kind",
    [FleetError, UsageError, ConfigError, CommandRefused, NotFound, ReadOnly, EngineUnavailable, EngineStartError, JournalError],
)
async def test_errors_come_back_as_themselves(operator: RemoteOperator, fake: FakeOperator, kind: type[FleetError]) -> None:
    fake.refusal = kind("say what to do: ä€")
    for call in (operator.plan([]), operator.execute([PausePool("coder")]), operator.query("status")):
        with pytest.raises(kind, match="say what to do: ä€") as caught:
            await call
        assert type(caught.value) is kind
    with pytest.raises(kind, match="say what to do"):
        async with operator.follow(["pools"]):
            pass
    fake.refusal = None
    assert await operator.query("status")


async def test_a_bug_inside_is_not_told(operator: RemoteOperator, fake: FakeOperator, caplog) -> None:
    fake.refusal = KeyError("secret")
    with pytest.raises(FleetError, match="its log says why"):
        await operator.query("status")
    assert "a request failed inside" in caplog.text


async def test_wrong_verb_is_worded_by_the_engine(operator: RemoteOperator) -> None:
    with pytest.raises(UsageError, match="command 2 of 2: task.submit: priority is 12, the most is 10"):
        await operator.execute([SubmitTask("noop"), SubmitTask("noop", priority=12)])


async def test_ping(operator: RemoteOperator) -> None:
    assert 0 <= await operator.ping() < 5


async def test_requests_are_multiplexed(operator: RemoteOperator, fake: FakeOperator) -> None:
    fake.open.clear()
    async with asyncio.TaskGroup() as group:
        slow = [group.create_task(operator.query("pool", id="coder")) for _ in range(200)]
        # The engine takes 64 of a connection at once; ping goes past them, and the rest waits here.
        await operator.ping()
        assert not any(task.done() for task in slow)
        fake.open.set()
    assert all(task.result()["id"] == "coder" for task in slow)


async def test_cancelled_call_leaves_the_connection_usable(operator: RemoteOperator, fake: FakeOperator) -> None:
    fake.open.clear()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await operator.query("pool", id="coder")
    fake.open.set()
    assert (await operator.query("pool", id="coder"))["id"] == "coder"


async def test_too_large_a_request_is_refused_here(tmp_path: Path, fake: FakeOperator) -> None:
    limits = Limits(message_bytes_max=1000)
    async with (
        Gateway(tmp_path / "s", fake.for_origin, version="1", limits=limits) as gateway,
        connect(gateway.path, clock=CLOCK) as operator,
    ):
        with pytest.raises(UsageError, match="split it"):
            await operator.execute([SubmitTask("noop", prompt="x" * 1000)])
        assert await operator.query("status")
    assert fake.asked == [Asked("query", ("status", {}))]


async def test_bulk(operator: RemoteOperator, fake: FakeOperator) -> None:
    answer = await operator.execute([SubmitTask("noop", "coder", payload={"n": n}) for n in range(10_000)])
    assert len(answer.values) == 10_000
    assert fake.asked[0].what[9_999] == SubmitTask("noop", "coder", payload={"n": 9_999})


# Feeds


async def test_follow_gives_a_full_frame_then_changes(operator: RemoteOperator, fake: FakeOperator) -> None:
    async with operator.follow(["pools", "agents", "events"]) as frames:
        first = await anext(frames)
        assert first.full
        assert first.rows["pools"] == [make_pool()]
        assert first.rows["agents"] == [make_agent()]
        fake.change("pools", "coder", size=7)
        fake.remove("agents", "agt_1")
        fake.change("tasks", "tsk_1", state="running")
        event = EventRow("1", 1.0, "PoolScaled", "info", "coder", "2 → 7", "ann")
        fake.say(event)
        second = await anext(frames)
        assert not second.full
        assert second.rows["pools"] == [make_pool(size=7)]
        assert second.removed["agents"] == ["agt_1"]
        assert second.events == [event]
        assert "tasks" not in second.rows
    await operator.ping()
    assert fake.followers == 0


async def test_slow_reader_gets_few_full_frames(operator: RemoteOperator, fake: FakeOperator) -> None:
    async with operator.follow(["pools", "events"]) as frames:
        await anext(frames)
        for number in range(1, 1001):
            fake.change("pools", "coder", size=number)
            fake.say(EventRow(str(number), 1.0, "x", "info", "coder", "", ""))
            if number % 100 == 0:
                # The engine and the connection go on; only this reader is slow.
                await operator.ping()
        taken = []
        while not taken or taken[-1].rows["pools"][0].size < 1000:
            taken.append(await anext(frames))
        assert len(taken) <= 2
        assert len(taken[-1].rows["pools"]) == 1
        events = [event.id for frame in taken for event in frame.events]
        assert events[-1] == "1000"
        assert len(events) + sum(frame.events_left_out for frame in taken) == 1000


async def test_several_feeds_and_calls_on_one_connection(operator: RemoteOperator, fake: FakeOperator) -> None:
    async with operator.follow(["pools"]) as pools, operator.follow(["tasks"]) as tasks:
        assert (await anext(pools)).full
        assert (await anext(tasks)).full
        await operator.execute([PausePool("coder")])
        assert (await anext(pools)).rows["pools"][0].paused
        await operator.execute([SubmitTask("noop", "coder")])
        assert (await anext(tasks)).rows["tasks"][0].id == "tsk_2"
        assert fake.followers == 2


async def test_engine_ends_a_feed_with_its_reason(operator: RemoteOperator, fake: FakeOperator) -> None:
    async with operator.follow(["pools"]) as frames:
        await anext(frames)
        fake.end_feeds(ReadOnly("disk full"))
        with pytest.raises(ReadOnly, match="disk full"):
            await anext(frames)
    assert await operator.query("status")


async def test_unknown_kind_of_rows(operator: RemoteOperator) -> None:
    with pytest.raises(UsageError, match="did you mean 'pools'"):
        async with operator.follow(["pool"]):
            pass


async def test_reader_that_never_comes_back_loses_its_feed(tmp_path: Path, fake: FakeOperator) -> None:
    limits = Limits(ack_s=0.05)
    async with (
        Gateway(tmp_path / "s", fake.for_origin, version="1", limits=limits) as gateway,
        connect(gateway.path, clock=CLOCK) as operator,
        operator.follow(["pools"]) as frames,
    ):
        assert (await anext(frames)).full
        while fake.followers:
            await operator.ping()
        with pytest.raises(CommandRefused, match="follow again"):
            await anext(frames)


# Lost and absent engines


async def test_lost_engine_ends_calls_and_feeds(gateway: Gateway, operator: RemoteOperator, fake: FakeOperator) -> None:
    fake.open.set()
    async with operator.follow(["pools"]) as frames:
        await anext(frames)
        fake.open.clear()
        async with asyncio.TaskGroup() as group:
            call = group.create_task(_refusal_of(operator.query("status")))
            feed = group.create_task(_refusal_of(anext(frames)))
            while not fake.asked or fake.asked[-1].method != "query":
                await operator.ping()
            await gateway.stop()
        assert "fleet-tui" in str(call.result())
        assert "the engine stops" in str(feed.result())
    assert not operator.is_connected
    with pytest.raises(EngineUnavailable):
        await operator.query("status")
    with pytest.raises(EngineUnavailable):
        async with operator.follow(["pools"]):
            pass


async def test_a_verb_whose_engine_is_lost_under_way_may_be_done_and_one_that_was_not_sent_is_not(operator: RemoteOperator, fake: FakeOperator) -> None:
    fake.open.clear()
    async with asyncio.TaskGroup() as group:
        call = group.create_task(_refusal_of(operator.execute("pln_1")))
        while not fake.asked:
            await operator.ping()
        assert operator._socket is not None
        operator._socket.transport.abort()
    assert isinstance(call.result(), Unanswered)
    assert "`fleet-tui get audit --filter plan=pln_1` tells" in str(call.result())
    assert not isinstance(await _refusal_of(operator.execute("pln_2")), Unanswered)
    fake.open.set()


async def _refusal_of(call) -> EngineUnavailable:
    with pytest.raises(EngineUnavailable) as caught:
        await call
    return caught.value


async def test_verbs_in_flight_are_answered_when_the_engine_stops(
    gateway: Gateway, operator: RemoteOperator, fake: FakeOperator
) -> None:
    fake.open.clear()
    async with asyncio.TaskGroup() as group:
        call = group.create_task(operator.execute([PausePool("coder")]))
        while not fake.asked:
            await operator.ping()
        stopping = group.create_task(gateway.stop())
        await asyncio.wait([stopping], timeout=0.05)
        assert not stopping.done()
        fake.open.set()
    assert call.result().values == ("coder",)


async def test_reconnecting_works(tmp_path: Path, fake: FakeOperator) -> None:
    for _ in range(2):
        async with Gateway(tmp_path / "s", fake.for_origin, version="1") as gateway, connect(gateway.path, clock=CLOCK) as operator:
            assert await operator.query("status")


async def _fail(address: object, *, timeout_s: float = 5.0) -> str:
    with pytest.raises(EngineUnavailable) as caught:
        async with connect(str(address), clock=CLOCK, timeout_s=timeout_s):
            pass
    return str(caught.value)


async def test_no_socket(tmp_path: Path) -> None:
    assert "no engine runs here" in await _fail(tmp_path / "absent")
    assert "fleet-tui engine" in await _fail(f"unix:///{tmp_path}/absent")


async def test_stale_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "s"))
    assert "left its socket behind" in await _fail(tmp_path / "s")


async def test_path_too_long(tmp_path: Path) -> None:
    assert "107" in await _fail(tmp_path / ("x" * 120))


async def test_nobody_on_the_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert "nothing listens at ws://127.0.0.1:" in await _fail(f"ws://127.0.0.1:{port}")


async def test_not_a_websocket(tmp_path: Path) -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail ready\r\n")
        writer.close()

    async with await asyncio.start_unix_server(hang_up, tmp_path / "s"):
        assert "is not an engine" in await _fail(tmp_path / "s")


async def test_mute_engine(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / "s"))
        mute.listen(1)
        assert "did not answer within 0.2 s" in await _fail(tmp_path / "s", timeout_s=0.2)


async def test_other_wire_version(tmp_path: Path, fake: FakeOperator, monkeypatch) -> None:
    async with Gateway(tmp_path / "s", fake.for_origin, version="9.9") as gateway:
        monkeypatch.setattr(wire, "VERSION", 2)
        # Both ends read the constant; give the client's the old value back once the engine has answered.
        decode_as = wire.decode_as

        def older(data, kind):
            monkeypatch.setattr(wire, "VERSION", 1)
            return decode_as(data, kind)

        monkeypatch.setattr(wire, "decode_as", older)
        assert "fleet-tui 9.9" in await _fail(gateway.path)


async def test_bad_address() -> None:
    with pytest.raises(UsageError, match="no address"):
        async with connect("ws://", clock=CLOCK):
            pass


async def test_loopback_port(tmp_path: Path, fake: FakeOperator) -> None:
    port = LoopbackPort("127.0.0.1", 0, tmp_path / "token")
    async with Gateway(tmp_path / "s", fake.for_origin, version="1", port=port) as gateway:
        token = (tmp_path / "token").read_text().strip()
        url = f"ws://127.0.0.1:{gateway.port}"
        async with connect(url, clock=CLOCK, caller=Caller("api", token=token)) as operator:
            assert (await operator.query("status")).pools == ("coder",)
            assert fake.origins[-1].address.startswith("127.0.0.1:")
        with pytest.raises(CommandRefused, match="Bearer"):
            async with connect(url, clock=CLOCK):
                pass
    assert gateway.port == 0


# Imports


def test_import_diet() -> None:
    code = (
        "import sys; import engine.api.client; "
        "bad = [m for m in sys.modules if m.split('.')[0] in ('pydantic','fastapi','starlette','uvicorn','websockets','h11','sqlite3')"
        " or m.startswith(('engine.gate', 'engine.coordinator', 'engine.fleet', 'engine.memory', 'engine.api.')) and m != 'engine.api.client'];"
        "print(bad)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


async def test_leaving_twice_is_harmless(gateway: Gateway) -> None:
    operator = connect(gateway.path, clock=CLOCK)
    async with operator:
        pass
    with pytest.raises(EngineUnavailable):
        await operator.ping()
    with contextlib.suppress(EngineUnavailable):
        await client.connect("/absent", clock=CLOCK).ping()
