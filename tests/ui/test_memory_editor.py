"""`E` on an entry of memory with a real editor on a real terminal: stored over the version that was edited, or kept and said."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.engines import EngineProcess, engine, until
from tests.ui.pty_screen import PtyScreen
from tests.ui.test_editor import Editor


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    with engine(tmp_path_factory.mktemp("remembered")) as running:
        yield running


@pytest.fixture
def editor(tmp_path: Path) -> Editor:
    return Editor(tmp_path)


def remember(subject: EngineProcess, value: str) -> None:
    done = subject.run("remember", "plan", value, "--yes")
    assert done.returncode == 0, done.stderr


def value_of(subject: EngineProcess) -> object:
    return json.loads(subject.run("memory", "plan").stdout)


def kept(editor: Editor) -> list[str]:
    return [path.read_text() for path in (editor.folder / "kept").iterdir()]


@pytest.fixture
def screen(subject: EngineProcess, editor: Editor) -> Iterator[PtyScreen]:
    remember(subject, '{"steps": [1]}')
    with PtyScreen(subject.command(), env=subject.environment | editor.environment) as screen:
        screen.wait_text("LIVE")
        screen.send(b":memory\r")
        screen.wait_text("1 entry")
        yield screen


@pytest.mark.row(178)
def test_a_value_that_was_edited_is_stored_and_nothing_of_it_stays(subject: EngineProcess, editor: Editor, screen: PtyScreen) -> None:
    editor.will("echo '{\"steps\": [1, 2]}' > \"$1\"\n")
    screen.send(b"E")
    screen.wait_text("remember")
    screen.send(b"\r")
    until(lambda: value_of(subject) == {"steps": [1, 2]})
    assert editor.seen(1) == '{\n  "steps": [\n    1\n  ]\n}\n'
    until(lambda: kept(editor) == [])


def test_what_somebody_else_stored_meanwhile_is_not_overwritten(subject: EngineProcess, editor: Editor, screen: PtyScreen) -> None:
    editor.will(f"{shlex.join(subject.command('remember', 'plan', '7', '--yes'))} >/dev/null\necho '[3]' > \"$1\"\n")
    screen.send(b"E")
    screen.wait_text("your text is kept in")
    assert value_of(subject) == 7
    assert kept(editor) == ["[3]\n"]


def test_what_is_no_json_is_kept_and_said(subject: EngineProcess, editor: Editor, screen: PtyScreen) -> None:
    editor.will("echo '[3' > \"$1\"\n")
    screen.send(b"E")
    screen.wait_text("not valid JSON")
    assert value_of(subject) == {"steps": [1]}
    assert kept(editor) == ["[3\n"]
