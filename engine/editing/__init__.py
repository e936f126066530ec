"""What all engines for code operations share: sources, replacements, and the decisions of edits.

Owner: nobody. It stands below the rooms, since `engine.agents.code` and `engine.booster` must give the same answers
and do not import each other. An engine finds things in a file; what to make of them is decided here, once.
"""
