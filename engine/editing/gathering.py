"""The pieces of one edit while they are gathered, and what is told of them; whatever the language.

Owner: nobody but the edit that is being made.
"""

from collections.abc import Sequence
from itertools import pairwise

from engine.editing.edits import Edit
from engine.editing.splices import Splice
from engine.model.code_errors import CodeError


class Gathering:
    """Replacements and insertions, and the names of what they are."""

    def __init__(self) -> None:
        self.replaced: list[str] = []
        self.added: list[str] = []
        self.imports = 0
        self.is_bound = False  # whether Python compiles it is not told by the snippet alone
        self._splices: list[Splice] = []
        self._insertions: dict[int, list[str]] = {}

    def put(self, start: int, end: int, text: str) -> None:
        """Replace a piece."""
        self._splices.append(Splice(start, end, text))

    def insert(self, at: int, text: str) -> None:
        """Insert at a place, behind what was inserted there before."""
        self._insertions.setdefault(at, []).append(text)

    def has_insertion(self, at: int) -> bool:
        """Tell whether something was inserted at a place."""
        return at in self._insertions

    def note_added(self, names: Sequence[str], within: str) -> None:
        """Note what is new, with the name of what it went into."""
        self.added += [f"{within}.{name}" if within else name for name in names]

    def finish(self) -> Edit:
        """Give the edit; raise `CodeError` (ambiguous) where two parts meet."""
        inserted = [Splice(at, at, "".join(pieces)) for at, pieces in self._insertions.items()]
        rows = sorted(self._splices + inserted)
        if any(second.start < first.end for first, second in pairwise(rows)):
            raise CodeError("ambiguous", "Two parts of the edit are meant for one place; give them one by one.")
        return Edit.of(
            rows,
            count=len(self.replaced) + len(self.added) + self.imports,
            notes={"replaced": self.replaced, "added": self.added},
            compiles=self.is_bound,
        )
