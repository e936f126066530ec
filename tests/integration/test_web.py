"""`fleet-tui web` in a real browser: the console works in a tab, nobody else gets in, and nothing is asked of other servers."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.integration.browser import Browser
from tests.integration.engines import EngineProcess, engine, until
from tests.integration.ports import free_port

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.timeout(180)]
HARMLESS = "Automatic fallback to software WebGL"


class Site:
    """A server of consoles that runs."""

    def __init__(self, address: str, process: subprocess.Popen[str]) -> None:
        self.address = address
        self.process = process
        self.port = urlsplit(address).port or 0

    def ask(self, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
        """Return the status, headers and body of an answer."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(line):
            line.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            answer = line.getresponse()
            return answer.status, dict(answer.getheaders()), "" if answer.status == 101 else answer.read().decode()

    def cookie(self) -> str:
        """Return the cookie that the printed address gives."""
        return self.ask(self.address.partition(str(self.port))[2])[1]["Set-Cookie"].partition(";")[0]


@contextlib.contextmanager
def serving(subject: EngineProcess, *words: str, before: Sequence[str] = ()) -> Iterator[Site]:
    process = subprocess.Popen(
        [*subject.command(*before, "web", "--port", str(free_port())), *words], env=subject.environment, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        told = process.stderr.readline()
        found = re.search(r"http\S+", told)
        assert found, told
        yield Site(found[0], process)
    finally:
        process.terminate()
        try:
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    with engine(tmp_path_factory.mktemp("web")) as process:
        yield process


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with Browser(tmp_path) as browser:
        yield browser


def consoles_of(site: Site) -> list[int]:
    """Return the processes that the server has started."""
    children = Path(f"/proc/{site.process.pid}/task/{site.process.pid}/children").read_text().split()
    return [int(pid) for pid in children]


def test_a_tab_is_a_console_without_any_other_server(subject: EngineProcess, browser: Browser) -> None:
    with serving(subject) as site:
        browser.open(site.address)
        browser.wait_text("LIVE")
        browser.press(":pools\r")
        browser.wait_text("17 pools")
        browser.press(":scale tester +1\r")
        browser.wait_text("enter applies")
        browser.press("\r")
        until(lambda: subject.get("pools", "tester")["size"] == 4)
        browser.resize(700, 500)
        browser.wait(lambda: browser.terminal.columns < 90 and "LIVE" in browser.terminal.display[0])
        own = [f"http://127.0.0.1:{site.port}/", f"ws://127.0.0.1:{site.port}/ws?", "data:,", "blob:"]
        assert [address for address in browser.requests if not address.startswith(tuple(own))] == []
        assert [text for text in browser.console if HARMLESS not in text] == []
        assert "token" not in str(browser.run("window.location.href"))
        # What is drawn is the canvas's affair; that it draws shows in a picture of two screens.
        before = browser.picture()
        browser.press(":tasks\r")
        browser.wait_text("no tasks yet")
        assert browser.picture() != before


def test_leaving_ends_the_console_and_not_the_engine(subject: EngineProcess, browser: Browser) -> None:
    with serving(subject) as site:
        browser.open(site.address)
        browser.wait_text("LIVE")
        [console] = consoles_of(site)
        browser.press("q")
        browser.wait(lambda: "This console has ended" in browser.page)
        until(lambda: not Path(f"/proc/{console}").exists())
        browser.run("document.getElementById('again').click()")
        browser.wait_text("LIVE")
        # A tab that is closed says nothing.
        browser.open("about:blank")
        until(lambda: not consoles_of(site))
    assert subject.get("status")["version"]


def test_no_more_consoles_than_allowed(subject: EngineProcess, browser: Browser, tmp_path: Path) -> None:
    with serving(subject, "--sessions", "1") as site:
        browser.open(site.address)
        browser.wait_text("LIVE")
        with Browser(tmp_path) as other:
            other.open(site.address)
            other.wait(lambda: "This console has ended" in str(other.page))
        assert len(consoles_of(site)) == 1


def test_a_read_only_page_changes_nothing(subject: EngineProcess, browser: Browser) -> None:
    with serving(subject, before=["--read-only"]) as site:
        browser.open(site.address)
        browser.wait_text("RO")
        browser.press(":pools\r")
        browser.wait_text("17 pools")
        browser.press("s")
        browser.wait_text("this connection is read-only")


def test_nobody_gets_in_without_the_token(subject: EngineProcess) -> None:
    with serving(subject) as site:
        for path in ("/", "/?token=wrong", "/?token=", "/static/js/textual.js", "/download/x", "/../etc/passwd"):
            status, _, body = site.ask(path)
            assert (status, "printed" in body) == (403, True), path
        status, headers, _ = site.ask(site.address.partition(str(site.port))[2])
        assert status == 303
        assert headers["Location"] == "/"
        assert {"HttpOnly", "SameSite=Lax"} <= set(headers["Set-Cookie"].split("; "))
        status, headers, page = site.ask("/", Cookie=site.cookie())
        assert status == 200
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "https://" not in page


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://localhost:1"])
def test_no_other_page_opens_a_socket(subject: EngineProcess, origin: str) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
    with serving(subject) as site:
        here = f"http://127.0.0.1:{site.port}"
        assert site.ask("/ws", Cookie=site.cookie(), **upgrade, **({"Origin": origin} if origin else {}))[0] == 403
        assert site.ask("/ws", **upgrade, Origin=here)[0] == 403
        assert consoles_of(site) == []
        assert site.ask("/ws", Cookie=site.cookie(), **upgrade, Origin=here)[0] == 101


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--host", "0.0.0.0"], "loopback only"),
        (["--host", "::"], "loopback only"),
        (["--host", "example.org"], "ssh -L"),
        (["--public-url", "example.org"], "begins with https://"),
    ],
)
def test_addresses_that_others_could_reach_are_refused(subject: EngineProcess, words: list[str], says: str) -> None:
    done = subject.run("web", *words)
    assert done.returncode == 2
    assert says in done.stderr


def test_a_port_that_is_taken_is_said(subject: EngineProcess) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = subject.run("web", "--port", str(listener.getsockname()[1]))
    assert done.returncode == 2
    assert f"{os.strerror(98)}; choose another --port" in done.stderr
