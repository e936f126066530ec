"""What agents ask, in the inbox and with the task: seen in full, allowed, denied with words, replied to, made a rule."""

from __future__ import annotations

from engine.model.questions import Ask, Reply
from engine.model.reports import TaskAsked

from tests.ui.fleet import Fleet, Seat, sit

PUSH = Ask("x.1", "1", tool="Bash", arguments={"command": "git push\n\x1b[2J"}, diff="--- a\n+++ b\n-old\n+new\n")
BRANCH = Ask("x.1", "2", text="Which branch?", options=("main", "next"))


def told(seat: Seat) -> list[tuple[str, Reply]]:
    return [(ask, reply) for _, ask, reply in seat.fleet.world.agents.answers]


async def asking(seat: Seat, *asks: Ask) -> str:
    """Have an agent ask, and go to the inbox."""
    fleet = seat.fleet
    await fleet.ready()
    task = await fleet.submit("release it", "coder", "run")
    for ask in asks:
        fleet.world.coordinator.report(TaskAsked(task, 1, ask))  # type: ignore[arg-type]  # an id is a text
    await fleet.until(lambda: len(fleet.state.asking) == len(asks))
    await seat.press("exclamation_mark")
    await seat.until(lambda: seat.screen.NAME == "inbox" and len(seat.screen.table.shown_ids) == len(asks))
    return task


async def test_the_inbox_tells_what_is_asked_and_the_task_all_of_it() -> None:
    async with sit(Fleet(), (120, 40)) as seat:
        await asking(seat, PUSH, BRANCH)
        assert "? coder-1 asks for Bash: release it" in seat.text
        assert 'command="git push\\n\\u001b[2J"' in seat.text
        assert "Which branch?" in seat.text
        await seat.press("enter")
        await seat.until(lambda: seat.screen.NAME == "task" and "Asks for leave" in seat.text)
        for words in ("? needs you", "git push", "\\u001b[2J", "-old", "+new", "main, next", "Which branch?"):
            assert words in seat.text, words


async def test_a_use_of_a_tool_is_allowed_once_or_always() -> None:
    async with sit(Fleet()) as seat:
        task = await asking(seat, PUSH)
        await seat.press("R")
        await seat.until(lambda: "nothing here asks a question" in seat.told)
        await seat.press("W")
        await seat.until(lambda: "no rule can say this in a line" in seat.told)
        await seat.press("Y")
        await seat.until(lambda: "asked → allowed" in seat.text)
        await seat.press("enter")
        await seat.until(lambda: told(seat) == [("1", Reply("allow"))])
        assert seat.fleet.state.tasks[task].state == "running"
        seat.fleet.world.coordinator.report(TaskAsked(task, 1, Ask("x.1", "3", tool="Read", arguments={"path": "a.py"})))  # type: ignore[arg-type]
        await seat.until(lambda: "asks for Read" in seat.text)
        await seat.press("W")
        await seat.until(lambda: "always allow in coder: Read" in seat.text and "Read(path=a.py)" in seat.text)
        await seat.press("enter")
        await seat.until(lambda: "uses like Read(path=a.py) are" in seat.text and "asked → allowed" in seat.text)
        await seat.press("enter")
        await seat.until(lambda: told(seat)[-1] == ("3", Reply("allow")))
        assert [rule.rule for rule in seat.fleet.state.pools["coder"].answer_rules] == ["Read(path=a.py)"]


async def test_it_is_denied_with_words_and_a_question_gets_its_reply() -> None:
    async with sit(Fleet()) as seat:
        await asking(seat, PUSH, BRANCH)
        await seat.press("D")
        await _fill(seat, "deny: Bash", "not on Fridays")
        await seat.until(lambda: told(seat) == [("1", Reply("deny", "not on Fridays"))])
        await seat.until(lambda: len(seat.screen.table.shown_ids) == 1)
        await seat.press("R")
        await _fill(seat, "coder-1 asks: Which branch? (main, next)", "next")
        await seat.until(lambda: told(seat)[-1] == ("2", Reply("text", "next")))


async def _fill(seat: Seat, title: str, words: str) -> None:
    """Fill the one field of a form, and agree to its plan."""
    await seat.until(lambda: title in seat.text)
    form = seat.screen
    await seat.press(*("space" if char == " " else char for char in words), "enter")
    await seat.until(lambda: seat.screen is not form and "asked →" in seat.text)
    await seat.press("enter")
