"""One secret, told in every way in which agents of each kind tell anything: it is in no file of the engine and in nothing that faces are given."""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.integration.engines import EngineProcess, until
from tests.integration.sessions import TALKS
from tests.integration.test_asking import FLEET
from tests.integration.test_plugins import install
from tests.integration.test_worktrees import repository
from tests.ui.pty_screen import PtyScreen

CORE = "Zq9" * 8
"""What is looked for; before it stands in which way it was told."""

HANDLER = """
import asyncio, os, sys
def core(): return open(os.path.dirname(__file__) + "/core").read()
def talk(type, payload):
    print("sk-pythonprint" + core(), flush=True)
    if payload["prompt"] == "raise":
        raise ValueError("password=" + "x" * 990 + " sk-pythonerror" + core())
    return {"text": "it is sk-pythontext" + core(), "api_key": "pythonkey" + core(), "deep": [{"url": "http://me:pythonurl" + core() + "@host/"}], "token_count": 7}
async def later(type, payload):
    await asyncio.sleep(0)
    return ["sk-pythonlarge" + core()] * (3000 if payload["prompt"] == "large" else 1)
"""

SESSION = TALKS + """
core = open("core").read()
for turn, told in turns():
    print("sk-sessionnoise" + core); print("sk-sessionerr" + core, file=sys.stderr, flush=True)
    say(type="progress", id=turn, text="sk-sessionprogress" + core, evidence="password=sessionevidence" + core, call="sk-sessioncall" + core)
    say(type="output", id=turn, text="sk-sessionoutput" + core)
    if told["prompt"] == "ask":
        say(type="ask", id=turn, ask="1", text="sk-sessionask" + core, tool="Write", arguments={"path": "a", "token": "sessionargument" + core, "deep": ["sk-sessiondeep" + core]}, diff="+sk-sessiondiff" + core, options=["sk-sessionoption" + core])
        hear()
    if told["prompt"] == "fail":
        say(type="error", id=turn, message="sk-sessionerror" + core, kind="sk-sessionkind" + core)
    else:
        say(type="result", id=turn, text="sk-sessiontext" + core, data={"secret": "sessiondata" + core, "x": "sk-sessionvalue" + core}, usage={"turns": 1})
"""

COMMAND = f"""
core=$(cat {{root}}/core)
echo "sk-commandout$core"; echo "Authorization: Bearer commanderr$core" >&2
case "$1" in
fail) exit 3;;
verbs) {FLEET} progress "sk-verbprogress$core" --ratio 0.5 --yes; {FLEET} progress "sk-verbrefused$core" --yes
  {FLEET} ask "sk-verbask$core?" --options "sk-verboption$core" --yes; {FLEET} ask "" --options "sk-verbempty$core" --yes;;
esac
echo "key = 'sk-committed$core'" >> a.txt
git -c user.name=ann -c user.email=a@a commit -qam "with sk-subject$core" || true
"""

PLUGIN = """
import ctypes, os, sys
from engine.plugins.api import PluginResponse, hookimpl
def tell(way):
    core = open(os.path.dirname(__file__) + "/core").read()
    for fd in (1, 2):
        os.write(fd, f"sk-{way}fd{core}\\n".encode())
    os.system(f"echo sk-{way}child{core}; echo sk-{way}childerr{core} >&2")
    libc = ctypes.CDLL(None)
    libc.puts(f"sk-{way}c{core}".encode())
    libc.fflush(None)
    print(f"sk-{way}print{core}", flush=True)
    print(f"sk-{way}err{core}", file=sys.stderr, flush=True)
class Tiny:
    name, dimensions = "tiny-2", 2
    def embed(self, texts):
        import numpy
        tell("embedder")
        return numpy.array([[1.0, len(text)] for text in texts], "float32")
class Agent:
    name, version = "teller", "1"
    async def initialize(self, context): tell("plugininit")
    async def execute(self, request):
        tell("pluginagent")
        return PluginResponse(text="sk-plugintext" + open(os.path.dirname(__file__) + "/core").read())
    async def cleanup(self): pass
def operate(type, payload): tell("operation"); return {}
def size(pools): tell("metric"); return {name: 1.0 for name in pools}
fleet_agent = hookimpl(lambda: Agent(), specname="fleet_agent")
fleet_operations = hookimpl(lambda: {"operate": operate}, specname="fleet_operations")
fleet_metrics = hookimpl(lambda: {"size": size}, specname="fleet_metrics")
fleet_embedders = hookimpl(lambda: {"tiny": Tiny}, specname="fleet_embedders")
"""
"""Prints past Python, by a descriptor, a child and C, in each process that it may be in."""

