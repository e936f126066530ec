"""Keys: by whom they are kept, how they change, and how a subject is erased."""

import base64
import itertools
import json
import os
import sqlite3
import stat

import pytest
from engine.memory import keys
from engine.memory.envelopes import Place
from engine.memory.key_providers import VARIABLE, VARIABLE_PREVIOUS, EnvironmentKeys, FileKeys
from engine.memory.keys import ROTATION_S, SKEW_MAX_S, KeyRing
from engine.model.errors import (
    ConfigError,
    EncryptionError,
    Erased,
    KeyMissing,
    KeyWrong,
    UsageError,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples

NOW = 1_000_000.0


class Ids:
    def __init__(self):
        self.numbers = itertools.count(1)

    def new(self, prefix):
        return f"{prefix}_{next(self.numbers)}_{os.urandom(3).hex()}"


@pytest.fixture
def rings(tmp_path):
    opened = []

    def ring(provider=None, name="keys.db"):
        provider = provider or FileKeys(tmp_path / "wrapping.json")
        opened.append(KeyRing(tmp_path / name, provider, Ids()))
        return opened[-1]

    yield ring
    for each in opened:
        each.close()


def place(owner="ann", version=1):
    return Place("default", owner, "plan", version)


def sealed(ring, plain=b"value", *, owner="ann", version=1, now=NOW):
    return ring.prepare([owner], now)[owner].seal(plain, place(owner, version))


def text():
    return base64.b64encode(os.urandom(32)).decode()


@pytest.mark.row(240)
def test_a_value_opens_after_a_restart(rings):
    envelope = sealed(rings())
    assert rings().unsealed(envelope, place()) == b"value"


def test_each_subject_has_a_key_of_its_own_and_keeps_it(rings):
    ring = rings()
    first = ring.prepare(["ann", "bob"], NOW)
    assert first["ann"].id != first["bob"].id
    assert ring.prepare(["ann"], NOW + 10)["ann"].id == first["ann"].id
    assert ring.current("ann", NOW).id == first["ann"].id
    assert ring.current("cid", NOW) is None
    assert rings().prepare(["ann"], NOW)["ann"].id == first["ann"].id


@pytest.mark.row(243)
def test_keys_change_by_themselves_after_ninety_days(rings):
    ring = rings()
    old = sealed(ring)
    assert ROTATION_S == 7_776_000
    assert ring.current("ann", NOW + ROTATION_S - 1).id == old.key_id
    assert ring.current("ann", NOW + ROTATION_S) is None
    new = sealed(ring, b"new", now=NOW + ROTATION_S)
    assert new.key_id != old.key_id
    assert ring.unsealed(old, place()) == b"value"
    assert ring.unsealed(new, place()) == b"new"


@pytest.mark.row(243)
def test_the_wrapping_key_changes_after_ninety_days(rings):
    ring = rings()
    assert not ring.rotate_if_due(NOW)
    before = ring.state(NOW).kek
    assert not rings().rotate_if_due(NOW + ROTATION_S - 1)
    assert ring.rotate_if_due(NOW + ROTATION_S)
    assert ring.state(NOW).kek != before
    assert not ring.rotate_if_due(NOW + ROTATION_S + 1)


@pytest.mark.row(243)
def test_rotating_at_once_rewrites_nothing_and_closes_nothing(rings):
    ring = rings()
    old = sealed(ring)
    before = ring.state(NOW).kek
    kek = ring.rotate(NOW + 1)
    assert kek != before
    assert ring.current("ann", NOW + 1) is None
    assert sealed(ring, now=NOW + 1).key_id != old.key_id
    again = rings()
    assert again.prepare(["ann"], NOW + 2)["ann"].id != old.key_id
    assert again.state(NOW).to_rewrap == 1
    assert again.unsealed(old, place()) == b"value"
    assert again.state(NOW).to_rewrap == 0


def test_keys_are_wrapped_anew_in_bounded_steps_and_then_the_old_wrapping_key_can_go(rings):
    ring = rings()
    envelopes = {owner: sealed(ring, owner=owner) for owner in ("ann", "bob", "cid")}
    before = ring.state(NOW).kek
    ring.rotate(NOW)
    assert ring.destroy_unused() == ()
    assert [ring.rewrap(2), ring.rewrap(2)] == [1, 0]
    assert ring.destroy_unused() == (before,)
    after = rings()
    assert [after.unsealed(e, place(owner)) for owner, e in envelopes.items()] == [b"value"] * 3
    with pytest.raises(KeyMissing, match=before):
        FileKeys(ring.path.parent / "wrapping.json").unwrap(before, bytes(40))


def test_erasing_a_subject_leaves_nobody_a_key_and_the_others_theirs(rings):
    ring = rings()
    first = sealed(ring)
    ring.rotate(NOW)
    second, other = sealed(ring), sealed(ring, owner="bob")
    wrapped = [row[0] for row in ring._connection.execute("SELECT wrapped FROM data_keys WHERE subject = 'ann'")]
    assert ring.erase("ann", NOW) == 2
    for closed, by in itertools.product((first, second), (ring, rings())):
        with pytest.raises(Erased, match="ann was erased"):
            by.unsealed(closed, place())
    assert ring.unsealed(other, place("bob")) == b"value"
    assert ring.erase("ann", NOW) == 0
    ring.close()
    held = ring.path.read_bytes()
    assert wrapped and not any(key in held for key in wrapped)


def test_an_erased_subject_may_begin_again(rings):
    ring = rings()
    old = sealed(ring)
    ring.erase("ann", NOW)
    new = sealed(ring, b"new")
    assert ring.unsealed(new, place()) == b"new"
    with pytest.raises(Erased):
        ring.unsealed(old, place())


def test_a_key_is_replaced_when_it_sealed_its_share(rings, monkeypatch):
    monkeypatch.setattr(keys, "SEALS_MAX", 2)
    ring = rings()
    used = [sealed(ring).key_id for _ in range(5)]
    assert [len(list(group)) for _, group in itertools.groupby(used)] == [2, 2, 1]


def test_keys_beyond_the_cache_are_opened_again(rings, monkeypatch):
    monkeypatch.setattr(keys, "OPENED_MAX", 2)
    ring = rings()
    held = ring.prepare([str(n) for n in range(5)], NOW)
    assert len(ring._opened) == len([n for n in held if ring.current(n, NOW)]) == 2
    assert {n: key.id for n, key in ring.prepare(held, NOW).items()} == {n: key.id for n, key in held.items()}


@pytest.mark.parametrize("ahead", [SKEW_MAX_S + 1, 10 * ROTATION_S])
def test_a_key_made_by_a_clock_that_was_ahead_is_counted_and_replaced(rings, ahead):
    ring = rings()
    early = sealed(ring, now=NOW + ahead)
    assert ring.state(NOW).skewed == 1
    late = sealed(ring, b"late", now=NOW)
    assert late.key_id != early.key_id
    assert sealed(rings(), now=NOW).key_id == late.key_id
    assert ring.unsealed(early, place()) == b"value"


def test_a_little_skew_is_no_matter(rings):
    ring = rings()
    assert sealed(ring, now=NOW + SKEW_MAX_S).key_id == sealed(ring, now=NOW).key_id
    assert ring.state(NOW).skewed == 0


def test_a_missing_data_key_is_named(rings, tmp_path):
    envelope = sealed(rings())
    with pytest.raises(KeyMissing, match=rf"default/ann/plan version 1 was sealed with {envelope.key_id}.*restore the key ring"):
        rings(name="other.db").unsealed(envelope, place())


def test_a_missing_wrapping_key_is_said_at_start(rings, tmp_path):
    sealed(rings())
    (tmp_path / "wrapping.json").unlink()
    with pytest.raises(KeyMissing, match="wrapping.json has kek_.*put it back"):
        rings(FileKeys(tmp_path / "wrapping.json"))


def test_a_changed_data_key_is_said(rings):
    ring = rings()
    envelope = sealed(ring)
    ring._connection.execute("UPDATE data_keys SET wrapped = zeroblob(40)")
    ring._connection.commit()
    with pytest.raises(KeyWrong, match="does not unwrap"):
        rings().unsealed(envelope, place())


def test_a_file_that_is_no_key_ring_is_said(rings, tmp_path):
    (tmp_path / "keys.db").write_bytes(b"nonsense" * 100)
    with pytest.raises(EncryptionError, match="is no key ring"):
        rings()


def test_nothing_is_used_that_is_not_durable(rings):
    ring = rings()
    ring._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(sqlite3.OperationalError):
        ring.prepare(["ann"], NOW)
    assert ring.current("ann", NOW) is None
    ring._connection.execute("PRAGMA query_only = OFF")
    assert rings().unsealed(sealed(ring), place()) == b"value"


def test_files_of_keys_belong_to_their_owner_alone(rings, tmp_path):
    sealed(rings())
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"keys.db": 0o600, "wrapping.json": 0o600}
    (tmp_path / "wrapping.json").chmod(0o640)
    with pytest.raises(EncryptionError, match="can be read by others .mode 0640.: chmod 600"):
        rings(FileKeys(tmp_path / "wrapping.json"))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"keys": [3]}', '{"keys": []}', "\ud83d".encode("utf-16", "surrogatepass")])
