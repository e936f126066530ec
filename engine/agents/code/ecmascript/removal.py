"""Removing statements that only call one function.

Owner: nobody.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from engine.agents.code.ecmascript.parsing import parse
from engine.agents.code.ecmascript.tree import Node, walk
from engine.editing.edits import Edit
from engine.editing.source import Source
from engine.editing.splices import Splice
from engine.model.code_requests import RemovalRequest

_LISTS: Final = frozenset({"Program", "Block", "Case"})
_BLANKS: Final = " \t"
_NEWLINES: Final = "\r\n"
# What can go on a statement that no semicolon ends, and what would become a directive.
_GOES_ON: Final = frozenset("([`+-/")
_QUOTES: Final = frozenset("'\"")


def remove_calls(source: Source, request: RemovalRequest) -> Edit:
    """Remove each statement that is nothing but a call of `function`, arguments included.

    A statement alone on its lines goes with them; a comment behind it stays, and so do comments and empty lines above. Of
    `a; f(); b` stays `a; b`. What is the body of an if, a loop or a label becomes `{}`; where two statements would
    run together, a semicolon stays. Calls whose value is used or awaited stay; `kept` counts them. The function is
    compared as it is written: `log` is not `console.log`, and `console?.log` is not either.
    """
    root = parse(source).root
    parts = request.function.split(".")
    removal = _Removal(source.text, parts)
    removal.visit(root)
    calls = sum(_is_wanted(node, parts) for node in walk(root))
    inside = sum(_is_wanted(node, parts) for row in removal.removed for node in walk(row))
    return Edit.of(removal.splices, count=len(removal.removed), notes={"kept": calls - inside})


class _Removal:
    """Goes through the statements, and notes what to cut."""

    def __init__(self, text: str, parts: Sequence[str]) -> None:
        self._text = text
        self._parts = parts
        self.removed: list[Node] = []
        self.splices: list[Splice] = []

    def visit(self, root: Node) -> None:
        """Look at all that is in a tree, but not into what is removed."""
        pending = [root]
        while pending:
            node = pending.pop()
            if node.kind in _LISTS:
                self._cut_list(node.nodes("body"))
            for child in node.children():
                if not self._is_removed(child):
                    pending.append(child)
                elif child is node.parts.get("body") or child is node.parts.get("other"):
                    self.removed.append(child)
                    self.splices.append(Splice(child.start, child.end, "{}"))

    def _is_removed(self, node: Node) -> bool:
        value = _strip(node.node("value")) if node.kind == "ExpressionStatement" else None
        return value is not None and _is_wanted(value, self._parts)

    def _cut_list(self, statements: list[Node]) -> None:
        """Cut statements out of a list; those that stand side by side on a line in one piece."""
        kept: Node | None = None
        staying = [row for row in statements if not self._is_removed(row)]
        staying.reverse()
        for run in self._find_runs(statements):
            if not self._is_removed(run[0]):
                kept = staying.pop()
                continue
            self.removed += run
            following = staying[-1] if staying else None
            if self._joins(kept, run[-1], following):
                self.splices.append(Splice(run[0].start, run[-1].end, ";"))
            else:
                self.splices.append(self._cut(run[0].start, run[-1].end))

    def _find_runs(self, statements: list[Node]) -> Iterator[list[Node]]:
        run: list[Node] = []
        for row in statements:
            is_removed = self._is_removed(row)
            if run and not (is_removed and not self._text[run[-1].end : row.start].strip(_BLANKS)):
                yield run
                run = []
            run.append(row)
            if not is_removed:
                yield run
                run = []
        if run:
            yield run

    def _joins(self, kept: Node | None, last: Node, following: Node | None) -> bool:
        """Would what stands before and behind be read as one, or as a directive?"""
        if following is None or self._text[last.end - 1] != ";":
            return False
        letter = self._text[following.start]
        if kept is None:
            return letter in _QUOTES
        return letter in _GOES_ON and self._text[kept.end - 1] != ";"

    def _cut(self, start: int, end: int) -> Splice:
        text = self._text
        behind = end
        while behind < len(text) and text[behind] in _BLANKS:
            behind += 1
        if behind < len(text) and text[behind] not in _NEWLINES:
            return Splice(start, behind, "")
        before = start
        while before and text[before - 1] in _BLANKS:
            before -= 1
        if before and text[before - 1] not in _NEWLINES:
            return Splice(before, end, "")
        return Splice(before, behind + (2 if text.startswith("\r\n", behind) else behind < len(text)), "")


def _strip(node: Node | None) -> Node | None:
    while node is not None and node.kind == "Parenthesised":
        node = node.node("value")
    return node


def _is_wanted(node: Node, parts: Sequence[str]) -> bool:
    """Is it a call of that dotted name?"""
    if node.kind != "Call" or node.has("optional"):
        return False
    called = _strip(node.node("callee"))
    for part in reversed(parts[1:]):
        if called is None or called.kind != "Member" or called.has("optional"):
            return False
        name = called.node("name")
        if name is None or name.text("name") != part:
            return False
        called = _strip(called.node("object"))
    if called is None or called.kind not in ("Identifier", "Literal"):
        return False
    return called.text("name") == parts[0] or called.text("raw") == parts[0]
