"""Programs run for agents, none of which outlives its engine by accident.

Empty on purpose: the spawner imports this package without the engine, and must start in milliseconds.
"""
