"""Reading source: bytes from a file or a string, their encoding, and the text without its mark.

Owner: nobody; a source is a value. Regular files and strings of at most 8 MB.
"""

import io
import os
import stat
import tokenize
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from engine.model.code_errors import CodeError
from engine.model.code_requests import CodeRequest, Language

SOURCE_MAX_BYTES: Final = 8 * 1024 * 1024
_MARK: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Source:
    """One text, and how it was written."""

    path: str | None  # as given; None for text that came as `source`
    data: bytes  # as read; for text that came as `source` its UTF-8
    encoding: str  # Python's codec name; "utf-8-sig" when a byte order mark stands first
    text: str  # without the byte order mark
    language: Language = "python"

    @property
    def label(self) -> str:
        """Name the source in messages and diffs."""
        return self.path or "<source>"

    def with_text(self, text: str) -> "Source":
        """Give this source with another text, in the same encoding."""
        return replace(self, data=self.encode(text), text=text)

    def encode(self, text: str) -> bytes:
        """Write a text the way this source is written; raise `CodeError` where that is impossible."""
        try:
            return text.encode(self.encoding)
        except UnicodeError as error:
            raise CodeError(
                "bad_parameter",
                f"{self.label} is written in {self.encoding}, which lacks a character of the edit; "
                "use other characters or convert the file to UTF-8 first.",
            ) from error


def read_bytes(request: CodeRequest) -> bytes:
    """Read what the request names; raise `CodeError` (not_found, unreadable, too_large)."""
    if request.path is not None:
        return read_file(request.location)
    try:
        data = (request.source or "").encode()
    except UnicodeEncodeError as error:
        raise CodeError(
            "unreadable", "`source` has lone surrogates; give text that UTF-8 can carry."
        ) from error
    if len(data) > SOURCE_MAX_BYTES:
        raise _too_large("The source")
    return data


def decode(request: CodeRequest, data: bytes) -> Source:
    """Turn the bytes into text: Python's by PEP 263, others as UTF-8; raise `CodeError` (unreadable).

    Text that came as `source` has been decoded by somebody already: a coding comment in it is not obeyed.
    """
    encoding = "utf-8-sig" if data.startswith(_MARK) else "utf-8"
    try:
        if request.path is not None and request.language == "python":
            encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return Source(request.path, data, encoding, data.decode(encoding), request.language)
    # LookupError: the comment names a codec that is not for text ("rot13").
    except (SyntaxError, ValueError, LookupError) as error:
        line = (
            data.count(b"\n", 0, error.start) + 1 if isinstance(error, UnicodeDecodeError) else None
        )
        remedy = "correct its coding comment or " if request.language == "python" else ""
        raise CodeError(
            "unreadable",
            f"{request.path} is no text in its declared encoding: {error}; "
            f"{remedy}convert it to UTF-8.",
            line,
        ) from error


def read_file(path: str | Path) -> bytes:
    """Read one regular file; raise `CodeError` (not_found, unreadable, too_large)."""
    try:
        # Not blocking: opening a named pipe would wait for a writer for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise CodeError("unreadable", f"{path} is no regular file; name a file of source.")
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(SOURCE_MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise CodeError("not_found", f"{path} does not exist; check the path.") from error
    except (OSError, ValueError) as error:
        raise CodeError(
            "unreadable", f"{path} cannot be read: {error}; check the path and its mode."
        ) from error
    if len(data) > SOURCE_MAX_BYTES:
        raise _too_large(str(path))
    return data


def _too_large(what: str) -> CodeError:
    return CodeError(
        "too_large",
        f"{what} is larger than {SOURCE_MAX_BYTES // 2**20} MB; split it or leave it out.",
    )
