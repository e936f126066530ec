"""Code operations in regular Python (LibCST): what the built-in agents run in a worker process.

Owner: nobody, but for a bounded cache of parsed trees (`parsing`). One operation runs at a time in a
process, in plain synchronous code; the caller bounds its time by ending the worker. Importing this
package costs no LibCST; the first `run` does.
"""

from collections.abc import Mapping

from engine.agents.code.errors import CodeError
from engine.agents.code.operations import (
    OPERATIONS,
    Operation,
    Parameter,
    find_operation,
    read_request,
)

__all__ = ["OPERATIONS", "CodeError", "Operation", "Parameter", "run"]


def run(name: str, payload: Mapping[str, object]) -> dict[str, object]:
    """Run one operation on one file and give its answer as JSON-able data.

    The payload has `path` (relative to `workspace`, else to the current directory) or `source`, and the operation's
    parameters. An edit answers with `path`, `changed`, `diff` (unified), `edits` (how many) and
    `applied`; it writes only with `apply` true, and only below `workspace`. Lines count from 1,
    columns from 0 in characters (code points), a byte order mark not counted.
    Raises `CodeError`; any other exception is a defect.
    """
    request = read_request(find_operation(name), payload)
    # Not at the top: LibCST takes a third of a second, and most processes only read the table.
    from engine.agents.code.execution import perform

    return perform(name, request)
