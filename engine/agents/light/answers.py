"""What a job leaves behind: its result checked and packed, or its failure described.

Owner: nobody; functions only. Limits: a result has at most `RESULT_MAX_BYTES` as JSON, an error
`ERROR_MAX_CHARS`, a traceback `TRACEBACK_MAX_CHARS`. Runs in the worker; light.
"""

from __future__ import annotations

import msgspec

from engine.agents.light.frames import LargeResult
from engine.agents.summary import summarise
from engine.model.plain import NOT_JSON, printable, require_shallow

RESULT_MAX_BYTES = 16 << 20
ERROR_MAX_CHARS = 1_000
TRACEBACK_MAX_CHARS = 4_000
TRACEBACK_FRAMES = 20

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()
_wire_encoder = msgspec.msgpack.Encoder()


class JobFailed(Exception):
    """A job that cannot be done, in the words of its outcome."""

    def __init__(self, kind: str, message: str, *, retryable: bool, result: dict[str, object] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.retryable = retryable
        self.result = result or {}


def pack_result(task: str, value: object, inline_max_bytes: int, *, conceals: bool = False) -> tuple[dict[str, object], LargeResult | None]:
    """Return what stays with the task, and the whole as JSON when that is larger than `inline_max_bytes`.

    Anything but an object is put under `value`; None and {} are no result. `conceals` leaves out what looks like a secret.
    Raises JobFailed.
    """
    if value is None or (isinstance(value, dict) and not value):
        return {}, None
    try:
        data = _encoder.encode(value)
        require_shallow(data)
        plain = _decoder.decode(data)  # what travels is what JSON keeps: no dates, sets, classes or NaN
        if conceals and (found := _without_secrets(plain, data)) is not plain:
            plain, data = found, _encoder.encode(found)
        if len(data) <= inline_max_bytes:
            _wire_encoder.encode(plain)  # whole numbers beyond 64 bits are JSON but cannot travel
    except NOT_JSON as error:
        text = f"its result cannot be written as JSON: {text_of(error)}; return plain values"
        raise JobFailed("not_json", text, retryable=False) from error
    if not isinstance(plain, dict):
        plain, data = {"value": plain}, b'{"value":' + data + b"}"
    if len(data) <= inline_max_bytes:
        return plain, None
    if len(data) > RESULT_MAX_BYTES:
        text = f"its result has {len(data)} bytes as JSON, the most is {RESULT_MAX_BYTES}; write it to a file"
        raise JobFailed("too_large", text, retryable=False)
    import hashlib  # costs a tenth of the worker's start, and most results are small

    large = LargeResult(hashlib.sha256(data).hexdigest(), "application/json", data, task)
    return summarise(plain, inline_max_bytes), large


def _without_secrets(plain: object, data: bytes) -> object:
    """Return a value without what looks like a secret, itself where there is none; `data` is it as JSON."""
    from engine.model.secrets import (  # not for workers that do no handler's work
        conceal_values,
        may_have_secrets,
    )

    return conceal_values(plain) if may_have_secrets(data.decode()) else plain


def _concealed(text: str) -> str:
    from engine.model.secrets import conceal  # only failures pay for it

    return conceal(text)


def describe_failure(error: BaseException) -> JobFailed:
    """Return an exception of a handler as the failure of its job."""
    if isinstance(error, JobFailed):
        return error
    import traceback  # only failures pay for it

    try:
        lines = traceback.format_exception(type(error), error, error.__traceback__, limit=-TRACEBACK_FRAMES)
    except Exception as unprintable:  # noqa: BLE001  # the exception's own code, run to print it
        lines = [f"traceback cannot be printed: {type(unprintable).__name__}"]
    trace = _concealed(printable("".join(lines)))[-TRACEBACK_MAX_CHARS:]
    return JobFailed(printable(type(error).__name__), text_of(error), retryable=True, result={"traceback": trace})


def text_of(error: BaseException) -> str:
    """Return an exception's text, bounded and without what looks like a secret; its class when it has none or cannot be printed."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001  # the exception's own code
        text = ""
    text = _concealed(printable(text)) or type(error).__name__
    return text if len(text) <= ERROR_MAX_CHARS else text[:ERROR_MAX_CHARS] + "…"
