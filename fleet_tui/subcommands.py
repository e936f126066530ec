"""The subcommands: those written here, and one for each verb of the table of verbs.

Owner: nobody. Imports click and the table only: every other library is loaded by the command that needs it.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.model.errors import EXIT_FAILED
from fleet_tui import (
    alert_commands,
    console,
    dashboard_commands,
    database_commands,
    mail_command,
    mcp_command,
    memory_options,
    mock_command,
    plugin_command,
    scaling_commands,
    trial_commands,
    worker_command,
)
from fleet_tui.look_options import find_wishes, look_options
from fleet_tui.verbs import Finite, make_verb, verb_help, verb_names

if TYPE_CHECKING:
    from fleet_tui.contexts import Context
    from fleet_tui.settings import Paths

PROGRAM = "fleet-tui"
LINE_CHARACTERS = 100

FORMS = click.Choice(["table", "wide", "json", "csv"])
SHELLS = click.Choice(["bash", "zsh", "fish"])

ACT = "Act (each with --dry-run, --reason, --yes, -o json)"
SECTIONS = {
    "Console and engine": ("demo", "engine", "worker", "attach", "web", "mcp"),
    "Look": ("ctx", "get", "why", "can-i", "cost", "metrics", "report", "baseline", "dashboards", "alerts", "plugins", "memory", "mail", "watch", "log", "result"),
    ACT: ("edit", "policy", "optimize", "risks"),
    "Database (to write a backup: backup, above)": ("backups", "verify", "restore"),
    "Set up and measure": ("doctor", "bundle", "config", "keys", "completion", "bench", "repeat", "simulate", "chaos", "mock-model"),
}
"""Subcommands in the order of the help; the section ACT has also the verbs."""


class FleetGroup(click.Group):
    """Subcommands written here, and one for each verb."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all subcommands."""
        return [*super().list_commands(ctx), *verb_names()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a subcommand, or None."""
        return super().get_command(ctx, cmd_name) or make_verb(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the subcommand that was typed. Raises click.UsageError with the nearest one."""
        if not ctx.resilient_parsing and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            raise click.UsageError(f"no command {args[0]!r}{f'; did you mean {near[0]!r}?' if near else ''}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the subcommands by section; no verb is built for that."""
        for title, names in SECTIONS.items():
            written = [(name, self.commands[name].get_short_help_str(LINE_CHARACTERS)) for name in names]
            with formatter.section(title):
                formatter.write_dl(written + [(name, verb_help(name)) for name in verb_names()] if title == ACT else written)


@click.group(
    cls=FleetGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 failed, 2 usage, 3 no engine, 4 refused, 5 put to the vote.",
)
@click.option("-C", "--directory", metavar="DIR", help="The fleet's directory; default: the current one.")
@click.option("--state-dir", metavar="DIR", help="Where its engine keeps state; default: by the directory, under the XDG state directory.")
@click.option("--context", metavar="NAME", shell_complete=lambda *given: _complete_contexts(given[-1]), help="One of `fleet-tui ctx` instead of a directory; default: FLEET_CONTEXT.")
@look_options
@click.option("--read-only", "mode", flag_value="read-only", default="", help="Look only: the engine refuses every verb of this console or command.")
@click.option("--write", "mode", flag_value="write", help="Act although `operations.read_only` is set.")
@click.option("--as", "as_name", default="", metavar="NAME", help="Act under a name of this account; for keys of a shared one. See docs/remote.md.")
@click.option("--socket", metavar="FILE", help="The engine's socket; default: by the state directory, under the runtime directory.")
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=lambda *given: _print_version(*given), help="Show the version.")
@click.pass_context
def cli(ctx: click.Context, /, **options: Any) -> None:  # noqa: ANN401  # typed by the options
    """Operate a fleet of AI agents. Without a command: open the console on the fleet of this directory."""
    del options  # Whoever needs the places and the look reads them from the context.
    if ctx.invoked_subcommand is None:
        from fleet_tui.contexts import name_wanted

        if name_wanted(ctx.params, os.environ):
            console.open_context(chosen(), find_wishes(), find_guise())
        else:
            console.open_here(places(), wishes=find_wishes(), guise=find_guise())


def _complete_contexts(begun: str) -> list[str]:
    from fleet_tui.contexts import context_names_of

    return [name for name in context_names_of(os.environ) if name.startswith(begun)]


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001  # click's call
    if value and not ctx.resilient_parsing:
        import importlib.metadata

        try:
            version = importlib.metadata.version(PROGRAM)
        except importlib.metadata.PackageNotFoundError:
            version = "0+source"
        click.echo(f"{PROGRAM} {version}")
        ctx.exit()


def find_mode() -> str:
    """Return whether the options before the subcommand want to look only, or to write."""
    return str(click.get_current_context().find_root().params["mode"])


def find_guise() -> console.Guise:
    """Return as whom the engine is to take a console."""
    return console.Guise(find_mode(), str(click.get_current_context().find_root().params["as_name"]))


def chosen() -> Context:
    """Return the context that the options before the subcommand, or FLEET_CONTEXT, name. Raises UsageError."""
    from fleet_tui.contexts import choose_context

    return choose_context(click.get_current_context().find_root().params)


def places() -> Paths:
    """Return the places of that context. Raises UsageError."""
    return chosen().paths


# ---- console and engine


@cli.command()
@click.argument("path", required=False)
@click.option("--headless", is_flag=True, help="Without the console: work, print the report, end.")
@click.option("--seconds", type=Finite(min=0, min_open=True), help="Headless: begin nothing new after this.")
@click.option("--rounds", type=click.IntRange(min=1), default=1, help="Headless: go through the code base so many times.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--agents", default="", metavar="NAMES", help="Real ones beside them, on a mock model of this machine: claude, codex, or claude,codex.")
@click.option("--state-dir", metavar="DIR", help="Keep the state here; default: a temporary directory when headless.")
@look_options
def demo(path: str | None, **wanted: Any) -> None:  # noqa: ANN401  # typed by the options
    """Show a fleet of built-in agents at work on a code base (default: the standard library)."""
    from fleet_tui.settings import demo_paths, real_path

    refuse_context("demo")
    root = real_path(path or standard_library())
    state_dir = wanted["state_dir"] or click.get_current_context().find_root().params["state_dir"]
    paths = demo_paths(root, state_dir)
    agents = _real_agents(wanted["agents"])
    if wanted["headless"] or wanted["as_json"] or not console.has_terminal():
        if agents:
            raise click.UsageError("--agents is for the console: they ask, and headless nobody answers")
        from fleet_tui.serve import DemoRequest, run_headless_demo

        request = DemoRequest(root, wanted["seconds"], wanted["rounds"], as_json=wanted["as_json"])
        ok = run_headless_demo(paths if state_dir else None, request)
        click.get_current_context().exit(0 if ok else EXIT_FAILED)
    console.open_here(paths, ["--demo", str(root), *(["--demo-agents", ",".join(agents)] if agents else [])], find_wishes(), find_guise())


def _real_agents(names: str) -> tuple[str, ...]:
    """Return the real agents that a demo is to have. Raises UsageError."""
    found = tuple(dict.fromkeys(word.strip() for word in names.split(",") if word.strip()))
    if found:
        from fleet_tui.demo.hired import check_programs

        check_programs(found)
    return found


def refuse_context(word: str) -> None:
    """Raise UsageError where a context was named for what starts an engine."""
    if name := click.get_current_context().find_root().params["context"]:
        raise click.UsageError(f"{word} is about a directory of this machine; --context {name} is for engines that run: use -C")


def standard_library() -> str:
    """Return where the interpreter's own modules are."""
    return str(Path(os.__file__).parent)


@cli.command()
@click.option("--directory", metavar="DIR", help="The fleet's directory; the same as -C before `engine`.")
@click.option("--state-dir", metavar="DIR", help="Where to keep state.")
@click.option("--config", metavar="FILE", help="Configuration; default: fleet.toml of the directory, else the user's.")
@click.option("--demo", metavar="PATH", help="Have the built-in agents work through this code base.")
@click.option("--demo-agents", default="", metavar="NAMES", help="With --demo: real ones beside them, as `demo --agents`.")
@click.option("--detached", is_flag=True, hidden=True, help="Started by a console: no terminal, errors only.")
def engine(directory: str | None, demo: str | None, demo_agents: str, **wanted: Any) -> None:  # noqa: ANN401  # typed by the options
    """Run the engine in the foreground, without a console."""
    from fleet_tui.settings import find_paths, real_path

    refuse_context("engine")
    root = click.get_current_context().find_root().params
    paths = find_paths(directory or root["directory"], state_dir=wanted["state_dir"] or root["state_dir"], config=wanted["config"])
    if root["socket"]:
        paths = replace(paths, socket=Path(root["socket"]).absolute())
    if demo and not wanted["config"]:
        # The code base's own fleet.toml is about another fleet than the demo's.
        paths = replace(paths, config=None)
    gc.disable()  # until all is loaded and recovered (calm_collector): nothing of that is garbage
    from fleet_tui.serve import Demo, run_engine

    run_engine(paths, demo=Demo(real_path(demo), _real_agents(demo_agents)) if demo else None, detached=wanted["detached"])


@cli.command()
@click.argument("target", required=False)
@look_options
def attach(target: str | None, **look: Any) -> None:  # noqa: ANN401  # typed by the options
    """Open the console on an engine that runs: a directory's, or the one at a socket."""
    del look  # Read from the context.
    console.open_attached(target, places(), find_wishes(), find_guise())


# ---- look


@cli.command()
@click.argument("name", required=False, default="", shell_complete=lambda *given: _complete_contexts(given[-1]))
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="Form; json also has what is not known, as null.")
def ctx(name: str, output: str) -> None:
    """Print the engines that can be looked at, and how each is: those in console.toml, and those of yours that run."""
    from fleet_tui.context_list import show_contexts

    show_contexts(name, output)


