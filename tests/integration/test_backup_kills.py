"""`kill -9` before each thing that `backup` and `restore` do to files: what is there is the old or the new, whole, and the next try goes through."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
STEPS_LEAST = 8
"""Things that either does to files, at least: fewer would mean that nobody was killed."""

# One process forks a real one for each step: it is killed in front of its first one, its second one, and so on until none is left.
KILLED = """
import asyncio, os, shutil, signal, sys
from pathlib import Path
from engine.memory.checking import verify
from engine.memory.journal import SqliteJournal
from fleet_tui import acts, contexts, database, settings  # so that no child loads them again
from fleet_tui.subcommands import cli
from tests.integration.journal_lives import Life
from tests.integration.test_backups import live

TOUCHING = {"open", "os.rename", "os.link", "os.remove", "os.mkdir", "sqlite3.connect"}
folder, word = Path(sys.argv[1]), sys.argv[2]
here, other, killed = folder / "state" / "fleet.db", folder / "other.db", folder / "killed"


async def make():
    journal, life = await SqliteJournal.open(here), Life(3)
    life.act_pool()
    await live(journal, life, 12)
    await journal.backup(other)
    await live(journal, life, 12)
    if word == "backup":
        await journal.append(life.batch())
    await journal.close()


def last(path):
    verdict = verify(path)
    assert verdict.problems == (), (path, verdict.problems)
    return verdict.contents.last


def act(root, dies_at=0):
    told, seen = os.open(root / "told", os.O_CREAT | os.O_WRONLY), 0

    def step(event, arguments):
        nonlocal seen
        if event in TOUCHING and str(root) in str(arguments[0]):
            seen += 1
            if seen == dies_at:
                os.kill(os.getpid(), signal.SIGKILL)

    os.dup2(told, 1), os.dup2(told, 2)
    sys.addaudithook(step)
    words = ["restore", str(root / "other.db")] if word == "restore" else ["backup", str(root / "other.db"), "--force"]
    cli(["--state-dir", str(root / "state"), *words])


def outcome(root, dies_at=0):
    child = os.fork()
    if child == 0:
        act(root, dies_at)  # click ends the process
    return os.waitpid(child, 0)[1]


here.parent.mkdir(mode=0o700)
asyncio.run(make())
old, new = (last(here), last(other)) if word == "restore" else (last(other), last(here))
assert old != new
is_there = set()
for step in range(1, 200):
    shutil.copytree(folder / "state", killed / "state")
    shutil.copy(other, killed / "other.db")
    ended = outcome(killed, step)
    subject = killed / ("state/fleet.db" if word == "restore" else "other.db")
    assert last(subject) in (old, new), step
    is_there.add(last(subject))
    if os.WIFEXITED(ended):
        assert (os.waitstatus_to_exitcode(ended), last(subject)) == (0, new), (killed / "told").read_text()
        break
    assert os.WTERMSIG(ended) == signal.SIGKILL
    assert os.waitstatus_to_exitcode(outcome(killed)) == 0, (step, (killed / "told").read_text())
    assert last(subject) == new
    assert not list(killed.rglob("*.part")), step
    shutil.rmtree(killed)
assert is_there == {old, new}
print(step - 1)
"""


@pytest.mark.parametrize("word", ["restore", "backup"])
def test_a_kill_leaves_the_old_or_the_new(tmp_path: Path, word: str) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path, word], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout) >= STEPS_LEAST
