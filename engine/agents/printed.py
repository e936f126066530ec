"""What command lines of agents print about their work: Claude Code's `--output-format json|stream-json`, Codex's `exec --json`.

Owner: a reader, of one run. Limits: LINE_MAX_BYTES of a line are read. What is no JSON, or of another kind, is left out: other
programs may print between. Nothing a program prints raises.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from engine.agents.processes.spec import ProcessResult
from engine.agents.sessions.lines import Lines, cut
from engine.model.shielding import clean
from engine.model.tasks import Outcome

LINE_MAX_BYTES = 16 * 1024 * 1024
ERROR_CHARACTERS_MAX = 500
DENIALS_MAX = 20
STEPS_MAX = 2_000
"""Answers of models of one run whose tokens are counted before its end."""
FORMS = ("text", "claude", "codex")

_STATUS = re.compile(r"\b(?:status:?|API Error:?) (\d{3})\b")
_REFUSED = frozenset({400, 401, 403, 404, 413, 422})
"""Statuses of an HTTP answer that the same request gets again."""
_STATUS_OF = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "server_error": 500,
    "overloaded_error": 529,
}
"""What providers call their errors -> the statuses that come with them."""
_STATUS_OF_INFO = {"badRequest": 400, "unauthorized": 401, "modelNotFound": 404, "rateLimitExceeded": 429, "usageLimitExceeded": 429, "internalServerError": 500, "serverOverloaded": 529}
"""Likewise what Codex calls them."""
_STOPPED = frozenset({"stopped", "agent_lost", "engine_restart"})
"""Kinds of an end that somebody else brought about: what was printed before is no result of the task."""


@dataclass(slots=True)
class Printed:
    """What a run said of itself."""

    has_ended: bool = False
    """It said how it went: the last that it had to say."""
    is_ok: bool = False
    text: str = ""
    session: str = ""
    """What its program calls the conversation; `--resume` and `exec resume` take it."""
    error: str = ""
    kind: str = ""
    status: int = 0
    """Of the model's answer that ended it; 0 = not known."""
    retryable: bool = True
    usage: dict[str, float] = field(default_factory=dict)
    """Of all that was done so far; what it says at its end is the last word."""
    models: dict[str, dict[str, float]] = field(default_factory=dict)
    """Cost and tokens by model."""
    facts: dict[str, object] = field(default_factory=dict)


class Reader(Protocol):
    """Reads one run."""

    @property
    def printed(self) -> Printed:
        """What is known so far."""
        ...

    def feed(self, chunk: bytes) -> None:
        """Take a piece of standard output."""
        ...

    def end(self) -> None:
        """Take what came after the last line end."""
        ...


def reader_of(form: str) -> Reader | None:
    """Return a reader; None for plain text."""
    return _READERS[form]() if form in _READERS else None


def read_whole(form: str, output: bytes) -> Printed | None:
    """Return what was printed by a run whose output was kept; None for plain text."""
    reader = reader_of(form)
    if reader is None:
        return None
    reader.feed(output)
    reader.end()
    return reader.printed


class _JsonReader:
    """Cuts lines and reads objects."""

    def __init__(self) -> None:
        self.printed = Printed()
        self._lines = Lines(LINE_MAX_BYTES)

    def feed(self, chunk: bytes) -> None:
        """Take a piece of standard output."""
        for line in self._lines.feed(chunk):
            self._read(line.data)

    def end(self) -> None:
        """Take what came after the last line end."""
        for line in self._lines.end():
            self._read(line.data)

    def _read(self, data: bytes) -> None:
        if not data.lstrip().startswith((b"{", b"[")):
            return
        try:
            value = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        # `--output-format json --verbose` is one list.
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                self._take(item)

    def _take(self, item: Mapping[str, Any]) -> None:
        raise NotImplementedError


class Steps:
    """What Claude Code's models used so far, answer by answer; an answer is printed in pieces, each with all its figures."""

    def __init__(self) -> None:
        self.usage: dict[str, float] = {}
        self.models: dict[str, dict[str, float]] = {}
        self._known: dict[str, tuple[str, dict[str, float]]] = {}
        """Answer -> its model and tokens."""

    def note(self, message: Mapping[str, Any]) -> bool:
        """Count an answer, or a piece of one; tell whether that is new."""
        figures, step = _token_figures(_object(message, "usage")), _text(message, "id")
        model, before = self._known.get(step, (_text(message, "model"), {}))
        if not step or not figures or figures == before or len(self._known) >= STEPS_MAX:
            return False
        self._known[step] = (model, figures)
        more = {name: value - before.get(name, 0) for name, value in figures.items()}
        known = self.models.get(model, {})
        self.models = {**self.models, model: {**known, **{name: known.get(name, 0) + value for name, value in more.items()}}}
        self.usage = {**self.usage, **{name: self.usage.get(name, 0) + value for name, value in more.items()}, "turns": len(self._known)}
        return True


