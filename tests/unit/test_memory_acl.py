"""Who may do what with an entry: the whole table by hand, and a second, naive opinion on random cases."""

from __future__ import annotations

import pytest
from engine.memory.acl import may, may_know
from engine.model.memory import (
    WIDENING,
    Action,
    EntryId,
    Head,
    Permissions,
    Principal,
    PrincipalKind,
)
from engine.model.memory_words import Level
from engine.model.verbs import Role
from hypothesis import given
from hypothesis import strategies as st

OWNER, MATE, SWARM_MATE, STRANGER = "agt_owner", "agt_mate", "agt_swarm", "agt_stranger"
READER, WRITER, DELETER = "agt_reader", "agt_writer", "agt_deleter"

RELATIONS = {
    "owner": Principal(OWNER, pool="coder", swarm="hive"),
    "same pool": Principal(MATE, pool="coder", swarm="other"),
    "same swarm": Principal(SWARM_MATE, pool="tester", swarm="hive"),
    "stranger": Principal(STRANGER, pool="tester", swarm="other"),
    "no pool, no swarm": Principal(STRANGER),
    "read list": Principal(READER),
    "write list": Principal(WRITER),
    "delete list": Principal(DELETER),
    "viewer": Principal("vera", PrincipalKind.OPERATOR, role=Role.VIEWER),
    "operator": Principal("otto", PrincipalKind.OPERATOR, role=Role.OPERATOR),
    "admin": Principal("ada", PrincipalKind.OPERATOR, role=Role.ADMIN),
    "engine": Principal("engine", PrincipalKind.ENGINE),
}
EVERYTHING = {"owner", "admin", "engine"}

# Level -> who may read. Writing, deleting and permitting do not depend on the level, except that system is closed.
READS = {
    Level.PRIVATE: EVERYTHING | {"read list", "operator"},
    Level.TEAM: EVERYTHING | {"read list", "operator", "same pool"},
    Level.SWARM: EVERYTHING | {"read list", "operator", "same swarm", "viewer"},
    Level.PUBLIC: set(RELATIONS),
    Level.SYSTEM: {"admin", "engine"},
}
CHANGES = {
    Action.CREATE: EVERYTHING,
    Action.WRITE: EVERYTHING | {"write list"},
    Action.DELETE: EVERYTHING | {"delete list"},
    Action.PERMIT: EVERYTHING,
}


def entry(level: Level) -> Head:
    return Head(EntryId("default", OWNER, "plan"), permissions=Permissions(level, (READER,), (WRITER,), (DELETER,)), team="coder", swarm="hive")


@pytest.mark.row(39, 186, 187, 188, 189, 190, 191)
@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("level", Level)
def test_every_level_relation_and_action(level: Level, action: Action) -> None:
    allowed = READS[level] if action is Action.READ else READS[Level.SYSTEM] if level is Level.SYSTEM else CHANGES[action]
    found = {name for name, principal in RELATIONS.items() if may(principal, action, entry(level)).allowed}
    assert found == allowed


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("level", Level)
def test_every_verdict_says_why(level: Level, action: Action) -> None:
    for principal in RELATIONS.values():
        assert len(may(principal, action, entry(level)).because.split()) > 3


def test_levels_widen_in_their_order_and_system_stands_outside() -> None:
    """C36: what a level shows, every wider one shows too; system shows the least."""
    agents = {name for name, principal in RELATIONS.items() if principal.kind is PrincipalKind.AGENT}
    seen = [READS[level] & agents for level in WIDENING]
    assert seen[0] <= seen[1]
    assert seen[0] <= seen[2] <= seen[3]
    assert Level.SYSTEM not in WIDENING
    assert not READS[Level.SYSTEM] & agents


def test_an_entry_without_team_or_swarm_is_shared_with_nobody_by_them() -> None:
    nobody = Principal(STRANGER, pool="", swarm="")
    for level in (Level.TEAM, Level.SWARM):
        assert not may(nobody, Action.READ, Head(EntryId("default", OWNER, "k"), permissions=Permissions(level))).allowed


def test_an_operator_who_calls_himself_like_an_agent_is_not_the_agent() -> None:
    impostor = Principal(OWNER, PrincipalKind.OPERATOR, role=Role.VIEWER)
    assert not may(impostor, Action.READ, entry(Level.PRIVATE)).allowed
    assert not may(impostor, Action.WRITE, entry(Level.PRIVATE)).allowed
    reader = Principal(READER, PrincipalKind.OPERATOR, role=Role.VIEWER)
    assert not may(reader, Action.READ, entry(Level.PRIVATE)).allowed


def test_a_principal_without_a_name_owns_nothing() -> None:
    assert not may(Principal(""), Action.READ, Head(EntryId("default", "", "k"))).allowed


@pytest.mark.parametrize(("name", "knows"), [("write list", True), ("delete list", True), ("read list", True), ("stranger", False)])
def test_who_may_do_anything_with_an_entry_may_know_of_it(name: str, knows: bool) -> None:  # noqa: FBT001  # a table
    assert may_know(RELATIONS[name], entry(Level.PRIVATE)) is knows


NAMES = st.sampled_from(["agt_a", "agt_b", "agt_c", "ada", "otto", ""])
GROUPS = st.sampled_from(["", "p", "q"])
LISTS = st.lists(NAMES.filter(bool), max_size=3).map(tuple)
PRINCIPALS = st.builds(Principal, NAMES, st.sampled_from(PrincipalKind), GROUPS, GROUPS, st.sampled_from(Role))
HEADS = st.builds(
    lambda owner, permissions, team, swarm: Head(EntryId("default", owner, "k"), permissions=permissions, team=team, swarm=swarm),
    NAMES,
    st.builds(Permissions, st.sampled_from(Level), LISTS, LISTS, LISTS),
    GROUPS,
    GROUPS,
)


def naive(who: Principal, action: str, head: Head) -> bool:
    """Say the rules once more, from the design and not from the code: everything that lets somebody in, as one list."""
    acl, agent = head.permissions, who.kind == "agent"
    genuine = who.name != "" and (agent or not who.name.startswith("agt_"))
    owns, open_ = genuine and who.name == head.id.owner, acl.level != "system"
    listed = {word: genuine and who.name in getattr(acl, word, ()) for word in ("read", "write", "delete")}
    keys = [
        who.kind == "engine",
        who.kind == "operator" and who.role == 2,
        open_ and owns,
        open_ and listed.get(action, False),
        action == "read" and acl.level == "public",
        action == "read" and acl.level == "swarm" and who.kind == "operator",
        action == "read" and open_ and who.kind == "operator" and who.role >= 1,
        action == "read" and acl.level == "team" and agent and who.pool == head.team != "",
        action == "read" and acl.level == "swarm" and agent and who.swarm == head.swarm != "",
    ]
    return any(keys)


@given(PRINCIPALS, st.sampled_from(Action), HEADS)
def test_a_naive_oracle_agrees(principal: Principal, action: Action, head: Head) -> None:
    assert may(principal, action, head).allowed is naive(principal, action, head)
