"""The program that delivers: `python -m engine.monitoring.notifying.worker`, one for each channel while it has work.

A process of its own, so that a receiver that hangs can be ended at its deadline, that another channel never waits for it,
and that the engine never imports Apprise. Requests and replies are lines of JSON on standard input and output; secrets
come in by no other way. When the engine is gone, so is this program, at once, and with it a command that it runs.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import queue
import signal
import smtplib
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.monitoring.notifying.hiding import ALERTMANAGER, without_secrets

if TYPE_CHECKING:
    import requests

SAID_MAX = 200
"""Characters of what a receiver or a command says that are passed on."""
FINAL = frozenset({400, 401, 403, 404, 405, 410, 413, 422})
"""Answers that another attempt would get as well."""
PAGERDUTY_KEY_PREFIX = "fleet-tui-"


class Seen:
    """What happened on the wire: Apprise itself tells only whether it went well."""

    def __init__(self) -> None:
        self.status = 0
        self.said = ""
        self.retry_after_s = 0.0
        self.error = ""

    def clear(self) -> None:
        """Forget the attempt before."""
        self.__init__()  # type: ignore[misc]

    def answered(self, answer: requests.Response) -> None:
        """Take an answer of a server."""
        self.status = answer.status_code
        self.said = " ".join(answer.text[: 2 * SAID_MAX].split())[:SAID_MAX]
        if not answer.ok:
            self.retry_after_s = seconds_of(answer.headers.get("Retry-After", ""), answer.headers.get("Date", ""))

    def result(self, url: str, *, is_ok: bool) -> dict[str, object]:
        """Return the reply: how the attempt went."""
        if is_ok:
            return {"error": ""}
        if self.error:
            error = self.error
        elif self.status:
            error = f"the receiver answered {self.status}{f': {self.said}' if self.said else ''}"
        else:
            error = "it was not delivered, and Apprise does not say why: check the channel's URL"
        return {"error": without_secrets(error, url), "is_final": self.status in FINAL, "retry_after_s": self.retry_after_s}


class _Heard(logging.Handler):
    """Finds the reason in what Apprise logs of mail, which does not go through requests."""

    def __init__(self, seen: Seen) -> None:
        super().__init__(logging.DEBUG)
        self._seen = seen

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text.startswith("Socket Exception: ") and not self._seen.error:
            self._seen.error = plain_reason(text.removeprefix("Socket Exception: "))


def seconds_of(retry_after: str, date: str) -> float:
    """Return how long a Retry-After asks to wait: it is in seconds, or an instant on the server's own clock; 0 = nothing that is understood."""
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - parsedate_to_datetime(date)).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return 0.0


def reason_of(error: BaseException) -> str:
    """Return the innermost reason of a failed request, without the address that the outer ones repeat."""
    seen: set[int] = set()
    while id(error) not in seen:
        seen.add(id(error))
        inner = error.__cause__ or getattr(error, "reason", None) or next((one for one in error.args if isinstance(one, BaseException)), None) or error.__context__
        if not isinstance(inner, BaseException):
            break
        error = inner
    return plain_reason(f"{type(error).__name__}: {error}")


_REASONS = (
    ("CERTIFICATE_VERIFY_FAILED", "its certificate is not trusted"),
    ("CertificateError", "its certificate is for another name"),
    ("SSL", "there is no TLS with it"),
    ("refused", "the connection was refused: is it running, is the port right?"),
    ("Name or service not known", "there is no host of that name"),
    ("Temporary failure in name resolution", "there is no host of that name, or no name server"),
    ("nodename nor servname", "there is no host of that name"),
    ("timed out", "it did not answer in time"),
    ("Timeout", "it did not answer in time"),
    ("unreachable", "there is no way to it in the network"),
    ("reset by peer", "it ended the connection"),
    ("Connection unexpectedly closed", "it ended the connection"),
    ("RemoteDisconnected", "it ended the connection without an answer"),
)


