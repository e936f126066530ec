"""Applying a snippet to a script: whole definitions and imports, each at the place it belongs to.

Owner: nobody. Where it is not clear what the snippet means, or code would be lost that it does not speak of, the edit is
refused. An edit applied twice changes nothing the second time.
"""

from collections.abc import Callable, Sequence

from engine.editing.ecmascript.finding import REMEDY, Finder
from engine.editing.ecmascript.fragments import Fragment, read_snippet
from engine.editing.ecmascript.losses import check_losses, check_placeholders
from engine.editing.ecmascript.merging import merge_imports
from engine.editing.ecmascript.proving import prove
from engine.editing.ecmascript.structure import Definition, Form, Kind, Structure
from engine.editing.ecmascript.wholes import (
    above,
    end_of,
    is_doc,
    is_method,
    line_of,
    margin_of,
    prefix_of,
    tail_of,
    top_of,
    unit_of,
)
from engine.editing.edits import Edit
from engine.editing.gathering import Gathering
from engine.editing.source import Source
from engine.editing.structure import line_end, line_start, newline_of, only_spaces
from engine.editing.targets import find_target, several
from engine.model.code_errors import CodeError
from engine.model.code_requests import ApplyRequest


def apply_edit(source: Source, request: ApplyRequest, read: Callable[[Source], Structure]) -> Edit:
    """Put each definition of the snippet over the one of the same name, or add it; merge its imports at the top."""
    structure = read(source)
    finder = Finder(source, structure)
    target = find_target(structure, source, request.target, remedy=REMEDY) if _needs_one(finder, request) else None
    named = structure.definitions[target if target is not None else finder.find(request.target)[0]] if request.target else None
    prefers = named is not None and (is_method(structure, named) or (named.kind is Kind.CLASS and request.place == "auto"))
    snippet = read_snippet(request.edit, source, newline_of(source.text), read, prefers_members=prefers)
    work = _Work(source, structure)
    merge_imports(work, source, structure, snippet.imports)  # first: where a file is empty they stand before the definitions
    if request.place != "auto":
        assert target is not None, "the request names one"
        if not snippet.fragments:
            raise CodeError("bad_parameter", "`edit` has no definition; imports alone need no `place`.")
        work.check_depth(target, snippet.fragments)
        if request.place == "replace":
            work.replace_by(target, snippet.fragments)
        else:
            work.put_beside(target, snippet.fragments, is_before=request.place == "before")
    else:
        work.place_all(finder, snippet.fragments, request.target)
    return prove(source, structure, work.finish(), read)


def _needs_one(finder: Finder, request: ApplyRequest) -> bool:
    """Must the target be one definition? A getter and a setter of a name are told apart by the snippet."""
    return bool(request.target) and (request.place != "auto" or len(finder.find(request.target)) == 1)


