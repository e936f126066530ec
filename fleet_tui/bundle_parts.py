"""The parts of a bundle that need no engine: versions, terminal, configuration, files, the database.

Owner: nobody; each looks once and returns plain values. What cannot be looked at raises, and the bundle says so.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import locale
import os
import platform
import re
import shutil
import sqlite3
import stat
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from engine.model.secrets import HIDDEN, is_secret_name, redact
from fleet_tui.settings import Paths

FILES_MAX = 500
PROBLEMS_MAX = 10
SECRET_CHARACTERS_LEAST = 4
"""A shorter value is a part of ordinary words."""

TERMINAL_VARIABLES = (
    "TERM", "COLORTERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "VTE_VERSION", "COLORFGBG", "NO_COLOR", "LANG", "LC_ALL", "LC_CTYPE",
    "COLUMNS", "LINES", "ESCDELAY",
)  # fmt: skip
"""Variables of which the value is a word about the terminal."""
PRESENT_VARIABLES = ("SSH_CONNECTION", "SSH_TTY", "TMUX", "STY", "WT_SESSION", "KONSOLE_VERSION", "MOSH_KEY", "WSL_DISTRO_NAME")
"""Variables of which it matters that they are there."""
ENV_TABLE = "__ENV__"
"""In the name of a variable that overrides a value of an `env` table."""
OWN_PREFIXES = ("FLEET_", "XDG_", "TEXTUAL", "PYTHON", "UV_")


def versions() -> dict[str, object]:
    """Return versions of the program, Python, the system and the libraries in use."""
    own = importlib.metadata.distribution("fleet-tui")
    needed = sorted({re.split(r"[^\w.-]", need, maxsplit=1)[0] for need in own.requires or ()})
    found = {}
    for name in needed:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return {
        "fleet-tui": own.version,
        "python": sys.version,
        "implementation": platform.python_implementation(),
        "system": platform.platform(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "sqlite": sqlite3.sqlite_version,
        "libraries": found,
    }


def terminal_facts(environment: Mapping[str, str]) -> dict[str, object]:
    """Return what is known of the terminal."""
    size = shutil.get_terminal_size()
    return {
        "is_terminal": {"stdin": sys.stdin.isatty(), "stdout": sys.stdout.isatty()},
        "size": f"{size.columns}x{size.lines}",
        "encoding": locale.getpreferredencoding(do_setlocale=False),
        "variables": {name: environment[name] for name in TERMINAL_VARIABLES if name in environment},
        "present": [name for name in PRESENT_VARIABLES if name in environment],
    }


def environment_facts(environment: Mapping[str, str]) -> list[str]:
    """Return the names of variables that change what the program does."""
    return sorted(name for name in environment if name.startswith(OWN_PREFIXES))


# ---- configuration


def config_of(path: Path | None, environment: Mapping[str, str]) -> dict[str, object]:
    """Return the configuration in force without secrets. Raises ConfigError."""
    from engine.config import load_config

    config = load_config(path, environment)
    return {"file": str(path) if path else None, "in force": hide_config(config.model_dump(mode="json"))}


def hide_config(value: Any, name: str = "") -> Any:  # noqa: ANN401  # a tree of plain values
    """Return configuration without secrets: no value of an `env` table, and no argument after an option that names one."""
    if isinstance(value, Mapping):
        hides = name == "env"
        return {key: HIDDEN if hides or (is_secret_name(str(key)) and inner) else hide_config(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return _hide_words(value) if name in ("argv", "command") else [hide_config(inner, name) for inner in value]
    return redact(value)


def _hide_words(words: Sequence[Any]) -> list[object]:
    kept: list[object] = []
    for before, word in zip(["", *words], words, strict=False):
        kept.append(HIDDEN if _names_secret(str(before)) else redact(word))
    return kept


def _names_secret(word: str) -> bool:
    return word.startswith("-") and "=" not in word and is_secret_name(word)


def secret_values(path: Path | None, environment: Mapping[str, str]) -> frozenset[str]:
    """Return the values that are secrets by where they stand; none of them may appear, wherever it turns up."""
    found = {value for name, value in environment.items() if is_secret_name(name) or ENV_TABLE in name.upper()}
    # What cannot be read is not in the bundle either.
    with contextlib.suppress(OSError, ValueError):
        written = tomllib.loads(path.read_text("utf-8")) if path else {}
        found.update(_secrets_in(written))
        found.update(_addresses_in(written, environment))
    return frozenset(value for value in found if len(value) >= SECRET_CHARACTERS_LEAST)


def _addresses_in(written: Mapping[str, Any], environment: Mapping[str, str]) -> Iterator[str]:
    """Return where alerts go: whoever knows a channel's URL can write to it."""
    from engine.model.alerting_config import variable_of

    places = (written, written.get("monitoring"))
    sections = [place["alerting"] for place in places if isinstance(place, Mapping) and isinstance(place.get("alerting"), Mapping)]
    for section in sections:
        for channel in section.get("channels", ()):
            named = channel if isinstance(channel, Mapping) else {"url_env": variable_of(str(channel))}
            yield str(named.get("url", ""))
            yield environment.get(str(named.get("url_env", named.get("urlEnv", ""))), "")


