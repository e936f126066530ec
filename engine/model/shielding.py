"""What agents print and say, made safe to keep and to show: without what looks like a secret, and nothing that moves a terminal.

Owner: a `ShieldedStream`, of one unfinished line. Limits: LINE_MAX_BYTES of a line are looked at together; of a private key that
never ends, KEY_LINES_MAX lines are left out.
"""

from __future__ import annotations

import re

from engine.model.secrets import (
    conceal,
    conceal_in_code,
    conceal_in_command,
    conceal_values,
    find_secrets,
    may_have_secrets,
)

LINE_MAX_BYTES = 64 * 1024
LOOK_BYTES = 4 * 1024
"""What is looked at beyond it, lest the cut divides a secret."""
_LONG = LINE_MAX_BYTES + LOOK_BYTES
KEY_LINES_MAX = 200
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # colours, moves
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]{0,4096}(?:\x07|\x1b\\|\x9c)?"  # titles, links, clipboards
    r"|\x1b[ -/]*[0-~]?"
)
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""What moves a cursor, turns the direction of writing, or cannot be encoded; not tabs and line ends."""
_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?!.*-----END )")
_KEY_ENDS = "-----END "


def clean(text: str) -> str:
    """Return a text without escape sequences and control characters; line ends become plain ones."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROLS.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))


def shield(text: str) -> str:
    """Return a text without secrets, escape sequences and control characters."""
    return conceal(clean(text))


def shield_values(value: object) -> object:
    """Return plain values whose texts are shielded; what goes by the name of a secret is hidden as a whole."""
    return conceal_values(value, text=shield, key=clean)


def shield_arguments(value: object) -> object:
    """Return the arguments of a tool without secrets, but with all that a shell would run: somebody is to judge them.

    Control characters stay: whoever shows arguments writes them as JSON, in which they are seen.
    """
    return conceal_values(value, text=conceal_in_command, named=lambda name, text: conceal_in_command(f"{name}={text}")[len(name) + 1 :])


def shield_diff(text: str) -> str:
    """Return a diff that somebody is to judge without secrets, escape sequences and control characters, but with all of its code."""
    return conceal_in_code(clean(text))


class ShieldedStream:
    """Shields what a program prints, which comes in any pieces: by lines, so that no piece hides half a secret."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._key_lines = 0
        """Lines left out since a private key began; 0 = none has."""

    def feed(self, chunk: bytes) -> bytes:
        """Take a piece and return what may be written of it: whole lines, or the heads of one that is too long."""
        *lines, rest = (bytes(self._held) + chunk).split(b"\n")
        ready: list[bytes] = []
        whole: list[bytes] = []
        for line in lines:
            if len(line) > _LONG:
                ready.append(self._shielded(b"\n".join([*whole, b""])))
                whole.clear()
                while len(line) > _LONG:
                    head, line = _divided(line)
                    ready.append(self._shielded(head))
            whole.append(line)
        ready.append(self._shielded(b"\n".join([*whole, b""])))
        while len(rest) > _LONG:
            head, rest = _divided(rest)
            ready.append(self._shielded(head))
        self._held = bytearray(rest)
        return b"".join(ready)

    def end(self) -> bytes:
        """Return the rest."""
        rest, self._held = bytes(self._held), bytearray()
        return self._shielded(rest)

    def _shielded(self, data: bytes) -> bytes:
        text = clean(data.decode("utf-8", "replace"))
        if self._key_lines or may_have_secrets(text):
            *lines, rest = text.split("\n")
            text = "".join([self._shielded_line(line, "\n") for line in lines] + [self._shielded_line(rest, "")])
        return text.encode("utf-8", "replace")

    def _shielded_line(self, line: str, end: str) -> str:
        if self._key_lines:
            self._key_lines = 0 if _KEY_ENDS in line or self._key_lines >= KEY_LINES_MAX else self._key_lines + bool(end)
            return ""
        if _KEY_BEGINS.search(line):
            self._key_lines = 1
        return conceal(line) + end


def _divided(line: bytes) -> tuple[bytes, bytes]:
    """Return the head of a line that is too long and its rest; no secret is divided, and no letter."""
    at = LINE_MAX_BYTES
    while line[at] & 0xC0 == 0x80 and at > LINE_MAX_BYTES - 3:  # noqa: PLR2004  # inside a letter, which has up to four bytes
        at -= 1
    text = line[: LINE_MAX_BYTES + LOOK_BYTES].decode("utf-8", "surrogateescape")
    cut = len(line[:at].decode("utf-8", "surrogateescape"))
    if start := next((start for start, end in find_secrets(text) if start < cut < end), 0):
        at = len(text[:start].encode("utf-8", "surrogateescape"))
    return line[:at], line[at:]
