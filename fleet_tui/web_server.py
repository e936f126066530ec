"""The server behind `fleet-tui web`: who is let in, the page, and textual-serve's socket. Imported by it alone.

Owner: the application owns its open sockets, each with the console that it started; they end with it.
"""

from __future__ import annotations

import asyncio
import html
import logging
from pathlib import Path
from typing import Final

import textual_serve
from aiohttp import web
from aiohttp.typedefs import Middleware
from textual_serve.server import Server

from fleet_tui.web import (
    CLOSED_BY_LIMIT,
    PAGE,
    POLICY,
    Handler,
    Site,
    has_token,
    is_from_us,
    is_let_in,
)

STATIC: Final = Path(textual_serve.__file__).parent / "static"
FONT_SIZES: Final = range(8, 41)
FONT_SIZE: Final = 15
LOCKED: Final = "open the address that `fleet-tui web` printed: it carries the token\n"
log = logging.getLogger(__name__)


def make_site(site: Site, command: str) -> web.Application:
    """Return the application that serves the console that a command opens."""
    return _Consoles(site, command).application()


class _Consoles(Server):
    def __init__(self, site: Site, command: str) -> None:
        super().__init__(command, host=site.host, port=site.port, title="fleet-tui")
        self._site = site
        self._open: set[asyncio.Task[object]] = set()
        """Who answers for each open socket."""

    def application(self) -> web.Application:
        """Return its routes behind the lock."""
        application = web.Application(middlewares=[self._lock()])
        application.add_routes(
            [
                web.get("/", self.show_page),
                web.get("/ws", self.handle_websocket),
                web.get("/download/{key}", self.handle_download),
                web.static("/page", PAGE),
                web.static("/static", STATIC),
            ]
        )
        application.on_shutdown.append(self._end_all)
        return application

    async def _end_all(self, _application: web.Application) -> None:
        """End every console, as when its page is closed."""
        for one in self._open:
            one.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _lock(self) -> Middleware:
        @web.middleware
        async def lock(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path == "/" and has_token(self._site, request.query):
                return self._let_in(request)
            if not is_let_in(self._site, request):
                return web.Response(status=403, text=LOCKED)
            if request.path == "/ws" and not is_from_us(self._site, request):
                log.warning("a socket was refused: asked for by a page of %s", request.headers.get("Origin", "no origin"))
                return web.Response(status=403, text="the page that asks is not ours\n")
            return await handler(request)

        return lock

    def _let_in(self, request: web.Request) -> web.Response:
        """Keep the token as a cookie, out of the address and so out of histories."""
        rest = request.rel_url.query.copy()
        rest.popall("token")
        answer = web.HTTPSeeOther(str(request.rel_url.with_query(rest)))
        is_encrypted = self._site.origin(request).startswith("https")
        answer.set_cookie(self._site.cookie, self._site.token, httponly=True, samesite="Lax", secure=is_encrypted, path="/")
        return answer

    async def show_page(self, request: web.Request) -> web.Response:
        """Show the page with the terminal."""
        wished = request.query.get("fontsize", "")
        size = int(wished) if wished.isdecimal() and int(wished) in FONT_SIZES else FONT_SIZE
        address = self._site.origin(request).replace("http", "ws", 1) + "/ws"
        page = (PAGE / "index.html").read_text("utf-8").replace("{{socket}}", html.escape(address)).replace("{{size}}", str(size))
        headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
        return web.Response(text=page, content_type="text/html", headers=headers)

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Run a console for as long as the page is open; refuse when there are too many."""
        if len(self._open) >= self._site.sessions_max:
            refusal = web.WebSocketResponse()
            await refusal.prepare(request)
            await refusal.close(code=CLOSED_BY_LIMIT, message=b"too many consoles are open")
            return refusal
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            return await super().handle_websocket(request)
        finally:
            self._open.discard(task)
