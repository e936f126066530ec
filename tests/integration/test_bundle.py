"""`fleet-tui bundle` on real engines, on none, and on broken states: everything that helps, and no secret."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
from pathlib import Path

import pytest
from fleet_tui.settings import find_paths

from tests.integration.engines import EngineProcess, engine, until
from tests.integration.words import run_words

CONFIG = """
[pools.leaky]
min = 1
max = 2
kind = "command"

[pools.leaky.command]
argv = ["sh", "-c", "cat; echo $TOOL_LICENCE; exit 3", "--api-key", "{argument}"]

[pools.leaky.command.env]
TOOL_LICENCE = "{variable}"

[redis]
url = "redis://bob:{url}@localhost/0"
"""
SECRETS = {
    "argument": "plain-looking-one",
    "variable": "plain-looking-two",
    "url": "plain-looking-three",
    "environment": "plain-looking-four",
    "override": "plain-looking-five",
    "payload": "plain-looking-six",
    "prompt": "plain-looking-seven",
    "title": "plain-looking-eight",
    "log": "plain-looking-nine",
    "logged variable": "plain-looking-two",
    "reason": "plain-looking-ten",
}
"""None looks like a secret: they are hidden for where they stand."""


def open_bundle(path: Path) -> dict[str, bytes]:
    """Return the files of an archive by name, checked against its manifest."""
    with tarfile.open(path) as archive:
        files = {member.name.partition("/")[2]: archive.extractfile(member).read() for member in archive}
        assert {member.mode for member in archive} == {0o600}
    manifest = json.loads(files["manifest.json"])
    listed = {entry["name"]: entry for entry in manifest["files"]}
    assert set(listed) == set(files) - {"manifest.json"}
    for name, entry in listed.items():
        assert entry["bytes"] == len(files[name])
        assert entry["sha256"] == hashlib.sha256(files[name]).hexdigest()
        assert entry["what"]
    assert all(entry["what"] and entry["why"] for entry in manifest["left_out"])
    return files


def bundle_of(subject: EngineProcess, tmp_path: Path, **environment: str) -> dict[str, bytes]:
    """Make a bundle and return its files."""
    target = tmp_path / "bundle.tar.gz"
    target.unlink(missing_ok=True)
    done = run_words(["-C", str(subject.directory), "bundle", "-o", str(target)], subject.environment | environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(target)
    assert target.stat().st_mode & 0o777 == 0o600
    assert target.stat().st_size < 2_000_000
    return open_bundle(target)


def without(files: dict[str, bytes], *secrets: str) -> None:
    for name, data in files.items():
        for secret in secrets:
            assert secret.encode() not in data, f"{secret} is in {name}"


@pytest.fixture
def config() -> str:
    text = CONFIG
    for name in ("argument", "variable", "url"):
        text = text.replace(f"{{{name}}}", SECRETS[name])
    return text


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state that an engine left after one task."""
    root: Path = tmp_path_factory.mktemp("left")
    with engine(root) as subject:
        assert subject.run("submit", "noop", "coder", "--wait").returncode == 0
    return state_of(subject)


def state_of(subject: EngineProcess) -> Path:
    return find_paths(subject.directory, environment=subject.environment).state_dir


def with_state(root: Path, left: Path) -> EngineProcess:
    """An engine that does not run, and finds this state."""
    subject = EngineProcess(root)
    shutil.copytree(left, state_of(subject), ignore=shutil.ignore_patterns("*.sock"))
    return subject


