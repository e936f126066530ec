"""`fleet-tui doctor`: look at everything that a fleet needs here, and say what to do about what is wrong.

Owner: nobody. Changes nothing, but that it makes the directories of state and socket, as any command would.
"""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.model.errors import FleetError
from fleet_tui.attach import find_address, holder_pid, is_alive
from fleet_tui.settings import Address, Paths, prepare_state
from fleet_tui.terminal import MANY, NONE, TRUE, find_level, has_unicode_font

if TYPE_CHECKING:
    from engine.config import FleetManagerConfig

OK, WARNING, WRONG = "ok", "warning", "wrong"

PYTHON_LEAST = (3, 11)
DISK_FREE_LEAST_BYTES = 100 * 1024 * 1024
COLUMNS_LEAST, LINES_LEAST = 80, 24


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: str
    """ok, warning or wrong."""
    text: str


def examine(paths: Paths, environment: Mapping[str, str] | None = None) -> list[Finding]:
    """Look at everything; the worst finding decides. Raises nothing: what fails is a finding."""
    environment = os.environ if environment is None else environment
    findings: list[Finding] = []
    for look in _LOOKS:
        findings += look(paths, environment)
    return findings


def is_healthy(findings: list[Finding]) -> bool:
    """Tell whether nothing is wrong; warnings are not."""
    return all(finding.state != WRONG for finding in findings)


def _look_at_python(_paths: Paths, _environment: Mapping[str, str]) -> Iterator[Finding]:
    text = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info[:2] < PYTHON_LEAST:
        yield Finding("python", WRONG, f"{text}: 3.11 or newer is needed")
    else:
        yield Finding("python", OK, text)


def _look_at_packages(_paths: Paths, _environment: Mapping[str, str]) -> Iterator[Finding]:
    """See whether `engine`, `screens` and `themes` are ours: another wheel with a package of that name replaces it silently."""
    import importlib.util

    home = Path(__file__).resolve().parent.parent
    for name in ("engine", "screens", "themes"):
        spec = importlib.util.find_spec(name)
        found = Path(spec.origin).resolve().parent.parent if spec is not None and spec.origin else None
        if found == home:
            continue
        yield Finding(
            "packages", WRONG,
            f"package `{name}` is {found or 'missing'}, not beside fleet_tui in {home}: install fleet-tui into an environment"
            " of its own (`uv tool install fleet-tui` or `pipx install fleet-tui`)",
        )  # fmt: skip
        return
    yield Finding("packages", OK, f"engine, screens and themes lie beside fleet_tui in {home}")


def _look_at_terminal(_paths: Paths, environment: Mapping[str, str]) -> Iterator[Finding]:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        yield Finding("terminal", WARNING, "not a terminal: the console cannot open here; `get`, `watch` and the verbs can")
        return
    term = environment.get("TERM", "")
    if term in ("", "dumb"):
        yield Finding("terminal", WRONG, f"TERM is {term or 'not set'}: set it to what the terminal is, for example xterm-256color; `fleet-tui --plain` needs no more than lines")
    else:
        yield Finding("terminal", OK, f"TERM is {term}")
    size = shutil.get_terminal_size()
    small = size.columns < COLUMNS_LEAST or size.lines < LINES_LEAST
    yield Finding("size", WARNING if small else OK, f"{size.columns} × {size.lines}" + (f"; {COLUMNS_LEAST} × {LINES_LEAST} shows all" if small else ""))
    yield Finding("colours", OK, colours_of(environment))
    yield Finding("characters", OK, "Unicode" if has_unicode_font(environment) else "ASCII, by the locale or the font; --unicode draws all signs")


def colours_of(environment: Mapping[str, str]) -> str:
    """Return how many colours the console would use."""
    level = find_level(environment)
    if level == NONE:
        return "none, because NO_COLOR is set" if environment.get("NO_COLOR") else "none, by TERM"
    if level == TRUE:
        return "16 million"
    advice = "over ssh, COLORTERM is not forwarded unless SendEnv and AcceptEnv say so; --colors chooses"
    return f"256; {advice}" if level == MANY else f"16; {advice}"


def _look_at_config(paths: Paths, _environment: Mapping[str, str]) -> Iterator[Finding]:
    from engine.config import load_config

    try:
        config = load_config(paths.config)
    except FleetError as error:
        yield Finding("config", WRONG, str(error))
        return
    yield Finding("config", OK, str(paths.config or "none; the defaults hold"))
    for notice in config.notices():
        yield Finding("config", WARNING, notice)


