"""How long the database keeps what is over, as it is configured."""

from __future__ import annotations

from pydantic import Field, model_validator

from engine.model.config_tree import ConfigTree

_DAY_S = 86_400.0
_LEAST_DAYS = 0.1


class RetentionSection(ConfigTree):
    """How long the database keeps what is over; 0 = for ever. What memory holds has its own rules, in [memory]."""

    events_days: float = Field(30.0, ge=0, le=36_500, description="records of the journal; the newest 10000 stay in any case")
    tasks_days: float = Field(30.0, ge=0, le=36_500, description="tasks that have ended, with their results; the newest tasks.finished_max stay in any case")
    agents_days: float = Field(30.0, ge=0, le=36_500, description="agents that were removed, once their records are gone")
    audit_days: float = Field(365.0, ge=0, le=36_500, description="lines of the audit; never shorter than events_days")

    @model_validator(mode="after")
    def _consistent(self) -> RetentionSection:
        for name, days in self:
            if 0 < days < _LEAST_DAYS:
                raise ValueError(f"{name} is {days:g}; keep it for {_LEAST_DAYS:g} days at least, or 0 = for ever")
        if self.audit_days and (not self.events_days or self.audit_days < self.events_days):
            raise ValueError("audit_days is below events_days: the audit is what is kept longest; raise it, or 0 = for ever")
        return self

    def instant(self, days: float, now: float) -> float:
        """Return before which instant something is too old; 0 = nothing is."""
        return now - days * _DAY_S if days else 0.0
