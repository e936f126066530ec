"""What all three APIs have in common: reading texts out of messages, and an answer before it is written in one of them.

Owner: nobody; pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from fleet_tui.mock_model.conversations import Ask
from fleet_tui.mock_model.script import Turn

CHARACTERS_PER_TOKEN = 4
PIECES_MAX = 200
"""Of a streamed text."""

_WRAPPED = re.compile(r"\s*<([\w-]+)[^>]*>.*</\1>\s*\Z", re.DOTALL)
_NOT_SAID = ("# AGENTS.md instructions",)

encode = msgspec.json.Encoder().encode


class BadRequest(Exception):
    """What was sent is no request of the API; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A turn as it is said to one request."""

    id: str
    """Without the API's own prefix."""
    at: int
    """Seconds since 1970."""
    ask: Ask
    turn: Turn

    @property
    def input_tokens(self) -> int:
        """Return how many tokens were read, those of the cache included."""
        given = self.turn.input_tokens
        return self.ask.input_tokens if given is None else given

    @property
    def output_tokens(self) -> int:
        """Return how many tokens were said."""
        given = self.turn.output_tokens
        return tokens_of(len(self.turn.text) + len(encode(self.turn.input)) * bool(self.turn.tool)) if given is None else given

    @property
    def cached_tokens(self) -> int:
        """Return how many of the input came from a cache."""
        return min(self.turn.cached_tokens, self.input_tokens)

    @property
    def arguments(self) -> str:
        """Return what the tool is given, as text."""
        given = self.turn.input
        return given if isinstance(given, str) else encode(given).decode()


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a stream."""

    data: bytes
    is_text: bool = False
    """A piece of the text: a slow turn waits before it."""


class Wire(Protocol):
    """One API."""

    def read(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> Ask:
        """Return what is asked. Raises BadRequest."""
        ...

    def whole(self, answer: Answer) -> dict[str, object]:
        """Return an answer that is not streamed."""
        ...

    def pieces(self, answer: Answer) -> Iterator[Piece]:
        """Give an answer's events."""
        ...

    def error(self, status: int, message: str) -> dict[str, object]:
        """Return the body of an error."""
        ...


def tokens_of(characters: int) -> int:
    """Return about how many tokens a text has."""
    return max(1, characters // CHARACTERS_PER_TOKEN)


def split(text: str) -> list[str]:
    """Return a text in pieces of whole words, at most PIECES_MAX."""
    words = re.findall(r"\S*\s*", text)[:-1] or [text]
    step = -(-len(words) // PIECES_MAX)
    return ["".join(words[start : start + step]) for start in range(0, len(words), step)]


def texts_of(content: object, kinds: Sequence[str]) -> Iterator[str]:
    """Give the texts in a message's content: a text, or blocks of some kinds."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for block in content:
            if isinstance(block, dict) and block.get("type") in kinds and isinstance(block.get("text"), str):
                yield block["text"]


def said_by_people(texts: Iterable[str]) -> str:
    """Return what a person wrote: programs add texts of their own in tags, and the files that they found."""
    return "\n".join(text for text in texts if not _WRAPPED.match(text) and not text.startswith(_NOT_SAID))


def list_of(body: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Return a list of objects in a body. Raises BadRequest."""
    value = body.get(key)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise BadRequest(f"{key} must be a list of objects")
    return value


def text_of(body: Mapping[str, Any], key: str) -> str:
    """Return a text of a body. Raises BadRequest."""
    value = body.get(key)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"{key} must be a text")
    return value


def names_of(tools: object, path: Sequence[str]) -> tuple[str, ...]:
    """Return the names of tools, found on a path in each of them."""
    found = []
    for tool in tools if isinstance(tools, list) else []:
        for key in path:
            tool = tool.get(key) if isinstance(tool, dict) else None
        if isinstance(tool, str):
            found.append(tool)
    return tuple(found)


def event(name: str, value: Mapping[str, object]) -> bytes:
    """Return a server-sent event."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), encode(value))
