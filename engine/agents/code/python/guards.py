"""Refusing source that would crash or stall the parser, before it is parsed.

Owner: nobody. LibCST parses by recursion in native code: 20,000 nested brackets end the whole process,
and some constructs take exponential time. Costs about 3 % of a parse.

The scan is lexical and estimates: how deep an expression nests is at most the number of brackets and
operators that are open at once. A comma ends what stands before it on its level, a newline outside
brackets ends everything.
"""

import re
from typing import Final

from engine.model.code_errors import CodeError

BRACKETS_MAX: Final = 200  # CPython's tokenizer refuses more, so no valid file is lost
OPERATORS_MAX: Final = 8000  # parse time grows with the square: 1,000 take 0.2 s, 8,000 take 15 s
STRINGS_MAX: Final = 3000  # adjacent strings; LibCST takes the next one for a syntax error
PATTERN_BRACKETS_MAX: Final = (
    10  # `case` and `del`: LibCST doubles to quadruples its time per level
)
BRANCHES_MAX: Final = 20_000  # `elif` nests without brackets, `lambda` across commas

_TEXTS: Final = re.compile(
    r"""\#[^\r\n]*|\\\r?\n
    |\"\"\"[^"\\]*(?:(?:\\.|""?(?!"))[^"\\]*)*\"\"\"|'''[^'\\]*(?:(?:\\.|''?(?!'))[^'\\]*)*'''
    |"[^"\\\r\n]*(?:\\.[^"\\\r\n]*)*"|'[^'\\\r\n]*(?:\\.[^'\\\r\n]*)*'""",
    re.DOTALL | re.VERBOSE,
)
_OPERATOR: Final = r"[-+*/%@&|^~<>.]|\b(?:not|and|or|if|else|lambda|await|in|is|for)\b"
_TOKENS: Final = re.compile(
    rf'[()\[\]{{}},\r\n;"]|\bdel\b|(?:^|(?<=\r))[ \t\f]*case\b|{_OPERATOR}', re.MULTILINE
)
_FIELDS: Final = re.compile(r"\{[^{}]*\}")
_OPERATORS: Final = re.compile(_OPERATOR)
_BRACKETS: Final = re.compile(r"[()\[\]{}]")
_ADJACENT_STRINGS: Final = re.compile(rf'(?:"\s*){{{STRINGS_MAX + 1}}}')
_OPEN: Final = frozenset("([{")
_CLOSE: Final = frozenset(")]}")
_SEPARATORS: Final = frozenset(",\r\n;")


def check_nesting(text: str) -> None:
    """Raise `CodeError` (too_deep) for text that is not safe to parse."""
    for word in ("elif", "lambda"):
        if text.count(word) > BRANCHES_MAX:
            raise _too_deep(f"more than {BRANCHES_MAX} times `{word}`")
    code = _TEXTS.sub(_blank, text)
    if code.count('"') > STRINGS_MAX and _ADJACENT_STRINGS.search(code):
        raise _too_deep(f"more than {STRINGS_MAX} adjacent strings")
    if problem := _find_problem(code):
        raise _too_deep(problem)


def _find_problem(code: str) -> str | None:
    """Say what nests too deep in code without texts, if anything does."""
    levels = [0]  # what is open on each bracket level
    total = 0
    in_pattern = False
    for token in _TOKENS.findall(code):
        if token in _CLOSE:
            if len(levels) > 1:
                total -= levels.pop()
        elif token in _SEPARATORS:
            if token == "," or len(levels) == 1:
                total -= levels[-1]
                levels[-1] = 0
                in_pattern = in_pattern and token == ","
        elif token == "del" or (len(levels) == 1 and token.endswith("case")):
            in_pattern = True
        else:
            levels[-1] += 1
            total += 1
            if token in _OPEN:
                levels.append(0)
            brackets_max = PATTERN_BRACKETS_MAX if in_pattern else BRACKETS_MAX
            if len(levels) > brackets_max + 1:
                where = " after `case` or `del`" if in_pattern else ""
                return f"more than {brackets_max} nested brackets{where}"
            if total > OPERATORS_MAX:
                return f"an expression of more than {OPERATORS_MAX} operators"
    return None


def _blank(match: re.Match[str]) -> str:
    """Stand-in for a comment, a joined line or a string; formatted strings keep what nests in them."""
    found = match.group()
    if found[0] == "#":
        return ""
    if found[0] == "\\":
        return " "
    prefix = match.string[max(0, match.start() - 2) : match.start()].lower()
    if "{" not in found or not ("f" in prefix or "t" in prefix):
        return '"'
    depth = deepest = 0
    for bracket in _BRACKETS.findall(found):
        depth = depth + 1 if bracket in _OPEN else max(0, depth - 1)
        deepest = max(deepest, depth)
    longest = max((len(_OPERATORS.findall(field)) for field in _FIELDS.findall(found)), default=0)
    return "(" * deepest + "+" * longest + ")" * deepest


def _too_deep(what: str) -> CodeError:
    return CodeError("too_deep", f"The file has {what}; leave it out or split the expression.")
