"""Who may use an entry, of the agents and operators there are, and who gains or loses that; by the one function of acl.py.

Owner: nobody; pure functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from engine.memory.acl import Acl
from engine.model.entry_rows import Access
from engine.model.memory import Action, Head, Principal, PrincipalKind
from engine.model.verbs import Role

ACTIONS = (Action.READ, Action.WRITE, Action.DELETE)
NAMED_MAX = 5
"""Names in a sentence; the rest is counted."""
LISTED_MAX = 200

_ROLES = {Role.VIEWER: "viewers", Role.OPERATOR: "operators", Role.ADMIN: "administrators"}


class Known(NamedTuple):
    """Somebody who may be allowed something, and what people call them."""

    principal: Principal
    name: str


def operators_of(heads: Iterable[Head]) -> list[Known]:
    """Return operators by role, and those who own or are named by entries, as if they were viewers: what they may beyond a role."""
    roles = [Known(Principal("", PrincipalKind.OPERATOR, role=role), name) for role, name in _ROLES.items()]
    names = {name for head in heads for name in (head.id.owner, *head.permissions.read, *head.permissions.write, *head.permissions.delete)}
    return roles + [Known(Principal(name, PrincipalKind.OPERATOR, role=Role.VIEWER), name) for name in sorted(names)]


def access_to(acl: Acl, head: Head, agents: Sequence[Known]) -> list[Access]:
    """Return who may do what."""
    found = []
    for action in ACTIONS:
        allowed = _allowed(acl, action, head, agents)
        names = [known.name for known in agents if known in allowed]
        operators = _operators(acl, action, head, agents)
        found.append(Access(action, tuple(names[:LISTED_MAX]), len(names), tuple(operators)))
    return found


def access_change(acl: Acl, before: Head, after: Head, agents: Sequence[Known]) -> list[str]:
    """Return in words who gains and who loses what: `coder-1, coder-2 and 3 more lose read`; nothing when nobody does."""
    people = [*agents, *_beside(agents, operators_of((before, after)))]
    changes: dict[tuple[str, str], list[str]] = {}
    for action in ACTIONS:
        old, new = (_allowed(acl, action, head, people) for head in (before, after))
        for word, names in (("gains", new - old), ("loses", old - new)):
            told = [known.name for known in people if known in names]
            if told:
                changes.setdefault((word, _names(told)), []).append(action)
    return [f"{names} {word if _is_one(names) else word.removesuffix('s')} {' and '.join(actions)}" for (word, names), actions in changes.items()]


def _operators(acl: Acl, action: Action, head: Head, agents: Sequence[Known]) -> list[str]:
    """Return the roles that may, and beyond them those who are named."""
    people = _beside(agents, operators_of((head,)))
    allowed = _allowed(acl, action, head, people)
    viewers_may = any(known.principal.name == "" and known.principal.role is Role.VIEWER for known in allowed)
    return [known.name for known in people if known in allowed and (not known.principal.name or not viewers_may)]


def _beside(agents: Sequence[Known], operators: Sequence[Known]) -> list[Known]:
    """Return operators whose names are no ids of agents."""
    ids = {known.principal.name for known in agents}
    return [known for known in operators if known.principal.name not in ids]


def _allowed(acl: Acl, action: Action, head: Head, people: Iterable[Known]) -> set[Known]:
    return {known for known in people if acl.may(known.principal, action, head).allowed}


def _names(names: Sequence[str]) -> str:
    rest = len(names) - NAMED_MAX
    if rest > 1:
        return f"{', '.join(names[:NAMED_MAX])} and {rest} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _is_one(names: str) -> bool:
    return " and " not in names and names not in _ROLES.values()
