"""Which contexts there are: the fleet here, those of console.toml, engines that run; their names; which one a command means."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from engine.model.errors import UsageError
from fleet_tui.contexts import (
    address_of,
    choose_context,
    context_names_of,
    find_context,
    find_running,
    list_contexts,
    mode_in,
    name_from,
)
from fleet_tui.preferences import ContextPreferences, load_preferences
from fleet_tui.settings import Paths, Remote, find_paths


class Home:
    """A user with state, runtime and configuration directories."""

    def __init__(self, root: Path, runtime: Path) -> None:
        self.root = root
        self.environment = {
            "HOME": str(root), "XDG_STATE_HOME": str(root / "state"), "XDG_CONFIG_HOME": str(root / "config"), "XDG_RUNTIME_DIR": str(runtime),
        }  # fmt: skip

    def paths(self, name: str) -> Paths:
        directory = self.root / name
        directory.mkdir(parents=True, exist_ok=True)
        return find_paths(directory, environment=self.environment)

    def write(self, text: str) -> None:
        (self.root / "config" / "fleet-tui").mkdir(parents=True, exist_ok=True)
        (self.root / "config" / "fleet-tui" / "console.toml").write_text(text, "utf-8")

    @contextmanager
    def running(self, paths: Paths, **told: Any) -> Iterator[None]:
        """Hold a state directory's lock and listen at its socket, as an engine does."""
        paths.state_dir.mkdir(parents=True, exist_ok=True)
        paths.socket.parent.mkdir(parents=True, exist_ok=True)
        paths.lock.write_text(json.dumps({"pid": os.getpid(), "socket": str(paths.socket), "directory": str(paths.directory)} | told), "utf-8")
        with paths.lock.open() as lock, socket.socket(socket.AF_UNIX) as listener:
            fcntl.flock(lock, fcntl.LOCK_EX)
            listener.bind(str(paths.socket))
            listener.listen()
            yield

    def contexts(self, home: Paths | None = None) -> list[Any]:
        return list_contexts(home, load_preferences(self.environment), self.environment)

    def names(self, home: Paths | None = None) -> list[str]:
        return [context.name for context in self.contexts(home)]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as runtime:  # sockets have short paths
        yield Home(tmp_path, Path(runtime))


def test_without_anything_there_is_the_fleet_here(home: Home) -> None:
    assert home.names() == []
    (only,) = home.contexts(home.paths("My Shop"))
    assert (only.name, only.where, only.look) == ("my-shop", str(home.root / "My Shop"), ContextPreferences())


def test_engines_that_run_are_found_under_the_names_of_their_directories(home: Home) -> None:
    shop, blog = home.paths("shop"), home.paths("blog")
    with home.running(shop):
        with home.running(blog):
            assert home.names() == ["blog", "shop"]
            assert [context.where for context in home.contexts()] == [str(blog.directory), str(shop.directory)]
            assert home.names(shop) == ["shop", "blog"]  # the one here first, and once
        assert home.names() == ["shop"]  # the lock went with the engine
    blog.lock.write_text(json.dumps({"pid": 2**22 + 1, "socket": str(blog.socket)}), "utf-8")
    assert home.names() == []


def test_an_engine_with_its_state_elsewhere_is_found_by_its_socket(home: Home, tmp_path: Path) -> None:
    paths = find_paths(home.paths("shop").directory, state_dir=tmp_path / "var", environment=home.environment)
    with home.running(paths):
        (found,) = find_running(home.environment)
        assert found.socket == paths.socket
    assert list(find_running(home.environment)) == []  # its socket is left behind, and nobody listens


def test_two_directories_of_one_name_are_two_contexts(home: Home) -> None:
    first, second = home.paths("a/shop"), home.paths("b/shop")
    with home.running(first), home.running(second):
        names = home.names()
        assert len(names) == 2
        assert names[0] == "shop"
        assert names[1].startswith("shop-")
        assert find_context(names[1], home.contexts()).paths.directory in (first.directory, second.directory)


