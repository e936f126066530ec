"""The regular agent and the module on one source: their answers in one form, to be compared."""

from __future__ import annotations

from collections.abc import Mapping

from engine.agents.code.python.tools import TOOLS
from engine.agents.code.stack import run_deep
from engine.booster.records import File, Language, Status
from engine.booster.sandbox import Sandbox
from engine.editing.edits import finish
from engine.editing.source import decode, read_bytes
from engine.model.code_errors import CodeError
from engine.model.code_operations import read_request

Answer = dict[str, object]
Arguments = Mapping[str, str | bool]


def ask_agent(operation: str, source: str, arguments: Arguments) -> Answer:
    """What the regular agent says; of an edit the text, the count and the notes; of an error its kind."""
    request = read_request(operation, {"source": source, **arguments})
    try:
        data = read_bytes(request)
        if operation == "code.syntax_check":
            return run_deep(lambda: TOOLS.check(request, data))
        decoded = decode(request, data)
        if operation in TOOLS.reads:
            return run_deep(lambda: TOOLS.reads[operation](decoded, request))
        edit = run_deep(lambda: TOOLS.edits[operation](decoded, request))
        after = run_deep(lambda: finish(decoded, edit, TOOLS.parse))
    except CodeError as error:
        return {"error": error.kind}
    return {"text": after.text, "count": edit.count, "notes": dict(edit.notes)}


def ask_module(sandbox: Sandbox, operation: str, source: str, arguments: Arguments, *, tiers: int) -> Answer | None:
    """What the module says, in the same form; None where it is not certain."""
    data = source.encode().removeprefix(b"\xef\xbb\xbf")
    (answer,) = sandbox.run(operation, [File(Language.PYTHON, data)], arguments, tiers=tiers)
    if answer.status is Status.UNSURE:
        return None
    assert answer.status is Status.DONE, (operation, arguments, answer.value)
    value = answer.value
    if "splices" not in value:
        return value
    pieces, at = [], 0
    for start, end, text in value["splices"]:
        pieces += [data[at:start], text.encode()]
        at = end
    after = b"".join([*pieces, data[at:]]).decode()
    return {"text": after, "count": value["count"], "notes": value["notes"]}
