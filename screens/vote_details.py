"""A vote in full: how it stands, its terms, and who said what."""

from __future__ import annotations

from typing import Any, ClassVar

from engine.model.consensus_commands import (
    CastVote,
    ExtendProposal,
    SettleProposal,
    WithdrawProposal,
)
from engine.model.verbs import Command
from screens.details import ThingDocument
from screens.forms import VerbForm, ask_by
from screens.linked import Link, Linked
from screens.present_text import Lines, note
from screens.present_votes import vote_lines


class VoteDetails(ThingDocument):
    """A vote: its voters lead to the agents that they are."""

    NAME: ClassVar[str] = "vote"
    KIND: ClassVar[str] = "proposals"
    KINDS: ClassVar[tuple[str, ...]] = ("proposals",)
    TABS: ClassVar[tuple[str, ...]] = ("info", "timeline")

    async def read_own(self, _tab: str) -> Lines | Linked:
        """Describe it."""
        if self.row is None:
            return note("this vote is no longer known; its timeline has what came of it")
        data: dict[str, Any] = await self.ask_engine("proposal", id=self.thing)
        lines, first = vote_lines(data, self.feed.now(), self.console.glyphs)
        agents = self.feed.tables["agents"]
        links = {first + number: Link("agents", voter["id"]) for number, voter in enumerate(data["voters"]) if voter["id"] in agents}
        return Linked(lines, links)

    def is_moving(self) -> bool:
        """Its times run."""
        return self.tab == "info" or super().is_moving()

    def _fill(self, kind: type[Command], **values: str) -> None:
        ask_by(self, VerbForm(kind, self.feed.tables, {"proposal": self.thing, **values}))

    def action_vote(self, choice: str) -> None:
        """Vote on it."""
        self.console.ask([CastVote(self.thing, choice)])

    def action_vote_with_reasons(self) -> None:
        """Vote in a form, with reasons."""
        self._fill(CastVote, choice="approve")

    def action_settle(self) -> None:
        """Decide it in a form."""
        self._fill(SettleProposal, choice="accept")

    def action_extend(self) -> None:
        """Give it more time."""
        self.console.ask([ExtendProposal(self.thing)])

    def action_withdraw(self) -> None:
        """Take it back."""
        self.console.ask([WithdrawProposal(self.thing)])
