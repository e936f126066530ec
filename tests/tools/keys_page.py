"""Write docs/keys.md from the table of keys: `make keys`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from screens.key_presets import PRESETS
from screens.key_table import KEYS, Key
from screens.keymap import shown
from screens.keys import CONTEXTS, SCOPES
from screens.rebinding import NEEDED, preset_rows

PAGE = Path(__file__).resolve().parents[2] / "docs" / "keys.md"

INTRODUCTION = """\
# Keys

This page is made from the one table of keys (`screens/key_table.py`) by `make keys`; a test compares them. The same table
binds the keys and feeds `?`, the palette, the line of hints and `:keys`. `fleet-tui keys` prints what is in force for
you.

## Your own keys

`keys.toml` in the configuration directory (`~/.config/fleet-tui/keys.toml`), or the file that `--keys FILE` or the
variable `FLEET_TUI_KEYS` names:

```toml
preset = "vim-safe"                    # {presets}

[keys]
"pools.scale" = "z"                    # a key
"app.export" = ["f2", "f12"]             # or several
"tasks.bad" = ""                       # or none
```

- A key is a character (`s`, `>`, `G`), a name (`enter`, `esc`, `tab`, `space`, `pgup`, `f5`, `left`), or one of those
  with `ctrl+`, `alt+` or `shift+`; `C-d` and `^d` are read too.
- A name that is not known is refused with the nearest one. A key that another binding has where both work is refused
  too: file, line and both bindings are named, and the binding keeps the key that it had. The console starts all the
  same and says so.
- Of two lines that want the same key the upper one has it. Two bindings may change places.
- These always have a key, for without one there is no way on: {needed}.
- Keys that may never arrive are granted with a note: `ctrl+a` and `ctrl+b` (screen and tmux take them), `ctrl+s` and
  `ctrl+q` (serial lines), `ctrl+\\` (the shell), everything with `alt` (many terminals and SSH clients lose it). No
  action of a preset hangs on such a key alone.

`fleet-tui keys --check FILE` says what is wrong in this file or in `commands.toml`, and where, and exits with 2. `fleet-tui keys -o toml` prints a whole
file to go on from. `:keys reload` takes the files anew without leaving the console.
"""

COMMANDS = """
## Your own commands

`commands.toml` beside `keys.toml` (or the file that `FLEET_TUI_COMMANDS` names) puts programs on keys. It is read from
your own configuration only, never from a project, and not at all when others can change it.

```toml
[commands.open-log]
key = "L"                              # a key, several, or none: then it is in the palette
label = "open log"                     # for the line of hints; may be left out
description = "open the task's log in less"
scopes = ["tasks"]                     # views; "all" for every view
argv = ["sh", "-c", 'fleet-tui --state-dir "$FLEET_TUI_STATE_DIR" log "$1" | less', "sh", "{id}"]

[commands.notify]
key = "C"
description = "tell the others"
scopes = ["agents", "tasks"]
argv = ["notify", "--", "{name}"]
background = true                      # its output becomes a document in :runs; else it has the terminal
marks = "together"                     # all marked rows at once; "each" (the default) runs once for each
confirm = true                         # shows what it would run, and asks
dangerous = false                      # asks for the word yes; not offered in a read-only console
```

- `argv` is a list, and no shell reads it. An argument that is `{field}` becomes that field of the row, whole: spaces,
  quotes, `;` and line breaks stay in it. A field inside an argument is refused; give it to a script as `$1`, as above.
- The fields are those of `fleet-tui get KIND -o json`, and `{name}` and `{pool}`. In `agents`, `tasks` and `plans` a
  command works in the row's document too.
- A value that is empty is refused; one that begins with `-` is refused too unless `"--"` stands before its place.
- Every program gets `FLEET_TUI_DIRECTORY`, `FLEET_TUI_STATE_DIR`, `FLEET_TUI_SOCKET`, `FLEET_TUI_VIEW`,
  `FLEET_TUI_COMMAND` and `FLEET_TUI_ROWS` (how many), and a program for one row `FLEET_ROW_KIND` and every field as
  `FLEET_ROW_…`.
- In the background: at most 4 runs at once, the newest 512 kB of output of each of the newest 9. `:runs` shows how each
  program ended, its standard error in another colour, and stops it; leaving the console ends them.
- With the terminal: the console steps aside and comes back when the program ends; when it fails, after `enter`.
"""

PRESETS_TITLE = """
## Presets

"""
TABLE_HEAD = "| binding | {presets} | what it does |\n|---|{lines}---|\n"


def page() -> str:
    """Return the whole page."""
    names = " · ".join(PRESETS)
    needed = ", ".join(f"`{name}`" for name in sorted(NEEDED))
    parts = [INTRODUCTION.format(presets=names, needed=needed), COMMANDS, PRESETS_TITLE]
    parts += [f"- `{name}`: {preset.help}.\n" for name, preset in PRESETS.items()]
    title = ""
    for scope in dict.fromkeys(row.scope for row in KEYS):
        heading = f"\n## {SCOPES[scope]}\n\n" if SCOPES[scope] != title else "\n"
        title = SCOPES[scope]
        parts += [heading, where(scope), head(), *lines(scope)]
    return "".join(parts)


def where(scope: str) -> str:
    """Return a sentence about where a scope's keys work, if its title does not say it."""
    contexts = [context for context, scopes in CONTEXTS.items() if scope in scopes]
    if scope in ("app", "screen") or contexts == [scope]:
        return ""
    return f"In {', '.join(contexts)}.\n\n"


def head() -> str:
    """Return the titles of a table."""
    return TABLE_HEAD.format(presets=" | ".join(PRESETS), lines="---|" * len(PRESETS))


def lines(scope: str) -> Iterator[str]:
    """Give a line for each binding of a scope: its keys in each preset where they are not those of the first."""
    rows = [[row for row in preset_rows(name) if row.scope == scope] for name in PRESETS]
    for first, *others in zip(*rows, strict=True):
        cells = [cell(first), *("" if other.keys == first.keys else cell(other) for other in others)]
        yield f"| `{first.id}` | {' | '.join(cells)} | {first.help.replace('|', '&#124;')} |\n"


def cell(row: Key) -> str:
    """Return a binding's keys as Markdown."""
    if not row.keys:
        return "none"
    return " ".join(code(shown(key)) for key in row.keys.split(","))


def code(key: str) -> str:
    """Return a key as code that a table takes."""
    return "`` ` ``" if key == "`" else f"`{key}`".replace("|", "&#124;")


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