@cli.command()
@click.argument("target", required=False)
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback address to listen on.")
@click.option("--port", type=click.IntRange(1, 65_535), default=8750, show_default=True, help="Port to listen on.")
@click.option("--public-url", default="", metavar="URL", help="What people type when a proxy with TLS stands in front.")
@click.option("--sessions", type=click.IntRange(min=1), default=16, show_default=True, help="Most consoles at once.")
def web(target: str | None, host: str, port: int, public_url: str, sessions: int) -> None:
    """Serve the console of a running engine to browsers on this machine, behind a token; needs fleet-tui[web]."""
    from fleet_tui.attach import attach_to
    from fleet_tui.output import say
    from fleet_tui.web import Site, serve

    paths, socket = attach_to(target, places())
    words = ["--state-dir", str(paths.state_dir), "--socket", str(socket), *find_guise().words, "attach"]
    serve(Site(host, port, public_url, sessions), words, say)


@cli.command()
@click.argument("kind")
@click.argument("name", required=False, default="")
@click.option("-o", "--output", type=FORMS, default="table", help="Form: some columns, all, JSON, or CSV.")
@click.option("--filter", "expression", default="", metavar="EXPR", help="Words that a row must have: word, !word, field=value.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1_000, show_default=True, help="Most rows.")
def get(kind: str, name: str, output: str, expression: str, limit: int) -> None:
    """Print rows: pools, agents, tasks, hosts, plans, audit, events, or status; with an id, one in full."""
    from fleet_tui import look

    look.get(places(), kind, name, look.Wanted(output, expression, limit))


@cli.command()
@click.argument("kind")
@click.argument("name")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="Form of the explanation.")
def why(kind: str, name: str, output: str) -> None:
    """Say why a task, agent, pool, host, policy, alert, swarm or session is as it is, with the evidence."""
    from fleet_tui import look

    look.explain(places(), kind, name, form=output)


