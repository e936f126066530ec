"""The commands that only look: get, watch, log, result, can-i.

Owner: nobody; each run has its own connection. Limits: an engine gives at most its own limit of rows and of log bytes;
`watch` keeps one frame.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.clock import SystemClock
from engine.model.errors import CommandRefused, EngineUnavailable, FleetError, NotFound, UsageError
from engine.model.rows import ROW_KINDS, EventRow, Frame
from engine.model.tasks import FINISHED, TaskState
from engine.model.wire import to_plain
from fleet_tui import output
from fleet_tui.acts import operator_at
from fleet_tui.attach import require_address
from fleet_tui.settings import Address, Paths

ALIASES = {
    "pools": ("pool", "po"),
    "agents": ("agent", "ag"),
    "tasks": ("task", "ta"),
    "hosts": ("host", "ho"),
    "engines": ("engine", "en"),
    "regions": ("region", "rg"),
    "plugins": ("plugin", "plg"),
    "plans": ("plan", "pl"),
    "policies": ("policy", "pol"),
    "scaling": ("scaler", "sc"),
    "advice": ("savings",),
    "questions": ("question", "qs"),
    "reviews": ("review", "rv"),
    "budgets": ("budget", "bu"),
    "gangs": ("gang", "ga"),
    "boosters": ("booster", "bo"),
    "instances": ("instance", "in"),
    "modules": ("module", "mo"),
    "proposals": ("proposal", "votes", "vo"),
    "swarms": ("swarm", "sw"),
    "sessions": ("session", "ss"),
    "routes": ("route", "rt"),
    "alerts": ("alert", "al"),
    "rules": ("rule", "ru"),
    "silences": ("silence", "si"),
    "channels": ("channel", "ch"),
    "notifications": ("notification", "no"),
    "dead-events": ("dead-event", "de"),
    "audit": ("audits", "au"),
    "events": ("event", "ev"),
    "status": ("st",),
}
"""What people type for a kind."""

IN_FULL = {"pools": "pool", "agents": "agent", "tasks": "task", "questions": "question", "reviews": "review", "proposals": "proposal", "alerts": "alert", "swarms": "swarm", "sessions": "session", "routes": "route"}
"""Kinds of which one thing can be asked for in full, and the word of that question."""

ROWS_DEFAULT = 1_000


def kind_of(word: str) -> str:
    """Return the kind that a word means. Raises UsageError with the nearest one."""
    for kind, aliases in ALIASES.items():
        if word.lower() in (kind, *aliases):
            return kind
    known = [name for kind, aliases in ALIASES.items() for name in (kind, *aliases)]
    close = difflib.get_close_matches(word.lower(), known, n=1)
    raise UsageError(f"no kind {word!r}{f'; did you mean {close[0]!r}?' if close else ''}; there are {', '.join(ALIASES)}")


# ---- get


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows, and in which form: table, wide, json or csv."""

    form: str = "table"
    expression: str = ""
    """Words that a row must have: `word`, `!word`, `field=value`; the engine reads them."""
    limit: int = ROWS_DEFAULT


def get(paths: Paths, word: str, name: str, wanted: Wanted) -> None:
    """Print rows of a kind, or one thing in full. Raises FleetError."""
    kind = kind_of(word)
    socket = require_address(paths)
    if wanted.form == "csv" and kind == "status":
        raise UsageError("status is one thing and no rows: -o json")
    if kind == "status":
        _print_one(asyncio.run(_ask(socket, "status")), wanted.form)
    elif name and kind in IN_FULL and wanted.form != "csv":
        _print_one(asyncio.run(_ask(socket, IN_FULL[kind], id=name)), wanted.form)
    else:
        if name:
            wanted = replace(wanted, expression=f"{wanted.expression} id={name}")
        rows = asyncio.run(_rows(socket, kind, wanted))
        if name and not rows:
            raise NotFound(f"no {kind} {name!r}; `fleet-tui get {kind}` lists them")
        _print_rows(kind, rows, wanted)


