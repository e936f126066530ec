"""What the engine must do outside itself once an event is in the journal; each follows from an event alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.model.ids import AgentId, TaskId
from engine.model.questions import Reply
from engine.model.reviews import Work
from engine.model.tasks import Lease


@dataclass(frozen=True, slots=True)
class StartAgents:
    """Bring agents to life; answered by AgentsUp, HostUp or AgentsFailed."""

    agents: tuple[AgentId, ...]


@dataclass(frozen=True, slots=True)
class StopAgents:
    """Forget agents; what they ran was already ended or handed back."""

    agents: tuple[AgentId, ...]


@dataclass(frozen=True, slots=True)
class Deliver:
    """Hand leased tasks to their agents; answered by TasksBegan and TasksEnded."""

    leases: tuple[Lease, ...]


@dataclass(frozen=True, slots=True)
class StopRuns:
    """Stop the running attempts of tasks in their processes; answered by TasksEnded of kind `stopped`."""

    tasks: tuple[TaskId, ...]
    grace_s: float | None = None
    """Longest time for each step of it: ending by itself, and by a signal; None = as their pool says."""


@dataclass(frozen=True, slots=True)
class GiveAnswer:
    """Tell an agent what it asked; not answered. One whose attempt is over gets nothing."""

    task: TaskId
    token: int
    ask: str
    reply: Reply


@dataclass(frozen=True, slots=True)
class Assignment:
    """A leased task as its agent gets it: the lease, joined with what the task says."""

    task: TaskId
    token: int
    agent: AgentId
    type: str
    payload: dict[str, object]
    title: str = ""
    timeout_s: float = 0.0
    workspace: str = ""
    apply: bool = False
    inputs: dict[str, object] = field(default_factory=dict)
    """Results of its dependencies by task id, when the task asked for them."""
    module: str = ""
    """SHA-256 of the operator's module that offers the type now; empty = none does."""
    work: Work | None = None
    """What it goes on with; None = it begins anew."""
    remote_task: str = ""
    """What somebody else's agent, to whom an earlier attempt handed it over, calls it; empty = it is handed over now."""
    is_place_new: bool = False
    """Whether its workspace was made for this attempt: what an earlier one did there is not in it."""


@dataclass(frozen=True, slots=True)
class ClearCaches:
    """Have the booster's workers forget the answers that they keep; not answered."""


Effect = StartAgents | StopAgents | Deliver | StopRuns | GiveAnswer | ClearCaches
