"""Rows of what agents ask."""

from __future__ import annotations

from typing import NamedTuple


class QuestionRow(NamedTuple):
    """A question that nobody has answered yet. Instants in epoch seconds, 0 = none."""

    id: str
    task: str
    title: str
    """The task's."""
    pool: str
    agent: str
    kind: str
    """`permission` to use a tool, or `question`."""
    tool: str
    text: str
    """What it asks in one line: its words, or what it would use the tool with."""
    asked_at: float
    expires_at: float
    attempt: int
    options: str
    """What it offers as replies, with commas between."""
    rule: str
    """The narrowest rule that would answer it; empty for a question."""
