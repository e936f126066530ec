"""Notifications through real senders to real receivers: mail with STARTTLS, HTTPS, Alertmanager, Slack's, Teams' and PagerDuty's calls, programs."""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import stat
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from engine.clock import OrderedIds, SystemClock
from engine.memory.database import Database
from engine.model.alert_words import Severity
from engine.model.alerting_config import AlertingSection
from engine.model.errors import CommandRefused, NotFound
from engine.model.notifications import AlertNews, Letter, LetterState
from engine.monitoring.notifying.notifier import Notifier
from engine.monitoring.notifying.sender import Means

from tests.integration.receivers import Authority, authority, mail_server, proxy, receiver
from tests.tools.programs import Missing, Program, find_program

SECRET = "hunter2hunter2"  # noqa: S105  # what must not be seen anywhere


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("tls"))


def news(fingerprint: str = "f1", *, rule: str = "queue", is_firing: bool = True, is_acked: bool = False) -> AlertNews:
    return AlertNews(fingerprint, rule, Severity.CRITICAL, {"pool": "coder"}, "coder: 120 tasks wait", is_firing, 1_000.0, 0.0 if is_firing else 1_005.0, 120.0, "https://runbooks.test/queue", is_acked=is_acked)


class World:
    """A notifier at work."""

    def __init__(self, notifier: Notifier, clock: SystemClock) -> None:
        self.notifier = notifier
        self.clock = clock
        self._changed = asyncio.Event()
        notifier.changed = lambda _channel, _letter: self._changed.set()

    def hear(self, *entries: AlertNews) -> None:
        self.notifier.hear(entries, self.clock.now())

    def letters(self, channel: str) -> list[Letter]:
        return [letter for letter in self.notifier.outbox.letters.values() if letter.channel == channel]

    async def until(self, condition: Callable[[], bool], within_s: float = 60.0) -> None:
        try:
            async with asyncio.timeout(within_s):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pytest.fail("\n".join(f"{letter.channel}: {letter.state}, {letter.attempts} attempts, {letter.error}" for letter in self.notifier.outbox.letters.values()))

    async def sent(self, channel: str, number: int = 1) -> list[Letter]:
        await self.until(lambda: sum(letter.state is LetterState.SENT for letter in self.letters(channel)) >= number)
        return self.letters(channel)

    async def parked(self, channel: str, number: int = 1) -> list[Letter]:
        await self.until(lambda: sum(letter.state is LetterState.PARKED for letter in self.letters(channel)) >= number)
        return self.letters(channel)


@asynccontextmanager
async def world(folder: Path, *channels: dict[str, object], standing: list[str] | None = None) -> AsyncIterator[World]:
    """Run a notifier on a database of its own; groups wait for nothing, so that each test says when something is told."""
    section = AlertingSection.model_validate({"group_wait_s": 0, "channels": channels})
    database = await Database.open(folder / "fleet.db")
    clock, rng = SystemClock(), random.Random(1)  # noqa: TID251  # seeded
    notifier = Notifier(section, database, "prod", Means(clock, rng, OrderedIds(clock, rng)))
    made = World(notifier, clock)
    if standing is not None:
        notifier.begin(standing)
    running = asyncio.create_task(notifier.run())
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.wait([running])
        await notifier.close()
        await database.close()


# ruff: noqa: ASYNC240  # small local files
# ---- what arrives


@pytest.mark.row(213)
async def test_a_webhook_over_tls_of_a_private_authority_gets_text_and_values(tmp_path: Path, tls: Authority) -> None:
    async with receiver(tls) as there, world(tmp_path, {"name": "hook", "url": f"jsons://localhost:{there.port}/hook/{SECRET}", "ca_file": str(tls.ca_file)}) as here:
        here.hear(news())
        [letter] = await here.sent("hook")
        [got] = there.got
        assert got.path == f"/hook/{SECRET}"
        said = got.json
        assert (said["title"], said["type"]) == ("[CRITICAL] queue in coder (prod)", "failure")
        assert "coder: 120 tasks wait" in said["message"]
        assert (said["id"], said["status"], said["fleet"], said["severity"]) == (letter.notification.id, "firing", "prod", "critical")
        assert said["alerts"][0]["labels"] == {"pool": "coder", "rule": "queue", "severity": "critical"}
        assert said["alerts"][0]["runbook"] == "https://runbooks.test/queue"


