"""Which turn of the script comes next in which conversation.

Owner: `Conversations`, of how far each one is. Limits: CONVERSATIONS_MAX are remembered, the longest unused one goes.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from fleet_tui.mock_model.script import Script, Turn

CONVERSATIONS_MAX = 10_000
ECHO_CHARACTERS_MAX = 4_000


@dataclass(frozen=True, slots=True)
class Ask:
    """What a client asked, whatever its API."""

    api: str
    """`messages`, `chat` or `responses`."""
    model: str
    is_streamed: bool
    session: str
    """What the client calls the conversation; empty = it does not say."""
    first: str
    """The first message of the user."""
    last: str
    """The last message of the user, or the last result of a tool."""
    answers: int
    """Answers of the model in what was sent."""
    tools: tuple[str, ...] = ()
    """Names of what the model may use."""
    input_tokens: int = 0
    """By the length of all that was sent."""
    with_usage: bool = True
    """Whether the stream is to tell of the usage."""


@dataclass(slots=True)
class _Place:
    """How far a conversation is."""

    turn: int = 0
    repeated: int = 0
    has_failed: bool = False

    def next_of(self, turns: tuple[Turn, ...]) -> Turn | None:
        if self.turn >= len(turns):
            self.has_failed = False
            return None
        turn = turns[self.turn]
        self.repeated += 1
        if self.repeated >= turn.repeat:
            self.turn, self.repeated = self.turn + 1, 0
        self.has_failed = turn.fails
        return turn


class Conversations:
    """Keeps the places. A conversation is known by what its client calls it and by its first message."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._places: OrderedDict[tuple[str, str, str], _Place] = OrderedDict()
        self._named: OrderedDict[str, Ask] = OrderedDict()
        """Answers that clients may go on from -> what they answered."""

    def next_turn(self, ask: Ask) -> tuple[Turn, int]:
        """Return what to say, and the number of that turn in its conversation's script from 1; 0 = an echo."""
        match = self._script.match_of(ask.first)
        if match is None:
            return echo(ask), 0
        turns = tuple(self._script.turns[match])
        place = self._place_of(ask)
        number = place.turn + 1
        turn = place.next_of(turns)
        return (echo(ask), 0) if turn is None else (turn, number)

    def _place_of(self, ask: Ask) -> _Place:
        key = (ask.api, ask.session, ask.first)
        place = self._places.pop(key, None)
        # What was answered is in all that follows: without it, this is another conversation that begins like the last one.
        if place is None or (ask.answers == 0 and not place.has_failed):
            place = _Place()
        self._places[key] = place
        if len(self._places) > CONVERSATIONS_MAX:
            self._places.popitem(last=False)
        return place

    def remember(self, answer: str, ask: Ask) -> None:
        """Note what an answer answered, for clients that go on from it."""
        self._named[answer] = ask
        if len(self._named) > CONVERSATIONS_MAX:
            self._named.popitem(last=False)

    def recall(self, answer: str) -> Ask | None:
        """Return what an answer answered; None = it is not known."""
        return self._named.get(answer)


def echo(ask: Ask) -> Turn:
    """Return the default: what was said last."""
    return Turn(text=ask.last[:ECHO_CHARACTERS_MAX] or "(nothing was said)")
