"""Light agents: many agents of kind `python` carried by a few worker processes.

Empty on purpose: the worker imports this package, and must start in a fraction of a second.
"""
