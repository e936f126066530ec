"""REST on a real Unix socket: every verb, every kind, every refusal."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from engine.api.gateway import Gateway
from engine.api.limits import Limits
from engine.model import wire
from engine.model.commands import COMMANDS
from engine.model.errors import (
    CommandRefused,
    EngineUnavailable,
    FleetError,
    JournalError,
    NotFound,
    ReadOnly,
    UsageError,
)
from engine.model.rows import ROW_KINDS
from engine.model.task_commands import SubmitTask
from engine.simulation.fake_operator import Asked, FakeOperator, make_agent, make_pool, make_task

LIMITS = Limits(message_bytes_max=20_000, request_s=0.3, receive_s=0.3, drain_s=0.5, answer_bytes_max=400_000)


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def ask(path: Path, method: str, target: str, body: object = None, *, headers: str = "") -> Reply:
    """One request over the socket; a body that is not bytes is sent as JSON."""
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    reader, writer = await asyncio.open_unix_connection(path)
    length = "" if "Content-Length" in headers else f"Content-Length: {len(data)}\r\n"
    head = f"{method} {target} HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n{length}{headers}\r\n"
    writer.write(head.encode() + data)
    async with asyncio.timeout(60):
        raw = await reader.read()
    writer.close()
    return parse(raw)


def parse(raw: bytes) -> Reply:
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    return Reply(int(lines[0].split()[1]), headers, body)


@pytest.fixture
def fake() -> FakeOperator:
    return FakeOperator([make_pool(), make_agent(), make_task(), make_task("tsk_2", state="running")])


@pytest_asyncio.fixture
async def path(tmp_path: Path, fake: FakeOperator) -> AsyncIterator[Path]:
    async with Gateway(tmp_path / "s", fake.for_origin, version="1.2.3", limits=LIMITS) as gateway:
        yield gateway.path


@pytest.mark.row(21)
@pytest.mark.parametrize("name", COMMANDS)
async def test_every_verb(path: Path, fake: FakeOperator, name: str) -> None:
    samples = {"str": "coder", "int": 3, "float": 2.5, "bool": True, "tuple[str, ...]": ["x"], "dict[str, Any]": {"k": 1}}
    known = {"agent": "agt_1", "task": "tsk_1", "size": "3", "plan": ""}
    specs = dataclasses.fields(COMMANDS[name])
    ratios = {s.name: s.metadata["le"] for s in specs if s.type == "float" and "le" in s.metadata}
    body = {s.name: s.metadata.get("choices", [known.get(s.name, ratios.get(s.name, samples[str(s.type)]))])[0] for s in specs}
    planned = await ask(path, "POST", f"/v1/{name}?dry_run=true", {**body, "reason": "why"})
    assert (planned.status, planned.headers["content-type"]) == (200, "application/json")
    assert planned.json["steps"][0]["call"]["name"] == name
    if name == "plan.undo":
        await ask(path, "POST", "/v1/pool.pause", {"pool": "coder"})
    done = await ask(path, "POST", f"/v1/{name}", {**body, "reason": "why"})
    assert done.status == 200, done.body
    assert done.json["plan"].startswith("pln_")
    command = wire.command_of({"name": name, "args": body})
    assert fake.asked[0] == Asked("plan", [command], "why")
    assert fake.asked[-1] == Asked("execute", [command], "why")


async def test_a_verb_without_arguments_needs_no_body(path: Path) -> None:
    assert (await ask(path, "POST", "/v1/engine.stop")).status == 200


async def test_lists_of_verbs(path: Path, fake: FakeOperator) -> None:
    commands = [{"name": "task.submit", "args": {"type": "noop", "pool": "coder"}}] * 3
    plan = (await ask(path, "POST", "/v1/plan", {"commands": commands})).json
    assert len(plan["steps"]) == 3
    assert (await ask(path, "POST", "/v1/execute", {"plan": plan["id"]})).json["values"] == ["tsk_3", "tsk_4", "tsk_5"]
    assert (await ask(path, "POST", "/v1/execute", {"commands": commands, "reason": "r"})).json["values"][0] == "tsk_6"
    assert fake.asked[-1] == Asked("execute", [SubmitTask("noop", "coder")] * 3, "r")
    for wrong in ({}, {"plan": "pln_1", "commands": []}, {"command": []}):
        assert (await ask(path, "POST", "/v1/execute", wrong)).status == 400
    assert (await ask(path, "POST", "/v1/plan", {"plan": "pln_1"})).status == 400


@pytest.mark.parametrize("kind", ROW_KINDS)
async def test_rows_are_objects(path: Path, fake: FakeOperator, kind: str) -> None:
    reply = await ask(path, "GET", f"/v1/{kind}?limit=5&filter=a%20b&after=17")
    assert reply.json == [wire.row_to_dict(row) for row in fake.rows[kind].values()]
    assert fake.asked[-1].what == (kind, {"limit": 5, "filter": "a b", "after": 17})


async def test_one_in_full(path: Path, fake: FakeOperator) -> None:
    fake.artifacts["sha/1 x"] = bytes(range(256))
    assert (await ask(path, "GET", "/v1/pools/coder")).json["id"] == "coder"
    assert (await ask(path, "GET", "/v1/agents/agt_1")).json["id"] == "agt_1"
    assert (await ask(path, "GET", "/v1/tasks/tsk_2")).json["state"] == "running"
    assert (await ask(path, "GET", "/v1/tasks/tsk_2/log")).json == {"what": "log", "id": "tsk_2"}
    artifact = await ask(path, "GET", "/v1/artifacts/sha%2F1%20x")
    assert (await ask(path, "GET", "/v1/timeline/agt_1")).json == {"what": "timeline", "id": "agt_1"}
    assert (artifact.body, artifact.headers["content-type"]) == (bytes(range(256)), "application/octet-stream")
    assert (await ask(path, "GET", "/v1/status")).json["pools"] == ["coder"]
    for what in ("commands", "config", "schema"):
        assert (await ask(path, "GET", f"/v1/{what}")).json == {"what": what}


@pytest.mark.parametrize(
    ("stored", "body", "media"),
    [
        ({"media": "application/json", "data": {"a": [1]}}, b'{"a":[1]}', "application/json"),
        ({"media": "text/x-diff; charset=utf-8", "data": "+ä"}, "+ä".encode(), "text/x-diff; charset=utf-8"),
        ({"media": "image/png", "data": b"\x89"}, b"\x89", "image/png"),
        ({"media": "text/html\r\nX: y", "data": "a"}, b"a", "text/plain; charset=utf-8"),
        ({"media": "x", "data": b"\x00"}, b"\x00", "application/octet-stream"),
        ({"no": "data"}, b'{"no":"data"}', "application/json"),
        ("text", b"text", "text/plain; charset=utf-8"),
    ],
)
async def test_artifacts_come_as_they_are(path: Path, fake: FakeOperator, stored: object, body: bytes, media: str) -> None:
    fake.artifacts["a"] = stored
    reply = await ask(path, "GET", "/v1/artifacts/a")
    assert (reply.status, reply.body, reply.headers["content-type"]) == (200, body, media)


async def test_openapi_is_served(path: Path) -> None:
    document = (await ask(path, "GET", "/openapi.json")).json
    assert {f"/v1/{name}" for name in COMMANDS} <= set(document["paths"])
    assert document["info"]["version"] == "1.2.3"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("e"), 400), (CommandRefused("e"), 409), (NotFound("e"), 404), (ReadOnly("e"), 503),
        (EngineUnavailable("e"), 503), (JournalError("e"), 500), (FleetError("e"), 500),
    ],
)  # fmt: skip
async def test_errors_by_class(path: Path, fake: FakeOperator, error: FleetError, status: int) -> None:
    fake.refusal = error
    reply = await ask(path, "POST", "/v1/pool.pause", {"pool": "coder"})
    assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json")
    assert reply.json == {"code": error.code, "message": "e", "status": status}


async def test_a_bug_is_logged_and_not_told(path: Path, fake: FakeOperator, caplog: pytest.LogCaptureFixture) -> None:
    fake.refusal = ZeroDivisionError("secret")
    reply = await ask(path, "GET", "/v1/status")
    assert reply.status == 500
    assert b"secret" not in reply.body
    assert "a request failed inside" in caplog.text


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "text"),
    [
        ("GET", "/v1/pool", None, 404, "did you mean 'pools'"),
        ("POST", "/v1/pool.scal", {}, 404, "did you mean 'pool.scale'"),
        ("GET", "/", None, 404, "/openapi.json"),
        ("GET", "/v1", None, 404, "/openapi.json"),
        ("GET", "/v1/hosts/h", None, 404, "no path"),
        ("GET", "/v1/pools/absent", None, 404, "no pool 'absent'"),
        ("GET", "/v1/artifacts/absent", None, 404, "no artifact"),
        ("GET", "/v1/pool.scale", None, 405, "takes POST"),
        ("PUT", "/v1/pools", {}, 405, "takes GET"),
        ("POST", "/v1/pools", {}, 405, "takes GET"),
        ("GET", "/v1/pools?limit=x", None, 400, "whole number"),
        ("GET", "/v1/pools?limits=1", None, 400, "did you mean 'limit'"),
        ("POST", "/v1/pool.scale?dry_run=maybe", {}, 400, "true or false"),
        ("POST", "/v1/pool.scale?dry-run=true", {}, 400, "dry_run"),
        ("POST", "/v1/pool.scale", {"pool": "coder"}, 400, "size"),
        ("POST", "/v1/pool.scale", {"pool": "coder", "sise": "3"}, 400, "did you mean 'size'"),
        ("POST", "/v1/task.submit", {"type": "noop", "priority": 11}, 400, "the most is 10"),
        ("POST", "/v1/pool.scale", {"pool": 3, "size": "3"}, 400, "pool"),
        ("POST", "/v1/pool.scale", {"pool": "coder", "size": "3", "reason": 4}, 400, "body"),
        ("POST", "/v1/pool.scale", [1], 400, "body"),
        ("POST", "/v1/pool.scale", b"{", 400, "body"),
        ("POST", "/v1/pool.scale", b"\xff\xfe", 400, "body"),
        ("POST", "/v1/pool.scale", b"[" * 15_000, 400, "body"),
        ("POST", "/v1/pool.scale", b'{"pool":' + b"[" * 15_000, 400, "the body: it is nested too deeply"),
        ("POST", "/v1/pool.scale", b'{"pool":"' + b"x" * 15 * 20_000, 413, "20000 bytes"),
        ("POST", "/v1/pool.scale", {"pool": "x" * 20_000, "size": "1"}, 413, "20000 bytes"),
    ],
)  # fmt: skip
async def test_wrong_requests(path: Path, method: str, target: str, body: object, status: int, text: str) -> None:
    reply = await ask(path, method, target, body)
    assert reply.status == status, reply.body
    assert text in reply.json["message"]
    assert reply.headers["content-type"] == "application/problem+json"


async def test_405_names_the_method(path: Path) -> None:
    assert (await ask(path, "DELETE", "/v1/pools")).headers["allow"] == "GET"


async def test_slow_engine_gives_504(path: Path, fake: FakeOperator) -> None:
    fake.open.clear()
    assert (await ask(path, "GET", "/v1/status")).status == 504


async def test_slow_body_gives_400(path: Path) -> None:
    reply = await ask(path, "POST", "/v1/pool.scale", b"{", headers="Content-Length: 10\r\n")
    assert reply.status == 400
    assert "did not arrive" in reply.json["message"]


async def test_answer_too_large_is_refused(path: Path, fake: FakeOperator) -> None:
    fake.artifacts["big"] = bytes(LIMITS.answer_bytes_max + 1)
    reply = await ask(path, "GET", "/v1/artifacts/big")
    assert (reply.status, reply.json["code"]) == (400, "usage")


async def test_connection_is_kept_alive(path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    for _ in range(3):
        writer.write(b"GET /v1/status HTTP/1.1\r\nHost: e\r\n\r\n")
        head = parse(await reader.readuntil(b"\r\n\r\n"))
        assert json.loads(await reader.readexactly(int(head.headers["content-length"])))["name"] == "fake"
    # Then it says nothing more, and is cut.
    async with asyncio.timeout(60):
        with contextlib.suppress(ConnectionResetError):
            assert not await reader.read()
    writer.close()


async def test_origin_is_the_kernels_word(path: Path, fake: FakeOperator) -> None:
    import os

    await ask(path, "GET", "/v1/status")
    assert fake.origins[-1].address == f"pid {os.getpid()}"
    assert (fake.origins[-1].via, fake.origins[-1].role) == ("api", 2)
