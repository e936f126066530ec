"""The regular agent and the module on one source: what they are asked, and their answers in one form, to be compared."""

from __future__ import annotations

import keyword
import random
import re
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.agents.code.ecmascript.tools import TOOLS as SCRIPT_TOOLS
from engine.agents.code.python.tools import TOOLS
from engine.agents.code.stack import run_deep
from engine.booster.records import File, Language, Status
from engine.booster.sandbox import Sandbox
from engine.editing import ecmascript
from engine.editing.ecmascript.structure import read_structure as read_script_structure
from engine.editing.edits import finish
from engine.editing.python import DECISIONS
from engine.editing.source import Source, decode, read_bytes
from engine.editing.structure import read_structure
from engine.model.code_errors import CodeError
from engine.model.code_operations import read_request

Answer = dict[str, object]
Arguments = Mapping[str, str | int]

STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))
TRICKY = (Path(__file__).parent / "booster_samples" / "tricky.py.txt").read_text("utf-8")
NOT_FREE = {*keyword.kwlist, "match", "case", "type", "_", "print", "exec"}
BY_BOTH_TIERS = ("code.outline", "code.metrics", "code.find_references", "code.rename", "code.remove_calls")
OF_SCRIPTS = (*BY_BOTH_TIERS, "code.use_const")
NAMES = (*BY_BOTH_TIERS, *DECISIONS, "code.syntax_check")
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
    function = chance.choice(re.findall(r"(?m)^[ \t]*def (\w+)", source) or ["f"])
    calls = re.findall(r"(?m)^\s+((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)\(", source)
    calls = [call for call in calls if not set(call.split(".")) & set(keyword.kwlist)] or ["print"]
    return {
        "code.outline": {},
        "code.metrics": {},
        "code.find_references": {"name": chance.choice(names)},
        "code.rename": {"name": chance.choice(names), "to": "renamed_9", "attributes": chance.random() < 0.5},
        "code.remove_calls": {"function": chance.choice(calls)},
        "code.add_docstrings": {},
        "code.syntax_check": {},
        "code.sort_imports": {},
        "code.add_return_type": {"function": function, "annotation": "dict[str, int]", "every": True},
        "code.wrap_in_try": {"function": function, "handler": chance.choice(["", "print(error)"])},
        "code.apply_edit": choose_edit(chance, source, function),
    }[operation]


def choose_edit(chance: random.Random, source: str, function: str) -> Arguments:
    """A new function, one that is there in another form, or a method."""
    imports = chance.choice(["", "import os\n", "from typing import Any, Final\nimport json as π\n"])
    edit = chance.choice(
        [
            "def brand_new(): return 1\n",
            f"# about it\ndef {function}(a):\n    return 1  # new\n",
            f'    def {function}(self):\n        return """a\n  b"""\n',
            f"@d\nclass {function}:\n\tdef f(self):\n\t\tpass\n\n\t# end\n",
        ]
    )
    place = chance.choice(["auto", "auto", "before", "after", "replace"])
    return {"edit": imports + edit if edit[0] != " " else edit, "place": place, "target": "" if place == "auto" else function}


def ask_agent(operation: str, source: str, arguments: Arguments, language: str = "python") -> Answer:
    """What the regular agent says; of an edit the text, the count and the notes; of an error its kind."""
    request = read_request(operation, {"source": source, "language": language, **arguments})
    tools = TOOLS if language == "python" else SCRIPT_TOOLS
    try:
        data = read_bytes(request)
        if operation == "code.syntax_check":
            return run_deep(lambda: tools.check(request, data))
        decoded = decode(request, data)
        if operation in tools.reads:
            return run_deep(lambda: tools.reads[operation](decoded, request))
        edit = run_deep(lambda: tools.edits[operation](decoded, request))
        after = run_deep(lambda: finish(decoded, edit, tools.parse))
    except CodeError as error:
        return {"error": error.kind}
    return {"text": after.text, "count": edit.count, "notes": dict(edit.notes)}


class Unsure(Exception):
    """The module cannot tell."""


def ask_module(
    sandbox: Sandbox, operation: str, source: str, arguments: Arguments, *, tiers: int, language: Language = Language.PYTHON
) -> Answer | None:
    """What the module says, in the same form; None where it is not certain."""
    try:
        if operation in DECISIONS:
            return decide_by_module(sandbox, operation, source, arguments, tiers=tiers, language=language)
        value = ask(sandbox, operation, File(language, encode(source)), arguments, tiers=tiers)
    except Unsure:
        return None
    if "splices" not in value:
        return value
    data = encode(source)
    pieces, at = [], 0
    for start, end, text in value["splices"]:
        pieces += [data[at:start], text.encode()]
        at = end
    after = b"".join([*pieces, data[at:]]).decode()
    return {"text": after, "count": value["count"], "notes": value["notes"]}


def encode(source: str) -> bytes:
    """The bytes that the module is given."""
    return source.encode().removeprefix(b"\xef\xbb\xbf")


def ask(sandbox: Sandbox, operation: str, file: File, arguments: Arguments, *, tiers: int) -> dict[str, Any]:
    (answer,) = sandbox.run(operation, [file], arguments, tiers=tiers)
    if answer.status is Status.UNSURE:
        raise Unsure
    assert answer.status is Status.DONE, (operation, arguments, answer.value)
    return answer.value


def decide_by_module(
    sandbox: Sandbox, operation: str, source: str, arguments: Arguments, *, tiers: int, language: Language = Language.PYTHON
) -> Answer:
    """Find by the module, decide as everybody does, and read the result by the module, too."""

    def find(name: str, of: Source) -> dict[str, Any]:
        return ask(sandbox, name, File(language, encode(of.text)), {}, tiers=tiers)

    request = read_request(operation, {"source": source, "language": language.name.lower(), **arguments})
    try:
        decoded = decode(request, read_bytes(request))
        if language is Language.PYTHON:
            edit = DECISIONS[operation](decoded, request, lambda of: read_structure(find("code.structure", of), of.data))
        else:
            edit = ecmascript.DECISIONS[operation](decoded, request, lambda of: read_script_structure(find("code.structure", of), of.data))
        after = finish(decoded, edit, lambda after: find("code.parses", after))
    except CodeError as error:
        return {"error": error.kind}
    return {"text": after.text, "count": edit.count, "notes": dict(edit.notes)}
