"""The table of verbs: each has a plan, an audit entry, and an inverse or a reason why there is none; the docs say the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from engine.model import commands as c
from engine.simulation.world import World
from tests.unit.test_gate import BOB, audits, live
from tests.unit.test_guardrails import ADMIN

DOCS = Path(__file__).parents[2] / "docs" / "operations.md"
KINDS = list(c.COMMANDS.values())


@pytest.mark.parametrize("kind", KINDS, ids=c.COMMANDS)
def test_verb_has_an_inverse_or_says_why_not(kind: type[c.Command]) -> None:
    assert bool(kind.inverse) is not bool(kind.irreversible), "an inverse, or why there is none; not both"
    assert not kind.inverse or kind.inverse in c.COMMANDS
    assert not (kind.irreversible and kind.undo_note)


def test_words_and_names_mean_one_verb_each() -> None:
    assert len(c.VERBS) == len(c.COMMANDS) == len({kind.verb for kind in KINDS})
    assert not set(c.VERBS) & set(c.COMMANDS)


def verbs_table() -> str:
    """Return the table of the docs about what undo does not restore."""
    lines = ["| verb | undone by | not restored |", "|---|---|---|"]
    for kind in KINDS:
        by = f"`{c.COMMANDS[kind.inverse].verb}`" if kind.inverse else "nothing"
        lines.append(f"| `{kind.verb}` | {by} | {kind.irreversible or kind.undo_note or 'all is restored'} |")
    return "\n".join(lines)


def test_docs_say_what_cannot_be_undone() -> None:
    text = DOCS.read_text("utf-8")
    _, _, rest = text.partition("<!-- verbs -->\n")
    found, end, _ = rest.partition("\n<!-- /verbs -->")
    assert end
    assert found == verbs_table()


async def _task(world: World, *, end: bool = False) -> str:
    await world.gate(ADMIN).execute([c.HaltFleet("placing")], confirm="placing")
    task = str((await world.gate(BOB).execute([c.SubmitTask("noop", "ui")])).values[0])
    if end:
        await world.gate(BOB).execute([c.CancelTask(task)])
    return task


async def _allocation(world: World) -> str:
    [held] = (await world.gate(BOB).execute([c.AllocateAgent("mine", "ui")])).values
    return str(held.id)  # type: ignore[attr-defined]


async def _gang(world: World) -> str:
    return str((await world.gate(BOB).execute([c.AskGang("ui", 2)])).values[0])


async def _undone(world: World) -> str:
    plan = (await world.gate(ADMIN).execute([c.PausePool("ui")])).plan
    await world.gate(ADMIN).execute([c.UndoPlan(plan)])
    return plan


async def _command(world: World, kind: type[c.Command]) -> c.Command:
    """Return a verb that changes something, after making the world so that it does."""
    before: dict[type[c.Command], c.Command] = {
        c.UnpausePool: c.PausePool("ui"),
        c.ReleasePool: c.HoldPool("ui"),
        c.UpdatePolicy: c.CreatePolicy("mine", {"pool": "ui", "target": 0.5}),
        c.DeletePolicy: c.CreatePolicy("mine", {"pool": "ui", "target": 0.5}),
        c.UndrainAgent: c.DrainAgent("ui-1"),
        c.ResumeFleet: c.HaltFleet("scaling"),
        c.UndoPlan: c.PausePool("ui"),
        c.RemoveModule: c.AddModule("mine", "/blanks.wasm"),
        c.ForgetEntry: c.RememberEntry("plan", "1"),
        c.PermitEntry: c.RememberEntry("plan", "1"),
        c.RestoreEntry: c.RememberEntry("plan", "1"),
    }
    if kind in before:
        await world.gate(ADMIN).execute([before[kind]], confirm="scaling")
    make: dict[type[c.Command], Callable[[], object]] = {
        c.CancelTask: lambda: _task(world),
        c.PrioritiseTask: lambda: _task(world),
        c.RetryTask: lambda: _task(world, end=True),
        c.EndGang: lambda: _gang(world),
        c.ReleaseAgent: lambda: _allocation(world),
        c.RedoPlan: lambda: _undone(world),
    }
    made = await make[kind]() if kind in make else ""  # type: ignore[misc]
    arguments: dict[type[c.Command], tuple[object, ...]] = {
        c.ScalePool: ("ui", "2"),
        c.PausePool: ("ui",),
        c.UnpausePool: ("ui",),
        c.EditPool: ("ui", {"cost": 2.0}),
        c.HoldPool: ("ui", 60.0),
        c.ReleasePool: ("ui",),
        c.AskGang: ("ui", 2),
        c.CreatePolicy: ("mine", {"pool": "ui", "target": 0.5}),
        c.UpdatePolicy: ("mine", {"target": 0.7}),
        c.DeletePolicy: ("mine",),
        c.RegisterAgent: ("ui",),
        c.AllocateAgent: ("mine", "ui"),
        c.SubmitTask: ("noop", "ui"),
        c.PrioritiseTask: (made, 9),
        c.HaltFleet: ("agents",),
        c.StopEngine: (),
        c.ClearBoosterCache: (),
        c.BackUpFleet: ("mine.db",),
        c.AddModule: ("mine", "/blanks.wasm"),
        c.RemoveModule: ("mine",),
        c.RememberEntry: ("plan", '{"a": 1}'),
        c.ForgetEntry: ("plan",),
        c.PermitEntry: ("plan", "team"),
        c.RestoreEntry: ("plan", 0),
        c.RotateKeys: (),
        c.UndoPlan: (),
        c.ResumeFleet: (),
    }
    agents = (c.UnregisterAgent, c.DrainAgent, c.UndrainAgent, c.RestartAgent)
    return kind(*(("ui-1",) if kind in agents else arguments.get(kind, (made,))))


@pytest.mark.parametrize("kind", KINDS, ids=c.COMMANDS)
def test_verb_has_a_plan_an_audit_entry_and_an_undo_or_none(kind: type[c.Command]) -> None:
    async def story(world: World) -> None:
        gate = world.gate(ADMIN)
        command = await _command(world, kind)
        plan = await gate.plan([command])
        assert plan.steps and plan.steps[0].target and plan.steps[0].changes
        assert plan.undo_note == (kind.irreversible or kind.undo_note)
        answer = await gate.execute(plan.id, confirm=plan.confirm, reason="a test")
        assert [line[1] for line in audits(world)].count(kind.name) == 1
        if issubclass(kind, c.UndoPlan | c.RedoPlan):
            assert plan.undoable
            return
        kept = world.state.plans.get(answer.plan)
        assert (kept is not None and bool(kept.plan.inverse)) is plan.undoable is bool(kind.inverse)
        if kind.inverse:
            assert kept is not None
            assert {call.name for call in kept.plan.inverse} == {kind.inverse}
            assert answer.undo_until > world.clock.now()

    live(story)
