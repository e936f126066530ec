"""Likeness: the built-in embedder and the matrix that is searched."""

import sys

import numpy as np
import pytest
from engine.memory.embedding import HashingEmbedder, VectorsUnavailable, embedder_of, normalised
from engine.memory.vectors import Matrix
from engine.model.errors import ConfigError
from hypothesis import given, settings
from hypothesis import strategies as st

PARAPHRASES = [
    ("Retry the payment service deployment after a timeout", "deploying payments timed out, retried"),
    ("Database migration failed because the lock was held", "migrating the db fails, locked"),
    ("Add TOTP to the login page", "two factor totp logins"),
    ("The websocket reconnect loop leaks file descriptors", "reconnecting websockets leaking descriptors"),
    ("Rotate the encryption keys every ninety days", "key rotation encrypted 90 days"),
    ("Scale the coder pool from ten to one hundred agents", "scaling coders to 100 agent"),
    ("Flaky test in the consensus module on slow machines", "consensus tests flakiness"),
    ("Upgrade redis client to version eight", "upgrading redis-client"),
    ("Dashboard shows stale agent states", "stale states of agents on dashboards"),
    ("Export personal data for a GDPR request", "gdpr personal data exporting"),
]


class OwnEmbedder:
    name = "own"
    dimensions = 2

    def embed(self, texts):
        return np.ones((len(texts), 2), np.float32)


def test_other_forms_of_the_same_words_are_alike():
    embedder = HashingEmbedder()
    said = embedder.embed([text for text, _ in PARAPHRASES])
    asked = embedder.embed([text for _, text in PARAPHRASES])
    assert said.shape == (10, 384) and said.dtype == np.float32
    assert np.argmax(asked @ said.T, axis=1).tolist() == list(range(10))


@given(st.lists(st.text(max_size=200), max_size=4))
def test_any_text_gives_the_same_vector_again_of_length_one_or_none(texts):
    first, again = HashingEmbedder().embed(texts), HashingEmbedder().embed(texts)
    assert np.array_equal(first, again)
    lengths = np.linalg.norm(first, axis=1)
    assert all(length == 0 or abs(length - 1) < 1e-5 for length in lengths)


def test_an_embedder_comes_as_a_plug_in(monkeypatch):
    assert embedder_of("").name == "hashing-384"
    monkeypatch.setitem(sys.modules, "plug", type("plug", (), {"make": OwnEmbedder, "other": dict}))
    assert embedder_of("plug:make").dimensions == 2
    with pytest.raises(ConfigError, match="is no embedder"):
        embedder_of("plug:other")
    with pytest.raises(ConfigError, match="name it as module:factory"):
        embedder_of("plug:none")
    with pytest.raises(ConfigError, match="name it as module:factory"):
        embedder_of("no_such_module")


def test_without_numpy_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(VectorsUnavailable, match="fleet-tui.vectors."):
        Matrix(3)


vectors = st.lists(st.integers(-3, 3), min_size=3, max_size=3)
acts = st.lists(st.tuples(st.integers(0, 12), st.none() | vectors), max_size=40)


@settings(deadline=None)
@given(acts, vectors, st.integers(1, 5), st.sets(st.integers(0, 12)))
def test_the_nearest_are_those_of_a_naive_search_among_what_may_be_found(acts, query, limit, hidden):
    matrix, kept = Matrix(3), {}
    for number, vector in acts:
        if vector is None:
            matrix.drop(number)
            kept.pop(number, None)
        else:
            matrix.put([number], np.array([vector], np.float32))
            kept[number] = vector
    unit = {number: normalised(np.array([vector], np.float32))[0] for number, vector in kept.items()}
    towards = normalised(np.array([query], np.float32))[0]
    scores = {number: float(vector @ towards) for number, vector in unit.items() if number not in hidden}
    found = matrix.nearest(np.array(query, np.float32), limit, lambda numbers: [n for n in numbers if n not in hidden])
    assert len(matrix) == len(kept)
    assert len(set(found)) == len(found) and not hidden & set(found)
    worst = sorted((score for score in scores.values() if score > 1e-6), reverse=True)[:limit]
    assert [scores[number] for number in found if scores[number] > 1e-6] == pytest.approx(worst, abs=1e-5)


def test_a_matrix_grows_and_who_may_read_little_still_gets_its_share():
    matrix = Matrix(4)
    drawn = np.random.default_rng(1).standard_normal((3_000, 4)).astype(np.float32)
    matrix.put(range(3_000), drawn)
    asked = []

    def admit(numbers):
        asked.extend(numbers)
        return [number for number in numbers if number % 500 == 0]

    scores = normalised(drawn) @ normalised(drawn[:1])[0]
    readable = sorted((n for n in range(0, 3_000, 500) if scores[n] > 0), key=lambda n: -scores[n])
    assert matrix.nearest(drawn[0], 10, admit) == readable
    assert len(asked) == len(set(asked))
