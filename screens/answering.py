"""Keys that answer what agents ask, wherever a question may be pointed at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, cast

from engine.model.question_commands import AnswerTask
from engine.model.question_rows import QuestionRow
from engine.model.questions import ALLOW, DENY
from screens.forms import VerbForm, ask_by

if TYPE_CHECKING:
    from screens.base import FleetScreen

    _Screen = FleetScreen
else:
    _Screen = object


class Answering(_Screen):
    """A screen whose chosen things may be questions, or tasks whose agents ask."""

    def _hint_scopes(self) -> tuple[str, ...]:
        """Leave out the keys that answer while nobody asks."""
        return tuple(scope for scope in super()._hint_scopes() if scope != "asked" or self.feed.tables["questions"])

    def asked(self) -> Sequence[QuestionRow]:
        """Return the questions that the keys mean."""
        raise NotImplementedError

    def questions_of(self, tasks: Iterable[str]) -> list[QuestionRow]:
        """Return the open questions of some tasks, the oldest first."""
        wanted = set(tasks)
        rows = cast("Iterable[QuestionRow]", self.feed.tables["questions"].values())
        return sorted((row for row in rows if row.task in wanted), key=lambda row: (row.asked_at, row.id))

    def action_allow(self) -> None:
        """Allow what the chosen ones ask for, once."""
        asked = self.asked()
        wanted = [row for row in asked if row.kind == "permission"]
        if wanted:
            self.console.ask([AnswerTask(row.task, ALLOW, question=row.id) for row in wanted])
        else:
            self._say_nothing(asked, "asks to use a tool")

    def action_allow_always(self) -> None:
        """Allow it, and what is like it in its pool from now on: by a rule that is shown first."""
        self._fill("permission", "asks to use a tool", ("rule",), answer=ALLOW, what="always allow in {pool}: {tool} {text}")

    def action_deny(self) -> None:
        """Deny it, with words for the agent."""
        self._fill("", "asks anything", ("message",), answer=DENY, what="deny: {tool} {text}")

    def action_reply(self) -> None:
        """Reply to a question."""
        self._fill("question", "asks a question", ("answer",), what="{agent} asks: {text}")

    def _fill(self, kind: str, wanted: str, fields: Sequence[str], *, what: str, answer: str = "") -> None:
        asked = self.asked()
        row = next((row for row in asked if kind in ("", row.kind)), None)
        if row is None:
            self._say_nothing(asked, wanted)
            return
        if "rule" in fields and not row.rule:
            self.console.say("no rule can say this in a line; answer it once, or write a wider rule to the configuration", role="warn")
            return
        given = {"task": row.task, "question": row.id, "answer": answer, "rule": row.rule if "rule" in fields else ""}
        title = what.format(**row._asdict())
        if row.options:
            title += f" ({row.options})"
        ask_by(self, VerbForm(AnswerTask, self.feed.tables, given, asked=fields, title=title))

    def _say_nothing(self, asked: Sequence[QuestionRow], wanted: str) -> None:
        self.console.say(f"nothing here {wanted if asked else 'asks anything'}", role="warn")