@cli.command()
@click.argument("kinds", nargs=-1)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="Form of the lines.")
@click.option("--seconds", type=Finite(min=0), default=0.0, help="End after so long; 0 = at Ctrl-C.")
@click.option("--count", type=click.IntRange(min=0), default=0, help="End after so many lines; 0 = at Ctrl-C.")
def watch(kinds: tuple[str, ...], output: str, seconds: float, count: int) -> None:
    """Print what happens, a line each, until Ctrl-C; default: events."""
    from fleet_tui import look

    look.watch(places(), kinds, form=output, seconds=seconds, count=count)


@cli.command()
@click.argument("name", metavar="TASK|AGENT")
@click.option("-f", "--follow", "follows", is_flag=True, help="Print on as it grows, until the task has ended.")
def log(name: str, *, follows: bool) -> None:
    """Print what a task's program wrote, wherever it runs; of an agent that of its task."""
    from fleet_tui import look

    look.show_log(places(), name, follows=follows)


@cli.command()
@click.argument("task")
@click.option("--field", default="", help="Print this field of the result as it is, for example diff.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="json = the task in full.")
def result(task: str, field: str, output: str) -> None:
    """Print a task's result; fails like the task did."""
    from fleet_tui import look

    look.show_result(places(), task, field, form=output)


@cli.command("can-i")
@click.argument("verb", required=False, default="")
@click.argument("target", required=False, default="")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="Form of the lines.")
def can_i(verb: str, target: str, output: str) -> None:
    """Say what I may ask for, why not, and under which conditions; exit code 4 for a VERB that I may not."""
    from fleet_tui import look

    look.show_can_i(places(), verb, target, form=output)


# ---- act


