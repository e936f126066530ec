"""JSON-RPC 2.0 in lines, as agents of two protocols speak it: requests and answers both ways, and notifications.

Owner: `RpcPeer`, of an unfinished line and of the requests that were not answered. Limits: LINE_MAX_BYTES a message. What is no
message is Noise; a message that is too long ends the turn, since nobody knows what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from engine.agents.sessions.fields import table, text_of
from engine.agents.sessions.lines import Line, Lines, cut
from engine.agents.sessions.messages import Message
from engine.agents.sessions.objects import LINE_MAX_BYTES, read_object
from engine.model import wire
from engine.model.shielding import clean

WORD_MAX = 500
NO_METHOD = -32601

Said = Mapping[str, Any]
Take = Callable[[Said], Iterator[Message]]


class RpcPeer:
    """Cuts lines, and brings each message where it belongs."""

    def __init__(self) -> None:
        self._lines = Lines(LINE_MAX_BYTES)
        self._waits: dict[int, Take] = {}
        """Requests that it has not answered, with what its answer means."""
        self._sent = 0

    def hear(self, chunk: bytes) -> Iterable[Message]:
        """Take what the process printed."""
        for line in self._lines.feed(chunk):
            if line.left_out or line.data.strip():
                yield from self._read(line)

    def bye(self) -> bytes:
        """Return nothing: the end of its input ends it."""
        return b""

    def _read(self, line: Line) -> Iterator[Message]:
        said = read_object(line)
        if not isinstance(said, dict):
            yield said
            return
        id_, method = said.get("id"), text_of(said, "method")
        if method and id_ is not None:
            yield from self._requested(id_, method, table(said, "params"))
        elif method:
            yield from self._notified(method, table(said, "params"))
        elif isinstance(id_, int) and (take := self._waits.pop(id_, None)) is not None:
            yield from take(said)

    def _requested(self, id_: object, method: str, given: Said) -> Iterator[Message]:
        raise NotImplementedError

    def _notified(self, method: str, given: Said) -> Iterator[Message]:
        raise NotImplementedError

    def _request(self, method: str, given: Said, take: Take) -> bytes:
        self._sent += 1
        self._waits[self._sent] = take
        return message({"id": self._sent, "method": method, "params": given})


def message(fields: dict[str, object]) -> bytes:
    """Return a message as it is sent."""
    return wire.encode({"jsonrpc": "2.0", **fields}) + b"\n"


def answered(id_: object, result: object) -> bytes:
    """Return the answer to a request."""
    return message({"id": id_, "result": result})


def not_offered(id_: object, method: str) -> bytes:
    """Return the refusal of a request for what there is not here."""
    return message({"id": id_, "error": {"code": NO_METHOD, "message": f"{method} is not offered here: use your own tools"}})


def error_of(said: Said) -> str:
    """Return what an answer says went wrong; empty = nothing did."""
    if said.get("error") is None:
        return ""
    found = table(said, "error")
    data = table(found, "data")
    words = clean(": ".join(word for word in (text_of(found, "message"), text_of(data, "details") or text_of(data, "message")) if word))
    return cut(words, WORD_MAX) or "it failed"


def word_of(value: Said, key: str) -> str:
    """Return a text that is safe to show and short."""
    return cut(clean(text_of(value, key)), WORD_MAX)
