"""`E` and `fleet-tui edit` with a real editor on a real terminal: good, bad and then good, left alone, failed, missing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine.model.plans import Origin

from tests.integration.engines import EngineProcess, engine, until
from tests.ui.fleet import Fleet, sit
from tests.ui.pty_screen import PtyScreen

SCRIPT = """#!/bin/sh
n=$(($(cat "{folder}/n" 2>/dev/null || echo 0) + 1))
echo $n > "{folder}/n"
cp "$1" "{folder}/seen-$n"
echo "$1" > "{folder}/path"
echo editing "$1"
. "{folder}/step-$n"
"""


class Editor:
    """An editor that does what a test wrote down for each time that it is opened."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.program = folder, folder / "editor"
        self.program.write_text(SCRIPT.format(folder=folder))
        self.program.chmod(0o755)
        self.environment = {"VISUAL": str(self.program), "TMPDIR": str(folder / "kept")}
        (folder / "kept").mkdir()

    def will(self, *steps: str) -> None:
        (self.folder / "n").unlink(missing_ok=True)
        for number, step in enumerate(steps, 1):
            (self.folder / f"step-{number}").write_text(step)

    def seen(self, number: int) -> str:
        return (self.folder / f"seen-{number}").read_text()

    @property
    def kept(self) -> list[str]:
        return [path.read_text() for path in (self.folder / "kept").glob("fleet-tui-*.toml")]


def put(key: str, value: str) -> str:
    return f"sed -i 's/^{key} = .*/{key} = {value}/' \"$1\"\n"


@pytest.fixture
def editor(tmp_path: Path) -> Editor:
    return Editor(tmp_path)


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    with engine(tmp_path_factory.mktemp("edited")) as running:
        yield running


@pytest.fixture
def screen(subject: EngineProcess, editor: Editor) -> Iterator[PtyScreen]:
    with PtyScreen(subject.command(), env=subject.environment | editor.environment) as screen:
        screen.wait_text("LIVE")
        screen.send(b":pools /coder\r")
        screen.wait_text("min..max")
        yield screen


def max_of(subject: EngineProcess, pool: str = "coder") -> int:
    return int(subject.get("pool", pool)["max"])


def test_a_good_edit_shows_its_plan_and_is_applied(subject: EngineProcess, editor: Editor, screen: PtyScreen) -> None:
    was = max_of(subject)
    editor.will(put("max", str(was + 1)))
    screen.send(b"E")
    screen.wait_text(f"max {was + 1}")
    assert max_of(subject) == was, "nobody agreed yet"
    assert f"\nmax = {was}\n" in editor.seen(1)
    assert "# most agents; a whole number 1 to 100000" in editor.seen(1)
    screen.send(b"\r")
    until(lambda: max_of(subject) == was + 1)
    until(lambda: not editor.kept)


def test_a_bad_edit_is_opened_again_until_it_is_good(subject: EngineProcess, editor: Editor, screen: PtyScreen) -> None:
    was = max_of(subject)
    editor.will(put("max", '"many"'), put("max", str(was + 1)))
    screen.send(b"E")
    screen.wait_text(f"max {was + 1}")
    assert editor.seen(2).splitlines()[1] == "#! max: many is no whole number"
    screen.send(b"\r")
    until(lambda: max_of(subject) == was + 1)


def test_left_alone_nothing_happens_and_the_console_is_back(subject: EngineProcess, editor: Editor, screen: PtyScreen) -> None:
    was = max_of(subject)
    editor.will("true\n")
    screen.send(b"E")
    screen.wait_text("nothing was changed")
    screen.wait_text("min..max")
    assert max_of(subject) == was
    assert not editor.kept
    screen.send(b":agents\r")
    screen.wait_text("Agents")


def test_an_editor_that_fails_is_told_and_what_was_written_is_kept(subject: EngineProcess, editor: Editor, screen: PtyScreen) -> None:
    was = max_of(subject)
    editor.will(put("max", "77") + "exit 1\n")
    screen.send(b"E")
    screen.wait_text("the editor failed: it ended with 1")
    assert max_of(subject) == was
    assert ["\nmax = 77\n" in text for text in editor.kept] == [True]