async def _ask(socket: Address, what: str, **parameters: object) -> Any:  # noqa: ANN401  # JSON is any
    async with operator_at(socket) as operator:
        return to_plain(await operator.query(what, **parameters))


async def _rows(socket: Address, kind: str, wanted: Wanted) -> list[dict[str, Any]]:
    async with operator_at(socket) as operator:
        rows = await operator.query(kind, limit=wanted.limit, filter=wanted.expression)
    assert isinstance(rows, Sequence)
    return [output.to_object(kind, row) for row in rows]


def _print_one(thing: dict[str, Any], form: str) -> None:
    if form == "json":
        output.print_json(thing)
    else:
        output.print_lines(output.outline(thing, SystemClock().now()))


def _print_rows(kind: str, rows: list[dict[str, Any]], wanted: Wanted) -> None:
    if wanted.form == "json":
        output.print_json(rows)
    elif wanted.form == "csv":
        from screens.export import csv_of, sheet_of

        output.print_lines([csv_of(sheet_of(kind, [[row[name] for name in ROW_KINDS[kind]._fields] for row in rows])).rstrip("\n")])
    elif rows:
        output.print_lines(output.table(kind, rows, now=SystemClock().now(), wide=wanted.form == "wide"))
    else:
        output.say(f"no {kind}")
    if len(rows) == wanted.limit:
        output.say(f"these are {wanted.limit} rows, there may be more: --limit, --filter")


def explain(paths: Paths, word: str, name: str, *, form: str) -> None:
    """Print why a thing is as it is, and what that rests on. Raises FleetError."""
    kind = kind_of(word)
    found = asyncio.run(_ask(require_address(paths), "explain", kind=kind, id=name))
    if form == "json":
        output.print_json(found)
    else:
        output.print_lines(output.explanation_lines(found))


# ---- watch


class _Enough(Exception):
    """As many lines as were asked for have been printed."""


def watch(paths: Paths, words: Sequence[str], *, form: str, seconds: float, count: int) -> None:
    """Print what happens from now on, a line each, until interrupted, or for some seconds or lines (0 = no limit)."""
    kinds = [kind_of(word) for word in words] or ["events"]
    if "status" in kinds:
        raise UsageError("status cannot be watched; `fleet-tui get status` prints it")
    socket = require_address(paths)
    with contextlib.suppress(_Enough):
        asyncio.run(_watch_for(socket, kinds, seconds, _Printer(form, count)))


async def _watch_for(socket: Address, kinds: Sequence[str], seconds: float, printer: _Printer) -> None:
    limit = asyncio.timeout(seconds or None)
    try:
        async with limit:
            while True:
                await _watch_once(socket, kinds, printer)
    except TimeoutError:
        if not limit.expired():
            raise


async def _watch_once(socket: Address, kinds: Sequence[str], printer: _Printer) -> None:
    """Print frames of one connection. Returns when it was lost after the first of them."""
    has_begun = False
    try:
        async with operator_at(socket) as operator, operator.follow(kinds) as feed:
            async for frame in feed:
                has_begun = True
                printer.show(frame)
        raise EngineUnavailable("the engine has stopped")
    except (CommandRefused, EngineUnavailable) as error:
        # A reader that pauses (less) outlasts the engine's patience; a feed that never began is another matter.
        if not has_begun:
            raise
        output.say(f"{error}; following again, something may be missing")


