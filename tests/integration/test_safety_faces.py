"""Guardrails, read-only connections and halts on a real engine, by every face: command line, REST, WebSocket."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from engine.api.client import Caller, connect
from engine.clock import SystemClock
from engine.model import commands as c
from engine.model.agent_commands import DrainAgent
from engine.model.errors import Denied, PlanChanged, Unconfirmed
from engine.model.fleet_commands import UndoPlan
from engine.model.pool_commands import PausePool, ScalePool

from tests.integration.cli_shell import SMALL, TIMEOUT_S, Shell
from tests.integration.test_api_rest import Reply, ask

pytestmark = pytest.mark.xdist_group("cli")

RULES = """
[operations]
undo_window_s = 3600

[[operations.guardrails]]
name = "frozen"
verbs = ["pause"]
targets = ["tester"]
deny = "ask the platform team"

[[operations.guardrails]]
name = "names"
verbs = ["drain", "undrain"]
confirm = "type-name"
reason_required = true

[[operations.guardrails]]
name = "few"
verbs = ["scale"]
max_bulk = 2

[[operations.guardrails]]
name = "never"
verbs = ["restart"]
window = { never = ["mon-sun 00:00-23:59", "mon-sat 23:59-24:00"] }

[pools.sleeper]
kind = "command"
min = 3
max = 3
command = { argv = ["sleep", "600"] }
"""


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A project with guardrails whose engine runs in the foreground."""
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as runtime:
        shell = Shell(tmp_path_factory.mktemp("home"), Path(runtime), SMALL + RULES)
        shell.start_engine()
        yield shell
        shell.close()


def rest(shell: Shell, verb: str, *, headers: str = "", query: str = "", **body: object) -> Reply:
    return asyncio.run(ask(shell.paths.socket, "POST", f"/v1/{verb}{query}", body, headers=headers))


def wait_for(condition: Callable[[], bool], shell: Shell) -> None:
    """Wait until something is so; the command line itself takes long enough between two looks."""
    for _ in range(200):
        if condition():
            return
        shell.run("get", "status", "-o", "json")
    raise AssertionError("it never was so")


# ---- what may I do?


def test_command_line_says_what_i_may(shell: Shell) -> None:
    lines = shell.run("can-i").stdout.splitlines()
    assert "yes  pause        frozen on tester: refused: ask the platform team" in lines
    assert any(line.startswith("no   restart      never: never mon-sun") for line in lines)
    assert shell.run("can-i", "submit").stdout.startswith("yes  submit")
    assert "no: frozen: refused: ask the platform team" in shell.run("can-i", "pause", "tester", code=4).stderr
    [verb] = shell.json("can-i", "pause", "coder")
    assert (verb["may"], verb["conditions"]) == (True, [])
    assert "did you mean 'pause'" in shell.run("can-i", "puase", code=2).stderr


def test_rest_says_what_i_may(shell: Shell) -> None:
    reply = asyncio.run(ask(shell.paths.socket, "GET", "/v1/can-i?verb=pause&target=tester"))
    assert (reply.status, reply.json[0]["may"]) == (200, False)


# ---- guardrails


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("pause", "tester"), "refused by 'frozen': ask the platform team; nothing was changed"),
        (("scale", "coder", "+3"), "refused by 'few': at most 2 at once, this plan touches 3; nothing was changed"),
        (("restart", "coder-1"), "refused by 'never': never mon-sun"),
        (("drain", "coder-1"), "type 'coder-1' to confirm (names); nothing was changed; say it with --confirm"),
        (("drain", "coder-1", "--confirm", "coder-2"), "type 'coder-1' to confirm, not 'coder-2' (names)"),
        (("drain", "coder-1", "--confirm", "coder-1"), "give a reason (names); nothing was changed; say it with --reason"),
        (("halt", "placing", "--yes"), "type 'placing' to confirm (halt); nothing was changed; say it with --confirm"),
    ],
)
def test_command_line_is_refused_with_4(shell: Shell, words: tuple[str, ...], text: str) -> None:
    assert text in shell.run(*words, code=4).stderr
    newest = shell.json("get", "audit")[-1]
    assert newest["action"] == c.VERBS[words[0]].name
    assert newest["result"] != "done"


def test_dry_run_shows_the_plan_and_what_refuses_it(shell: Shell) -> None:
    done = shell.run("scale", "coder", "+3", "--dry-run", code=4)
    assert "pool.scale coder  2 → 5" in done.stdout
    assert "guardrail few: at most 2 at once, this plan touches 3" in done.stdout
    assert "refused by 'few'" in done.stderr
    assert "guardrail names: type coder-1" in shell.run("drain", "coder-1", "--dry-run").stdout


def test_command_line_carries_out_what_is_confirmed(shell: Shell) -> None:
    shell.run("drain", "coder-1", "--confirm", "coder-1", "--reason", "patch day")
    assert "type 'coder-1' to confirm (names)" in shell.run("undo", code=4).stderr  # judged by what it does
    shell.run("undo", "--confirm", "coder-1", "--reason", "patched")
    assert shell.json("get", "agents", "--filter", "status=drained") == []


def test_terminal_is_asked_for_the_name_and_the_reason(shell: Shell) -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        shell.argv("drain", "coder-2"), cwd=shell.project, env=shell.environment, stdin=slave, stdout=subprocess.DEVNULL, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    said = b""
    for prompt, answer in ((b"Type coder-2 to carry it out: ", b"coder-2\n"), (b"Why: ", b"patch day\n")):
        while prompt not in said:
            said += os.read(master, 1_000)
        os.write(master, answer)
    assert process.wait(TIMEOUT_S) == 0
    os.close(master)
    assert b"guardrail names: type coder-2" in said
    assert shell.json("get", "audit")[-1]["reason"] == "patch day"
    shell.run("undo", "--confirm", "coder-2", "--reason", "back")


