"""Carry out verbs that were typed: dry run, question, plan, answer, and the wait for a task's end.

Owner: nobody; each run has its own connection. Imports asyncio and the client: only commands that need an engine import this.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.api.client import Caller, RemoteOperator, connect
from engine.api.following_task import Waiting
from engine.clock import SystemClock
from engine.model.acting import SOCKET_VARIABLE, VARIABLE
from engine.model.data_commands import BackUpFleet
from engine.model.errors import (
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_REFUSED,
    EXIT_VOTED_ON,
    CommandRefused,
    Denied,
    FleetError,
    PlanChanged,
    Unconfirmed,
)
from engine.model.fleet_commands import StopEngine
from engine.model.plans import Answer, Plan
from engine.model.question_commands import AskOperator
from engine.model.questions import DENY
from engine.model.task_commands import SubmitTask
from engine.model.tasks import FINISHED, TaskState
from engine.model.verbs import Command, Danger
from engine.model.wire import to_plain
from engine.operations import Operator
from fleet_tui import output
from fleet_tui.attach import engine_of_agent, find_address, is_locked, require_address
from fleet_tui.contexts import choose_context
from fleet_tui.settings import Address, Remote

if TYPE_CHECKING:
    from fleet_tui.settings import Paths

MAKING = frozenset({"task.submit", "task.ask", "agent.register", "agent.allocate"})
"""Verbs whose answer is the name of something new."""

WAIT_FIRST_S = 0.05
WAIT_LONGEST_S = 1.0
ENGINE_END_S = 20.0
COMPLETION_TIMEOUT_S = 1.0
COMPLETIONS_MAX = 200


@dataclass(frozen=True, slots=True)
class Request:
    """What was typed: verbs, and how they are to be carried out."""

    commands: list[Command]
    dry_run: bool = False
    reason: str = ""
    yes: bool = False
    output: str = "text"
    wait: bool = False
    confirm: str = ""
    """What a guardrail wants typed."""
    mode: str = ""
    """read-only, write, or as the engine is configured."""


Show = Callable[[Answer, Request], None]
"""What becomes of the answer to a request."""


def operator_at(address: Address, timeout_s: float = 5.0, *, mode: str = "", via: str = "cli") -> RemoteOperator:
    """Return this user's authority over the engine at an address; connect by entering its context. Raises UsageError."""
    context = click.get_current_context(silent=True)
    name = str(context.find_root().params.get("as_name", "")) if context else ""
    token = address.read_token() if isinstance(address, Remote) else ""
    caller = Caller(via=via, ssh_connection=os.environ.get("SSH_CONNECTION", ""), token=token, name=name, mode=mode, agent=_agent_token(address))
    return connect(str(address), clock=SystemClock(), caller=caller, timeout_s=timeout_s)


def _agent_token(address: Address) -> str:
    """Return the token with which this program acts as the agent that it is of; only the agent's own engine knows it."""
    socket = os.environ.get(SOCKET_VARIABLE, "")
    is_own = isinstance(address, Path) and bool(socket) and os.path.realpath(address) == os.path.realpath(socket)
    return os.environ.get(VARIABLE, "") if is_own else ""


def act(paths: Paths, request: Request) -> int:
    """Carry out a request, print what came of it, return the exit code. Raises FleetError, Denied also when a dry run shows that it would be."""
    if isinstance(request.commands[0], BackUpFleet):
        from fleet_tui import database

        address = find_address(paths) or engine_of_agent(os.environ)
        if address is None:
            database.back_up_here(paths, request)
            return EXIT_DONE
        request = database.placed(address, request)
    if request.dry_run:
        plan = asyncio.run(make_plan(require_address(paths), request))
        show_plan(plan, request)
        if plan.refused:
            raise Denied(plan.refused)
        return EXIT_DONE
    destroys = any(command.danger is Danger.DESTRUCTIVE for command in request.commands)
    asks = destroys and not request.yes and not request.confirm
    if asks and not is_interactive():
        raise CommandRefused(
            f"`{request.commands[0].verb}` destroys work and nobody can be asked here; nothing was changed:"
            " look with --dry-run, then say --yes"
        )
    socket = require_address(paths)
    try:
        code = ask_and_carry_out(socket, request) if asks else asyncio.run(carry_out(socket, request, request.commands))
    except Unconfirmed as error:
        if asks or not is_interactive():
            raise Unconfirmed(f"{error}; say it with {'--reason' if 'reason' in str(error) else '--confirm'}") from error
        code = ask_and_carry_out(socket, request)
    if code == EXIT_DONE and any(isinstance(command, StopEngine) for command in request.commands):
        asyncio.run(wait_engine_ended(paths))
    return code


