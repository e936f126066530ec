"""The verbs about agents; part of the table in engine.model.commands."""

from __future__ import annotations

from engine.model.verbs import Command, arg, verb


@verb
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


@verb
class UnregisterAgent(Command):
    """Take an agent out of its pool for good; a busy one finishes its task first."""

    name = "agent.unregister"
    verb = "unregister"
    help = "Take an agent out of its pool; a busy one finishes first"
    irreversible = "an agent that left does not come back; `register` adds a new one"

    agent: str = arg("agent id or name", completes="agents")


@verb
class DrainAgent(Command):
    """Give an agent no more work; it finishes what it has and stays until undrained."""

    name = "agent.drain"
    verb = "drain"
    help = "Give an agent no more work; it finishes what it has"
    inverse = "agent.undrain"

    agent: str = arg("agent id or name", completes="agents")


@verb
class UndrainAgent(Command):
    """Give a drained agent work again."""

    name = "agent.undrain"
    verb = "undrain"
    help = "Give a drained agent work again"
    inverse = "agent.drain"

    agent: str = arg("agent id or name", completes="agents")


@verb
class RestartAgent(Command):
    """Start an agent anew; a busy one finishes its task first."""

    name = "agent.restart"
    verb = "restart"
    help = "Start an agent anew; a busy one finishes first"
    irreversible = "a start cannot be taken back; the agent is the same afterwards"

    agent: str = arg("agent id or name", completes="agents")


@verb
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


@verb
class ReleaseAgent(Command):
    """Give a reserved agent back, with how its work went."""

    name = "agent.release"
    verb = "release"
    help = "Give a reserved agent back"
    irreversible = "the agent may serve somebody else by then; `allocate` reserves one again"

    allocation: str = arg("allocation id")
    ok: bool = arg("whether the work succeeded", default=True, option=True)
    seconds: float = arg("how long the work took; 0 = since the reservation", default=0.0, ge=0, unit="s", option=True)
