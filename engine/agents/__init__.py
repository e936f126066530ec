"""Agents: their registry, their health, and what makes each kind of them run."""
