"""One id type per kind of thing; every id says its kind by its prefix (`agt_…`, `tsk_…`)."""

from __future__ import annotations

from typing import NewType

AgentId = NewType("AgentId", str)
TaskId = NewType("TaskId", str)
HostId = NewType("HostId", str)
PlanId = NewType("PlanId", str)
AllocationId = NewType("AllocationId", str)
GangId = NewType("GangId", str)
ProposalId = NewType("ProposalId", str)
SwarmId = NewType("SwarmId", str)
MessageId = NewType("MessageId", str)
SessionId = NewType("SessionId", str)
QuestionId = NewType("QuestionId", str)

AGENT_PREFIX = "agt"
TASK_PREFIX = "tsk"
HOST_PREFIX = "hst"
PLAN_PREFIX = "pln"
ALLOCATION_PREFIX = "alc"
GANG_PREFIX = "gng"
PROPOSAL_PREFIX = "prp"
SWARM_PREFIX = "swm"
MESSAGE_PREFIX = "msg"
SESSION_PREFIX = "ssn"
QUESTION_PREFIX = "qst"
SILENCE_PREFIX = "sil"
ENGINE_PREFIX = "eng"
LIFE_PREFIX = "life"
"""An engine from one start to the next, as versions of entries name it."""
