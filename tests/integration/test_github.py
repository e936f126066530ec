"""Issues become tasks and results are posted, by a real engine and a GitHub on loopback that keeps GitHub's rules."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine import FleetManager
from engine.config import parse_config
from engine.github.forge import Forge, ForgeError, LimitedError
from engine.github.hook import is_signed
from engine.github.ledger import Ledger, failures_in
from engine.model.errors import ConfigError
from engine.model.github_config import GitHubSection
from engine.model.ids import TaskId

from tests.integration.engines import engine
from tests.integration.github_server import CUT, REPOSITORY, TOKEN, GitHubServer, github
from tests.integration.words import run_words

SECRET = "a secret of the webhook"
KEY = "AKIA" + "ABCDEFGHIJKLMNOP"


def config(server: GitHubServer, tokens: Path, **more: Any) -> dict[str, Any]:
    """A fleet that takes in the issues of the repository."""
    tokens.mkdir(exist_ok=True)
    (tokens.parent / "state").mkdir(exist_ok=True)
    (tokens / "token").write_text(TOKEN + "\n")
    (tokens / "secret").write_text(SECRET)
    cat = {"kind": "command", "min": 1, "max": 1, "command": {"argv": ["cat"]}}
    fix = {"argv": ["sh", "-c", "echo fixed > fix.txt; echo I fixed it"]}
    return {
        "fleet": {"default_pools": False, "workers": 1},
        "pools": {"talk": cat, "fixer": {**cat, "command": fix, "workspace": "worktree", "worktree": {"repository": str(tokens.parent / "clone")}}},
        "github": {
            "api_url": server.url, "token_file": str(tokens / "token"), "poll_s": 1,
            "repositories": [{"name": REPOSITORY, "labels": {"fleet": "talk", "fix": "fixer"}, "result": "pull_request"}], **more,
        },
    }  # fmt: skip


def git(*words: str, at: Path) -> str:
    return subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *words], cwd=at, check=True, capture_output=True, text=True).stdout.strip()


def clone(folder: Path) -> Path:
    """Make a repository, and a clone of it; return the repository."""
    origin = folder / "origin.git"
    git("init", "-q", "--bare", "-b", "main", str(origin), at=folder)
    git("clone", "-q", str(origin), "clone", at=folder)
    git("checkout", "-q", "-b", "main", at=folder / "clone")
    git("commit", "-q", "--allow-empty", "-m", "First", at=folder / "clone")
    git("push", "-q", "origin", "main", at=folder / "clone")
    return origin


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.mark.row(28)
async def test_issues_become_tasks_once_and_results_comments_and_pull_requests(tmp_path: Path) -> None:
    origin = clone(tmp_path)
    async with github() as server:
        first, second, third = server.open("Explain it", "bug", "fleet", body=f"why?\n{KEY}"), server.open("Fix it", "fix"), server.open("Leave it", "bug")
        pull = server.open("Review it", "Fleet", "fleet", is_pull=True)
        given = config(server, tmp_path / "tokens")
        async with FleetManager(given, directory=tmp_path, state_dir=tmp_path / "state") as fleet:
            await until(lambda: server.comments[first] and server.comments[pull] and server.pulls)
            tasks = {task.spec.payload["number"]: task for task in fleet.coordinator.state.tasks.values()}
            assert set(tasks) == {first, second, pull}
            assert {number: task.spec.type for number, task in tasks.items()} == {first: "github.issue", second: "github.issue", pull: "github.pull_request"}
            assert (tasks[first].spec.pool, tasks[second].spec.pool, tasks[first].spec.submitted_by) == ("talk", "fixer", "github")
            [comment] = server.comments[first]
            assert "Issue #1 of octo/fleet by ada: Explain it" in comment["body"] and "why?" in comment["body"]
            assert KEY not in comment["body"] and f"<!-- fleet-tui result {tasks[first].spec.id} -->" in comment["body"]
            [made] = server.pulls
            assert (made["title"], made["base"]["ref"], made["head"]["ref"]) == ("Fix it (#2)", "main", f"fleet/{tasks[second].spec.id}")
            assert f"Closes #{second}" in made["body"] and "I fixed it" in made["body"]
            assert git("show", f"{made['head']['ref']}:fix.txt", at=origin) == "fixed"
            assert not server.comments[second] and not server.comments[third]
            later = server.open("Another", "fleet")
            await until(lambda: server.comments[later])
            looks = len(server.asked)
            await until(lambda: [status for _, path, status in server.asked[looks:] if path.endswith("/issues")].count(304) >= 2)
        asked = len(server.asked)
        async with FleetManager(given, directory=tmp_path, state_dir=tmp_path / "state") as fleet:
            await until(lambda: [path for _, path, _ in server.asked[asked:]].count(f"/repos/{REPOSITORY}/issues") >= 2)
            assert len(fleet.coordinator.state.tasks) == 4, "what was taken in is known after a restart"
        assert server.count("POST", "/comments") == 3 and server.count("POST", "/pulls") == 1
    kept = b"".join(path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file())
    assert TOKEN.encode() not in kept, "the token is kept nowhere"


async def test_what_strangers_and_agents_tell_of_keys_is_kept_and_pushed_nowhere(tmp_path: Path) -> None:
    origin = clone(tmp_path)
    async with github() as server:
        asked = server.open(f"Explain {KEY}", "fleet", body=f"It says\npassword = 'hunter2hunter2'\n{KEY}, why?")
        leaks, quiet = server.open("Leak it", "leak"), server.open(f"Take {KEY} out", "fix")
        given = config(server, tmp_path / "tokens")
        (tmp_path / "key").write_text(KEY)
        write = f"k=$(cat {tmp_path}/key); echo $k > key.txt; git add -A; git -c user.name=a -c user.email=a commit -qm \"Add $k\"; git rm -q key.txt; echo out > a.txt; echo it is $k"
        leak = {**given["pools"]["fixer"], "command": {"argv": ["sh", "-c", write]}}
        leak["worktree"] = {**leak["worktree"], "branch_prefix": "fleet/{title}-"}
        given["pools"] |= {"leaker": leak, "fixer": {**given["pools"]["fixer"], "worktree": leak["worktree"]}}
        given["github"]["repositories"][0]["labels"]["leak"] = "leaker"
        async with FleetManager(given, directory=tmp_path, state_dir=tmp_path / "state") as fleet:
            await until(lambda: server.comments[asked] and server.comments[leaks] and server.pulls)
            tasks = {task.spec.payload["number"]: task for task in fleet.coordinator.state.tasks.values()}
            assert (tasks[asked].spec.payload["title"], tasks[asked].spec.payload["body"]) == ("Explain [hidden]", "It says\npassword = '[hidden]'\n[hidden], why?")
            [told] = server.comments[leaks]
            assert "is not pushed: what looks like a key is in the message of " in told["body"] and ", key.txt. Look at it" in told["body"] and "it is [hidden]" in told["body"]
            [made] = server.pulls
            assert (made["title"], made["head"]["ref"]) == (f"Take [hidden] out (#{quiet})", f"fleet/octo-fleet-3-take-hidden-out-{tasks[quiet].spec.id}")
        assert KEY not in json.dumps([server.comments, server.pulls])
    assert not git("branch", "--list", "fleet/*leak*", at=origin)
    assert KEY not in git("log", "--all", "-p", at=origin)
    kept = b"".join(path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file())
    assert KEY.encode() not in kept


async def test_a_result_is_posted_once_though_the_engine_is_killed_before_it_knows(tmp_path: Path) -> None:
    async with github() as server:
        number = server.open("Explain it", "fleet")
        server.stall = f"/issues/{number}/comments"
        given = config(server, tmp_path / "tokens")
        toml = "\n".join([
            "[fleet]", "default_pools = false", "workers = 1", "[pools.talk]", 'kind = "command"', "min = 1", "max = 1", "[pools.talk.command]", 'argv = ["cat"]',
            "[github]", f"api_url = {json.dumps(server.url)}", f"token_file = {json.dumps(given['github']['token_file'])}", "poll_s = 1", "[[github.repositories]]",
            f"name = {json.dumps(REPOSITORY)}", 'labels = { fleet = "talk" }',
        ])  # fmt: skip
        context = engine(tmp_path, toml)
        subject = await asyncio.to_thread(context.__enter__)
        try:
            await until(lambda: server.comments[number])
            await asyncio.to_thread(subject.kill)
            server.stall = ""
            looks = server.count("GET", "/comments")
            await asyncio.to_thread(subject.start)
            await until(lambda: server.count("GET", "/comments") > looks)
            later = server.open("Another", "fleet")
            await until(lambda: server.comments[later])
        finally:
            await asyncio.to_thread(context.__exit__, None, None, None)
        assert len(server.comments[number]) == 1, "what the killed engine posted was found"


# ---- the webhook


async def told(socket: Path, method: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
    """Send a request to the engine, as a proxy does, without a token; return status and body."""
    reader, writer = await asyncio.open_unix_connection(str(socket))
    lines = [f"{method} /github/webhook HTTP/1.1", "Host: fleet", f"Content-Length: {len(body)}", "Connection: close", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    answer = (await reader.read()).decode()
    writer.close()
    return int(answer.split()[1]), answer.partition("\r\n\r\n")[2]


async def test_the_webhook_believes_what_is_signed_and_hears_it_once(tmp_path: Path) -> None:
    socket = tmp_path / "run" / "engine.sock"
    socket.parent.mkdir(mode=0o700)
    async with github() as server:
        missed = server.open("While nobody listened", "fleet")
        given = config(server, tmp_path / "tokens", webhook_secret_file=str(tmp_path / "tokens" / "secret"))
        async with FleetManager(given, directory=tmp_path, state_dir=tmp_path / "state", socket=socket) as fleet:
            await until(lambda: server.comments[missed])
            number, plain = server.open("Told", "fleet"), server.open("No label", "bug")

            async def send(event: str, delivery: str, payload: Any, secret: str = SECRET, method: str = "POST") -> tuple[int, str]:
                return await told(socket, method, *server.signed(secret, event, delivery, payload))

            assert (await send("issues", "d-0000001", server.event(number), secret="another"))[0] == 401
            headers, body = server.signed(SECRET, "issues", "d-0000001", server.event(number))
            assert (await told(socket, "POST", headers, body.replace(b"Told", b"Tell")))[0] == 401, "another body than the one that was signed"
            assert (await told(socket, "POST", {**headers, "X-Hub-Signature-256": "sha256=é"}, body))[0] == 401
            assert (await told(socket, "POST", {}, b""))[0] == 401
            assert (await send("ping", "d-0000002", {"zen": "x"}))[0] == 200
            status, said = await told(socket, "POST", headers, body)
            assert (status, said.split()[0]) == (200, "task"), said
            assert (await told(socket, "POST", headers, body))[0] == 409, "the same delivery again"
            assert (await send("issues", "d-0000003", server.event(number)))[0] == 202, "it is a task already"
            assert (await send("issues", "d-0000004", server.event(plain)))[0] == 202
            assert (await send("issues", "d-0000005", server.event(number, repository={"full_name": "somebody/else"})))[0] == 202
            assert (await send("star", "d-0000006", {}))[0] == 202
            for index, nonsense in enumerate((None, [], {"issue": 3}, server.event(number, issue={"number": "x"}))):
                assert (await send("issues", f"d-100000{index}", nonsense))[0] == 400, nonsense
            assert (await send("issues", "no name", server.event(number)))[0] == 400
            assert (await send("issues", "d-0000007", server.event(number), method="GET"))[0] == 405
            await until(lambda: server.comments[number])
            assert len(fleet.coordinator.state.tasks) == 2
            assert not server.comments[plain]


def test_signatures_are_githubs() -> None:
    # The example of GitHub's own documentation.
    given = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert is_signed("It's a Secret to Everybody", b"Hello, World!", given)
    assert not is_signed("It's a Secret to Everybody", b"Hello, World?", given)
    assert not is_signed("It's a Secret to Everybody", b"Hello, World!", given.removeprefix("sha256="))
    assert not is_signed("It's a Secret to Everybody", b"Hello, World!", "")


# ---- limits and troubles


class MovedClock:
    """Time that a test moves."""

    at = 1_000.0

    def now(self) -> float:
        return self.at


async def test_nothing_is_asked_before_github_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", TOKEN)
    path = f"repos/{REPOSITORY}"
    async with github() as server:
        clock = MovedClock()
        section = GitHubSection.model_validate({"api_url": server.url, "token_env": "A_TOKEN", "repositories": [{"name": REPOSITORY, "labels": {"a": "b"}}]})
        forge = Forge(section, clock)  # type: ignore[arg-type]
        limits: list[tuple[int, dict[str, str], dict[str, str], tuple[float, float]]] = [
            (403, {"Retry-After": "30"}, {"message": "You have exceeded a secondary rate limit"}, (30, 30)),
            (429, {"Retry-After": "7"}, {"message": "Too many"}, (7, 7)),
            (429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, {"message": "Too many"}, (60, 60)),
            (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 3_000)}, {"message": "API rate limit exceeded"}, (2_000, 3_000)),
        ]
        for status, headers, data, (least, most) in limits:
            server.troubles.append(("GET", (status, headers, data)))
            with pytest.raises(LimitedError) as limited:
                await forge.get(path)
            assert least <= limited.value.until - clock.at <= most
            asked = len(server.asked)
            with pytest.raises(LimitedError):
                await forge.get(path)
            assert len(server.asked) == asked, "it was left alone"
            clock.at = limited.value.until
            assert (await forge.get(path)).data["default_branch"] == "main"
        server.troubles.append(("GET", (403, {}, {"message": "Resource not accessible by personal access token"})))
        with pytest.raises(ForgeError, match="GitHub answered 403, Resource not accessible") as refused:
            await forge.get(path)
        assert not isinstance(refused.value, LimitedError), "no rights is no limit"
        server.troubles.append(("GET", CUT))
        with pytest.raises(ForgeError, match="GitHub cannot be reached"):
            await forge.get(path)
        monkeypatch.setenv("A_TOKEN", "ghp_" + "b" * 36)
        with pytest.raises(ForgeError, match="Bad credentials") as denied:
            await forge.get(path)
        assert "ghp_" not in str(denied.value)
        monkeypatch.delenv("A_TOKEN")
        with pytest.raises(ConfigError, match="the variable A_TOKEN holds no token"):
            await forge.get(path)


@pytest.mark.parametrize(("given", "told"), [
    ({"repositories": []}, "repositories"),
    ({"repositories": [{"name": "nothing", "labels": {"a": "b"}}]}, "repositories.0.name"),
    ({"repositories": [{"name": "a/b", "labels": {"a": "b"}}, {"name": "A/b", "labels": {"c": "b"}}]}, "a/b is there twice"),
    ({"repositories": [{"name": "a/b", "labels": {"a": "b"}}], "token_env": "ENCRYPTION_KEY"}, "the engine's own"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        parse_config({"github": given}, "test")


def test_what_has_no_effect_is_said() -> None:
    given = {"webhook_secret_env": "S", "repositories": [{"name": "a/b", "labels": {"x": "nobody"}}]}
    notices = " ".join(parse_config({"github": given}, "test").notices())
    assert "gives 'x' to the pool 'nobody', which there is not" in notices and "access.port, which is 0" in notices


def test_the_doctor_says_what_is_missing_and_which_results_wait(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "xdg"), "XDG_RUNTIME_DIR": str(tmp_path)}
    section = '[github]\ntoken_file = "token"\n[[github.repositories]]\nname = "octo/fleet"\nlabels = { fleet = "coder" }\n'
    (tmp_path / "fleet.toml").write_text(section.replace('"token"', json.dumps(str(tmp_path / "token"))))
    assert "token cannot be read: No such file or directory; write token into it" in run_words(["-C", str(tmp_path), "doctor"], environment).stdout
    (tmp_path / "token").write_text(TOKEN)
    [state] = [path for path in (tmp_path / "xdg" / "fleet-tui").iterdir() if path.is_dir()]
    ledger = Ledger(state)
    for _ in range(2):
        ledger.fail("tsk_1", "GitHub answered 403, no", 5.0)
    ledger.close()
    said = run_words(["-C", str(tmp_path), "doctor"], environment).stdout
    assert "octo/fleet; looked at every 60 s" in said
    assert "the result of tsk_1 waits: GitHub answered 403, no (2 tries)" in said
    assert TOKEN not in said


async def test_what_cannot_be_posted_is_tried_again_and_a_torn_ledger_stops_nothing(tmp_path: Path) -> None:
    async with github() as server:
        number = server.open("Explain it", "fleet")
        server.troubles.append((f"POST /repos/{REPOSITORY}/issues/{number}/comments", (500, {}, {"message": "Server Error"})))
        given = config(server, tmp_path / "tokens")
        async with FleetManager(given, directory=tmp_path, state_dir=tmp_path / "state") as fleet:
            await until(lambda: failures_in(tmp_path / "state"))
            [(task, why, times)] = failures_in(tmp_path / "state")
            assert (why, times) == ("GitHub answered 500, Server Error", 1)
            part = fleet.github
            assert part is not None and not server.comments[number]
            part._tries[TaskId(task)] = (1, 0.0)  # its time has come
            await until(lambda: server.comments[number] and not failures_in(tmp_path / "state"))
            part._ledger._connection.execute("DROP TABLE posted")
            part._note([fleet.coordinator.state.tasks[TaskId(task)]])
            await until(lambda: part._tries)
            assert (await fleet.operator().query("status")).tasks, "the fleet runs on"  # type: ignore[attr-defined]
