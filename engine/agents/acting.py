"""As whom code acts that does an agent's task: what says so to the engine stands in the environment, for it and the programs it starts.

Owner: the process's variable `FLEET_AGENT_TOKEN`, while a function or a step of a coroutine runs. Light: workers import it at their start.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Generator, Iterator
from contextlib import contextmanager

from engine.model.acting import CURRENT, NOBODY, VARIABLE


@contextmanager
def acting(token: str) -> Iterator[None]:
    """Act with the token of an attempt, and as nobody afterwards; without one, nothing is changed."""
    if not token:
        yield
        return
    os.environ[VARIABLE] = token
    before = CURRENT.set(token)
    try:
        yield
    finally:
        os.environ[VARIABLE] = NOBODY
        CURRENT.reset(before)


class ActingCoroutine:
    """A coroutine each step of which acts with the token of its attempt, whatever runs between its steps."""

    def __init__(self, awaited: Awaitable[object], token: str) -> None:
        self._awaited = awaited
        self._token = token

    def __await__(self) -> Generator[object, object, object]:
        """Go through the steps. Cancelling is passed on."""
        steps = self._awaited.__await__()
        send = getattr(steps, "send", None) or (lambda _: next(steps))
        proceed, given = send, None
        while True:
            try:
                with acting(self._token):
                    said = proceed(given)
            except StopIteration as ended:
                return ended.value
            try:
                proceed, given = send, (yield said)
            except GeneratorExit:
                self.close()
                raise
            except BaseException as error:  # noqa: BLE001  # whatever it is, it is for the coroutine
                throw = getattr(steps, "throw", None)
                if throw is None:
                    raise
                proceed, given = throw, error

    def close(self) -> None:
        """Give it up."""
        close = getattr(self._awaited, "close", None)
        if close is not None:
            close()
