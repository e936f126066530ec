"""Agents that speak the Agent Client Protocol, version 1: JSON-RPC 2.0, a message a line, on standard input and output.

Owner: `AcpClient`, of one process: the session of its present task and what is asked in it. Limits: TEXT_MAX characters of an answer, SESSIONS_MAX sessions of an agent that cannot close them: then its process is replaced. Files and
terminals are not offered: agents work with their own tools, in the task's workspace; who asks all the same is refused.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from engine.agents.printed import kind_of_error
from engine.agents.sessions.fields import call_of, number, rows, table, text_of
from engine.agents.sessions.lines import cut
from engine.agents.sessions.messages import (
    Bye,
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
    WORD_MAX,
    RpcPeer,
    answered,
    error_of,
    message,
    not_offered,
    word_of,
)
from engine.model.effects import Assignment
from engine.model.plain import plain_object
from engine.model.questions import ALLOW, TEXT, Ask, Reply
from engine.model.shielding import clean

VERSION = 1
TEXT_MAX = 256 * 1024
PIECE_MAX = 4 * 1024
OPTIONS_MAX = 20
SESSIONS_MAX = 50
LOGIN_NEEDED = -32000
_USAGE = {
    "input_tokens": "inputTokens", "output_tokens": "outputTokens", "cache_read_tokens": "cachedReadTokens",
    "cache_write_tokens": "cachedWriteTokens", "reasoning_tokens": "thoughtTokens",
}  # fmt: skip
_ENDS = {
    "max_tokens": ("max_tokens", "it reached the most tokens of an answer"),
    "max_turn_requests": ("max_turns", "it reached the most requests of a turn"),
    "refusal": ("refused", "the model refuses it"),
}


class AcpClient(RpcPeer):
    """Reads and writes the protocol."""

    runs_in_workspace = False
    inherits: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self._directory = ""
        self._can: Mapping[str, Any] = {}
        """What the agent said it can."""
        self._turn = self._session = self._prompt = ""
        self._is_cancelled = False
        self._sessions = self._asked = 0
        self._asks: dict[str, tuple[object, dict[str, str]]] = {}
        """What it asks and was not told, by its number here: the id of its request, and the options by what they mean."""
        self._tools: dict[str, str] = {}
        self._given: dict[str, dict[str, Any]] = {}
        """Uses of tools that have not ended: in words, and their arguments as far as they were told."""
        self._line = self._answer = ""
        """What it writes: the unfinished line, and the whole of the last message."""
        self._message: str | None = None
        """Which message that is; None = the next piece begins one."""
        self._cost = 0.0

    @staticmethod
    def command(argv: tuple[str, ...], resume: str) -> tuple[str, ...]:
        """Return what to run: what was configured; a conversation is gone on with by a message."""
        del resume
        return argv

    def hello(self, agent: str, pool: str, directory: str) -> bytes:
        """Return the request that comes first."""
        del agent, pool
        self._directory = directory
        files = {"readTextFile": False, "writeTextFile": False}
        about = {"protocolVersion": VERSION, "clientCapabilities": {"fs": files, "terminal": False}, "clientInfo": {"name": "fleet-tui", "version": "1"}}
        return self._request("initialize", about, self._greeted)

    def task(self, turn: str, assignment: Assignment, prompt: str, env: dict[str, str], resume: str) -> bytes:
        """Return what begins a turn: a session for it; the prompt follows when there is one."""
        del env
        self._turn, self._prompt, self._session, self._is_cancelled = turn, prompt, "", False
        self._asks.clear()
        self._tools.clear()
        self._given.clear()
        self._line = self._answer = ""
        self._message = None
        self._cost = 0.0
        place = {"cwd": assignment.workspace or self._directory, "mcpServers": []}
        if not resume:
            return self._request("session/new", place, self._opened)
        method = "session/resume" if "resume" in table(self._can, "sessionCapabilities") else "session/load"
        return self._request(method, {**place, "sessionId": resume}, lambda said: self._opened(said, resume))

    def cancel(self, turn: str) -> bytes:
        """Return what asks the agent to end the turn; what it asked is withdrawn."""
        del turn
        self._is_cancelled = True
        withdrawn = b"".join(answered(id_, {"outcome": {"outcome": "cancelled"}}) for id_, _ in self._asks.values())
        self._asks.clear()
        return withdrawn + (message({"method": "session/cancel", "params": {"sessionId": self._session}}) if self._session else b"")

    def answer(self, turn: str, ask: str, reply: Reply) -> bytes:
        """Return what answers a request for leave: the option that means it, or that there is no answer."""
        del turn
        id_, options = self._asks.pop(ask, (None, {}))
        if id_ is None:
            return b""
        wanted = {ALLOW: ("allow_once", "allow_always"), TEXT: (reply.text.strip(),)}.get(reply.decision, ("reject_once", "reject_always"))
        option = next((options[word] for word in wanted if word in options), None)
        outcome = {"outcome": "cancelled"} if option is None else {"outcome": "selected", "optionId": option}
        return answered(id_, {"outcome": outcome})

    # -- answers to what was sent -----------------------------------------------------------------------------------------

    def _greeted(self, said: Mapping[str, Any]) -> Iterator[Message]:
        found, error = table(said, "result"), error_of(said)
        version = found.get("protocolVersion")
        if error or version != VERSION:
            why = error or f"it speaks version {version} of the protocol, this engine version {VERSION}"
            yield Failure("", why, "start", retryable=False)
            return
        self._can = table(found, "agentCapabilities")
        about = table(found, "agentInfo")
        yield Hello(word_of(about, "name"), word_of(about, "version"))

    def _opened(self, said: Mapping[str, Any], name: str = "") -> Iterator[Message]:
        name = name or text_of(table(said, "result"), "sessionId")
        if (error := error_of(said)) or not name:
            needs_login = table(said, "error").get("code") == LOGIN_NEEDED
            yield Failure(self._turn, error or "it gave its session no name", "authentication" if needs_login else "start", retryable=not needs_login)
            return
        self._session, self._sessions = name, self._sessions + 1
        yield Named(self._turn, name)
        if self._is_cancelled:
            yield from self._close(Failure(self._turn, "it had not begun", "stopped"))
        else:
            prompt = {"sessionId": name, "prompt": [{"type": "text", "text": self._prompt}]}
            yield Send(self._request("session/prompt", prompt, self._ended))

    def _ended(self, said: Mapping[str, Any]) -> Iterator[Message]:
        yield from self._finish_line()
        found = table(said, "result")
        usage = {ours: value for ours, theirs in _USAGE.items() if (value := number(table(found, "usage"), theirs)) is not None}
        if self._cost:
            usage["cost"] = round(self._cost, 6)
        facts: dict[str, object] = {"session": self._session}
        reason, error = text_of(found, "stopReason"), error_of(said)
        end: Result | Failure
        if self._is_cancelled or reason == "cancelled":
            end = Failure(self._turn, "it was interrupted", "stopped" if self._is_cancelled else "interrupted", usage=usage, facts=facts)
        elif error:
            kind, retryable = kind_of_error(error)
            end = Failure(self._turn, error, kind, retryable=retryable, usage=usage, facts=facts)
        elif reason == "end_turn":
            end = Result(self._turn, self._answer, None, usage, facts)
        else:
            kind, why = _ENDS.get(reason, ("protocol", f"it ended for a reason that is not known: {cut(clean(reason), WORD_MAX)}"))
            end = Failure(self._turn, why, kind, retryable=False, usage=usage, facts=facts)
        yield from self._close(end)

    def _close(self, end: Result | Failure) -> Iterator[Message]:
        """End the turn and its session: an agent may keep a process for each. One that cannot is replaced in time."""
        session, self._turn, self._session = self._session, "", ""
        yield end
        if "close" in table(self._can, "sessionCapabilities"):
            yield Send(self._request("session/close", {"sessionId": session}, lambda _: iter(())))
        elif self._sessions >= SESSIONS_MAX:
            yield Bye()

    # -- what it says by itself -------------------------------------------------------------------------------------------

    def _requested(self, id_: object, method: str, given: Mapping[str, Any]) -> Iterator[Message]:
        if method != "session/request_permission":
            yield Send(not_offered(id_, method))
        elif not self._turn or text_of(given, "sessionId") != self._session:
            yield Send(answered(id_, {"outcome": {"outcome": "cancelled"}}))
        else:
            yield from self._finish_line()
            self._asked += 1
            options = rows(given, "options")
            means = {text_of(option, word): text_of(option, "optionId") for option in reversed(options) for word in ("name", "kind")}
            self._asks[str(self._asked)] = (id_, means)
            yield asked(self._turn, str(self._asked), table(given, "toolCall"), options)

    def _notified(self, method: str, given: Mapping[str, Any]) -> Iterator[Message]:
        if method != "session/update" or not self._turn or not self._session or text_of(given, "sessionId") != self._session:
            return  # such as the past of a session that is loaded
        update = table(given, "update")
        kind = text_of(update, "sessionUpdate")
        if kind == "agent_message_chunk":
            yield from self._written(text_of(table(update, "content"), "text"), text_of(update, "messageId"))
        elif kind in ("tool_call", "tool_call_update"):
            yield from self._finish_line()
            yield self._used(update)
        elif kind == "plan":
            yield _planned(self._turn, rows(update, "entries"))
        elif kind == "usage_update" and (cost := number(table(update, "cost"), "amount")) is not None:
            self._cost = cost
            yield Usage(self._turn, {"cost": cost})
        else:
            yield Output(self._turn, "")  # a sign of life

    def _written(self, text: str, message: str) -> Iterator[Message]:
        """Take a piece of what it writes; lines go on as they are whole, since pieces may be a few letters."""
        if message != self._message:
            self._message, self._answer = message, ""
        if len(self._answer) < TEXT_MAX:
            self._answer = cut(self._answer + clean(text), TEXT_MAX)
        *whole, self._line = (self._line + text).split("\n")
        for line in whole:
            yield Output(self._turn, clean(line) + "\n")
        if len(self._line) > PIECE_MAX:
            yield from self._finish_line()

    def _finish_line(self) -> Iterator[Message]:
        if self._line.strip():
            yield Output(self._turn, clean(self._line) + "\n")
        self._line = ""

    def _used(self, update: Mapping[str, Any]) -> Progress:
        id_ = text_of(update, "toolCallId")
        words = self._tools[id_] = cut(" ".join(clean(text_of(update, "title")).split()), SHOWN_MAX) or self._tools.get(id_, "a tool")
        given = self._given[id_] = table(update, "rawInput") or self._given.get(id_, {})
        evidence = {"completed": "done", "failed": "failed"}.get(text_of(update, "status"), "")
        if not evidence:
            return Progress(self._turn, words)
        self._message = None  # what it writes next is another message
        self._tools.pop(id_)
        self._given.pop(id_)
        return Progress(self._turn, words, evidence=evidence, call=call_of(words, given))


def asked(turn: str, ask: str, call: Mapping[str, Any], options: list[Mapping[str, Any]]) -> Ask:
    """Return a request for leave as the fleet keeps it; one without an option to allow is a question."""
    title = cut(clean(text_of(call, "title")), WORD_MAX)
    names = tuple(word_of(option, "name") for option in options)[:OPTIONS_MAX]
    if not any(text_of(option, "kind").startswith("allow") for option in options):
        return Ask(turn, ask, title or "it asks something", options=names)
    tool = word_of(call, "name") or word_of(call, "kind") or "tool"
    return Ask(turn, ask, title, tool, plain_object(table(call, "rawInput")), diff_of(rows(call, "content")))


def diff_of(content: list[Mapping[str, Any]]) -> str:
    """Return the changes of files that are among the content of a tool's use."""
    lines: list[str] = []
    for one in content:
        if text_of(one, "type") == "diff":
            old, new, path = text_of(one, "oldText").splitlines(), text_of(one, "newText").splitlines(), text_of(one, "path")
            lines += difflib.unified_diff(old, new, path, path, lineterm="")
    return cut(clean("\n".join(lines)), TEXT_MAX)


def _planned(turn: str, entries: list[Mapping[str, Any]]) -> Progress:
    done = sum(text_of(entry, "status") == "completed" for entry in entries)
    now = next((word_of(entry, "content") for entry in entries if text_of(entry, "status") == "in_progress"), "plan")
    return Progress(turn, now, done / len(entries) if entries else None, f"{done} of {len(entries)} steps of its plan")