NOISE = """
import os, threading, time
def tell(go):
    while not os.path.exists(go): time.sleep(0.05)
    import telling
    telling.tell("console")
    open(go + ".done", "w").close()
if os.environ.get("GO"): threading.Thread(target=tell, args=(os.environ["GO"],), daemon=True).start()
"""
"""The same in the console, of which no plug-in is a part: by what Python itself loads."""


def config(root: Path) -> str:
    command = json.dumps(["sh", "-c", COMMAND.replace("{root}", str(root)), "sh", "{prompt}"])
    loud = json.dumps(["sh", "-c", f'core=$(cat {root}/core); echo "sk-loudout$core"; echo "password: loudlast$core" >&2; exit 1'])
    return f"""
[pools.python]
min = 1
max = 1
handler = "talking:talk"
[pools.later]
min = 1
max = 1
handler = "talking:later"
[pools.session]
kind = "session"
min = 1
max = 1
session = {{ argv = {json.dumps([sys.executable, "-S", "-c", SESSION])} }}
[pools.command]
kind = "command"
min = 1
max = 1
command = {{ argv = {command} }}
[pools.work]
kind = "command"
min = 1
max = 1
workspace = "worktree"
worktree = {{ repository = {json.dumps(str(root / "repo"))}, check = {loud} }}
command = {{ argv = {command} }}
[pools.unset]
kind = "command"
min = 1
max = 1
workspace = "worktree"
worktree = {{ repository = {json.dumps(str(root / "repo"))}, setup = {loud} }}
command = {{ argv = {command} }}
"""


TELLING = """
[plugins.teller]
timeout_s = 60
interval_s = 0.2
[memory]
embedder = "teller.tiny"
[pools.operations]
hosts = "local"
min = 1
max = 1
[pools.plugged]
kind = "teller"
min = 1
max = 1
"""


class WithHandlers(EngineProcess):
    """An engine whose pools find their handlers in its directory."""

    from_nothing = True

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "PYTHONPATH": str(self.directory)}


def ways(data: bytes) -> set[str]:
    """Return in which ways the secret was told that is in this."""
    return {match.decode() for match in re.findall(rb"([a-z]*)" + CORE.encode(), data)}


def found_in(folder: Path) -> dict[str, set[str]]:
    """Return which files have the secret."""
    files = [Path(at) / name for at, _, names in os.walk(folder) for name in names]
    return {str(file.relative_to(folder)): found for file in files if file.is_file() and (found := ways(file.read_bytes()))}


def submit(subject: EngineProcess, pool: str, prompt: str, kind: str = "work") -> str:
    done = subject.run("submit", kind, pool, "--prompt", prompt, "--max-attempts", "1")
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[0]


def drawn_beside_noise(subject: EngineProcess, go: Path) -> bytes:
    """Return what a console writes to its terminal while its process is printed in."""
    heard: list[bytes] = []
    (subject.directory / "sitecustomize.py").write_text(NOISE)
    with PtyScreen(subject.command("attach"), env={**subject.environment, "GO": str(go)}) as screen:
        feed = screen.feed
        screen.feed = lambda data: (heard.append(data), feed(data))[1]  # type: ignore[method-assign]
        screen.wait_text("LIVE")
        go.touch()
        screen.wait(lambda _: go.with_name("go.done").exists())
        screen.send(b"?")
        screen.wait_text("palette")
        screen.send(b"\x1b")
    return b"".join(heard)


