"""What rules do when they fire: verbs from the table, through the gate, under the guardrails, in the audit.

Owner: `Actions`, of the queue of what is to be done and of when each rule acted last. Limits: QUEUE_MAX acts wait, more are
refused; a rule acts on one alert again only after AGAIN_S, and all rules together ACTS_MAX times within ACTS_S: a rule that
is wrong does no harm without end. What is not done is in the audit, too. Nobody can confirm or be asked: a verb for which a
guardrail demands that is refused. An alert that is silenced, or that another one explains, does nothing.
"""

from __future__ import annotations

import asyncio
import logging
import shlex
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from engine.clock import Clock
from engine.gate import Gate
from engine.model.alert_checks import filled
from engine.model.alerts import Alert, AlertState, Rule, Transition
from engine.model.errors import CommandRefused, FleetError
from engine.model.events import Audited, Event
from engine.model.plans import AuditEntry, Origin
from engine.model.verb_lines import parse_line
from engine.model.verbs import Role

logger = logging.getLogger(__name__)

QUEUE_MAX = 100
AGAIN_S = 300.0
ACTS_MAX, ACTS_S = 20, 600.0

Record = Callable[[Sequence[Event], Origin], Awaitable[object]]
"""Keeps facts. Raises ReadOnly."""


def origin_of(rule: str) -> Origin:
    """Return as whom a rule acts."""
    return Origin(f"alert:{rule}", "engine", "", Role.OPERATOR)


class Actions:
    """Does what rules say."""

    def __init__(self, rule_of: Callable[[str], Rule | None], operator: Callable[[Origin], Gate], record: Record, clock: Clock) -> None:
        self._rule_of = rule_of
        self._operator = operator
        self._record = record
        self._clock = clock
        self._queue: asyncio.Queue[tuple[Alert, str]] = asyncio.Queue(QUEUE_MAX)
        self._acted: dict[str, float] = {}
        """Alert -> when its rule acted on it last."""
        self._recent: deque[float] = deque()

    def take(self, transitions: Sequence[Transition], now: float) -> None:
        """Take alerts that changed; those that have just begun to fire are acted on."""
        for alert, before in transitions:
            fired = alert.is_loud and (before is None or before.state is not AlertState.FIRING)
            rule = self._rule_of(alert.rule) if fired else None
            for line in rule.actions if rule is not None else ():
                try:
                    self._queue.put_nowait((alert, line))
                except asyncio.QueueFull:
                    logger.warning("an action of an alert is left out, too many wait", extra={"alert": alert.id, "action": line, "at": now})

    async def run(self) -> None:
        """Do one after the other until cancelled."""
        while True:
            alert, line = await self._queue.get()
            await self.act(alert, line)

    async def act(self, alert: Alert, line: str) -> None:
        """Do one action; what is refused is noted."""
        origin, now = origin_of(alert.rule), self._clock.now()
        labels = {name: shlex.quote(value) for name, value in alert.labels.items()}
        try:
            self._admit(alert, line, now)
            await self._operator(origin).execute(parse_line(filled(line, labels)), reason=alert.message)
        except FleetError as error:
            logger.warning("an action of an alert was not done", extra={"alert": alert.id, "action": line, "reason": str(error)})
            if not isinstance(error, CommandRefused) or isinstance(error, TooOften):  # the gate has noted other refusals
                entry = AuditEntry(now, origin.who, origin.via, "", "alert.action", alert.id, line, str(error))
                await self._noted(origin, entry)

    def _admit(self, alert: Alert, line: str, now: float) -> None:
        key = f"{alert.id} {line}"
        self._acted = {one: at for one, at in self._acted.items() if now - at < AGAIN_S}
        while self._recent and now - self._recent[0] >= ACTS_S:
            self._recent.popleft()
        if key in self._acted:
            raise TooOften(f"it was done {now - self._acted[key]:.0f} s ago; the same again only after {AGAIN_S:g} s")
        if len(self._recent) >= ACTS_MAX:
            raise TooOften(f"alerts have acted {ACTS_MAX} times within {ACTS_S:g} s; somebody should look")
        self._acted[key] = now
        self._recent.append(now)

    async def _noted(self, origin: Origin, entry: AuditEntry) -> None:
        try:
            await self._record([Audited(entry)], origin)
        except CommandRefused:
            return  # read-only: it is in the log


class TooOften(CommandRefused):
    """An alert's action was held back."""
