"""What the terminal answers: whether its background is light or dark, asked once and told whenever it changes.

Textual would take an answer (OSC 11) for keys that somebody pressed. `ReplyParser` takes answers out of what comes in;
`FollowingDriver` asks, without waiting: the first frame never does. It reads in a loop of its own, since Textual's looks
only every 100 ms whether a lone esc has waited long enough to be a key.

Owner: the parser owns the end of a read that may be the beginning of an answer. Limits: HELD_MAX characters, held for
HELD_S, or for EXPECTED_S when they can be nothing else. It leans on private parts of Textual 8.2; where one is missing, nothing is asked.
"""

from __future__ import annotations

import os
import re
import selectors
from codecs import getincrementaldecoder
from collections.abc import Iterable

from textual import constants
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS, IGNORE_SEQUENCE
from textual._time import get_time
from textual._xterm_parser import XTermParser
from textual.drivers import linux_driver
from textual.message import Message

from themes.contrast import luminance, to_hex

ASK = "\x1b]11;?\x1b\\"
"""OSC 11: which colour is the background?"""
FOLLOW, FOLLOW_NO_MORE = "\x1b[?2031h", "\x1b[?2031l"
"""Mode 2031: tell when it changes between light and dark; terminals that do not know it ignore it."""
READ_BYTES = 4096
END_S = 0.1
"""How often the thread that reads looks whether it is to end, while nothing comes."""
HELD_MAX = 128
HELD_S = constants.ESCAPE_DELAY
EXPECTED_S = 2.0
"""After so long an answer is no longer expected: a lone Escape is a key again at once."""
LIGHT_FROM = 0.18
"""Luminance of a grey that looks half as light as white."""

_REPLY = re.compile(r"\x1b\](?P<told>[^\x07\x1b]*)(?:\x07|\x1b\\)|\x1b\[\?997;(?P<mode>[12])n")
_BEGUN = re.compile(r"\x1b(?:\][^\x07\x1b]*\x1b?|\[(?:\?(?:9(?:9(?:7(?:;[12]?)?)?)?)?)?)\Z")
_COLOR = re.compile(r"11;rgba?:([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})(?:/[0-9a-fA-F]+)?")


class TerminalBackground(Message, bubble=False):
    """The terminal said what its background is."""

    def __init__(self, *, is_light: bool) -> None:
        super().__init__()
        self.is_light = is_light


def read_color(told: str) -> str:
    """Return the colour of an answer to OSC 11 as `#rrggbb`; empty for any other."""
    match = _COLOR.fullmatch(told)
    if match is None:
        return ""
    red, green, blue = (round(int(part, 16) / (16 ** len(part) - 1) * 255) for part in match.groups())
    return to_hex((red, green, blue))


class ReplyParser(XTermParser):
    """Keys and mouse as Textual reads them, and the terminal's answers."""

    def __init__(self, debug: bool = False) -> None:  # noqa: FBT001, FBT002  # as in Textual
        super().__init__(debug)
        self._held = ""
        self._held_at = 0.0
        self._expected_until = get_time() + EXPECTED_S

    @property
    def is_waiting(self) -> bool:
        """Answer whether what came last may be the beginning of something longer, for a moment."""
        return bool(self._held) or self._timeout_time is not None

    def feed(self, data: str) -> Iterable[Message]:
        """Return the messages of what came in; the last characters may be held until more comes."""
        ends = not data
        data, self._held = self._held + data, ""
        start = 0
        for match in _REPLY.finditer(data):
            if match.start() > start:
                yield from super().feed(data[start : match.start()])
            start = match.end()
            yield from self._read_reply(match)
        rest = data[start:]
        begun = None if ends else _BEGUN.search(rest)
        if begun is None and not ends and rest.endswith("\x1b") and get_time() < self._expected_until:
            begun = re.search(r"\x1b\Z", rest)
        if begun is not None and len(rest) - begun.start() <= HELD_MAX:
            rest, self._held = rest[: begun.start()], rest[begun.start() :]
            self._held_at = get_time()
        if rest:
            yield from super().feed(rest)
        if ends:
            yield from super().feed("")

    def tick(self) -> Iterable[Message]:
        """Let go of what turned out to be no answer."""
        # Nobody types the beginning of a colour; the rest of it may take a slow line.
        limit_s = EXPECTED_S if self._held.startswith("\x1b]1") else HELD_S
        if self._held and get_time() - self._held_at >= limit_s:
            held, self._held = self._held, ""
            yield from super().feed(held)
        yield from super().tick()

    def _read_reply(self, match: re.Match[str]) -> Iterable[Message]:
        if match["mode"]:
            yield TerminalBackground(is_light=match["mode"] == "2")
        elif color := read_color(match["told"]):
            self._expected_until = 0.0
            yield TerminalBackground(is_light=luminance(color) >= LIGHT_FROM)


class FollowingDriver(linux_driver.LinuxDriver):
    """The terminal of this process, asked for its background."""

    def start_application_mode(self) -> None:
        """Take the terminal, and ask."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        if getattr(self._app, "asks_background", False) and self._writer_thread is not None:
            self.write(ASK + FOLLOW)
            self.flush()

    def stop_application_mode(self) -> None:
        """Give the terminal back; it need not tell any more."""
        if getattr(self._app, "asks_background", False) and self._writer_thread is not None:
            self.write(FOLLOW_NO_MORE)
        super().stop_application_mode()

    def run_input_thread(self) -> None:
        """Hand over what the terminal sends, until told to end or nothing more can come."""
        parser = ReplyParser(self._debug)
        decode = getincrementaldecoder("utf-8")().decode
        with selectors.DefaultSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(min(HELD_S, END_S) if parser.is_waiting else END_S):
                    data = os.read(self.fileno, READ_BYTES)
                    if not data:
                        return
                    if text := decode(data):
                        self._hand_over(parser.feed(text))
                self._hand_over(parser.tick())

    def _hand_over(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self.process_message(message)


def find_driver(driver: type) -> type:
    """Return the driver that asks, in place of Textual's own for a terminal; any other stays."""
    if driver is not linux_driver.LinuxDriver:
        return driver
    # A read that ends within a change's first character hides it from us; then it must not become keys.
    if isinstance(ANSI_SEQUENCES_KEYS, dict):
        ANSI_SEQUENCES_KEYS.update({f"\x1b[?997;{mode}n": IGNORE_SEQUENCE for mode in "12"})
    return FollowingDriver
