"""What agents ask while they work: questions and requests to use a tool, the answers, and the rules that give routine ones.

Owner: nobody; shapes and pure functions. Limits: OPEN_MAX open questions of a task, ARGUMENTS_MAX_BYTES of arguments.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

import msgspec

from engine.model.errors import UsageError
from engine.model.ids import QuestionId, TaskId
from engine.model.secrets import HIDDEN

OPEN_MAX = 16
ARGUMENTS_MAX_BYTES = 64 * 1024
RULE_MAX = 500
TEXT_MAX = 300
"""Of a question in one line."""
ALLOW, DENY, TEXT = "allow", "deny", "text"
WAIT, FAIL = "wait", "fail"
UNANSWERED = "unanswered"
"""Task.stopping, and the error kind, of an attempt whose question nobody answered in time."""
_SHELL = frozenset(";&|<>$`()\n\r\0")
"""What a shell does more with than take it as it is: no rule lets through what holds any of these."""


class Ask(msgspec.Struct, frozen=True):
    """The agent goes on when it is answered: a question, or leave to use a tool."""

    id: str
    """Of the turn."""
    ask: str
    """The agent's own name for it; the answer carries it."""
    text: str = ""
    tool: str = ""
    """Empty = a question."""
    arguments: dict[str, object] = {}
    """As the agent gave them, but for what looks like a secret."""
    diff: str = ""
    options: tuple[str, ...] = ()
    is_fetched: bool = False
    """A program asked it by a verb and looks for the answer itself: the agent's kind is not told."""


class Question(msgspec.Struct, frozen=True):
    """What an agent asked, as the fleet keeps it until it is answered."""

    id: QuestionId
    ask: Ask
    attempt: int
    """The attempt that asks: no other one gets the answer."""
    asked_at: float
    expires_at: float = 0.0
    """Instant after which `on_timeout` holds; 0 = it waits for ever."""
    on_timeout: str = WAIT

    @property
    def kind(self) -> str:
        """Return `permission` or `question`."""
        return "permission" if self.ask.tool else "question"


class Reply(msgspec.Struct, frozen=True):
    """An answer as the agent gets it."""

    decision: str
    """`allow`, `deny`, or `text`: what was written in reply to a question."""
    text: str = ""
    """The reply, or why it is denied."""


class Answer(msgspec.Struct, frozen=True):
    """An answer, and who gave it."""

    reply: Reply
    by: str
    """An operator, or `time-out`."""
    rule: str = ""
    """The rule that gave it; empty = none did."""


class AnswerRule(msgspec.Struct, frozen=True):
    """Uses of tools that are allowed or denied without asking anybody: `Tool` or `Tool(argument=pattern)`."""

    decision: str
    rule: str
    by: str = "configuration"
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class AnswerPolicy:
    """How questions of a pool's agents are answered when nobody does."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    """Goes before `allow`."""
    timeout_s: float = 0.0
    """How long a question waits; 0 = for ever."""
    on_timeout: str = DENY
    """`deny`, `fail` the task, or `wait` on."""

    def rules(self) -> list[AnswerRule]:
        """Return the rules of the configuration."""
        return [*(AnswerRule(DENY, rule) for rule in self.deny), *(AnswerRule(ALLOW, rule) for rule in self.allow)]


class Said(msgspec.Struct, frozen=True):
    """How far a program says its task is."""

    text: str
    ratio: float
    """0..1; -1 = it did not say."""
    at: float


@dataclass(frozen=True, slots=True)
class TaskAsked:
    """An agent asks, and waits for the answer."""

    task: TaskId
    token: int
    ask: Ask


def parse_rule(rule: str) -> tuple[str, str, str]:
    """Return tool, argument and pattern of a rule; an argument is empty when there is none. Raises UsageError."""
    if len(rule) > RULE_MAX or not rule.isprintable():
        raise UsageError(f"a rule is a line of at most {RULE_MAX} characters that can be read")
    tool, opened, rest = rule.strip().partition("(")
    argument, equals, pattern = rest.removesuffix(")").partition("=")
    if not tool.strip() or (opened and (not rest.endswith(")") or not equals or not argument.strip())):
        raise UsageError(f"{rule!r} is no rule; write Tool or Tool(argument=pattern), such as Bash(command=git status*)")
    return tool.strip(), argument.strip(), pattern


def matches(rule: AnswerRule, ask: Ask) -> bool:
    """Tell whether a rule is about a use of a tool.

    To allow, a value must be plain: `*` stands for no `..` in a path and nothing that a shell would take for more than text, so
    that `git *` does not let `git log; rm -r .` through.
    """
    if not ask.tool:
        return False
    tool, argument, pattern = parse_rule(rule.rule)
    if not fnmatchcase(ask.tool, tool):
        return False
    if not argument:
        return True
    value = ask.arguments.get(argument)
    if not isinstance(value, str) or not fnmatchcase(value, pattern):
        return False
    return rule.decision == DENY or (HIDDEN not in value and (value == _literal(pattern) or _is_plain(value)))


def decided_by(rules: Iterable[AnswerRule], ask: Ask) -> AnswerRule | None:
    """Return the rule that answers, one that denies before one that allows; None = somebody must."""
    found = [rule for rule in rules if matches(rule, ask)]
    return next((rule for rule in found if rule.decision == DENY), found[0] if found else None)


def suggested_rule(ask: Ask) -> str:
    """Return the narrowest rule for a use of a tool: with its first text as it is; empty when that is nothing to read in a line."""
    for name, value in ask.arguments.items():
        if isinstance(value, str):
            rule = f"{ask.tool}({name}={_escaped(value)})"
            return rule if rule.isprintable() and len(rule) <= RULE_MAX and HIDDEN not in value else ""
    return ask.tool


def _is_plain(value: str) -> bool:
    return _SHELL.isdisjoint(value) and ".." not in value.replace("\\", "/").split("/")


def _escaped(value: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in value)


def _literal(pattern: str) -> str | None:
    """Return the one text that a pattern without wildcards stands for; None if it has any."""
    text = pattern
    for char in "*?[":
        text = text.replace(f"[{char}]", "\0" + str(ord(char)) + "\0")
    if any(char in text for char in "*?["):
        return None
    for char in "*?[":
        text = text.replace("\0" + str(ord(char)) + "\0", char)
    return text


def in_a_line(ask: Ask) -> str:
    """Return what is asked in one line that is safe to show."""
    text = " ".join(ask.text.split())
    if ask.tool:
        used_with = ", ".join(f"{name}={shown(value)}" for name, value in ask.arguments.items())
        text = f"{text}: {used_with}" if text and used_with else text or used_with
    return text if len(text) <= TEXT_MAX else f"{text[: TEXT_MAX - 1]}…"


def shown(value: object) -> str:
    """Return an argument as JSON in which nothing moves a terminal: what does not print is escaped, so that it is seen."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
