"""What an import statement says: the module, the names, and what it binds.

Owner: nobody.
"""

import ast
from typing import NamedTuple

from engine.editing.source import Source
from engine.editing.structure import Statement, StatementKind
from engine.model.code_errors import CodeError


class Import(NamedTuple):
    """One import statement."""

    module: str  # with its leading dots; of `import a, b` the first
    names: tuple[tuple[str, str | None], ...]  # and what each is called here, if it is called otherwise
    is_from: bool

    @property
    def is_star(self) -> bool:
        """Does it import whatever there is?"""
        return self.names == (("*", None),)

    @property
    def entries(self) -> dict[str, tuple[str, str | None]]:
        """Tell what each bound name stands for: a module, or a name of one."""
        if self.is_star:
            return {f"* of {self.module}": (self.module, "*")}
        if self.is_from:
            return {alias or name: (self.module, name) for name, alias in self.names}
        # `import a.b` binds a; both it and `import a.c` may stand in a file.
        return {alias or name: (name, None if alias else "") for name, alias in self.names}


def read_import(source: Source, row: Statement) -> Import:
    """Read an import statement; raise `CodeError` (syntax_error)."""
    text = source.text[row.start : row.end]
    try:
        (node,) = ast.parse(text).body
    except (SyntaxError, ValueError) as error:
        line = source.text.count("\n", 0, row.start) + 1
        raise CodeError(
            "syntax_error", f"{source.label} has an import that this Python does not read.", line
        ) from error
    assert isinstance(node, (ast.Import, ast.ImportFrom)), row
    names = tuple((alias.name, alias.asname) for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return Import("." * node.level + (node.module or ""), names, is_from=True)
    return Import(names[0][0], names, is_from=False)


def is_import(row: Statement) -> bool:
    """Is it one?"""
    return row.kind in (StatementKind.IMPORT, StatementKind.FROM)
