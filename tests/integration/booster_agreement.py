"""The regular agent and the module on one source: what they are asked, and their answers in one form, to be compared."""

from __future__ import annotations

import keyword
import random
import re
import sysconfig
from collections.abc import Mapping
from pathlib import Path

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

STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))
TRICKY = (Path(__file__).parent / "booster_samples" / "tricky.py.txt").read_text("utf-8")
NOT_FREE = {*keyword.kwlist, "match", "case", "type", "_", "print", "exec"}
NAMES = ("code.outline", "code.metrics", "code.find_references", "code.rename", "code.remove_calls")
OPERATIONS: list[tuple[str, Arguments]] = [
    ("code.outline", {}),
    ("code.metrics", {}),
    ("code.find_references", {"name": "name"}),
    ("code.find_references", {"name": "x"}),
    ("code.find_references", {"name": "__future__"}),
    ("code.rename", {"name": "name", "to": "renamed", "attributes": True}),
    ("code.rename", {"name": "name", "to": "renamed", "attributes": False}),
    ("code.rename", {"name": "name", "to": "name", "attributes": True}),
    ("code.rename", {"name": "nowhere", "to": "renamed", "attributes": True}),
    ("code.remove_calls", {"function": "print"}),
    ("code.remove_calls", {"function": "name.name"}),
]


def make_variants(source: str) -> dict[str, str]:
    """The same source as other editors write it."""
    return {
        "as it is": source,
        "carriage returns and feeds": source.replace("\n", "\r\n"),
        "no newline at the end": source.rstrip("\n"),
        "letters of all widths": source.replace("name", "näme").replace('"doc"', '"dóc 文 🎉"'),
    }


def choose_arguments(chance: random.Random, operation: str, source: str) -> Arguments:
    """Names that are in the source, so that there is something to find."""
    names = [name for name in re.findall(r"[A-Za-z_]\w*", source) if name not in NOT_FREE] or ["x"]
    calls = re.findall(r"(?m)^\s+((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)\(", source)
    calls = [call for call in calls if not set(call.split(".")) & set(keyword.kwlist)] or ["print"]
    return {
        "code.outline": {},
        "code.metrics": {},
        "code.find_references": {"name": chance.choice(names)},
        "code.rename": {"name": chance.choice(names), "to": "renamed_9", "attributes": chance.random() < 0.5},
        "code.remove_calls": {"function": chance.choice(calls)},
    }[operation]


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