def test_a_spoilt_key_file_is_said_and_kept(tmp_path, content):
    path = tmp_path / "wrapping.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(0o600)
    before = path.read_bytes()
    with pytest.raises(EncryptionError, match="restore it from where you keep a copy"):
        FileKeys(path).current()
    assert path.read_bytes() == before


def test_a_key_file_of_a_wrong_key_is_said(tmp_path):
    path = tmp_path / "wrapping.json"
    path.write_text(json.dumps({"keys": ["c2hvcnQ="]}))
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="no key of 32 bytes"):
        FileKeys(path).current()


def test_the_environment_gives_the_key_and_changes_it_at_a_restart(rings):
    old, new = text(), os.urandom(32).hex()
    first = rings(EnvironmentKeys({VARIABLE: old}))
    envelope = sealed(first)
    with pytest.raises(KeyMissing, match=f"{VARIABLE} and {VARIABLE_PREVIOUS} has"):
        rings(EnvironmentKeys({VARIABLE: new}))
    second = rings(EnvironmentKeys({VARIABLE: new, VARIABLE_PREVIOUS: f" {old} ,"}))
    assert second.state(NOW).to_rewrap == 1
    assert second.unsealed(envelope, place()) == b"value"
    assert rings(EnvironmentKeys({VARIABLE: new})).unsealed(envelope, place()) == b"value"
    data_key = second.prepare(["ann"], NOW)["ann"].id
    assert second.rotate(NOW) == EnvironmentKeys({VARIABLE: new}).current()
    assert second.prepare(["ann"], NOW)["ann"].id != data_key
    assert not second.rotate_if_due(NOW + 2 * ROTATION_S)
    with pytest.raises(UsageError, match=f"move it to {VARIABLE_PREVIOUS}"):
        EnvironmentKeys({VARIABLE: new}).renew()
    with pytest.raises(UsageError, match=f"comes from {VARIABLE_PREVIOUS}"):
        EnvironmentKeys({VARIABLE: new}).destroy("kek_1")


