"""`fleet-tui web`: the console in a browser tab, one process for each tab, on this machine's loopback only.

Textual-serve carries the bytes; its own pages ask a font from another server, so the page is ours. Whoever has the token
in the printed address gets in: it becomes a cookie, and a socket is opened only for a page of the same origin, since any
page that somebody visits could try otherwise.

Owner: the server owns its sessions; leaving it ends their consoles, and never the engine. Limits: `sessions_max` at once.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
import secrets
import shlex
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from engine.model.errors import UsageError

if TYPE_CHECKING:
    from aiohttp import web

PAGE: Final = Path(__file__).parent / "web_page"
SESSIONS_MAX: Final = 16
TOKEN_BYTES: Final = 24
CLOSED_BY_LIMIT: Final = 1013
"""The code of RFC 6455's registry for `try again later`."""
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:;"
    " connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
TERMINAL: Final = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
"""What the page's terminal is, whatever the server was started in."""

Handler = Callable[["web.Request"], Awaitable["web.StreamResponse"]]


@dataclass(frozen=True, slots=True)
class Site:
    """Where a console is served, and to whom."""

    host: str = "127.0.0.1"
    port: int = 8750
    public_url: str = ""
    """What people type where a proxy stands in front; empty = the address itself."""
    sessions_max: int = SESSIONS_MAX
    token: str = field(default_factory=lambda: secrets.token_urlsafe(TOKEN_BYTES), repr=False)

    def check(self) -> None:
        """Raise UsageError for an address that others could reach without encryption."""
        try:
            is_near = self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            is_near = False
        if not is_near:
            raise UsageError(
                f"--host {self.host}: the console is served on this machine's loopback only (127.0.0.1, ::1). From another machine"
                f" use `ssh -L {self.port}:127.0.0.1:{self.port} HOST`, or a proxy with TLS in front and --public-url"
            )
        if self.public_url and urlsplit(self.public_url).scheme not in ("http", "https"):
            raise UsageError(f"--public-url {self.public_url}: it begins with https:// (or http://)")

    @property
    def cookie(self) -> str:
        """Return the cookie's name; cookies do not tell ports apart."""
        return f"fleet-tui-{self.port}"

    def origin(self, request: web.Request) -> str:
        """Return the scheme, host and port that the browser sees."""
        if self.public_url:
            parts = urlsplit(self.public_url)
            return f"{parts.scheme}://{parts.netloc}"
        return f"{request.scheme}://{request.host}"

    @property
    def address(self) -> str:
        """Return what is to be opened, with the token."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.public_url.rstrip('/') or f'http://{host}:{self.port}'}/?token={self.token}"


def bind(site: Site) -> socket.socket:
    """Return a socket that listens there. Raises UsageError."""
    family = socket.AF_INET6 if ":" in site.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((site.host, site.port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise UsageError(f"cannot listen on {site.host}:{site.port}: {error.strerror}; choose another --port") from None
    return listener


def serve(site: Site, argv: Sequence[str], tell: Callable[[str], None]) -> None:
    """Serve the console that these words open until SIGINT or SIGTERM. Raises UsageError."""
    site.check()
    try:
        from fleet_tui.web_server import make_site
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("textual_serve", "aiohttp", "aiohttp_jinja2", "jinja2"):
            raise
        raise UsageError(f"`fleet-tui web` needs more packages ({error.name}): install `fleet-tui[web]`") from None
    from aiohttp import web

    os.environ.update(TERMINAL)
    listener = bind(site)
    command = shlex.join([sys.executable, "-m", "fleet_tui", *argv])
    tell(f"open {site.address} in a browser; Ctrl-C ends it, and the consoles with it. The engine goes on")
    web.run_app(make_site(site, command), sock=listener, print=None, access_log=None)


def is_let_in(site: Site, request: web.Request) -> bool:
    """Tell whether a request has the cookie."""
    return hmac.compare_digest(request.cookies.get(site.cookie, "").encode(), site.token.encode())


def is_from_us(site: Site, request: web.Request) -> bool:
    """Tell whether a page of ours asks: browsers say truly which page opens a socket."""
    return request.headers.get("Origin", "") == site.origin(request)


def has_token(site: Site, query: Any) -> bool:  # noqa: ANN401  # a multidict
    """Tell whether an address carries the token."""
    return hmac.compare_digest(str(query.get("token", "")).encode(), site.token.encode())
