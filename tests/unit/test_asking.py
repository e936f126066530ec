"""What programs say of their tasks by verbs: questions that operators answer, and how far they are."""

from __future__ import annotations

from typing import Any

import pytest
from engine.coordinator.effects import effects_of
from engine.model.errors import CommandRefused, Denied, TooLarge, UsageError
from engine.model.events import Record
from engine.model.question_commands import AnswerTask, AskOperator, TellProgress
from engine.model.questions import OPEN_MAX
from engine.model.task_commands import SubmitTask
from engine.model.tasks import TOLD_MAX
from engine.scheduling.asking import OPTIONS_MAX, PROGRESS_EVERY_S, PROGRESS_MAX, QUESTION_MAX
from engine.simulation.world import World
from tests.unit.test_gate import BOB
from tests.unit.test_gate_agents import Programs, live

SECRET = "ghp_" + "a1" * 18


def test_a_program_asks_and_finds_the_answer_with_its_task() -> None:
    async def story(world: World, programs: Programs) -> None:
        task = programs.tasks[0]
        id_ = (await programs.first.execute([AskOperator("Which database?", ("pg", "sqlite"))])).values[0]
        assert str(task.state) == "needs_input"
        rows: Any = await world.gate(BOB).query("questions")
        [row] = rows
        assert (row["id"], row["kind"], row["text"], row["options"]) == (id_, "question", "Which database?", "pg, sqlite")
        await world.gate(BOB).execute([AnswerTask(task.spec.id, "sqlite")])
        assert str(task.state) == "running"
        found: Any = await programs.first.query("task", id=task.spec.id)
        assert {id_: "sqlite"} == {key: answer["reply"]["text"] for key, answer in found["told"].items()}
        records = [Record(1, 0.0, "", event) for event in world.coordinator.rehearse([AskOperator("again?", task=task.spec.id)], BOB)]
        assert effects_of(records) == []

    live(story)


def test_the_kind_of_the_agent_is_not_told_what_its_program_asked() -> None:
    async def story(world: World, programs: Programs) -> None:
        task = programs.tasks[0]
        await programs.first.execute([AskOperator("Which?")])
        answered = world.coordinator.rehearse([AnswerTask(task.spec.id, "a")], BOB)
        assert [event.type for event in answered] == ["question.answered"]
        assert effects_of([Record(1, 0.0, "", event) for event in answered]) == []

    live(story)


def test_a_program_speaks_of_its_own_task_alone() -> None:
    async def story(_world: World, programs: Programs) -> None:
        other = programs.tasks[1].spec.id
        for command in (AskOperator("x?", task=other), TellProgress("x", task=other)):
            with pytest.raises(Denied, match=f"{other} is not the task of {programs.agents[0]}"):
                await programs.first.execute([command])

    live(story)


def test_an_operator_names_the_task_which_must_run() -> None:
    async def story(world: World, programs: Programs) -> None:
        gate = world.gate(BOB)
        for command in (AskOperator("x?", task=programs.tasks[0].spec.id), TellProgress("half", 0.5, programs.tasks[1].spec.id)):
            await gate.execute([command])
        for command in (AskOperator("x?"), TellProgress("x")):
            with pytest.raises(UsageError, match="say which task with --task"):
                await gate.execute([command])
        waiting = str((await gate.execute([SubmitTask("noop", "coder", depends_on=(programs.tasks[0].spec.id,))])).values[0])
        with pytest.raises(CommandRefused, match="is pending: only a task that runs"):
            await gate.execute([AskOperator("x?", task=waiting)])

    live(story)


@pytest.mark.parametrize(
    ("command", "error", "says"),
    [
        (AskOperator(" "), UsageError, "needs words"),
        (AskOperator("x" * (QUESTION_MAX + 1)), TooLarge, "at most 4,000 characters"),
        (AskOperator("x", ("y",) * (OPTIONS_MAX + 1)), TooLarge, "at most 16"),
        (TellProgress(" "), UsageError, "one line"),
        (TellProgress("a\nb"), UsageError, "one line"),
        (TellProgress("x" * (PROGRESS_MAX + 1)), UsageError, "at most 300"),
        (TellProgress("x", -0.5), UsageError, "0 to 1, or -1"),
    ],
)
def test_nonsense_is_refused(command: Any, error: type[Exception], says: str) -> None:  # noqa: ANN401  # a verb
    async def story(_world: World, programs: Programs) -> None:
        with pytest.raises(error, match=says):
            await programs.first.execute([command])

    live(story)


def test_questions_and_answers_that_are_kept_are_bounded() -> None:
    async def story(world: World, programs: Programs) -> None:
        task = programs.tasks[0]
        for round_ in range(2):
            for number in range(OPEN_MAX):
                await programs.first.execute([AskOperator(f"{round_}.{number}?")])
            with pytest.raises(CommandRefused, match="16 open questions already"):
                await programs.first.execute([AskOperator("one more?")])
            for id_ in list(task.questions):
                await world.gate(BOB).execute([AnswerTask(task.spec.id, f"answer {round_}", question=id_)])
        assert [answer.reply.text for answer in task.told.values()] == ["answer 1"] * TOLD_MAX

    live(story)


def test_secrets_and_escapes_are_not_kept() -> None:
    async def story(_world: World, programs: Programs) -> None:
        task = programs.tasks[0]
        await programs.first.execute([AskOperator(f"is \x1b]0;owned\x07token={SECRET} right?", ("\x1b[31myes",))])
        [question] = task.questions.values()
        assert "ghp_" not in question.ask.text
        assert "\x1b" not in question.ask.text + "".join(question.ask.options)
        await programs.first.execute([TellProgress("using password=hunter2hunter2")])
        assert task.said is not None
        assert "hunter2" not in task.said.text

    live(story)


def test_progress_is_shown_with_its_age_and_told_at_most_once_a_second() -> None:
    async def story(world: World, programs: Programs) -> None:
        task = programs.tasks[0]
        await programs.first.execute([TellProgress("reading", 0.25)])
        with pytest.raises(CommandRefused, match="less than 1 s ago"):
            await programs.first.execute([TellProgress("writing")])
        await world.clock.sleep(PROGRESS_EVERY_S)
        await programs.first.execute([TellProgress("writing")])
        found: Any = await programs.first.query("task", id=task.spec.id)
        assert found["progress"] == {"text": "writing", "ratio": None, "evidence": "", "at": task.said.at if task.said else None}

    live(story)
