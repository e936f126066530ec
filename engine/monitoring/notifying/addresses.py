"""Where a channel's address comes from. Read for each notification, so that a change holds at once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass

from engine.model.alerting_config import ChannelConfig

FILE_BYTES_MAX = 4_096


@dataclass(frozen=True, slots=True)
class Address:
    """What a channel's program is told; what cannot be told is why there is none."""

    url: str = ""
    command: tuple[str, ...] = ()
    lacks: str = ""
    """Why nothing can be sent, and what to do; empty = something can."""

    @property
    def scheme(self) -> str:
        """Return the kind of receiver, `command` for a program."""
        return "command" if self.command else self.url.partition("://")[0].lower()


def address_of(channel: ChannelConfig, environment: Mapping[str, str] | None = None) -> Address:
    """Return where a channel's notifications go now."""
    if channel.command:
        return Address(command=channel.command)
    url, lacks = _url_of(channel, os.environ if environment is None else environment)
    if not lacks and "://" not in url:
        lacks = f"the address of channel {channel.name} is no URL: it has no ://"
    return Address(lacks=lacks) if lacks else Address(url)


def _url_of(channel: ChannelConfig, environment: Mapping[str, str]) -> tuple[str, str]:
    """Return the URL, or why there is none."""
    if channel.url is not None:
        return channel.url.get_secret_value().strip(), ""
    if channel.url_env:
        url = environment.get(channel.url_env, "").strip()
        return url, "" if url else f"the variable {channel.url_env} is not set: give it the channel's URL and start the engine again"
    assert channel.url_file is not None, "the configuration has one of them"
    try:
        with channel.url_file.open("rb") as file:
            url = file.read(FILE_BYTES_MAX).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        return "", f"{channel.url_file} cannot be read: {reason}; write the channel's URL into it"
    return url, "" if url else f"{channel.url_file} is empty: write the channel's URL into it"


async def find_address(channel: ChannelConfig) -> Address:
    """Return where a channel's notifications go now, without waiting longer than its deadline for a file."""
    if channel.url_file is None:
        return address_of(channel)
    try:
        async with asyncio.timeout(channel.deadline_s):
            return await asyncio.to_thread(address_of, channel)
    except TimeoutError:
        return Address(lacks=f"{channel.url_file} cannot be read within {channel.deadline_s:g} s: look after its disk")


def kind_of(channel: ChannelConfig, address: Address) -> str:
    """Return what a channel is, such as `slack`, or where its address would be; holds no secret."""
    if channel.command:
        return "command"
    if channel.url is not None:
        return Address(channel.url.get_secret_value().strip()).scheme
    return address.scheme or channel.url_env or str(channel.url_file)
