"""Writing an edited file: only inside the workspace, only over what was read, and all or nothing.

Owner: of nothing that stays; a temporary file beside the target lives for the length of one write.
"""

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from engine.editing.source import read_file
from engine.model.code_errors import CodeError
from engine.model.code_requests import CodeRequest


def check_target(request: CodeRequest) -> Path:
    """Give the real path to write to; raise `CodeError` (outside_workspace, not_found, unreadable)."""
    if request.path is None or request.workspace is None:
        raise CodeError(
            "outside_workspace",
            "To apply an edit give `path` and the `workspace` that the file is in.",
        )
    target, workspace = _resolve(request.location), _resolve(request.workspace)
    if workspace not in target.parents:
        raise CodeError(
            "outside_workspace",
            f"{request.path} is not inside the workspace {request.workspace}; "
            "nothing was written, give the workspace that the file is in.",
        )
    return target


def write(target: Path, expected: bytes, data: bytes) -> None:
    """Replace a file in one step, keeping its mode; raise `CodeError` (conflict, unreadable).

    What another program writes between the last comparison and the replacement is lost; no
    portable call closes that gap.
    """
    try:
        _replace(target, expected, data)
    except OSError as error:
        raise CodeError(
            "unreadable",
            f"{target} cannot be replaced: {error}; check the modes of the file and of its directory.",
        ) from error


def _replace(target: Path, expected: bytes, data: bytes) -> None:
    status = target.stat()
    descriptor, name = tempfile.mkstemp(
        prefix=f".{target.name[:100]}.", suffix=".tmp", dir=target.parent
    )
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            # Another user's file stays theirs where this process may decide so.
            with contextlib.suppress(PermissionError):
                os.fchown(descriptor, status.st_uid, status.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode))  # after fchown, which clears bits
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        if read_file(target) != expected:
            raise CodeError(
                "conflict",
                f"{target} changed while it was being edited; nothing was written, run it again.",
            )
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _resolve(path: str) -> Path:
    try:
        return Path(path).resolve(strict=True)
    except FileNotFoundError as error:
        raise CodeError("not_found", f"{path} does not exist; check the path.") from error
    # RuntimeError: a loop of symbolic links, before Python 3.13. ValueError: a null character.
    except (OSError, RuntimeError, ValueError) as error:
        raise CodeError(
            "unreadable", f"{path} cannot be resolved: {error}; check the path."
        ) from error
