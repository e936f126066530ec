"""The sections `[budget]` and `[pools.NAME.budget]` of the configuration."""

from __future__ import annotations

from pydantic import Field

from engine.model.budget_words import SOFT_SHARE
from engine.model.config_tree import ConfigTree


class BudgetConfig(ConfigTree):
    """Limits on what work may use; 0 = none. Costs in dollars, hours and days of UTC; seconds are wall time of attempts."""

    cost_per_task: float = Field(0.0, ge=0, le=1e9, description="dollars of one task, all its attempts together; 0 = no limit")
    cost_per_agent: float = Field(0.0, ge=0, le=1e9, description="dollars of one agent in its life; 0 = no limit")
    cost_per_hour: float = Field(0.0, ge=0, le=1e9, description="dollars in an hour; 0 = no limit")
    cost_per_day: float = Field(0.0, ge=0, le=1e9, description="dollars in a day; 0 = no limit")
    tokens_per_task: float = Field(0.0, ge=0, le=1e15, description="tokens of one task, read and written; 0 = no limit")
    tokens_per_agent: float = Field(0.0, ge=0, le=1e15, description="tokens of one agent; 0 = no limit")
    tokens_per_hour: float = Field(0.0, ge=0, le=1e15, description="tokens in an hour; 0 = no limit")
    tokens_per_day: float = Field(0.0, ge=0, le=1e15, description="tokens in a day; 0 = no limit")
    turns_per_task: float = Field(0.0, ge=0, le=1e9, description="turns of one task with its model; 0 = no limit")
    turns_per_agent: float = Field(0.0, ge=0, le=1e9, description="turns of one agent; 0 = no limit")
    turns_per_hour: float = Field(0.0, ge=0, le=1e9, description="turns in an hour; 0 = no limit")
    turns_per_day: float = Field(0.0, ge=0, le=1e9, description="turns in a day; 0 = no limit")
    seconds_per_task: float = Field(0.0, ge=0, le=1e9, description="wall time of one task, all its attempts together; 0 = no limit")
    seconds_per_agent: float = Field(0.0, ge=0, le=1e9, description="wall time of the tasks of one agent; 0 = no limit")
    seconds_per_hour: float = Field(0.0, ge=0, le=1e9, description="wall time of all tasks together in an hour; 0 = no limit")
    seconds_per_day: float = Field(0.0, ge=0, le=1e9, description="wall time of all tasks together in a day; 0 = no limit")
    soft: float = Field(SOFT_SHARE, gt=0, le=1, description="share of each limit at which the inbox says that little is left")

    def made(self) -> dict[str, float]:
        """Return the limits that there are, and the soft share beside them; empty = none."""
        limits = {name: value for name, value in self.model_dump().items() if value and name != "soft"}
        return {**limits, "soft": self.soft} if limits else {}
