"""The table of what can be done with Python.

Owner: nobody; the table is constant.
"""

from importlib.metadata import version
from types import MappingProxyType
from typing import Final

from engine.agents.code.python.checking import check_syntax
from engine.agents.code.python.docstrings import add_docstrings
from engine.agents.code.python.metrics import measure
from engine.agents.code.python.outline import outline
from engine.agents.code.python.parsing import parse
from engine.agents.code.python.references import find_references, rename
from engine.agents.code.python.removal import remove_calls
from engine.agents.code.tools import Tools

TOOLS: Final = Tools(
    engine=f"regular (LibCST {version('libcst')})",
    check=check_syntax,
    parse=parse,
    reads=MappingProxyType(
        {"code.outline": outline, "code.metrics": measure, "code.find_references": find_references}
    ),
    edits=MappingProxyType(
        {
            "code.rename": rename,
            "code.remove_calls": remove_calls,
            "code.add_docstrings": add_docstrings,
        }
    ),
)
