"""Channels as operators meet them: rows, the verbs `test-channel` and `requeue`, REST, and no address in whatever leaves the engine."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.integration.engines import EngineProcess, engine, until

SECRET = "hunter2hunter2"  # noqa: S105  # what must not be seen anywhere


class Hook(BaseHTTPRequestHandler):
    """Keeps what it gets; below /hang it never answers."""

    got: ClassVar[list[Any]] = []
    released: ClassVar[threading.Event] = threading.Event()

    def do_POST(self) -> None:  # noqa: N802  # http.server's name
        """Take a notification."""
        self.got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        if self.path.startswith("/hang"):
            self.released.wait(60)
            return
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's name
        """Say nothing."""


@contextmanager
def hook() -> Iterator[int]:
    Hook.got.clear()
    Hook.released.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.daemon_threads = True
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield server.server_port
    finally:
        Hook.released.set()
        server.shutdown()
        serving.join()
        server.server_close()


def configured(port: int) -> str:
    return f"""
[alerting]
channels = [
  "email",
  {{name = "hook", url = "json://127.0.0.1:{port}/{SECRET}", severities = ["critical"], matchers = ["pool=~co.*"]}},
  {{name = "gone", url = "json://user:{SECRET}@127.0.0.1:1/", retries = 0}},
  {{name = "off", command = ["true"], enabled = false}},
]
"""


@pytest.mark.row(105, 213)
def test_channels_are_listed_and_tested_from_the_command_line(tmp_path: Path) -> None:
    with hook() as port, engine(tmp_path, configured(port)) as subject:
        rows = {row["id"]: row for row in json.loads(subject.run("alerts", "channels", "-o", "json").stdout)}
        assert {name: (row["kind"], row["state"]) for name, row in rows.items()} == {
            "email": ("ALERT_EMAIL_URL", "unset"), "hook": ("json", "ready"), "gone": ("json", "ready"), "off": ("command", "off")
        }  # fmt: skip
        assert "ALERT_EMAIL_URL is not set" in rows["email"]["last_error"]
        assert (rows["hook"]["severities"], rows["hook"]["matchers"]) == ("critical", "pool=~co.*")
        done = subject.run("alerts", "test", "hook", "--reason", "new key")
        assert done.returncode == 0, done.stderr
        assert "the test went through hook" in done.stderr
        assert Hook.got[0]["status"] == "test"
        failed = subject.run("test-channel", "gone")
        assert failed.returncode == 1
        assert "channel gone does not work: the connection was refused" in failed.stderr
        assert subject.run("test-channel", "email").returncode == 4
        unknown = subject.run("test-channel", "hok")
        assert (unknown.returncode, "did you mean 'hook'" in unknown.stderr) == (4, True)
        audit = json.loads(subject.run("get", "audit", "-o", "json").stdout)
        assert [(line["action"], line["target"], line["reason"]) for line in audit if line["action"] == "alert.test-channel" and line["result"] == "done"] == [
            ("alert.test-channel", "hook", "new key")
        ]
        assert "0 parked notifications wait again" in subject.run("requeue").stderr
        assert "nothing is parked" in subject.run("requeue", "hook", "--dry-run").stdout
        without_secret(subject, tmp_path)


def without_secret(subject: EngineProcess, folder: Path) -> None:
    """Look for the address in all that leaves the engine."""
    config = subject.run("get", "channels", "-o", "wide").stdout + subject.run("alerts", "notifications", "-o", "json").stdout
    target = folder / "bundle.tar.gz"
    assert subject.run("bundle", "-o", str(target)).returncode == 0
    with tarfile.open(target) as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]  # files only
    assert files
    for name, data in {**files, "rows": config.encode()}.items():
        assert SECRET.encode() not in data, name
    logs = [path for path in subject.root.rglob("*.log") if SECRET.encode() in path.read_bytes()]
    assert logs == []


@pytest.mark.row(213)
def test_channels_are_rows_and_verbs_of_the_rest_face_too(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        free = found.getsockname()[1]
    with hook() as port, engine(tmp_path, f"[access]\nport = {free}\n{configured(port)}") as subject:
        until(lambda: list(subject.root.rglob("api.token")))
        [token] = subject.root.rglob("api.token")
        curl = ["curl", "-sS", "-H", f"Authorization: Bearer {token.read_text().strip()}"]

        def ask(*words: str) -> Any:  # noqa: ANN401  # any JSON
            return json.loads(subprocess.run([*curl, *words], capture_output=True, check=True, timeout=60).stdout)

        base = f"http://127.0.0.1:{free}/v1"
        assert {row["id"] for row in ask(f"{base}/channels")} == {"email", "hook", "gone", "off"}
        assert ask(f"{base}/notifications") == []
        answer = ask("-X", "POST", "-d", '{"channel": "hook"}', f"{base}/alert.test-channel")
        assert "the test went through hook" in answer["summary"]
        assert "does not work" in ask("-X", "POST", "-d", '{"channel": "gone"}', f"{base}/alert.test-channel")["message"]
        assert SECRET not in json.dumps(ask(f"{base}/config"))


_KILLED = """
import asyncio, random, sys
from pathlib import Path
from engine.clock import OrderedIds, SystemClock
from engine.memory.database import Database
from engine.model.alerting_config import AlertingSection
from engine.model.alert_words import Severity
from engine.model.notifications import AlertNews
from engine.monitoring.notifying.notifier import Notifier
from engine.monitoring.notifying.sender import Means

async def main(file, url):
    database = await Database.open(Path(file))
    clock, rng = SystemClock(), random.Random(1)
    section = AlertingSection.model_validate({"group_wait_s": 0, "channels": [{"name": "hook", "url": url}]})
    notifier = Notifier(section, database, "prod", Means(clock, rng, OrderedIds(clock, rng)))
    async with asyncio.TaskGroup() as group:
        group.create_task(notifier.run())
        notifier.hear([AlertNews("f1", "queue", Severity.CRITICAL, {"pool": "coder"}, "120 wait", True, clock.now())], clock.now())

asyncio.run(main(*sys.argv[1:]))
"""


def test_what_an_engine_had_not_sent_when_it_was_killed_is_sent_by_the_next_one(tmp_path: Path) -> None:
    """At least once: the receiver may have taken the first attempt, and can tell by the id."""
    file = tmp_path / "fleet.db"
    with hook() as port:
        first = subprocess.Popen([sys.executable, "-c", _KILLED, str(file), f"json://127.0.0.1:{port}/hang"])
        try:
            until(lambda: len(Hook.got) == 1)
            until(lambda: _letters(file) == [("waiting",)])
            [worker] = children(first.pid)
        finally:
            first.send_signal(signal.SIGKILL)
            first.wait()
        until(lambda: not is_alive(worker))
        Hook.released.set()
        second = subprocess.Popen([sys.executable, "-c", _KILLED, str(file), f"json://127.0.0.1:{port}/"])
        try:
            until(lambda: len(Hook.got) == 2 and _letters(file) == [("sent",)])
        finally:
            second.kill()
            second.wait()
        assert len({told["id"] for told in Hook.got}) == 1


def _letters(file: Path) -> list[tuple[str]]:
    connection = sqlite3.connect(file)
    try:
        return connection.execute("SELECT state FROM alert_letters").fetchall()
    finally:
        connection.close()


def children(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(path.parent.name))
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_an_engine_loads_no_service_itself() -> None:
    done = subprocess.run([sys.executable, "-c", "import sys, engine.fleet; print([name for name in ('apprise', 'requests', 'smtplib') if name in sys.modules])"], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
