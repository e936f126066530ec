"""Edits of JavaScript, TypeScript and TSX that are decided from a file's structure, for every engine that can find one.

Owner: nobody.
"""
