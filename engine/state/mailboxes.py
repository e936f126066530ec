"""The mail of swarms: what waits in mailboxes, what could not be delivered, and what links carried.

Owner: FleetState, which changes them only in apply(). Limits: MAILBOX_MAX messages of a member, the newest DEAD_MAX dead ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.model.ids import MessageId, SwarmId
from engine.model.swarm_mail import Flow, Mail, Traffic
from engine.model.swarm_words import DEAD_MAX
from engine.model.swarms import Hop


@dataclass(slots=True)
class Mailboxes:
    """Messages by their id, with the indices of whom they wait for and which are dead."""

    mail: dict[MessageId, Mail] = field(default_factory=dict)
    """In the order in which they were sent."""
    boxes: dict[str, dict[MessageId, None]] = field(default_factory=dict)
    """Member -> what waits for it, of all of its swarms; oldest first."""
    dead: dict[MessageId, None] = field(default_factory=dict)
    """Messages that did not reach somebody; oldest first."""
    waiting: Counter[SwarmId] = field(default_factory=Counter)
    """Swarm -> deliveries of its messages that wait."""
    traffic: dict[SwarmId, Traffic] = field(default_factory=dict)

    def add(self, mail: Mail) -> None:
        """Take a message in."""
        id_ = mail.message.id
        self.mail[id_] = mail
        if mail.waiting:
            self.waiting[mail.swarm] += len(mail.waiting)
        for member in mail.waiting:
            self.boxes.setdefault(member, {})[id_] = None
        if mail.dead:
            self.dead[id_] = None

    def carried(self, swarm: SwarmId, hops: Iterable[Hop], now: float) -> None:
        """Count what links carried."""
        traffic = self.traffic_of(swarm)
        traffic.sent += 1
        for source, target in hops:
            traffic.carried += 1
            traffic.flows.setdefault(f"{source} {target}", Flow()).add(now)

    def traffic_of(self, swarm: SwarmId) -> Traffic:
        """Return the counts of a swarm."""
        return self.traffic.setdefault(swarm, Traffic(swarm))

    def take(self, id_: MessageId, member: str) -> None:
        """Take a message out of a mailbox."""
        self._leave_box(id_, member)
        self.traffic_of(self.mail[id_].swarm).taken += 1
        self._tidy(id_)

    def give_up(self, id_: MessageId, member: str, why: str) -> list[MessageId]:
        """Have a message be dead for somebody; return the messages that are forgotten."""
        mail = self.mail[id_]
        self._leave_box(id_, member)
        mail.dead[member] = why
        self.traffic_of(mail.swarm).dead += 1
        self.dead.pop(id_, None)
        self.dead[id_] = None
        forgotten = []
        while len(self.dead) > DEAD_MAX:
            oldest = next(iter(self.dead))
            self.forget_dead(oldest)
            forgotten.append(oldest)
        return forgotten

    def forget_dead(self, id_: MessageId) -> None:
        """Forget whom a message did not reach."""
        del self.dead[id_]
        self.mail[id_].dead.clear()
        self._tidy(id_)

    def forget_swarm(self, swarm: SwarmId) -> list[MessageId]:
        """Forget a swarm's messages and return which they were; its counts stay."""
        gone = [id_ for id_, mail in self.mail.items() if mail.swarm == swarm]
        for id_ in gone:
            for member in list(self.mail[id_].waiting):
                self._leave_box(id_, member)
            self.dead.pop(id_, None)
            del self.mail[id_]
        return gone

    def waiting_for(self, member: str) -> list[Mail]:
        """Return what waits for somebody: the most urgent first, of equals the oldest."""
        found = [self.mail[id_] for id_ in self.boxes.get(member, ())]
        return sorted(found, key=lambda mail: -mail.message.priority.rank)

    def check(self) -> None:
        """Raise AssertionError if an index differs from the messages."""
        wanted = {(member, id_) for id_, mail in self.mail.items() for member in mail.waiting}
        assert {(member, id_) for member, ids in self.boxes.items() for id_ in ids} == wanted
        assert all(self.boxes.values())
        assert self.waiting == Counter(mail.swarm for mail in self.mail.values() for _ in mail.waiting)
        assert self.dead.keys() == {id_ for id_, mail in self.mail.items() if mail.dead}
        assert all(mail.waiting or mail.dead for mail in self.mail.values())

    def _leave_box(self, id_: MessageId, member: str) -> None:
        mail = self.mail[id_]
        del mail.waiting[member]
        self.waiting[mail.swarm] -= 1
        if not self.waiting[mail.swarm]:
            del self.waiting[mail.swarm]
        box = self.boxes[member]
        del box[id_]
        if not box:
            del self.boxes[member]

    def _tidy(self, id_: MessageId) -> None:
        mail = self.mail[id_]
        if not mail.waiting and not mail.dead:
            del self.mail[id_]
