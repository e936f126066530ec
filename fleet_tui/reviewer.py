"""What the demo's reviewers do: look at a proposed edit by one check, and vote on it as themselves, by their agent's token.

Owner: nobody. Handler of the demo's pool `reviewer`: runs in a worker process, so what is heavy is imported at the first
review. Every other type of task is done as in a pool without a handler.
"""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Callable, Mapping
from typing import NamedTuple

from engine.agents.light.answers import JobFailed
from engine.agents.light.handlers import find_built_in

POOL = "reviewer"
HANDLER = "fleet_tui.reviewer:do"
REVIEW = "demo.review"
SMALL_LINES = 12
"""Most lines that a small edit adds and removes."""
PURE = frozenset({"len", "str", "repr", "format", "ascii", "type", "id", "bool", "int", "float", "abs", "min", "max", "sum", "sorted", "round", "ord", "chr", "hex"})
"""Built-ins that an edit may drop, as far as their names tell."""
_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@")


class Opinion(NamedTuple):
    """What a reviewer says to an edit."""

    vote: str
    confidence: float
    """1 where the check decides the matter; less where it goes by names."""
    reasoning: str


class Edit(NamedTuple):
    """A file before and after an edit."""

    before: str
    after: str
    diff: str


def do(type_: str, payload: dict[str, object]) -> object:
    """Do a task of the pool. Raises JobFailed."""
    if type_ != REVIEW:
        return find_built_in(type_)(type_, payload)
    path, diff = str(payload["path"]), str(payload["diff"])
    before = _read(path)
    opinion = CHECKS[str(payload["check"])](Edit(before, apply_diff(before, diff), diff))
    return {**opinion._asdict(), "not_counted": _vote(str(payload["proposal"]), opinion)}


def _read(path: str) -> str:
    try:
        with tokenize.open(path) as file:
            return file.read()
    except (OSError, SyntaxError, UnicodeDecodeError) as error:
        raise JobFailed("unreadable", f"cannot read {path}: {error}", retryable=False) from error


def _vote(proposal: str, opinion: Opinion) -> str:
    """Vote, and return why the vote does not count: others may have decided before. Empty = it counts."""
    import asyncio
    from concurrent.futures import ThreadPoolExecutor
    from contextvars import copy_context

    # On a thread of its own: the worker's main thread may have a loop that runs.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(copy_context().run, asyncio.run, _cast(proposal, opinion)).result()


async def _cast(proposal: str, opinion: Opinion) -> str:
    from engine.api.client import connect_agent
    from engine.model.consensus_commands import CastVote
    from engine.model.errors import CommandRefused, Denied

    async with connect_agent() as fleet:
        try:
            await fleet.execute([CastVote(proposal, opinion.vote, reasoning=opinion.reasoning, confidence=opinion.confidence)])
        except Denied:
            raise  # the attempt is over
        except CommandRefused as refusal:
            return str(refusal)
    return ""


def apply_diff(text: str, diff: str) -> str:
    """Return a text with a unified diff applied. Raises JobFailed when it is not one of this text."""
    old, new, at = text.splitlines(), [], 0
    for line in diff.splitlines()[2:]:  # the first two name the file
        mark, rest = line[:1], line[1:]
        if found := _HUNK.match(line):
            start = max(int(found[1]) - 1, 0)
            new += old[at:start]
            at = start
        elif mark == "+":
            new.append(rest)
        elif mark in (" ", "-", ""):
            if at >= len(old) or old[at] != rest:
                raise JobFailed("other_text", f"line {at + 1} is not as the diff has it: the file has changed since", retryable=False)
            at += 1
            new += [rest] * (mark != "-")
    return "\n".join([*new, *old[at:]]) + "\n"


def check_meaning(edit: Edit) -> Opinion:
    """Check that the edited file still parses and has the public names that it had."""
    try:
        after = ast.parse(edit.after)
    except (SyntaxError, ValueError, RecursionError) as error:
        return Opinion("reject", 1.0, f"the edited file does not parse: {error}")
    lost = sorted(public_names(ast.parse(edit.before)) - public_names(after))
    if lost:
        return Opinion("reject", 1.0, f"public names are gone: {', '.join(lost[:5])}")
    return Opinion("approve", 1.0, "the edited file parses, and all public names are kept")


def check_size(edit: Edit) -> Opinion:
    """Check that the edit is small enough to be read at a glance."""
    changed = sum(line[:1] in ("+", "-") for line in edit.diff.splitlines()[2:])
    if changed > SMALL_LINES:
        return Opinion("reject", 1.0, f"{changed} changed lines are more than {SMALL_LINES}: too much for one edit")
    return Opinion("approve", 1.0, f"{changed} changed lines are few")


def check_effects(edit: Edit) -> Opinion:
    """Check that nothing goes that does something else: what the arguments of a removed call call, assign or await."""
    gone = _statements(ast.parse(edit.before)) - _statements(_parsed_or_empty(edit.after))
    calls: set[str] = set()
    for text in gone:
        statement = ast.parse(text).body[0]
        inner = statement.value.args + [word.value for word in statement.value.keywords] if _is_call(statement) else [statement]  # type: ignore[attr-defined]
        for node in (node for part in inner for node in ast.walk(part)):
            if isinstance(node, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom):
                return Opinion("reject", 1.0, f"the edit also drops `{ast.unparse(node)[:80]}`")
            if isinstance(node, ast.Call) and ast.unparse(node.func) not in PURE:
                calls.add(ast.unparse(node.func)[:60])
    if calls:
        return Opinion("abstain", 0.5, f"the edit also drops calls of {', '.join(sorted(calls)[:3])}: whether they do something, only people know")
    return Opinion("approve", 0.9, "what goes calls nothing else that could do something")


def public_names(tree: ast.Module) -> set[str]:
    """Return the names that other modules may use: definitions, methods and variables, without those that begin with `_`."""
    names: set[str] = set()

    def look(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.add(prefix + node.name)
                if isinstance(node, ast.ClassDef):
                    look(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names.update(prefix + target.id for target in targets if isinstance(target, ast.Name))

    look(tree.body, "")
    return {name for name in names if not any(part.startswith("_") for part in name.split("."))}


def _statements(tree: ast.Module) -> set[str]:
    """Return the expressions that stand as statements."""
    return {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def _parsed_or_empty(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError:
        return ast.Module([], [])


def _is_call(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)


CHECKS: Mapping[str, Callable[[Edit], Opinion]] = {"meaning": check_meaning, "effects": check_effects, "size": check_size}
"""Each voter of a proposal makes another one."""
