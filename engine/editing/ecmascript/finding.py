"""Which definition of a file a fragment of a snippet is the new text of.

Owner: nobody.
"""

from collections.abc import Sequence
from typing import Final

from engine.editing.ecmascript.fragments import Fragment
from engine.editing.ecmascript.structure import Form, Kind, Structure
from engine.editing.ecmascript.wholes import is_method, key_of, left_of
from engine.editing.source import Source
from engine.editing.targets import find_target, find_targets, several
from engine.model.code_errors import CodeError

REMEDY: Final = "name the one that is meant as `target`, with its class"


class Finder:
    """Looks for definitions by the names of fragments."""

    def __init__(self, source: Source, structure: Structure) -> None:
        self._source = source
        self._structure = structure
        self._rows = structure.definitions

    def find(self, target: str) -> list[int]:
        """Give the definitions that a request may name; raise `CodeError` (no_target)."""
        return find_targets(self._structure, self._source, target)

    def find_class(self, fragments: Sequence[Fragment], target: str) -> int | None:
        """Give the class that the fragments go into, or None if they are meant for the target itself."""
        found = self.find(target)
        is_itself = [fragment.name for fragment in fragments] == [target.split(".")[-1]]
        if is_itself and not (fragments and fragments[0].is_member and self._rows[found[0]].kind is Kind.CLASS):
            return None
        if self._rows[found[0]].kind is not Kind.CLASS:
            return None
        number = find_target(self._structure, self._source, target, remedy=REMEDY)
        if any(not fragment.is_member for fragment in fragments):
            raise CodeError("ambiguous", f"The edit has statements, and {target} is a class; give its members alone, or no `target`.")
        return number

    def find_old(self, fragment: Fragment, inside: int | None, target: str) -> int | None:
        """Give the definition that a fragment is the new text of, if there is one."""
        if target and inside is None:
            if fragment.name != target.split(".")[-1]:
                return None
            return self._choose(fragment, self.find(target))
        same = [number for number, row in enumerate(self._rows) if row.name == fragment.name and row.form is not Form.INSIDE]
        if inside is not None:
            return self._choose(fragment, [number for number in same if self._rows[number].parent == inside])
        if fragment.is_member:
            found = [number for number in same if is_method(self._structure, self._rows[number])]
            if not found:
                raise CodeError(
                    "ambiguous",
                    f"{fragment.name} is a method, and no class of {self._source.label} has it; name the class as `target`.",
                )
            return self._choose(fragment, found)
        found = [number for number in same if self._rows[number].parent is None]
        nested = [number for number in same if self._rows[number].parent is not None]
        if not found and nested and fragment.row.kind is not Kind.FUNCTION:
            raise several(self._structure, self._source, fragment.name, nested, REMEDY)
        return self._choose(fragment, found)

    def _choose(self, fragment: Fragment, found: list[int]) -> int | None:
        """Give the one of its kind: getters, setters and static members may have one name."""
        if not found:
            return None
        if any(fragment.is_member != is_method(self._structure, self._rows[number]) for number in found):
            raise several(self._structure, self._source, fragment.name, found, REMEDY)
        if fragment.is_member:
            key = key_of(fragment.source.text, fragment.row)
            alike = [number for number in found if key_of(self._source.text, self._rows[number]) == key]
            if not alike:
                raise CodeError(
                    "ambiguous",
                    f"{fragment.name} is a getter, a setter, static or none of these in {self._source.label}, other than in the edit; "
                    "give `place` replace if that is meant.",
                )
            found = alike
        of_kind = [number for number in found if self._rows[number].kind is fragment.row.kind]
        if len(of_kind) == 1:  # an interface and a namespace, say, may have one name
            found = of_kind
        if len(found) > 1:
            raise several(self._structure, self._source, fragment.name, found, REMEDY)
        return found[0]

    def check_new(self, fragment: Fragment, inside: int | None) -> None:
        """Refuse to add what is no definition where nothing of its name is."""
        if fragment.row.form is Form.ASSIGNMENT and "." not in left_of(fragment.source.text, fragment.row):
            raise CodeError(
                "ambiguous", f"The edit assigns to {fragment.name}, which {self._source.label} does not; name the class that has it as `target`."
            )
        if inside is None and fragment.is_member:
            raise CodeError("ambiguous", f"{fragment.name} is a method; name its class as `target`.")