@cli.command()
@click.argument("kind")
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Show the plan; change nothing.")
@click.option("--reason", default="", help="Why; kept in the audit.")
@click.option("--confirm", default="", help="What a guardrail wants typed.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="Form of the answer.")
def edit(kind: str, name: str, **wanted: Any) -> None:  # noqa: ANN401  # typed by the options
    """Edit a pool, a policy or an alert rule as text in $VISUAL or $EDITOR, then see the plan."""
    from fleet_tui import edit_here
    from fleet_tui.acts import Request
    from fleet_tui.contexts import mode_in

    context = chosen()
    edit_here.edit_in_shell(context.paths, edit_here.kind_of(kind), name, Request([], mode=mode_in(context, find_mode()), **wanted))


for _command in (
    scaling_commands.cost, scaling_commands.metrics, scaling_commands.report, scaling_commands.baseline, scaling_commands.optimize,
    scaling_commands.risks, scaling_commands.policy, dashboard_commands.dashboards, memory_options.memory, alert_commands.alerts,
    mail_command.mail, mcp_command.mcp, mock_command.mock_model, trial_commands.simulate, trial_commands.chaos, worker_command.worker, plugin_command.plugins, database_commands.backups, database_commands.verify, database_commands.restore,
):  # fmt: skip
    cli.add_command(_command)


# ---- set up and measure


@cli.command()
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="Form of the findings.")
def doctor(output: str) -> None:
    """Look at everything that a fleet needs here, and say what to do."""
    from fleet_tui.doctor import examine, is_healthy
    from fleet_tui.output import print_json, print_lines

    findings = examine(places())
    if output == "json":
        print_json([{"what": finding.what, "state": finding.state, "text": finding.text} for finding in findings])
    else:
        inset = "\n" + " " * 20
        print_lines(f"{finding.state:<8} {finding.what:<10} {finding.text}".replace("\n", inset) for finding in findings)
    if not is_healthy(findings):
        click.get_current_context().exit(EXIT_FAILED)


@cli.command()
@click.option("-o", "--output", metavar="FILE", help="Write it here; default: a new file in the current directory.")
def bundle(output: str | None) -> None:
    """Write an archive for somebody who helps: versions, findings, counts, logs; without secrets and without your work."""
    from fleet_tui.bundle import write_bundle
    from fleet_tui.output import print_lines

    print_lines([str(write_bundle(places(), Path(output) if output else None))])


@cli.group()
def config() -> None:
    """Check the configuration, or print its schema."""


@config.command()
@click.argument("file", required=False)
def check(file: str | None) -> None:
    """Check a file (default: the one that would be used) together with the FLEET_… variables."""
    from engine.config import load_config
    from fleet_tui.output import say

    path = Path(file) if file else places().config
    for notice in load_config(path).notices():
        say(f"note: {notice}")
    say(f"{path or 'the defaults'}: valid")


@config.command()
def schema() -> None:
    """Print the JSON Schema of fleet.toml."""
    from engine.config import FleetManagerConfig
    from fleet_tui.output import print_json

    print_json(FleetManagerConfig.model_json_schema(by_alias=False))


@cli.command()
@click.option("--preset", default="", metavar="NAME", help="The keys of a preset, whatever the file says: k9s, vim-safe, emacs-safe.")
@click.option("-o", "--output", type=click.Choice(["table", "json", "toml"]), default="table", help="Form; toml = a keys.toml to go on from.")
@click.option("--check", "checked", metavar="FILE", help="Say what is wrong in a file of keys or of commands, and where; print nothing else.")
def keys(preset: str, output: str, checked: str | None) -> None:
    """Print every key of the console, as they are in force."""
    from fleet_tui import key_list

    context = click.get_current_context()
    if checked is not None:
        context.exit(key_list.check(Path(checked)))
    key_list.print_keys(context.find_root().params["keys"] or "", preset, output)


@cli.command()
@click.argument("shell", type=SHELLS)
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    For example: eval "$(fleet-tui completion bash)"
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None, "the choices are click's own"
    click.echo(kind(cli, {}, PROGRAM, "_FLEET_TUI_COMPLETE").source())


@cli.command()
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def bench(names: tuple[str, ...], *, as_json: bool) -> None:
    """Measure this program on this machine; `booster PATH` on your own Python files."""
    from fleet_tui.bench import run_bench

    run_bench(names, as_json=as_json)


@cli.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--timeout", "timeout_s", type=click.FloatRange(0.1, 3_600), metavar="S", default=30.0, show_default=True, help="Seconds that the booster may take.")
def repeat(file: Path, timeout_s: float) -> None:
    """Ask the booster and a regular agent, or a module of your own, again what a kept failure or difference asked."""
    from fleet_tui.output import print_json, say
    from fleet_tui.repeat import repeat as ask

    found = ask(file, timeout_s)
    print_json(found)
    if found["equal"] is not None:
        say("both answer the same" if found["equal"] else "the answers differ")


# ---- the whole


def run_words(argv: Sequence[str]) -> int:
    """Carry out a command line and return the exit code. Raises FleetError, KeyboardInterrupt, OSError."""
    try:
        code = cli.main(list(argv), prog_name=PROGRAM, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort as abort:
        raise KeyboardInterrupt from abort
    return code if isinstance(code, int) else 0
