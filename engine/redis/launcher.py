"""Become a server that dies with the process that started this: `launcher.py PARENT_PID PROGRAM ARGUMENTS...`.

A program of its own, for a Python function between fork and exec may hang in a process that has threads. Outside of Linux
there is no such signal; there the next engine ends the server that it finds at its socket.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask for the signal, see that nobody died before that, and become the program."""
    parent, program = int(sys.argv[1]), sys.argv[2]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the process that started this is gone")
    os.execv(program, sys.argv[2:])  # noqa: S606  # no shell is wanted


if __name__ == "__main__":
    main()
