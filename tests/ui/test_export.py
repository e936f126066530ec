"""ctrl+s, from the key to the file: rows as they are shown, marked or all; texts; pictures; nothing secret."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import ClassVar

import pytest
from engine.model.rows import PoolRow, TaskRow
from fleet_tui.app import FleetApp

from tests.ui.conftest import Snap
from tests.ui.fleet import Fleet, Seat, sit

SECRET = "hunter2hunter2"


class Heard(FleetApp):
    """The console, and what it said."""

    said: ClassVar[list[str]] = []

    def say(self, text: str, *, role: str = "") -> None:
        self.said.append(text)
        super().say(text, role=role)


@pytest.fixture(autouse=True)
def said() -> list[str]:
    Heard.said.clear()
    return Heard.said


def files_in(folder: Path) -> set[Path]:
    return set(folder.glob("*"))


async def export(seat: Seat, folder: Path, *keys: str, opener: str = "ctrl+s") -> str:
    """Press the key of the dialog and then others, and return what was written."""
    await seat.press(opener)
    await seat.until(lambda: type(seat.screen).__name__ == "ExportDialog")
    before = files_in(folder)
    await seat.press(*keys)
    await seat.until(lambda: bool(files_in(folder) - before))
    (path,) = files_in(folder) - before
    await seat.until(lambda: Heard.said[-1:] == [f"wrote {path}"])
    return path.read_text()


def names(text: str) -> list[str]:
    return [row[0] for row in csv.reader(io.StringIO(text))][1:]


async def test_rows_shown_marked_and_all(tmp_path: Path) -> None:
    fleet = Fleet()
    async with sit(fleet, kind=Heard, exports=tmp_path) as seat:
        await fleet.busy()
        await seat.open("pools /er", "pools")
        shown = seat.table.shown_ids
        assert 0 < len(shown) < 16
        text = await export(seat, tmp_path, "c")
        assert names(text) == list(shown), "in the order of the screen"
        assert text.splitlines()[0].split(",") == list(PoolRow._fields)
        await seat.press("j", "space")
        assert names(await export(seat, tmp_path, "c", opener="f2")) == [shown[1]], "marked, as for verbs"
        assert len(json.loads(await export(seat, tmp_path, "r", "j"))) == 16
        assert names(await export(seat, tmp_path, "r", "r", "c")) == list(shown), "round and back"


async def test_titles_are_whole_and_secrets_hidden(tmp_path: Path) -> None:
    fleet = Fleet()
    async with sit(fleet, kind=Heard, exports=tmp_path) as seat:
        await fleet.ready()
        title = "a very long title " * 4 + f"password={SECRET}"
        await fleet.submit(title)
        await seat.open("tasks")
        for form in ("c", "j", "t", "v"):
            assert SECRET not in await export(seat, tmp_path, form)
        rows = json.loads(await export(seat, tmp_path, "j"))
        assert rows[0]["title"] == title.replace(SECRET, "[hidden]")
        assert set(rows[0]) == set(TaskRow._fields)


async def test_a_picture_shows_the_screen_and_asks_nobody(tmp_path: Path) -> None:
    fleet = Fleet()
    async with sit(fleet, kind=Heard, exports=tmp_path) as seat:
        await fleet.ready()
        await fleet.submit(f"token={SECRET}")
        await seat.open("tasks")
        picture = await export(seat, tmp_path, "v")
        assert picture.startswith("<svg")
        assert "Export" not in picture, "the dialog is gone"
        assert "http" not in picture.replace("http://www.w3.org/", "").replace("https://www.textualize.io", "")
        assert SECRET not in picture and "•" * 8 in picture


async def test_by_the_command_line(tmp_path: Path) -> None:
    fleet = Fleet()
    async with sit(fleet, kind=Heard, exports=tmp_path) as seat:
        await fleet.busy()
        await seat.open("pools /er", "pools")
        seat.app.open_view("export csv all")
        await seat.until(lambda: len(files_in(tmp_path)) == 1)
        assert len(names(files_in(tmp_path).pop().read_text())) == 16
        for line, said in (("export cvs", "did you mean 'csv'"), ("export all", "say a form"), ("export csv json", "'json' is no form")):
            seat.app.open_view(line)
            await seat.until(lambda said=said: said in Heard.said[-1])
        seat.app.open_view("export")
        await seat.until(lambda: type(seat.screen).__name__ == "ExportDialog")


async def test_documents_and_streams(tmp_path: Path) -> None:
    fleet = Fleet()
    async with sit(fleet, kind=Heard, exports=tmp_path) as seat:
        await fleet.busy()
        await seat.open("tasks /rename", "tasks")
        await seat.press("enter")
        shown = await seat.read()
        text = await export(seat, tmp_path, "t")
        assert text.splitlines()[:3] == shown.splitlines()[:3]
        thing = json.loads(await export(seat, tmp_path, "j"))
        assert thing["title"] == "rename Parser.parse" and thing["state"] == "succeeded"
        await seat.open("events")
        assert len(names(await export(seat, tmp_path, "c"))) == len(seat.app.feed.events)
        await seat.open("pulse")
        assert "coder" in await export(seat, tmp_path, "t")


async def test_what_there_is_not_is_said(tmp_path: Path) -> None:
    fleet = Fleet()
    async with sit(fleet, kind=Heard, exports=tmp_path) as seat:
        await seat.open("help")
        await seat.press("ctrl+s", "c")
        assert "no csv" in seat.text
        await seat.press("escape")
        assert not files_in(tmp_path)


async def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    fleet = Fleet()
    async with sit(fleet, kind=Heard, exports=tmp_path / "file") as seat:
        await seat.open("pools")
        await seat.press("ctrl+s", "c")
        await seat.until(lambda: "not written: File exists" in "".join(Heard.said))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_the_dialog(size: tuple[int, int], snap: Snap) -> None:
    fleet = Fleet()
    async with sit(fleet, size, kind=Heard, exports=Path("/home/ada/.local/state/fleet-tui/shop-1f2e3d4c/exports")) as seat:
        await fleet.busy()
        await seat.open("tasks /coder", "tasks")
        await seat.current()
        await seat.press("space", "ctrl+s")
        await snap(seat.pilot, "export")
