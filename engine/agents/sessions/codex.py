"""Codex as a session: its app-server, JSON-RPC in lines, with leave for commands and changes of files asked (docs/agents.md).

Owner: `CodexServer`, of one process: the thread of its present task and what is asked in it. Limits: TEXT_MAX characters of an
answer, CHANGES_MAX changes of files that are remembered for the question about them. Written to the schema that Codex 0.169
generates; it calls its app-server experimental.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.agents.printed import codex_error
from engine.agents.sessions.fields import call_of, number, rows, table, text_of
from engine.agents.sessions.lines import cut
from engine.agents.sessions.messages import (
    Degraded,
    Failure,
    Hello,
    Message,
    Named,
    Output,
    Progress,
    Result,
    Send,
    Usage,
)
from engine.agents.sessions.objects import SHOWN_MAX
from engine.agents.sessions.rpc import (
    RpcPeer,
    answered,
    error_of,
    message,
    not_offered,
    word_of,
)
from engine.model.effects import Assignment
from engine.model.questions import ALLOW, TEXT, Ask, Reply
from engine.model.shielding import clean

PROGRAM = "codex"
TEXT_MAX = 256 * 1024
DIFF_MAX = 64 * 1024
CHANGES_MAX = 50
OPTIONS_MAX = 20
COMMAND, FILES, QUESTION = "item/commandExecution/requestApproval", "item/fileChange/requestApproval", "item/tool/requestUserInput"
_USAGE = {"output_tokens": "outputTokens", "cache_read_tokens": "cachedInputTokens", "cache_write_tokens": "cacheWriteInputTokens", "reasoning_tokens": "reasoningOutputTokens"}
_TOOLS = frozenset({"commandExecution", "fileChange", "mcpToolCall", "dynamicToolCall", "webSearch", "collabAgentToolCall"})


class CodexServer(RpcPeer):
    """Reads and writes the app-server's messages."""

    runs_in_workspace = False
    inherits: tuple[str, ...] = ("OPENAI_*", "CODEX_HOME", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE")

    def __init__(self) -> None:
        super().__init__()
        self._directory = ""
        self._turn = self._thread = self._working = self._prompt = ""
        """Of the fleet; the thread and its turn, as Codex calls them; and what it is to do."""
        self._is_cancelled = False
        self._asked = 0
        self._asks: dict[str, tuple[object, str, list[str]]] = {}
        """What it asks and was not told, by its number here: the id of its request, what it asks, and the ids of its questions."""
        self._changes: dict[str, list[Mapping[str, Any]]] = {}
        self._answer = ""
        self._before: dict[str, float] = {}
        """Tokens of the thread before this turn."""
        self._used: dict[str, float] = {}
        self._requests = 0

    @staticmethod
    def command(argv: tuple[str, ...], resume: str) -> tuple[str, ...]:
        """Return what to run; a conversation is gone on with by a message."""
        del resume
        return (*(argv or (PROGRAM,)), "app-server")

    def hello(self, agent: str, pool: str, directory: str) -> bytes:
        """Return the request that comes first."""
        del agent, pool
        self._directory = directory
        return self._request("initialize", {"clientInfo": {"name": "fleet-tui", "title": "fleet-tui", "version": "1"}}, self._greeted)

    def task(self, turn: str, assignment: Assignment, prompt: str, env: dict[str, str], resume: str) -> bytes:
        """Return what begins a turn: a thread for it; the prompt follows when there is one."""
        del env
        self._turn, self._prompt, self._is_cancelled = turn, prompt, False
        self._thread = self._working = self._answer = ""
        self._asks.clear()
        self._changes.clear()
        self._before, self._used, self._requests = {}, {}, 0
        place = {"cwd": assignment.workspace or self._directory}
        if resume:
            return self._request("thread/resume", {**place, "threadId": resume, "excludeTurns": True}, self._opened)
        return self._request("thread/start", place, self._opened)

    def cancel(self, turn: str) -> bytes:
        """Return what interrupts the turn."""
        del turn
        self._is_cancelled = True
        self._asks.clear()
        return self._interrupt() if self._working else b""

    def answer(self, turn: str, ask: str, reply: Reply) -> bytes:
        """Return what answers a request for leave, or a question."""
        del turn
        id_, method, questions = self._asks.pop(ask, (None, "", []))
        if id_ is None:
            return b""
        if method == QUESTION:
            lines = reply.text.splitlines()
            each = lines if len(lines) == len(questions) else [reply.text] * len(questions)
            told = {name: {"answers": [line] if reply.decision == TEXT else []} for name, line in zip(questions, each, strict=True)}
            return answered(id_, {"answers": told})
        return answered(id_, {"decision": "accept" if reply.decision == ALLOW else "decline"})

    # -- answers to what was sent -----------------------------------------------------------------------------------------

    def _greeted(self, said: Mapping[str, Any]) -> Iterator[Message]:
        if error := error_of(said):
            yield Failure("", error, "start", retryable=False)
            return
        yield Send(message({"method": "initialized", "params": {}}))
        yield Hello("Codex", word_of(table(said, "result"), "userAgent"))

    def _opened(self, said: Mapping[str, Any]) -> Iterator[Message]:
        name = text_of(table(table(said, "result"), "thread"), "id")
        if (error := error_of(said)) or not name:
            yield Failure(self._turn, error or "it gave its thread no name", "start")
            return
        self._thread = name
        yield Named(self._turn, name)
        if self._is_cancelled:
            yield from self._end(Failure(self._turn, "it had not begun", "stopped"))
            return
        given = {"threadId": name, "input": [{"type": "text", "text": self._prompt}]}
        yield Send(self._request("turn/start", given, self._began))

    def _began(self, said: Mapping[str, Any]) -> Iterator[Message]:
        if error := error_of(said):
            text, kind, retryable = codex_error(error, {})
            yield from self._end(Failure(self._turn, text, kind, retryable=retryable))
            return
        self._working = text_of(table(table(said, "result"), "turn"), "id")
        if self._is_cancelled:
            yield Send(self._interrupt())

    def _interrupt(self) -> bytes:
        return self._request("turn/interrupt", {"threadId": self._thread, "turnId": self._working}, lambda _: iter(()))

    # -- what it says by itself -------------------------------------------------------------------------------------------

    def _requested(self, id_: object, method: str, given: Mapping[str, Any]) -> Iterator[Message]:
        if method not in (COMMAND, FILES, QUESTION) or not self._turn or self._is_cancelled:
            yield Send(not_offered(id_, method))
            return
        self._asked += 1
        ask, questions = str(self._asked), rows(given, "questions") if method == QUESTION else []
        self._asks[ask] = (id_, method, [text_of(one, "id") for one in questions])
        if method == COMMAND:
            arguments: dict[str, object] = {"command": text_of(given, "command"), "cwd": text_of(given, "cwd")}
            yield Ask(self._turn, ask, word_of(given, "reason"), "shell", arguments)
        elif method == FILES:
            yield self._changed(ask, given)
        else:
            labels = tuple(word_of(option, "label") for one in questions for option in rows(one, "options"))[:OPTIONS_MAX]
            text = "\n".join(word_of(one, "question") for one in questions)
            yield Ask(self._turn, ask, text or "it asks something", options=labels)

    def _changed(self, ask: str, given: Mapping[str, Any]) -> Ask:
        changes = self._changes.get(text_of(given, "itemId"), [])
        paths = [text_of(change, "path") for change in changes]
        diff = "\n".join(f"{text_of(table(change, 'kind'), 'type')} {text_of(change, 'path')}\n{text_of(change, 'diff')}" for change in changes)
        arguments: dict[str, object] = {"path": paths[0]} if len(paths) == 1 else {"paths": paths}
        if root := text_of(given, "grantRoot"):
            arguments["grant_root"] = root
        return Ask(self._turn, ask, word_of(given, "reason"), "apply_patch", arguments, cut(clean(diff), DIFF_MAX))

    def _notified(self, method: str, given: Mapping[str, Any]) -> Iterator[Message]:
        if not self._turn or not self._thread or text_of(given, "threadId") != self._thread:
            return
        if method in ("item/started", "item/completed"):
            yield from self._worked(table(given, "item"), has_ended=method == "item/completed")
        elif method == "thread/tokenUsage/updated":
            self._count(table(given, "tokenUsage"))
            yield Usage(self._turn, {**self._used, "turns": float(self._requests)})
        elif method == "turn/plan/updated":
            steps = rows(given, "plan")
            done = sum(text_of(step, "status") == "completed" for step in steps)
            now = next((word_of(step, "step") for step in steps if text_of(step, "status") == "inProgress"), "plan")
            yield Progress(self._turn, now, done / len(steps) if steps else None, f"{done} of {len(steps)} steps of its plan")
        elif method == "error" and given.get("willRetry") is True:
            error = table(given, "error")
            yield Degraded(self._turn, cut(": ".join(word for word in (word_of(error, "message"), word_of(error, "additionalDetails")) if word), SHOWN_MAX))
        elif method == "turn/completed":
            yield from self._completed(table(given, "turn"))
        else:
            yield Output(self._turn, "")  # a sign of life

    def _worked(self, item: Mapping[str, Any], *, has_ended: bool) -> Iterator[Message]:
        kind = text_of(item, "type")
        if kind == "agentMessage" and has_ended:
            self._answer = cut(clean(text_of(item, "text")), TEXT_MAX)
            yield Output(self._turn, f"{self._answer}\n")
        elif kind in _TOOLS:
            changes = rows(item, "changes")
            if changes and len(self._changes) < CHANGES_MAX:
                self._changes[text_of(item, "id")] = changes
            first = text_of(item, "command") or text_of(item, "query") or text_of(item, "tool") or ", ".join(text_of(change, "path") for change in changes)
            words = cut(" ".join(clean(f"{kind}: {first}").split()), SHOWN_MAX)
            code = number(item, "exitCode")
            ended = f"exit code {code:g}" if code is not None else word_of(item, "status")
            call = call_of(kind, [first, item.get("arguments"), changes]) if has_ended else ""
            yield Progress(self._turn, words, evidence=ended if has_ended else "", call=call)

    def _count(self, usage: Mapping[str, Any]) -> None:
        total, last = _tokens(table(usage, "total")), _tokens(table(usage, "last"))
        if not self._requests:
            self._before = {name: value - last.get(name, 0) for name, value in total.items()}
        self._requests += 1
        self._used = {name: max(0.0, value - self._before.get(name, 0)) for name, value in total.items()}

    def _completed(self, turn: Mapping[str, Any]) -> Iterator[Message]:
        status, error = text_of(turn, "status"), table(turn, "error")
        usage = {**self._used, "turns": float(self._requests)} if self._requests else {}
        facts: dict[str, object] = {"session": self._thread}
        if status == "completed":
            yield from self._end(Result(self._turn, self._answer, None, usage, facts))
        elif status == "interrupted":
            yield from self._end(Failure(self._turn, "it was interrupted", "stopped" if self._is_cancelled else "interrupted", usage=usage, facts=facts))
        else:
            text, kind, retryable = codex_error(text_of(error, "message"), error.get("codexErrorInfo"))
            yield from self._end(Failure(self._turn, text or "it failed", kind, retryable=retryable, usage=usage, facts=facts))

    def _end(self, end: Result | Failure) -> Iterator[Message]:
        """End the turn and let go of its thread."""
        thread, self._turn, self._thread, self._working = self._thread, "", "", ""
        yield end
        if thread:
            yield Send(self._request("thread/unsubscribe", {"threadId": thread}, lambda _: iter(())))


def _tokens(found: Mapping[str, Any]) -> dict[str, float]:
    """Return tokens by our names: what Codex calls input has what came from the cache, too."""
    used = {ours: value for ours, theirs in _USAGE.items() if (value := number(found, theirs)) is not None}
    read = number(found, "inputTokens")
    return used if read is None else {"input_tokens": max(0.0, read - used.get("cache_read_tokens", 0)), **used}
