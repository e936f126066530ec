"""Backups where no engine runs, putting one back, and checking: `fleet-tui backup`, `restore` and `verify`.

Owner: nobody; functions only. What an engine that runs can do, it does (the verb `backup`).
"""

from __future__ import annotations

import dataclasses
import os
import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from engine.clock import SystemClock
from engine.gate.backing import file_name, told
from engine.memory import database
from engine.memory.checking import Verdict, verify
from engine.memory.contract import Contents
from engine.memory.copies import back_up, contents_of, make_folder, restore
from engine.memory.keys import RING_NAME
from engine.memory.reading import open_to_read
from engine.model.data_commands import BackUpFleet
from engine.model.errors import CommandRefused, FleetError, UsageError
from fleet_tui import output
from fleet_tui.attach import find_address, hold_lock
from fleet_tui.settings import Address, Paths

if TYPE_CHECKING:
    from fleet_tui.acts import Request


def placed(address: Address, request: Request) -> Request:
    """Return a request to back up with a whole path, as seen from here, for an engine on this machine."""
    [command] = request.commands
    assert isinstance(command, BackUpFleet)
    if not command.file or not isinstance(address, Path):
        return request
    return dataclasses.replace(request, commands=[dataclasses.replace(command, file=str(Path(command.file).absolute()))])


def back_up_here(paths: Paths, request: Request) -> None:
    """Take a backup of a fleet whose engine does not run, and print what is in it. Raises FleetError."""
    [command] = request.commands
    assert isinstance(command, BackUpFleet)
    if request.dry_run:
        output.say("no engine runs: the file would be copied as it lies there; nothing was written")
        return
    source = database_of(paths)
    with closing(open_to_read(source)) as connection:
        folder = source.parent / database.BACKUPS
        if not command.file:
            make_folder(folder)
        target = Path(command.file).absolute() if command.file else folder / file_name(SystemClock().now())
        show_contents(back_up(connection, source, target, paths.state_dir / RING_NAME, force=command.force or not command.file), request.output)


def put_back(paths: Paths, source: Path, *, form: str) -> None:
    """Put a backup in place of a stopped fleet's database. Raises FleetError; then what was there is still there."""
    if find_address(paths) is not None:
        raise CommandRefused("the engine runs; nothing was changed: stop it first (`fleet-tui stop`), then restore")
    path = paths.database
    verdict = verify(source, ring=paths.state_dir / RING_NAME)
    if verdict.problems:
        raise CommandRefused(f"{source} is not whole, nothing was changed: {'; '.join(verdict.problems[:3])}")
    paths.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = _unused(path.with_name(f"fleet-before-restore-{file_name(SystemClock().now()).removeprefix('fleet-')}"))
    with hold_lock(paths):
        lock = database.take_lock(path)
        try:
            was_there = path.exists()
            contents = restore(source, path, aside=aside, ring=paths.state_dir / RING_NAME)
        finally:
            os.close(lock)
    show_contents(contents, form, "restored")
    if contents.keys:
        output.say("its keys were added to keys.db; they open where the wrapping key is: the key file, ENCRYPTION_KEY, or the hardware module of that time")
    if was_there:
        output.say(f"what was there is kept as {aside}")


def check(path: Path, ring: Path, *, form: str, whole: bool) -> bool:
    """Check a database whose keys may be in a ring, print what was found, and tell whether all is well. Raises JournalError for a file that is none."""
    verdict = verify(path, whole=whole, ring=ring)
    if form == "json":
        output.print_json({**dataclasses.asdict(verdict), "whole": not verdict.problems})
        return not verdict.problems
    output.print_lines([*contents_lines(verdict.contents), *_verdict_lines(verdict)])
    return not verdict.problems


def list_backups(paths: Paths, *, form: str) -> None:
    """Print what lies in the engine's own backups: names, sizes and counts, no values."""
    found = [_entry(path) for path in sorted((paths.state_dir / database.BACKUPS).glob("*"))]
    if form == "json":
        output.print_json(found)
        return
    output.print_lines(f"{entry['path']}  {entry['text']}" for entry in found)
    if not found:
        output.say(f"no backup in {paths.state_dir / database.BACKUPS}; `fleet-tui backup` writes one")


def database_of(paths: Paths) -> Path:
    """Return a fleet's database. Raises UsageError when there is none, or not on this machine."""
    path = paths.database
    if paths.remote is not None:
        raise UsageError("the engine is on another machine: run this there")
    if not path.exists():
        raise UsageError(f"there is no fleet's database at {path}: name a file, or the fleet with -C or --state-dir")
    return path


def show_contents(contents: Contents, form: str, word: str = "backup") -> None:
    """Print what was written, and where it lies."""
    if form == "json":
        output.print_json(dataclasses.asdict(contents))
        return
    output.say(told(contents, word))
    output.print_lines([contents.path])


def contents_lines(contents: Contents) -> list[str]:
    """Return what a database holds, a line each: counts and spans, no values."""
    rows = ", ".join(f"{count:,} {name}" for name, count in contents.rows.items())
    span = f"{contents.first:,} to {contents.last:,}" if contents.last else "none"
    removed = ", ".join(f"{count:,} {name}" for name, count in contents.removed.items() if count)
    gone = [f"  removed for their age: {removed}"] if removed else []
    keys = [f"  {contents.keys:,} wrapped keys of encrypted memory"] if contents.keys else []
    return [contents.path, f"  {contents.bytes / 1e6:,.1f} MB, tables of step {contents.step}, records {span}", f"  {rows}", *keys, *gone]


def _unused(path: Path) -> Path:
    """Return a path, numbered where something lies there: what was put aside a moment ago, or by a restore that was killed."""
    names = (path.with_stem(f"{path.stem}-{number}") for number in count(2))
    return path if not path.exists() else next(name for name in names if not name.exists())


def _entry(path: Path) -> dict[str, object]:
    try:
        with closing(open_to_read(path)) as connection:
            contents = contents_of(connection, path)
    except (FleetError, sqlite3.Error) as error:
        return {"path": str(path), "text": f"no backup: {error}"}
    return {**dataclasses.asdict(contents), "text": " ".join(line.strip() for line in contents_lines(contents)[1:])}


def _verdict_lines(verdict: Verdict) -> list[str]:
    lines = [f"ok       {what}" for what in verdict.checked]
    lines += [f"wrong    {what}" for what in verdict.problems]
    return lines or ["nothing could be checked"]