def _look_at_keys(_paths: Paths, environment: Mapping[str, str]) -> Iterator[Finding]:
    from fleet_tui.keymap import find_command_file, find_key_file, load_own

    path, commands = find_key_file(environment=environment), find_command_file(environment)
    keymap, offered = load_own(path, commands)
    yield Finding("keys", OK, f"preset {keymap.preset}" + (f", {path}" if path else "; no keys.toml"))
    if commands:
        yield Finding("commands", OK, f"{len(offered)} of your own, {commands}")
    for problem in (*keymap.problems, *keymap.notes):
        yield Finding("keys", WARNING, str(problem))


def _look_at_state(paths: Paths, _environment: Mapping[str, str]) -> Iterator[Finding]:
    try:
        prepare_state(paths)
    except FleetError as error:
        yield Finding("state", WRONG, str(error))
        return
    yield Finding("state", OK, str(paths.state_dir))
    free = shutil.disk_usage(paths.state_dir).free
    text = f"{free // (1024 * 1024)} MB free for {paths.state_dir}"
    scarce = free < DISK_FREE_LEAST_BYTES
    yield Finding("disk", WRONG if scarce else OK, f"{text}: free some, the engine stops taking commands when it is full" if scarce else text)


def _look_at_database(paths: Paths, _environment: Mapping[str, str]) -> Iterator[Finding]:
    """See how large the database is, and what went for its age; `fleet-tui verify` looks inside."""
    if not paths.database.exists():
        yield Finding("database", OK, "none yet")
        return
    from contextlib import closing

    from engine.memory.copies import contents_of
    from engine.memory.failures import explain
    from engine.memory.reading import open_to_read

    try:
        with closing(open_to_read(paths.database)) as connection:
            found = contents_of(connection, paths.database)
    except FleetError as error:
        yield Finding("database", WRONG, str(error))
        return
    except sqlite3.Error as error:
        yield Finding("database", WRONG, str(explain(error, paths.database)))
        return
    gone = ", ".join(f"{count:,} {name}" for name, count in found.removed.items() if count)
    text = f"{found.bytes / 1e6:,.1f} MB, {found.free / 1e6:,.1f} of them free inside; records {found.first:,} to {found.last:,}"
    yield Finding("database", OK, f"{text}; removed for their age: {gone or 'nothing'}")


def _look_at_limits(paths: Paths, _environment: Mapping[str, str]) -> Iterator[Finding]:
    """See what holds programs of agents to `memory_max`: of the engine that runs, else of one that was started from here."""
    from engine.agents.processes.cgroups import find

    pid = holder_pid(paths)
    found = find(pid if pid and is_alive(pid) else os.getpid())
    text = f"the kernel holds programs to memory_max, {found.why}" if found.place else f"programs are looked at every 2 s, and ended above memory_max: {found.why}"
    yield Finding("memory limits", OK, text)


def _look_at_engine(paths: Paths, _environment: Mapping[str, str]) -> Iterator[Finding]:
    socket = find_address(paths)
    pid = holder_pid(paths)
    if socket is None:
        if pid and is_alive(pid):
            yield Finding("engine", WRONG, f"pid {pid} took the lock and does not answer at {paths.socket}: look at {paths.log}, or kill it")
        else:
            yield Finding("engine", OK, "none runs; `fleet-tui` or `fleet-tui engine` starts one")
        return
    yield _greet(socket)


def _greet(socket: Address) -> Finding:
    import asyncio
    import importlib.metadata

    from fleet_tui.acts import operator_at

    async def ask() -> tuple[str, int]:
        async with operator_at(socket) as operator:
            return operator.welcome.engine, operator.welcome.pid

    try:
        theirs, pid = asyncio.run(ask())
        ours = importlib.metadata.version("fleet-tui")
    except (FleetError, importlib.metadata.PackageNotFoundError) as error:
        return Finding("engine", WRONG, str(error))
    text = f"pid {pid} answers at {socket}, version {theirs}"
    if theirs != ours:
        return Finding("engine", WARNING, f"{text}; this program is {ours}: restart the engine when its work allows")
    return Finding("engine", OK, text)


def _readable(paths: Paths) -> FleetManagerConfig | None:
    """Return the configuration; None = it cannot be read, of which `_look_at_config` says why."""
    from engine.config import load_config

    try:
        return load_config(paths.config)
    except FleetError:
        return None


