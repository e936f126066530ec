"""The program of a plug-in's agent: `python -m engine.plugins.session FILE`. It speaks our session protocol (docs/agents.md) for it.

Owner: of the turn under way. The agent is initialized once, does one task after another, and cleans up when it is told good-bye.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from engine.plugins.api import Plugin, PluginContext, PluginRequest, PluginResponse
from engine.plugins.loading import LoadError, Start, load, reason_of
from engine.plugins.process import take_output

LINE_MAX_BYTES = 64 << 20


class Speaker:
    """One agent at work."""

    def __init__(self, agent: Plugin | None, replies: TextIO, broken: str = "") -> None:
        self._agent = agent
        self._replies = replies
        self._broken = broken
        """Why there is no agent; every task fails with it."""
        self._turn: asyncio.Task[None] | None = None

    async def run(self, context: PluginContext) -> None:
        """Speak until the input ends or good-bye is said."""
        try:
            if self._agent is not None:
                await self._agent.initialize(context)
        except Exception as error:  # noqa: BLE001  # somebody else's code
            self._agent, self._broken = None, f"its agent does not start: {reason_of(error)}"
        self._say({"type": "hello", "protocol": 1, "name": context.name})
        lines = await _input()
        async with asyncio.TaskGroup() as group:
            while line := await lines.readline():
                message = json.loads(line)
                if message.get("type") == "bye":
                    break
                self._hear(message, group)
            self._cancel()
        if self._agent is not None:
            await self._agent.cleanup()

    def _hear(self, message: Mapping[str, Any], group: asyncio.TaskGroup) -> None:
        if message.get("type") == "task":
            self._turn = group.create_task(self._execute(message), name="turn")
        elif message.get("type") == "cancel":
            self._cancel()

    def _cancel(self) -> None:
        if self._turn is not None:
            self._turn.cancel()

    async def _execute(self, told: Mapping[str, Any]) -> None:
        turn = told["id"]
        try:
            answer = await self._answer(told)
        except asyncio.CancelledError:
            self._say({"type": "error", "id": turn, "kind": "cancelled", "message": "cancelled", "retryable": False})
            raise
        except Exception as error:  # noqa: BLE001  # somebody else's code
            answer = PluginResponse(error=reason_of(error) or type(error).__name__)
        if answer.error:
            self._say({"type": "error", "id": turn, "kind": "plugin", "message": answer.error, "retryable": answer.retryable})
            return
        usage = dict(answer.usage)
        try:
            self._say({"type": "result", "id": turn, "text": answer.text, "data": answer.data, "usage": usage})
        except (TypeError, ValueError) as error:
            self._say({"type": "error", "id": turn, "kind": "not_json", "message": f"its answer is no JSON: {error}", "retryable": False})

    async def _answer(self, told: Mapping[str, Any]) -> PluginResponse:
        if self._agent is None:
            return PluginResponse(error=self._broken, retryable=False)
        request = PluginRequest(told["task"], told["kind"], told["payload"], told["prompt"], told["title"], told["workspace"], told["attempt"])
        answer = await self._agent.execute(request)
        if not isinstance(answer, PluginResponse):
            raise TypeError(f"execute returned {type(answer).__name__}, not a PluginResponse")
        return answer

    def _say(self, message: Mapping[str, object]) -> None:
        text = json.dumps(message)
        print(text, file=self._replies, flush=True)  # noqa: T201  # a pipe


async def _input() -> asyncio.StreamReader:
    """Return the lines that come in."""
    reader = asyncio.StreamReader(limit=LINE_MAX_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def main(file: str) -> None:
    """Speak for the agent of a plug-in."""
    replies = take_output()
    start = Start.read(Path(file))
    agent, broken = None, ""
    try:
        agent = load(start.name).agent
        broken = "" if agent else "it has no agent any more"
    except LoadError as error:
        broken = str(error)
    asyncio.run(Speaker(agent, replies, broken).run(start.context()))


if __name__ == "__main__":
    main(sys.argv[1])
