"""Alerts: the words and limits that verbs need, without the records that only the engine makes.

Owner: nobody; values only.
"""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """How bad it is, the worst first."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


AUTO = "auto"
"""Instead of a severity: by how far the value is from its limit."""
SEVERITIES = (*(severity.value for severity in Severity), AUTO)
