"""Where the state, the socket and the configuration of a directory are, and what is said when they cannot be."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine.model.errors import EngineStartError, UsageError
from fleet_tui import settings
from fleet_tui.settings import SOCKET_PATH_BYTES_MAX, Paths, find_paths, name_of, prepare_state

linux = pytest.mark.skipif(sys.platform != "linux", reason="the places of Linux")
not_root = pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")


@pytest.fixture
def runtime() -> Iterator[Path]:
    # Not below tmp_path, which is too deep for a socket.
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as directory:
        yield Path(directory)


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home")}


@linux
def test_places_of_a_directory(tmp_path: Path, home: dict[str, str], runtime: Path) -> None:
    project = tmp_path / "My Project.d"
    project.mkdir()
    paths = find_paths(project, environment={**home, "XDG_RUNTIME_DIR": str(runtime)})
    assert paths.directory == project
    assert paths.config is None
    assert paths.state_dir == tmp_path / "home/.local/state/fleet-tui" / name_of(project)
    assert paths.state_dir.name.startswith("my-project-d-")
    assert paths.socket == runtime / "fleet-tui" / name_of(paths.state_dir) / "engine.sock"
    assert {paths.lock.parent, paths.log.parent, paths.ledger.parent, paths.start_errors.parent} == {paths.state_dir}
    assert not paths.state_dir.exists()
    assert not paths.socket.parent.exists()


@linux
def test_xdg_variables_are_followed_unless_relative(tmp_path: Path, home: dict[str, str]) -> None:
    moved = find_paths(tmp_path, environment={**home, "XDG_STATE_HOME": str(tmp_path / "states")})
    assert moved.state_dir.parent == tmp_path / "states/fleet-tui"
    relative = find_paths(tmp_path, environment={**home, "XDG_STATE_HOME": "states"})
    assert relative.state_dir.parent == tmp_path / "home/.local/state/fleet-tui"


def test_a_link_to_a_directory_is_the_directory(tmp_path: Path, home: dict[str, str]) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "link").symlink_to(project)
    assert find_paths(tmp_path / "link", environment=home) == find_paths(project, environment=home)


def test_names_differ_where_slugs_do_not() -> None:
    assert name_of(Path("/a/x")) != name_of(Path("/b/x"))
    assert name_of(Path("/")).startswith("root-")
    assert len(name_of(Path("/" + "long" * 50))) <= settings.SLUG_CHARACTERS_MAX + 9


def test_each_state_directory_has_a_socket_of_its_own(tmp_path: Path, home: dict[str, str], runtime: Path) -> None:
    environment = {**home, "XDG_RUNTIME_DIR": str(runtime)}
    default = find_paths(tmp_path, environment=environment)
    other = find_paths(tmp_path, state_dir=tmp_path / "state", environment=environment)
    assert other.state_dir == tmp_path / "state"
    assert default.socket != other.socket


def test_configuration_of_the_directory_before_the_users(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "etc")}
    users = tmp_path / "etc/fleet-tui/fleet.toml"
    users.parent.mkdir(parents=True)
    users.touch()
    assert find_paths(tmp_path, environment=environment).config == users
    (tmp_path / "fleet.toml").touch()
    assert find_paths(tmp_path, environment=environment).config == tmp_path / "fleet.toml"
    assert find_paths(tmp_path, config="other.toml", environment=environment).config == Path("other.toml").absolute()


def test_socket_without_a_runtime_directory(tmp_path: Path, home: dict[str, str], runtime: Path) -> None:
    state = runtime / "state"
    beside = state / "run/engine.sock"
    assert find_paths(tmp_path, state_dir=state, environment=home).socket == beside
    missing = {**home, "XDG_RUNTIME_DIR": str(tmp_path / "missing")}
    assert find_paths(tmp_path, state_dir=state, environment=missing).socket == beside
    runtime.chmod(0o755)
    public = {**home, "XDG_RUNTIME_DIR": str(runtime)}
    assert find_paths(tmp_path, state_dir=state, environment=public).socket == beside


def test_socket_of_a_deep_state_directory(tmp_path: Path, home: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/tmp")
    deep = tmp_path / ("deep" * 30)
    socket = find_paths(tmp_path, state_dir=deep, environment=home).socket
    assert socket.parent.parent == Path(f"/tmp/fleet-tui-{os.getuid()}")
    assert len(os.fsencode(socket)) <= SOCKET_PATH_BYTES_MAX


def test_demo_has_a_state_of_its_own_and_no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "states"))
    (tmp_path / "fleet.toml").touch()
    paths = settings.demo_paths(tmp_path, None)
    assert paths.state_dir == tmp_path / "states/fleet-tui" / f"demo-{name_of(tmp_path)}"
    assert paths.config is None
    assert settings.demo_paths(tmp_path, tmp_path / "here").state_dir == tmp_path / "here"
    one_file = settings.demo_paths(tmp_path / "fleet.toml", None)
    assert one_file.directory == tmp_path
    assert one_file.state_dir != paths.state_dir


def test_no_such_directory(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        find_paths(tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is not a directory"):
        find_paths(tmp_path / "file")


# ---- making them


def make_paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path, None, tmp_path / "a/state", tmp_path / "run/fleet-tui/name/engine.sock")


def test_prepared_directories_are_the_users_alone(tmp_path: Path) -> None:
    paths = make_paths(tmp_path)
    prepare_state(paths)
    prepare_state(paths)
    for directory in (paths.state_dir, paths.socket.parent, paths.socket.parent.parent):
        assert directory.stat().st_mode & 0o777 == 0o700
    assert not list(paths.state_dir.iterdir())


def test_state_directory_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(EngineStartError, match=r"a file is in the way.*--state-dir"):
        prepare_state(make_paths(tmp_path))


def test_state_directory_is_a_file(tmp_path: Path) -> None:
    paths = make_paths(tmp_path)
    paths.state_dir.parent.mkdir()
    paths.state_dir.touch()
    with pytest.raises(EngineStartError, match="a file is in the way"):
        prepare_state(paths)


@not_root
def test_state_directory_that_cannot_be_written(tmp_path: Path) -> None:
    paths = make_paths(tmp_path)
    paths.state_dir.mkdir(parents=True, mode=0o500)
    with pytest.raises(EngineStartError, match=r"cannot be written .*--state-dir"):
        prepare_state(paths)


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ENOSPC, "no space left"), (errno.EDQUOT, "no space left"), (errno.EROFS, "cannot be written"), (errno.EIO, "cannot be used")],
)
def test_disk_that_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str) -> None:
    def refuse(_path: Path, _data: bytes) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(EngineStartError, match=f"{said}.*--state-dir"):
        prepare_state(make_paths(tmp_path))


def test_directory_that_others_can_write_to(tmp_path: Path) -> None:
    paths = make_paths(tmp_path)
    prepare_state(paths)
    paths.state_dir.chmod(0o777)
    with pytest.raises(EngineStartError, match="others can write"):
        prepare_state(paths)
    paths.state_dir.chmod(0o700)
    paths.socket.parent.parent.chmod(0o777)
    with pytest.raises(EngineStartError, match="socket directory.*XDG_RUNTIME_DIR"):
        prepare_state(paths)


def test_a_link_in_place_of_the_socket_directory_is_a_trap(tmp_path: Path) -> None:
    paths = make_paths(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "run/fleet-tui").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EngineStartError, match="socket directory"):
        prepare_state(paths)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a directory of another user")
def test_directory_of_another_user(tmp_path: Path) -> None:
    paths = make_paths(tmp_path)
    prepare_state(paths)
    os.chown(paths.state_dir, 12345, 12345)
    with pytest.raises(EngineStartError, match="belongs to another user"):
        prepare_state(paths)
