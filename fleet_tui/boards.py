"""Where dashboards come from: files of the user, `dashboards/NAME.toml` beside console.toml, and those that come with us.

Owner: nobody. A user's file of the same name counts more than ours. Files are read when a dashboard is opened, so that an edit shows
at the next look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.model.errors import FleetError, NotFound, UsageError
from fleet_tui.settings import APPLICATION, user_config_home

if TYPE_CHECKING:
    from engine.model.dashboards import Dashboard

FOLDER = "dashboards"
HOME = "pulse"
"""The name of the console's own first screen; it is data in the console, until the user has a file of that name."""
OURS = Path(__file__).parent / FOLDER


class Boards:
    """The dashboards that there are: those in a folder, and ours."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folders = (folder, OURS) if folder is not None else (OURS,)

    def find(self, name: str) -> Path | None:
        """Return the file of a dashboard; None if there is none of that name."""
        paths = (folder / f"{name}.toml" for folder in self._folders)
        return next((path for path in paths if path.is_file()), None)

    def get(self, name: str) -> Dashboard:
        """Return a dashboard. Raises NotFound, and UsageError that says what is wrong with its file, and where."""
        path = self.find(name)
        if path is None:
            from engine.model.wire import nearest

            known = {one for one, _ in self.listed()}
            raise NotFound(f"no dashboard {name!r}{nearest(name, known)}; a file {self._folders[0] / f'{name}.toml'} makes one")
        return read_board(path)

    def names(self) -> list[str]:
        """Return the names of all, those of the user first."""
        return list(dict.fromkeys(path.stem for folder in self._folders for path in sorted(folder.glob("*.toml"))))

    def listed(self) -> Sequence[tuple[str, str]]:
        """Return the name of each, and its title or what is wrong with it."""
        found = []
        for name in self.names():
            try:
                found.append((name, self.get(name).name))
            except FleetError as error:
                found.append((name, str(error)))
        return found


def user_boards(environment: Mapping[str, str]) -> Boards:
    """Return the dashboards of a user."""
    return Boards(user_config_home(environment) / APPLICATION / FOLDER)


def read_board(path: Path) -> Dashboard:
    """Return the dashboard of a file. Raises UsageError with the file and, as far as it is known, the line."""
    from engine.model.dashboards import DashboardError, read_dashboard
    from fleet_tui.toml_places import read_placed

    placed = read_placed(path)
    try:
        return read_dashboard(path.stem, placed.values)
    except DashboardError as error:
        raise UsageError(f"{path} line {_line_of(path, error.widget, error.key)}: {error}") from error


def _line_of(path: Path, widget: int | None, key: str) -> int:
    """Return the line of a key, or of the head of the widget that lacks it; 1 for what belongs to the file as a whole."""
    lines = path.read_text("utf-8").splitlines()
    heads = [number for number, line in enumerate(lines, 1) if line.replace(" ", "").startswith("[[widgets]]")]
    start = 1 if widget is None or widget >= len(heads) else heads[widget]
    end = next((head for head in heads if head > start), len(lines) + 1) if heads else len(lines) + 1
    return next((number for number in range(start, end) if lines[number - 1].partition("=")[0].strip() == key), start)