def test_a_running_engine_is_told_and_no_secret_is(tmp_path: Path, config: str) -> None:
    with engine(tmp_path, config) as subject:
        payload = json.dumps({"deeper": [{"note": SECRETS["payload"]}]})
        words = ["--payload", payload, "--prompt", SECRETS["prompt"], "--title", f"do {SECRETS['title']}", "--max-attempts", "1"]
        subject.run("submit", "command", "leaky", *words, "--wait")
        subject.run("pause", "coder", "--reason", SECRETS["reason"])
        until(lambda: subject.get("tasks")[0]["state"] in ("failed", "dead"))
        log = next((tmp_path / "state").rglob("engine.log"))
        with log.open("a") as file:
            file.write(json.dumps({"message": "called", "why": f"password={SECRETS['log']} and {SECRETS['variable']}"}) + "\n")
        environment = {"SHOP_TOKEN": SECRETS["environment"], "FLEET_POOLS__LEAKY__COMMAND__ENV__OTHER": SECRETS["override"]}
        files = bundle_of(subject, tmp_path, **environment)
        without(files, *SECRETS.values())
        parts = {name: json.loads(data) for name, data in files.items() if name.endswith(".json")}
        assert parts["status.json"]["pid"] == subject.pid
        assert {row["id"] for row in parts["pools.json"]} >= {"leaky", "coder"}
        assert len(parts["agents.json"]) == 28
        (task,) = parts["tasks.json"]
        assert task["pool"] == "leaky" and "title" not in task
        assert any(event["type"] in ("task.returned", "task.failed") for event in parts["events.json"])
        assert parts["journal.json"]["integrity"] == ["ok"]
        assert ["leaky", task["state"], 1] in parts["journal.json"]["tasks by pool and state"]
        assert parts["config.json"]["in force"]["pools"]["leaky"]["command"]["env"] == {"TOOL_LICENCE": "[hidden]", "other": "[hidden]"}
        assert parts["versions.json"]["libraries"]["textual"].startswith("8.")
        assert {finding["what"] for finding in parts["doctor.json"]} >= {"python", "engine", "disk"}
        assert b"engine started" in files["engine.log"] and b'"called"' in files["engine.log"]


def test_without_an_engine_the_database_tells(tmp_path: Path, left: Path) -> None:
    subject = with_state(tmp_path, left)
    files = bundle_of(subject, tmp_path)
    journal = json.loads(files["journal.json"])
    assert ["coder", "succeeded", 1] in journal["tasks by pool and state"]
    assert "status.json" not in files
    missing = json.loads(files["manifest.json"])["left_out"]
    assert any("no engine runs" in entry["why"] for entry in missing)


def test_where_nothing_ever_ran(tmp_path: Path) -> None:
    files = bundle_of(EngineProcess(tmp_path), tmp_path)
    missing = " ".join(entry["what"] for entry in json.loads(files["manifest.json"])["left_out"])
    assert "journal.json" in missing and "engine.log" in missing
    assert "doctor.json" in files and "versions.json" in files


@pytest.mark.parametrize("damage", ["database", "truncated", "log is a directory", "log is a link", "configuration"])
def test_what_is_broken_is_said(tmp_path: Path, left: Path, damage: str) -> None:
    subject = with_state(tmp_path, left)
    database, log = (next((tmp_path / "state").rglob(name)) for name in ("fleet.db", "engine.log"))
    for rest in database.parent.glob("fleet.db-*"):
        rest.unlink()
    if damage == "database":
        database.write_bytes(b"no database at all" * 1000)
    elif damage == "truncated":
        os.truncate(database, database.stat().st_size // 2)
    elif damage == "configuration":
        (subject.directory / "fleet.toml").write_text("pools = 'plain-looking' [")
    else:
        log.unlink()
        log.mkdir() if damage == "log is a directory" else log.symlink_to("/etc/hostname")
    files = bundle_of(subject, tmp_path)
    manifest = json.loads(files["manifest.json"])
    missing = {entry["what"].partition(" ")[0]: entry["why"] for entry in manifest["left_out"]}
    expected = {"database": "journal.json", "log is a directory": "engine.log", "log is a link": "engine.log", "configuration": "config.json"}
    if damage == "truncated":
        assert "journal.json" in missing or json.loads(files["journal.json"])["integrity"] != ["ok"]
    else:
        assert missing[expected[damage]]
        assert expected[damage] not in files
    without(files, "plain-looking")


def test_nothing_is_written_over(tmp_path: Path) -> None:
    subject = EngineProcess(tmp_path)
    target = tmp_path / "mine"
    target.write_text("precious")
    done = subject.run("bundle", "-o", str(target))
    assert done.returncode == 2 and "exists" in done.stderr
    assert target.read_text() == "precious"
    done = subject.run("bundle", "-o", str(tmp_path / "no" / "such" / "place"))
    assert done.returncode == 1 and "cannot write" in done.stderr
