"""What people type against a real engine: looking, acting, refusing, undoing, waiting."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli_shell import TIMEOUT_S, Shell
from tests.integration.engines import until

pytestmark = pytest.mark.xdist_group("cli")


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A project whose engine runs in the foreground; its tests share it and clean up after themselves."""
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as runtime:
        shell = Shell(tmp_path_factory.mktemp("home"), Path(runtime))
        shell.start_engine()
        yield shell
        shell.close()


def submit(shell: Shell, *words: str) -> str:
    return shell.run("submit", *words).stdout.strip()


# ---- looking


def test_get_prints_rows_with_the_models_fields(shell: Shell) -> None:
    pools = {row["id"]: row for row in shell.json("get", "pools")}
    assert pools.keys() == {"coder", "tester", "shell"}
    assert (pools["coder"]["min"], pools["coder"]["max"], pools["coder"]["size"]) == (2, 5, 2)
    table = shell.run("get", "po").stdout.splitlines()
    assert table[0].startswith("ID ")
    assert {line.split()[0] for line in table[1:]} == set(pools)
    wide = shell.run("get", "pools", "-o", "wide").stdout
    assert "RETRIED" in wide.splitlines()[0]


def test_get_filters_and_limits(shell: Shell) -> None:
    assert [row["id"] for row in shell.json("get", "pools", "--filter", "kind=command")] == ["shell"]
    limited = shell.run("get", "agents", "--limit", "1", "-o", "json")
    assert len(json.loads(limited.stdout)) == 1
    assert "--limit" in limited.stderr
    assert "did you mean" in shell.run("get", "agents", "--filter", "pol=coder", code=2).stderr
    assert shell.run("get", "agents", "--filter", "nobody").stderr == "no agents\n"


def test_why_says_what_holds_a_task_up_and_by_whom(shell: Shell) -> None:
    shell.run("pause", "tester", "--reason", "migration")
    task = submit(shell, "noop", "tester")
    try:
        lines = shell.run("why", "task", task).stdout.splitlines()
        assert lines[0] == "noop: it waits for an agent, and pool tester is paused"
        assert any("pool tester was paused by" in line and "migration" in line and "[plans pln_" in line for line in lines)
        found = shell.json("why", "task", task)
        assert (found["kind"], found["id"]) == ("tasks", task)
        assert "there is no explanation of 'audit'" in shell.run("why", "audit", "aud_1", code=2).stderr
    finally:
        shell.run("cancel", task, "--yes")
        shell.run("unpause", "tester")


def test_get_one_in_full(shell: Shell) -> None:
    assert shell.json("get", "pool", "coder")["spec"]["max"] == 5
    assert "max: 5" in shell.run("get", "pool", "coder").stdout
    assert "lists them" in shell.run("get", "task", "tsk_none", code=4).stderr
    assert "lists them" in shell.run("get", "host", "hst_none", code=4).stderr


def test_get_status_and_unknown_kinds(shell: Shell) -> None:
    assert shell.json("get", "status")["pools"]
    assert "did you mean 'pool'" in shell.run("get", "poolz", code=2).stderr


# ---- acting


def test_scale_by_plan_and_undo(shell: Shell) -> None:
    dry = shell.run("scale", "coder", "+2", "--dry-run")
    assert "2 → 4" in dry.stdout
    assert "nothing was changed" in dry.stderr
    assert shell.json("get", "pool", "coder")["size"] == 2
    assert shell.json("scale", "coder", "4", "--dry-run")["steps"][0]["after"] == "4"
    done = shell.run("scale", "coder", "4", "--reason", "a test of undo")
    assert done.stdout == "coder 4\n"
    assert "fleet-tui undo pln_" in done.stderr
    assert shell.json("get", "plans", "--filter", "undo")[-1]["reason"] == "a test of undo"
    shell.run("undo")
    assert shell.json("get", "pool", "coder")["size"] == 2


def test_several_targets_all_or_none(shell: Shell) -> None:
    answer = shell.json("pause", "coder", "tester")
    assert len(answer["values"]) == 2
    assert [row["id"] for row in shell.json("get", "pools", "--filter", "paused=true")] == ["coder", "tester"]
    shell.run("undo", answer["plan"])
    assert "nobody" in shell.run("pause", "coder", "nobody", code=4).stderr
    assert shell.json("get", "pools", "--filter", "paused=true") == []


def test_refused_is_4(shell: Shell) -> None:
    assert "5" in shell.run("scale", "coder", "99", code=4).stderr
    assert "nobody" in shell.run("drain", "nobody", code=4).stderr
    assert "nobody" in shell.run("drain", "nobody", "--dry-run", code=4).stderr


def test_destructive_needs_yes_without_a_terminal(shell: Shell) -> None:
    shell.run("pause", "tester")
    task = submit(shell, "noop", "tester")
    refusal = shell.run("cancel", task, code=4)
    assert "--yes" in refusal.stderr
    assert shell.json("get", "task", task)["state"] == "pending"
    assert task in shell.run("cancel", task, "--yes").stdout
    assert shell.json("get", "task", task)["state"] == "cancelled"
    shell.run("unpause", "tester")


# ---- tasks


