"""Broken sources by chance: pieces of real files, with flipped bytes, foreign ends, deep nesting, giant tokens, broken UTF-8."""

from __future__ import annotations

import hashlib
import random
import re
import sysconfig
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from engine.booster.records import File, Language

from tests.integration import script_packages
from tests.tools.programs import Missing

SAMPLES = Path(__file__).parent / "booster_samples"
PYTHON_FILES = 300
FILE_MAX_BYTES = 60_000
PIECE_MAX_BYTES = 2_500
# Tokens that open something, or that mean much in few places; of all languages, since any may end up in any.
FRAGMENTS = (
    b"\n", b"\r\n", b"\r", b"    ", b"\t", b"\f", b"\v", b"\0", b"\\", b"\\\n", b"#", b"//", b"/*", b"*/", b"(", b")", b"[", b"]", b"{", b"}", b",",
    b":", b";", b".", b"...", b"=", b"==", b":=", b"=>", b"->", b"*", b"**", b"@", b"/", b"<", b">", b"</", b"/>", b"<>", b"?.", b"??", b"!", b"`",
    b"${", b"$", b"?", b"'", b'"', b'"""', b"'''", b"f'", b'f"{', b'rb"', b"{x!r:>{w}}", b"not ", b"in ", b"is ", b"if ", b"else ", b"elif ", b"for ",
    b"async ", b"await ", b"lambda x: ", b"yield ", b"def ", b"class ", b"return ", b"import ", b"from ", b"as ", b"match x:\n", b"case _:", b"type ",
    b"global ", b"try:", b"except:", b"with ", b"function ", b"let ", b"const ", b"var ", b"new ", b"typeof ", b"interface ", b"enum ", b"namespace ",
    b"declare ", b"abstract ", b"satisfies ", b"<T,>", b"<div>", b"</div>", b"<!--", b"-->", b"0777", b"1_0", b"1e", b"0x", b"/re/g", b"\xc3\xa9",
    b"\xe2\x80\xa8", b"\xcc\x81", b"\xf0\x9d\x90\xb1", b"\xef\xbb\xbf", b"\xf0\x9f\x8e\x89",
)  # fmt: skip
# No UTF-8: lone ends and beginnings, too long forms, half pairs, beyond the last letter.
BROKEN = (b"\xff", b"\xfe", b"\x80", b"\xc3", b"\xe2\x80", b"\xf0\x9d\x90", b"\xc0\x80", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80")
OPENERS = (
    b"(", b"[", b"{", b"f(", b"lambda: ", b"not ", b"-", b"~", b"if x:\n", b"x if x else ", b'f"{', b"a.b", b"'' ", b"{a:", b"a=>", b"`${", b"<a>", b"!",
    b"new ", b"typeof ", b"x?", b"x?y:", b"a[", b"function f(){", b"class A{a(){", b"A<", b"|", b"&", b"keyof ", b"/*", b"else ", b"@a\n", b"*", b"a:",
)  # fmt: skip
GIANTS = (
    (b"", b"a", b""), (b"", b"9", b""), (b"'", b"a", b"'"), (b'"""', b"\n", b'"""'), (b"#", b"-", b"\n"), (b"/*", b"*", b"*/"), (b"`", b"\\`", b"`"),
    (b"", b" ", b""), (b"", b"\t", b"x"), (b"", b"\n", b""), (b"/", b"[/]", b"/g"), (b"", b"a.", b"a"), (b"", b"a,", b""), (b"", b"\xc3\xa9", b""), (b"x=", b"0", b"n"),
)  # fmt: skip

WORD = re.compile(rb"[A-Za-z_]\w*")

Chance = random.Random


def break_bytes(chance: Chance, data: bytes) -> bytes:
    broken = bytearray(data)
    for _ in range(chance.randint(1, 8) if broken else 0):
        broken[chance.randrange(len(broken))] = chance.randrange(256)
    return bytes(broken)


def break_letters(chance: Chance, data: bytes) -> bytes:
    """Other ASCII in some places: what is UTF-8 stays so, and is read further than other broken files."""
    broken = bytearray(data)
    for _ in range(chance.randint(1, 5) if broken else 0):
        at = chance.randrange(len(broken))
        if broken[at] < 128:
            broken[at] = chance.choice(b" \n\t()[]{}:;,.=+-*/<>!?@#$%^&|~'\"`\\_azAZ09")
    return bytes(broken)


def swap_words(chance: Chance, data: bytes) -> bytes:
    """Some words in the places of others: often still right."""
    words = WORD.findall(data)
    for _ in range(chance.randint(1, 3) if words else 0):
        data = data.replace(chance.choice(words), chance.choice(words), chance.randint(1, 5))
    return data


def move_line(chance: Chance, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    if lines:
        lines.insert(chance.randint(0, len(lines)), lines[chance.randrange(len(lines))])
        del lines[chance.randrange(len(lines))]
    return b"".join(lines)


def put_in(chance: Chance, data: bytes, piece: bytes) -> bytes:
    at = chance.randint(0, len(data))
    return data[:at] + piece + data[at:]


def put_fragments(chance: Chance, data: bytes) -> bytes:
    for _ in range(chance.randint(1, 4)):
        data = put_in(chance, data, chance.choice(FRAGMENTS))
    return data


def cut_off(chance: Chance, data: bytes) -> bytes:
    return data[: chance.randint(0, len(data))] if chance.random() < 0.7 else data[chance.randint(0, len(data)) :]


def cut_out(chance: Chance, data: bytes) -> bytes:
    start = chance.randint(0, len(data))
    return data[:start] + data[start + chance.randint(1, 200) :]


def repeat(chance: Chance, data: bytes) -> bytes:
    start = chance.randint(0, len(data))
    return put_in(chance, data, data[start : start + chance.randint(1, 300)] * chance.randint(1, 4))


def nest(chance: Chance, data: bytes) -> bytes:
    deep = chance.choice(OPENERS) * chance.choice((10, 60, 100, 300, 1_000, 5_000))
    return put_in(chance, data, deep) if chance.random() < 0.7 else deep


def put_giant(chance: Chance, data: bytes) -> bytes:
    begin, middle, end = chance.choice(GIANTS)
    return put_in(chance, data, begin + middle * chance.choice((100, 1_000, 10_000)) + end)


def put_broken(chance: Chance, data: bytes) -> bytes:
    return put_in(chance, data, chance.choice(BROKEN))


def make_random(chance: Chance, _: bytes) -> bytes:
    return chance.randbytes(chance.randint(0, 600))


def indent(chance: Chance, data: bytes) -> bytes:
    """Other blanks before some lines."""
    lines = data.split(b"\n")
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(lines))
        lines[at] = chance.choice((b" ", b"  ", b"    ", b"\t", b"")) + lines[at].lstrip() * chance.randint(0, 1)
    return b"\n".join(lines)


# The first ones leave most of a file as it was: they are read to their end, so they come more often.
MUTATIONS: tuple[tuple[Callable[[Chance, bytes], bytes], int], ...] = (
    (lambda _, data: data, 10), (swap_words, 30), (move_line, 12), (break_letters, 14), (put_fragments, 16), (cut_out, 10), (cut_off, 10), (repeat, 8), (indent, 8), (break_bytes, 6),
    (put_broken, 4), (nest, 4), (put_giant, 2), (make_random, 3),
)  # fmt: skip


class Corpus:
    """Pieces of real sources of each language."""

    def __init__(self, sources: dict[Language, list[bytes]]) -> None:
        self.sources = sources
        self.everything = [data for pieces in sources.values() for data in pieces]
        digest = hashlib.sha256()
        for data in self.everything:
            digest.update(data)
        self.version = digest.hexdigest()[:12]
        """Two runs of one seed do the same if this is the same."""

    def choose_file(self, chance: Chance, languages: Sequence[Language]) -> File:
        """A broken piece of one of these languages; sometimes said to be of another."""
        language = chance.choice(languages if chance.random() < 0.95 else tuple(Language))
        data = self._choose_piece(chance, self.sources[language])
        if chance.random() < 0.15:
            data = cut_off(chance, data) + self._choose_piece(chance, self.everything)
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            (mutate,) = chance.choices([row[0] for row in MUTATIONS], [row[1] for row in MUTATIONS])
            data = mutate(chance, data)
        return File(language if chance.random() < 0.97 else chance.choice((0, 1, 2, 3, 4, 99, 2**32 - 1)), data)

    def _choose_piece(self, chance: Chance, sources: list[bytes]) -> bytes:
        """Whole definitions where the indentation tells them, else a window."""
        data = chance.choice(sources)
        size = min(int(chance.expovariate(1 / 700)) + 20, PIECE_MAX_BYTES)
        if size >= len(data):
            return data
        begin = _find_margin(data, chance.randint(0, len(data) - size))
        end = _find_margin(data, begin + size)
        return data[begin : end if end < begin + 6 * size else begin + size]


def _find_margin(data: bytes, start: int) -> int:
    """Where the next line begins that is not indented and closes nothing; else the start."""
    at = start
    for _ in range(60):
        at = data.find(b"\n", at) + 1
        if not at:
            break
        if data[at : at + 1] not in b" \t\r\n)]}":
            return at
    return start


@lru_cache
def load_corpus() -> Corpus:
    """Python from the standard library; scripts from real packages, where npm can fetch them; our samples of each."""
    files: dict[Language, list[bytes]] = {language: [] for language in Language}
    for path in sorted(SAMPLES.iterdir()):
        language = Language.of(path.name.removesuffix(".txt"))
        assert language is not None, path
        files[language].append(path.read_bytes())
    paths = sorted(path for path in Path(sysconfig.get_path("stdlib")).rglob("*.py") if "site-packages" not in path.parts)
    for path in random.Random(1).sample(paths, min(PYTHON_FILES, len(paths))):
        _add(files, path)
    try:
        scripts = script_packages.find_files()
    except Missing:
        scripts = []
    for path in script_packages.sample(scripts, 300, seed=1):
        _add(files, path)
    return Corpus(files)


def _add(files: dict[Language, list[bytes]], path: Path) -> None:
    language, data = Language.of(path.name), path.read_bytes()
    if language is not None and data.strip() and len(data) <= FILE_MAX_BYTES:
        files[language].append(data)