class _Printer:
    """Prints what is new in frames. Owner: of the number of the last event that was seen, and of lines."""

    def __init__(self, form: str, count: int) -> None:
        self._form = form
        self._count = count
        self._printed = 0
        self._seen = -1

    def show(self, frame: Frame) -> None:
        """Print a frame. Raises _Enough."""
        if self._seen < 0:
            # What the first frame brings was there before.
            self._seen = frame.seq
        lines = list(self._new_lines(frame))
        self._seen = max(self._seen, frame.seq)
        if self._count:
            lines = lines[: self._count - self._printed]
        self._printed += len(lines)
        if lines:
            output.print_lines(lines)
        if frame.events_left_out and not frame.full:
            output.say(f"{frame.events_left_out} events left out")
        if self._count and self._printed >= self._count:
            raise _Enough

    def _new_lines(self, frame: Frame) -> Iterator[str]:
        is_json = self._form == "json"
        for event in frame.events:
            if _number_of(event) > self._seen:
                yield _json_line("events", event) if is_json else output.event_line(event)
        if frame.full:
            return
        for kind, rows in frame.rows.items():
            for row in rows:
                yield _json_line(kind, row) if is_json else _row_line(kind, row, frame.at)
        for kind, names in frame.removed.items():
            for name in names:
                yield json.dumps({"kind": kind, "removed": name}) if is_json else f"{kind}  {name}  removed"


def _number_of(event: EventRow) -> float:
    """Return an event's place in the journal; one without a number is always new."""
    number = event.id.rpartition("_")[2]
    return int(number) if number.isdecimal() else float("inf")


def _json_line(kind: str, row: object) -> str:
    # The row within: some kinds have a field `kind` of their own.
    return json.dumps({"kind": kind, "row": output.to_object(kind, row)}, ensure_ascii=False)


def _row_line(kind: str, row: object, now: float) -> str:
    fields = output.to_object(kind, row)
    return output.GAP.join([kind, *(output.cell(name, fields[name], now) for name in output.COLUMNS[kind].split())])


# ---- log and result


LOG_PAUSE_S = 0.5
"""Between two looks at a log that is followed."""


def show_log(paths: Paths, name: str, *, follows: bool) -> None:
    """Print what a task's program wrote, or that of an agent's present task; as it grows until the task has ended, if so wished. Raises FleetError."""
    if follows:
        asyncio.run(_follow_log(require_address(paths), name))
        return
    log = asyncio.run(_ask(require_address(paths), "log", id=name))
    if log["left_out"]:
        output.say(f"the first {log['left_out']} bytes are left out")
    if log["text"]:
        print_text(log["text"])
    if log["note"] and not log["text"]:
        raise FleetError(log["note"])
    if log["note"] or not log["text"]:
        output.say(log["note"] or f"{log['task']} wrote nothing")


async def _follow_log(socket: Address, name: str) -> None:
    clock, printer = SystemClock(), _LogPrinter()
    async with operator_at(socket) as operator:
        log = to_plain(await operator.query("log", id=name))
        while not printer.show(log):
            if log["attempt"] == printer.attempt:
                await clock.sleep(LOG_PAUSE_S)
            log = to_plain(await operator.query("log", id=log["task"], after=printer.place))


class _LogPrinter:
    """Prints what is new in a log. Owner: of how far it was printed, of which attempt."""

    def __init__(self) -> None:
        self.attempt = -1
        self.place = 0
        self._rest = self._note = ""
        self._has_ended = False

    def show(self, log: Mapping[str, Any]) -> bool:
        """Print what came since the last call; return whether the task has ended and nothing came."""
        if log["attempt"] != self.attempt:
            self._flush()
            is_first, self.attempt, self.place = self.attempt < 0, log["attempt"], 0
            if not is_first:
                output.say(f"attempt {self.attempt}")
                return False  # what came is after a place in the log of the former one
        if log["left_out"] > self.place:
            output.say(f"{log['left_out'] - self.place} bytes are left out")
        if log["note"] != self._note:
            self._note = log["note"]
            output.say(self._note or f"all of it is here again, from host {log['host']}")
        *lines, self._rest = (self._rest + log["text"]).split("\n")
        if lines:
            print_text("\n".join([*lines, ""]))
        is_over = self._has_ended and log["bytes"] == self.place
        self.place, self._has_ended = log["bytes"], log["state"] in FINISHED
        if is_over:
            self._flush()
        return is_over

    def _flush(self) -> None:
        if self._rest:
            print_text(self._rest)
        self._rest = ""


