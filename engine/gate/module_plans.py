"""Plans of what operators do to modules of their own, in before, after and effect; pure."""

from __future__ import annotations

from engine.booster.registering import facts_of, find_module, refuse_clash
from engine.model.booster_commands import AddModule, RemoveModule
from engine.model.modules import SHORT_HASH, ModuleFacts, UserModule, module_of
from engine.model.plans import PlanStep
from engine.model.tasks import TaskState
from engine.model.wire import call_of
from engine.state import FleetState
from engine.state.deciding import Deciding


def add(state: FleetState, command: AddModule, deciding: Deciding) -> PlanStep:
    """Say what is registered, and what it replaces. Raises FleetError."""
    facts = facts_of(command, deciding)
    refuse_clash(state.modules, command.module, facts)
    before = state.modules.get(command.module)
    lost = {row.name for row in before.facts.operations} - {row.name for row in facts.operations} if before else set()
    warning = f"{', '.join(sorted(lost))} will be gone{_waiting(state, lost)}" if lost else ""
    effect = f"offers {', '.join(row.name for row in facts.operations)}; {say_module(facts)}"
    return PlanStep(call_of(command), command.module, say_version(before), _version_of(facts), effect, warning, changes=before is None or before.facts != facts)


def remove(state: FleetState, command: RemoveModule) -> PlanStep:
    """Say what will be gone. Raises NotFound."""
    module = find_module(state, command.module)
    lost = {row.name for row in module.facts.operations}
    effect = f"{', '.join(sorted(lost))} will be gone; what runs goes on"
    return PlanStep(call_of(command), module.name, say_version(module), "removed", effect, _waiting(state, lost).removeprefix("; "))


def say_module(facts: ModuleFacts) -> str:
    """Return what a module is, in figures: size, memory, exports, hash."""
    functions = ", ".join(facts.exports)
    return f"{facts.size_bytes:,} bytes, begins with {facts.memory_bytes / 2**20:.1f} MB of memory, exports {functions}, sha256 {facts.sha256}"


def say_version(module: UserModule | None) -> str:
    """Return which module there is under a name."""
    return _version_of(module.facts) if module is not None else "none"


def _version_of(facts: ModuleFacts) -> str:
    return f"{facts.name} {facts.version} ({facts.sha256[:SHORT_HASH]})"


def _waiting(state: FleetState, operations: set[str]) -> str:
    """Return how many waiting tasks will fail for want of operations."""
    if not operations or module_of(state.modules, next(iter(operations))) is None:
        return ""
    waiting = sum(task.state is TaskState.PENDING and task.spec.type in operations for task in state.tasks.values())
    return f"; {waiting} waiting task{'s' if waiting != 1 else ''} will fail" if waiting else ""