def test_a_plan_that_is_dropped_keeps_the_text(editor: Editor, screen: PtyScreen) -> None:
    editor.will(put("max", "78"))
    screen.send(b"E")
    screen.wait_text("max 78")
    screen.send(b"\x1b")
    screen.wait_text("not applied; your text is kept in")
    assert ["\nmax = 78\n" in text for text in editor.kept] == [True]


def test_an_editor_that_is_not_there_is_told(subject: EngineProcess, tmp_path: Path) -> None:
    for value, told in ((str(tmp_path / "no-editor"), "there is no such program"), ("", "no editor is set: set $VISUAL or $EDITOR")):
        with PtyScreen(subject.command(), env=subject.environment | {"VISUAL": value, "EDITOR": ""}) as screen:
            screen.wait_text("LIVE")
            screen.send(b":pools /coder\r")
            screen.wait_text("min..max")
            screen.send(b"E")
            screen.wait_text(told)


async def test_a_console_under_a_name_of_a_shared_account_runs_no_editor() -> None:
    fleet = Fleet()
    async with sit(fleet, editor=None) as seat:
        await fleet.ready()
        await seat.open("pools")
        await seat.press("E")
        await seat.until(lambda: "shared by names: e edits in a form" in seat.told)


async def test_who_may_change_nothing_is_told_before_the_editor() -> None:
    fleet = Fleet()
    fleet.gate = fleet.world.gate(Origin("ada", role=2, mode="read-only"))
    async with sit(fleet, editor="true") as seat:
        await seat.open("pools")
        await seat.until(lambda: bool(seat.table.shown_ids))
        await seat.press("E")
        await seat.until(lambda: bool(seat.told))
        assert "read-only" in seat.told


# ---- in a shell


def run(subject: EngineProcess, editor: Editor, *words: str, code: int = 0) -> tuple[str, str]:
    import subprocess

    environment = {**os.environ, **subject.environment, **editor.environment}
    done = subprocess.run([*subject.command(), *words], env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


def test_the_command_edits_plans_and_applies(subject: EngineProcess, editor: Editor) -> None:
    was = max_of(subject, "tester")
    editor.will(put("max", str(was + 2)))
    out, _ = run(subject, editor, "edit", "pool", "tester", "--dry-run", "-o", "json")
    plan = json.loads(out[out.index("{") :])
    assert plan["steps"][0]["after"] == f"max {was + 2}"
    assert max_of(subject, "tester") == was
    assert len(editor.kept) == 1, "a dry run keeps what was written"
    editor.will(put("max", str(was + 2)))
    run(subject, editor, "edit", "pool", "tester", "--reason", "release")
    assert max_of(subject, "tester") == was + 2
    assert subject.get("audit")[-1]["reason"] == "release"
    editor.will("true\n")
    assert "nothing was changed" in run(subject, editor, "edit", "pool", "tester")[1]
    editor.will(put("max", '"x"'), "true\n")
    assert "with what is wrong in it; nothing was changed; your text is kept in" in run(subject, editor, "edit", "pool", "tester", code=2)[1]
    assert "agents cannot be edited; pools, policies, rules can" in run(subject, editor, "edit", "agent", "x", code=2)[1]


def test_the_command_refuses_under_a_name(subject: EngineProcess, editor: Editor) -> None:
    assert "this account is shared by names" in run(subject, editor, "--as", "ada", "edit", "pool", "coder", code=4)[1]


def test_in_a_terminal_the_command_asks_first(subject: EngineProcess, editor: Editor) -> None:
    was = max_of(subject)
    editor.will(put("max", str(was + 3)))
    with PtyScreen([*subject.command(), "edit", "pool", "coder"], env=subject.environment | editor.environment) as screen:
        screen.wait_text("Carry it out?")
        assert f"max {was + 3}" in screen.text
        assert max_of(subject) == was
        screen.send(b"n\r")
        screen.wait_text("your text is kept in")
    assert max_of(subject) == was
