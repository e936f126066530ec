"""Modules of operators: what is known of a WebAssembly file that offers operations of the booster, and as what it was added.

Owner: nobody; a module is a value. Its bytes are an artifact, under their SHA-256.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

USER_PREFIX: Final = "user."
"""Of the types of all tasks that a module of an operator does."""
MODULE_MEDIA: Final = "application/wasm"
MODULES_MAX: Final = 32
SHORT_HASH: Final = 12
"""Characters of a SHA-256 that people are shown."""


@dataclass(frozen=True, slots=True)
class ModuleOperation:
    """One operation that a module offers."""

    name: str
    edits: bool
    """It changes the source; else it tells something of it."""
    languages: tuple[str, ...]
    arguments: tuple[str, ...]
    """What a payload must name beside the source."""


@dataclass(frozen=True, slots=True)
class ModuleFacts:
    """A module that was checked."""

    sha256: str
    name: str
    """As it calls itself."""
    version: str
    size_bytes: int
    memory_bytes: int
    """What an instance begins with."""
    exports: tuple[str, ...]
    operations: tuple[ModuleOperation, ...]


@dataclass(frozen=True, slots=True)
class UserModule:
    """A module that an operator has added."""

    name: str
    """As the operator calls it."""
    facts: ModuleFacts
    added_at: float
    added_by: str


def module_of(modules: Mapping[str, UserModule], operation: str) -> UserModule | None:
    """Return the module that offers an operation; None when there is none."""
    return next((module for module in modules.values() if any(row.name == operation for row in module.facts.operations)), None)


def list_operations(modules: Mapping[str, UserModule]) -> list[str]:
    """Return the names of all operations that there are, in order."""
    return sorted(row.name for module in modules.values() for row in module.facts.operations)
