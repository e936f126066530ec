"""Whether somebody could continue this process if it were stopped: a shell with job control.

Owner: nobody. A console that a key of ssh opens is the whole session; stopped, it would be a dead terminal.
"""

from __future__ import annotations

import os
from pathlib import Path

ANCESTORS_MAX = 64


def can_be_continued(pid: int = 0) -> bool:
    """Tell whether the process group has a parent in its session: what POSIX calls not orphaned."""
    pid = pid or os.getpid()
    try:
        group, session = os.getpgid(pid), os.getsid(pid)
        for _ in range(ANCESTORS_MAX):
            pid = _parent_of(pid)
            if pid <= 0 or os.getsid(pid) != session:
                return False
            if os.getpgid(pid) != group:
                return True
    except (OSError, ValueError):
        return True  # Where it cannot be seen, do as everybody does.
    return False


def _parent_of(pid: int) -> int:
    if pid == os.getpid():
        return os.getppid()
    # The name of the program may hold spaces and brackets; the fields begin after its end.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[1])
