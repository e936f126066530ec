"""What goes into a module and comes out of it: batches of files, and one answer for each.

Owner: nobody; a record is a value. The format is written down in docs/booster.md; all numbers are 32 bits
wide, the lowest byte first, and whatever has a length is filled up with zeros to a multiple of four.
"""

import struct
from collections.abc import Mapping, Sequence
from enum import IntEnum
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from engine.booster.failures import BadAnswer, BadModule
from engine.model.errors import UsageError

ABI_VERSION: Final = 1
_CODE_MAX: Final = 2**31 - 1
_HEAD: Final = struct.Struct("<III")
_PAIR: Final = struct.Struct("<II")
_NUMBER: Final = struct.Struct("<I")
_PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")


class Language(IntEnum):
    """What a file is written in; the numbers are part of the ABI."""

    PYTHON = 0
    JAVASCRIPT = 1
    TYPESCRIPT = 2
    TSX = 3

    @classmethod
    def of(cls, path: str) -> "Language | None":
        """Tell the language by the suffix of a file's name."""
        return _SUFFIXES.get(PurePath(path).suffix.lower())


_SUFFIXES: Final = MappingProxyType(
    {
        ".py": Language.PYTHON,
        ".pyi": Language.PYTHON,
        ".js": Language.JAVASCRIPT,
        ".mjs": Language.JAVASCRIPT,
        ".cjs": Language.JAVASCRIPT,
        ".jsx": Language.JAVASCRIPT,
        ".ts": Language.TYPESCRIPT,
        ".mts": Language.TYPESCRIPT,
        ".cts": Language.TYPESCRIPT,
        ".tsx": Language.TSX,
    }
)


class Status(IntEnum):
    """How the operation on one file ended."""

    DONE = 0  # the value is the result
    UNSURE = 1  # the module cannot tell for certain: ask the regular agent
    REFUSED = 2  # the edit would be wrong, or its target is not clear
    BAD_REQUEST = 3  # the module has no such operation, language or argument


class Tier(IntEnum):
    """Which way the answer was found."""

    NONE = 0
    LEXICAL = 1  # from tokens
    TREE = 2  # from the syntax tree


BOTH_TIERS: Final = Tier.LEXICAL | Tier.TREE


class File(NamedTuple):
    """One source of a batch."""

    language: int  # a `Language`
    data: bytes  # UTF-8 without a byte order mark


class Answer(NamedTuple):
    """What became of one file."""

    status: Status
    tier: Tier
    payload: bytes  # one value in the module's encoding
    encoding: str = "msgpack"

    @property
    def value(self) -> dict[str, Any]:  # Any: the fields are those of the operation
        """Decode the payload; of all but DONE it is a `reason`, and `line` and `column` or None."""
        try:
            return _DECODERS[self.encoding](self.payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadAnswer(f"the payload of an answer is no {self.encoding}: {error}") from None


_DECODERS: Final = MappingProxyType(
    {
        "msgpack": msgspec.msgpack.Decoder(dict[str, Any]).decode,
        "json": msgspec.json.Decoder(dict[str, Any]).decode,
    }
)


class Operation(msgspec.Struct, frozen=True):
    """One operation, as a module describes it."""

    code: int
    name: str
    edits: bool
    languages: tuple[str, ...]
    arguments: tuple[str, ...]  # in the order in which they are handed over

    def encode(self, arguments: Mapping[str, str | int]) -> list[bytes]:
        """Bring arguments into their order; raise `UsageError` for one that lacks or is not known."""
        if set(arguments) != set(self.arguments):
            raise UsageError(
                f"{self.name} takes the arguments {list(self.arguments)}, not {sorted(arguments)}."
            )
        values = (arguments[name] for name in self.arguments)
        return [
            (b"1" if value else b"") if isinstance(value, bool) else str(value).encode()
            for value in values
        ]


class Description(msgspec.Struct, frozen=True):
    """What a module says about itself."""

    abi: int
    name: str
    version: str
    encoding: str  # of payloads: "msgpack" or "json"
    operations: tuple[Operation, ...]


def decode_description(data: bytes) -> Description:
    """Read a module's description; raise `BadModule`."""
    try:
        description = msgspec.json.decode(data, type=Description)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadModule(f"the module's description cannot be read: {error}") from None
    names = [row.name for row in description.operations]
    codes = [row.code for row in description.operations]
    if description.encoding not in _DECODERS:
        raise BadModule(f"the module's payloads are {description.encoding!r}: no known encoding")
    if any(code not in range(_CODE_MAX + 1) for code in codes):
        raise BadModule(f"the number of an operation is not between 0 and {_CODE_MAX}")
    if len(set(names)) < len(names) or len(set(codes)) < len(codes):
        raise BadModule("the module describes two operations of one name or number")
    return description


def encode_request(files: Sequence[File], arguments: Sequence[bytes] = (), tiers: int = 3) -> bytes:
    """Write a batch: the tiers that may answer, the operation's arguments, and the files."""
    pieces = [_HEAD.pack(tiers, len(arguments), len(files))]
    for argument in arguments:
        pieces += (_NUMBER.pack(len(argument)), argument, _PADDING[len(argument) % 4])
    for language, data in files:
        pieces += (_PAIR.pack(language, len(data)), data, _PADDING[len(data) % 4])
    return b"".join(pieces)


def decode_answer(data: bytes, count: int, encoding: str = "msgpack") -> list[Answer]:
    """Read the answers to a batch of `count` files; raise `BadAnswer`."""
    answers: list[Answer] = []
    at = _NUMBER.size
    try:
        (told,) = _NUMBER.unpack_from(data)
        for _ in range(told if told == count else 0):
            status, tier, length = _HEAD.unpack_from(data, at)
            at += _HEAD.size
            if length > len(data) - at:
                raise BadAnswer("an answer is longer than what the module gave")
            answers.append(Answer(_STATUS[status], _TIER[tier], data[at : at + length], encoding))
            at += length + -length % 4
    except (struct.error, KeyError) as error:
        raise BadAnswer(f"an answer cannot be read: {error!r}") from None
    if told != count or at != len(data):
        raise BadAnswer(f"{told} answers in {len(data)} bytes to {count} files")
    return answers


_STATUS: Final = MappingProxyType({int(status): status for status in Status})
_TIER: Final = MappingProxyType({int(tier): tier for tier in Tier})
