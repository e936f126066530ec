"""Claude Code as a session: its stream of JSON lines, with leave for tools asked over the same pipes (docs/agents.md).

Owner: `ClaudeStream`, of one process's conversation: what it asks and was not told yet. Limits: LINE_MAX_BYTES a line. Every task
begins a conversation of its own in the warm process (`/clear`), unless it goes on with an earlier one. What Claude Code says that
is of no interest here, such as its many `system` messages, is passed over; what cannot be read is Noise.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from engine.agents.printed import Printed, Steps, claude_result
from engine.agents.sessions.fields import call_of, rows, table, text_of
from engine.agents.sessions.lines import Line, Lines, cut
from engine.agents.sessions.messages import (
    Bye,
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
from engine.agents.sessions.objects import LINE_MAX_BYTES, SHOWN_MAX, read_object
from engine.model import wire
from engine.model.effects import Assignment
from engine.model.plain import plain_object
from engine.model.questions import ALLOW, Ask, Reply
from engine.model.shielding import clean

PROGRAM = "claude"
FLAGS = ("-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose", "--permission-prompt-tool", "stdio", "--strict-mcp-config")
TEXT_MAX = 64 * 1024
WORD_MAX = 500
OPTIONS_MAX = 20
QUESTION_TOOL = "AskUserQuestion"
DENIED = "The operator does not allow it."


class ClaudeStream:
    """Reads and writes the stream."""

    runs_in_workspace = True
    inherits: tuple[str, ...] = ("ANTHROPIC_*", "CLAUDE_CONFIG_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE")

    def __init__(self) -> None:
        self._lines = Lines(LINE_MAX_BYTES)
        self._turn = ""
        self._asks: dict[str, dict[str, Any]] = {}
        """Requests that wait for an answer, as they came: the agent gets back what it sent. By the number that they go by here."""
        self._asked = 0
        self._tools: dict[str, str] = {}
        self._steps = Steps()
        """Uses of tools in this turn that have not ended, in words."""
        self._denied: set[str] = set()
        """Uses of tools in this turn that somebody denied."""
        self._cost = 0.0
        """Of the conversation so far: what it tells is a sum."""
        self._turns = 0
        self._clears = 0
        """Conversations that were ended and did not say so yet."""
        self._is_cancelled = False
        self._take: dict[str, Callable[[Mapping[str, Any]], Iterator[Message]]] = {
            "control_response": self._take_response,
            "control_request": self._take_request,
            "assistant": self._take_words,
            "user": self._take_results,
            "system": self._take_system,
            "result": self._take_result,
        }

    @staticmethod
    def command(argv: tuple[str, ...], resume: str) -> tuple[str, ...]:
        """Return what to run; `resume` names a conversation to go on with."""
        words = argv or (PROGRAM,)
        return (*words, *FLAGS, *(("--resume", resume) if resume else ()))

    def hello(self, agent: str, pool: str, directory: str) -> bytes:
        """Return the request that opens control of the process; nothing is asked of a model by it."""
        del directory
        return _line({"type": "control_request", "request_id": f"hello {agent} {pool}", "request": {"subtype": "initialize", "hooks": None}})

    def hear(self, chunk: bytes) -> Iterable[Message]:
        """Take what the process printed."""
        for line in self._lines.feed(chunk):
            if line.left_out or line.data.strip():
                yield from self._read(line)

    def task(self, turn: str, assignment: Assignment, prompt: str, env: dict[str, str], resume: str) -> bytes:
        """Return what begins a turn, in a new conversation but for the process's first; that goes on with what it was started with."""
        del assignment, env, resume
        self._turn, self._is_cancelled = turn, False
        self._tools.clear()
        self._steps = Steps()
        self._asks.clear()
        self._denied.clear()
        self._turns += 1
        self._clears += self._turns > 1
        return (_said("/clear") if self._turns > 1 else b"") + _said(prompt)

    def cancel(self, turn: str) -> bytes:
        """Return what interrupts the turn."""
        self._is_cancelled = True
        return _line({"type": "control_request", "request_id": f"cancel {turn}", "request": {"subtype": "interrupt"}})

    def answer(self, turn: str, ask: str, reply: Reply) -> bytes:
        """Return what answers a request to use a tool, or a question."""
        del turn
        request = self._asks.pop(ask, None)
        if request is None:
            return b""
        given = request["input"]
        if reply.decision == ALLOW:
            answer: dict[str, Any] = {"behavior": "allow", "updatedInput": given}
        elif request["tool_name"] == QUESTION_TOOL and reply.text:
            answer = {"behavior": "allow", "updatedInput": {**given, "answers": _answers(given, reply.text)}}
        else:
            self._denied.add(request["tool_use_id"])
            answer = {"behavior": "deny", "message": reply.text or DENIED}
        return _line({"type": "control_response", "response": {"subtype": "success", "request_id": request["id"], "response": answer}})

    def bye(self) -> bytes:
        """Return nothing: the end of its input ends it."""
        return b""

    # -- what it says -----------------------------------------------------------------------------------------------------

    def _read(self, line: Line) -> Iterator[Message]:
        said = read_object(line)
        if not isinstance(said, dict):
            yield said
            return
        take = self._take.get(text_of(said, "type"))
        if take is not None:
            yield from take(said)

    def _take_response(self, said: Mapping[str, Any]) -> Iterator[Message]:
        response = table(said, "response")
        if text_of(response, "request_id").startswith("hello "):
            if text_of(response, "subtype") == "success":
                yield Hello("Claude Code")
            else:
                yield Failure("", f"it does not open its control: {cut(clean(text_of(response, 'error')), WORD_MAX)}", "start")

    def _take_request(self, said: Mapping[str, Any]) -> Iterator[Message]:
        id_, request = text_of(said, "request_id"), table(said, "request")
        if text_of(request, "subtype") != "can_use_tool" or not self._turn:
            why = f"{text_of(request, 'subtype')} is of no use here now"
            yield Send(_line({"type": "control_response", "response": {"subtype": "error", "request_id": id_, "error": why}}))
            return
        self._asked += 1
        ask = str(self._asked)
        self._asks[ask] = {
            "id": id_, "tool_name": text_of(request, "tool_name"), "input": table(request, "input"), "tool_use_id": text_of(request, "tool_use_id"),
        }  # fmt: skip
        yield asked(self._turn, ask, request)

    def _take_words(self, said: Mapping[str, Any]) -> Iterator[Message]:
        """Take what the model said: texts for people, and the tools that it uses. What its helpers say stays with them."""
        if self._turn and self._steps.note(table(said, "message")):
            yield Usage(self._turn, self._steps.usage, self._steps.models)
        if not self._turn or said.get("parent_tool_use_id"):
            return
        for block in _blocks(said):
            if block.get("type") == "text" and (text := clean(text_of(block, "text"))).strip():
                yield Output(self._turn, cut(text, TEXT_MAX) + ("" if text.endswith("\n") else "\n"))
            elif block.get("type") == "tool_use":
                words = tool_words(text_of(block, "name"), table(block, "input"))
                self._tools[text_of(block, "id")] = words
                yield Progress(self._turn, words, call=call_of(text_of(block, "name"), table(block, "input")))

    def _take_results(self, said: Mapping[str, Any]) -> Iterator[Message]:
        for block in _blocks(said):
            words = self._tools.pop(text_of(block, "tool_use_id"), "")
            if words and block.get("type") == "tool_result":
                yield Progress(self._turn, words, evidence="failed" if block.get("is_error") is True else "done")

    def _take_system(self, said: Mapping[str, Any]) -> Iterator[Message]:
        if self._turn and said.get("subtype") == "init" and (name := text_of(said, "session_id")):
            yield Named(self._turn, name)
        if self._turn and said.get("subtype") == "api_retry":
            wait_ms = said.get("retry_delay_ms")
            wait = f", again in {wait_ms / 1000:.0f} s" if isinstance(wait_ms, int | float) else ""
            yield Degraded(self._turn, f"the model does not answer: attempt {said.get('attempt')} of {said.get('max_retries')}{wait}")

    def _take_result(self, said: Mapping[str, Any]) -> Iterator[Message]:
        printed = claude_result(said)
        before, self._cost = self._cost, printed.usage.get("cost", 0.0)
        if said.get("local_command") == "clear" and self._clears:
            self._clears -= 1
            return
        if not self._turn:
            return
        usage = printed.usage | ({"cost": round(self._cost - before if self._cost >= before else self._cost, 6)} if "cost" in printed.usage else {})
        turn, self._turn = self._turn, ""
        yield self._ended(turn, printed, usage, said)
        if printed.kind.startswith("max_"):
            yield Bye()  # the limit is that of the process: its next turns would end like this one

    def _ended(self, turn: str, printed: Printed, usage: dict[str, float], said: Mapping[str, Any]) -> Result | Failure:
        facts: dict[str, object] = {**({"session": printed.session} if printed.session else {}), **printed.facts}
        if self._is_cancelled:
            return Failure(turn, "it was interrupted", "stopped", usage=usage, facts=facts)
        if text_of(said, "terminal_reason").startswith("aborted"):
            return Failure(turn, "it was interrupted from outside", "interrupted", usage=usage, facts=facts)
        if printed.kind == "permission_denied" and self._was_told(said):
            return Result(turn, clean(printed.text), None, usage, facts)
        if not printed.is_ok:
            return Failure(turn, cut(clean(printed.error), TEXT_MAX) or "it failed", printed.kind or "agent", retryable=printed.retryable, usage=usage, facts=facts)
        return Result(turn, clean(printed.text), None, usage, facts)

    def _was_told(self, said: Mapping[str, Any]) -> bool:
        """Tell whether all that it could not use was denied by somebody who was asked: it knew, and went on without."""
        denials = said.get("permission_denials")
        return isinstance(denials, list) and all(isinstance(one, dict) and one.get("tool_use_id") in self._denied for one in denials)


