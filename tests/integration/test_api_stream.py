"""The WebSocket as other programs use it: JSON-RPC 2.0 by hand, wrong in every way, and fuzzed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import pytest_asyncio
from engine.api.client import connect
from engine.api.gateway import Gateway
from engine.api.limits import Limits
from engine.clock import SystemClock
from engine.model.commands import COMMANDS
from engine.simulation.fake_operator import FakeOperator, make_agent, make_pool, make_task
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import ConnectionClosed

from tests.examples import examples

LIMITS = Limits(message_bytes_max=5000, requests_max=4, follows_max=2, request_s=2.0, ack_s=0.2, drain_s=0.3, send_s=0.3)


@pytest.fixture
def fake() -> FakeOperator:
    return FakeOperator([make_pool(), make_agent(), make_task()])


@pytest_asyncio.fixture
async def gateway(tmp_path: Path, fake: FakeOperator) -> AsyncIterator[Gateway]:
    async with Gateway(tmp_path / "s", fake.for_origin, version="1.2.3", limits=LIMITS) as gateway:
        yield gateway


@pytest_asyncio.fixture
async def ws(gateway: Gateway) -> AsyncIterator[ClientConnection]:
    async with unix_connect(str(gateway.path), "ws://e/ws", close_timeout=1) as ws:
        yield ws


async def receive(ws: ClientConnection) -> Any:
    async with asyncio.timeout(60):
        return json.loads(await ws.recv())


async def call(ws: ClientConnection, method: str, params: object = None, key: object = 1) -> Any:
    message = {"jsonrpc": "2.0", "id": key, "method": method}
    await ws.send(json.dumps(message if params is None else {**message, "params": params}))
    return await receive(ws)


async def test_methods_by_hand(ws: ClientConnection) -> None:
    assert (await call(ws, "hello", {"via": "cli"}))["result"]["engine"] == "1.2.3"
    assert await call(ws, "ping", key="a") == {"jsonrpc": "2.0", "id": "a", "result": "pong"}
    assert (await call(ws, "query", {"what": "pools"}))["result"][0]["id"] == "coder"
    calls = [{"name": "pool.pause", "args": {"pool": "coder"}}]
    plan = (await call(ws, "plan", {"commands": calls, "reason": "r"}))["result"]
    assert (await call(ws, "execute", {"plan": plan["id"]}))["result"]["values"] == ["coder"]
    assert (await call(ws, "execute", {"commands": calls}, key=None))["id"] is None


async def test_hello_is_not_needed_but_comes_first_and_once(ws: ClientConnection, fake: FakeOperator) -> None:
    assert (await call(ws, "query", {"what": "status"}))["result"]["name"] == "fake"
    assert fake.origins[-1].via == "api"
    assert "comes first" in (await call(ws, "hello", {}))["error"]["message"]


async def test_notifications_have_no_answer(ws: ClientConnection, fake: FakeOperator) -> None:
    for message in (
        {"jsonrpc": "2.0", "method": "ping"},
        {"jsonrpc": "2.0", "method": "absent"},
        {"jsonrpc": "2.0", "method": "query", "params": {"what": "absent"}},
        {"jsonrpc": "2.0", "method": "execute", "params": {"commands": [{"name": "pool.pause", "args": {"pool": "coder"}}]}},
        {"jsonrpc": "2.0", "method": "follow", "params": {"kinds": ["pools"]}},
    ):
        await ws.send(json.dumps(message))
    while fake.asked[-1:] == [] or fake.asked[-1].method != "execute":
        await call(ws, "ping", key="end")
    assert (await call(ws, "ping", key="last"))["id"] == "last"
    assert fake.followers == 0


@pytest.mark.row(21)
async def test_feed_by_hand(ws: ClientConnection, fake: FakeOperator) -> None:
    assert (await call(ws, "follow", {"kinds": ["pools"]}, key="f"))["result"] == {"follow": "f"}
    frame = await receive(ws)
    assert (frame["method"], frame["params"]["follow"]) == ("frame", "f")
    assert frame["params"]["frame"]["rows"]["pools"][0][0] == "coder"
    fake.change("pools", "coder", size=8)
    fake.change("pools", "coder", size=9)
    # Without the acknowledgement nothing comes but answers.
    assert (await call(ws, "ping"))["result"] == "pong"
    await ws.send('{"jsonrpc":"2.0","method":"ack","params":{"follow":"f"}}')
    assert (await receive(ws))["params"]["frame"]["rows"]["pools"][0][5] == 9
    assert (await call(ws, "unfollow", {"follow": "f"}))["result"] is None
    while fake.followers:
        await call(ws, "ping")
    assert (await call(ws, "ack", {"follow": "f"}))["result"] is None
    assert (await call(ws, "unfollow", {"follow": "f"}))["result"] is None
    # The name is free again.
    assert (await call(ws, "follow", {"kinds": ["agents"]}, key="f"))["result"] == {"follow": "f"}


async def test_client_that_never_acknowledges_loses_its_feed(ws: ClientConnection, fake: FakeOperator) -> None:
    await call(ws, "follow", {"kinds": ["pools"]}, key=7)
    await receive(ws)
    end = await receive(ws)
    assert (end["method"], end["params"]["follow"]) == ("end", 7)
    assert end["params"]["error"]["data"]["code"] == "refused"
    assert fake.followers == 0


async def test_too_many_feeds(ws: ClientConnection) -> None:
    for key in (1, 2):
        await call(ws, "follow", {"kinds": []}, key=key)
        await receive(ws)
    assert "2 feeds are open" in (await call(ws, "follow", {"kinds": []}, key=3))["error"]["message"]
    assert "names the feed" in (await call(ws, "follow", {"kinds": []}, key=2))["error"]["message"]


async def test_flood_is_refused_not_queued(ws: ClientConnection, fake: FakeOperator) -> None:
    fake.open.clear()
    for key in range(100):
        await ws.send(json.dumps({"jsonrpc": "2.0", "id": key, "method": "query", "params": {"what": "status"}}))
    refusals = [await receive(ws) for _ in range(96)]
    assert {r["error"]["data"]["code"] for r in refusals} == {"refused"}
    assert "4 requests of this connection are open" in refusals[0]["error"]["message"]
    fake.open.set()
    assert {(await receive(ws))["id"] for _ in range(4)} == {0, 1, 2, 3}


async def test_request_that_takes_too_long(tmp_path: Path, fake: FakeOperator) -> None:
    fake.open.clear()
    async with (
        Gateway(tmp_path / "s", fake.for_origin, version="1", limits=Limits(request_s=0.05)) as gateway,
        unix_connect(str(gateway.path), "ws://e/ws") as ws,
    ):
        error = (await call(ws, "query", {"what": "status"}))["error"]
        assert (error["code"], error["data"]["code"]) == (-32000, "failed")
        assert "not done within 0.05 s" in error["message"]


async def test_answer_too_large(tmp_path: Path, fake: FakeOperator) -> None:
    async with (
        Gateway(tmp_path / "s", fake.for_origin, version="1", limits=Limits(answer_bytes_max=100)) as gateway,
        unix_connect(str(gateway.path), "ws://e/ws") as ws,
    ):
        assert "ask for less" in (await call(ws, "query", {"what": "pools"}))["error"]["message"]


@pytest.mark.parametrize(
    ("sent", "code", "word", "key"),
    [
        ("", -32700, "not valid JSON", None),
        ("{", -32700, "not valid JSON", None),
        ("[" * 2000, -32600, "request", None),
        ("é\u0000", -32700, "not valid JSON", None),
        (b"{}", -32600, "binary", None),
        ("[]", -32600, "request", None),
        ('[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600, "request", None),
        ("3", -32600, "request", None),
        ("null", -32600, "request", None),
        ('{"id":9}', -32600, "method", 9),
        ('{"id":"x","method":4}', -32600, "method", "x"),
        ('{"id":{},"method":"ping"}', -32600, "id", None),
        ('{"id":true,"method":"ping"}', -32600, "id", None),
        (json.dumps({"id": "x" * 200, "method": "ping"}), -32600, "id", None),
        ('{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600, "jsonrpc", 1),
        ('{"id":1,"method":"pong"}', -32601, "did you mean 'ping'", 1),
        (json.dumps({"id": 1, "method": "z" * 4000}), -32601, "no method", 1),
        ('{"id":1,"method":"query"}', -32602, "what", 1),
        ('{"id":1,"method":"query","params":[1]}', -32602, "query", 1),
        ('{"id":1,"method":"query","params":null}', -32602, "query", 1),
        ('{"id":1,"method":"query","params":{"what":"status","parameters":{"what":1}}}', -32602, "no parameters", 1),
        ('{"id":1,"method":"query","params":{"what":"status","parameters":{"self":1}}}', -32602, "no parameters", 1),
        ('{"id":1,"method":"query","params":{"what":"nonsense"}}', -32602, "nonsense", 1),
        ('{"id":1,"method":"query","params":{"what":"pool","parameters":{"id":"absent"}}}', -32000, "absent", 1),
        ('{"id":1,"method":"execute","params":{}}', -32602, "either", 1),
        ('{"id":1,"method":"execute","params":{"plan":"p","commands":[]}}', -32602, "either", 1),
        ('{"id":1,"method":"execute","params":{"commands":{}}}', -32602, "execute", 1),
        ('{"id":1,"method":"execute","params":{"commands":[{"name":"pool.scal"}]}}', -32602, "pool.scale", 1),
        ('{"id":1,"method":"execute","params":{"commands":[{"nam":"x"}]}}', -32602, "nam", 1),
        ('{"id":1,"method":"plan","params":{"commands":[{"name":"pool.pause","args":[]}]}}', -32602, "Call", 1),
        ('{"id":1,"method":"follow","params":{"kinds":["pool"]}}', -32602, "did you mean 'pools'", 1),
        ('{"id":null,"method":"follow","params":{"kinds":["pools"]}}', -32602, "names the feed", None),
        ('{"id":1,"method":"ack","params":{}}', -32602, "follow", 1),
        ('{"id":1,"method":"hello","params":{"via":"engine"}}', -32602, "console, cli, api", 1),
        (json.dumps({"id": 1, "method": "ping", "params": "x" * 5000}), -32600, "the most is 5000", None),
        (json.dumps({"id": 1, "method": "ping", "params": "ü" * 2500}, ensure_ascii=False), -32600, "the most is 5000", None),
    ],
)  # fmt: skip
async def test_wrong_messages(ws: ClientConnection, sent: str | bytes, code: int, word: str, key: object) -> None:
    await ws.send(sent)
    answer = await receive(ws)
    assert answer["error"]["code"] == code
    assert word in answer["error"]["message"]
    assert answer["id"] == key
    assert answer["error"]["data"]["code"] in ("usage", "not_found")
    assert (await call(ws, "ping"))["result"] == "pong"


async def test_far_too_large_a_message_is_cut_off(gateway: Gateway, ws: ClientConnection) -> None:
    await ws.send("x" * 50_000)
    with pytest.raises(ConnectionClosed) as caught:
        await ws.recv()
    assert caught.value.rcvd.code == 1009
    async with connect(gateway.path, clock=SystemClock()) as operator:
        assert await operator.query("status")


async def test_client_that_leaves_does_not_take_its_verb_along(gateway: Gateway, fake: FakeOperator) -> None:
    fake.open.clear()
    async with unix_connect(str(gateway.path), "ws://e/ws") as ws:
        await ws.send('{"id":1,"method":"execute","params":{"commands":[{"name":"pool.pause","args":{"pool":"coder"}}]}}')
        while not fake.asked:
            await call(ws, "ping", key=2)
    fake.open.set()
    async with asyncio.timeout(60):
        while not fake.rows["pools"]["coder"].paused:
            await SystemClock().sleep(0)


async def test_client_that_takes_no_bytes_is_cut(gateway: Gateway, fake: FakeOperator) -> None:
    fake.artifacts["big"] = bytes(3 << 20)
    async with unix_connect(str(gateway.path), "ws://e/ws", max_queue=1, max_size=None, close_timeout=0.1) as ws:
        for key in range(4):
            await ws.send(json.dumps({"id": key, "method": "query", "params": {"what": "artifact", "parameters": {"id": "big"}}}))
        with contextlib.suppress(ConnectionClosed):
            async with asyncio.timeout(30):  # less than a WebSocket that answers no ping has: 40 s
                while not fake.asked or gateway._sessions:
                    await ws.send('{"id":"more","method":"ping"}')  # the answer waits for room
                    await SystemClock().sleep(0.02)
        assert not gateway._sessions
        with contextlib.suppress(ConnectionClosed):
            await ws.recv()


# Fuzz

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
WORDS = st.sampled_from(["pools", "coder", "agt_1", "tsk_1", "status", "pln_1", "x", ""])
CALLS = st.fixed_dictionaries({"name": st.sampled_from([*COMMANDS, "x"])}, optional={"args": st.dictionaries(WORDS | st.sampled_from(["pool", "size", "task"]), WORDS | JSON, max_size=3) | JSON})
PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "what": WORDS | JSON, "parameters": JSON, "commands": st.lists(CALLS, max_size=3) | JSON, "plan": WORDS | JSON,
        "reason": JSON, "kinds": st.lists(WORDS, max_size=3) | JSON, "follow": st.integers(0, 3) | JSON, "via": WORDS, "ssh": st.text(),
    },
)  # fmt: skip
REQUESTS = st.fixed_dictionaries(
    {"method": st.sampled_from(["hello", "plan", "execute", "query", "follow", "unfollow", "ack", "ping", "x"])},
    optional={"id": st.integers(0, 3) | JSON, "params": PARAMS | JSON, "jsonrpc": st.sampled_from(["2.0", "1"])},
).map(json.dumps)
MESSAGES = st.lists(REQUESTS | REQUESTS | st.text(max_size=50) | JSON.map(json.dumps) | st.binary(max_size=50), max_size=12)


@settings(max_examples=examples(80), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(messages=MESSAGES)
def test_fuzzed_messages(messages: list[str | bytes], caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(path: Path) -> None:
        fake = FakeOperator([make_pool(), make_agent(), make_task()])
        async with Gateway(path, fake.for_origin, version="1", limits=LIMITS) as gateway:
            async with unix_connect(str(path), "ws://e/ws") as ws:
                for message in messages:
                    await ws.send(message)
                await ws.send('{"jsonrpc":"2.0","id":"the end","method":"ping"}')
                while (answer := await receive(ws)).get("id") != "the end":
                    assert answer["jsonrpc"] == "2.0"
                    assert "method" in answer or ("result" in answer) != ("error" in answer)
            async with connect(path, clock=SystemClock()) as operator:
                assert await operator.query("status")
            assert len(gateway._sessions) <= 1

    caplog.clear()
    with TemporaryDirectory() as directory:
        asyncio.run(scenario(Path(directory) / "s"))
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: e\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
STARTS = st.sampled_from([b"", HANDSHAKE, b"GET /v1/status HTTP/1.1\r\n", b"POST /v1/pool.pause HTTP/1.1\r\nHost: e\r\nContent-Length: 9\r\n\r\n"])


@settings(max_examples=examples(80), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(start=STARTS, rest=st.binary(max_size=200), cut=st.integers(0, 400))
def test_fuzzed_bytes(start: bytes, rest: bytes, cut: int, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(path: Path) -> None:
        fake = FakeOperator()
        async with Gateway(path, fake.for_origin, version="1", limits=LIMITS):
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write((start + rest)[:cut])
            if writer.can_write_eof():
                writer.write_eof()
            with contextlib.suppress(ConnectionResetError):
                async with asyncio.timeout(60):
                    await reader.read(1 << 16)
            writer.close()
            async with connect(path, clock=SystemClock()) as operator:
                assert await operator.query("status")

    caplog.clear()
    with TemporaryDirectory() as directory:
        asyncio.run(scenario(Path(directory) / "s"))
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
