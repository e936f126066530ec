"""Applying a snippet to a file: whole definitions and imports, each at the place it belongs to.

Owner: nobody. Where it is not clear what the snippet means, or code would be lost that it does not speak of, the edit is
refused. An edit applied twice changes nothing the second time.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from engine.editing.compiler import compile_problem
from engine.editing.edits import Edit
from engine.editing.gathering import Gathering
from engine.editing.python.fragments import Fragment, Snippet, read_snippet, written
from engine.editing.python.importing import is_import, read_import
from engine.editing.python.losses import check_losses, check_placeholders
from engine.editing.source import Source
from engine.editing.structure import (
    Definition,
    Statement,
    StatementKind,
    Structure,
    line_end,
    line_start,
    newline_of,
    only_spaces,
)
from engine.editing.targets import find_target, several
from engine.model.code_errors import CodeError
from engine.model.code_requests import ApplyRequest

_MAIN: Final = re.compile(r"if\s+__name__\s*==")
_REMEDY: Final = "name the one that is meant as `target`, with its class"


def apply_edit(source: Source, request: ApplyRequest, read: Callable[[Source], Structure]) -> Edit:
    """Put each definition of the snippet over the one of the same name, or add it; merge its imports at the top."""
    structure = read(source)
    snippet = read_snippet(request.edit, newline_of(source.text), read)
    work = _Work(source, structure)
    work.is_bound = compile_problem(request.edit, "edit") is not None
    work.merge_imports(snippet)  # first: where a file is empty they stand before the definitions
    if request.place in ("before", "after", "replace"):
        target = find_target(structure, source, request.target, remedy=_REMEDY)
        if not snippet.fragments:
            raise _bad("`edit` has no definition; imports alone need no `place`")
        if request.place == "replace":
            work.replace_by(target, snippet.fragments)
        else:
            work.put_beside(target, snippet.fragments, is_before=request.place == "before")
    else:
        work.place_all(snippet.fragments, request.target)
    return work.finish()


class _Work(Gathering):
    """An edit of one file."""

    def __init__(self, source: Source, structure: Structure) -> None:
        super().__init__()
        self.source = source
        self.text = source.text
        self.structure = structure
        self.names = [name.replace(".<locals>.", ".") for name in structure.qualnames(source.text)]
        self.newline = newline_of(source.text)

    def place_all(self, fragments: Sequence[Fragment], target: str) -> None:
        """Place each definition over the one of its name, or add it; inside of the target if that is a class."""
        inside = self._find_class(fragments, target) if target else None
        new: list[Fragment] = []
        for fragment in fragments:
            number = self._find(fragment, inside, target)
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
            self._append(fragment, inside)

    def _find_class(self, fragments: Sequence[Fragment], target: str) -> int | None:
        """Give the class that the fragments go into, or None if they are meant for the target itself."""
        number = find_target(self.structure, self.source, target, remedy=_REMEDY)
        row = self.structure.definitions[number]
        is_itself = [fragment.name for fragment in fragments] == [target.split(".")[-1]]
        return number if row.is_class and not is_itself else None

    def _find(self, fragment: Fragment, inside: int | None, target: str) -> int | None:
        """Give the definition that a fragment is the new text of, if there is one."""
        if target and inside is None:
            if fragment.name != target.split(".")[-1]:
                return None
            return find_target(self.structure, self.source, target, remedy=_REMEDY)
        rows = self.structure.definitions
        same = [number for number, row in enumerate(rows) if self._name(row) == fragment.name]
        found = [number for number in same if rows[number].parent == inside]
        if inside is None and not found:
            found = [number for number in same if self._is_in_class(rows[number])]
            if not fragment.is_method:
                if fragment.is_class and found:
                    raise several(self.structure, self.source, fragment.name, found, _REMEDY)
                return None
            if not found:
                raise CodeError(
                    "ambiguous",
                    f"{fragment.name} looks like a method, and no class of {self.source.label} has it; "
                    "name the class as `target`.",
                )
        if len(found) > 1:
            raise several(self.structure, self.source, fragment.name, found, _REMEDY)
        return found[0] if found else None

    def _is_in_class(self, row: Definition) -> bool:
        return row.parent is not None and self.structure.definitions[row.parent].is_class

    def _name(self, row: Definition) -> str:
        return self.structure.name(self.text, row)

    def replace(self, number: int, fragment: Fragment) -> None:
        """Write a fragment over a definition, unless code would be lost that it does not speak of."""
        row = self.structure.definitions[number]
        check_losses(self.source, self.structure, number, fragment)
        self._write_over(number, [fragment], keeps_decorators=row.start != row.own and not fragment.is_decorated)

    def replace_by(self, target: int, fragments: Sequence[Fragment]) -> None:
        """Write fragments over the definition that the request names."""
        row = self.structure.definitions[target]
        for fragment in fragments:
            check_placeholders(self.source, self.structure, target, fragment)
        own = [fragment for fragment in fragments if fragment.name == self._name(row)]
        keeps = len(fragments) == 1 and bool(own) and row.start != row.own and not own[0].is_decorated
        self._write_over(target, fragments, keeps_decorators=keeps)

    def _write_over(self, number: int, fragments: Sequence[Fragment], *, keeps_decorators: bool) -> None:
        row = self.structure.definitions[number]
        self._note_scope(row)
        margin = self._margin(row)
        start = row.own if keeps_decorators else row.start
        end = written(self.structure, self.text, row)
        if fragments[-1].has_tail:
            end = max(end, len(self.text[: line_end(self.text, end)].rstrip()))
        after = self._gap(margin).join(
            self._write(fragment, margin, with_comments=index > 0) for index, fragment in enumerate(fragments)
        ).removeprefix(margin)
        is_same = after == self.text[start:end]
        if not is_same:
            self.put(start, end, after)
        at = line_start(self.text, row.start)
        has_comments = self._has_comments(fragments[0], at)
        if not has_comments:
            self.insert(at, fragments[0].above(margin, self.newline))
        if not (is_same and has_comments):
            self.replaced.append(self.names[number])

    def _has_comments(self, fragment: Fragment, at: int) -> bool:
        """Do its comments stand above that line already?"""
        above = self.text[self._comments_above(at) : at].splitlines()
        count = len(fragment.comments)
        return not count or [line.strip() for line in above[-count:]] == list(fragment.comments)

    def _write(self, fragment: Fragment, margin: str, *, with_comments: bool = True) -> str:
        return fragment.text(margin, newline=self.newline, with_comments=with_comments)

    def put_beside(self, target: int, fragments: Sequence[Fragment], *, is_before: bool) -> None:
        """Put fragments before or after a definition, at its depth."""
        row = self.structure.definitions[target]
        self._note_scope(row)
        margin = self._margin(row)
        new = [fragment for fragment in fragments if not self._stands(fragment, row.parent, margin)]
        if not new:
            return
        gap = self._gap(margin)
        after = gap.join(self._write(fragment, margin) for fragment in new)
        if is_before:
            at = self._comments_above(row.start)
            self.insert(at, after + gap)
        else:
            at = line_end(self.text, written(self.structure, self.text, row))
            ends = self.text[:at].endswith(("\n", "\r"))
            head = gap if ends else self.newline + gap
            self.insert(at, head.removeprefix(self.newline) + after + self.newline)
        self.note_added([fragment.name for fragment in new], "" if row.parent is None else self.names[row.parent])

    def _stands(self, fragment: Fragment, parent: int | None, margin: str) -> bool:
        """Is the definition there already? One of the same name and another text would hide it, or be hidden."""
        rows = self.structure.definitions
        for number, row in enumerate(rows):
            if row.parent != parent or self._name(row) != fragment.name:
                continue
            if self.text[row.start : written(self.structure, self.text, row)] == self._write(fragment, margin, with_comments=False).removeprefix(margin):
                return True
            raise several(self.structure, self.source, fragment.name, [number], "replace it instead")
        return False

    def _append(self, fragment: Fragment, inside: int | None) -> None:
        """Add a definition at the end of the module, before what runs it, or at the end of a class."""
        if inside is None:
            self._append_to_module(fragment)
        else:
            self._append_to_class(fragment, inside)
        self.note_added([fragment.name], "" if inside is None else self.names[inside])

    def _append_to_module(self, fragment: Fragment) -> None:
        gap = self.newline * 2
        last = self.structure.statements[-1] if self.structure.statements else None
        if last is not None and last.kind is StatementKind.OTHER and _MAIN.match(self.text, last.start):
            at = self._comments_above(last.start)
            pieces = [self._write(fragment, ""), self.newline, gap]
        else:
            at = line_end(self.text, len(self.text.rstrip())) if self.text.strip() else 0
            head = gap if at or self.has_insertion(at) else ""
            head += "" if not at or self.text[:at].endswith(("\n", "\r")) or self.has_insertion(at) else self.newline
            pieces = [head, self._write(fragment, ""), self.newline]
        self.insert(at, "".join(pieces))

    def _append_to_class(self, fragment: Fragment, inside: int) -> None:
        row = self.structure.definitions[inside]
        if row.is_inline:
            raise CodeError(
                "unsupported",
                f"The body of {self.names[inside]} stands on the line of its colon; put it on lines of its own first.",
            )
        margin = self.text[line_start(self.text, row.body) : row.body]
        at = line_end(self.text, written(self.structure, self.text, row))
        head = self.newline if self.text[:at].endswith(("\n", "\r")) else self.newline * 2
        self.insert(at, head + self._write(fragment, margin) + self.newline)

    def _note_scope(self, row: Definition) -> None:
        """In a function names mean what the function says of them."""
        if row.parent is not None and not self.structure.definitions[row.parent].is_class:
            self.is_bound = True

    def _margin(self, row: Definition) -> str:
        at = line_start(self.text, row.own)
        if not only_spaces(self.text, at, row.own):
            raise CodeError("unsupported", f"{self._name(row)} does not begin its line.")
        return self.text[at : row.own]

    def _gap(self, margin: str) -> str:
        return self.newline * (2 if margin else 3)

    def _comments_above(self, start: int) -> int:
        """Give where the comments begin that stand directly above the line of a place."""
        at = line_start(self.text, start)
        while at:
            above = line_start(self.text, at - 1 - self.text.endswith("\r\n", 0, at))
            line = self.text[above:at].lstrip(" \t\f")
            if not line.startswith("#") or self.structure.in_string(above) or (above == 0 and line.startswith("#!")):
                break
            at = above
        return at

    def merge_imports(self, snippet: Snippet) -> None:
        """Add the imports that the file lacks, behind those at its top."""
        there: dict[str, tuple[str, str | None]] = {}
        for row in self.structure.statements:
            if is_import(row):
                there.update(read_import(self.source, row).entries)
        lines: list[str] = []
        futures: list[str] = []
        for what, comment in snippet.imports:
            missing = []
            for (name, alias), (bound, stands_for) in zip(what.names, what.entries.items(), strict=True):
                if bound not in there:
                    missing.append(name if alias is None else f"{name} as {alias}")
                    there[bound] = stands_for
                elif there[bound] != stands_for:
                    raise CodeError("ambiguous", f"{self.source.label} imports {bound} from elsewhere; give one of the two another name.")
            if missing:
                head = f"from {what.module} import " if what.is_from else "import "
                (futures if what.module == "__future__" else lines).append(
                    head + ", ".join(missing) + (f"  {comment}" if comment else "")
                )
        self.imports = len(lines) + len(futures)
        if futures:
            self.is_bound = True
            self._insert_imports(futures, self._leading(only_future=True))
        if lines:
            self._insert_imports(lines, self._leading(only_future=False))

    def _leading(self, *, only_future: bool) -> Statement | None:
        """Give the statement of the head of the file that imports go behind."""
        last = None
        for index, row in enumerate(self.structure.statements):
            is_head = is_import(row) or (index == 0 and row.kind is StatementKind.TEXT)
            if not is_head:
                break
            if only_future and is_import(row) and read_import(self.source, row).module != "__future__":
                break
            last = row
        return last

    def _insert_imports(self, lines: Sequence[str], behind: Statement | None) -> None:
        text, newline = self.text, self.newline
        block = newline.join(lines) + newline
        if behind is None:
            at = self._below_header()
            rest = text[at:].lstrip(" \t\f")
            gap = "" if not rest.strip() or rest.startswith(("import ", "from ", "\n", "\r")) else newline
            head = newline if at and not text[:at].endswith(("\n", "\r")) else ""
            self.insert(at, head + block + gap)
            return
        if text[behind.end : line_end(text, behind.end)].lstrip().startswith(";"):
            raise CodeError("unsupported", "The imports share their line with another statement; put that on a line of its own first.")
        at = line_end(text, behind.end)
        head = "" if text[:at].endswith(("\n", "\r")) else newline
        head += newline if behind.kind is StatementKind.TEXT else ""
        gap = newline if behind.kind is StatementKind.TEXT and not text[at:].startswith(("\n", "\r")) and text[at:] else ""
        self.insert(at, head + block + gap)

    def _below_header(self) -> int:
        """Give where the first line is that no leading comment stands on."""
        at = 0
        first = self.structure.statements[0].start if self.structure.statements else len(self.text)
        while at < first and self.text[at : line_end(self.text, at)].lstrip(" \t\f").startswith("#"):
            at = line_end(self.text, at)
        return at


def _bad(why: str) -> CodeError:
    return CodeError("bad_parameter", f"{why}.")
