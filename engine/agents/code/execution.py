"""Carrying out a checked request: read, do the operation on a deep stack, and write if that was asked.

Owner: nobody.
"""

from engine.agents.code.stack import run_deep
from engine.agents.code.tools import Tools
from engine.editing.edits import Edit, conclude, finish
from engine.editing.source import Source, decode, read_bytes
from engine.editing.writing import check_target
from engine.model.code_errors import CodeError
from engine.model.code_operations import OPERATIONS
from engine.model.code_requests import CodeRequest, Language


def perform(request: CodeRequest) -> dict[str, object]:
    """Carry out a request; raise `CodeError`."""
    tools = _find_tools(request.language)
    name = request.operation
    if name == "code.syntax_check":
        data = read_bytes(request)
        return run_deep(lambda: tools.check(request, data))
    if name in tools.reads:
        source = decode(request, read_bytes(request))
        return run_deep(lambda: tools.reads[name](source, request))
    if name not in tools.edits:
        remedy = "; only the booster can: see docs/booster.md" if OPERATIONS[name].by == "booster" else ""
        raise CodeError("unsupported", f"The regular agent cannot do {name} in {request.language}{remedy}.")
    return _edit(tools, request)


def _edit(tools: Tools, request: CodeRequest) -> dict[str, object]:
    if request.apply:  # refuse before the work, not after it
        check_target(request)
    source = decode(request, read_bytes(request))

    def work() -> tuple[Edit, Source]:
        edit = tools.edits[request.operation](source, request)
        return edit, finish(source, edit, tools.parse)

    edit, after = run_deep(work)
    return conclude(request, source, edit, after, engine=tools.engine)


def _find_tools(language: Language) -> Tools:
    # Not at the top: LibCST takes a third of a second, which work on JavaScript need not wait for.
    if language == "python":
        from engine.agents.code.python.tools import TOOLS
    else:
        from engine.agents.code.ecmascript.tools import TOOLS

    return TOOLS
