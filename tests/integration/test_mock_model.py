"""The mock model over HTTP: three APIs, streamed and whole, errors, cuts, delays, and its log."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import signal
import subprocess
import sys
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from engine.clock import SystemClock
from fleet_tui.mock_model.request_log import RequestLog
from fleet_tui.mock_model.script import Script, Turn
from fleet_tui.mock_model.server import MockModel

WAIT_S = 60
SAY = {"role": "user", "content": "count to three"}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/messages": {"model": "m", "max_tokens": 9, "messages": [SAY]},
    "/v1/chat/completions": {"model": "m", "messages": [SAY], "stream_options": {"include_usage": True}},
    "/v1/responses": {"model": "m", "input": [{"type": "message", **SAY}]},
}
USED = {
    "/v1/messages": {"input_tokens": 70, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 30, "output_tokens": 7},
    "/v1/chat/completions": {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107, "prompt_tokens_details": {"cached_tokens": 30}},
    "/v1/responses": {
        "input_tokens": 100, "input_tokens_details": {"cached_tokens": 30}, "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 107,
    },
}  # fmt: skip
TURN = Turn(text="one two three", tool="Count", input={"to": 3}, input_tokens=100, output_tokens=7, cached_tokens=30)


@dataclass
class Got:
    status: int
    headers: dict[str, str]
    data: bytes
    is_cut: bool = False

    @property
    def json(self) -> Any:
        return json.loads(self.data)

    @property
    def events(self) -> list[Any]:
        lines = [line.removeprefix(b"data: ") for line in self.data.splitlines() if line.startswith(b"data: ")]
        return [json.loads(line) for line in lines if line != b"[DONE]"]


class RecordedClock(SystemClock):
    """Real time, and waits that are noted instead."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)


def _ask(url: str, path: str, body: object, method: str) -> Got:
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=WAIT_S)
    with contextlib.closing(connection):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, data, {"x-api-key": "sk-very-secret", "authorization": "Bearer hush-hush"})
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        try:
            return Got(answer.status, headers, answer.read())
        except http.client.IncompleteRead as error:
            return Got(answer.status, headers, error.partial, is_cut=True)


async def ask(model: MockModel, path: str, body: object = None, *, method: str = "POST", **more: object) -> Got:
    return await asyncio.to_thread(_ask, model.url, path, {**BODIES.get(path, {}), **more} if body is None else body, method)


def serve(*turns: Turn, clock: SystemClock | None = None, log: RequestLog | None = None) -> MockModel:
    return MockModel(Script({"": turns} if turns else {}), clock=clock or SystemClock(), log=log)


def said(path: str, whole: dict[str, Any]) -> tuple[str, str, object]:
    """Text, name and arguments of an answer that is not streamed, as clients of each API read them."""
    if path == "/v1/messages":
        text, tool = whole["content"]
        return text["text"], tool["name"], tool["input"]
    if path == "/v1/responses":
        message, call = whole["output"]
        return message["content"][0]["text"], call["name"], json.loads(call["arguments"])
    message = whole["choices"][0]["message"]
    call = message["tool_calls"][0]["function"]
    return message["content"], call["name"], json.loads(call["arguments"])


def joined(path: str, events: list[Any]) -> tuple[str, str, object]:
    """The same of a stream, from its deltas alone."""
    if path == "/v1/chat/completions":
        deltas = [event["choices"][0]["delta"] for event in events if event["choices"]]
        call = next(delta["tool_calls"][0]["function"] for delta in deltas if "tool_calls" in delta)
        return "".join(delta.get("content", "") for delta in deltas), call["name"], json.loads(call["arguments"])
    if path == "/v1/responses":
        text = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
        given = "".join(event["delta"] for event in events if event["type"] == "response.function_call_arguments.delta")
        name = next(event["item"]["name"] for event in events if event["type"] == "response.output_item.added" and "name" in event["item"])
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        return text, name, json.loads(given)
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    name = next(event["content_block"]["name"] for event in events if event["type"] == "content_block_start" and event["index"] == 1)
    given = "".join(delta.get("partial_json", "") for delta in deltas)
    return "".join(delta.get("text", "") for delta in deltas), name, json.loads(given)


def usage_of(path: str, events: list[Any]) -> object:
    last = events[-1] if path != "/v1/messages" else events[-2]
    return last["response"]["usage"] if path == "/v1/responses" else last["usage"]


@pytest.mark.parametrize("path", BODIES)
async def test_each_api_says_a_turn_whole_and_streamed_then_repeats_what_it_hears(path: str) -> None:
    async with serve(TURN) as model:
        whole = await ask(model, path)
        streamed = await ask(model, path, stream=True)
        heard = {"role": "user", "content": "and now?"}
        key = "input" if path == "/v1/responses" else "messages"
        told = [*BODIES[path][key], {"role": "assistant", "content": "one"}, heard]
        after = await ask(model, path, **{key: told})
        assert [one["turn"] for one in model.requests] == [1, 1, 0], "each began anew, the last one went on"
    expected = ("one two three", "Count", {"to": 3})
    assert said(path, whole.json) == expected
    assert whole.json["usage"] == USED[path]
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert joined(path, streamed.events) == expected
    assert usage_of(path, streamed.events) == USED[path]
    assert "and now?" in after.data.decode()


