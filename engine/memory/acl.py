"""Who may do what with an entry of memory: one pure function, asked before every cache and by every face.

An entry's level says who sees it (private < team < swarm < public; system stands outside, for administrators only).
Its lists let those who are named do more. Names of agents and operators do not mix: an agent is never taken for the
operator of the same name, because ids of agents begin with `agt_` and operators who call themselves so own nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from engine.model.ids import AGENT_PREFIX
from engine.model.memory import Action, Head, Principal, PrincipalKind
from engine.model.memory_words import Level
from engine.model.verbs import Role


class Verdict(NamedTuple):
    """Whether something may be done, and why or why not, in words for people."""

    allowed: bool
    because: str


# Made and looked up once: a read from the cache is to take 5 µs at most, and naming a member of an enum takes 0.07.
_AGENT, _READ, _SYSTEM, _PUBLIC_LEVEL = PrincipalKind.AGENT, Action.READ, Level.SYSTEM, Level.PUBLIC
_ADMIN = Verdict(allowed=True, because="administrators may do everything")
_OWNER = Verdict(allowed=True, because="it is its owner")
_LISTED = Verdict(allowed=True, because="its read list names it")
_PUBLIC = Verdict(allowed=True, because="the entry is public")
_OPERATOR = Verdict(allowed=True, because="operators read all but level system")
_VIEWER = Verdict(allowed=True, because="viewers read what the swarm shares")
_OWN = Verdict(allowed=True, because="everybody may store entries of their own")
_AGENT_NAMES = f"{AGENT_PREFIX}_"
_OFF = Verdict(allowed=True, because="the ACL is switched off (memory.acl_enabled = false)")


def may(principal: Principal, action: Action, head: Head) -> Verdict:
    """Say whether a principal may act on an entry; for CREATE the head is the one that would be."""
    if principal.kind is not _AGENT and principal.is_admin:
        return _ADMIN
    if head.permissions.level is _SYSTEM:
        return Verdict(allowed=False, because="entries of level system are for administrators only")
    if action is _READ:  # before all others, which are rarer
        return _may_read(principal, head)
    return _BY_ACTION[action](principal, head)


def may_know(principal: Principal, head: Head) -> bool:
    """Answer whether a principal may learn that an entry is there: it may do at least one thing with it."""
    return any(may(principal, action, head).allowed for action in (Action.READ, Action.WRITE, Action.DELETE))


@dataclass(frozen=True, slots=True)
class Acl:
    """The rules as an engine applies them; switched off (memory.acl_enabled = false) everything is allowed to everybody."""

    enabled: bool = True

    def may(self, principal: Principal, action: Action, head: Head) -> Verdict:
        """Say whether a principal may act on an entry."""
        return may(principal, action, head) if self.enabled else _OFF

    def may_know(self, principal: Principal, head: Head) -> bool:
        """Answer whether a principal may learn that an entry is there."""
        return not self.enabled or may_know(principal, head)


def is_owner(principal: Principal, head: Head) -> bool:
    """Answer whether an entry is a principal's own."""
    return head.id.owner == principal.name and _is_itself(principal)


def _is_itself(principal: Principal) -> bool:
    """Answer whether a name is of the sort that its bearer may have."""
    return bool(principal.name) and (principal.kind is _AGENT or not principal.name.startswith(_AGENT_NAMES))


def _is_named(principal: Principal, names: tuple[str, ...]) -> bool:
    return principal.name in names and _is_itself(principal)


def _may_read(principal: Principal, head: Head) -> Verdict:
    if is_owner(principal, head):
        return _OWNER
    if _is_named(principal, head.permissions.read):
        return _LISTED
    level = head.permissions.level
    if level is _PUBLIC_LEVEL:
        return _PUBLIC
    if principal.kind is PrincipalKind.OPERATOR:
        return _operator_may_read(principal, level)
    if level is Level.TEAM and head.team and principal.pool == head.team:
        return Verdict(allowed=True, because=f"it is of the pool {head.team}")
    if level is Level.SWARM and head.swarm and principal.swarm == head.swarm:
        return Verdict(allowed=True, because=f"it is of the swarm {head.swarm}")
    return Verdict(allowed=False, because=f"the entry is {level}, and {principal.name or 'whoever asks'} is neither its owner nor on its read list")


def _operator_may_read(principal: Principal, level: Level) -> Verdict:
    if principal.role >= Role.OPERATOR:
        return _OPERATOR
    if level is Level.SWARM:
        return _VIEWER
    return Verdict(allowed=False, because=f"viewers read levels swarm and public, and the entry is {level}")


def _may_create(principal: Principal, head: Head) -> Verdict:
    if is_owner(principal, head):
        return _OWN
    return Verdict(allowed=False, because=f"only administrators store entries for others, and the owner would be {head.id.owner}")


def _may_write(principal: Principal, head: Head) -> Verdict:
    return _may_change(principal, head, head.permissions.write, "write")


def _may_delete(principal: Principal, head: Head) -> Verdict:
    return _may_change(principal, head, head.permissions.delete, "delete")


def _may_permit(principal: Principal, head: Head) -> Verdict:
    return _may_change(principal, head, (), "")


def _may_change(principal: Principal, head: Head, names: tuple[str, ...], word: str) -> Verdict:
    if is_owner(principal, head):
        return _OWNER
    if _is_named(principal, names):
        return Verdict(allowed=True, because=f"its {word} list names it")
    others = f", the {word} list and administrators" if word else " and administrators"
    return Verdict(allowed=False, because=f"that is for the owner {head.id.owner}{others}")


_BY_ACTION: dict[Action, Callable[[Principal, Head], Verdict]] = {
    Action.CREATE: _may_create,
    Action.WRITE: _may_write,
    Action.DELETE: _may_delete,
    Action.PERMIT: _may_permit,
}
