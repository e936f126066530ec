"""The verbs about the booster: its cache and modules of one's own; part of the table in engine.model.commands."""

from __future__ import annotations

from engine.model.verbs import Command, Role, arg, verb


@verb
class ClearBoosterCache(Command):
    """Have the booster's workers forget the answers that they keep."""

    name = "booster.clear_cache"
    verb = "clear-cache"
    help = "Forget the answers that the booster keeps"
    irreversible = "answers are made anew when they are asked for; nothing else is lost"


@verb
class AddModule(Command):
    """Have the booster offer the operations of a WebAssembly file, in place of the module of that name if there is one."""

    name = "booster.add_module"
    verb = "add-module"
    help = "Add a module of your own to the booster, or replace one"
    role = Role.ADMIN
    inverse = "booster.remove_module"
    undo_note = "a module that it replaced comes back as it was; tasks that have run stay as they are"

    module: str = arg("a name of your own, such as blanks", completes="modules")
    path: str = arg("the .wasm file, on the engine's machine", default="", is_path=True)
    sha256: str = arg("what the file must hold; without a file, a module that the engine has kept", default="", option=True)


@verb
class RemoveModule(Command):
    """Have the booster offer a module's operations no more; what runs goes on, what waits fails when its turn comes."""

    name = "booster.remove_module"
    verb = "remove-module"
    help = "Remove a module of your own from the booster"
    role = Role.ADMIN
    inverse = "booster.add_module"
    undo_note = "tasks that failed for want of it stay failed"

    module: str = arg("module to remove", completes="modules")
