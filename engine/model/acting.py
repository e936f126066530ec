"""The variables that tell code which does an agent's task where its engine answers, and with what it acts as its agent."""

from __future__ import annotations

from contextvars import ContextVar

VARIABLE = "FLEET_AGENT_TOKEN"
SOCKET_VARIABLE = "FLEET_AGENT_SOCKET"
NOBODY = "nobody"
"""A token that the engine refuses: what runs on beside its task is neither the agent nor the operator whose account it is."""
CURRENT: ContextVar[str] = ContextVar("token of the attempt", default="")
"""The same for code in this process; what a handler begins in other tasks and threads has it, too."""
