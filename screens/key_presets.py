"""Ready-made sets of keys: what each changes of the table, which is the preset `k9s`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

DEFAULT = "k9s"


class Preset(NamedTuple):
    """Keys for those who have others in their fingers."""

    help: str
    keys: Mapping[str, str]
    """Binding to its keys, where they are not those of the table."""


PRESETS: dict[str, Preset] = {
    DEFAULT: Preset("as in k9s, with vim's moves beside the arrows", {}),
    "vim-safe": Preset(
        "hjkl, half pages and redo as in vim; no key that terminals, tmux or screen take",
        {
            "table.left": "left,h",
            "table.right": "right,l",
            "table.page_up": "pageup",
            "table.half_page_down": "ctrl+d",
            "table.mark_range": "V,v",
            "graph.page_up": "pageup",
            "stream.page_up": "pageup",
            "document.page_up": "pageup",
            "branches.close": "left,h",
            "branches.open": "right,l",
            "agents.drain": "x",
            "hosts.drain": "x",
            "xray.cancel": "ctrl+x",
            "agents.log": "o",
            "tasks.log": "o",
            "app.redo": "U,ctrl+r",
            "plans.redo": "U,ctrl+r",
            "screen.redraw": "ctrl+l",
            "app.export": "f2",
            "form.send": "f2",
            "line.start": "home",
        },
    ),
    "emacs-safe": Preset(
        "ctrl+n, ctrl+p, ctrl+v, ctrl+g and ctrl+s as in emacs; alt only beside another key",
        {
            "app.palette": "ctrl+o,alt+x",
            "app.undo": "u,ctrl+underscore",
            "plans.undo": "u,ctrl+underscore",
            "app.export": "f2",
            "screen.back": "escape,ctrl+g",
            "screen.redraw": "ctrl+l,ctrl+r",
            "table.filter": "slash,ctrl+s",
            "table.copy": "c,alt+w",
            "table.up": "up,ctrl+p,k",
            "table.down": "down,ctrl+n,j",
            "table.page_up": "pageup,alt+v",
            "table.page_down": "pagedown,ctrl+v",
            "table.left": "left,ctrl+b",
            "table.right": "right,ctrl+f",
            "branches.close": "left,ctrl+b",
            "branches.open": "right,ctrl+f",
            "graph.up": "up,ctrl+p,k",
            "graph.down": "down,ctrl+n,j",
            "graph.out": "left,ctrl+b,h",
            "graph.into": "right,ctrl+f,l",
            "graph.page_up": "pageup,alt+v",
            "graph.page_down": "pagedown,ctrl+v",
            "cells.up": "up,ctrl+p,k",
            "cells.down": "down,ctrl+n,j",
            "cells.left": "left,ctrl+b,h",
            "cells.right": "right,ctrl+f,l",
            "events.find": "slash,ctrl+s",
            "stream.up": "up,ctrl+p,k",
            "stream.down": "down,ctrl+n,j",
            "stream.page_up": "pageup,alt+v",
            "stream.page_down": "pagedown,ctrl+v",
            "document.find": "slash,ctrl+s",
            "document.copy": "c,alt+w",
            "document.up": "up,ctrl+p,k",
            "document.down": "down,ctrl+n,j",
            "document.page_up": "pageup,alt+v",
            "document.page_down": "pagedown,ctrl+v",
            "dialog.drop": "escape,ctrl+g,ctrl+c",
            "form.drop": "escape,ctrl+g,ctrl+c",
            "form.send": "f2",
            "form.next": "tab,down,ctrl+n",
            "form.previous": "up,shift+tab,ctrl+p",
            "prompt.accept_shown": "",
            "choice.drop": "escape,ctrl+g,ctrl+c",
            "choice.page_down": "pagedown,ctrl+v",
            "prompt.older": "up,ctrl+p",
            "prompt.newer": "down,ctrl+n",
            "palette.drop": "escape,ctrl+g",
            "palette.down": "down,ctrl+n",
            "palette.up": "up,ctrl+p",
            "line.left": "left,ctrl+b",
            "line.right": "right,ctrl+f",
            "line.word_left": "ctrl+left,alt+b",
            "line.word_right": "ctrl+right,alt+f",
            "line.delete_word_right": "ctrl+delete,alt+d",
            "line.paste": "ctrl+y",
        },
    ),
}
"""Every preset; `k9s` is the table itself."""
