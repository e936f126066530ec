"""Every verb an operator has: one frozen dataclass each, with name, help, role, danger and, where there is one, an inverse.

Keys, the `:` line, the palette, forms, `fleet-tui` subcommands, REST and WebSocket are generated from `COMMANDS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.model.data_commands import BackUpFleet, RotateKeys
from engine.model.memory_commands import ForgetEntry, PermitEntry, RememberEntry, RestoreEntry
from engine.model.verbs import Command, Danger, Role, arg

__all__ = ["BackUpFleet", "Command", "Danger", "Role", "RotateKeys", "arg"]

HALT_SCOPES = ("scaling", "placing", "agents")
"""What a halt stops; each of them stops what those before it stop."""


@dataclass(frozen=True, slots=True)
class ScalePool(Command):
    """Set how many agents a pool should have; takes 12, +3, -2, 150%, =min or =max."""

    name = "pool.scale"
    verb = "scale"
    help = "Set how many agents a pool should have"
    inverse = "pool.scale"
    undo_note = "agents that left come back as new ones, not drained"

    pool: str = arg("pool to scale", completes="pools")
    size: str = arg("12, +3, -2, 150%, =min or =max")


@dataclass(frozen=True, slots=True)
class PausePool(Command):
    """Place no more tasks on a pool; what runs goes on."""

    name = "pool.pause"
    verb = "pause"
    help = "Place no more tasks on a pool; what runs goes on"
    inverse = "pool.unpause"

    pool: str = arg("pool to pause", completes="pools")


@dataclass(frozen=True, slots=True)
class UnpausePool(Command):
    """Place tasks on a paused pool again."""

    name = "pool.unpause"
    verb = "unpause"
    help = "Place tasks on a paused pool again"
    inverse = "pool.pause"

    pool: str = arg("pool to unpause", completes="pools")


@dataclass(frozen=True, slots=True)
class EditPool(Command):
    """Change a pool beside its configuration: the change outlives the engine until it is taken back with null."""

    name = "pool.edit"
    verb = "edit-pool"
    help = "Change a pool's min, max, priority, cost or resources"
    role = Role.ADMIN
    inverse = "pool.edit"
    undo_note = "the size stays where the other bounds had put it"

    pool: str = arg("pool to change", completes="pools")
    changes: dict[str, Any] = arg('JSON object of min, max, priority, cost, memory (MB), cpu (cores), storage (MB); null = as configured', default={}, option=True)


@dataclass(frozen=True, slots=True)
class HoldPool(Command):
    """Keep a pool's size: the autoscaler leaves it alone until the time is over or it is released."""

    name = "pool.hold"
    verb = "hold"
    help = "Keep a pool's size from the autoscaler for a while"
    inverse = "pool.release"

    pool: str = arg("pool to hold", completes="pools")
    for_s: float = arg("how long; 0 = until it is released", default=0.0, ge=0, unit="s")
    until: float = arg("until when, instead of how long, since 1970; 0 = not said", default=0.0, ge=0, unit="s", option=True)


@dataclass(frozen=True, slots=True)
class ReleasePool(Command):
    """Let the autoscaler follow a held pool's load again."""

    name = "pool.release"
    verb = "unhold"
    help = "Let the autoscaler follow a held pool's load again"
    inverse = "pool.hold"

    pool: str = arg("pool to release", completes="pools")


@dataclass(frozen=True, slots=True)
class AskGang(Command):
    """Start so many agents of a pool at once or none; a gang that finds no room waits its turn."""

    name = "gang.ask"
    verb = "gang"
    help = "Start several agents of a pool at once, or none"
    inverse = "gang.end"

    pool: str = arg("pool to start them in", completes="pools")
    agents: int = arg("how many at once", ge=1, le=100_000)
    priority: int = arg("1..10, higher goes first", default=5, ge=1, le=10)
    expires_s: float = arg("how long it may wait for room", default=300.0, ge=1, unit="s")
    keep_s: float = arg("how long its agents are kept once they are there", default=600.0, ge=1, unit="s")


