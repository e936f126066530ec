"""Agents of kind `a2a`: other people's agents behind the Agent2Agent protocol 1.0."""