@pytest.mark.parametrize(
    ("verb", "body", "status", "code"),
    [
        ("pool.pause", {"pool": "tester"}, 403, "denied"),
        ("pool.scale", {"pool": "coder", "size": "+3"}, 403, "denied"),
        ("agent.restart", {"agent": "coder-1"}, 403, "denied"),
        ("agent.drain", {"agent": "coder-1"}, 409, "unconfirmed"),
        ("agent.drain", {"agent": "coder-1", "confirm": "coder-1"}, 409, "unconfirmed"),
        ("fleet.halt", {"scope": "placing"}, 409, "unconfirmed"),
        ("fleet.resume", {"scope": "coder"}, 400, "usage"),
    ],
)
def test_rest_is_refused_with_403_and_409(shell: Shell, verb: str, body: dict[str, Any], status: int, code: str) -> None:
    reply = rest(shell, verb, **body)
    assert (reply.status, reply.json["code"]) == (status, code), reply.json


def test_rest_shows_the_demands_in_a_plan_and_takes_what_they_demand(shell: Shell) -> None:
    plan = rest(shell, "agent.drain", query="?dry_run=true", agent="coder-1").json
    assert (plan["confirm"], plan["needs_reason"], plan["refused"]) == ("coder-1", True, "")
    assert {demand["rule"] for demand in plan["demands"]} == {"names"}
    assert plan["capacity"] == [{"pool": "coder", "before": 2, "after": 1, "busy": 0, "waiting": 0}]
    done = asyncio.run(ask(shell.paths.socket, "POST", "/v1/execute", {"plan": plan["id"], "confirm": "coder-1", "reason": "x"}))
    assert done.status == 200, done.json
    assert rest(shell, "agent.undrain", agent="coder-1", confirm="coder-1", reason="x").status == 200


def test_websocket_carries_every_refusal_as_its_own_class(shell: Shell) -> None:
    async def story() -> None:
        async with connect(shell.paths.socket, clock=SystemClock(), caller=Caller("api")) as operator:
            with pytest.raises(Denied):
                await operator.execute([PausePool("tester")])
            with pytest.raises(Unconfirmed):
                await operator.execute([DrainAgent("coder-1")], reason="x")
            plan = await operator.plan([ScalePool("coder", "+1")])
            await operator.execute([ScalePool("coder", "4")])
            with pytest.raises(PlanChanged):
                await operator.execute(plan.id)
            await operator.execute([UndoPlan()])

    asyncio.run(story())


# ---- looking only


def test_read_only_connection_is_refused_by_the_engine(shell: Shell) -> None:
    said = shell.run("--read-only", "scale", "coder", "3", code=4).stderr
    assert "scale: this connection is read-only: it was opened to look only, by --read-only or by read_only of its context; nothing was changed" in said
    assert shell.run("--read-only", "get", "pools").stdout
    assert rest(shell, "pool.scale", headers="Fleet-Mode: read-only\r\n", pool="coder", size="3").status == 403
    assert rest(shell, "pool.scale", headers="Fleet-Mode: rw\r\n", pool="coder", size="3").status == 400
    audit = shell.json("get", "audit")[-1]
    assert (audit["action"], audit["target"]) == ("pool.scale", "coder")


def test_engine_configured_read_only_wants_write_to_be_said(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as runtime:
        shell = Shell(tmp_path, Path(runtime), f"{SMALL}\n[operations]\nread_only = true\n")
        shell.start_engine()
        try:
            assert "operations.read_only is set; open it with --write" in shell.run("scale", "coder", "3", code=4).stderr
            shell.run("--write", "scale", "coder", "3")
            assert rest(shell, "pool.scale", pool="coder", size="4").status == 403
            assert rest(shell, "pool.scale", headers="Fleet-Mode: write\r\n", pool="coder", size="4").status == 200
        finally:
            shell.close()


def test_configured_viewer_is_one(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as runtime:
        shell = Shell(tmp_path, Path(runtime), f'{SMALL}\n[operations]\nroles = {{ "*" = "viewer" }}\n')
        shell.start_engine()
        try:
            assert "needs the role operator" in shell.run("--write", "scale", "coder", "3", code=4).stderr
        finally:
            shell.close()


# ---- emergency stop


def test_halt_stops_programs_holds_over_kill_9_and_ends_with_resume(shell: Shell) -> None:
    tasks = [shell.run("submit", "command", "sleeper", "--prompt", "x", "--max-attempts", "1").stdout.strip() for _ in range(3)]

    def states() -> set[str]:
        return {row["state"] for row in shell.json("get", "tasks", "--filter", "pool=sleeper")}

    wait_for(lambda: states() == {"running"}, shell)
    shell.run("halt", "--confirm", "agents", "--reason", "runaway")
    wait_for(lambda: states() == {"pending"}, shell)
    assert [halt["scope"] for halt in shell.json("get", "status")["halted"]] == ["agents"]
    assert "halted" in shell.run("get", "status").stdout
    engine = shell.engines[-1]
    shell.end(engine, signal.SIGKILL)
    shell.start_engine()
    assert states() == {"pending"}
    assert {row["reason"] for row in shell.json("get", "tasks", "--filter", "pool=sleeper")} == {"fleet halted"}
    assert {row["tries"] for row in shell.json("get", "tasks", "--filter", "pool=sleeper")} == {0}
    said = shell.run("resume", "tester", code=2).stderr
    assert "unpause POOL" in said
    shell.run("undo")  # one plan, one undo: also after a restart
    assert shell.json("get", "status")["halted"] == []
    wait_for(lambda: states() == {"running"}, shell)
    shell.run("cancel", *tasks, "--yes")
