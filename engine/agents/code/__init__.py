"""Code operations in regular Python: what the built-in agents run in a worker process.

Owner: nobody. One operation runs at a time in a process, in plain synchronous code; the caller bounds its time by
ending the worker. Importing this package costs no LibCST; the first `run` on Python does.
"""

from collections.abc import Mapping

from engine.model.code_errors import CodeError
from engine.model.code_operations import OPERATIONS, read_request

__all__ = ["OPERATIONS", "CodeError", "run"]


def run(name: str, payload: Mapping[str, object]) -> dict[str, object]:
    """Run one operation on one file and give its answer as JSON-able data, as its result model describes it.

    The payload is that of the operation's request model. An edit is written only with `apply` true, and only below
    `workspace`. Raises `CodeError`; any other exception is a defect.
    """
    request = read_request(name, payload)
    # Not at the top: most processes only read the table.
    from engine.agents.code.execution import perform

    return perform(request)