def asked(turn: str, ask: str, request: Mapping[str, Any]) -> Ask:
    """Return a request to use a tool as the fleet keeps it; a tool that asks people something is a question."""
    tool, given = cut(clean(text_of(request, "tool_name")), WORD_MAX), plain_object(table(request, "input"))
    if tool == QUESTION_TOOL:
        questions = _questions(given)
        text = "\n".join(cut(clean(text_of(one, "question")), TEXT_MAX // 8) for one in questions)
        labels = [cut(clean(text_of(option, "label")), WORD_MAX) for one in questions for option in rows(one, "options")]
        return Ask(turn, ask, text or "it asks something", options=tuple(labels[:OPTIONS_MAX]))
    return Ask(turn, ask, cut(clean(text_of(request, "description")), TEXT_MAX), tool or "unknown tool", given, cut(clean(diff_of(tool, given)), TEXT_MAX))


def diff_of(tool: str, given: Mapping[str, Any]) -> str:
    """Return what a tool would change in a file, as far as its arguments say; empty for one that changes none."""
    path = text_of(given, "file_path") or text_of(given, "notebook_path")
    edits = [given] if tool == "Edit" else rows(given, "edits") if tool == "MultiEdit" else []
    if tool in ("Write", "NotebookEdit"):
        edits = [{"new_string": text_of(given, "content") or text_of(given, "new_source")}]
    lines: list[str] = []
    for edit in edits:
        old, new = text_of(edit, "old_string").splitlines(), text_of(edit, "new_string").splitlines()
        found = list(difflib.unified_diff(old, new, path, path, lineterm=""))
        lines += found[2:] if lines else found
    return "\n".join(lines)


def tool_words(tool: str, given: Mapping[str, Any]) -> str:
    """Return the use of a tool in a line: its name and its first text."""
    texts = [value for value in given.values() if isinstance(value, str)]
    return cut(" ".join(clean(": ".join([tool, *texts[:1]])).split()), SHOWN_MAX)


def _answers(given: Mapping[str, Any], text: str) -> dict[str, str]:
    """Return the reply to each question: a line of it, or all of it where there are fewer lines than questions."""
    questions, lines = _questions(given), text.splitlines()
    each = lines if len(lines) == len(questions) else [text] * len(questions)
    return {text_of(one, "question"): answer for one, answer in zip(questions, each, strict=True)}


def _questions(given: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return rows(given, "questions")


def _blocks(said: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return rows(table(said, "message"), "content")


def _said(text: str) -> bytes:
    return _line({"type": "user", "message": {"role": "user", "content": text}})


def _line(message: dict[str, object]) -> bytes:
    return wire.encode(message) + b"\n"