def test_submit_wait_succeeds(shell: Shell) -> None:
    done = shell.run("submit", "echo", "coder", "--payload", '{"n": 1}', "--wait")
    assert json.loads(done.stdout)["n"] == 1
    assert "succeeded" in done.stderr


def test_submit_wait_fails_like_its_task(shell: Shell) -> None:
    done = shell.run("submit", "no.such.type", "coder", "--wait", "--max-attempts", "1", code=1)
    assert "no.such.type" in done.stderr


def test_result_and_log_of_a_program(shell: Shell) -> None:
    done = shell.run("submit", "command", "shell", "--prompt", "hello", "--wait", "-o", "json")
    task = json.loads(done.stdout)["id"]
    said = shell.run("log", task)
    assert "said" in said.stdout
    assert shell.run("log", "--follow", task).stdout == said.stdout
    assert "hello" in shell.run("result", task).stdout
    assert "has no field" in shell.run("result", task, "--field", "nope", code=2).stderr


def test_result_of_an_unfinished_task(shell: Shell) -> None:
    shell.run("pause", "tester")
    task = submit(shell, "noop", "tester")
    assert "no result yet" in shell.run("result", task, code=4).stderr
    shell.run("unpause", "tester")


def test_text_that_is_not_utf8(shell: Shell) -> None:
    done = subprocess.run(
        [*map(os.fsencode, shell.argv("submit", "echo", "coder", "--prompt")), b"\xff"], cwd=shell.project,
        env=shell.environment, capture_output=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert (done.returncode, b"Traceback" in done.stderr) == (2, False), done.stderr


# ---- watching


def test_watch_says_what_happens(shell: Shell) -> None:
    watching = subprocess.Popen(
        shell.argv("watch", "pools", "events", "-o", "json", "--count", "1"), cwd=shell.project, env=shell.environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip

    def has_ended_after_more() -> bool:
        shell.run("pause", "tester")
        shell.run("unpause", "tester")
        return watching.poll() is not None

    until(has_ended_after_more, TIMEOUT_S)  # it tells only what happens after it began
    out, err = watching.communicate(timeout=TIMEOUT_S)
    assert watching.returncode == 0, err
    (line,) = out.splitlines()
    assert json.loads(line)["kind"] in ("pools", "events")


def test_watch_ends_by_time_and_by_interrupt(shell: Shell) -> None:
    shell.run("watch", "--seconds", "0.2")
    watching = subprocess.Popen(
        shell.argv("watch", "hosts"), cwd=shell.project, env=shell.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert watching.stdout is not None
    assert watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    _out, err = watching.communicate(timeout=TIMEOUT_S)
    assert (watching.returncode, err.strip()) == (130, "")


def test_a_reader_that_leaves(shell: Shell) -> None:
    watching = subprocess.Popen(
        shell.argv("watch", "hosts"), cwd=shell.project, env=shell.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert watching.stdout is not None
    assert watching.stderr is not None
    watching.stdout.readline()
    watching.stdout.close()
    assert watching.wait(TIMEOUT_S) == 1
    assert watching.stderr.read() == ""
    watching.stderr.close()


# ---- with a terminal


def type_into(shell: Shell, words: list[str], keys: bytes) -> tuple[int, str]:
    """Run fleet-tui in a terminal, type, and return its exit code and all that the terminal showed."""
    terminal, inner = pty.openpty()
    process = subprocess.Popen(shell.argv(*words), cwd=shell.project, env=shell.environment, stdin=inner, stdout=inner, stderr=inner)
    os.close(inner)
    shown = bytearray()

    def read() -> None:
        try:
            while part := os.read(terminal, 4096):
                shown.extend(part)
                if b"[y/N]" in shown and keys not in shown:
                    os.write(terminal, keys)
        except OSError:
            return  # EIO: the other side was closed

    reader = threading.Thread(target=read)
    reader.start()
    code = process.wait(TIMEOUT_S)
    reader.join(TIMEOUT_S)
    os.close(terminal)
    return code, shown.decode()


def test_a_terminal_is_asked(shell: Shell) -> None:
    shell.run("pause", "tester")
    task = submit(shell, "noop", "tester")
    code, shown = type_into(shell, ["cancel", task], b"n\r")
    assert (code, "nothing was changed" in shown) == (4, True), shown
    assert shell.json("get", "task", task)["state"] == "pending"
    code, shown = type_into(shell, ["cancel", task], b"y\r")
    assert code == 0, shown
    assert "pending → cancelled" in shown
    assert shell.json("get", "task", task)["state"] == "cancelled"
    shell.run("unpause", "tester")


# ---- the rest


def test_doctor_finds_the_engine(shell: Shell) -> None:
    findings = {finding["what"]: finding for finding in shell.json("doctor")}
    assert findings["engine"]["state"] == "ok"
    assert str(shell.engines[0].pid) in findings["engine"]["text"]
    assert findings["packages"]["state"] == "ok"


def test_completion_knows_the_pools(shell: Shell) -> None:
    environment = {**shell.environment, "_FLEET_TUI_COMPLETE": "bash_complete", "COMP_WORDS": "fleet-tui scale co", "COMP_CWORD": "2"}
    done = subprocess.run(shell.argv(), cwd=shell.project, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.stdout.split() == ["plain,coder"], done