def plain_reason(text: str) -> str:
    """Return what an error of the network means, with its own words behind."""
    found = next((words for sign, words in _REASONS if sign in text), "")
    return f"{found} ({text[:SAID_MAX]})" if found else text[:SAID_MAX]


# ---- ways


def by_apprise(request: Mapping[str, Any], seen: Seen) -> dict[str, object]:
    """Deliver through one of Apprise's services."""
    import apprise

    url = request["url"]
    plain, deadline = request["plain"], float(request["deadline_s"])
    asset = apprise.AppriseAsset(app_id="fleet-tui", app_desc="fleet-tui", app_url="", async_mode=False, secure_logging=True)
    service: Any = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if service is None:
        return {"error": f"the URL is none that Apprise understands ({url.partition('://')[0]}://): see docs/monitoring.md for an example", "is_final": True}
    service.socket_connect_timeout = service.socket_read_timeout = deadline
    scheme = url.partition("://")[0].lower()
    if scheme in ("json", "jsons"):
        service.payload_extras = {**{name: value for name, value in plain.items() if name not in ("version", "title")}, **service.payload_extras}
    if scheme == "pagerduty":
        return _by_pagerduty(service, request, seen)
    return seen.result(url, is_ok=_notify(service, request, request["sort"]))


def _notify(service: Any, request: Mapping[str, Any], sort: str) -> bool:  # noqa: ANN401  # Apprise's own class of a service
    import apprise

    everybody = apprise.Apprise()
    everybody.add(service)
    plain = request["plain"]
    return bool(everybody.notify(title=plain["title"], body=plain["text"], notify_type=apprise.NotifyType(sort), body_format=apprise.NotifyFormat.TEXT))


def _by_pagerduty(service: Any, request: Mapping[str, Any], seen: Seen) -> dict[str, object]:  # noqa: ANN401  # Apprise's own class of a service
    """Open, acknowledge or resolve the incident of a group: it has the group's key. A test opens one and resolves it."""
    plain, url = request["plain"], request["url"]
    service.dedup = PAGERDUTY_KEY_PREFIX + plain["key"]
    actions = {"firing": ["trigger"], "acknowledged": ["acknowledge"], "resolved": ["resolve"], "test": ["trigger", "resolve"]}
    for action in actions[plain["status"]]:
        if action == "acknowledge":
            is_ok = _acknowledge(service, seen)
        else:
            service.action = action
            is_ok = _notify(service, request, request["sort"])
        if not is_ok:
            return seen.result(url, is_ok=False)
    return seen.result(url, is_ok=True)


def _acknowledge(service: Any, seen: Seen) -> bool:  # noqa: ANN401  # Apprise's own class of a service
    """Acknowledge an incident, which Apprise cannot: the same call of Events API v2 with another action."""
    from apprise.plugins.pagerduty import PAGERDUTY_API_LOOKUP

    body = {"routing_key": service.integration_key, "event_action": "acknowledge", "dedup_key": service.dedup}
    return _post(PAGERDUTY_API_LOOKUP[service.region_name], body, service.socket_read_timeout, seen)


def by_alertmanager(request: Mapping[str, Any], seen: Seen) -> dict[str, object]:
    """Hand the alerts over to an Alertmanager. A test is no alert: it is asked whether it is ready."""
    scheme, _, rest = request["url"].partition("://")
    base = f"{'https' if scheme.lower().endswith('s') else 'http'}://{rest.rstrip('/')}"
    if request["plain"]["status"] == "test":
        return seen.result(request["url"], is_ok=_get(f"{base}/-/ready", float(request["deadline_s"]), seen))
    return seen.result(request["url"], is_ok=_post(f"{base}/api/v2/alerts", request["alertmanager"], float(request["deadline_s"]), seen))


def _post(url: str, body: Any, timeout_s: float, seen: Seen) -> bool:  # noqa: ANN401  # what JSON can say
    import requests

    return _answered(lambda: requests.post(url, json=body, timeout=timeout_s), seen)


