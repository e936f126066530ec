"""The version of this program, as installed."""

from __future__ import annotations

from functools import cache


@cache
def version() -> str:
    """Return the installed version, or `0+source` when it runs from a tree that is not installed."""
    import importlib.metadata

    try:
        return importlib.metadata.version("fleet-tui")
    except importlib.metadata.PackageNotFoundError:
        return "0+source"
