"""What an answer of the functions says about who leads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from engine.model.errors import Fenced


def raise_unless_ok(answer: Sequence[Any]) -> None:
    """Return for `ok`. Raises Fenced."""
    if answer[0] != "ok":
        raise_fenced(answer)


def raise_fenced(answer: Sequence[Any]) -> NoReturn:
    """Raise what an answer says about who leads."""
    word, epoch, engine = answer
    assert word == "fenced", answer
    raise Fenced(f"{engine} leads, since epoch {epoch}; nothing was written" if engine else f"nobody leads since epoch {epoch} ended; nothing was written", epoch, engine)
