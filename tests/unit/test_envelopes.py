"""A sealed value opens in its own row with its own key, and nowhere else."""

import json

import pytest
from engine.memory.envelopes import (
    ALGORITHM,
    Envelope,
    Place,
    cipher_of,
    decode,
    encode,
    seal,
    unseal,
)
from engine.model.errors import Tampered
from hypothesis import given
from hypothesis import strategies as st

KEY = cipher_of(bytes(range(32)))
PLACE = Place("default", "agt_1", "plan", 3)
names = st.text(max_size=12)
places = st.builds(Place, names, names, names, st.integers(0, 2**53))


@pytest.mark.row(240)
@given(st.binary(max_size=3_000), places)
def test_what_is_sealed_opens_again_and_its_text_is_the_five_fields(plain, place):
    envelope = seal(plain, place, "dek_1", KEY)
    text = encode(envelope)
    assert set(json.loads(text)) == {"alg", "key_id", "nonce", "tag", "ct"}
    assert envelope.alg == ALGORITHM == "AES-256-GCM"
    assert unseal(decode(text, place), place, KEY) == plain


@given(st.binary(max_size=60), places, places)
def test_it_opens_in_no_other_row(plain, place, other):
    envelope = seal(plain, place, "dek_1", KEY)
    if other == place:
        assert unseal(envelope, other, KEY) == plain
        return
    with pytest.raises(Tampered, match="does not open"):
        unseal(envelope, other, KEY)


@given(st.binary(min_size=1, max_size=60), st.sampled_from(["nonce", "tag", "ct"]), st.data())
def test_any_flipped_bit_is_found(plain, field, data):
    envelope = seal(plain, PLACE, "dek_1", KEY)
    sealed = bytearray(getattr(envelope, field))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    parts = {name: getattr(envelope, name) for name in envelope.__struct_fields__} | {field: bytes(sealed)}
    with pytest.raises(Tampered, match="restore it from a backup"):
        unseal(Envelope(**parts), PLACE, KEY)


def test_another_key_opens_nothing():
    with pytest.raises(Tampered):
        unseal(seal(b"x", PLACE, "dek_1", KEY), PLACE, cipher_of(bytes(32)))


@given(st.text(max_size=40))
def test_what_is_no_envelope_says_so(text):
    with pytest.raises(Tampered, match="is no envelope"):
        unseal(decode(text, PLACE), PLACE, KEY)


@pytest.mark.parametrize("field", ["alg", "nonce", "tag"])
def test_an_envelope_of_another_kind_is_not_tried(field):
    fields = json.loads(encode(seal(b"x", PLACE, "dek_1", KEY))) | {field: "AAAA"}
    with pytest.raises(Tampered, match="is no envelope"):
        unseal(decode(json.dumps(fields), PLACE), PLACE, KEY)


def test_two_seals_of_one_value_never_look_alike():
    assert len({seal(b"x", PLACE, "dek_1", KEY).nonce for _ in range(1_000)}) == 1_000
