"""Handing a region back, with servers that only note what they are asked to say."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from engine.clock import SystemClock
from engine.config import parse_config
from engine.federation import Federation
from engine.model.errors import CommandRefused, RedisAway
from engine.model.region_rows import Told
from engine.redis.link import RedisLink
from engine.regions.homes import Home

HERE, THERE = "eu-west-1", "us-east-1"


class Noting:
    """A server that says what it is asked to say."""

    def __init__(self, name: str, asked: list[tuple[str, Home]]) -> None:
        self._name, self._asked = name, asked
        self.is_away = False

    async def claim(self, _region: str, home: Home, _quiet_s: float) -> tuple[bool, tuple[int, str, float]]:
        if self.is_away:
            raise RedisAway("it is away")
        self._asked.append((self._name, home))
        return True, (*home, 0.0)


def federation(servers: Mapping[str, Noting], root: Path) -> Federation:
    """Return that of an engine at which another region lives, and where that one is healthy again."""
    tables: dict[str, object] = {HERE: {}, THERE: {"url": "redis://127.0.0.1:1"}}
    config = parse_config({"redis": {"url": "redis://127.0.0.1:1", "share": True, "region": HERE}, "regions": tables}, "this test")
    assert config.redis is not None
    clock = SystemClock()
    subject = Federation(config, RedisLink(config.redis, root, clock, {}), root, clock, "eng_1")
    subject._servers.update(servers)  # type: ignore[arg-type]  # in place of links
    for server in servers:
        subject.homes.said(server, THERE, Home(2, HERE), 0.0)
    subject.directory.answered(THERE, 0.001)
    subject.directory.heard(THERE, 0.0, Told("eng_2"))
    return subject


async def test_a_region_s_server_takes_note_where_it_lives_before_it_is_handed_back(tmp_path: Path) -> None:
    """It may be back for so short a time that it does not know: then nothing of what was decided meanwhile would be fetched."""
    asked: list[tuple[str, Home]] = []
    subject = federation({name: Noting(name, asked) for name in (HERE, THERE)}, tmp_path)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        moving = group.create_task(subject.move(THERE, THERE))
        while len(asked) < 2:  # noqa: ASYNC110  # of the task
            await asyncio.sleep(0.01)
        subject.homes.said(THERE, THERE, Home(3, THERE), 0.0)
        assert "lives at us-east-1 in its epoch 3" in await moving
    assert asked == [(THERE, Home(2, HERE)), (HERE, Home(3, THERE))]


async def test_a_region_whose_server_cannot_take_note_is_not_handed_back(tmp_path: Path) -> None:
    asked: list[tuple[str, Home]] = []
    servers = {name: Noting(name, asked) for name in (HERE, THERE)}
    servers[THERE].is_away = True
    with pytest.raises(CommandRefused, match=r"does not take note where it lives: it is away"):
        await federation(servers, tmp_path).move(THERE, THERE)
    assert asked == []
