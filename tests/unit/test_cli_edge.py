"""The program's edge: exit codes, one sentence for what is expected to fail, no traceback."""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from engine.model import errors
from engine.model.errors import FleetError
from fleet_tui import cli, console, output


def run(monkeypatch: pytest.MonkeyPatch, raised: BaseException | None) -> int:
    def dispatch(_argv: Any) -> int:
        if raised is not None:
            raise raised
        return 0

    monkeypatch.setattr(cli, "dispatch", dispatch)
    return cli.run([])


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (None, 0),
        (errors.FleetError("it failed"), 1),
        (errors.EngineStartError("it failed"), 1),
        (errors.UsageError("it failed"), 2),
        (errors.ConfigError("it failed"), 2),
        (errors.EngineUnavailable("it failed"), 3),
        (errors.CommandRefused("it failed"), 4),
        (errors.NotFound("it failed"), 4),
        (KeyboardInterrupt(), 130),
        (BaseExceptionGroup("many", [ExceptionGroup("more", [ValueError("x"), errors.ReadOnly("it failed")])]), 4),
    ],
)
def test_exit_codes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], raised: BaseException | None, code: int) -> None:
    assert run(monkeypatch, raised) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == ("" if code in (0, 130) else "error: it failed\n")


@pytest.mark.parametrize("raised", [ValueError("a bug"), ExceptionGroup("bugs", [ValueError("a bug")]), FileNotFoundError(2, "no", "f")])
def test_a_bug_stays_visible(monkeypatch: pytest.MonkeyPatch, raised: Exception) -> None:
    with pytest.raises(type(raised)):
        run(monkeypatch, raised)


def test_text_that_is_not_utf8(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, UnicodeEncodeError("utf-8", "a\udcff", 1, 2, "surrogates not allowed")) == 2
    assert "not text in UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC])
def test_stdout_that_takes_no_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str], number: int) -> None:
    class Full(io.TextIOWrapper):
        def flush(self) -> None:
            raise OSError(number, os.strerror(number))

    out = Full((tmp_path / "out").open("wb"))
    monkeypatch.setattr(sys, "stdout", out)
    assert run(monkeypatch, None) == 1
    assert run(monkeypatch, errors.UsageError("the first failure counts")) == 2
    said = capfd.readouterr().err
    assert ("No space left" in said) is (number == errno.ENOSPC)
    # Its descriptor leads nowhere now: what is left in the buffer is dropped without a word.
    io.TextIOWrapper.flush(out)
    out.buffer.close()
    assert (tmp_path / "out").read_bytes() == b""


@pytest.mark.parametrize(("number", "said"), [(errno.EPIPE, ""), (errno.ENOSPC, "cannot write the output: No space left on device")])
def test_lines_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, number: int, said: str) -> None:
    def echo(_text: str) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(output.click, "echo", echo)
    with pytest.raises(output.OutputLost) as lost:
        output.print_lines(["x"])
    assert (str(lost.value), lost.value.exit_code) == (said, 1)


def test_another_package_in_place_of_ours(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def dispatch(_argv: Any) -> int:
        raise ModuleNotFoundError("No module named 'engine.model'", name="engine.model")

    monkeypatch.setattr(cli, "dispatch", dispatch)
    monkeypatch.setattr(sys, "argv", ["fleet-tui"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert "fleet-tui doctor" in capsys.readouterr().err


# ---- is there a terminal


class Terminal:
    def __init__(self, *, yes: bool) -> None:
        self._yes = yes

    def isatty(self) -> bool:
        return self._yes


@pytest.mark.parametrize(
    ("stdin", "stdout", "term", "said"),
    [(False, True, "xterm", "needs a terminal"), (True, False, "xterm", "needs a terminal"), (True, True, "dumb", "TERM"), (True, True, "", "TERM")],
)
def test_no_console_without_a_terminal(monkeypatch: pytest.MonkeyPatch, stdin: bool, stdout: bool, term: str, said: str) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(yes=stdin))
    monkeypatch.setattr(sys, "stdout", Terminal(yes=stdout))
    monkeypatch.setenv("TERM", term)
    with pytest.raises(FleetError, match=said) as refusal:
        console.require_terminal()
    assert refusal.value.exit_code == 2


def test_a_console_with_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(yes=True))
    monkeypatch.setattr(sys, "stdout", Terminal(yes=True))
    monkeypatch.setenv("TERM", "xterm-256color")
    console.require_terminal()


@pytest.mark.parametrize(
    ("environment", "level", "chosen"),
    [
        ({}, "256", {"TEXTUAL_FPS": "240", "TEXTUAL_ANIMATIONS": "none", "ESCDELAY": "20", "TEXTUAL_COLOR_SYSTEM": "256"}),
        ({"TEXTUAL_FPS": "30"}, "truecolor", {"TEXTUAL_ANIMATIONS": "none", "ESCDELAY": "20", "TEXTUAL_COLOR_SYSTEM": "truecolor"}),
        ({"TEXTUAL_FPS": "30"}, "none", {"TEXTUAL_ANIMATIONS": "none", "ESCDELAY": "20", "TEXTUAL_COLOR_SYSTEM": "standard"}),
        ({"TEXTUAL_COLOR_SYSTEM": "256"}, "16", {"TEXTUAL_FPS": "240", "TEXTUAL_ANIMATIONS": "none", "ESCDELAY": "20"}),
    ],
)
def test_what_textual_is_told(environment: dict[str, str], level: str, chosen: dict[str, str]) -> None:
    assert console.textual_environment(environment, level) == chosen