def act_by_kind(address: Address, commands: Sequence[Command], request: Request) -> None:
    """Show what verbs would do, ask, and carry them out: one plan for each kind, in their order. Raises FleetError.

    As JSON it is one document, `plans` and `answers`, also when a later plan fails: it tells what the earlier ones changed.
    """
    requests = [dataclasses.replace(request, commands=list(group)) for _, group in groupby(commands, key=type)]
    plans = [asyncio.run(make_plan(address, one)) for one in requests]
    if request.output != "json":
        _act_in_turn(address, requests, plans)
        return
    answers: list[Answer] = []
    try:
        _act_in_turn(address, requests, plans, lambda answer, _request: answers.append(answer))
    finally:
        output.print_json(to_plain({"plans": plans, "answers": answers}))


def show_nothing(text: str, request: Request) -> None:
    """Say that there is nothing to do, in the form of act_by_kind()."""
    if request.output == "json":
        output.print_json({"plans": [], "answers": []})
    else:
        output.print_lines([text])


def _act_in_turn(address: Address, requests: Sequence[Request], plans: Sequence[Plan], show: Show | None = None) -> None:
    first = requests[0]
    lines = [line for plan in plans for line in output.plan_lines(plan)]
    refused = next((plan.refused for plan in plans if plan.refused), "")
    if first.dry_run or refused or not (first.yes or is_interactive()):
        if show is None:
            output.print_lines(lines)
        if not (first.dry_run or refused):
            raise CommandRefused("nobody can be asked here; nothing was changed: look with --dry-run, then say --yes")
        output.say("dry run; nothing was changed" if first.dry_run else "nothing was changed")
        if refused:
            raise Denied(refused)
        return
    if first.yes:
        output.say("\n".join(lines))
    code = max(asyncio.run(carry_out(address, one, one.commands, show)) if one.yes else ask_and_carry_out(address, one, show) for one in requests)
    if code:
        raise click.exceptions.Exit(code)


def ask_and_carry_out(socket: Address, request: Request, show: Show | None = None) -> int:
    """Show the plan, ask what it demands, carry it out; anew when the fleet has changed meanwhile. Raises FleetError.

    Returns the exit code.
    """
    while True:
        # The connection is closed meanwhile: a person takes longer than the engine waits for a pong.
        plan = asyncio.run(make_plan(socket, request))
        output.say("\n".join(output.plan_lines(plan)))
        if plan.refused:
            raise Denied(plan.refused)
        answered = ask(plan, request)
        try:
            return asyncio.run(carry_out(socket, answered, plan.id, show))
        except PlanChanged as error:
            output.say(str(error))


def ask(plan: Plan, request: Request) -> Request:
    """Return the request with what a person typed. Raises CommandRefused when they do not agree, click.Abort at Ctrl-C."""
    confirm, reason = request.confirm, request.reason
    if plan.confirm and not confirm:
        confirm = click.prompt(f"Type {plan.confirm} to carry it out", default="", show_default=False, err=True)
    elif not plan.confirm and not request.yes and not click.confirm("Carry it out?", err=True):
        raise CommandRefused("not confirmed; nothing was changed")
    if plan.needs_reason and not reason:
        reason = click.prompt("Why", default="", show_default=False, err=True)
    return dataclasses.replace(request, confirm=confirm, reason=reason)


async def wait_engine_ended(paths: Paths) -> None:
    """Wait until a stopped engine has let go of its state, so that the next one can start; for ENGINE_END_S at most."""
    clock = SystemClock()
    give_up_at = clock.now() + ENGINE_END_S
    while is_locked(paths):
        if clock.now() > give_up_at:
            output.say(f"the engine is still ending; its log is {paths.log}")
            return
        await clock.sleep(WAIT_FIRST_S)


