"""A real headless Chromium for tests, driven by its own debugging protocol over a socket.

Owner: `Browser` owns its process, its profile and its connection; they end with its context.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyte
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.integration.engines import until
from tests.tools.programs import Missing, Program, find_program

WAIT_S = 60.0
ANSWER_S = 30.0
LOOK_S = 0.1
TEXT, BINARY = 1, 2
"""Opcodes of a socket's frames."""
KEYS = {"\r": ("Enter", 13), "\x1b": ("Escape", 27), "\t": ("Tab", 9)}


def need_chromium() -> Program:
    """Return Chromium, or skip: README says when."""
    try:
        # Its launcher in usr/bin would go by the machine's folders.
        program = find_program(("chromium", "google-chrome", "chrome"), ("chromium",))
    except Missing as missing:
        pytest.skip(f"no Chromium: {missing}")
    own = program.root / "usr/lib/chromium/chromium"
    return Program(own, program.root, program.environment) if own.exists() else program


class Browser:
    """One browser with one page."""

    def __init__(self, folder: Path, *, width: int = 1200, height: int = 800) -> None:
        self._folder = folder
        self._open = contextlib.ExitStack()
        self._size = f"--window-size={width},{height}"
        self._number = 0
        self.requests: list[str] = []
        """Addresses that pages asked for."""
        self.console: list[str] = []
        """What pages complained about."""
        self.terminal = pyte.Screen(80, 24)
        """What the page's terminal was sent: it draws on a canvas, of which no text can be read."""
        self._bytes = pyte.ByteStream(self.terminal)

    def __enter__(self) -> Browser:
        program = need_chromium()
        profile = Path(self._open.enter_context(tempfile.TemporaryDirectory(dir=self._folder, ignore_cleanup_errors=True)))
        argv = [
            program.path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
            f"--user-data-dir={profile}", self._size, "--remote-debugging-port=0", "about:blank",
        ]  # fmt: skip
        environment = os.environ | {"HOME": str(profile)} | program.environment
        self._process = subprocess.Popen(
            argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, start_new_session=True
        )
        self._open.callback(self._kill)
        try:
            told = profile / "DevToolsActivePort"
            until(lambda: told.exists() and len(told.read_text().splitlines()) == 2)
            port, path = told.read_text().splitlines()
            self._line: ClientConnection = self._open.enter_context(connect(f"ws://127.0.0.1:{port}{path}", max_size=None, proxy=None))
            self._session = ""
            target = self.ask("Target.createTarget", url="about:blank")["targetId"]
            self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Network", "Log"):
                self.ask(f"{domain}.enable")
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    # ---- what it is told

    def ask(self, method: str, **parameters: object) -> dict[str, Any]:
        """Carry out a method of the protocol and return its result."""
        self._number += 1
        session = {"sessionId": self._session} if self._session else {}
        self._line.send(json.dumps({"id": self._number, "method": method, "params": parameters} | session))
        while True:
            message = self._receive(ANSWER_S)
            if message.get("id") == self._number:
                assert "error" not in message, (method, message["error"])
                return dict(message["result"])

    def _receive(self, timeout_s: float) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._line.recv(timeout_s))
        parameters = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])
            case "Network.webSocketCreated":
                self.requests.append(parameters["url"])
                wanted = parse_qs(urlsplit(parameters["url"]).query)
                self._begin(int(wanted["width"][0]), int(wanted["height"][0]))
            case "Network.webSocketFrameSent":
                self._resize(parameters["response"])
            case "Network.webSocketFrameReceived" if parameters["response"]["opcode"] == BINARY:
                self._bytes.feed(base64.b64decode(parameters["response"]["payloadData"]))
            case "Log.entryAdded":
                self.console.append(parameters["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.console.append(str(parameters["exceptionDetails"]))
        return message

    def open(self, address: str) -> None:
        """Go to an address."""
        self.ask("Page.navigate", url=address)

    def run(self, script: str) -> Any:  # noqa: ANN401  # whatever the script gives
        """Return what a script gives."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, text: str) -> None:
        """Type characters; control characters are the keys that they come from."""
        for letter in text:
            name, code = KEYS.get(letter, (letter, 0))
            typed = "" if letter == "\x1b" else letter
            self.ask("Input.dispatchKeyEvent", type="keyDown", key=name, text=typed, windowsVirtualKeyCode=code)
            self.ask("Input.dispatchKeyEvent", type="keyUp", key=name, windowsVirtualKeyCode=code)

    def resize(self, width: int, height: int) -> None:
        """Give the page another size."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def picture(self) -> bytes:
        """Return what the page shows, as PNG."""
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])

    # ---- what it shows

    def _begin(self, columns: int, rows: int) -> None:
        self.terminal = pyte.Screen(columns, rows)
        self._bytes = pyte.ByteStream(self.terminal)

    def _resize(self, frame: dict[str, Any]) -> None:
        if frame["opcode"] == TEXT and (sent := json.loads(frame["payloadData"]))[0] == "resize":
            self.terminal.resize(sent[1]["height"], sent[1]["width"])

    @property
    def text(self) -> str:
        """Return the lines of the terminal."""
        return "\n".join(line.rstrip() for line in self.terminal.display)

    @property
    def page(self) -> str:
        """Return what can be read around the terminal."""
        return str(self.run("document.body?.innerText ?? ''"))

    def wait(self, condition: Callable[[], Any]) -> None:
        """Wait for something about the page."""
        end = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < end, f"waited in vain; the page shows:\n{self.page}\n{self.text}\n{self.console}"
            with contextlib.suppress(TimeoutError):
                self._receive(LOOK_S)

    def wait_text(self, text: str) -> None:
        """Wait until the terminal shows a text."""
        self.wait(lambda: text in self.text)
