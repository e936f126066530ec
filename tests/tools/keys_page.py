"""Write docs/keys.md from the table of keys: `make keys`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from screens.key_presets import PRESETS
from screens.keymap import shown
from screens.keys import CONTEXTS, KEYS, SCOPES, Key
from screens.rebinding import NEEDED, preset_rows

PAGE = Path(__file__).resolve().parents[2] / "docs" / "keys.md"

INTRODUCTION = """\
# Keys

This page is made from the one table of keys (`screens/keys.py`) by `make keys`; a test compares them. The same table
binds the keys and feeds `?`, the palette, the line of hints and `:keys`. `fleet-tui keys` prints what is in force for
you.

## Your own keys

`keys.toml` in the configuration directory (`~/.config/fleet-tui/keys.toml`), or the file that `--keys FILE` or the
variable `FLEET_TUI_KEYS` names:

```toml
preset = "vim-safe"                    # {presets}

[keys]
"pools.scale" = "z"                    # a key
"app.save" = ["f2", "f12"]             # or several
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

`fleet-tui keys --check FILE` says what is wrong and where, and exits with 2. `fleet-tui keys -o toml` prints a whole
file to go on from. `:keys reload` takes the files anew without leaving the console.
"""

PRESETS_TITLE = """
## Presets

"""
TABLE_HEAD = "| binding | {presets} | what it does |\n|---|{lines}---|\n"


def page() -> str:
    """Return the whole page."""
    names = " · ".join(PRESETS)
    needed = ", ".join(f"`{name}`" for name in sorted(NEEDED))
    parts = [INTRODUCTION.format(presets=names, needed=needed), PRESETS_TITLE]
    parts += [f"- `{name}`: {preset.help}.\n" for name, preset in PRESETS.items()]
    for scope in dict.fromkeys(row.scope for row in KEYS):
        parts += [f"\n## {SCOPES[scope]}\n\n", where(scope), head(), *lines(scope)]
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