class _Work(Gathering):
    """An edit of one file."""

    def __init__(self, source: Source, structure: Structure) -> None:
        super().__init__()
        self.source = source
        self.text = source.text
        self.structure = structure
        self.names = structure.qualnames(source.text)
        self.newline = newline_of(source.text)

    def place_all(self, finder: Finder, fragments: Sequence[Fragment], target: str) -> None:
        """Place each definition over the one of its name, or add it; inside of the target if that is a class."""
        inside = finder.find_class(fragments, target) if target else None
        new: list[Fragment] = []
        for fragment in fragments:
            number = finder.find_old(fragment, inside, target)
            if number is None:
                new.append(fragment)
            else:
                self.replace(number, fragment)
        if new and target and inside is None:
            raise CodeError(
                "ambiguous",
                f"The edit defines {new[0].name}, not {target}; say whether to put it before, after or in place of {target}.",
            )
        for fragment in new:
            finder.check_new(fragment, inside)
        if inside is not None:
            self._append_to_class(new, inside)
        else:
            self._append_to_file(new)

    def check_depth(self, target: int, fragments: Sequence[Fragment]) -> None:
        """Refuse members beside a statement, and statements in a class."""
        row = self.structure.definitions[target]
        if row.form is Form.INSIDE:
            raise CodeError("unsupported", f"{row.name} stands inside of an expression; edit what is around it.", line_of(self.source, row.start))
        if any(fragment.is_member != is_method(self.structure, row) for fragment in fragments):
            raise CodeError(
                "ambiguous", f"The edit would mix members of a class with statements beside {row.name}; name another `target`."
            )

    def replace(self, number: int, fragment: Fragment) -> None:
        """Write a fragment over a definition, unless code would be lost that it does not speak of."""
        row = self.structure.definitions[number]
        check_losses(self.source, self.structure, number, fragment)
        keeps_prefix = bool(prefix_of(self.text, row)) and not prefix_of(fragment.source.text, fragment.row)
        keeps_decorators = row.is_decorated and not fragment.is_decorated
        start = row.inner if keeps_prefix else row.own if keeps_decorators else row.start
        if keeps_prefix and fragment.is_decorated:
            raise CodeError("ambiguous", f"{row.name} is exported; repeat that with the decorators in the edit.")
        self._write_over(number, [fragment], start)

    def replace_by(self, target: int, fragments: Sequence[Fragment]) -> None:
        """Write fragments over the definition that the request names."""
        row = self.structure.definitions[target]
        for fragment in fragments:
            check_placeholders(self.source, self.structure, target, fragment)
        own = [fragment for fragment in fragments if fragment.name == row.name]
        keeps = len(fragments) == 1 and bool(own) and row.is_decorated and not own[0].is_decorated
        self._write_over(target, fragments, row.own if keeps else row.start)

    def _write_over(self, number: int, fragments: Sequence[Fragment], start: int) -> None:
        row = self.structure.definitions[number]
        margin = margin_of(self.source, row)
        end = self._end(row)
        behind = tail_of(self.structure, self.text, end)
        if fragments[-1].has_tail and behind is not None:
            end = behind
        after = self._join(fragments, margin).removeprefix(margin)
        is_same = after == self.text[start:end]
        if not is_same:
            self.put(start, end, after)
        has_comments = self._write_comments(row, fragments[0], margin)
        if not (is_same and has_comments):
            self.replaced.append(self.names[number])

    def _end(self, row: Definition) -> int:
        end = end_of(self.text, row)
        if row.form is not Form.INSIDE:
            return end
        raise CodeError("unsupported", f"{row.name} stands inside of an expression; edit what is around it.", line_of(self.source, row.start))

    def _join(self, fragments: Sequence[Fragment], margin: str) -> str:
        """Write fragments one below the other; comments above the first are written elsewhere."""
        pieces = [fragment.text(margin) for fragment in fragments]
        pieces[1:] = [fragment.above(margin, self.newline) + piece for fragment, piece in zip(fragments[1:], pieces[1:], strict=True)]
        return (self.newline * 2).join(pieces)

    def _write_comments(self, row: Definition, fragment: Fragment, margin: str) -> bool:
        """Write the comments above a fragment, in place of the documentation there if they bring their own; tell whether they stood there."""
        if not fragment.comments:
            return True
        found = above(self.structure, self.text, row.start)
        at = line_start(self.text, row.start)
        there = [line.strip() for start, end in found for line in self.text[start:end].splitlines()]
        wanted = [line.strip() for line in fragment.comments]
        if there[-len(wanted) :] == wanted:
            return True
        brings_doc = any(line.startswith("/**") for line in wanted)
        start = line_start(self.text, found[-1][0]) if found and brings_doc and is_doc(self.text, found[-1]) else at
        self.put(start, at, fragment.above(margin, self.newline))
        return False

    def put_beside(self, target: int, fragments: Sequence[Fragment], *, is_before: bool) -> None:
        """Put fragments before or after a definition, at its depth."""
        row = self.structure.definitions[target]
        margin = margin_of(self.source, row)
        new = [fragment for fragment in fragments if not self._stands(fragment, row, margin)]
        if not new:
            return
        after = self._join_all(new, margin)
        if is_before:
            self.insert(top_of(self.structure, self.text, row.start), after + self.newline * 2)
        else:
            end = self._end(row)
            if tail_of(self.structure, self.text, end) is None:
                raise CodeError("unsupported", f"Something stands behind {row.name} on its line; put that on a line of its own first.")
            at = line_end(self.text, end)
            head = self.newline if self.text[:at].endswith(("\n", "\r")) else self.newline * 2
            self.insert(at, head + after + self.newline)
        within = "" if row.parent is None else self.names[row.parent]
        self.note_added([fragment.name for fragment in new], within)

    def _join_all(self, fragments: Sequence[Fragment], margin: str) -> str:
        return fragments[0].above(margin, self.newline) + self._join(fragments, margin)

    def _stands(self, fragment: Fragment, beside: Definition, margin: str) -> bool:
        """Is the definition there already? One of the same name and another text would hide it, or be hidden."""
        for number, row in enumerate(self.structure.definitions):
            is_near = row.parent == beside.parent and row.form is not Form.INSIDE
            if not is_near or row.name != fragment.name:
                continue
            if self.text[row.start : end_of(self.text, row)] == fragment.text(margin).removeprefix(margin):
                return True
            raise several(self.structure, self.source, fragment.name, [number], "replace it instead")
        return False

    def _append_to_file(self, fragments: Sequence[Fragment]) -> None:
        if not fragments:
            return
        at = line_end(self.text, len(self.text.rstrip())) if self.text.strip() else 0
        head = self.newline if at or self.has_insertion(at) else ""
        head += "" if not at or self.text[:at].endswith(("\n", "\r")) else self.newline
        self.insert(at, head + self._join_all(fragments, "") + self.newline)
        self.note_added([fragment.name for fragment in fragments], "")

    def _append_to_class(self, fragments: Sequence[Fragment], inside: int) -> None:
        if not fragments:
            return
        row = self.structure.definitions[inside]
        own = self.text[line_start(self.text, row.own) : row.own]
        own = own[: len(own) - len(own.lstrip())]
        members = [other for other in self.structure.definitions if other.parent == inside and other.form is Form.MEMBER]
        margin = margin_of(self.source, members[0]) if members else own + unit_of(self.structure, self.text)
        brace = self._brace(row)
        body = self._join_all(fragments, margin)
        if only_spaces(self.text, line_start(self.text, brace), brace):
            at = line_start(self.text, brace)
            is_empty = self.text[: at - 1].rstrip().endswith("{")
            self.insert(at, ("" if is_empty else self.newline) + body + self.newline)
        else:
            self.put(len(self.text[:brace].rstrip(" \t")), brace, self.newline + body + self.newline + own)
        self.note_added([fragment.name for fragment in fragments], self.names[inside])

    def _brace(self, row: Definition) -> int:
        """Give where the closing brace of a class is."""
        at = row.end
        while at > row.own and self.text[at - 1] != "}":
            at -= 1
        return at - 1
