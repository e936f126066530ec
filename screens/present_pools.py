"""The document of a pool: how it is, and what it is made of; pure."""

from __future__ import annotations

from screens.present import age, megabytes, meter_cell, unknown
from screens.present_text import METER_WIDTH, Data, Lines, field_line, part, words_or_dash
from screens.widgets.cells import Cell, Glyphs
from screens.widgets.cells import Row as Cells

KINDS = {
    "python": "python: light agents in worker processes",
    "command": "command: a program for each task",
    "session": "session: a program kept over tasks",
    "openai": "openai: a model over HTTP",
    "a2a": "a2a: somebody else's agent over HTTP",
    "booster": "booster: WebAssembly sandboxes in worker processes",
}
"""Kinds of pools in words."""


def pool_info(data: Data, now: float, glyphs: Glyphs) -> Lines:
    """Return what a pool is configured to be and how it is."""
    spec = data["spec"]
    size = f"{data['agents']} of {data['size']} agents, may have {data['min']} to {data['max']}"
    now_lines = [
        field_line("size", size),
        field_line("in use", meter_cell(data["busy"], data["agents"], METER_WIDTH, glyphs)),
        field_line("agents", words_or_dash((f"{number} {word}" for word, number in data["by_status"].items() if number), glyphs)),
        field_line("tasks", words_or_dash((f"{number} {word}" for word, number in data["by_state"].items() if number), glyphs)),
        field_line("oldest waits", age(now - data["oldest_pending_at"]) if data["oldest_pending_at"] else unknown(glyphs)),
        field_line("since made", f"{data['succeeded']:,} done, {data['failed']:,} failed, {data['dead']:,} dead, {data['retried']:,} retried"),
        *([field_line("paused", Cell("places no tasks; f unpauses it", "warn"))] if data["paused"] else []),
        *([field_line("reason", Cell(data["reason"], "bad"))] if data["reason"] not in ("", "paused") else []),
    ]
    resources = spec["resources"]
    made_of = [
        field_line("kind", KINDS.get(spec["kind"], spec["kind"])),
        field_line("type", spec["type"] or unknown(glyphs)),
        field_line("priority", str(spec["priority"])),
        field_line("capabilities", words_or_dash(spec["capabilities"], glyphs)),
        field_line("each may use", f"{megabytes(resources['memory'])}, {resources['cpu']:g} cores"),
        field_line("cost", f"{spec['cost']:g} a second of work" if spec["cost"] else unknown(glyphs)),
        _works_by(spec),
    ]
    return [*now_lines, (), *part("Made of", made_of)]


def _works_by(spec: Data) -> Cells:
    """Return what does a pool's work: a handler, a program, or a model."""
    if model := spec.get("openai"):
        return field_line("model", f"{model['model']} at {model['base_url']}")
    if agent := spec.get("a2a"):
        return field_line("agent", agent["url"])
    program = spec["command"] or spec.get("session")
    if not program:
        return field_line("handler", spec["handler"] or "built-in operations")
    return field_line("program", " ".join(program["argv"]) or program["protocol"])
