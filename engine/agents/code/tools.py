"""What one language's side of the regular agent offers.

Owner: nobody; the rows are constant.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.editing.edits import Edit
from engine.editing.source import Source


@dataclass(frozen=True, slots=True)
class Tools:
    """Functions by task type; each takes the request of its own type, hence Any. Call them in `run_deep`."""

    engine: str  # the name and version that an edit's provenance gives
    check: Callable[[Any, bytes], dict[str, object]]
    parse: Callable[[Source], object]  # raises `CodeError` (syntax_error, too_deep)
    reads: Mapping[str, Callable[[Source, Any], dict[str, object]]]
    edits: Mapping[str, Callable[[Source, Any], Edit]]
