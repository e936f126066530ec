"""Finding booster.wasm; apart from what runs it, so that an engine can look without loading the runtime.

Owner: nobody.
"""

from pathlib import Path

from engine.booster import build
from engine.booster.failures import ModuleMissing


def find_module() -> Path:
    """Give the path of booster.wasm, in the package or in the build's cache; raise `ModuleMissing`."""
    packaged = build.HERE / build.MODULE
    if packaged.is_file():
        return packaged
    # A checkout whose ignored files were cleaned away; an installed package has no sources to hash.
    made = build.find_made() if build.OWN_SOURCES.is_dir() else None
    if made is not None:
        return made / build.MODULE
    remedy = (
        "run `make setup`"
        if build.OWN_SOURCES.is_dir()
        else "install fleet-tui again, without FLEET_BOOSTER=skip"
    )
    raise ModuleMissing(f"The booster's module {packaged} was not built; {remedy}.")
