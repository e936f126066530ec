"""A GitHub on loopback, as far as the engine speaks with it: issues, comments, pull requests, ETags, rate limits, signed webhooks.

It keeps GitHub's rules: 401 without the token, 304 for a known ETag, 422 for a second pull request of a branch, pages, `since`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "ghp_" + "a" * 36
REPOSITORY = "octo/fleet"
CUT = "cut"
"""In place of an answer: the request is carried out, and the connection ends without one."""


class GitHubServer:
    """One repository with what is in it."""

    def __init__(self) -> None:
        self.issues: list[dict[str, Any]] = []
        self.comments: dict[int, list[dict[str, Any]]] = {}
        self.pulls: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str, int]] = []
        """Method, path and status of every request."""
        self.troubles: deque[tuple[str, Any]] = deque()
        """For the next requests whose method and path begin so: (status, headers, data), or CUT."""
        self.stall = ""
        """What is made at a path with this end is made, and never answered."""
        self.url = ""
        self._server: asyncio.Server | None = None

    # ---- what people do

    def open(self, title: str, *labels: str, body: str = "", is_pull: bool = False) -> int:
        """Open an issue or a pull request; return its number."""
        number = len(self.issues) + 1
        issue: dict[str, Any] = {
            "node_id": f"I_{number:06}", "number": number, "title": title, "body": body, "state": "open", "user": {"login": "ada"}, "updated_at": self._now(),
            "labels": [{"name": label} for label in labels], "html_url": f"https://github.example/{REPOSITORY}/issues/{number}",
        }  # fmt: skip
        if is_pull:
            issue["pull_request"] = {"url": f"{self.url}/repos/{REPOSITORY}/pulls/{number}"}
        self.issues.append(issue)
        self.comments[number] = []
        return number

    def event(self, number: int, action: str = "labeled", **other: Any) -> dict[str, Any]:
        """Return what a webhook says of an issue."""
        return {"action": action, "issue": self.issues[number - 1], "repository": {"full_name": REPOSITORY}, **other}

    def signed(self, secret: str, event: str, delivery: str, payload: Any) -> tuple[dict[str, str], bytes]:
        """Return headers and body of a delivery."""
        body = json.dumps(payload).encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return {"X-GitHub-Event": event, "X-GitHub-Delivery": delivery, "X-Hub-Signature-256": f"sha256={signature}"}, body

    def count(self, method: str, end: str) -> int:
        """Return how many requests of a method went to paths that end so."""
        return sum(one == method and path.endswith(end) for one, path, _ in self.asked)

    # ---- the API

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], Any]:
        """Answer one request."""
        if headers.get("authorization") not in (f"token {TOKEN}", f"Bearer {TOKEN}"):
            return 401, {}, {"message": "Bad credentials"}
        parts, query = urlsplit(target).path.strip("/").split("/"), {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
        if "/".join(parts[1:3]).lower() != REPOSITORY:
            return 404, {}, {"message": "Not Found"}
        data = json.loads(body) if body else {}
        match (method, parts[3:]):
            case ("GET", []):
                return 200, {}, {"full_name": REPOSITORY, "default_branch": "main"}
            case ("GET", ["issues"]):
                return self._listed([one for one in reversed(self.issues) if one["state"] == "open" and query["labels"] in [label["name"] for label in one["labels"]]], query, headers)
            case ("GET", ["issues", number, "comments"]):
                return self._listed([one for one in self.comments[int(number)] if one["updated_at"] >= query.get("since", "")], query, headers)
            case ("POST", ["issues", number, "comments"]):
                made = {"body": data["body"], "updated_at": self._now(), "html_url": f"https://github.example/c/{len(self.comments[int(number)]) + 1}"}
                self.comments[int(number)].append(made)
                return 201, {}, made
            case ("GET", ["pulls"]):
                return self._listed([one for one in self.pulls if one["head"]["label"] == query["head"]], query, headers)
            case ("POST", ["pulls"]):
                if any(one["head"]["ref"] == data["head"] for one in self.pulls):
                    return 422, {}, {"message": "Validation Failed", "errors": [{"message": "A pull request already exists"}]}
                head = {"ref": data["head"], "label": f"{REPOSITORY.partition('/')[0]}:{data['head']}"}
                self.pulls.append({**data, "head": head, "base": {"ref": data["base"]}, "html_url": f"https://github.example/{REPOSITORY}/pull/{100 + len(self.pulls)}"})
                return 201, {}, self.pulls[-1]
        return 404, {}, {"message": "Not Found"}

    def _listed(self, rows: list[dict[str, Any]], query: dict[str, str], headers: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
        shown = rows[size * (page - 1) : size * page]
        etag = f'W/"{hashlib.sha256(json.dumps(shown).encode()).hexdigest()}"'
        if headers.get("if-none-match") == etag:
            return 304, {"ETag": etag}, None
        return 200, {"ETag": etag}, shown

    @staticmethod
    def _now() -> str:
        return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    # ---- HTTP

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode("latin-1").strip().split("\r\n")
                method, target, _ = first.split(" ")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                wanted = f"{method} {urlsplit(target).path}"
                trouble = self.troubles.popleft()[1] if self.troubles and wanted.startswith(self.troubles[0][0]) else None
                answered = trouble if isinstance(trouble, tuple) else self.answer(method, target, headers, body)
                self.asked.append((method, urlsplit(target).path, 0 if trouble == CUT else answered[0]))
                if trouble == CUT:
                    break
                if method == "POST" and self.stall and target.endswith(self.stall):
                    await reader.read()  # until the client is gone
                    break
                status, more, data = answered
                content = b"" if data is None else json.dumps(data).encode()
                told = {"Content-Type": "application/json; charset=utf-8", "Content-Length": str(len(content)), **more}
                lines = [f"HTTP/1.1 {status} Told", *(f"{name}: {value}" for name, value in told.items())]
                writer.write("\r\n".join([*lines, "", ""]).encode() + content)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def github() -> AsyncIterator[GitHubServer]:
    """Have a GitHub for a while."""
    server = GitHubServer()
    listening = await asyncio.start_server(server._serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()
