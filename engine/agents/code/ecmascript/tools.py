"""The table of what can be done with JavaScript, TypeScript and TSX.

Owner: nobody; the table is constant.
"""

from functools import partial
from importlib.metadata import version
from types import MappingProxyType
from typing import Final

from engine.agents.code.ecmascript.checking import check_syntax
from engine.agents.code.ecmascript.constness import use_const
from engine.agents.code.ecmascript.metrics import measure
from engine.agents.code.ecmascript.outline import outline
from engine.agents.code.ecmascript.parsing import parse
from engine.agents.code.ecmascript.references import find_references, rename
from engine.agents.code.ecmascript.removal import remove_calls
from engine.agents.code.ecmascript.structure import find_structure
from engine.agents.code.tools import Tools
from engine.editing.ecmascript import DECISIONS, Decide
from engine.editing.edits import Edit
from engine.editing.source import Source
from engine.model.code_requests import CodeRequest


def _decide(decide: Decide, source: Source, request: CodeRequest) -> Edit:
    return decide(source, request, find_structure)


TOOLS: Final = Tools(
    engine=f"regular (fleet-tui {version('fleet-tui')})",
    check=check_syntax,
    parse=parse,
    reads=MappingProxyType(
        {"code.outline": outline, "code.metrics": measure, "code.find_references": find_references}
    ),
    edits=MappingProxyType(
        {
            "code.rename": rename,
            "code.remove_calls": remove_calls,
            "code.use_const": use_const,
            **{name: partial(_decide, decide) for name, decide in DECISIONS.items()},
        }
    ),
)
