"""The table of what can be done with JavaScript, TypeScript and TSX.

Owner: nobody; the table is constant.
"""

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
from engine.agents.code.tools import Tools

TOOLS: Final = Tools(
    engine=f"regular (fleet-tui {version('fleet-tui')})",
    check=check_syntax,
    parse=parse,
    reads=MappingProxyType(
        {"code.outline": outline, "code.metrics": measure, "code.find_references": find_references}
    ),
    edits=MappingProxyType({"code.rename": rename, "code.remove_calls": remove_calls, "code.use_const": use_const}),
)
