"""The dialog that stands between a key and a change: a plan to look at, what must be typed, and two answers."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.geometry import Size
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from engine.model.plans import Plan
from engine.model.verbs import Command, Danger
from screens.document import Document
from screens.keyed import Keyed, keymap_of
from screens.present_plan import danger_of, is_voted_on, plan_lines, plan_title
from screens.widgets.cells import Glyphs, measure
from screens.widgets.line import Line
from screens.widgets.stream import GUTTER
from screens.widgets.stream_lines import wrap

CONFIRM_WORD = "yes"
"""What is typed where work may be lost and no rule demands more."""

HEIGHT_SHARE = WIDTH_SHARE = 0.9
"""Of the terminal, as the stylesheet says."""
FRAME_ROWS = 2
WIDTH_MAX = 76
FRAME_COLUMNS = 6
LABEL_WIDTH = 6
"""Of the word `type` and what is around it."""
PLAN_ROWS_MIN = 3


class Agreement(NamedTuple):
    """What somebody agreed with."""

    reason: str
    confirm: str


class Answer(Keyed, Static):
    """One of the answers; enter, space or a click gives it when it has the focus."""

    can_focus = True
    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("answer",)

    class Given(Message):
        """The answer was given."""

        def __init__(self, answer: Answer) -> None:
            super().__init__()
            self.answer = answer

        @property
        def control(self) -> Answer:
            """The answer."""
            return self.answer

    def action_take(self) -> None:
        """Give it."""
        self.post_message(self.Given(self))

    def on_click(self) -> None:
        """Give it."""
        self.action_take()


def columns_of(size: Size) -> int:
    """Return how wide a dialog's text is on a screen of that size."""
    return min(WIDTH_MAX, int(size.width * WIDTH_SHARE)) - FRAME_COLUMNS


class PlanText(Document):
    """The plan's lines, as high as they are; the dialog's keys and the mouse scroll them."""

    can_focus = False
    DEFAULT_CSS = "PlanText { height: auto; }"

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002  # Textual's own signature
        """Return how many lines there are at a width."""
        return sum(len(self._lay_out_one(number, width - GUTTER)) for number in range(self._count))


