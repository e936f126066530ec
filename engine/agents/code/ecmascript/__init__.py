"""Code operations on JavaScript, TypeScript and TSX, with a parser of our own in regular Python.

Owner: nobody. No parser on the package index reads today's JavaScript, let alone TypeScript, but for tree-sitter, which is
the booster's own grammar. This one is written from the two language specifications, so it is a second opinion, and it
needs no other program: it takes over where the booster is not sure.
"""
