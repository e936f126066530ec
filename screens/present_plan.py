"""A plan in lines: what changes, what follows from it, what the rules demand, and whether it can be undone; pure."""

from __future__ import annotations

from dataclasses import fields

from engine.model.commands import COMMANDS
from engine.model.plans import Plan, PlanStep
from engine.model.verbs import Command, Danger
from screens.present import arrow, count, plural
from screens.widgets.cells import Cell, Glyphs, Row, clean, clip, measure

TARGET_WIDTH = 20
LABEL_WIDTH = 8
NOTE_ROLES = {"loss": "bad", "conflict": "warn"}
NOTE_WORDS = {"loss": "lost", "drain": "drained"}
DEMAND_ROLES = {"deny": "bad", "window": "", "bulk": "", "confirm": "warn", "reason": "warn", "vote": "warn"}


def plan_title(plan: Plan, asked: Command) -> str:
    """Return what a plan is about in a few words: the verb with its target, or with how many things."""
    does = COMMANDS[plan.steps[0].call.name].verb
    verb = asked.verb if does == asked.verb else f"{asked.verb}: {does}"
    if plan.count == 1:
        return f"{verb} {clean(plan.steps[0].target)}"
    return f"{verb} {count(plan.count)} {_things(plan)}"


def _things(plan: Plan) -> str:
    first = next(iter(fields(COMMANDS[plan.steps[0].call.name])), None)
    kind = str(first.metadata.get("completes", "")) if first is not None else ""
    return kind or "things"


def danger_of(plan: Plan) -> Cell:
    """Return what agreeing may cost, empty when nothing."""
    if plan.refused:
        return Cell("cannot be carried out", "bad")
    return Cell("work may be lost", "bad") if plan.danger == Danger.DESTRUCTIVE else Cell("")


def is_voted_on(plan: Plan) -> bool:
    """Tell whether agreeing puts a plan to the vote instead of carrying it out."""
    return any(demand.kind == "vote" for demand in plan.demands)


def plan_lines(plan: Plan, glyphs: Glyphs, *, changed: str = "") -> list[Row]:
    """Return a plan as rows whose last cell may wrap: its steps, then what follows, what is demanded, what undo does.

    `changed` says why this plan is shown instead of one before.
    """
    target_width = min(TARGET_WIDTH, max((measure(clean(step.target)) for step in plan.steps), default=0))
    rows: list[Row] = [(Cell(_plain(changed, glyphs), "warn"),), ()] if changed else []
    for step in plan.steps:
        rows += _step_rows(step, target_width, glyphs)
    rows.append(())
    for room in plan.capacity:
        waits = f"{plural(room.waiting, 'task')} {'waits' if room.waiting == 1 else 'wait'}"
        rows.append(_labelled("capacity", f"{room.pool} {room.before} → {room.after} agents for tasks, {room.busy} busy, {waits}", "", glyphs))
    rows += [_labelled(NOTE_WORDS.get(note.kind, note.kind), note.text, NOTE_ROLES.get(note.kind, ""), glyphs) for note in plan.notes]
    rows += [_labelled("rule", f"{demand.rule}: {demand.text}", DEMAND_ROLES.get(demand.kind, ""), glyphs) for demand in plan.demands]
    if not plan.undoable:
        rows.append(_labelled("undo", f"none{f': {plan.undo_note}' if plan.undo_note else ''}", "warn", glyphs))
    elif plan.undo_note:
        rows.append(_labelled("undo", plan.undo_note, "", glyphs))
    return rows


def _step_rows(step: PlanStep, target_width: int, glyphs: Glyphs) -> list[Row]:
    target = clip(_plain(step.target, glyphs), target_width, glyphs.ellipsis)
    padded = target + " " * (target_width - measure(target))
    indent = " " * target_width
    rows: list[Row] = [(padded, Cell(_plain(change_of(step), glyphs), "" if step.changes else "dim"))]
    rows += [(indent, Cell(_plain(step.effect, glyphs), "dim"))] if step.effect else []
    rows += [(indent, Cell(f"! {_plain(step.warning, glyphs)}", "warn"))] if step.warning else []
    return rows


def change_of(step: PlanStep) -> str:
    """Return `before → after`, or that nothing changes."""
    if not step.changes:
        return f"{step.after or step.before} (no change)"
    return f"{step.before} → {step.after}" if step.before else step.after


def _labelled(label: str, text: str, role: str, glyphs: Glyphs) -> Row:
    return Cell(f"{label:<{LABEL_WIDTH}}", "dim"), Cell(_plain(text, glyphs), role)


def _plain(text: str, glyphs: Glyphs) -> str:
    return clean(text).replace("→", arrow(glyphs))