def _look_at_redis(paths: Paths, environment: Mapping[str, str]) -> Iterator[Finding]:
    """See whether the server of the section redis answers; a private one is the engine's, so only its program is looked for."""
    if (config := _readable(paths)) is None or (section := config.redis) is None:
        return
    try:
        from engine.redis.looking import look_once
    except ImportError:
        yield Finding("redis", WRONG, "the section redis needs the client: install `fleet-tui[redis]`, or leave the section out")
        return
    try:
        yield Finding("redis", OK, look_once(section, environment))
    except FleetError as error:
        yield Finding("redis", WRONG, str(error))


def _look_at_github(paths: Paths, _environment: Mapping[str, str]) -> Iterator[Finding]:
    """See whether the section github has what it needs, and which results could not be posted. GitHub itself is not asked."""
    import importlib.util

    from engine.github.ledger import failures_in
    from engine.github.secrets import read_secret

    if (config := _readable(paths)) is None or (section := config.github) is None:
        return
    try:
        if importlib.util.find_spec("githubkit") is None:
            raise FleetError("the section [github] needs one more package: pip install 'fleet-tui[github]'")
        read_secret(section.token_env, section.token_file, "token")
        if section.has_webhook:
            read_secret(section.webhook_secret_env, section.webhook_secret_file, "secret of the webhook")
    except FleetError as error:
        yield Finding("github", WRONG, str(error))
        return
    yield Finding("github", OK, f"{', '.join(repository.name for repository in section.repositories)}; {'told by a webhook' if section.has_webhook else f'looked at every {section.poll_s:g} s'}")
    for task, why, times in failures_in(paths.state_dir):
        yield Finding("github", WARNING, f"the result of {task} waits: {why} ({times} tries)")


def _look_at_plugins(paths: Paths, _environment: Mapping[str, str]) -> Iterator[Finding]:
    """See whether the plug-ins that the configuration names load, each in a process of its own as an engine does it."""
    import asyncio
    from tempfile import TemporaryDirectory

    from engine.clock import SystemClock
    from engine.plugins.room import PluginRoom

    async def problems(config: FleetManagerConfig) -> dict[str, str]:
        with TemporaryDirectory(prefix="fleet-tui-") as root:
            room = PluginRoom(Path(root), paths.directory, SystemClock())
            try:
                await room.open(config)
                return room.problems()
            finally:
                await room.close()

    if (config := _readable(paths)) is None:
        return
    wanted = [name for name, section in config.plugins.items() if section.enabled]
    broken = asyncio.run(problems(config)) if wanted else {}
    for name, why in broken.items():
        yield Finding("plug-ins", WRONG, f"{name} is left out: {why}")
    if len(broken) < len(wanted):
        yield Finding("plug-ins", OK, f"{', '.join(name for name in wanted if name not in broken)}: loaded and checked")


def _look_at_leftovers(paths: Paths, _environment: Mapping[str, str]) -> Iterator[Finding]:
    """See whether processes of a dead engine are still there; the next engine's sweep ends them."""
    from engine.agents.processes import process_table
    from engine.agents.processes.ledger_lines import parse_ledger

    try:
        contents = parse_ledger(paths.ledger.read_bytes())
    except FileNotFoundError:
        yield Finding("leftovers", OK, "none")
        return
    except OSError as error:
        yield Finding("leftovers", WRONG, f"{paths.ledger} cannot be read: {error.strerror}")
        return
    left = [
        str(entry.pid) for entry in contents.entries
        if _is_same(process_table.read_start(entry.pid), entry.start)
        and not _is_same(process_table.read_start(entry.engine_pid), entry.engine_start)
    ]  # fmt: skip
    if left:
        yield Finding("leftovers", WRONG, f"processes of a dead engine: {', '.join(left)}; start the engine, it ends them")
    else:
        yield Finding("leftovers", OK, "none")


def _is_same(now: int | None, then: int | None) -> bool:
    """Tell whether a pid is still the process that once had it."""
    return now is not None and now == then


_LOOKS: tuple[Callable[[Paths, Mapping[str, str]], Iterator[Finding]], ...] = (
    _look_at_python,
    _look_at_packages,
    _look_at_terminal,
    _look_at_config,
    _look_at_keys,
    _look_at_state,
    _look_at_database,
    _look_at_limits,
    _look_at_engine,
    _look_at_redis,
    _look_at_plugins,
    _look_at_github,
    _look_at_leftovers,
)