class ClaudeReader(_JsonReader):
    """Claude Code: the object of type `result` is the end; it has figures of the whole run. Messages before it tell the tokens so far."""

    def __init__(self) -> None:
        super().__init__()
        self._steps = Steps()

    def _take(self, item: Mapping[str, Any]) -> None:
        printed = self.printed
        printed.session = _text(item, "session_id") or printed.session
        if item.get("type") == "assistant":
            self._steps.note(_object(item, "message"))
            printed.usage, printed.models = self._steps.usage, self._steps.models
        if item.get("type") != "result":
            return
        printed.has_ended = True
        printed.text = _text(item, "result")
        printed.status = _whole(item.get("api_error_status"))
        used = _object(item, "usage")
        printed.usage = _token_figures(used) | _figures(cost=item.get("total_cost_usd"), turns=item.get("num_turns"))
        models = _object(item, "modelUsage")
        printed.models = {name: _model_figures(models[name]) for name in models}
        printed.facts = {"models": list(models)} if models else {}
        self._judge(item)

    def _judge(self, item: Mapping[str, Any]) -> None:
        """Say how it went. `success` stands also beside is_error, and where a tool was denied that the work needed."""
        printed, subtype = self.printed, _text(item, "subtype")
        denials = item.get("permission_denials")
        denied = [_text(one, "tool_name") for one in denials if isinstance(one, dict)][:DENIALS_MAX] if isinstance(denials, list) else []
        if denied:
            printed.facts["denied"] = denied
        printed.is_ok = item.get("is_error") is False and subtype == "success" and not denied
        if printed.is_ok:
            return
        printed.error = printed.text or subtype
        if item.get("is_error") is False and subtype == "success":
            printed.kind, printed.retryable = "permission_denied", False
            printed.error = f"it was not allowed to use {', '.join(dict.fromkeys(denied))}: {printed.text}"
        elif subtype.startswith("error_max_"):
            printed.kind, printed.retryable = subtype.removeprefix("error_"), False
        else:
            _judge_by_status(printed)


def claude_result(item: Mapping[str, Any]) -> Printed:
    """Return what an object of type `result` says of a turn; figures of cost are of the whole conversation so far."""
    reader = ClaudeReader()
    reader._take(item)  # noqa: SLF001  # of this module
    return reader.printed


class CodexReader(_JsonReader):
    """Codex: `turn.completed` or `turn.failed` is the end; the answer is the last message before it. It tells no cost."""

    def _take(self, item: Mapping[str, Any]) -> None:
        printed = self.printed
        match item.get("type"):
            case "thread.started":
                printed.session = _text(item, "thread_id")
            case "turn.started":
                printed.has_ended = False
            case "item.completed" if _text(_object(item, "item"), "type") == "agent_message":
                printed.text = _text(_object(item, "item"), "text")
            case "error":
                # While it reconnects, too: the last one counts, and only if the turn does not end well.
                printed.error, printed.status = _message(_text(item, "message"))
            case "turn.completed":
                printed.has_ended = printed.is_ok = True
                self._count(_object(item, "usage"))
            case "turn.failed":
                printed.has_ended, printed.is_ok = True, False
                if said := _text(_object(item, "error"), "message"):
                    printed.error, printed.status = _message(said)
                _judge_by_status(printed)

    def _count(self, used: Mapping[str, Any]) -> None:
        """Add a turn's usage. What Codex calls input has what came from the cache, too."""
        read, cached = used.get("input_tokens"), used.get("cached_input_tokens")
        found = _figures(
            input_tokens=read - cached if isinstance(read, int) and isinstance(cached, int) else read,
            output_tokens=used.get("output_tokens"),
            cache_read_tokens=cached,
            cache_write_tokens=used.get("cache_write_input_tokens"),
            reasoning_tokens=used.get("reasoning_output_tokens"),
            turns=1,
        )
        self.printed.usage = {name: self.printed.usage.get(name, 0) + value for name, value in found.items()}


_READERS: dict[str, type[_JsonReader]] = {"claude": ClaudeReader, "codex": CodexReader}


