"""Texts without what a channel's address holds; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote, urlsplit

from engine.model.secrets import HIDDEN, conceal

SECRET_CHARACTERS_LEAST = 6
"""A shorter part of an address is a part of ordinary words."""
ALERTMANAGER = ("alertmanager", "alertmanagers")
"""How the addresses of Alertmanagers begin, without and with TLS."""


def without_secrets(text: str, url: str) -> str:
    """Return a text without any part of an address but its host, and without whatever else looks like a secret."""
    for part in sorted(set(_secrets_in(url)), key=len, reverse=True):
        text = text.replace(part, HIDDEN)
    return conceal(text)


def _secrets_in(url: str) -> Iterator[str]:
    """Return every part of a URL that may be secret, as written and decoded."""
    try:
        parts = urlsplit(url)
    except ValueError:
        yield url
        return
    written = [parts.path, *re.split(r"[/:@]", parts.path), *(parts.netloc.rpartition("@")[0].split(":", 1)), *(value for _, value in parse_qsl(parts.query))]
    if url.partition("://")[0].lower() not in _HOSTED:
        written += re.split(r"[:@]", parts.netloc)
    for part in written:
        for one in (part, unquote(part)):
            if len(one.strip("/")) >= SECRET_CHARACTERS_LEAST:
                yield one


_HOSTED = ("mailto", "mailtos", "json", "jsons", "form", "forms", "xml", "xmls", "workflow", "workflows", *ALERTMANAGER)
"""Kinds of URLs with a host where hosts stand; in others a token may stand there, as in slack://TOKEN/..."""