@dataclass(frozen=True, slots=True)
class EndGang(Command):
    """End a gang: it waits no more, or its agents leave, busy ones when their task ends."""

    name = "gang.end"
    verb = "end-gang"
    help = "End a gang: it waits no more, or its agents leave"
    irreversible = "ask for it again; busy agents finish their task first"

    gang: str = arg("gang to end", completes="gangs")


@dataclass(frozen=True, slots=True)
class CreatePolicy(Command):
    """Make a scaling policy; it holds for its pool, or for every pool when it names none."""

    name = "policy.create"
    verb = "create-policy"
    help = "Make a scaling policy"
    role = Role.ADMIN
    inverse = "policy.delete"

    id: str = arg("a name of your own, such as coder-demand")
    policy: dict[str, Any] = arg('JSON object, such as {"pool": "coder", "target": 0.85}', default={}, option=True)


@dataclass(frozen=True, slots=True)
class UpdatePolicy(Command):
    """Change some keys of a scaling policy; null gives a key its default back."""

    name = "policy.update"
    verb = "update-policy"
    help = "Change a scaling policy"
    role = Role.ADMIN
    inverse = "policy.update"

    id: str = arg("policy to change", completes="policies")
    changes: dict[str, Any] = arg('JSON object of what changes, such as {"target": 0.7}', default={}, option=True)


@dataclass(frozen=True, slots=True)
class DeletePolicy(Command):
    """Remove a scaling policy; its pools keep their sizes."""

    name = "policy.delete"
    verb = "delete-policy"
    help = "Remove a scaling policy"
    role = Role.ADMIN
    inverse = "policy.create"

    id: str = arg("policy to remove", completes="policies")


@dataclass(frozen=True, slots=True)
class RegisterAgent(Command):
    """Add agents to a pool, above its size if need be but never above its maximum."""

    name = "agent.register"
    verb = "register"
    help = "Add agents to a pool"
    inverse = "agent.unregister"

    type: str = arg("agent type or pool", completes="pools")
    pool: str = arg("pool; empty = the type's own", default="", completes="pools", option=True)
    count: int = arg("how many", default=1, ge=1, le=10_000, option=True)
    capabilities: tuple[str, ...] = arg("more capabilities than its type has", default=(), option=True)
    memory: int = arg("memory of one agent; 0 = the pool's", default=0, ge=0, unit="MB", option=True)
    cpu: float = arg("cores of one agent; 0 = the pool's", default=0.0, ge=0, unit="cores", option=True)


@dataclass(frozen=True, slots=True)
class UnregisterAgent(Command):
    """Take an agent out of its pool for good; a busy one finishes its task first."""

    name = "agent.unregister"
    verb = "unregister"
    help = "Take an agent out of its pool; a busy one finishes first"
    irreversible = "an agent that left does not come back; `register` adds a new one"

    agent: str = arg("agent id or name", completes="agents")


@dataclass(frozen=True, slots=True)
class DrainAgent(Command):
    """Give an agent no more work; it finishes what it has and stays until undrained."""

    name = "agent.drain"
    verb = "drain"
    help = "Give an agent no more work; it finishes what it has"
    inverse = "agent.undrain"

    agent: str = arg("agent id or name", completes="agents")


@dataclass(frozen=True, slots=True)
class UndrainAgent(Command):
    """Give a drained agent work again."""

    name = "agent.undrain"
    verb = "undrain"
    help = "Give a drained agent work again"
    inverse = "agent.drain"

    agent: str = arg("agent id or name", completes="agents")


@dataclass(frozen=True, slots=True)
class RestartAgent(Command):
    """Start an agent anew; a busy one finishes its task first."""

    name = "agent.restart"
    verb = "restart"
    help = "Start an agent anew; a busy one finishes first"
    irreversible = "a start cannot be taken back; the agent is the same afterwards"

    agent: str = arg("agent id or name", completes="agents")


@dataclass(frozen=True, slots=True)
class AllocateAgent(Command):
    """Reserve a free agent for work that the caller runs itself."""

    name = "agent.allocate"
    verb = "allocate"
    help = "Reserve a free agent for work that the caller runs itself"
    inverse = "agent.release"

    task_id: str = arg("the caller's name for the work")
    pool_type: str = arg("pool or agent type", completes="pools")
    capabilities: tuple[str, ...] = arg("capabilities it must have", default=(), option=True)
    expires_s: float = arg("release by itself after", default=3600.0, ge=0.001, unit="s", option=True)


