"""`fleet-tui simulate --policy` over shapes, files and the load that a real engine has seen; policies by the command line."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli_shell import Shell

POLICY = '[policies.demand]\npool = "coder"\ntarget = 0.85\n'


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with tempfile.TemporaryDirectory(prefix="flt") as runtime:
        shell = Shell(tmp_path, Path(runtime))
        (shell.project / "new.toml").write_text(POLICY)
        yield shell
        for process in shell.engines:
            if process.poll() is None:
                shell.end(process)


def test_a_shape_needs_no_engine(shell: Shell) -> None:
    found = shell.json("simulate", "--policy", "new.toml", "--shape", "bursts")
    (new,) = found["compared"]
    assert (found["seconds"], new["name"]) == (3600.0, "new")
    assert new["tasks"] > 1_000
    assert 0 < new["utilisation"] < 1
    text = shell.run("simulate", "--policy", "new.toml", "--shape", "bursts").stdout
    assert "direction changes" in text


def test_a_trace_file_is_replayed(shell: Shell) -> None:
    lines = [json.dumps({"at": n * 0.5, "pool": "coder", "service_s": 2}) for n in range(200)]
    (shell.project / "load.jsonl").write_text("\n".join(lines))
    (new,) = shell.json("simulate", "--policy", "new.toml", "--trace", "load.jsonl")["compared"]
    assert new["tasks"] == 200


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--policy", "none.toml", "--shape", "daily"), 2, "none.toml cannot be read"),
        (("--policy", "fleet.toml", "--shape", "daily"), 2, "has no key 'fleet'"),
        (("--policy", "new.toml", "--shape", "dayly"), 2, "did you mean 'daily'"),
        (("--policy", "new.toml", "--trace", "new.toml"), 2, "no trace format '.toml'"),
        (("--policy", "new.toml", "--trace", "a.csv", "--shape", "daily"), 2, "not both"),
        (("--policy", "new.toml", "--last", "soon"), 2, "no length of time"),
        (("--policy", "new.toml"), 3, "no engine runs"),
    ],
)
def test_what_cannot_be_replayed_is_explained(shell: Shell, words: tuple[str, ...], code: int, said: str) -> None:
    assert said in shell.run("simulate", *words, code=code).stderr


@pytest.mark.row(68)
def test_the_load_of_a_real_engine_is_replayed_beside_the_policies_in_force(shell: Shell) -> None:
    shell.start_engine()
    assert "has run" in shell.run("simulate", "--policy", "new.toml", code=4).stderr
    for _ in range(5):
        shell.run("submit", "sleep", "coder", "--payload", '{"seconds": 0.05}', "--wait")
    shell.run("create-policy", "mine", "--policy", '{"pool": "coder", "target": 0.5}')
    in_force, new = shell.json("simulate", "--policy", "new.toml", "--last", "1h")["compared"]
    assert (in_force["name"], in_force["tasks"]) == ("in force", 5)
    assert new["pools"][0]["pool"] == "coder"
    (row,) = shell.json("get", "policies")
    assert row["rules"] == "target 0.5"
    assert "removed" in shell.run("delete-policy", "mine", "--dry-run").stdout
    shell.run("undo")
    assert shell.json("get", "policies") == []


@pytest.mark.row(68)
def test_a_file_of_policies_is_applied_after_its_plan(shell: Shell) -> None:
    shell.start_engine()
    refused = shell.run("policy", "apply", "new.toml", code=4)
    assert "nobody can be asked here; nothing was changed" in refused.stderr
    assert shell.json("get", "policies") == []
    dry = shell.run("policy", "apply", "new.toml", "--dry-run").stdout
    assert "demand" in dry
    assert "target 0.85" in dry
    shell.run("policy", "apply", "new.toml", "--yes")
    assert "nothing to do" in shell.run("policy", "apply", "new.toml").stdout
    (shell.project / "new.toml").write_text('[policies.demand]\npool = "coder"\ntarget = 0.7\n[policies.every]\ntarget = 1.0\n')
    dry = shell.run("policy", "apply", "new.toml", "--dry-run").stdout
    assert "target 0.85" in dry
    assert "target 0.7" in dry
    shell.run("policy", "apply", "new.toml", "--yes", "--reason", "by file")
    assert {row["id"]: row["rules"] for row in shell.json("get", "policies")} == {"demand": "target 0.7", "every": "target 1.0"}
    (shell.project / "new.toml").write_text('[policies.every]\ntarget = 1.0\n')
    assert "nothing to do" in shell.run("policy", "apply", "new.toml").stdout, "what the file does not name stays"
    shell.run("policy", "apply", "new.toml", "--prune", "--yes")
    assert [row["id"] for row in shell.json("get", "policies")] == ["every"]
    assert "has no key 'fleet'" in shell.run("policy", "apply", "fleet.toml", code=2).stderr


def test_what_a_file_changes_is_one_document(shell: Shell) -> None:
    shell.start_engine()
    apply = ("policy", "apply", "new.toml", "-o", "json")
    for words, code in ((apply, 4), ((*apply, "--dry-run"), 0)):
        only_seen = json.loads(shell.run(*words, code=code).stdout)
        assert [plan["steps"][0]["call"]["name"] for plan in only_seen["plans"]] == ["policy.create"]
        assert only_seen["answers"] == []
    (answer,) = json.loads(shell.run(*apply, "--yes").stdout)["answers"]
    assert answer["values"] == ["demand"]
    assert json.loads(shell.run(*apply, "--yes").stdout) == {"plans": [], "answers": []}
    assert [row["id"] for row in shell.json("get", "policies")] == ["demand"]


@pytest.mark.row(63)
def test_what_could_be_smaller_is_asked_for(shell: Shell) -> None:
    assert "no engine runs" in shell.run("optimize", code=3).stderr
    shell.start_engine()
    assert "nothing could be smaller" in shell.run("optimize").stdout
    assert shell.json("optimize", "coder") == []
    assert "nothing could be smaller" in shell.run("optimize", "--apply").stdout
    assert "did you mean 'coder'" in shell.run("optimize", "codr", code=4).stderr
    assert "all" in shell.run("cost", "--last", "1h").stdout
    assert {pool["pool"] for pool in shell.json("cost")["pools"]} >= {"coder", "tester", "shell"}
