"""What agents ask, in words; pure."""

from __future__ import annotations

from engine.model.questions import shown
from screens.present import age
from screens.present_text import Data, Lines, diff_lines, field_line, part
from screens.widgets.cells import Cell


def asked_lines(task: Data, now: float) -> Lines:
    """Return what a task's agent asks, in full."""
    return [line for question in task.get("questions", {}).values() for line in _question(question, now)]


def _question(question: Data, now: float) -> Lines:
    """Return a question in full: its words, or the tool with every argument, exactly as they are, and the diff in colours."""
    ask = question["ask"]
    text = [field_line("asks", Cell(line, "warn")) for line in str(ask["text"]).splitlines()]
    used_with = [line for name, value in ask["arguments"].items() for line in _argument(name, value)]
    asked = f"{age(now - question['asked_at'])} ago"
    if question["expires_at"]:
        asked += f", {'the task fails' if question['on_timeout'] == 'fail' else 'denied'} in {age(max(0.0, question['expires_at'] - now))}"
    body = [
        *([field_line("tool", Cell(ask["tool"], "warn"))] if ask["tool"] else []),
        *text,
        *used_with,
        *([field_line("options", ", ".join(ask["options"]))] if ask["options"] else []),
        field_line("asked", asked),
        field_line("question", question["id"]),
        *((Cell("  "), *line) for line in (diff_lines(ask["diff"]) if ask["diff"] else [])),
    ]
    return part("Asks for leave" if ask["tool"] else "Asks", body)


def _argument(name: str, value: object) -> Lines:
    """Return an argument; a text of several lines keeps them. What does not print is escaped, so that it is seen."""
    lines = value.split("\n") if isinstance(value, str) else [shown(value)]
    first, *rest = (shown(line)[1:-1] if isinstance(value, str) else line for line in lines)
    return [field_line(name, first), *(field_line("", line) for line in rest)]
