"""From a rule to a receiver: an engine's alert fires and is told, also when the engine is killed between the two."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.engines import EngineProcess, engine, until
from tests.integration.test_channel_faces import Hook, hook


def configured(port: int, path: str = "") -> str:
    return f"""
[alerting]
group_wait_s = 0
channels = [{{name = "hook", url = "json://127.0.0.1:{port}/{path}", matchers = ["rule=mine"], deadline_s = 60}}]
"""


def told() -> list[str]:
    return [request["status"] for request in Hook.got]


def letters(subject: EngineProcess) -> list[str]:
    rows = json.loads(subject.run("alerts", "notifications", "-o", "json").stdout)
    return [row["state"] for row in rows]


@pytest.mark.row(213)
def test_an_alert_is_told_in_its_own_words_with_its_runbook(tmp_path: Path) -> None:
    with hook() as port, engine(tmp_path, configured(port)) as subject:
        made = subject.run("create-rule", "mine", "hosts > 0", "--severity", "critical", "--runbook", "https://runbooks.test/mine", "--summary", "{value} hosts are there")
        assert made.returncode == 0, made.stderr
        until(lambda: told() == ["firing"], within_s=60)
        [first] = Hook.got
        assert (first["severity"], first["group"]["rule"], first["is_first"]) == ("critical", "mine", True)
        assert first["alerts"][0]["runbook"] == "https://runbooks.test/mine"
        assert first["alerts"][0]["text"].endswith("hosts are there")
        [row] = json.loads(subject.run("get", "notifications", "-o", "json").stdout)
        assert (row["state"], row["channel"], row["about"], row["attempts"]) == ("sent", "hook", "firing", 1)


def test_an_alert_that_fired_just_before_the_engine_was_killed_is_told_by_the_next_one(tmp_path: Path) -> None:
    with hook() as port:
        with engine(tmp_path, configured(port, "hang")) as subject:
            assert subject.run("create-rule", "mine", "hosts > 0").returncode == 0
            until(lambda: told() == ["firing"], within_s=60)
            subject.kill()
        Hook.released.set()
        with engine(tmp_path, configured(port)) as subject:
            until(lambda: len(Hook.got) == 2, within_s=60)
            until(lambda: letters(subject) == ["sent"], within_s=60)
        assert len({request["id"] for request in Hook.got}) == 1
