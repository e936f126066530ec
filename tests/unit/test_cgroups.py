"""Control groups are used only where they were handed over; elsewhere it is said why not. On a tree of files as the kernel shows them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from engine.agents.processes import cgroups
from engine.agents.processes.cgroups import LEAF, Groups, find
from engine.model.pools import PoolSpec

PID = os.getpid()


class Tree:
    """A machine whose process is in a group."""

    def __init__(self, root: Path, path: str = "/app.service") -> None:
        self.root, self.top = root, root / "sys/fs/cgroup"
        (root / f"proc/{PID}").mkdir(parents=True)
        self.top.mkdir(parents=True)
        (self.top / "cgroup.controllers").write_text("cpu memory pids\n")
        self.enter(path)

    def enter(self, path: str) -> None:
        (self.root / f"proc/{PID}/cgroup").write_text(f"1:name=systemd:/x\n0::{path}\n")
        self.own = self.top / path.lstrip("/")
        self.group(self.own, {"cgroup.controllers": "memory pids\n", "cgroup.procs": f"{PID}\n", "cgroup.subtree_control": "", "cgroup.type": "domain\n"})

    def group(self, folder: Path, files: dict[str, str]) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text)
        return folder


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    def mark(folder: Path, name: str) -> bytes:
        if name == "user.delegate" and folder.name == "app.service":
            return b"1"
        raise OSError

    monkeypatch.setattr(cgroups.os, "getxattr", mark, raising=False)
    monkeypatch.setattr(cgroups, "_CAN_TELL", True)
    return Tree(tmp_path)


def test_a_delegated_group_is_used_by_its_only_process_and_from_the_leaf(tree: Tree) -> None:
    assert find(PID, tree.root) == (tree.own, f"by control groups below {tree.own}", True)
    place = tree.own
    tree.enter(f"/app.service/{LEAF}")
    assert find(PID, tree.root) == (place, f"by control groups below {place}", False)


def test_the_whole_of_what_a_container_sees_is_its_own(tree: Tree) -> None:
    tree.enter("/")
    assert find(PID, tree.root).place == tree.top
    (tree.top / "cgroup.type").unlink()
    assert find(PID, tree.root).why == "its control group / is not delegated to it (Delegate=memory in its systemd unit)"


@pytest.mark.parametrize(
    ("path", "change", "why"),
    [
        ("/session.scope", "", "its control group /session.scope is not delegated to it (Delegate=memory in its systemd unit)"),
        ("/app.service/inner", "", "its control group /app.service/inner is not delegated"),
        ("/../x", "", "its control group /../x cannot be seen from here"),
        ("/app.service (deleted)", "", "cannot be seen from here"),
        ("/app.service", "cgroup.controllers=pids", "its control group /app.service has no memory controller"),
        ("/app.service", "cgroup.procs=1 {pid}", "its control group /app.service is shared with other processes, 1 for one"),
        ("/other", "", "the control groups of version 2 here have no memory controller"),
        ("", "", "there are no control groups of version 2 here"),
    ],
)
def test_elsewhere_it_is_said_why_not(tree: Tree, path: str, change: str, why: str) -> None:
    if path:
        tree.enter(path)
    else:
        (tree.top / "cgroup.controllers").unlink()
    if path == "/other":
        (tree.top / "cgroup.controllers").write_text("cpu pids\n")
    name, _, text = change.partition("=")
    if name:
        (tree.own / name).write_text(text.format(pid=PID).replace(" ", "\n"))
    found = find(PID, tree.root)
    assert found.place is None
    assert why in found.why


def test_a_program_gets_a_group_with_its_limit_and_the_kernel_s_figures_and_reasons_are_told(tree: Tree) -> None:
    tree.enter(f"/app.service/{LEAF}")
    groups = Groups("state", tree.root)
    groups.pool_of = lambda key: PoolSpec("tool", 1, 1, memory_max=50) if key == "tsk_1.1" else None
    assert groups.make("tsk_1.1") == "", "before it is open"
    groups.open()
    place = tree.own.parent
    assert (place / "cgroup.subtree_control").read_text() == "+memory"
    folder = tree.group(place / f"{groups._prefix}tsk_1.1", {  # noqa: SLF001  # the kernel would fill it
        "cgroup.events": "populated 1\nfrozen 0\n", "memory.max": "max\n", "memory.swap.max": "max\n", "memory.oom.group": "0\n",
        "memory.current": str(40 << 20), "memory.stat": f"anon 1\ninactive_file {10 << 20}\n", "cpu.stat": "usage_usec 2500000\n",
        "memory.events": "low 0\noom 1\noom_kill 0\n", "memory.peak": str(50 << 20),
    })  # fmt: skip
    assert groups.make("tsk_1.1") == str(folder)
    assert [(folder / name).read_text().strip() for name in ("memory.max", "memory.oom.group")] == [str(50 << 20), "1"]
    assert (folder / "memory.swap.max").read_text()[0] == "0"
    assert (groups.measure("tsk_1.1"), groups.outgrown("tsk_1.1")) == ((2.5, 30.0), "")
    (folder / "memory.events").write_text("oom 1\noom_kill 2\n")
    assert groups.outgrown("tsk_1.1") == "it had 50 MB with all it started, and pool tool allows 50 MB (memory_max)"
    (folder / "memory.events").write_text("oom 0\noom_kill 2\n")
    assert groups.outgrown("tsk_1.1") == "it had 50 MB with all it started when the machine, or what the engine may have of it, ran out of memory"
    (folder / "cgroup.events").write_text("populated 0\n")
    assert groups.measure("tsk_1.1") is None
    assert (groups.make("tsk_9.1"), groups.measure("tsk_9.1"), groups.outgrown("tsk_9.1")) == ("", None, "")


def test_a_group_that_refuses_leaves_programs_to_be_looked_at(tree: Tree) -> None:
    tree.enter(f"/app.service/{LEAF}")
    (tree.own.parent / "cgroup.subtree_control").unlink()
    (tree.own.parent / "cgroup.subtree_control").mkdir()
    groups = Groups("state", tree.root)
    groups.pool_of = lambda _key: PoolSpec("tool", 1, 1)
    groups.open()
    assert groups.why.startswith(f"{tree.own.parent} refuses it: ")
    assert groups.make("tsk_1.1") == ""
    groups.close()
