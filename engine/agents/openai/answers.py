"""What a model answers in pieces: server-sent events of chat completions, put together.

Owner: `Answer`, of one answer. Limits: TEXT_MAX characters of text are kept; a line has at most LINE_MAX_BYTES. Nothing that a server
sends raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from engine.agents.sessions.fields import number, rows, table, text_of
from engine.agents.sessions.lines import Lines, cut
from engine.model.shielding import clean, shield

LINE_MAX_BYTES = 1 << 20
TEXT_MAX = 1 << 20
ERROR_MAX = 500
_ENDS = {
    "length": ("max_tokens", "the answer reached the most tokens that it may have"),
    "content_filter": ("refused", "the provider filtered the answer"),
    "tool_calls": ("protocol", "the model uses a tool, and there are none here"),
}


class Answer:
    """One answer, as far as it came."""

    def __init__(self) -> None:
        self._lines = Lines(LINE_MAX_BYTES)
        self._texts: list[str] = []
        self._length = 0
        self.reason = ""
        """Why the model ended it; empty = it has not."""
        self.is_done = False
        self.error = ""
        self.model = ""
        self.usage: dict[str, float] = {}

    @property
    def text(self) -> str:
        """Return what it says so far, up to TEXT_MAX characters."""
        return "".join(self._texts)

    def feed(self, chunk: bytes) -> str:
        """Take a piece of the body; return the text that it brought."""
        before = len(self._texts)
        for line in self._lines.feed(chunk):
            name, _, data = line.data.partition(b":")
            if name.strip() == b"data" and not line.left_out:
                self._take(data.strip())
        return "".join(self._texts[before:])

    def failure(self) -> tuple[str, str] | None:
        """Return kind and sentence of what is wrong with it, now that the body has ended; None = nothing is."""
        if self.error:
            return ("api_error", self.error)
        if self.reason in _ENDS:
            return _ENDS[self.reason]
        if not self.reason and not self.is_done:
            return ("api_error", "the answer was cut off")
        return None

    def _take(self, data: bytes) -> None:
        if data == b"[DONE]":
            self.is_done = True
            return
        try:
            said = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        if not isinstance(said, dict):
            return
        if said.get("error") is not None:
            self.error = error_of(said)
        self.model = cut(shield(text_of(said, "model")), ERROR_MAX) or self.model
        self._count(table(said, "usage"))
        for choice in rows(said, "choices")[:1]:
            self.reason = text_of(choice, "finish_reason") or self.reason
            text = text_of(table(choice, "delta"), "content")
            if text and self._length < TEXT_MAX:
                self._length += len(text)
                self._texts.append(clean(text))

    def _count(self, used: Mapping[str, Any]) -> None:
        """Take the usage, which comes with the last piece. What is called prompt has what came from the cache, too."""
        read, written = number(used, "prompt_tokens"), number(used, "completion_tokens")
        if read is None or written is None:
            return
        cached = number(table(used, "prompt_tokens_details"), "cached_tokens") or 0
        thought = number(table(used, "completion_tokens_details"), "reasoning_tokens")
        self.usage = {"input_tokens": max(0, read - cached), "output_tokens": written, "turns": 1}
        self.usage |= {"cache_read_tokens": cached} if cached else {}
        self.usage |= {"reasoning_tokens": thought} if thought else {}


def error_of(said: Mapping[str, Any]) -> str:
    """Return the sentence of an error, as the providers write it: an object with a message, or a text; shielded."""
    words = text_of(table(said, "error"), "message") or text_of(said, "error") or text_of(said, "message")
    return cut(shield(words), ERROR_MAX) or "it failed"


def error_in(body: bytes) -> str:
    """Return the sentence of an error in a body that may be anything; shielded, before anything is cut: no cut leaves half a secret."""
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = None
    return error_of(said) if isinstance(said, dict) else cut(shield(body.decode("utf-8", "replace")), ERROR_MAX) or "it failed"