@pytest.mark.row(212)
async def test_mail_goes_over_starttls_and_never_without(tmp_path: Path, tls: Authority) -> None:
    with mail_server(tls) as (mailbox, port):
        url = f"mailto://localhost:{port}?from=fleet@example.test&to=ops@example.test"
        trusting = {"name": "mail", "url": f"{url}&mode=starttls", "ca_file": str(tls.ca_file)}
        doubting = {"name": "doubt", "url": f"{url}&mode=starttls", "retries": 0}
        plain = {"name": "plain", "url": f"{url}&mode=insecure", "retries": 0}
        async with world(tmp_path, trusting, doubting, plain) as here:
            here.hear(news())
            await here.sent("mail")
            [(mail, was_encrypted)] = mailbox.mail
            assert was_encrypted
            assert mail["To"] == "ops@example.test"
            assert mail["Subject"] == "[CRITICAL] queue in coder (prod)"
            assert "coder: 120 tasks wait" in str(mail.get_payload(decode=True) or mail)
            [doubted] = await here.parked("doubt")
            assert "its certificate is not trusted" in doubted.error
            [refused] = await here.parked("plain")
            assert "STARTTLS" in refused.error
            assert len(mailbox.mail) == 1


@pytest.mark.row(214, 215)
async def test_slack_teams_and_pagerduty_get_their_own_calls(tmp_path: Path, tls: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their hosts are reached through a proxy that ends here, with certificates of their names."""
    async with receiver(tls) as there, proxy(there.port) as through:
        monkeypatch.setenv("HTTPS_PROXY", through)
        monkeypatch.setenv("NO_PROXY", "localhost")
        ca = {"ca_file": str(tls.ca_file)}
        slack = {"name": "slack", "url": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#ops", **ca}
        teams = {"name": "teams", "url": f"workflows://localhost:{there.port}/643a8f1ce2b5/sig-of-the-flow", **ca}
        pagerduty = {"name": "pagerduty", "url": f"pagerduty://{'A' + 'b' * 31}@{'C' * 20}/fleet/engine", **ca}
        async with world(tmp_path, slack, teams, pagerduty) as here:
            here.hear(news())
            for name in ("slack", "teams", "pagerduty"):
                await here.sent(name)
            found = {request.headers["host"].partition(":")[0]: request for request in there.got}
            assert "[CRITICAL] queue in coder (prod)" in found["hooks.slack.com"].body.decode()
            assert found["hooks.slack.com"].path == "/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
            card = found["localhost"].json["attachments"][0]
            assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
            assert "coder: 120 tasks wait" in json.dumps(card)
            call = found["events.pagerduty.com"].json
            assert (call["event_action"], call["payload"]["severity"]) == ("trigger", "critical")
            assert call["dedup_key"] == f"fleet-tui-{here.letters('pagerduty')[0].notification.key}"


@pytest.mark.row(215)
async def test_an_incident_is_opened_acknowledged_and_resolved_under_one_key(tmp_path: Path, tls: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiver(tls) as there, proxy(there.port) as through:
        monkeypatch.setenv("HTTPS_PROXY", through)
        pagerduty = {"name": "pagerduty", "url": f"pagerduty://{'A' + 'b' * 31}@{'C' * 20}/fleet/engine", "ca_file": str(tls.ca_file)}
        async with world(tmp_path, pagerduty) as here:
            steps = [news(), news(is_acked=True), news(is_firing=False)]
            for number, step in enumerate(steps, 1):
                for group in here.notifier.groups.groups.values():
                    group.told_at -= 60  # a minute has passed
                here.hear(step)
                await here.sent("pagerduty", number)
            calls = [request.json for request in there.got]
            assert [call["event_action"] for call in calls] == ["trigger", "acknowledge", "resolve"]
            assert len({call["dedup_key"] for call in calls}) == 1


@pytest.mark.row(216)
async def test_a_program_of_ones_own_gets_the_notification_and_says_whether_it_did_it(tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    good = {"name": "good", "command": [sys.executable, "-c", f"import sys; open({str(kept)!r}, 'w').write(sys.stdin.read())"]}
    bad = {"name": "bad", "command": ["sh", "-c", "echo token=abcdefgh12345 is wrong >&2; exit 3"], "retries": 0}
    gone = {"name": "gone", "command": [str(tmp_path / "not-there")]}
    async with world(tmp_path, good, bad, gone) as here:
        here.hear(news())
        await here.sent("good")
        assert json.loads(kept.read_text())["title"] == "[CRITICAL] queue in coder (prod)"
        [failed] = await here.parked("bad")
        assert failed.error == "sh ended with 3: token=[hidden] is wrong"
        [missing] = await here.parked("gone")
        assert missing.error == "not-there cannot be run: No such file or directory"
        assert missing.attempts == 1


# ---- what goes wrong


async def test_a_busy_receiver_is_asked_again_when_it_says_and_a_broken_one_later_and_later(tmp_path: Path) -> None:
    async with receiver() as busy, receiver() as broken:
        busy.answers = [(429, {"Retry-After": "2"})]
        broken.answers = [(500, {}), (503, {}), (500, {})]
        channels = [{"name": name, "url": f"json://127.0.0.1:{there.port}/", "retry_s": 0.2} for name, there in (("busy", busy), ("broken", broken))]
        async with world(tmp_path, *channels) as here:
            here.hear(news())
            [letter] = await here.sent("busy")
            first, second = busy.got
            assert second.at - first.at >= 2
            assert first.json["id"] == second.json["id"] == letter.notification.id
            await here.sent("broken")
            pauses = [later.at - earlier.at for earlier, later in zip(broken.got, broken.got[1:], strict=False)]
            assert all(pause >= 0.2 * 2**number for number, pause in enumerate(pauses))
            assert here.notifier.senders["broken"].health.failures == 0


async def test_an_answer_that_another_attempt_would_get_too_parks_at_once_and_requeue_sends(tmp_path: Path) -> None:
    async with receiver() as there, world(tmp_path, {"name": "hook", "url": f"json://127.0.0.1:{there.port}/services/{SECRET}"}) as here:
        there.answers = [(404, {})]
        here.hear(news())
        [letter] = await here.parked("hook")
        assert letter.attempts == 1
        assert letter.error == 'the receiver answered 404: {"said": "no"}'
        assert here.notifier.requeue("hook") == 1
        await here.sent("hook")
        assert len(there.got) == 2
        with pytest.raises(NotFound, match="no channel and no parked notification"):
            here.notifier.requeue("ntf_nothing")
        with pytest.raises(NotFound, match="'hock'; did you mean 'hook'"):
            here.notifier.requeue("hock")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda port, _tls: {"url": f"jsons://127.0.0.1:{port}/{SECRET}"}, "its certificate is not trusted"),
        (lambda port, tls: {"url": f"jsons://127.0.0.2:{port}/{SECRET}", "ca_file": str(tls.ca_file)}, "refused|another name|not trusted"),
        (lambda _port, _tls: {"url": f"jsons://127.0.0.1:1/{SECRET}"}, "the connection was refused"),
        (lambda _port, _tls: {"url": f"jsons://nowhere.invalid/{SECRET}"}, "there is no host of that name"),
        (lambda _port, _tls: {"url": f"nosuch://{SECRET}"}, "none that Apprise understands"),
        (lambda _port, _tls: {"url_env": "CHANNELS_TEST_UNSET"}, "the variable CHANNELS_TEST_UNSET is not set"),
        (lambda _port, _tls: {"url_file": "/nowhere/url"}, "/nowhere/url cannot be read"),
    ],
)
async def test_what_cannot_be_delivered_says_why_without_the_address(tmp_path: Path, tls: Authority, make: Callable[[int, Authority], dict[str, object]], says: str, caplog: pytest.LogCaptureFixture) -> None:
    async with receiver(tls) as there, world(tmp_path, {"name": "hook", "retries": 0, **make(there.port, tls)}) as here:
        here.hear(news())
        [letter] = await here.parked("hook")
        assert pytest.fail(letter.error) if not any(word in letter.error for word in says.split("|")) else True
        assert there.got == []
    told = letter.error + " ".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert SECRET not in told
    assert SECRET.encode() not in b"".join(path.read_bytes() for path in tmp_path.glob("fleet.db*"))


async def test_a_hanging_receiver_is_left_at_its_deadline_and_holds_up_no_other(tmp_path: Path) -> None:
    async with receiver() as hanging, receiver() as quick:
        hanging.hangs = True
        dead = {"name": "dead", "url": f"json://127.0.0.1:{hanging.port}/", "deadline_s": 30}
        short = {"name": "short", "url": f"json://127.0.0.1:{hanging.port}/", "deadline_s": 1, "retries": 0}
        alive = {"name": "alive", "url": f"json://127.0.0.1:{quick.port}/"}
        async with world(tmp_path, dead, short, alive) as here:
            here.hear(news())
            await here.sent("alive")
            await hanging.wait_for(1)
            for number in range(5):
                here.hear(news(f"g{number}", rule=f"rule{number}"))
            await here.sent("alive", 6)
            [late, *_] = await here.parked("short")
            assert late.error == "no answer within 1 s"
            assert [letter.state for letter in here.letters("dead")] == [LetterState.WAITING] * 6
            assert here.notifier.senders["dead"].health.failures == 0


async def test_a_full_queue_parks_the_oldest_and_a_group_waits_once(tmp_path: Path) -> None:
    async with world(tmp_path, {"name": "hook", "url": "json://127.0.0.1:1/", "waiting_max": 3, "retry_s": 3_600}) as here:
        for number in range(6):
            here.hear(news(f"g{number}", rule=f"rule{number}"))
        await here.parked("hook", 3)
        await here.until(lambda: here.notifier.senders["hook"].health.failures > 0)
        states = {letter.notification.group["rule"]: (letter.state, letter.error) for letter in here.letters("hook")}
        assert [state for state, _ in states.values()].count(LetterState.PARKED) == 3
        assert any(error == "3 notifications waited already, and this was the oldest" for _, error in states.values())
        for group in here.notifier.groups.groups.values():
            group.told_at -= 60  # a minute has passed
        here.hear(news("g5", rule="rule5", is_firing=False))
        waiting = [letter for letter in here.letters("hook") if letter.notification.group["rule"] == "rule5"]
        await here.until(lambda: not waiting[0].notification.alerts[0].is_firing)
        assert len([letter for letter in here.letters("hook") if letter.notification.group["rule"] == "rule5"]) == 1


# ---- restarts


async def test_what_was_not_sent_when_the_engine_ended_is_sent_by_the_next_one_and_the_rest_is_not_told_again(tmp_path: Path) -> None:
    async with receiver() as there:
        there.hangs = True
        channel = {"name": "hook", "url": f"json://127.0.0.1:{there.port}/"}
        async with world(tmp_path, channel) as here:
            here.hear(news())
            [first] = await there.wait_for(1)
        there.hangs = False
        async with world(tmp_path, channel) as here:
            here.hear(news())  # as an engine does at its start with all that fire
            await here.sent("hook")
            assert [request.json["id"] for request in there.got] == [first.json["id"]] * 2
        async with world(tmp_path, channel) as here:
            here.hear(news(), news("f2", rule="other"))
            await here.sent("hook", 2)
            assert [request.json["group"]["rule"] for request in there.got] == ["queue", "queue", "other"]


async def test_what_ended_while_no_engine_was_there_to_tell_it_is_told_as_over(tmp_path: Path) -> None:
    async with receiver() as there:
        channel = {"name": "hook", "url": f"json://127.0.0.1:{there.port}/"}
        async with world(tmp_path, channel) as here:
            here.hear(news(), news("f2"))
            await here.sent("hook")
        async with world(tmp_path, channel, standing=["f2"]) as here:
            await here.until(lambda: bool(here.notifier.groups.groups))
            for group in here.notifier.groups.groups.values():
                group.told_at -= 60  # a minute has passed
            here.hear(news("f2"))
            await here.sent("hook", 2)
            assert {alert["fingerprint"]: alert["status"] for alert in there.got[1].json["alerts"]} == {"f1": "resolved", "f2": "firing"}


async def test_what_waits_for_a_channel_that_is_no_longer_there_is_parked(tmp_path: Path) -> None:
    async with world(tmp_path, {"name": "old", "url": "json://127.0.0.1:1/", "retry_s": 3_600}) as here:
        here.hear(news())
        await here.until(lambda: here.notifier.senders["old"].health.failures > 0)
    async with world(tmp_path, {"name": "new", "url": "json://127.0.0.1:1/"}) as here:
        [letter] = await here.parked("old")
        assert letter.error == "its channel is switched off or no longer configured"
        for which in ("old", letter.id, letter.notification.id):
            with pytest.raises(CommandRefused, match="switched off"):
                here.notifier.requeue(which)


async def test_no_process_is_left_when_the_engine_ends(tmp_path: Path) -> None:
    started = tmp_path / "started"
    command = ["sh", "-c", f"echo $$ > {started}.new; mv {started}.new {started}; exec sleep 600"]
    async with world(tmp_path, {"name": "slow", "command": command, "deadline_s": 300}) as here:
        here.hear(news())
        async with asyncio.timeout(60):
            while not started.exists():
                await asyncio.sleep(0.02)
        pid = int(started.read_text())
        assert Path(f"/proc/{pid}").exists()
    async with asyncio.timeout(20):
        while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]:
            await asyncio.sleep(0.02)


# ---- tests of a channel


async def test_a_test_goes_past_all_that_waits_and_says_what_is_wrong(tmp_path: Path) -> None:
    async with receiver() as there:
        url_file = tmp_path / "url"
        url_file.write_text(f"json://127.0.0.1:{there.port}/\n")
        os.chmod(url_file, stat.S_IRUSR | stat.S_IWUSR)  # noqa: PTH101
        async with world(tmp_path, {"name": "hook", "url_file": str(url_file)}, {"name": "unset", "url_env": "CHANNELS_TEST_UNSET"}, {"name": "off", "url": "json://127.0.0.1:1/", "enabled": False}) as here:
            outcome = await here.notifier.test("hook", "ann")
            assert (outcome.error, there.got[0].json["status"]) == ("", "test")
            assert there.got[0].json["title"] == "[test] this channel works (prod)"
            assert here.letters("hook") == []
            with pytest.raises(CommandRefused, match="CHANNELS_TEST_UNSET is not set"):
                await here.notifier.test("unset", "ann")
            assert "refused" in (await here.notifier.test("off", "ann")).error
            with pytest.raises(NotFound, match="no channel 'hok'; did you mean 'hook'"):
                await here.notifier.test("hok", "ann")


# ---- Alertmanager


@pytest.mark.row(216)
async def test_a_real_alertmanager_has_the_alerts_until_they_are_over(tmp_path: Path) -> None:
    program = alertmanager_program()
    async with alertmanager(command_of(program), program.environment, tmp_path) as port:
        channel = {"name": "am", "url": f"alertmanager://127.0.0.1:{port}"}
        async with world(tmp_path, channel) as here:
            assert (await here.notifier.test("am", "ann")).error == ""
            since = here.clock.now()
            one, two = (AlertNews(f"f{number}", "queue", Severity.CRITICAL, {"pool": "coder", "agent": f"coder-{number}"}, "it waits", is_firing=True, since=since) for number in (1, 2))
            here.hear(one, two)
            await here.sent("am")
            found = await asyncio.to_thread(alerts_of, port)
            assert [(alert["labels"]["alertname"], alert["labels"]["agent"], alert["status"]["state"]) for alert in found] == [("queue", "coder-1", "active"), ("queue", "coder-2", "active")]
            assert found[0]["labels"]["fleet"] == "prod"
            assert found[0]["annotations"]["summary"] == "it waits"
            for group in here.notifier.groups.groups.values():
                group.told_at -= 60  # a minute has passed
            here.hear(replace(one, is_firing=False, until=here.clock.now()))
            await here.sent("am", 2)
            left = await asyncio.to_thread(alerts_of, port)
            assert [alert["labels"]["agent"] for alert in left] == ["coder-2"]


def alertmanager_program() -> Program:
    try:
        return find_program(("prometheus-alertmanager", "alertmanager"), ("prometheus-alertmanager",))
    except Missing as reason:
        pytest.skip(f"there is no alertmanager: {reason}")


def command_of(program: Program) -> list[str]:
    """Return how it is run: an unpacked one sees its templates where it looks for them, in a mount namespace of its own."""
    if program.root == Path("/"):
        return [str(program.path)]
    shared = f"mount -t overlay overlay -o lowerdir={program.root}/usr/share:/usr/share /usr/share"
    words = ["unshare", "--map-root-user", "--mount", "sh", "-c", f'{shared} && exec "$@"', "sh"]
    tried = subprocess.run([*words, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"its templates cannot be put where it looks for them: {tried.stderr.strip()}")
    return [*words, str(program.path)]


@asynccontextmanager
async def alertmanager(command: list[str], environment: dict[str, str], folder: Path) -> AsyncIterator[int]:
    """Run an Alertmanager that tells nobody, and give its port once it is ready."""
    config = folder / "alertmanager.yml"
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    words = [f"--config.file={config}", f"--storage.path={folder / 'alertmanager'}", f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    process = await asyncio.create_subprocess_exec(*command, *words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | environment)
    try:
        async with asyncio.timeout(60):
            while not await asyncio.to_thread(is_ready, port):
                await asyncio.sleep(0.1)
        yield port
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=60) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except OSError:
        return False


def alerts_of(port: int) -> list[Any]:
    """Return what fires, by agent."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/alerts", timeout=60) as answer:  # noqa: S310
        found: list[Any] = json.load(answer)
    return sorted(found, key=lambda alert: str(alert["labels"]["agent"]))