@pytest.mark.parametrize("path", BODIES)
async def test_errors_and_retry_after_are_sent_as_scripted(path: str) -> None:
    async with serve(Turn(status=429, retry_after_s=2.5), Turn(status=529, body="busy"), Turn(status=400, body={"why": 1}), Turn(text="ok")) as model:
        got = [await ask(model, path, stream=True) for _ in range(4)]
    assert [one.status for one in got] == [429, 529, 400, 200]
    assert got[0].headers["retry-after"] == "2.5"
    assert got[0].json["error"]["message"] == "scripted error 429"
    assert (got[1].data, got[2].json) == (b"busy", {"why": 1})
    assert got[3].events


@pytest.mark.parametrize("stream", [True, False])
async def test_a_connection_is_cut_before_or_during_an_answer(caplog: pytest.LogCaptureFixture, *, stream: bool) -> None:
    async with serve(Turn(cut="before"), Turn(text="one two three", cut="during"), Turn(text="whole")) as model:
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            await ask(model, "/v1/messages", stream=stream)
        half = await ask(model, "/v1/messages", stream=stream)
        assert half.is_cut
        assert not stream or half.events[-1]["delta"]["text"] == "one "
        assert b"whole" in (await ask(model, "/v1/messages", stream=stream)).data
    assert caplog.text == "", "a cut is no error of the server"


async def test_a_slow_turn_waits_before_it_begins_and_between_its_pieces() -> None:
    clock = RecordedClock()
    async with serve(Turn(text="one two three", delay_s=9, between_s=0.5), clock=clock) as model:
        assert joined_text(await ask(model, "/v1/messages", stream=True)) == "one two three"
    assert clock.waited == [9, 0.5, 0.5]


def joined_text(got: Got) -> str:
    return "".join(event["delta"]["text"] for event in got.events if event["type"] == "content_block_delta")


async def test_tokens_are_counted_models_listed_and_anything_else_refused() -> None:
    async with serve() as model:
        counted = await ask(model, "/v1/messages/count_tokens", BODIES["/v1/messages"])
        whole = await ask(model, "/v1/messages")
        assert counted.json["input_tokens"] == whole.json["usage"]["input_tokens"] > 0
        assert (await ask(model, "/v1/models", b"", method="GET")).json["data"][0]["id"] == "mock-model"
        assert (await ask(model, "/v1/embeddings", {})).status == 404
        refused = [await ask(model, "/v1/messages", body) for body in (b"{", [], {"messages": [SAY]}, {"model": "m", "messages": "hello"})]
        assert {one.status for one in refused} == {400}
        assert refused[3].json["error"] == {"type": "invalid_request_error", "message": "messages must be a list of objects"}


async def test_responses_go_on_from_an_answer_that_is_named() -> None:
    async with serve(Turn(text="one"), Turn(text="two")) as model:
        first = (await ask(model, "/v1/responses", {"model": "m", "input": "hello"})).json
        second = await ask(model, "/v1/responses", {"model": "m", "input": "more", "previous_response_id": first["id"]})
        assert second.json["output"][0]["content"][0]["text"] == "two"
        assert (await ask(model, "/v1/responses", {"model": "m", "input": "x", "previous_response_id": "resp_none"})).status == 400


def test_the_command_says_where_it_is_logs_without_secrets_and_ends_when_told(tmp_path: Path) -> None:
    script, log = tmp_path / "s.toml", tmp_path / "log.jsonl"
    script.write_text('[[turn]]\ntext = "hello"\n')
    words = [sys.executable, "-m", "fleet_tui", "mock-model", str(script), "--log", str(log), "--bodies"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert told["pid"] == process.pid
        body = {**BODIES["/v1/messages"], "metadata": {"api_key": "sk-another-secret-of-mine"}}
        assert _ask(told["url"], "/v1/messages", body, "POST").json["content"][0]["text"] == "hello"
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 0
    line = json.loads(log.read_text())
    assert (line["path"], line["turn"], line["last"], line["body"]["messages"]) == ("/messages", 1, "count to three", [SAY])
    assert "secret" not in log.read_text()
    assert "hush" not in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_script_that_is_wrong_is_said_in_a_sentence(tmp_path: Path) -> None:
    script = tmp_path / "s.toml"
    script.write_text('[[turn]]\ntxt = "hello"\n')
    done = subprocess.run([sys.executable, "-m", "fleet_tui", "mock-model", str(script)], capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {script} line 2: 'txt' is not known; did you mean 'text'?\n"
