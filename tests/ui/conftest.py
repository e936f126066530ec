"""Approved pictures of the console: `snapshots/<module>/<test>[.name].svg`, and the same as text beside it.

`pytest --update-snapshots` approves what the tests show now. A mismatch fails with the difference of the texts and
leaves what was seen as `*.new.svg`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual import constants
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

SNAPSHOTS = Path(__file__).parents[2] / "snapshots"
Snap = Callable[..., Awaitable[None]]


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep out what moves by itself or comes from the terminal the tests run in."""
    monkeypatch.setattr(constants, "TEXTUAL_ANIMATIONS", "none")
    monkeypatch.setattr(Input, "_toggle_cursor", lambda _: None)
    monkeypatch.setattr(TextArea, "_toggle_cursor_blink_visible", lambda _: None)
    for name in ("NO_COLOR", "COLORTERM", "TEXTUAL_THEME"):
        monkeypatch.delenv(name, raising=False)


def screen_text(app: App[object]) -> str:
    """Return what the app shows, as lines of text."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips) + "\n"


def screen_svg(app: App[object]) -> str:
    """Return what the app shows as a picture that is the same for the same screen."""
    svg = app.export_screenshot(title="fleet-tui", simplify=True)
    return re.sub(r"\bterminal-\d+-", "terminal-", svg)


@pytest.fixture
def snap(request: pytest.FixtureRequest) -> Snap:
    """Compare the screen with its approved picture: `await snap(pilot)`, with a name for a second one."""

    async def compare(pilot: Pilot[object], name: str = "") -> None:
        await pilot.pause()
        svg, text = screen_svg(pilot.app), screen_text(pilot.app)
        test = re.sub(r"[^\w.-]+", "_", request.node.name).strip("_")
        path = SNAPSHOTS / request.node.path.stem / f"{test}{'.' * bool(name)}{name}.svg"
        new = path.with_suffix(".new.svg")
        if request.config.getoption("--update-snapshots"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(svg, "utf-8")
            path.with_suffix(".txt").write_text(text, "utf-8")
            new.unlink(missing_ok=True)
            return
        if not path.exists():
            pytest.fail(
                f"no approved picture {path}; look at the screen, then run pytest --update-snapshots"
            )
        if path.read_text("utf-8") != svg:
            new.write_text(svg, "utf-8")
            assert text == path.with_suffix(".txt").read_text("utf-8"), f"another screen, see {new}"
            pytest.fail(f"the same text in other colours, see {new}")

    return compare
