"""`:votes`: what is put to the vote: how it stands, how it would end now, and by when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

from engine.model.consensus_commands import (
    CastVote,
    ExtendProposal,
    OpenProposal,
    SettleProposal,
    WithdrawProposal,
)
from engine.model.verbs import Command
from engine.model.vote_rows import ProposalRow
from screens.described import DescribedTable
from screens.forms import VerbForm, ask_by
from screens.present_rows import columns_over
from screens.present_votes import VOTE_COLUMNS, vote_cells
from screens.widgets.cells import Row as Cells
from screens.widgets.columns import Column


class VotesScreen(DescribedTable):
    """Every vote that goes on, and the newest that ended."""

    NAME: ClassVar[str] = "votes"
    TITLE: ClassVar[str] = "Votes"
    KIND: ClassVar[str] = "proposals"
    NOUN: ClassVar[str] = "vote"
    KINDS: ClassVar[tuple[str, ...]] = ("proposals",)
    SORT: ClassVar[tuple[str, bool]] = ("state", False)
    EMPTY: ClassVar[str] = "nothing was put to the vote; + proposes something"

    def columns(self) -> Sequence[Column]:
        """Return the columns."""
        return columns_over(VOTE_COLUMNS, lambda: self.rows)

    def present_row(self, row: ProposalRow, now: float) -> Cells:
        """Return a vote's cells."""
        return vote_cells(row, now, self.console.glyphs)

    def _fill(self, kind: type[Command], **values: str) -> None:
        row = cast("ProposalRow | None", self.pointed())
        if row is None:
            self.console.say("there is no vote under the cursor", role="warn")
        else:
            ask_by(self, VerbForm(kind, self.feed.tables, {"proposal": row.id, **values}))

    def action_create(self) -> None:
        """Propose something in a form."""
        ask_by(self, VerbForm(OpenProposal, self.feed.tables))

    def action_vote(self, choice: str) -> None:
        """Vote on the chosen proposals."""
        self.ask_each(lambda row: CastVote(row.id, choice) if cast("ProposalRow", row).state == "open" else None)

    def action_vote_with_reasons(self) -> None:
        """Vote in a form, with reasons."""
        self._fill(CastVote, choice="approve")

    def action_settle(self) -> None:
        """Decide it in a form."""
        self._fill(SettleProposal, choice="accept")

    def action_extend(self) -> None:
        """Give the chosen ones more time."""
        self.ask_each(lambda row: ExtendProposal(row.id))

    def action_withdraw(self) -> None:
        """Take the chosen ones back."""
        self.ask_each(lambda row: WithdrawProposal(row.id) if cast("ProposalRow", row).state == "open" else None)
