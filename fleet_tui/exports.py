"""Write what the console shows to files beside the engine's state, readable by their user only.

Owner: the folder `exports` of a state directory. Nothing there is ever written over, and nobody chooses another place:
an operator whose key opens the console alone must not write where he likes.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from engine.model.errors import FleetError
from engine.model.secrets import redact
from screens.base import FleetScreen
from screens.details import DocumentScreen
from screens.export import ENDINGS, write_form
from screens.export_dialog import ExportDialog, Subject, subject_of
from screens.picture import svg_of, text_of

if TYPE_CHECKING:
    from fleet_tui.app import FleetApp

SAME_SECOND_MAX = 100


def file_name(name: str, form: str, now: float, number: int = 0) -> str:
    """Return the name of an export: what, when (UTC), and a number when that is taken."""
    slug = re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-")[:60] or "screen"
    again = f"-{number + 1}" if number else ""
    return f"{slug}-{datetime.fromtimestamp(now, tz=UTC):%Y%m%d-%H%M%S}{again}.{ENDINGS[form]}"


def write_new(folder: Path, name: str, form: str, content: str, *, now: float) -> Path:
    """Write a new file of mode 0600 and return its path. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in range(SAME_SECOND_MAX):
        path = folder / file_name(name, form, now, number)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(content)
        return path
    raise FileExistsError(f"{SAME_SECOND_MAX} exports in one second")


def export(app: FleetApp, folder: Path, words: Sequence[str]) -> None:
    """Write the screen in front as words say, such as `csv all`; ask when there are none."""
    screen = app.screen
    if not isinstance(screen, FleetScreen):
        return
    subject = subject_of(screen)

    def write(answer: str | None) -> None:
        if answer is not None:
            app.run_worker(_export(app, folder, (screen, subject), answer), group="export", exit_on_error=False)

    if not words:
        app.push_screen(ExportDialog(subject, str(folder)), write)
        return
    try:
        write(subject.choose(words))
    except FleetError as error:
        app.say(str(error), role="bad")


async def _export(app: FleetApp, folder: Path, of: tuple[FleetScreen, Subject], words: str) -> None:
    """Write a form of what was chosen, and say where it is."""
    screen, subject = of
    form, _, choice = words.partition(" ")
    now = app.clock.now()
    try:
        content = await _content(screen, subject, form, choice)
        path = await asyncio.to_thread(write_new, folder, subject.name, form, content, now=now)
    except OSError as error:
        app.say(f"not written: {error.strerror or error}: {folder}", role="bad")
    except FleetError as error:
        app.say(f"not written: {error}", role="bad")
    else:
        app.say(f"wrote {path}")


async def _content(screen: FleetScreen, subject: Subject, form: str, choice: str) -> str:
    """Return what is to be written. Raises FleetError when the engine must be asked for it and does not answer."""
    if form == "svg":
        return svg_of(screen, screen.app.title)
    if subject.rows:
        return await asyncio.to_thread(write_form, subject.sheet(choice), form)
    if form == "html" and isinstance(screen, DocumentScreen):
        return await _page(screen)
    if isinstance(screen, DocumentScreen):
        thing = await screen.read_plain() if form == "json" and screen.HAS_YAML else None
        return await asyncio.to_thread(write_form, subject.paper(thing), form)
    return text_of(screen)


async def _page(screen: DocumentScreen) -> str:
    """Return a report as a page with its charts."""
    from fleet_tui.report_pages import page_of

    report = redact(await screen.read_plain())
    assert isinstance(report, dict), "only reports offer pages"
    return "\n".join(page_of(report)) + "\n"
