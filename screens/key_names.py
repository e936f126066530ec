"""Names of keys: as people write them, as Textual calls them, and what terminals make of them."""

from __future__ import annotations

import difflib
import re
import string
import unicodedata

from textual.keys import Keys

NAMED = frozenset(key.value for key in Keys if key.value[0] != "<" and "+" not in key.value) - {"return", "ctrl-at"}
"""Keys that are no characters."""

ALIASES = {
    "esc": "escape",
    "return": "enter",
    "ret": "enter",
    "cr": "enter",
    "del": "delete",
    "ins": "insert",
    "bs": "backspace",
    "spc": "space",
    "pgup": "pageup",
    "pgdn": "pagedown",
    "pgdown": "pagedown",
}
MODIFIERS = {"ctrl": "ctrl", "control": "ctrl", "c": "ctrl", "alt": "alt", "meta": "alt", "m": "alt", "shift": "shift", "s": "shift"}
SAME_BYTE = {"ctrl+i": "tab", "ctrl+m": "enter", "ctrl+h": "backspace", "ctrl+left_square_bracket": "escape"}
"""What terminals send the same byte for; the name on the right is the one that arrives."""
TWO_NAMES = {"ctrl+space": ("ctrl+space", "ctrl+@"), "ctrl+slash": ("ctrl+slash", "ctrl+underscore")}
"""Keys that have one name in old terminals and another one in new ones."""
RENAMED = {
    "solidus": "slash",
    "reverse_solidus": "backslash",
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "plus_sign": "plus",
    "low_line": "underscore",
}
"""Unicode's name of a character to Textual's."""
EATEN = {
    "ctrl+a": "screen takes it, and tmux often",
    "ctrl+b": "tmux takes it",
    "ctrl+s": "serial lines take it to stop the output",
    "ctrl+q": "serial lines take it to go on with the output",
    "ctrl+backslash": "a shell takes it to end the program",
}
"""Keys that may never arrive, and why; none of them may be the only key of an action."""
_SENT_WITH_CTRL = frozenset("abcdefghijklmnopqrstuvwxyz") | {"@", "backslash", "right_square_bracket", "circumflex_accent", "underscore", "space", "slash"}
_SENT_WITH_MODIFIERS = NAMED - {"escape", "tab", "enter", "space", "backspace", "insert"}


def read_key(text: str) -> tuple[str, ...]:
    """Return Textual's names of a key that somebody wrote: `>`, `esc`, `ctrl+d`, `C-d`, `G`. Raises ValueError."""
    modifiers, base = _split(text)
    if len(base) == 1:
        base = _character_name(base)
    else:
        base = ALIASES.get(base.lower(), base.lower())
        if base not in NAMED | _WRITES:
            raise ValueError(f"no key {text!r}{_nearest(base)}")
    if modifiers and len(base) == 1:
        base = base.lower()
    if modifiers == {"shift"} and base not in NAMED:
        raise ValueError(f"{text!r}: write the character itself, such as {base.upper() if len(base) == 1 else '>'}")
    if modifiers == {"ctrl"} and base == "at":
        return ("ctrl+@",)
    key = "+".join([*(name for name in ("alt", "ctrl", "shift") if name in modifiers), base])
    if key in SAME_BYTE:
        raise ValueError(f"{text!r}: terminals send {SAME_BYTE[key]} for it; write that")
    return TWO_NAMES.get(key, (key,))


def _split(text: str) -> tuple[set[str], str]:
    """Return the modifiers and what is pressed with them."""
    rest = text.strip() if text.strip() else text
    if rest.startswith("^") and len(rest) == 2:
        return {"ctrl"}, rest[1]
    modifiers: set[str] = set()
    while found := re.match(r"(\w+)[+-](?=.)", rest):
        name = MODIFIERS.get(found[1].lower())
        if name is None:
            break
        modifiers.add(name)
        rest = rest[found.end() :]
    if not rest:
        raise ValueError("a key is needed, such as s, >, ctrl+d or f5")
    return modifiers, rest


def _character_name(character: str) -> str:
    """Return Textual's name of a character's key."""
    if character == " ":
        return "space"
    if character.isalnum():
        return character
    if not character.isprintable():
        raise ValueError(f"no key {character!r}")
    name = unicodedata.name(character).lower().replace("-", "_").replace(" ", "_")
    return RENAMED.get(name, name)


_WRITES = frozenset(_character_name(character) for character in string.punctuation)
"""Keys with a name that write a character."""


def _nearest(word: str) -> str:
    near = difflib.get_close_matches(word, [*NAMED, *ALIASES, *_WRITES], n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    if "," in word or " " in word:
        return '; several keys are a list: ["s", "f5"]'
    return "; write a character, f1 to f24, a name such as enter or pgup, or ctrl+, alt+ and one of those"


def is_typed(key: str) -> bool:
    """Tell whether a key writes a character into a line."""
    return key == "space" or len(key) == 1 or key in _WRITES


def doubt(key: str) -> str:
    """Return why a key may never arrive; empty if every terminal sends it."""
    *modifiers, base = key.split("+")
    if key in EATEN:
        return EATEN[key]
    if "alt" in modifiers:
        return "many terminals and SSH clients lose alt"
    if modifiers == ["ctrl"] and base in _SENT_WITH_CTRL:
        return ""
    if key == "shift+tab" or not modifiers or base in _SENT_WITH_MODIFIERS:
        return ""
    return "few terminals send it"