def is_interactive() -> bool:
    """Tell whether a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


async def make_plan(socket: Address, request: Request) -> Plan:
    """Return what the request would do."""
    async with operator_at(socket, mode=request.mode) as operator:
        return await operator.plan(request.commands, reason=request.reason)


def show_plan(plan: Plan, request: Request) -> None:
    """Print a plan: it is the data of a dry run."""
    if request.output == "json":
        output.print_json(to_plain(plan))
        return
    output.print_lines(output.plan_lines(plan))
    output.say("dry run; nothing was changed")


async def carry_out(socket: Address, request: Request, what: Sequence[Command] | str, show: Show | None = None) -> int:
    """Execute, show the answer (printed, unless told otherwise), and wait for a vote and for a submitted task if that is wanted.

    Returns the exit code. Raises FleetError, CommandRefused also when a vote that was waited for ended otherwise than accepted.
    """
    async with operator_at(socket, mode=request.mode) as operator:
        answer = await operator.execute(what, reason=request.reason, confirm=request.confirm)
        if not request.wait:
            (show or show_answer)(answer, request)
            return EXIT_VOTED_ON if answer.vote else EXIT_DONE
        acted = await wait_voted(operator, answer) if answer.vote else None
        if isinstance(request.commands[0], AskOperator):
            found = await Waiting(SystemClock()).answer(operator, request.commands[0].task or own_task(), str(acted["made"][0] if acted else answer.values[0]))
            return show_reply(found, request)
        if not isinstance(request.commands[0], SubmitTask):
            if acted is None:
                (show or show_answer)(answer, request)
            elif request.output == "json":
                output.print_json(acted)
            return EXIT_DONE
        task_id = str(acted["made"][0] if acted else answer.values[0])
        output.say(f"{task_id} is accepted; waiting for its end")
        try:
            task = await wait_finished(operator, task_id)
        except asyncio.CancelledError:
            output.say(f"{task_id} goes on; stop it with `fleet-tui cancel {task_id}`")
            raise
    return show_outcome(task, request)


async def wait_voted(operator: Operator, answer: Answer) -> dict[str, Any]:
    """Return what came of a plan once votes have accepted it and it is done. Raises CommandRefused when it is not. Safe to cancel."""
    output.say(f"{answer.summary}; waiting for the vote")
    id_, pause, clock = answer.vote, WAIT_FIRST_S, SystemClock()
    while True:
        vote = await operator.query("proposal", id=id_)
        assert isinstance(vote, dict)
        acted = vote["acted"]
        if acted and acted["vote"]:
            id_ = acted["vote"]
            output.say(f"accepted by the first vote; {acted['told']}")
        elif acted and acted["is_done"]:
            output.say(f"{id_} accepted and done: {acted['told']}")
            assert isinstance(acted, dict)
            return acted
        elif acted or vote["state"] not in ("open", "accepted"):
            raise CommandRefused(f"{id_} {vote['state']}: {vote['reason']}; it was not done")
        await clock.sleep(pause)
        pause = min(pause * 1.5, WAIT_LONGEST_S)


def show_answer(answer: Answer, request: Request) -> None:
    """Print what was made or changed, and how to take it back."""
    output.say(answer.summary)
    if request.output == "json":
        output.print_json(to_plain(answer))
        return
    lines = output.answer_lines(
        [target_of(command) for command in request.commands], answer, makes=request.commands[0].name in MAKING
    )
    if lines:
        output.print_lines(lines)
    if hint := output.undo_hint(answer, SystemClock().now()):
        output.say(hint)


def target_of(command: Command) -> str:
    """Return what a verb is about: its first argument; empty for a verb that has none."""
    specs = dataclasses.fields(command)
    return str(getattr(command, specs[0].name)) if specs else ""


async def wait_finished(operator: Operator, task_id: str) -> dict[str, Any]:
    """Return a task in full when it has ended. Safe to cancel: the task goes on."""
    clock = SystemClock()
    pause = WAIT_FIRST_S
    while True:
        task = await operator.query("task", id=task_id)
        assert isinstance(task, dict)
        if task["state"] in FINISHED:
            return task
        await clock.sleep(pause)
        pause = min(pause * 1.5, WAIT_LONGEST_S)


def own_task() -> str:
    """Return the task that this program does, by its token; empty when it is no agent's."""
    return next(iter(os.environ.get(VARIABLE, "").split("/")[1:2]), "")


def show_reply(found: dict[str, Any], request: Request) -> int:
    """Print what was answered; return the exit code: that of a refusal when it was denied."""
    if request.output == "json":
        output.print_json(found)
    elif found["text"]:
        output.print_lines([output.clean(str(found["text"]))])
    output.say(f"{found['decision']}, by {output.clean(str(found['by']))}")
    return EXIT_REFUSED if found["decision"] == DENY else EXIT_DONE


def show_outcome(task: dict[str, Any], request: Request) -> int:
    """Print how a task ended; return the exit code: 1 unless it succeeded."""
    if request.output == "json":
        output.print_json(task)
    elif task.get("result"):
        output.print_json(task["result"])
    ok = task["state"] == TaskState.SUCCEEDED
    why = f": {output.clean(str(task['reason']))}" if task.get("reason") else ""
    output.say(f"{task['id']} {task['state']}{why}")
    return EXIT_DONE if ok else EXIT_FAILED


def names_of(root: click.Context, kind: str) -> list[tuple[str, str]]:
    """Return ids of a kind with a note each, for the shell's completion; empty when no engine answers in time."""
    try:
        socket = find_address(choose_context(root.params).paths)
        return asyncio.run(_names(socket, kind)) if socket else []
    except (FleetError, TimeoutError, OSError):
        return []  # A completion that complains would write over what is being typed.


async def _names(socket: Address, kind: str) -> list[tuple[str, str]]:
    async with asyncio.timeout(COMPLETION_TIMEOUT_S), operator_at(socket, COMPLETION_TIMEOUT_S) as operator:
        rows = await operator.query(kind, limit=COMPLETIONS_MAX)
    assert isinstance(rows, list)
    found = [output.to_object(kind, row) for row in rows]
    return [(str(row["id"]), output.clean(str(row.get("title") or row.get("name") or row.get("summary") or ""))) for row in found]
