"""Every verb an operator has: one frozen dataclass each, with name, help, role, danger and, where there is one, an inverse.

Keys, the `:` line, the palette, forms, `fleet-tui` subcommands, REST and WebSocket are generated from `COMMANDS`.
"""

from __future__ import annotations

from engine.model.agent_commands import (
    AllocateAgent,
    DrainAgent,
    RegisterAgent,
    ReleaseAgent,
    RestartAgent,
    UndrainAgent,
    UnregisterAgent,
)
from engine.model.alert_commands import (
    AckAlert,
    CreateRule,
    DeleteRule,
    DisableRule,
    EnableRule,
    EndSilence,
    SilenceAlerts,
    UnackAlert,
    UpdateRule,
)
from engine.model.booster_commands import AddModule, ClearBoosterCache, RemoveModule
from engine.model.budget_commands import SetBudget
from engine.model.bus_commands import DropEvents, ReplayEvents
from engine.model.channel_commands import RequeueNotifications, TestChannel
from engine.model.consensus_commands import (
    CastVote,
    ExtendProposal,
    OpenProposal,
    SettleProposal,
    WithdrawProposal,
)
from engine.model.data_commands import (
    BackUpFleet,
    DeleteBaseline,
    RecordMetric,
    RotateKeys,
    SaveBaseline,
)
from engine.model.fleet_commands import HaltFleet, RedoPlan, ResumeFleet, StopEngine, UndoPlan
from engine.model.host_commands import CordonHost, DrainHost, UncordonHost
from engine.model.memory_commands import (
    ConsolidateMemory,
    EraseOwner,
    ForgetEntry,
    PermitEntry,
    RememberEntry,
    ResolveConflict,
    RestoreEntry,
    SynchronizeMemory,
)
from engine.model.pool_commands import (
    AskGang,
    CreatePolicy,
    DeletePolicy,
    EditPool,
    EndGang,
    HoldPool,
    PausePool,
    ReleasePool,
    ScalePool,
    UnpausePool,
    UpdatePolicy,
)
from engine.model.question_commands import AnswerTask, AskOperator, ForgetAnswerRule, TellProgress
from engine.model.region_commands import FailBack, FailOver
from engine.model.review_commands import AcceptReview, DiscardReview, ReopenReview
from engine.model.routing_commands import ForgetRouting, RecallRouting, SetRouting
from engine.model.swarm_commands import (
    CreateSwarm,
    EditSwarm,
    EndSwarm,
    GiveObjective,
    PauseSwarm,
    ResendMessage,
    SendMessage,
    StopSession,
    TakeMessage,
    UnpauseSwarm,
)
from engine.model.task_commands import CancelTask, PrioritiseTask, RetryTask, SubmitTask
from engine.model.verbs import Command

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
        CordonHost,
        DrainHost,
        UncordonHost,
        SubmitTask,
        CancelTask,
        RetryTask,
        PrioritiseTask,
        AcceptReview,
        DiscardReview,
        ReopenReview,
        AnswerTask,
        ForgetAnswerRule,
        AskOperator,
        TellProgress,
        HaltFleet,
        ResumeFleet,
        SetBudget,
        RememberEntry,
        ForgetEntry,
        PermitEntry,
        RestoreEntry,
        ResolveConflict,
        SynchronizeMemory,
        ConsolidateMemory,
        EraseOwner,
        SetRouting,
        ForgetRouting,
        RecallRouting,
        OpenProposal,
        CastVote,
        ExtendProposal,
        SettleProposal,
        WithdrawProposal,
        CreateSwarm,
        EditSwarm,
        PauseSwarm,
        UnpauseSwarm,
        EndSwarm,
        SendMessage,
        TakeMessage,
        ResendMessage,
        GiveObjective,
        StopSession,
        UndoPlan,
        RedoPlan,
        ClearBoosterCache,
        BackUpFleet,
        AddModule,
        RemoveModule,
        CreateRule,
        UpdateRule,
        DeleteRule,
        EnableRule,
        DisableRule,
        AckAlert,
        UnackAlert,
        SilenceAlerts,
        EndSilence,
        RotateKeys,
        RecordMetric,
        SaveBaseline,
        DeleteBaseline,
        TestChannel,
        RequeueNotifications,
        ReplayEvents,
        DropEvents,
        FailOver,
        FailBack,
        StopEngine,
    )
}
"""The table of verbs, by name."""

VERBS: dict[str, type[Command]] = {kind.verb: kind for kind in COMMANDS.values()}
"""The same by the word that people type."""