def print_text(text: str) -> None:
    """Write text of an agent to stdout; a terminal gets no control characters, a file gets it as it is."""
    output.print_lines([(output.clean_lines(text) if sys.stdout.isatty() else text).removesuffix("\n")])


def show_result(paths: Paths, task: str, field: str, *, form: str) -> None:
    """Print a task's result, or one field of it. Raises FleetError for a task that has none."""
    thing, result = asyncio.run(_result(require_address(paths), task))
    if form == "json":
        output.print_json({**thing, "result": result})
    elif field:
        value = result.get(field) if isinstance(result, dict) else None
        if value is None:
            known = ", ".join(result) if isinstance(result, dict) else "none"
            raise UsageError(f"the result of {task} has no field {field!r}; it has {known}")
        print_text(value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False))
    else:
        output.print_json(result)
    if thing["state"] != TaskState.SUCCEEDED:
        raise FleetError(f"{task} {thing['state']}: {output.clean(str(thing['reason']))}")


async def _result(socket: Address, task: str) -> tuple[dict[str, Any], object]:
    """Return a task in full and its result, from the artifacts when it is large. Raises CommandRefused while it runs."""
    async with operator_at(socket) as operator:
        thing = to_plain(await operator.query("task", id=task))
        if thing["state"] not in FINISHED:
            raise CommandRefused(f"{task} is {thing['state']}, it has no result yet: try later, or submit with --wait")
        if not thing.get("artifact"):
            return thing, thing["result"]
        stored = await operator.query("artifact", id=thing["artifact"])
    assert isinstance(stored, dict)
    return thing, stored["data"]


# ---- cost


def show_cost(paths: Paths, last: str, *, form: str) -> None:
    """Print what work has used against its limits, and what the pools cost. Raises UsageError for a length of time that is none."""
    from engine.model.quantities import seconds
    from screens.present_costs import cost_lines
    from screens.present_spending import spending_lines
    from screens.widgets.cells import ASCII

    report = asyncio.run(_report(require_address(paths), seconds(last)))
    if form == "json":
        output.print_json(report)
        return
    lines = [*spending_lines(report["used"], ASCII), (), *cost_lines(report, ASCII)]
    output.print_lines("".join(cell if isinstance(cell, str) else cell.text for cell in line).rstrip() for line in lines)


async def _report(socket: Address, last_s: int) -> dict[str, Any]:
    async with operator_at(socket) as operator:
        answer = to_plain(await operator.query("cost", last_s=last_s))
        used = to_plain(await operator.query("spending"))
    assert isinstance(answer, dict)
    return {**answer, "used": used}


# ---- can-i


def show_can_i(paths: Paths, word: str, target: str, *, form: str) -> None:
    """Print what this account may ask for. Raises CommandRefused for one verb that it may not."""
    verbs = asyncio.run(_outlook(require_address(paths), word, target))
    if form == "json":
        output.print_json(verbs)
    else:
        output.print_lines(line for verb in verbs for line in _said_of(verb))
    if word and not verbs[0]["may"]:
        raise CommandRefused("" if form == "json" else "no: " + output.clean(str(verbs[0]["why"])))


async def _outlook(socket: Address, word: str, target: str) -> list[dict[str, Any]]:
    async with operator_at(socket) as operator:
        answer = to_plain(await operator.query("can-i", verb=word, target=target))
    assert isinstance(answer, list)
    return answer


def _said_of(verb: dict[str, Any]) -> list[str]:
    said = [str(text) for text in (verb["why"], *verb["conditions"]) if text] or [str(verb["help"])]
    firsts = [f"{'yes' if verb['may'] else 'no':<4} {verb['verb']:<12}", *[" " * 17] * (len(said) - 1)]
    return [f"{first} {output.clean(text)}" for first, text in zip(firsts, said, strict=True)]


assert ALIASES.keys() == {*ROW_KINDS, "status"}
