"""GitHub as others have written it down: npm's `emulate` keeps repositories, sends signed webhooks and answers the engine, which it does not know."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from engine import FleetManager

from tests.integration.engines import until as wait
from tests.integration.ports import free_port
from tests.integration.test_github import SECRET, TOKEN, clone, git, until
from tests.tools.agent_programs import need_clients

# What it is fetched with may take longer than a test.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("agent programs"), pytest.mark.timeout(600)]

NAME = "octo/fleet"
SEED = {
    "tokens": {TOKEN: {"login": "octo", "scopes": ["repo", "user", "admin:repo_hook"]}},
    "github": {"users": [{"login": "octo", "name": "Octo", "email": "octo@example.com"}], "repos": [{"owner": "octo", "name": "fleet", "auto_init": True}]},
}
# It has no git of its own: what is pushed to the bare repository beside it becomes a branch there, as at GitHub.
PUSHED = """#!{python}
import json, sys, urllib.request
for line in sys.stdin:
    body = {{"ref": line.split()[2], "sha": "{sha}"}}
    request = urllib.request.Request("{url}/repos/{name}/git/refs", json.dumps(body).encode(), {{"Authorization": "Bearer {token}"}})
    urllib.request.urlopen(request).read()
"""


class Emulated:
    """A GitHub with one repository."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60)

    def ask(self, method: str, path: str, **body: Any) -> Any:
        answer = self._client.request(method, f"/repos/{NAME}{path}", **({"json": body} if body else {}))
        assert answer.status_code < 300, (method, path, answer.status_code, answer.text)
        return answer.json()

    def open(self, title: str, *labels: str) -> int:
        return int(self.ask("POST", "/issues", title=title, body="why?", labels=list(labels))["number"])

    def comments(self, number: int) -> list[str]:
        return [one["body"] for one in self.ask("GET", f"/issues/{number}/comments")]

    def pulls(self) -> list[dict[str, Any]]:
        return list(self.ask("GET", "/pulls?state=all"))

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Emulated]:
    programs, port = need_clients(), free_port()
    (tmp_path / "seed.json").write_text(json.dumps(SEED))
    command = [str(programs.node), str(programs.root / "node_modules/emulate/dist/index.js"), "start", "-s", "github", "-p", str(port), "--seed", str(tmp_path / "seed.json")]
    with (tmp_path / "emulate.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    found = Emulated(f"http://localhost:{port}")
    try:
        wait(lambda: process.poll() is not None or b"Ready" in (tmp_path / "emulate.log").read_bytes(), 60)
        assert process.poll() is None, (tmp_path / "emulate.log").read_text()
        yield found
    finally:
        found.close()
        process.kill()
        process.wait()


def config(server: Emulated, folder: Path, port: int) -> dict[str, Any]:
    (folder / "token").write_text(TOKEN)
    (folder / "secret").write_text(SECRET)
    (folder / "state").mkdir(exist_ok=True)
    talk = {"kind": "command", "min": 1, "max": 1, "command": {"argv": ["cat"]}}
    fix = {"argv": ["sh", "-c", "echo fixed > fix.txt; echo I fixed it"]}
    return {
        "fleet": {"default_pools": False, "workers": 1}, "booster": {"enabled": False}, "access": {"port": port},
        "pools": {"talk": talk, "fixer": {**talk, "command": fix, "workspace": "worktree", "worktree": {"repository": str(folder / "clone")}}},
        "github": {
            "api_url": server.url, "token_file": str(folder / "token"), "webhook_secret_file": str(folder / "secret"),
            "repositories": [{"name": NAME, "labels": {"fleet": "talk", "fix": "fixer"}, "result": "pull_request"}],
        },
    }  # fmt: skip


def check_pull(server: Emulated, issue: int, task: str, origin: Path) -> None:
    """Check that there is one pull request, which has what the task did."""
    [pull] = server.pulls()
    assert (pull["title"], pull["base"]["ref"], pull["head"]["ref"]) == (f"Fix it (#{issue})", "main", f"fleet/{task}")
    assert f"Closes #{issue}" in pull["body"]
    assert "I fixed it" in pull["body"]
    assert git("show", f"{pull['head']['ref']}:fix.txt", at=origin) == "fixed"


@pytest.mark.row(28)
async def test_its_issues_become_tasks_once_and_results_are_posted_once(tmp_path: Path, server: Emulated) -> None:
    origin, port = clone(tmp_path), free_port()
    hook = origin / "hooks" / "post-receive"
    sha = server.ask("GET", "/git/ref/heads/main")["object"]["sha"]
    hook.write_text(PUSHED.format(python=sys.executable, sha=sha, url=server.url, name=NAME, token=TOKEN))
    hook.chmod(0o755)
    for label in ("fleet", "fix", "bug"):
        server.ask("POST", "/labels", name=label, color="ff0000")
    given = config(server, tmp_path, port)
    missed = server.open("While nobody listened", "fleet")
    async with FleetManager(given, directory=tmp_path, state_dir=tmp_path / "state", socket=tmp_path / "engine.sock") as fleet:
        await until(lambda: server.comments(missed))
        hooked = {"url": f"http://127.0.0.1:{port}/github/webhook", "secret": SECRET, "content_type": "json"}
        server.ask("POST", "/hooks", config=hooked, events=["issues", "pull_request"])
        plain, told, fixed = server.open("No label", "bug"), server.open("Told"), server.open("Fix it")
        server.ask("POST", f"/issues/{told}/labels", labels=["fleet"])
        server.ask("POST", f"/issues/{fixed}/labels", labels=["fix"])
        server.ask("PATCH", f"/issues/{told}", title="Told again")
        await until(lambda: server.comments(told) and server.pulls())
        tasks = {task.spec.payload["number"]: task for task in fleet.coordinator.state.tasks.values()}
        assert {number: (task.spec.pool, task.spec.type) for number, task in tasks.items()} == {
            number: (pool, "github.issue") for number, pool in ((missed, "talk"), (told, "talk"), (fixed, "fixer"))
        }
        [comment] = server.comments(told)
        assert f"Issue #{told} of {NAME} by octo: Told" in comment
        assert f"<!-- fleet-tui result {tasks[told].spec.id} -->" in comment
        check_pull(server, fixed, tasks[fixed].spec.id, origin)
        await until(lambda: {one["status_code"] for one in server.ask("GET", "/hooks/1/deliveries")} == {200, 202})
    async with FleetManager(given, directory=tmp_path, state_dir=tmp_path / "state", socket=tmp_path / "engine.sock") as fleet:
        again = server.open("After a restart")
        server.ask("POST", f"/issues/{again}/labels", labels=["fleet"])
        await until(lambda: server.comments(again))
        assert len(fleet.coordinator.state.tasks) == 4
    assert [len(server.comments(number)) for number in (missed, told, fixed, plain, again)] == [1, 1, 0, 0, 1]
    assert len(server.pulls()) == 1
