"""The build hook: puts the booster's module and the licences of its parts into the package.

It runs for wheels and for editable installs, not for source distributions, which carry the sources of it. The
compiler is asked for only where the cache has no module of this recipe (engine/booster/build.py).
"""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BoosterHook(BuildHookInterface):
    """Makes engine/booster/booster.wasm before a wheel is put together."""

    def dependencies(self) -> list[str]:
        """Name what must be installed before `initialize`."""
        return self._recipe().requirements() if self._is_wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the module, or end the build with one message that says what to do."""
        del version, build_data
        if not self._is_wanted():
            return
        recipe = self._recipe()
        try:
            recipe.install(Path(self.root) / "engine" / "booster")
        except recipe.BuildError as error:
            sys.exit(
                f"\nfleet-tui: the booster was not built. {error}\n"
                "To install without it, set FLEET_BOOSTER=skip: code operations then run in regular agents only."
            )

    def _is_wanted(self) -> bool:
        return self.target_name == "wheel" and os.environ.get("FLEET_BOOSTER") != "skip"

    def _recipe(self) -> ModuleType:
        """Load the recipe by its path: the package itself cannot be imported here."""
        path = Path(self.root) / "engine" / "booster" / "build.py"
        spec = importlib.util.spec_from_file_location("booster_recipe", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        # Dataclasses look their module up by name.
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module