@dataclass(frozen=True, slots=True)
class ReleaseAgent(Command):
    """Give a reserved agent back, with how its work went."""

    name = "agent.release"
    verb = "release"
    help = "Give a reserved agent back"
    irreversible = "the agent may serve somebody else by then; `allocate` reserves one again"

    allocation: str = arg("allocation id")
    ok: bool = arg("whether the work succeeded", default=True, option=True)
    seconds: float = arg("how long the work took; 0 = since the reservation", default=0.0, ge=0, unit="s", option=True)


@dataclass(frozen=True, slots=True)
class SubmitTask(Command):
    """Hand a task to a pool; it is accepted when it is in the journal."""

    name = "task.submit"
    verb = "submit"
    help = "Hand a task to a pool"
    inverse = "task.cancel"
    undo_note = "the task is cancelled, not forgotten; it cannot be taken back once it has ended"

    type: str = arg("what to do: code.outline, noop, command, or the handler's own word")
    pool: str = arg("pool that does it", default="", completes="pools")
    prompt: str = arg("text for the agent; becomes payload.prompt", default="", option=True)
    payload: dict[str, Any] = arg("JSON object for the agent", default={}, option=True)
    title: str = arg("what people call it", default="", option=True)
    priority: int = arg("1..10, higher first", default=5, ge=1, le=10, option=True)
    capabilities: tuple[str, ...] = arg("capabilities the agent must have", default=(), option=True)
    fairness_key: str = arg("tasks of equal priority take turns by this key", default="", option=True)
    idempotency_key: str = arg("the same key gives the same task", default="", option=True)
    depends_on: tuple[str, ...] = arg("task ids that must succeed first", default=(), completes="tasks", option=True)
    take_inputs: bool = arg("deliver the results of depends_on under `inputs`", default=False, option=True)
    run_after_failure: bool = arg("run even if a dependency did not succeed", default=False, option=True)
    deadline_s: float = arg("must have ended within; 0 = none", default=0.0, ge=0, unit="s", option=True)
    timeout_s: float = arg("longest run of one attempt; 0 = the pool's", default=0.0, ge=0, unit="s", option=True)
    queue_timeout_s: float = arg("longest wait for an agent; 0 = none", default=0.0, ge=0, unit="s", option=True)
    max_attempts: int = arg("attempts before it is a dead letter", default=3, ge=1, le=100, option=True)
    backoff_s: float = arg("wait before the second attempt; doubles", default=1.0, ge=0, le=3600, unit="s", option=True)
    workspace: str = arg("directory the task may write to", default="", option=True)
    apply: bool = arg("write edits to files inside the workspace", default=False, option=True)


@dataclass(frozen=True, slots=True)
class CancelTask(Command):
    """Stop a task; a running one is stopped in its process."""

    name = "task.cancel"
    verb = "cancel"
    help = "Stop a task; a running one is stopped in its process"
    danger = Danger.DESTRUCTIVE
    inverse = "task.retry"
    undo_note = "a running task begins anew: what it had done is lost"

    task: str = arg("task id", completes="tasks")


@dataclass(frozen=True, slots=True)
class RetryTask(Command):
    """Run a failed, cancelled or dead task again, with a full set of attempts; with it those that fell only with it."""

    name = "task.retry"
    verb = "retry"
    help = "Run a failed, cancelled or dead task again"
    inverse = "task.cancel"
    undo_note = "the task ends as cancelled, whatever it had ended as; its result is gone"

    task: str = arg("task id", completes="tasks")
    lenient: bool = arg("leave out a task that cannot be run again, instead of refusing", default=False, option=True)


@dataclass(frozen=True, slots=True)
class PrioritiseTask(Command):
    """Change the priority of a waiting task."""

    name = "task.prioritise"
    verb = "prioritise"
    help = "Change the priority of a waiting task"
    inverse = "task.prioritise"

    task: str = arg("task id", completes="tasks")
    priority: int = arg("1..10, higher first", ge=1, le=10)


