"""Folders that only this user can enter: for what is run as it is read, and for what operators have brought.

Owner: nobody.
"""

import logging
import os
import stat
from pathlib import Path

logger = logging.getLogger(__name__)


def open_private_folder(folder: Path) -> Path | None:
    """Make a folder that only this user can enter, or give None where there is no such place."""
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        logger.info("a private folder cannot be made", extra={"path": str(folder), "error": str(error)})
        return None
    is_private = stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o077
    if not is_private or status.st_uid != os.geteuid():
        logger.warning(
            "a folder is open to others and is not used",
            extra={"path": str(folder)},
        )
        return None
    return folder
