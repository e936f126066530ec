"""Wrapping keys in a hardware module (PKCS#11): they are made there and never leave it.

Owner: its session with the module; calls may block and come one at a time. The module wraps the data keys itself
(CKM_AES_KEY_WRAP); its keys are labelled fleet-kek-N, the highest N is the current one.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from engine.model.errors import ConfigError, EncryptionError, KeyMissing, KeyWrong, UsageError

LABEL = "fleet-kek-"
_KEY_BITS = 256


class ModuleKeys:
    """Wrapping keys in a token of a PKCS#11 module. Raises ConfigError, EncryptionError."""

    renews = True

    def __init__(self, library: Path, token: str, pin: str) -> None:
        self.where = f"the token {token!r} of {library}"
        self._lock = threading.Lock()
        self._session = _open_session(library, token, pin)
        self._keys: dict[str, Any] = {}
        self._look()

    def close(self) -> None:
        """End the session."""
        with self._lock:
            self._session.close()

    def current(self) -> str:
        """Give the label of the newest key; in an empty token, make the first."""
        with self._lock:
            return self._current()

    def wrap(self, kek: str, key: bytes) -> bytes:
        """Hand a data key to the module and take it back wrapped."""
        from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass

        with self._lock:
            held = self._session.create_object(
                {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: KeyType.AES, Attribute.VALUE: key, Attribute.TOKEN: False, Attribute.EXTRACTABLE: True, Attribute.SENSITIVE: False}
            )
            try:
                return bytes(self._key(kek).wrap_key(held, mechanism=Mechanism.AES_KEY_WRAP))
            finally:
                held.destroy()

    def unwrap(self, kek: str, wrapped: bytes) -> bytes:
        """Have the module unwrap a data key."""
        from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, PKCS11Error

        with self._lock:
            try:
                held = self._key(kek).unwrap_key(
                    ObjectClass.SECRET_KEY, KeyType.AES, wrapped, mechanism=Mechanism.AES_KEY_WRAP, store=False,
                    template={Attribute.EXTRACTABLE: True, Attribute.SENSITIVE: False},
                )  # fmt: skip
            except PKCS11Error as error:
                raise KeyWrong(f"a data key wrapped by {kek} does not unwrap in {self.where} ({type(error).__name__}): it was changed, or wrapped by another key") from None
            try:
                return bytes(held[Attribute.VALUE])
            finally:
                held.destroy()

    def renew(self) -> str:
        """Make a new key in the module."""
        with self._lock:
            self._current()
            return self._add()

    def older(self) -> tuple[str, ...]:
        """Give the labels of all but the newest."""
        with self._lock:
            current = self._current()
            return tuple(kek for kek in self._keys if kek != current)

    def destroy(self, kek: str) -> None:
        """Destroy an older key in the module."""
        with self._lock:
            if kek == self._current():
                raise UsageError(f"{kek} wraps new keys: rotate first, then destroy it")
            if kek in self._keys:
                self._keys.pop(kek).destroy()

    def _current(self) -> str:
        return max(self._keys, key=_number) if self._keys else self._add()

    def _key(self, kek: str) -> Any:  # noqa: ANN401  # the package has no types
        if kek not in self._keys:
            self._look()  # another engine may have made it
        if kek not in self._keys:
            raise KeyMissing(f"the wrapping key {kek} is missing: {self.where} has {', '.join(self._keys) or 'none'}; restore the token, or what it wraps stays closed")
        return self._keys[kek]

    def _look(self) -> None:
        from pkcs11 import Attribute, ObjectClass

        found = self._session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY})
        self._keys = {key.label: key for key in found if key.label.startswith(LABEL) and key.label.removeprefix(LABEL).isdecimal()}

    def _add(self) -> str:
        from pkcs11 import Attribute, KeyType, MechanismFlag

        label = f"{LABEL}{max(map(_number, self._keys), default=0) + 1}"
        self._keys[label] = self._session.generate_key(
            KeyType.AES, _KEY_BITS, label=label, store=True, capabilities=MechanismFlag.WRAP | MechanismFlag.UNWRAP,
            template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
        )  # fmt: skip
        return label


def _number(label: str) -> int:
    return int(label.removeprefix(LABEL))


def _open_session(library: Path, token: str, pin: str) -> Any:  # noqa: ANN401  # the package has no types
    try:
        import pkcs11
    except ImportError as error:
        raise EncryptionError("keys in a hardware module need one more package: pip install 'fleet-tui[hsm]'") from error
    if not library.exists():
        raise ConfigError(f"memory.hsm.library {library} is not there: name the .so file of your module")
    try:
        loaded = pkcs11.lib(str(library))
    except (pkcs11.PKCS11Error, RuntimeError) as error:
        raise ConfigError(f"{library} does not load as a PKCS#11 module: {error}") from None
    try:
        return loaded.get_token(token_label=token).open(rw=True, user_pin=pin)
    except pkcs11.NoSuchToken:
        raise ConfigError(f"{library} has no token {token!r}: list them with pkcs11-tool --module {library} --list-slots") from None
    except pkcs11.PKCS11Error as error:
        raise EncryptionError(f"the token {token!r} does not open ({type(error).__name__}): check the PIN") from None