@pytest.mark.parametrize("value", ["", "short", "z" * 64, "A" * 43])
def test_a_variable_without_a_key_says_how_to_make_one_and_not_what_it_holds(value):
    with pytest.raises(ConfigError, match="openssl rand -base64 32") as caught:
        EnvironmentKeys({VARIABLE: value})
    assert not value or value not in str(caught.value)


def test_the_key_that_wraps_is_not_destroyed(tmp_path):
    provider = FileKeys(tmp_path / "wrapping.json")
    with pytest.raises(UsageError, match="rotate first"):
        provider.destroy(provider.current())


def test_a_killed_writer_of_the_key_file_harms_nothing(tmp_path):
    (tmp_path / "wrapping.json.new").write_text("half")
    kek = FileKeys(tmp_path / "wrapping.json").current()
    assert FileKeys(tmp_path / "wrapping.json").current() == kek
    assert FileKeys(tmp_path / "wrapping.json").renew() != kek


acts = st.lists(st.sampled_from(["store", "rotate", "rewrap", "restart", "erase", "older", "destroy"]), max_size=14)


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(acts=acts, data=st.data())
def test_whatever_happens_to_keys_only_an_erasure_closes_values(rings, tmp_path, acts, data):
    name = os.urandom(6).hex()
    provider = FileKeys(tmp_path / f"{name}.json")
    ring, now, version, held = rings(provider, name), NOW, 0, {}
    for act in acts:
        owner = data.draw(st.sampled_from(["ann", "bob"]))
        if act == "store":
            version += 1
            held[sealed(ring, b"%d" % version, owner=owner, version=version, now=now)] = (place(owner, version), b"%d" % version)
        elif act == "rotate":
            ring.rotate(now)
        elif act == "rewrap":
            ring.rewrap(1)
        elif act == "restart":
            ring.close()
            ring = rings(FileKeys(tmp_path / f"{name}.json"), name)
        elif act == "older":
            now += ROTATION_S / 2
            ring.rotate_if_due(now)
        elif act == "destroy":
            ring.destroy_unused()
        else:
            ring.erase(owner, now)
            held = {envelope: (where, b"" if where.owner == owner else plain) for envelope, (where, plain) in held.items()}
        for envelope, (where, plain) in held.items():
            if plain:
                assert ring.unsealed(envelope, where) == plain
            else:
                with pytest.raises(Erased):
                    ring.unsealed(envelope, where)
    ring.close()
