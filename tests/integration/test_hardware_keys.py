"""Wrapping keys in a PKCS#11 module: against SoftHSM, the machine's or that of Debian's package."""

import os
import subprocess

import pytest
from engine.clock import OrderedIds, SystemClock, system_rng
from engine.memory.envelopes import Place
from engine.memory.hsm import ModuleKeys
from engine.memory.keys import KeyRing
from engine.model.errors import ConfigError, EncryptionError, KeyMissing, KeyWrong, UsageError

from tests.tools.programs import Missing, find_program

PIN = "5678"
NOW = 1_000_000.0

pytestmark = pytest.mark.xdist_group("softhsm")


@pytest.fixture(scope="module")
def softhsm():
    """The program that makes tokens, and the library that holds them."""
    try:
        util = find_program(("softhsm2-util",), ("softhsm2",))
    except Missing as missing:
        pytest.skip(f"there is no SoftHSM: {missing}")
    return util, next(util.root.glob("usr/lib*/**/libsofthsm2.so"))


@pytest.fixture(scope="module")
def new_token(tmp_path_factory, softhsm):
    """Make tokens by label, all before the library is loaded: it sees no later ones."""
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    util, library = softhsm
    for number in range(4):
        argv = [util.path, "--module", library, "--init-token", "--free", "--label", f"fleet{number}", "--so-pin", "1234", "--pin", PIN]
        subprocess.run(argv, check=True, capture_output=True, env=os.environ | util.environment)
    return iter([f"fleet{number}" for number in range(4)])


@pytest.fixture
def token(new_token):
    return next(new_token)


@pytest.fixture
def provider(token, softhsm):
    keys = ModuleKeys(softhsm[1], token, PIN)
    yield keys
    keys.close()


@pytest.mark.row(240, 243)
def test_values_open_after_the_module_made_a_new_wrapping_key(provider, token, tmp_path):
    ids = OrderedIds(SystemClock(), system_rng(1))
    ring = KeyRing(tmp_path / "keys.db", provider, ids)
    place = Place("default", "ann", "plan", 1)
    envelope = ring.prepare(["ann"], NOW)["ann"].seal(b"value", place)
    assert ring.state(NOW).kek == "fleet-kek-1"
    assert ring.rotate(NOW) == "fleet-kek-2"
    assert ring.rewrap(10) == 0
    assert ring.unsealed(envelope, place) == b"value"
    assert ring.destroy_unused() == ("fleet-kek-1",)
    ring.close()
    again = KeyRing(tmp_path / "keys.db", provider, ids)
    assert again.unsealed(envelope, place) == b"value"
    again.close()


def test_the_wrapping_key_cannot_be_read(provider):
    import pkcs11

    with pytest.raises(pkcs11.PKCS11Error):
        provider._keys[provider.current()][pkcs11.Attribute.VALUE]


def test_what_the_module_does_not_know_is_named(provider):
    wrapped = provider.wrap(provider.current(), bytes(32))
    assert provider.unwrap("fleet-kek-1", wrapped) == bytes(32)
    with pytest.raises(KeyMissing, match="fleet-kek-9 is missing: the token 'fleet"):
        provider.unwrap("fleet-kek-9", wrapped)
    with pytest.raises(KeyWrong, match="does not unwrap"):
        provider.unwrap("fleet-kek-1", wrapped[:-1] + bytes([wrapped[-1] ^ 1]))
    with pytest.raises(UsageError, match="rotate first"):
        provider.destroy("fleet-kek-1")


def test_a_wrong_library_token_or_pin_says_which(token, softhsm, tmp_path):
    with pytest.raises(ConfigError, match="is not there"):
        ModuleKeys(tmp_path / "none.so", token, PIN)
    (tmp_path / "no.so").write_text("no library")
    with pytest.raises(ConfigError, match="does not load"):
        ModuleKeys(tmp_path / "no.so", token, PIN)
    with pytest.raises(ConfigError, match="has no token 'other'"):
        ModuleKeys(softhsm[1], "other", PIN)
    with pytest.raises(EncryptionError, match="check the PIN") as caught:
        ModuleKeys(softhsm[1], token, "9999")
    assert "9999" not in str(caught.value)
