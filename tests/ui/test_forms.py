"""The submit form: made from the verb's fields, checked where it is filled in, planned like everything else."""

from __future__ import annotations

import dataclasses

import pytest
from engine.model.commands import COMMANDS
from engine.model.errors import UsageError
from engine.model.task_commands import SubmitTask
from screens.forms import VerbForm, command_from, field_names
from textual.widgets import Input

from tests.ui.conftest import Snap, screen_text
from tests.ui.fleet import Fleet, sit


def test_every_verb_has_a_form_with_every_field() -> None:
    for kind in COMMANDS.values():
        assert field_names(kind) == [spec.name for spec in dataclasses.fields(kind)]


def test_texts_become_values_of_the_fields_types() -> None:
    texts = {"type": "echo", "payload": '{"a": 1}', "priority": "7", "depends_on": "tsk_a,tsk_b", "apply": "yes", "timeout_s": "2.5"}
    command = command_from(SubmitTask, texts)
    assert command == SubmitTask("echo", payload={"a": 1}, priority=7, depends_on=("tsk_a", "tsk_b"), apply=True, timeout_s=2.5)


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ({}, "type is needed"),
        ({"type": "x", "priority": "11"}, "the most is 10"),
        ({"type": "x", "priority": "many"}, "is no number"),
        ({"type": "x", "payload": "{"}, "not valid JSON"),
        ({"type": "x", "payload": "[1]"}, "must be a JSON object"),
        ({"type": "x", "apply": "perhaps"}, "yes or no"),
    ],
)
def test_a_wrong_field_is_named_with_what_it_should_be(texts: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        command_from(SubmitTask, texts)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_a_filled_form_becomes_a_plan_and_then_a_task(size: tuple[int, int], snap: Snap) -> None:
    fleet = Fleet()
    async with sit(fleet, size) as seat:
        await seat.open("pools")
        seat.table.point_at("tester")
        await seat.press("n")
        await seat.until(lambda: isinstance(seat.screen, VerbForm))
        assert seat.screen.query_one("#field-pool", Input).value == "tester"
        await seat.press("ctrl+s")
        assert "type is needed" in seat.text
        await snap(seat.pilot)
        await seat.press(*"echo", "enter")
        await seat.until(lambda: not isinstance(seat.screen, VerbForm))
        await seat.agree()
        await seat.until(lambda: fleet.state.totals.submitted == 1)
        task = next(iter(fleet.state.tasks.values()))
        assert (task.spec.type, task.spec.pool) == ("echo", "tester")


async def test_esc_drops_the_form_and_nothing_happens() -> None:
    fleet = Fleet()
    async with sit(fleet) as seat:
        await seat.open("pools")
        await seat.press("n")
        await seat.until(lambda: isinstance(seat.screen, VerbForm))
        await seat.press("escape")
        await seat.until(lambda: seat.screen.NAME == "pools")
        assert fleet.state.totals.submitted == 0


async def test_a_hint_longer_than_its_field_is_cut_there() -> None:
    async with sit(Fleet(), (80, 24)) as seat:
        await seat.press("n")
        line = seat.app.screen.query_one("#field-type", Input)
        drawn = line.render_line(0)
        assert "\n" not in drawn.text, "a line feed on the screen moves all that comes after it"
        assert drawn.cell_length == line.size.width
        assert drawn.text.rstrip().endswith("…"), drawn.text


async def test_a_text_longer_than_its_field_stays_in_sight_when_the_screen_is_laid_out_anew() -> None:
    async with sit(Fleet(), (80, 24)) as seat:
        await seat.press("n")
        seat.app.screen.query_one("#field-type", Input).value = "x" * 100
        await seat.pilot.resize_terminal(81, 24)
        await seat.pilot.pause()
        assert "xxxxxxxx" in screen_text(seat.app)
