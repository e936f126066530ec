"""What operators ask of modules of their own: add, remove; pure, and light: the engine does not load the runtime for it.

Owner: nobody. A name is the operator's, and the operations are the module's: no two modules offer the same one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from engine.model.booster_commands import AddModule, RemoveModule
from engine.model.errors import CommandRefused, NotFound, UsageError
from engine.model.events import Event, ModuleAdded, ModuleRemoved
from engine.model.modules import MODULES_MAX, SHORT_HASH, ModuleFacts, UserModule
from engine.model.wire import nearest
from engine.state import FleetState
from engine.state.deciding import Deciding, Decision

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,47}", re.ASCII)


def decide_add(state: FleetState, commands: Sequence[AddModule], deciding: Deciding) -> Decision:
    """Add modules that were checked, each in place of one of its name. Raises FleetError."""
    events: list[Event] = []
    modules = dict(state.modules)
    for command in commands:
        facts = facts_of(command, deciding)
        refuse_clash(modules, command.module, facts)
        before = modules.get(command.module)
        modules[command.module] = UserModule(command.module, facts, deciding.now, deciding.origin.who)
        if before is None or before.facts != facts:
            events.append(ModuleAdded(modules[command.module]))
    if len(modules) > MODULES_MAX:
        raise CommandRefused(f"there may be {MODULES_MAX} modules; remove one first (`get modules` lists them)")
    return Decision(events, [modules[command.module].facts.sha256 for command in commands])


def facts_of(command: AddModule, deciding: Deciding) -> ModuleFacts:
    """Return what the check has told of the module that a verb names. Raises UsageError, CommandRefused."""
    if not _NAME.fullmatch(command.module):
        raise UsageError(f"a module cannot be called {command.module!r:.80}; use small letters, digits, `.`, `-` and `_`, at most 48")
    facts = deciding.checked(command.sha256) if deciding.checked is not None else None
    if facts is None:
        raise CommandRefused(f"the module {command.module} has not been checked; name its file: add-module {command.module} PATH")
    return facts


def refuse_clash(modules: Mapping[str, UserModule], name: str, facts: ModuleFacts) -> None:
    """Raise CommandRefused where another module offers one of the operations."""
    offered = {row.name: other for other in modules.values() if other.name != name for row in other.facts.operations}
    for row in facts.operations:
        if other := offered.get(row.name):
            raise CommandRefused(f"{row.name} is offered by the module {other.name} ({other.facts.sha256[:SHORT_HASH]}); remove that first, or give this one its name")


def decide_remove(state: FleetState, commands: Sequence[RemoveModule], deciding: Deciding) -> Decision:
    """Remove modules; their bytes stay in the artifacts. Raises NotFound."""
    modules = [find_module(state, command.module) for command in commands]
    events: list[Event] = [ModuleRemoved(module.name, module.facts.sha256, deciding.origin.who) for module in modules]
    return Decision(events, [module.name for module in modules])


def find_module(state: FleetState, name: str) -> UserModule:
    """Return the module of that name. Raises NotFound."""
    module = state.modules.get(name)
    if module is None:
        raise NotFound(f"no module {name!r}{nearest(name, state.modules)}; `get modules` lists them")
    return module
