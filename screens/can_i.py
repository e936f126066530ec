"""`:can-i`: what I may ask for here, and why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from engine.model.verbs import Role
from screens.details import DocumentScreen
from screens.feed import Changes
from screens.present_text import Lines, field_line, note, title_line
from screens.widgets.cells import Cell

VERB_WIDTH = 14


def outlook_lines(verbs: Sequence[Mapping[str, Any]]) -> Lines:
    """Return what may not be asked for, then what may under conditions, then the rest; each with what is said about it."""
    parts = (
        ("Refused", [verb for verb in verbs if not verb["may"]], "bad"),
        ("Under conditions", [verb for verb in verbs if verb["may"] and verb["conditions"]], "warn"),
        ("Granted", [verb for verb in verbs if verb["may"] and not verb["conditions"]], "good"),
    )
    lines: Lines = []
    for title, some, role in parts:
        if some:
            lines += [title_line(f"{title} ({len(some)})"), *(line for verb in some for line in _verb_lines(verb, role)), ()]
    return lines or note("there are no verbs")


def _verb_lines(verb: Mapping[str, Any], role: str) -> Lines:
    said = [text for text in (verb["why"], *verb["conditions"]) if text]
    first, *others = said or [verb["help"]]
    return [
        (Cell(f"  {verb['verb']:<{VERB_WIDTH}}", role), first),
        *((" " * (VERB_WIDTH + 2), text) for text in others),
    ]


class CanIScreen(DocumentScreen):
    """Every verb as the engine would judge it now; on one thing when it is named."""

    NAME: ClassVar[str] = "can-i"
    TABS: ClassVar[tuple[str, ...]] = ("verbs",)
    HAS_YAML: ClassVar[bool] = True

    def subject(self) -> str:
        """Return who is asked about, and on what."""
        authority = self.feed.authority
        who = f"{authority.who} ({Role(authority.role).name.lower()})" if authority is not None else ""
        return " ".join(part for part in ("Can-i:", who, f"on {self.thing}" if self.thing else "") if part)

    async def read(self, tab: str) -> Lines:  # noqa: ARG002  # the only one
        """Return the engine's judgement."""
        return [*self._connection(), *outlook_lines(await self.ask_engine("can-i", target=self.thing))]

    def _connection(self) -> Lines:
        authority = self.feed.authority
        return [field_line("read-only", authority.read_only), ()] if authority is not None and authority.read_only else []

    async def read_plain(self) -> object:
        """Return the same as plain values."""
        return await self.ask_engine("can-i", target=self.thing)

    def concerns(self, changes: Changes) -> bool:  # noqa: ARG002  # hours open and close by themselves: ctrl+r reads again
        """Nothing that the feed carries changes it."""
        return False