def judge(outcome: Outcome, printed: Printed, result: ProcessResult) -> Outcome:
    """Return the outcome of a run by what it said of itself; its end counts where it said nothing, or was stopped by somebody."""
    usage = {**outcome.usage, **printed.usage}
    outcome = msgspec.structs.replace(outcome, models=printed.models)
    if outcome.error_kind in _STOPPED:
        return msgspec.structs.replace(outcome, usage=usage)
    if not printed.has_ended:
        kind = "no_result" if outcome.ok else outcome.error_kind
        error = f"{result.describe_end()}, and it did not say how it went" if outcome.ok else outcome.error
        said = f"{error}; last it said: {clean(printed.error)}" if printed.error else error
        return msgspec.structs.replace(outcome, ok=False, error_kind=kind, error=cut(said, ERROR_CHARACTERS_MAX), usage=usage)
    error = "" if printed.is_ok else cut(clean(printed.error) or result.describe_end(), ERROR_CHARACTERS_MAX)
    kind = "" if printed.is_ok else printed.kind or "agent_error"
    return msgspec.structs.replace(outcome, ok=printed.is_ok, error_kind=kind, error=error, retryable=printed.retryable, usage=usage)


def told(printed: Printed, kept: Mapping[str, object]) -> dict[str, object]:
    """Return a result with what was said instead of all that was printed; the task's log has that."""
    if not printed.has_ended and not printed.text:
        return {**kept, **({"session": printed.session} if printed.session else {})}
    rest = {key: value for key, value in kept.items() if key not in ("stdout", "truncated_output")}
    return {"text": printed.text, **({"session": printed.session} if printed.session else {}), **printed.facts, **rest}


def kind_of_error(text: str) -> tuple[str, bool]:
    """Return what kind an error of a model is by what was said of it, and whether another attempt may help."""
    printed = Printed(error=text)
    _judge_by_status(printed)
    return printed.kind, printed.retryable


def kind_of_status(status: int) -> tuple[str, bool]:
    """Return what kind an error of a model is by the status of its answer, and whether another attempt may help."""
    printed = Printed(status=status)
    _judge_by_status(printed)
    return printed.kind, printed.retryable


def codex_error(text: str, info: object) -> tuple[str, str, bool]:
    """Return what Codex says went wrong: the sentence, its kind, and whether another attempt may help. `info` is its codexErrorInfo."""
    sentence, status = _message(text)
    if isinstance(info, str):
        status = status or _STATUS_OF_INFO.get(info, 0)
    elif isinstance(info, dict):
        status = status or next((_whole(_object(info, name).get("httpStatusCode")) for name in info), 0)
    printed = Printed(error=sentence, status=status)
    _judge_by_status(printed)
    return cut(clean(sentence), ERROR_CHARACTERS_MAX), printed.kind, printed.retryable


def _judge_by_status(printed: Printed) -> None:
    found = _STATUS.search(printed.error)
    status = printed.status or (int(found[1]) if found else 0)
    printed.status = status
    if status in (429, 529):
        printed.kind = "rate_limit"
    elif status in (401, 403):
        printed.kind = "authentication"
    else:
        printed.kind = "api_error" if status else "agent_error"
    printed.retryable = status not in _REFUSED


def _message(text: str) -> tuple[str, int]:
    """Return the sentence and the status of an error, which Codex passes on as it was sent: JSON in a text; status 0 = not said."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text, 0
    error = _object(value, "error") if isinstance(value, dict) else {}
    return _text(error, "message") or text, _STATUS_OF.get(_text(error, "type"), 0)


def _token_figures(used: Mapping[str, Any]) -> dict[str, float]:
    return _figures(
        input_tokens=used.get("input_tokens"),
        output_tokens=used.get("output_tokens"),
        cache_read_tokens=used.get("cache_read_input_tokens"),
        cache_write_tokens=used.get("cache_creation_input_tokens"),
    )


def _model_figures(found: object) -> dict[str, float]:
    used = found if isinstance(found, dict) else {}
    return _figures(
        input_tokens=used.get("inputTokens"),
        output_tokens=used.get("outputTokens"),
        cache_read_tokens=used.get("cacheReadInputTokens"),
        cache_write_tokens=used.get("cacheCreationInputTokens"),
        cost=used.get("costUSD"),
    )


def _object(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _text(value: Mapping[str, Any], key: str) -> str:
    found = value.get(key)
    return found if isinstance(found, str) else ""


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _figures(**given: object) -> dict[str, float]:
    """Return the figures that are numbers from 0 on."""
    return {
        name: round(value, 6) for name, value in given.items() if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e15
    }