def _get(url: str, timeout_s: float, seen: Seen) -> bool:
    import requests

    return _answered(lambda: requests.get(url, timeout=timeout_s), seen)


def _answered(ask: Callable[[], requests.Response], seen: Seen) -> bool:
    import requests

    try:
        return ask().ok
    except requests.RequestException as error:
        seen.error = seen.error or reason_of(error)
        return False


def by_command(request: Mapping[str, Any], _seen: Seen) -> dict[str, object]:
    """Run a program that gets the notification on its standard input; its exit code says whether it is delivered."""
    argv = request["command"]
    try:
        done = subprocess.run(argv, input=json.dumps(request["plain"]).encode(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    except OSError as error:
        return {"error": f"{Path(argv[0]).name} cannot be run: {error.strerror}", "is_final": True}
    if not done.returncode:
        return {"error": ""}
    said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2][:SAID_MAX]
    ended = f"ended with {done.returncode}" if done.returncode > 0 else f"was killed by {signal.Signals(-done.returncode).name}"
    return {"error": without_secrets(f"{Path(argv[0]).name} {ended}{f': {said}' if said else ''}", "")}


def by_function(request: Mapping[str, Any], _seen: Seen) -> dict[str, object]:
    """Have a plug-in's function deliver; what it raises is why it is not delivered."""
    module, _, name = request["function"].partition(":")
    function: Any = importlib.import_module(module)
    for part in name.split("."):
        function = getattr(function, part)
    function(request["url"], request["plain"])
    return {"error": ""}


# ---- the program


def way_of(request: Mapping[str, Any]) -> Callable[[Mapping[str, Any], Seen], dict[str, object]]:
    """Return what delivers a request."""
    if request.get("command"):
        return by_command
    if request.get("function"):
        return by_function
    return by_alertmanager if request["url"].partition("://")[0].lower() in ALERTMANAGER else by_apprise


def attend(seen: Seen) -> None:
    """Have what goes over the wire seen: the answers of servers, and why there was none."""
    import requests
    from requests.adapters import HTTPAdapter

    send = HTTPAdapter.send

    def seeing(adapter: HTTPAdapter, *args: Any, **settings: Any) -> requests.Response:  # noqa: ANN401  # passed on as they are
        try:
            answer = send(adapter, *args, **settings)
        except requests.RequestException as error:
            seen.error = reason_of(error)
            raise
        seen.answered(answer)
        return answer

    HTTPAdapter.send = seeing  # type: ignore[method-assign,assignment]  # Apprise keeps answers to itself
    heard = logging.getLogger("apprise")
    heard.addHandler(_Heard(seen))
    heard.setLevel(logging.DEBUG)
    heard.propagate = False


def answer(line: str, seen: Seen) -> dict[str, object]:
    """Return the reply to one request."""
    seen.clear()
    request = json.loads(line)
    try:
        return way_of(request)(request, seen)
    except Exception as error:  # noqa: BLE001  # the edge: whatever a service raises is why it was not delivered
        text = str(error) if isinstance(error, smtplib.SMTPException) else f"{type(error).__name__}: {error}"
        return {"error": without_secrets(text[:SAID_MAX], str(request.get("url", "")))}


def _read(lines: queue.SimpleQueue[str]) -> None:
    """Pass requests on; at the end of the input end everything, in the middle of an attempt too."""
    for line in sys.stdin:
        lines.put(line)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def main() -> None:
    """Serve until the input ends."""
    # Whatever a service or a command prints must not get between the replies.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()
    seen = Seen()
    if "command" not in sys.argv[1:]:
        attend(seen)
    print(json.dumps({"ready": True}), file=replies, flush=True)  # noqa: T201  # a pipe
    while True:
        print(json.dumps(answer(lines.get(), seen)), file=replies, flush=True)  # noqa: T201  # a pipe


if __name__ == "__main__":
    main()
