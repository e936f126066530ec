"""What takes keys: a node that binds what the keymap in force says of its scopes, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual.dom import DOMNode
from textual.screen import Screen

from screens.keymap import KEYMAP, Keymap

if TYPE_CHECKING:
    from textual.app import App

    Node = DOMNode
else:
    # Textual takes styles from the first base class that is a node: that must be the widget's own.
    Node = object


class Keyed(Node):
    """A screen or widget whose keys come from the table; what its base classes bind is dropped."""

    KEY_SCOPES: ClassVar[tuple[str, ...]] = ()

    def key_scopes(self) -> tuple[str, ...]:
        """Return the scopes whose keys this node answers for."""
        return self.KEY_SCOPES

    def say_keys(self, template: str) -> str:
        """Return a text of ours, never the user's, with the keys in force in the places of `{binding.id}`."""
        return keymap_of(self.app).fill(template)

    def take_keys(self, keymap: Keymap) -> None:
        """Bind what a keymap says."""
        give_keys(self, self.key_scopes(), keymap)
        self._show_keys(keymap)

    def _show_keys(self, keymap: Keymap) -> None:
        """Show what is bound now, where keys are shown."""

    def _post_register(self, app: App[Any]) -> None:
        super()._post_register(app)
        self.take_keys(keymap_of(app))


def scopes_of(node: DOMNode | None) -> tuple[str, ...]:
    """Return the scopes whose keys a node answers for."""
    return node.key_scopes() if isinstance(node, Keyed) else ()


def give_keys(node: DOMNode, scopes: tuple[str, ...], keymap: Keymap) -> None:
    """Have any node bind what a keymap says of some scopes, and nothing else."""
    # Textual's own keymaps cannot take a key away, and lose bindings of a key that is given twice.
    node._bindings = keymap.bindings_of(scopes)  # noqa: SLF001  # there is no public way to do it


def keymap_of(app: App[Any]) -> Keymap:
    """Return the keymap in force; the one out of the box in an app that has none."""
    keymap = getattr(app, "keymap", None)
    return keymap if isinstance(keymap, Keymap) else KEYMAP


def take_keys_everywhere(screens: list[Screen[Any]], keymap: Keymap) -> None:
    """Have screens and all that is in them bind what a keymap says."""
    for screen in screens:
        for node in screen.walk_children(with_self=True):
            if isinstance(node, Keyed):
                node.take_keys(keymap)
