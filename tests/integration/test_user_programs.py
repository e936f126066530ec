"""The user's own commands as real programs: what they are given, what is kept of them, and how they end."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from engine.clock import SystemClock
from fleet_tui.programs import run_kept
from fleet_tui.user_commands import UserCommand, invocations
from screens.runs import Output, Part

from tests.unit.test_user_commands import NASTY, task

ECHO = "import json, sys; print(json.dumps(sys.argv[1:]))"
BYTES_MAX = 100_000


async def run(*argv: str, bytes_max: int = BYTES_MAX, **environment: str) -> Part:
    part = Part(argv, "", Output(bytes_max))
    async with asyncio.timeout(60):
        await run_kept(part, environment, SystemClock().now)
    return part


def lines(part: Part, *, is_error: bool = False) -> list[str]:
    return [text for error, text in part.output.lines if error is is_error]


def python(code: str) -> Sequence[str]:
    return (sys.executable, "-c", code)


async def test_whatever_a_row_holds_stays_one_argument(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("still here")
    command = UserCommand("echo", "echo", (sys.executable, "-c", ECHO, "--", "{title}", "{id}"), ("tasks",))
    for title in (*NASTY, f"; rm -f {victim}", f"$(rm -f {victim})", f"x\nrm -f {victim}\n"):
        (made,) = invocations(command, "tasks", [task(title=title)], {})
        part = await run(*made.argv, **made.environment)
        assert json.loads(lines(part)[0]) == ["--", title, "tsk_1"]
    assert victim.read_text() == "still here"


async def test_all_marked_rows_in_one_program() -> None:
    command = UserCommand("echo", "echo", (sys.executable, "-c", ECHO, "--", "{title}"), ("tasks",), marks="together")
    (made,) = invocations(command, "tasks", [task(title=title) for title in NASTY], {})
    assert json.loads(lines(await run(*made.argv))[0]) == ["--", *NASTY]


async def test_output_errors_and_exit_code_are_kept() -> None:
    part = await run(*python("import sys; print('out'); print('bad', file=sys.stderr); sys.exit(3)"))
    assert (lines(part), lines(part, is_error=True)) == (["out"], ["bad"])
    assert (part.code, part.outcome(), part.is_good) == (3, "exit 3", False)


async def test_facts_are_in_the_environment() -> None:
    part = await run(*python("import os; print(os.environ['FLEET_ROW_TITLE'], bool(os.environ['PATH']))"), FLEET_ROW_TITLE="check api")
    assert lines(part) == ["check api True"]


async def test_input_is_empty_and_not_the_terminals() -> None:
    assert lines(await run(*python("import sys; print(repr(sys.stdin.read()))"))) == ["''"]


async def test_a_program_that_is_not_there_or_may_not_be_run_is_said(tmp_path: Path) -> None:
    part = await run("no-such-program-anywhere")
    assert (part.outcome(), part.code, part.is_good) == ("not run: there is no such program", None, False)
    plain = tmp_path / "plain"
    plain.write_text("text")
    assert (await run(str(plain))).outcome() == "not run: it may not be run"
    plain.chmod(0o755)
    assert (await run(str(plain))).outcome() == "not run: it is no program; a script begins with #!"
    assert (await run("true", "x" * 10_000_000)).outcome() == "not run: its arguments are too long together"


async def test_a_program_that_is_killed_says_by_what() -> None:
    part = await run(*python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    assert (part.outcome(), part.is_good) == ("killed by SIGKILL", False)


@pytest.mark.parametrize("end", ["'\\n'", "''"], ids=["lines", "one line"])
async def test_ten_megabytes_are_read_and_the_newest_kept(end: str) -> None:
    part = await run(*python(f"import sys\nfor n in range(100_000): sys.stdout.write(f'{{n:099}}' + {end} if True else '')\nprint('last')"))
    assert part.code == 0
    assert part.output.kept_bytes <= BYTES_MAX
    assert part.output.left_out_bytes > 9_500_000
    assert lines(part)[-1].endswith("last")
    assert max(map(len, lines(part))) <= 8_192


async def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    part = await run(*python(r"import sys; sys.stdout.buffer.write(b'caf\xc3\xa9 \xff\r\nend')"))
    assert lines(part) == ["café \ufffd", "end"]


async def test_what_a_program_leaves_behind_with_its_output_open_is_not_waited_for() -> None:
    child = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid)"
    part = await run(*python(child))
    pid = int(lines(part)[0])
    assert part.code == 0
    os.kill(pid, 9)  # it is still there: a command may start something that stays


async def test_a_program_that_is_stopped_ends_with_all_of_its_session() -> None:
    part = Part(python("import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); p.wait()"), "", Output(BYTES_MAX))
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        running = group.create_task(run_kept(part, {}, SystemClock().now))
        while not part.output.lines:
            await SystemClock().sleep(0.01)
        running.cancel()
    pid = int(lines(part)[0])
    assert (part.outcome(), part.is_good, part.ended_at is not None) == ("stopped", False, True)
    async with asyncio.timeout(60):
        while is_alive(pid):
            await SystemClock().sleep(0.01)


async def test_a_program_that_does_not_want_to_end_is_made_to() -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    part = Part(python(code), "", Output(BYTES_MAX))
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        running = group.create_task(run_kept(part, {}, SystemClock().now))
        while not part.output.lines:
            await SystemClock().sleep(0.01)
        running.cancel()
    assert part.problem == "stopped"


def is_alive(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
