"""Sentences about definitions that are made from their names, by a template; whatever the language.

Owner: nobody.
"""

import re
import string
from typing import Final

from engine.model.code_errors import CodeError

_FIELDS: Final = frozenset({"words", "name", "kind"})
# "HTTPServer2" -> HTTP, Server, 2; letters outside ASCII stay with their neighbours.
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\dA-Z_]+|\d+")


def check_template(template: str, *, forbidden: tuple[str, ...]) -> None:
    """Raise `CodeError` (bad_parameter) for what would not make one line of plain text."""
    try:
        fields = [row[1:] for row in string.Formatter().parse(template) if row[1] is not None]
    except ValueError as error:
        raise CodeError(
            "bad_parameter", f"`template` has a stray brace: {error}; write {{{{ for {{."
        ) from error
    if not all(
        field in _FIELDS and not spec and not conversion for field, spec, conversion in fields
    ):
        raise CodeError("bad_parameter", "`template` may only hold {words}, {name} and {kind}.")
    if not template.isprintable() or any(sign in template for sign in forbidden):
        raise CodeError("bad_parameter", "`template` must be one line without quotes, backslashes and ends of comments.")


def make_sentence(template: str, name: str, kind: str) -> str:
    """Fill in a template; its first letter is made large."""
    words = [
        word if word.isupper() and len(word) > 1 else word.lower() for word in _WORD.findall(name)
    ]
    sentence = template.format(words=" ".join(words) or name, name=name, kind=kind)
    return sentence[:1].upper() + sentence[1:]