def _secrets_in(value: Any, name: str = "") -> Iterator[str]:  # noqa: ANN401  # a tree of plain values
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(inner, str) and (name == "env" or is_secret_name(str(key))):
                yield inner
            else:
                yield from _secrets_in(inner, str(key))
    elif isinstance(value, list):
        words = [str(word) for word in value]
        yield from (word for before, word in zip(words, words[1:], strict=False) if _names_secret(before))
        for inner in value:
            yield from _secrets_in(inner, name)


# ---- files and the database


def files_of(paths: Paths) -> list[dict[str, object]]:
    """Return the files of the state directory: name, size, mode, owner, age. Raises OSError."""
    found = []
    root = paths.state_dir
    for folder, folders, names in os.walk(root, onerror=_raise, followlinks=False):
        for name in sorted([*names, *folders]):
            path = Path(folder, name)
            about = path.lstat()
            found.append(
                {
                    "name": str(path.relative_to(root)), "kind": _kind_of(about.st_mode), "bytes": about.st_size,
                    "mode": stat.filemode(about.st_mode), "uid": about.st_uid, "changed_at": about.st_mtime,
                }
            )  # fmt: skip
            if len(found) == FILES_MAX:
                return [*found, {"name": f"and more than {FILES_MAX}"}]
    return found


def _raise(error: OSError) -> None:
    raise error


def _kind_of(mode: int) -> str:
    kinds = (("file", stat.S_ISREG), ("directory", stat.S_ISDIR), ("link", stat.S_ISLNK), ("socket", stat.S_ISSOCK))
    return next((name for name, test in kinds if test(mode)), "other")


def read_end(path: Path, size: int) -> str:
    """Return the end of a regular file, whole lines. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path.name} is no regular file")
        length = file.seek(0, os.SEEK_END)
        file.seek(max(0, length - size))
        text = file.read(size).decode("utf-8", "replace")
    # A line that was cut in half could hide half a secret from the patterns.
    return text.partition("\n")[2] if length > size else text


def database_facts(path: Path, limit_s: float) -> dict[str, object]:
    """Return sizes, counts and integrity of the journal's database, which is only read. Raises OSError, sqlite3.Error."""
    sizes = {entry.name: entry.stat().st_size for entry in sorted(path.parent.glob(f"{path.name}*"))}
    path.stat()
    with closing(_open(path)) as database:
        watchdog = threading.Timer(limit_s, database.interrupt)
        watchdog.daemon = True
        watchdog.start()
        try:
            return {"files": sizes, **_measure(database)}
        finally:
            watchdog.cancel()


def _open(path: Path) -> sqlite3.Connection:
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
        database.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
    except sqlite3.OperationalError:
        # Without a directory that can be written there is no shared memory, and so no other reader or writer.
        database = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True, check_same_thread=False)
    return database


def _measure(database: sqlite3.Connection) -> dict[str, object]:
    def ask(sql: str) -> list[Any]:
        return database.execute(sql).fetchall()

    tables = [name for (name,) in ask("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")]
    facts: dict[str, object] = {
        pragma: ask(f"PRAGMA {pragma}")[0][0]
        for pragma in ("user_version", "journal_mode", "page_size", "page_count", "freelist_count")
    }
    facts["rows"] = {name: ask(f'SELECT count(*) FROM "{name}"')[0][0] for name in tables}  # noqa: S608  # names of its own tables
    facts |= _fleet_counts(ask, tables)
    facts["integrity"] = [text for (text,) in ask(f"PRAGMA quick_check({PROBLEMS_MAX})")]
    return facts


def _fleet_counts(ask: Callable[[str], list[Any]], tables: Sequence[str]) -> dict[str, object]:
    questions = {
        "records": ("events", "SELECT min(id), max(id), min(timestamp), max(timestamp) FROM events"),
        "records by type": ("events", "SELECT type, count(*) FROM events GROUP BY type ORDER BY 2 DESC LIMIT 60"),
        "last records": ("events", "SELECT id, type, timestamp, cause FROM events ORDER BY id DESC LIMIT 50"),
        "tasks by pool and state": ("tasks", "SELECT pool, status, count(*) FROM tasks GROUP BY pool, status ORDER BY pool, status"),
        "agents by pool and state": ("agents", "SELECT pool, status, count(*) FROM agents GROUP BY pool, status ORDER BY pool, status"),
        "artifact bytes": ("artifacts", "SELECT count(*), total(size), max(size) FROM artifacts"),
    }
    return {name: ask(sql) for name, (table, sql) in questions.items() if table in tables}