def test_the_name_in_the_file_is_the_one_that_counts(home: Home) -> None:
    shop, blog = home.paths("shop"), home.paths("blog")
    home.write(
        f'[contexts.prod]\ndirectory = "{shop.directory}"\ntheme = "nord"\n[contexts.blog]\nbar = "warn"\n'
        '[contexts.far]\nurl = "wss://far.example"\ntoken_file = "/x/token"\n[contexts.idle]\ntheme = "gruvbox"\n'
    )
    with home.running(shop), home.running(blog):
        known = {context.name: context for context in home.contexts(blog)}
        assert list(known) == ["blog", "prod", "far"]  # idle only says how a directory of that name looks
        assert known["prod"].look.theme == "nord"
        assert known["blog"].look.bar == "warn"
        assert address_of(known["prod"]) == shop.socket
        assert address_of(known["far"]) == Remote("wss://far.example", Path("/x/token"))
        assert home.names(shop)[0] == "prod"  # here, under the name that was chosen


def test_a_name_with_a_place_is_not_taken_for_a_directory_of_that_name(home: Home) -> None:
    mine = home.paths("elsewhere/prod")
    home.write('[contexts.prod]\nsocket = "/run/prod.sock"\nread_only = true\n')
    here, prod = home.contexts(mine)
    assert (here.name, here.look.read_only) == ("prod", False)
    assert prod.look.read_only
    assert prod.name != "prod"


def test_of_two_entries_for_one_engine_the_protecting_one_counts(home: Home) -> None:
    shop = home.paths("shop")
    home.write(f'[contexts.shop]\nbar = "bad"\n[contexts.prod]\ndirectory = "{shop.directory}"\nread_only = true\n')
    (here,) = home.contexts(shop)
    assert (here.name, here.look.bar, here.look.read_only) == ("shop", "bad", True)
    assert (mode_in(here, ""), mode_in(here, "write")) == ("read-only", "write")


def test_a_directory_that_is_gone_is_a_context_that_says_so(home: Home) -> None:
    home.write('[contexts.shop]\ndirectory = "/srv/no-such-shop"\n')
    (shop,) = home.contexts()
    assert shop.where == "/srv/no-such-shop"
    with pytest.raises(UsageError, match=r"/srv/no-such-shop.*it is in \[contexts.shop\] of console.toml"):
        address_of(shop)


def test_an_engine_that_was_started_elsewhere_says_where_it_listens(home: Home, tmp_path: Path) -> None:
    shop = home.paths("shop")
    shop.state_dir.mkdir(parents=True)
    shop.lock.write_text(json.dumps({"pid": 1, "socket": "/run/other/engine.sock"}), "utf-8")
    home.write(f'[contexts.shop]\ndirectory = "{shop.directory}"\n')
    assert address_of(home.contexts()[0]) == Path("/run/other/engine.sock")


def test_a_command_means_the_option_then_the_variable_then_the_directory(home: Home) -> None:
    shop, blog = home.paths("shop"), home.paths("blog")
    home.write(f'[contexts.shop]\ndirectory = "{shop.directory}"\n[contexts.blog]\ndirectory = "{blog.directory}"\n')
    named = {**home.environment, "FLEET_CONTEXT": "blog"}
    assert choose_context({"context": "shop"}, named).paths == shop
    assert choose_context({}, named).paths == blog
    assert choose_context({"directory": str(shop.directory)}, named).paths == shop  # what is typed is nearer
    with pytest.raises(UsageError, match="--context shop says where the engine is, and so does --directory"):
        choose_context({"context": "shop", "directory": "/x"}, home.environment)
    with pytest.raises(UsageError, match=r"no context 'shup'; did you mean 'shop'\?$"):
        choose_context({"context": "shup"}, home.environment)
    with pytest.raises(UsageError, match=r"no context 'zzz'; there are shop, blog \(of the variable FLEET_CONTEXT\)"):
        choose_context({}, {**home.environment, "FLEET_CONTEXT": "zzz"})
    assert context_names_of(home.environment) == ["shop", "blog"]


def test_completion_does_not_complain_of_a_file_that_cannot_be_read(home: Home) -> None:
    home.write("theme = nord")
    assert context_names_of(home.environment) == []


@pytest.mark.parametrize(("text", "name"), [("/srv/my shop", "my-shop"), ("shop.v2", "shop.v2"), ("/", "root"), ("/srv/@@", "root"), ("/srv/läden", "läden")])
def test_names_can_be_typed_after_an_at_sign(text: str, name: str) -> None:
    assert name_from(text) == name


def test_a_token_is_read_when_it_is_needed(tmp_path: Path) -> None:
    remote = Remote("wss://x", tmp_path / "token")
    with pytest.raises(UsageError, match=r"the token file .*token cannot be read"):
        remote.read_token()
    (tmp_path / "token").write_text("secret\n")
    assert remote.read_token() == "secret"
    assert Remote("wss://x").read_token() == ""
