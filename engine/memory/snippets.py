"""A short piece of an entry's value, around the words that a search looked for. Pure functions.

The value is the caller's to read: whoever asks for a snippet has asked the ACL first.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

SNIPPET_MAX = 160
"""Characters."""
_BEFORE = 40
"""Characters shown before the first of the words."""
_HITS_MAX = 500
_WORD = re.compile(r"\w+")


def snippet(text: str, query: str) -> str:
    """Return the piece of a text with most of the words that begin as a query's do; the beginning, if there is none."""
    text = " ".join(text.split())
    if len(text) <= SNIPPET_MAX:
        return text
    start = _first_word(text, max(0, _densest(_hits(text, query)) - _BEFORE))
    end = _last_word(text, min(len(text), start + SNIPPET_MAX))
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"


def _hits(text: str, query: str) -> list[tuple[int, str]]:
    """Return where words of a text begin as a word of the query does, and which it is."""
    wanted = tuple({_folded(word) for word in _WORD.findall(query)})
    found: list[tuple[int, str]] = []
    for match in _WORD.finditer(text) if wanted else ():
        word = _folded(match[0])
        found.extend((match.start(), one) for one in wanted if word.startswith(one))
        if len(found) >= _HITS_MAX:
            break
    return found


def _densest(hits: Sequence[tuple[int, str]]) -> int:
    """Return where a piece begins that has the most different words of the query; the first of several."""
    best, most = 0, 0
    for number, (start, _) in enumerate(hits):
        room = start + SNIPPET_MAX - _BEFORE
        words = len({word for at, word in hits[number:] if at < room})
        if words > most:
            best, most = start, words
    return best


def _first_word(text: str, at: int) -> int:
    """Return where the first whole word from there on begins."""
    space = text.rfind(" ", 0, at) if at else -1
    return at if at - space > _BEFORE else space + 1


def _last_word(text: str, at: int) -> int:
    """Return where the last whole word before there ends."""
    space = text.rfind(" ", 0, at) if at < len(text) else -1
    return at if space < 0 or at - space > _BEFORE else space


def _folded(word: str) -> str:
    """Return a word as the index compares it: without case and accents."""
    return "".join(letter for letter in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(letter))
