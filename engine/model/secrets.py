"""What looks like a secret, and texts and values without it: for logs, exports and everything that leaves the machine.

Owner: nobody; pure. It finds secrets by the name before them and by their form. A secret that has neither, in a text of
somebody else's, cannot be told from any other word: what must not get out for certain is left out as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

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
# Inside JSON a line end and an escape sequence are letters.
_EDGE = r"(?:\b|(?<=\\[nrt])|(?<=[\d\[][A-Za-z]))"
_FORMS = re.compile(
    rf"""(?x)
    (?i:{_EDGE}bearer\s+(?P<bearer>[A-Za-z0-9._~+/=-]+) | {_EDGE}basic\s+(?P<basic>[A-Za-z0-9+/]{{8,}}={{0,2}}))
    | ://[^\s/:@]*:(?P<url>[^\s/@]+)@
    | (?P<form>
        -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----[\s\S]*?(?:-----END[ ][A-Z ]*PRIVATE[ ]KEY-----|\Z)
        | {_EDGE}sk-[A-Za-z0-9_-]{{16,}}
        | {_EDGE}gh[pousr]_[A-Za-z0-9]{{20,}} | {_EDGE}github_pat_\w{{20,}} | {_EDGE}glpat-[\w-]{{16,}} | {_EDGE}npm_[A-Za-z0-9]{{20,}} | {_EDGE}hf_[A-Za-z0-9]{{20,}}
        | {_EDGE}xox[abeprs]-[A-Za-z0-9-]{{10,}}
        | {_EDGE}(?:AKIA|ASIA)[0-9A-Z]{{16}}\b | {_EDGE}AIza[\w-]{{30,}}
        | {_EDGE}eyJ[\w-]{{8,}}\.[\w-]{{8,}}\.[\w-]*
      )
    """
)


# Where a match may begin: found as plain words first, which takes a fiftieth of the patterns' time.
_NAME_WORDS = ("token", "secret", "passw", "passphrase", "api", "access", "private", "authorization", "credential", "cookie")
_FORM_WORDS = (
    "bearer", "basic", "://", "-----begin ", "sk-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "npm_", "hf_",
    "xox", "akia", "asia", "aiza", "eyj",
)  # fmt: skip
_STARTS = ((_NAMED, _NAME_WORDS), (_OPTION, ("--",)), (_FORMS, _FORM_WORDS))

_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s*\Z")
_KEY_LINE = re.compile(r"[ +-]?[A-Za-z0-9+/=]{16,}\s*")
_PLAIN = re.compile(r"[\w.~+/=%-]+")
_RUNS_MORE = frozenset(";&|<>$`()\n\r")
_LONG_WORD = re.compile(r"[A-Za-z0-9+/=_-]{16,}")
_COULD_RUN = re.compile(r"[;&|<>$`(){}\[\]\\/\s]|[A-Za-z_]\.[A-Za-z_]")
"""What a text has that a program could take for code, a path, or the name of something of its own."""
_MIXED = r"(?=[^\d]*\d)(?=[^A-Za-z]*[A-Za-z])"
_RANDOM, _LONG_RANDOM = re.compile(rf"{_MIXED}[A-Za-z0-9_+=%~-]{{8,}}"), re.compile(rf"{_MIXED}{_LONG_WORD.pattern}")


def has_key(text: str) -> bool:
    """Tell whether a text has what can be nothing but a key, by its form: what no name and no address makes one."""
    return any(match.group("form") for match in _matches(text) if match.re is _FORMS)


def is_secret_name(name: str) -> bool:
    """Tell whether what goes by a name is to be hidden: `api_key`, `GITHUB_TOKEN`, but not `max_tokens`."""
    return _SECRET_KEY.search(name) is not None


def find_secrets(text: str) -> list[tuple[int, int]]:
    """Return where secrets begin and end in a text, in order, without overlaps."""
    found = sorted(span for match in _matches(text) for span in _spans_of(match))
    joined: list[tuple[int, int]] = []
    for start, end in found:
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def may_have_secrets(text: str) -> bool:
    """Tell whether a text has any of the words that a secret begins with; quick, and wrong only by saying yes."""
    lowered = text.lower()
    return any(word in lowered for _, words in _STARTS for word in words)


def _matches(text: str) -> Iterator[re.Match[str]]:
    lowered = text.lower()
    if len(lowered) != len(text):  # some letters have more than one when small
        lowered = "".join(char.lower() if char.isascii() else char for char in text)
    for pattern, words in _STARTS:
        end = 0
        for start in _places(lowered, words):
            if start >= end and (match := pattern.match(text, start)):
                end = match.end()
                yield match


def _places(text: str, words: tuple[str, ...]) -> list[int]:
    found: list[int] = []
    for word in words:
        place = text.find(word)
        while place >= 0:
            found.append(place)
            place = text.find(word, place + 1)
    return sorted(found)


def _spans_of(match: re.Match[str]) -> Iterator[tuple[int, int]]:
    return (match.span(group) for group, value in match.groupdict().items() if value)


def conceal(text: str) -> str:
    """Return a text without what looks like a secret."""
    parts, last = [], 0
    for start, end in find_secrets(text):
        parts += [text[last:start], HIDDEN]
        last = end
    return "".join([*parts, text[last:]])


def conceal_in_command(text: str) -> str:
    """Return what somebody is to allow without what looks like a secret, but with all that a shell would run: a name of a secret
    before it hides no command."""
    parts, last = [], 0
    for start, end in find_secrets(text):
        span = text[start:end]
        parts += [text[last:start], HIDDEN if _RUNS_MORE.isdisjoint(span) else _LONG_WORD.sub(HIDDEN, span)]
        last = end
    return "".join([*parts, text[last:]])


def mask(text: str) -> str:
    """Return a text of the same length, with what looks like a secret painted over."""
    parts, last = [], 0
    for start, end in find_secrets(text):
        parts += [text[last:start], MASK * (end - start)]
        last = end
    return "".join([*parts, text[last:]])


def _hidden(_name: str, _value: str) -> str:
    return HIDDEN


def conceal_values(
    value: object, *, text: Callable[[str], str] = conceal, key: Callable[[str], str] = str, named: Callable[[str, str], str] = _hidden
) -> object:
    """Return plain values whose texts have nothing that looks like a secret; a text that goes by the name of one is hidden as a whole.

    `text` and `key` make texts, and the names of what is in tables, safe; `named` a text with the name of a secret that it goes by.
    """
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Mapping):
        return {
            key(str(name)): named(str(name), inner)
            if isinstance(inner, str) and inner and is_secret_name(str(name))
            else conceal_values(inner, text=text, key=key, named=named)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [conceal_values(inner, text=text, key=key, named=named) for inner in value]
    return value


def conceal_in_code(text: str) -> str:
    """Return code, a diff of it, or words about it, without what looks like a secret, line by line.

    A name hides no more than a value, and a key that does not end nothing: no code that is to be judged or changed may hide behind them.
    """
    lines = text.split("\n")
    is_key = False
    for index, line in enumerate(lines):
        if is_key and _KEY_LINE.fullmatch(line):
            lines[index] = line[:1] + HIDDEN
        elif may_have_secrets(line):
            lines[index] = _NAMED.sub(_without_value, _without_forms(line))
            is_key = _KEY_BEGINS.search(line) is not None
        else:
            is_key = False
    return "\n".join(lines)


def _without_forms(line: str) -> str:
    """Return a line without what has the form of a secret; of what could be code, only long words are one."""

    def hidden(match: re.Match[str]) -> str:
        start, end = (at - match.start() for at in match.span(match.lastgroup or 0))
        whole = match[0]
        secret = whole[start:end]
        return whole[:start] + (HIDDEN if _PLAIN.fullmatch(secret) else _LONG_WORD.sub(HIDDEN, secret)) + whole[end:]

    return _FORMS.sub(hidden, line)


def _without_value(match: re.Match[str]) -> str:
    """Return a name with what goes by it, without a value: a text in quotes, or a word that looks random, in which there is no code."""
    group = match.lastgroup or ""
    secret = match[group]
    is_value = bool(_LONG_RANDOM.fullmatch(secret)) or (not _COULD_RUN.search(secret) if group != "bare" else bool(_RANDOM.fullmatch(secret)))
    start, end = (at - match.start() for at in match.span(group))
    return match[0][:start] + HIDDEN + match[0][end:] if is_value else match[0]


def redact(value: object) -> object:
    """Return plain values without what looks like a secret, by the names of keys and by the form of texts."""
    if isinstance(value, str):
        return conceal(value)
    if isinstance(value, Mapping):
        return {key: HIDDEN if is_secret_name(str(key)) and inner not in (None, "") else redact(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redact(inner) for inner in value]
    return value
