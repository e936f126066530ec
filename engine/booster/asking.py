"""Which operations a module can be asked for, and by which operation of its own; light, since the engine asks it at every submission.

Owner: nobody; the tables are constant.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

# The tree takes more than its language: a reader of the regular agent judges. Of Python, tokens are strict.
LEFT_TO_AGENT: Final[Mapping[str, Collection[str]]] = MappingProxyType(
    {"code.syntax_check": ("javascript", "typescript", "tsx")}
)
# Decided outside of the module, of what it finds (`engine.editing`).
FOUND_BY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "code.add_docstrings": "code.structure",
        "code.add_return_type": "code.structure",
        "code.wrap_in_try": "code.structure",
        "code.sort_imports": "code.structure",
        "code.apply_edit": "code.structure",
        "code.replace": "code.search",
    }
)


def asked_of(operation: str) -> str:
    """Name the module's operation that is asked for one of the catalogue."""
    return FOUND_BY.get(operation, operation)


def list_offered(
    catalogue: Mapping[str, Collection[str]], own: Mapping[str, Collection[str]]
) -> dict[str, Collection[str]]:
    """List which operations there are, with their languages: those of the catalogue that a module has, too."""
    asked = {name: asked_of(name) for name in catalogue}
    return {
        name: tuple(row for row in own[by] if row in catalogue[name] and not is_left(name, row))
        for name, by in asked.items()
        if by in own
    }


def is_left(operation: str, language: str) -> bool:
    """Tell whether the regular agent is asked in any case."""
    return language in LEFT_TO_AGENT.get(operation, ())
