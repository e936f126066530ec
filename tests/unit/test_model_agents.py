"""Agents that ask models over HTTP: answers in any pieces, and the pressure that providers give back."""

from __future__ import annotations

import asyncio
import json

import pytest
from engine.agents.openai.answers import ERROR_MAX, TEXT_MAX, Answer, error_in
from engine.agents.openai.buckets import TOLD_MAX_S, Bucket
from engine.agents.openai.kind import body_of, retry_after
from engine.config import parse_config
from engine.model.errors import ConfigError
from engine.model.pools import ModelSpec
from engine.simulation.loop import VirtualClock, run_virtual
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples


def events(*said: object, end: str = "data: [DONE]\n\n") -> bytes:
    return ("".join(f"data: {json.dumps(one)}\n\n" for one in said) + end).encode()


def delta(text: str, reason: str | None = None) -> dict[str, object]:
    return {"model": "m-1", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": reason}]}


USED = {"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 3}, "completion_tokens_details": {"reasoning_tokens": 2}}}


def test_an_answer_its_usage_and_its_model() -> None:
    answer = Answer()
    assert answer.feed(b": ping\nevent: x\n" + events(delta("He"), delta("llo\x1b[31m"), delta("", "stop"), USED)) == "Hello"
    assert (answer.text, answer.model, answer.failure()) == ("Hello", "m-1", None)
    assert answer.usage == {"input_tokens": 7, "output_tokens": 4, "turns": 1, "cache_read_tokens": 3, "reasoning_tokens": 2}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (events(delta("half"), end=""), "api_error"),
        (events(delta("half", "length")), "max_tokens"),
        (events(delta("", "content_filter")), "refused"),
        (events(delta("", "tool_calls")), "protocol"),
        (events({"error": {"message": "overloaded"}}), "api_error"),
        (b"", "api_error"),
        (b"<html>", "api_error"),
    ],
)
@pytest.mark.rule(2, "openai")
def test_what_is_no_whole_answer(body: bytes, kind: str) -> None:
    answer = Answer()
    answer.feed(body)
    failure = answer.failure()
    assert failure is not None
    assert failure[0] == kind


def test_no_error_is_cut_before_its_secrets_are_hidden() -> None:
    secret = "sk-" + "Zq9" * 8
    words = f"password={'x' * (ERROR_MAX - 20)} {secret} {secret}"
    for body in (words, json.dumps({"error": {"message": words}}), json.dumps({"error": words}), json.dumps({"message": words})):
        assert error_in(body.encode()) == "password=[hidden] [hidden] [hidden]"
    answer = Answer()
    answer.feed(events({"model": secret, "error": {"message": words}}))
    assert (answer.model, answer.error) == ("[hidden]", "password=[hidden] [hidden] [hidden]")


_values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=6), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["choices", "delta", "content", "usage", "error", "message"]), inner, max_size=3), max_leaves=6)
_lines = st.binary(max_size=40) | st.dictionaries(st.sampled_from(["choices", "usage", "model", "error"]), _values).map(lambda said: b"data: " + json.dumps(said).encode()) | st.just(events(delta("x")).strip())


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(_lines, max_size=6), st.lists(st.integers(0, 300), max_size=6))
def test_any_bytes_in_any_pieces_give_the_same_answer(lines: list[bytes], cuts: list[int]) -> None:
    data = b"\n".join([*lines, b""])
    whole, pieces = Answer(), Answer()
    whole.feed(data)
    at = sorted(min(place, len(data)) for place in cuts)
    for start, end in zip([0, *at], [*at, len(data)], strict=True):
        pieces.feed(data[start:end])
    assert (pieces.text, pieces.usage, pieces.failure()) == (whole.text, whole.usage, whole.failure())


def test_an_endless_answer_is_bounded() -> None:
    answer = Answer()
    for _ in range(40):
        answer.feed(events(delta("x" * 60_000), end=""))
    assert len(answer.text) <= TEXT_MAX + 60_000
    answer.feed(b"x" * 3_000_000)
    assert error_in(b'{"error":{"message":"no such model"}}') == "no such model"
    assert error_in(b'{"error":"plain"}') == "plain"
    assert error_in(b"\xff\x1b[2Joops") == "\ufffdoops"
    assert error_in(b"[" * 100_000) != ""


@pytest.mark.rule(8, "openai")
def test_who_is_told_to_wait_makes_all_wait_and_comes_back_slowly() -> None:
    async def story() -> None:
        clock = VirtualClock()
        bucket, began, entered = Bucket(clock, 4), clock.now(), []

        async def ask() -> None:
            await bucket.enter()
            entered.append(round(clock.now() - began, 3))
            await clock.sleep(10)
            bucket.praise()
            bucket.leave()

        for _ in range(2):
            await bucket.enter()
        assert bucket.refuse(None) == 1.0
        assert bucket.refuse(30.0) == 30.0
        bucket.leave()
        bucket.leave()
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(ask())
        assert entered == [30.0, 40.0, 40.0, 50.0, 50.0], "one, then one more with each answer"
        assert bucket.refuse(1e9) == TOLD_MAX_S
        assert [Bucket(clock, 1).refuse(None), *(bucket.refuse(None) for _ in range(8))][-1] == 60.0

    run_virtual(story())


def test_who_gives_up_waiting_leaves_the_others_their_turn() -> None:
    async def story() -> None:
        clock = VirtualClock()
        bucket = Bucket(clock, 1)
        await bucket.enter()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await bucket.enter()
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            group.create_task(bucket.enter())
            await clock.sleep(1)
            bucket.leave()

    run_virtual(story())


def test_what_is_sent_and_what_is_waited() -> None:
    spec = ModelSpec("http://h/v1", "m", system="be brief", extra={"temperature": 0, "stream": False})
    assert body_of(spec, "go") == {"temperature": 0, "model": "m", "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "go"}], "stream": True, "stream_options": {"include_usage": True}}
    assert [retry_after({"retry-after": word}) for word in ("2", "0.5", "-1", "inf", "nan", "Wed, 21 Oct 2026 07:28:00 GMT")] == [2.0, 0.5, None, None, None, None]


@pytest.mark.parametrize(
    ("model", "word"),
    [({"base_url": "h/v1", "model": "m"}, "base_url"), ({"base_url": "http://u:p@h", "model": "m"}, "base_url"), ({"base_url": "http://h", "model": ""}, "model"), ({"base_url": "http://h", "model": "m", "key_env": "ENCRYPTION_KEY"}, "engine's own"), ({"base_url": "http://h", "model": "m", "key_env": "A B"}, "key_env")],
)  # fmt: skip
def test_what_is_refused(model: dict[str, str], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        parse_config({"pools": {"writer": {"kind": "openai", "openai": model}}}, "test")


def test_a_pool_needs_its_model() -> None:
    with pytest.raises(ConfigError, match="base_url and model"):
        parse_config({"pools": {"writer": {"kind": "openai"}}}, "test")
    specs = {spec.name: spec for spec in parse_config({"pools": {"writer": {"kind": "openai", "openai": {"base_url": "http://h/v1", "model": "m"}}}}, "test").pool_specs()}
    assert specs["writer"].openai == ModelSpec("http://h/v1", "m")
