"""The program: runs a command line and turns whatever is expected to fail into one sentence and an exit code.

Owner: the process's standard streams. Light: without a word it goes to the console, and click is never imported.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

from engine.model.errors import EXIT_FAILED, EXIT_USAGE, FleetError, UsageError, errors_in

EXIT_INTERRUPTED = 130
"""What a shell makes of Ctrl-C: 128 and the number of the signal."""

DISK_ERRORS = frozenset({errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
OWN_PACKAGES = ("engine", "screens", "themes")


def main() -> None:
    """Run the program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal without UTF-8 gets a question mark, not a traceback.
            stream.reconfigure(errors="replace")
    try:
        sys.exit(run(sys.argv[1:]))
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in OWN_PACKAGES:
            raise
        say(
            f"error: {error}. Another package may have replaced a part of fleet-tui: `fleet-tui doctor` tells, or install it into"
            " an environment of its own (`uv tool install fleet-tui`)"
        )
        sys.exit(EXIT_USAGE)


def run(argv: Sequence[str]) -> int:
    """Carry out a command line and return the exit code; an expected failure is one sentence on stderr."""
    try:
        code = dispatch(argv)
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except FleetError as error:
        code = fail(error)
    except UnicodeEncodeError as error:
        code = fail(UsageError(f"{error.object!r} is not text in UTF-8: check how the terminal and the file are encoded"))
    except OSError as error:
        # Click's own pages go past `output`. Anything else about files and sockets is a bug to be seen.
        if error.filename is not None or error.errno not in DISK_ERRORS:
            raise
        code = fail(FleetError("" if isinstance(error, BrokenPipeError) else f"cannot write the output: {error.strerror}"))
    except BaseExceptionGroup as group:
        inner = next(errors_in(group, FleetError), None)
        if inner is None:
            raise
        code = fail(inner)
    return flush_output(code)


def dispatch(argv: Sequence[str]) -> int:
    """Open the console when there is no word, else run the subcommand."""
    # Completion asks through the environment, without a word of its own; a context may be named there, too.
    if argv or "_FLEET_TUI_COMPLETE" in os.environ or os.environ.get("FLEET_CONTEXT"):
        from fleet_tui.subcommands import run_words

        return run_words(argv)
    from fleet_tui.console import open_here
    from fleet_tui.settings import find_paths

    open_here(find_paths())
    return 0


def say(text: str) -> None:
    """Tell a person something: stderr."""
    sys.stderr.write(f"{text}\n")


def fail(error: FleetError) -> int:
    """Tell an expected failure and return its exit code."""
    if str(error):
        say(f"error: {error}")
    return error.exit_code


def flush_output(code: int) -> int:
    """Write what stdout still holds and return the exit code; what it does not take is dropped, or Python would complain at exit."""
    try:
        sys.stdout.flush()
    except OSError as error:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
        if code == 0 and not isinstance(error, BrokenPipeError):
            say(f"error: cannot write the output: {error.strerror}")
        return code or EXIT_FAILED
    return code