def test_a_secret_that_agents_tell_is_nowhere(tmp_path: Path) -> None:
    repository(tmp_path)
    (tmp_path / "core").write_text(CORE)
    told = [("python", "give"), ("python", "raise"), ("later", "large"), ("session", "fail"), ("session", "ask"), ("command", "fail"), ("command", "verbs"), ("work", "give"), ("unset", "give")]
    subject = WithHandlers(tmp_path, config(tmp_path))
    (subject.directory / "core").write_text(CORE)
    (subject.directory / "talking.py").write_text(HANDLER)
    with closing(subject):
        subject.start()
        tasks = {one: submit(subject, *one) for one in told}
        shown: list[Any] = []
        asked = tasks["session", "ask"]
        until(lambda: any(row["task"] == asked for row in subject.get("questions")))
        [question] = [row for row in subject.get("questions") if row["task"] == asked]
        shown += [question, subject.get("questions", question["id"]), subject.get("tasks", asked)]
        assert subject.run("answer", asked, "allow", "--yes").returncode == 0
        until(lambda: all(row["state"] in ("succeeded", "failed", "dead") for row in subject.get("tasks")))
        done = {one: subject.get("tasks", tasks[one]) for one in (("python", "give"), ("python", "raise"), ("later", "large"), ("session", "ask"), ("session", "fail"))}
        review = subject.get("reviews", tasks["work", "give"])
        shown += [done, review, *(subject.get(kind) for kind in ("tasks", "audit", "events"))]
    assert {row["state"] for row in shown[-3]} == {"succeeded", "failed", "dead"}
    assert done["python", "give"]["result"] == {"text": "it is [hidden]", "api_key": "[hidden]", "deep": [{"url": "http://me:[hidden]@host/"}], "token_count": 7}
    assert done["python", "raise"]["error"]["message"] == "password=[hidden] [hidden]"
    assert done["later", "large"]["artifact"]
    assert (done["session", "ask"]["result"]["data"], done["session", "fail"]["error"]["message"]) == ({"secret": "[hidden]", "x": "[hidden]"}, "[hidden]")
    assert ("+key = '[hidden]'" in review["diff"], review["commits"][0].partition(" ")[2], review["work"]["check"].partition("; ")[0]) == (True, "with [hidden]", "failed: exit code 1: password: [hidden]")
    assert not ways(str(shown).encode())
    assert not found_in(tmp_path / "state")


def test_what_plugins_print_past_python_is_in_logs_without_secrets_and_not_on_the_terminal(tmp_path: Path) -> None:
    subject = WithHandlers(tmp_path, TELLING)
    (subject.directory / "core").write_text(CORE)
    install(subject.directory, {"name": "fleet-teller", "version": "1", "entry-points": {"fleet_tui": {"teller": "telling"}}}, {"telling": PLUGIN})
    with closing(subject):
        subject.start()
        [state] = [path for path in (tmp_path / "state" / "fleet-tui").iterdir() if path.is_dir()]
        tasks = [submit(subject, "plugged", "give"), submit(subject, "operations", "give", kind="teller.operate")]
        assert subject.run("remember", "plan", "three steps", "--yes").returncode == 0
        until(lambda: {subject.get("tasks", task)["state"] for task in tasks} == {"succeeded"})
        assert "plan" in subject.run("memory", "search", "steps").stdout
        logs = {"engine": ["printed.log"], "plug-in": ["plugins/teller.log"], "workers": ["logs/light-0.log", "logs/light-1.log"], "agent": [f"logs/{tasks[0]}.log"]}
        until(lambda: all(any((state / name).read_text().count("[hidden]\n") >= 5 for name in names if (state / name).exists()) for names in logs.values()))
        shown = [subject.get("tasks", task) for task in tasks] + [subject.get("plugins")]
        drawn = drawn_beside_noise(subject, tmp_path / "go")
        assert (state / "console-printed.log").read_text().count("[hidden]\n") >= 5
        assert subject.process is not None
        subject.process.terminate()
        said = subject.process.communicate(timeout=60)[1]
    assert "is ready; consoles attach with" in said
    assert "\n[hidden]\n" in said, "what a plug-in says by sys.stderr is shown, without its secret"
    assert not ways(str([shown, said]).encode() + drawn)
    assert b"[hidden]" not in drawn
    assert not found_in(tmp_path / "state")
