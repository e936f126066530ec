"""`:report`: how the fleet performed in a span, what changed, which agents are at risk, and what to do about it.

Owner: of the newest report; its range and what it is compared with are remembered with the view. It is read again only when asked to
(`ctrl+r`) or when one of them changes: a report is of minutes that are over.
"""

from __future__ import annotations

from typing import Any, ClassVar

from engine.model.verbs import Command
from engine.model.wire import command_of
from screens.details import LinkedScreen
from screens.export import PAPER_FORMS
from screens.feed import Changes
from screens.linked import Linked, LinkedDocument
from screens.places import Place
from screens.present_report import report_lines
from screens.present_trends import RANGES


class ReportScreen(LinkedScreen):
    """A report of the fleet, or of one pool."""

    NAME: ClassVar[str] = "report"
    TITLE: ClassVar[str] = "Report"
    TABS: ClassVar[tuple[str, ...]] = ("report",)
    HAS_YAML: ClassVar[bool] = True
    FORMS: ClassVar[tuple[str, ...]] = (*PAPER_FORMS, "html")

    def __init__(self, text: str = "") -> None:
        super().__init__(text.strip())
        self._found: dict[str, Any] = {}

    @property
    def _settings(self) -> dict[str, Any]:
        return self.console.settings_of(self.NAME)

    def subject(self) -> str:
        """Return what it is about."""
        return f"Report: the last {self._range_name()}{f', {self.thing}' if self.thing else ''}"

    def _range_name(self) -> str:
        names = [one.name for one in RANGES]
        chosen = str(self._settings.get("range", "24h"))
        return chosen if chosen in names else "24h"

    def place(self) -> Place:
        """Return where somebody would come back to."""
        return Place(self.NAME, filter_text=self.thing)

    async def read(self, tab: str) -> Linked:  # noqa: ARG002  # the only one
        """Return the report. Raises FleetError."""
        self._found = await self._ask()
        return report_lines(self._found)

    async def read_plain(self) -> object:
        """Return the report as plain values. Raises FleetError."""
        return await self._ask()

    async def _ask(self) -> dict[str, Any]:
        span = next(one for one in RANGES if one.name == self._range_name())
        found = await self.ask_engine("report", last_s=span.last_s, pool=self.thing, baseline=str(self._settings.get("baseline", "")))
        assert isinstance(found, dict)
        return found

    def concerns(self, changes: Changes) -> bool:  # noqa: ARG002  # ctrl+r reads again
        """Nothing that the feed carries changes what is over."""
        return False

    # ---- keys

    def _choose(self, **changes: object) -> None:
        self._settings.update(changes)
        self.TITLE = self.subject()  # type: ignore[misc]  # the breadcrumb names the span
        self._read_anew()

    def action_range(self) -> None:
        """Report on the next longer time, or the shortest again."""
        names = [one.name for one in RANGES]
        self._choose(range=names[(names.index(self._range_name()) + 1) % len(names)])

    def action_baseline(self) -> None:
        """Compare with the next baseline, or with the span before."""
        self.run_worker(self._next_baseline(), group="baseline", exclusive=True)

    async def _next_baseline(self) -> None:
        found = await self.ask_engine("baselines")
        names = ["", *(str(one["name"]) for one in found)]
        chosen = str(self._settings.get("baseline", ""))
        place = names.index(chosen) if chosen in names else 0
        if len(names) == 1:
            self.console.say("there is no baseline: `save-baseline NAME` makes one", role="warn")
        self._choose(baseline=names[(place + 1) % len(names)])

    def action_apply(self) -> None:
        """Ask for what is proposed for the agent or the pool that the line names."""
        link = self.query_one(LinkedDocument).pointed
        self.ask_about(self._proposed(link.id if link else ""), "nothing is proposed for this line: point at an agent at risk or a recommendation")

    def _proposed(self, target: str) -> Command | None:
        calls = {str(one["target"]): one["call"] for one in self._found.get("recommendations", ()) if one["call"]}
        return command_of(calls[target]) if target in calls else None
