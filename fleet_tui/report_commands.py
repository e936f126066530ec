"""`fleet-tui report`: how the fleet performed, as text, Markdown, JSON or a page of HTML.

Owner: nobody; one run.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from engine.model.quantities import seconds
from engine.model.report_sections import instant, length
from engine.model.wire import to_plain
from fleet_tui import output
from fleet_tui.acts import operator_at
from fleet_tui.attach import require_address
from fleet_tui.report_pages import markdown_of, page_of, text_of

if TYPE_CHECKING:
    from fleet_tui.settings import Paths

PAGES = {"text": text_of, "md": markdown_of, "html": page_of}
FORMS = (*PAGES, "json")


def show(paths: Paths, form: str, *, last: str, ago: str, **wanted: str) -> None:
    """Print a report. Raises FleetError."""
    spans = {"last_s": seconds(last), "ago_s": seconds(ago) if ago else 0}
    report = asyncio.run(_ask(paths, "report", **spans, **wanted))
    if form == "json":
        output.print_json(report)
    else:
        output.print_lines([output.clean(line) for line in PAGES[form](report)])


def show_baselines(paths: Paths, *, form: str) -> None:
    """Print what was saved to compare with. Raises FleetError."""
    found = asyncio.run(_ask(paths, "baselines"))
    if form == "json":
        output.print_json(found)
        return
    lines = [
        f"{output.clean(one['name'])}  {instant(one['since'])} to {instant(one['until'])} UTC, {length(one['until'] - one['since'])}; saved {instant(one['saved_at'])} by {output.clean(one['who'])}"
        for one in found
    ]
    output.print_lines(lines or ["there is no baseline; `fleet-tui baseline save NAME` makes one"])


async def _ask(paths: Paths, what: str, **parameters: object) -> Any:  # noqa: ANN401  # plain values
    async with operator_at(require_address(paths)) as operator:
        return to_plain(await operator.query(what, **parameters))