class PlanDialog(Keyed, ModalScreen[Agreement | None]):
    """A plan to agree to; gives what was typed, or None.

    Where work may be lost, or a rule demands it, a word is typed: `yes`, or the target's name. Until something is, enter
    keeps everything as it is, so that a quick one does no harm. The answer that enter gives is the one that stands out.
    """

    DEFAULT_CSS = """
    PlanDialog .field { height: 1; padding-left: 2; }
    PlanDialog #heading { margin-bottom: 1; }
    PlanDialog #problem, PlanDialog #keys { padding-left: 2; }
    PlanDialog #problem { height: auto; }
    PlanDialog #title { width: 1fr; }
    PlanDialog #danger { width: auto; }
    PlanDialog .field Input { width: 1fr; }
    PlanDialog .answers { height: 1; padding-left: 2; }
    PlanDialog Answer { width: auto; margin-right: 2; }
    PlanDialog Answer.-default { text-style: bold; color: $fleet-accent; }
    PlanDialog Answer:focus { text-style: reverse bold; }
    """
    KEY_SCOPES: ClassVar[tuple[str, ...]] = ("agree", "dialog")
    AUTO_FOCUS = None

    def __init__(self, plan: Plan, asked: Command, glyphs: Glyphs, *, changed: str = "") -> None:
        super().__init__()
        self._plan = plan
        self._asked = asked
        self._glyphs = glyphs
        self._changed = changed
        """Why this plan is shown instead of the one before; empty for the first."""
        self._is_destructive = plan.danger == Danger.DESTRUCTIVE
        self._word = plan.confirm or (CONFIRM_WORD if self._is_destructive else "")

    # ---- the box

    def compose(self) -> ComposeResult:
        """Lay out the box."""
        with Vertical(classes="dialog"):
            with Horizontal(classes="field", id="heading"):
                yield Static(plan_title(self._plan, self._asked), classes="title", id="title", markup=False)
                danger = danger_of(self._plan)
                yield Static(danger.text, classes=danger.role, id="danger", markup=False)
            lines = PlanText(glyphs=self._glyphs, id="lines")
            # From the first layout on: a bar that it needed would stay, though everything fits in the second.
            lines.styles.max_height = self._plan_rows(self.app.size)
            yield lines
            if not self._plan.refused:
                yield from self._fields()
            yield Static(self._plan.refused, id="problem", classes="bad", markup=False)
            with Horizontal(classes="answers"):
                yield Answer(f"[ {'close' if self._plan.refused else 'keep as it is'} ]", id="keep", markup=False)
                if not self._plan.refused:
                    yield Answer(f"[ {'put to the vote' if is_voted_on(self._plan) else self._asked.verb} ]", id="apply", markup=False)
            yield Static(id="keys", classes="note", markup=False)

    def _fields(self) -> ComposeResult:
        if self._word:
            yield self._field("confirm", f"type {self._word}", "")
        needed = "needed" if self._plan.needs_reason else "kept in the audit, if you like"
        yield self._field("reason", "why", needed)

    def _field(self, id_: str, label: str, hint: str) -> Horizontal:
        wide = Static(label, classes="note", markup=False)
        wide.styles.width = LABEL_WIDTH + len(self._word)
        return Horizontal(wide, Line(placeholder=hint, id=id_, compact=True, select_on_focus=False), classes="field")

    def _keys(self, width: int) -> str:
        """Return the keys that fit into a line, the most important first."""
        does = "{line.submit} puts it to the vote" if is_voted_on(self._plan) else "{line.submit} applies"
        word = f"type {self._word} and press {{line.submit}}" if self._word else does
        undo = ["{app.undo} undoes it"] if self._plan.undoable and not is_voted_on(self._plan) else []
        parts = ["{dialog.drop} closes"] if self._plan.refused else [word, "{dialog.drop} drops it", *undo, "{agree.next} next"]
        text = ""
        for part in (*parts, "{agree.down} scrolls"):
            longer = f"{text} {self._glyphs.separator} {part}" if text else part
            text = longer if measure(self.say_keys(longer)) <= width or not text else text
        return self.say_keys(text)

    def on_mount(self) -> None:
        """Lay out for this terminal, and begin where a quick enter does no harm."""
        self.query_one(PlanText).show(plan_lines(self._plan, self._glyphs, changed=self._changed), is_new=True)
        self._lay_out()
        self._mark_default()
        self.set_focus(self.query_one("#keep" if self._plan.refused else "#confirm" if self._word else "#reason"))

    def on_resize(self) -> None:
        """Lay out anew."""
        self._lay_out()

    def _lay_out(self) -> None:
        """Leave the fields and answers in view, however long the plan is."""
        self.query_one("#keys", Static).update(self._keys(columns_of(self.size)))
        self.query_one(PlanText).styles.max_height = self._plan_rows(self.size)

    def _plan_rows(self, size: Size) -> int:
        """Return how many rows of a screen are left for the plan's lines."""
        problem = len(wrap(self._plan.refused, columns_of(size)))
        fields = 0 if self._plan.refused else 2 if self._word else 1
        heading, answers, keys = 2, 1, 1
        rows = int(size.height * HEIGHT_SHARE) - FRAME_ROWS
        return max(PLAN_ROWS_MIN, rows - heading - fields - problem - answers - keys)

    # ---- keys

    async def on_key(self, event: events.Key) -> None:
        """Take what no field has taken: typed on an answer, or before a field had the focus."""
        if isinstance(self.focused, Line) or self._plan.refused:
            return
        if self.focused is None and event.key in keymap_of(self.app)["line.submit"].keys.split(","):
            event.stop()
            self._agree()
        elif event.is_printable and event.character and not event.character.isspace():
            field = self.query(Line).first()
            self.set_focus(field)
            field.insert_text_at_cursor(event.character)
            event.stop()

    @on(Input.Changed)
    def _mark_default(self) -> None:
        """Have the answer stand out that enter would give."""
        keeps = self._plan.refused or self._is_unanswered()
        for answer in self.query(Answer):
            answer.set_class((answer.id == "keep") is bool(keeps), "-default")

    def _is_unanswered(self) -> bool:
        return bool(self._word) and not any(line.value.strip() for line in self.query(Line))

    def action_scroll(self, rows: int) -> None:
        """Scroll the plan."""
        self.query_one(PlanText).move(rows)

    def action_page(self, step: int) -> None:
        """Scroll the plan by what is seen of it."""
        text = self.query_one(PlanText)
        text.move(step * max(1, text.size.height - 2))

    @on(Answer.Given, "#keep")
    def action_drop(self) -> None:
        """Change nothing."""
        self.dismiss(None)

    @on(Input.Submitted)
    def _agree(self) -> None:
        """Give what was typed; nothing, where something had to be and nothing was."""
        if self._is_unanswered():
            self.dismiss(None)
        else:
            self._apply()

    @on(Answer.Given, "#apply")
    def _apply(self) -> None:
        """Give what was typed, or say what is missing."""
        confirm = self.query_one("#confirm", Line).value.strip() if self._word else ""
        reason = self.query_one("#reason", Line).value.strip()
        if self._word and not self._is_word(confirm):
            self._miss("#confirm", f"type {self._word} to go on, {{dialog.drop}} to drop it")
        elif self._plan.needs_reason and not reason:
            self._miss("#reason", "give a reason: a rule wants it")
        else:
            self.dismiss(Agreement(reason, confirm))

    def _is_word(self, typed: str) -> bool:
        return typed == self._word or (not self._plan.confirm and typed.lower() == self._word)

    def _miss(self, field: str, text: str) -> None:
        self.query_one("#problem", Static).update(self.say_keys(text) if "{" in text else text)
        self.set_focus(self.query_one(field, Line))
