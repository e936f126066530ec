"""Edits of JavaScript, TypeScript and TSX that are decided from a file's structure, for every engine that can find one.

Owner: nobody; the table is constant. Whoever decides brings `read`, which gives the structure of a text by its own means;
so an edit of the booster's module is, byte for byte, that of the regular agent.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from engine.editing.ecmascript.annotating import add_return_type
from engine.editing.ecmascript.documenting import add_docstrings
from engine.editing.ecmascript.placing import apply_edit
from engine.editing.ecmascript.sorting import sort_imports
from engine.editing.ecmascript.structure import Structure
from engine.editing.ecmascript.wrapping import wrap_in_try
from engine.editing.edits import Edit
from engine.editing.source import Source

# Any: each takes the request of its own type.
Decide: TypeAlias = Callable[[Source, Any, Callable[[Source], Structure]], Edit]

DECISIONS: Final[Mapping[str, Decide]] = MappingProxyType(
    {
        "code.add_docstrings": add_docstrings,
        "code.add_return_type": add_return_type,
        "code.wrap_in_try": wrap_in_try,
        "code.sort_imports": sort_imports,
        "code.apply_edit": apply_edit,
    }
)
