"""Code operations on Python, with LibCST.

Owner: nobody, but for a bounded cache of parsed trees (`parsing`).
"""
