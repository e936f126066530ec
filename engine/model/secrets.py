"""What looks like a secret, and texts and values without it: for logs, exports and everything that leaves the machine.

Owner: nobody; pure. It finds secrets by the name before them and by their form. A secret that has neither, in a text of
somebody else's, cannot be told from any other word: what must not get out for certain is left out as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain

HIDDEN = "[hidden]"
MASK = "•"
ENGINE_SECRETS = ("ENCRYPTION_KEY", "ENCRYPTION_KEY_PREVIOUS", "ENCRYPTION_HSM_PIN", "FLEET_SYNC_SECRET")
"""Variables that are for the engine alone, and for no code that does an agent's task."""

_NAME = r"(?:token(?!s)|secret|passw(?:or)?d|passphrase|api[_-]?key|access[_-]?key|private[_-]?key|authorization|credential|cookie)"
_SECRET_KEY = re.compile(_NAME, re.IGNORECASE)

# Names are bounded, or a text made for it would take minutes.
# A text that was cut may lack its last quote; one inside JSON has its quotes escaped.
_VALUE = r"""(?:"(?P<double>(?:[^"\\]|\\.)+)"?|'(?P<single>(?:[^'\\]|\\.)+)'?|(?P<bare>(?!(?:bearer|basic)\b)[^\s"',;]+))"""
_NAMED = re.compile(rf"(?i){_NAME}[\w.-]{{0,40}}\\?[\"']?\s*(?:=>|[=:])\s*\\?{_VALUE}")
_OPTION = re.compile(rf"(?i)--[\w-]{{0,40}}{_NAME}[\w-]{{0,40}}[ =]+{_VALUE}")
_FORMS = re.compile(
    r"""(?x)
    (?i:\bbearer\s+(?P<bearer>[A-Za-z0-9._~+/=-]+) | \bbasic\s+(?P<basic>[A-Za-z0-9+/]{8,}={0,2}))
    | ://[^\s/:@]*:(?P<url>[^\s/@]+)@
    | (?P<form>
        -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----[\s\S]*?(?:-----END[ ][A-Z ]*PRIVATE[ ]KEY-----|\Z)
        | \bsk-[A-Za-z0-9_-]{16,}
        | \bgh[pousr]_[A-Za-z0-9]{20,} | \bgithub_pat_\w{20,} | \bglpat-[\w-]{16,} | \bnpm_[A-Za-z0-9]{20,} | \bhf_[A-Za-z0-9]{20,}
        | \bxox[abeprs]-[A-Za-z0-9-]{10,}
        | \b(?:AKIA|ASIA)[0-9A-Z]{16}\b | \bAIza[\w-]{30,}
        | \beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*
      )
    """
)


def is_secret_name(name: str) -> bool:
    """Tell whether what goes by a name is to be hidden: `api_key`, `GITHUB_TOKEN`, but not `max_tokens`."""
    return _SECRET_KEY.search(name) is not None


def find_secrets(text: str) -> list[tuple[int, int]]:
    """Return where secrets begin and end in a text, in order, without overlaps."""
    found = sorted(span for match in chain(_named(text), _FORMS.finditer(text)) for span in _spans_of(match))
    joined: list[tuple[int, int]] = []
    for start, end in found:
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def _named(text: str) -> Iterator[re.Match[str]]:
    yield from _NAMED.finditer(text)
    yield from _OPTION.finditer(text)


def _spans_of(match: re.Match[str]) -> Iterator[tuple[int, int]]:
    return (match.span(group) for group, value in match.groupdict().items() if value)


def conceal(text: str) -> str:
    """Return a text without what looks like a secret."""
    parts, last = [], 0
    for start, end in find_secrets(text):
        parts += [text[last:start], HIDDEN]
        last = end
    return "".join([*parts, text[last:]])


def mask(text: str) -> str:
    """Return a text of the same length, with what looks like a secret painted over."""
    parts, last = [], 0
    for start, end in find_secrets(text):
        parts += [text[last:start], MASK * (end - start)]
        last = end
    return "".join([*parts, text[last:]])


def redact(value: object) -> object:
    """Return plain values without what looks like a secret, by the names of keys and by the form of texts."""
    if isinstance(value, str):
        return conceal(value)
    if isinstance(value, Mapping):
        return {key: HIDDEN if is_secret_name(str(key)) and inner not in (None, "") else redact(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redact(inner) for inner in value]
    return value
