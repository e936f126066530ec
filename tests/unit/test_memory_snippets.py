"""The piece of a value that a search shows."""

from __future__ import annotations

import pytest
from engine.memory.snippets import SNIPPET_MAX, snippet
from hypothesis import given
from hypothesis import strategies as st

FILLER = " ".join(["filler"] * 60)


def test_a_short_value_is_shown_whole_on_one_line() -> None:
    assert snippet("first\n\tsecond", "nothing") == "first second"


@pytest.mark.parametrize("query", ["deploy", "DEPLOY", '"deployment payments"', "deplóy"])
def test_the_piece_is_around_the_words(query: str) -> None:
    piece = snippet(f"{FILLER} the Deployment of payments {FILLER}", query)
    assert "Deployment of payments" in piece
    assert piece.startswith("…filler ")
    assert piece.endswith(" filler…")


def test_the_piece_with_most_of_the_words_is_shown() -> None:
    assert "apple and pear" in snippet(f"apple {FILLER} apple and pear {FILLER}", "apple pear")
    assert snippet(f"{FILLER} apple", "") == snippet(f"{FILLER} apple", "nowhere")
    assert snippet("x" * 1_000, "y") == "x" * SNIPPET_MAX + "…"


@given(st.text(), st.text())
def test_a_piece_is_of_the_text_and_never_long(text: str, query: str) -> None:
    piece = snippet(text, query)
    assert len(piece) <= SNIPPET_MAX + 2
    assert piece.removeprefix("…").removesuffix("…") in " ".join(text.split()) or "…" in text