@dataclass(frozen=True, slots=True)
class HaltFleet(Command):
    """Stop in an emergency: the engine's own scaling, also the placing of tasks, also the work of agents."""

    name = "fleet.halt"
    verb = "halt"
    help = "Emergency stop: of scaling, of placing tasks, or of all work of agents"
    danger = Danger.DESTRUCTIVE
    inverse = "fleet.resume"
    undo_note = "what was stopped begins anew; no attempt is counted"
    is_typed = True

    scope: str = arg(
        "scaling: sizes stay; placing: nothing is begun either; agents: and what runs is stopped and waits again",
        default="agents",
        choices=HALT_SCOPES,
    )


@dataclass(frozen=True, slots=True)
class ResumeFleet(Command):
    """End a halt; without a scope every one."""

    name = "fleet.resume"
    verb = "resume"
    help = "End a halt; without a scope every one"
    inverse = "fleet.halt"

    scope: str = arg(
        "which halt to end; empty = all", default="", choices=HALT_SCOPES, otherwise="a pool takes tasks again by `unpause POOL`"
    )


@dataclass(frozen=True, slots=True)
class UndoPlan(Command):
    """Take an applied plan back, as long as its undo window is open."""

    name = "plan.undo"
    verb = "undo"
    help = "Take an applied plan back; empty = my last one"
    inverse = "plan.redo"

    plan: str = arg("plan id; empty = my last one", default="", completes="plans")


@dataclass(frozen=True, slots=True)
class RedoPlan(Command):
    """Apply a plan again that was undone."""

    name = "plan.redo"
    verb = "redo"
    help = "Apply an undone plan again; empty = my last one"
    inverse = "plan.undo"

    plan: str = arg("plan id; empty = my last one", default="", completes="plans")


@dataclass(frozen=True, slots=True)
class ClearBoosterCache(Command):
    """Have the booster's workers forget the answers that they keep."""

    name = "booster.clear_cache"
    verb = "clear-cache"
    help = "Forget the answers that the booster keeps"
    irreversible = "answers are made anew when they are asked for; nothing else is lost"


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class RemoveModule(Command):
    """Have the booster offer a module's operations no more; what runs goes on, what waits fails when its turn comes."""

    name = "booster.remove_module"
    verb = "remove-module"
    help = "Remove a module of your own from the booster"
    role = Role.ADMIN
    inverse = "booster.add_module"
    undo_note = "tasks that failed for want of it stay failed"

    module: str = arg("module to remove", completes="modules")


@dataclass(frozen=True, slots=True)
class StopEngine(Command):
    """Stop the engine; running tasks are handed back and run again at the next start."""

    name = "engine.stop"
    verb = "stop"
    help = "Stop the engine; running tasks run again at the next start"
    role = Role.ADMIN
    danger = Danger.DESTRUCTIVE
    irreversible = "start it again with `fleet-tui` or `fleet-tui engine`; nothing that it accepted is lost"


COMMANDS: dict[str, type[Command]] = {
    kind.name: kind
    for kind in (
        ScalePool,
        PausePool,
        UnpausePool,
        EditPool,
        HoldPool,
        ReleasePool,
        AskGang,
        EndGang,
        CreatePolicy,
        UpdatePolicy,
        DeletePolicy,
        RegisterAgent,
        UnregisterAgent,
        DrainAgent,
        UndrainAgent,
        RestartAgent,
        AllocateAgent,
        ReleaseAgent,
        SubmitTask,
        CancelTask,
        RetryTask,
        PrioritiseTask,
        HaltFleet,
        ResumeFleet,
        RememberEntry,
        ForgetEntry,
        PermitEntry,
        RestoreEntry,
        UndoPlan,
        RedoPlan,
        ClearBoosterCache,
        BackUpFleet,
        AddModule,
        RemoveModule,
        RotateKeys,
        StopEngine,
    )
}
"""The table of verbs, by name."""

VERBS: dict[str, type[Command]] = {kind.verb: kind for kind in COMMANDS.values()}
"""The same by the word that people type."""
