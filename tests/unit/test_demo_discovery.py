"""Which files the demo takes, which it leaves out, and what it says about them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from engine.model.errors import UsageError
from fleet_tui.demo import discovery
from fleet_tui.demo.discovery import TOP_LEVEL, discover


def write(path: Path, text: str = "x = 1\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def names(root: Path, **options: int) -> list[str]:
    return [file.name for file in discover(root, **options).files]


def test_files_are_sorted_and_grouped_by_top_folder(tmp_path: Path) -> None:
    for name in ("b/two.py", "b/a/one.py", "a.py", "b.py", "notes.txt"):
        write(tmp_path / name)
    found = discover(tmp_path)
    assert [(file.name, file.package) for file in found.files] == [
        ("a.py", TOP_LEVEL),
        ("b.py", TOP_LEVEL),
        ("b/a/one.py", "b"),
        ("b/two.py", "b"),
    ]
    assert found.root == str(tmp_path.resolve())
    assert {file.size for file in found.files} == {6}
    assert found.left_out == ()


def test_folders_that_are_not_ours_are_left_out(tmp_path: Path) -> None:
    write(tmp_path / "kept" / "tests" / "test_it.py")
    for folder in (".git", ".venv", "venv", "node_modules", "__pycache__", "lib/site-packages"):
        write(tmp_path / folder / "no.py")
    assert names(tmp_path) == ["kept/tests/test_it.py"]


def test_the_standard_library_is_the_default_without_its_tests() -> None:
    found = discover()
    folders = {part for file in found.files for part in file.name.split("/")[:-1]}
    assert not folders & {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__"}
    assert {"json/decoder.py", "ast.py", "asyncio/tasks.py"} <= {file.name for file in found.files}


def test_symbolic_links_are_not_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", write(tmp_path / "outside" / "far.py")
    write(root / "own.py")
    (root / "loop").symlink_to(root)
    (root / "out").symlink_to(outside.parent)
    (root / "link.py").symlink_to(outside)
    (root / "self").symlink_to(root / "self")
    (root / "readme").symlink_to(outside)
    found = discover(root)
    assert [file.name for file in found.files] == ["own.py"]
    assert [one.name for one in found.left_out] == ["link.py", "loop", "out"]
    assert "symbolic link" in found.left_out[0].reason


def test_a_link_as_the_path_itself_is_followed(tmp_path: Path) -> None:
    write(tmp_path / "real" / "a.py")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert names(tmp_path / "link") == ["a.py"]


def test_one_file_is_a_code_base(tmp_path: Path) -> None:
    write(tmp_path / "b.py")
    found = discover(write(tmp_path / "a.py"))
    assert [file.name for file in found.files] == ["a.py"]


def test_more_files_than_allowed_are_counted(tmp_path: Path) -> None:
    for number in range(5):
        write(tmp_path / f"m{number}.py")
    found = discover(tmp_path, files_max=2)
    assert [file.name for file in found.files] == ["m0.py", "m1.py"]
    assert found.left_out_count == 3
    assert found.left_out[0].reason == "beyond the first 2 files"


def test_the_walk_is_bounded(tmp_path: Path) -> None:
    write(tmp_path / "a.py")
    for number in range(4):
        write(tmp_path / "many" / f"m{number}.py")
    found = discover(tmp_path, entries_max=3)
    assert [file.name for file in found.files] == ["a.py"]
    assert found.left_out[0].name == "many"
    assert "name a smaller path" in found.left_out[0].reason


# Tests may run as root, to whom nothing is unreadable: the question is faked, not the file.
def test_what_cannot_be_read_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.py")
    write(tmp_path / "b.py")
    monkeypatch.setattr(discovery.os, "access", lambda path, mode: not path.endswith("b.py"))
    found = discover(tmp_path)
    assert [(one.name, one.reason) for one in found.left_out] == [("b.py", "may not be read")]


def test_a_file_that_is_none_is_listed(tmp_path: Path) -> None:
    write(tmp_path / "a.py")
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "folder.py").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.py")).write_text("")
    found = discover(tmp_path)
    assert [file.name for file in found.files] == ["a.py"]
    assert [(one.name, one.reason) for one in found.left_out] == [
        ("caf?.py", "its name is not UTF-8"),
        ("pipe.py", "not a regular file"),
    ]


def test_a_folder_that_cannot_be_listed_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.py")
    write(tmp_path / "locked" / "b.py")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(discovery.os, "scandir", refuse)
    found = discover(tmp_path)
    assert [(one.name, one.reason) for one in found.left_out] == [("locked", "permission denied")]


@pytest.mark.parametrize("make_path", [
    lambda root: root / "absent",
    lambda root: root,
    lambda root: write(root / "notes.txt"),
    lambda root: str(root) + "\0",
])  # fmt: skip
def test_nothing_to_do_is_an_error_that_says_what_to_do(tmp_path: Path, make_path: object) -> None:
    with pytest.raises(UsageError, match="name "):
        discover(make_path(tmp_path))  # type: ignore[operator]


def test_a_changed_file_has_another_version(tmp_path: Path) -> None:
    path = write(tmp_path / "a.py")
    before = discover(tmp_path).files[0].version
    os.utime(path, ns=(1, 1))
    assert discover(tmp_path).files[0].version != before
