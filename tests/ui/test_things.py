"""The same verbs on every kind of thing: describe, YAML, why, timeline; and from what a line names to the thing itself."""

from __future__ import annotations

from collections.abc import Set

import pytest
from engine.model.consensus_commands import OpenProposal
from engine.model.explanations import EXPLAINED
from engine.model.memory_commands import RememberEntry
from engine.model.pool_commands import AskGang, CreatePolicy
from engine.model.review_events import ReviewOpened
from engine.model.reviews import Work
from engine.model.rows import ROW_KINDS
from engine.model.scaling import Observation
from engine.model.swarm_commands import CreateSwarm, GiveObjective
from engine.simulation.world import ADA
from screens.document import Document
from screens.keymap import KEYMAP
from screens.keys import CONTEXTS
from screens.linked import Link, LinkedDocument
from screens.things import DESCRIBED, open_thing
from screens.widgets.cells import UNICODE

from tests.given_up import give_up
from tests.ui import alerted
from tests.ui.fleet import Fleet, Seat, sit

NOUNS = {
    "pools": "pool", "agents": "agent", "tasks": "task", "hosts": "host", "engines": "engine", "plugins": "plugin", "regions": "region", "plans": "plan", "audit": "audit line", "events": "event",
    "alerts": "alert", "rules": "rule", "silences": "silence", "channels": "channel", "notifications": "notification", "dead-events": "dead event",
    "policies": "policy", "scaling": "decision", "advice": "recommendation", "gangs": "gang", "reviews": "review", "memory": "entry", "proposals": "vote", "routes": "route",
    "swarms": "swarm", "sessions": "session",
}  # fmt: skip
"""Kind of row to the context of its document."""
VIEWS = {**{kind: kind for kind in NOUNS}, "scaling": "scaler", "advice": "optimize", "proposals": "votes"}
TABS = {"d": "info", "y": "yaml", "X": "why", "T": "timeline"}


def tab_of(kind: str, key: str) -> str:
    """Which tab a key opens of a kind's document; an entry of memory is its value first, a review its diff."""
    return {"memory": "value", "reviews": "diff"}.get(kind, TABS[key]) if key == "d" else TABS[key]


def keys_of(context: str) -> set[str]:
    """Which of the four keys mean the thing itself in a context."""
    return {row.keys for row in KEYMAP.keys_in(CONTEXTS[context]) if row.id.startswith("thing.") and row.keys in TABS}


async def ready(seat: Seat) -> None:
    await seat.fleet.busy()
    await seat.fleet.gate.execute([CreatePolicy("own", {"pool": "coder", "target": 0.85})])
    await seat.fleet.gate.execute([AskGang("coder", 1)])
    await seat.fleet.gate.execute([RememberEntry("plan", "[1]")])
    await seat.fleet.gate.execute([OpenProposal("merge it", ("coder",))])
    await seat.fleet.gate.execute([CreateSwarm("parser", ("coder",))])
    await seat.fleet.gate.execute([GiveObjective("parser", "rename the tokens", parts=("one",))])
    await give_up(seat.fleet.world, 1)
    done = next(id_ for id_, task in seat.fleet.state.tasks.items() if task.state == "succeeded")
    await seat.fleet.world.coordinator.record([ReviewOpened(done, Work("/srv/app", "fleet/tsk_1", "b0", "h1", "main"))], ADA)
    pools = seat.fleet.state.pools
    for minute in range(10):
        seen = {"coder": Observation(minute * 60.0, pools["coder"].size, 1, 1, 0, memory=0.1, cpu=0.9)}
        seat.fleet.world.scaler.optimizer.see(seen, pools)
    seat.fleet.world.scaler.tick()
    seat.fleet.clock.at += 10
    await seat.current()


def test_every_kind_has_its_document_and_what_makes_no_sense_is_not_bound() -> None:
    assert set(DESCRIBED) == set(NOUNS)
    assert set(ROW_KINDS) - set(DESCRIBED) <= {"boosters", "instances", "modules", "questions", "budgets"}, "what else has no document"
    for kind, document in NOUNS.items():
        assert keys_of(document) == keys_of(VIEWS[kind]), kind
        assert {"d", "y"} <= keys_of(document)
        assert ("X" in keys_of(document)) is (kind in EXPLAINED)
    assert {kind for kind in NOUNS if "T" not in keys_of(NOUNS[kind])} == {"audit", "events", "advice", "memory", "channels", "notifications", "dead-events", "engines", "plugins", "regions"}


@pytest.mark.parametrize("kinds", [NOUNS.keys() - alerted.KINDS, NOUNS.keys() & alerted.KINDS], ids=["usual", "alerts"])
async def test_the_keys_of_a_row_open_the_tabs_of_its_document(kinds: Set[str]) -> None:
    fleet = Fleet(alerted.CONFIG)
    async with sit(fleet) as seat:
        if kinds & set(alerted.KINDS):
            await alerted.troubled(fleet, seat)
            await alerted.told(fleet, seat)
        else:
            await ready(seat)
        for kind in sorted(kinds):
            for key in TABS:
                await assert_key_opens_tab(seat, kind, key)


async def assert_key_opens_tab(seat: Seat, kind: str, key: str) -> None:
    """A key on a row opens its tab, or does nothing where there is none."""
    await seat.open(VIEWS[kind])
    if kind == "memory":
        await seat.until(lambda: bool(seat.screen.table.shown_ids))
    elif kind == "events":
        await seat.press("k")
    elif kind == "agents":
        seat.screen.table.point_at(seat.fleet.state.agent_named("coder-1").spec.id)
    await seat.press(key)
    if key not in keys_of(NOUNS[kind]):
        assert VIEWS[kind] == seat.screen.NAME, f"{key} is not for {kind}"
        return
    assert NOUNS[kind] == seat.screen.NAME, f"{key} on {kind}"
    assert seat.screen.tab == tab_of(kind, key), kind
    await seat.read()
    await seat.until(lambda: not seat.screen._is_loading)
    assert "cannot be shown" not in seat.text, f"{key} on {kind}"
    other = next(iter(set(TABS) & keys_of(NOUNS[kind]) - {key}))
    await seat.press(other)
    assert seat.screen.tab == tab_of(kind, other), f"the same keys change the tab of the document of {kind}"


async def test_help_shows_exactly_the_keys_that_there_are() -> None:
    async with sit(Fleet()) as seat:
        await seat.fleet.ready()
        for kind in NOUNS:
            await seat.open(VIEWS[kind])
            await seat.press("question_mark")
            text = await seat.read()
            for row in (KEYMAP[f"thing.{name}"] for name in ("describe", "yaml", "why", "timeline")):
                assert (row.help in text) is (row.keys in keys_of(VIEWS[kind])), (kind, row.id)


async def test_yaml_is_whole_and_copied() -> None:
    async with sit(Fleet()) as seat:
        await ready(seat)
        await seat.open("policies")
        await seat.press("y")
        text = await seat.read()
        assert text.splitlines() == ["id: own", "name: own", "pool: coder", "target: 0.85"]
        await seat.press("c")
        assert seat.app.clipboard == text


# ---- why, and where it leads


async def why(seat: Seat, kind: str, id_: str) -> str:
    seat.app.drill(open_thing(kind, id_, "why"))
    return await seat.read()


def pointed(seat: Seat) -> tuple[str, str] | None:
    return seat.screen.query_one(LinkedDocument).pointed


async def test_a_blocked_task_leads_to_the_one_it_waits_for_to_its_agent_and_back() -> None:
    fleet = Fleet()
    async with sit(fleet) as seat:
        await ready(seat)
        tasks = {task.spec.title: id_ for id_, task in fleet.state.tasks.items()}
        text = await why(seat, "tasks", tasks["fix api"])
        assert text.startswith("It waits for 1 task to end.")
        assert "needs long analysis, which is running on analyst-" in text
        assert pointed(seat) == ("tasks", tasks["long analysis"])
        await seat.press("enter")
        assert (seat.screen.NAME, seat.screen.thing) == ("task", tasks["long analysis"])
        await seat.press("X")
        await seat.read()
        await seat.until(lambda: pointed(seat) == ("agents", fleet.state.tasks[tasks["long analysis"]].agent))
        await seat.press("enter")
        await seat.read()
        assert seat.screen.NAME == "agent"
        await seat.press("escape", "escape")
        await seat.until(lambda: seat.screen.thing == tasks["fix api"])


async def test_a_task_of_a_paused_pool_leads_to_the_plan_that_paused_it() -> None:
    fleet = Fleet()
    async with sit(fleet) as seat:
        await ready(seat)
        task = next(id_ for id_, task in fleet.state.tasks.items() if task.spec.title == "index users")
        text = await why(seat, "tasks", task)
        assert "pool database was paused by" in text
        assert "migration tonight" in text
        assert pointed(seat) is not None
        assert pointed(seat)[0] == "plans"  # type: ignore[index]
        await seat.press("j")
        assert pointed(seat) == ("pools", "database")
        await seat.press("k", "enter")
        assert "migration tonight" in await seat.read()
        assert seat.screen.NAME == "plan"


async def test_every_fact_that_names_a_thing_opens_it() -> None:
    fleet = Fleet()
    async with sit(fleet) as seat:
        await ready(seat)
        opened = set()
        waiting = next(id_ for id_, task in fleet.state.tasks.items() if task.spec.title == "index users")
        for kind, id_ in (("tasks", waiting), ("pools", "tester"), ("pools", "coder"), ("pools", "database"), ("agents", "coder-1"), ("hosts", next(iter(fleet.state.hosts))), ("policies", "own")):
            await why(seat, kind, fleet.state.agent_named(id_).spec.id if kind == "agents" else id_)
            await seat.until(lambda: not seat.screen._is_loading)
            for link in dict.fromkeys(seat.screen.query_one(LinkedDocument)._links.values()):
                seat.app.drill(open_thing(link.kind, link.id))
                text = await seat.read()
                assert "no " + link.kind not in text
                opened.add(link.kind)
                seat.app.back()
                await seat.pilot.pause()
            seat.app.back()
            await seat.pilot.pause()
        assert {"hosts", "pools", "plans", "tasks", "policies"} <= opened


async def test_the_pointer_stays_with_its_fact_when_others_come_before_it() -> None:
    document = LinkedDocument(glyphs=UNICODE)
    document.link({2: Link("agents", "a"), 5: Link("tasks", "b")}, is_new=True)
    assert document.pointed == ("agents", "a")
    assert document._step(1)
    document.link({2: Link("pools", "p"), 3: Link("agents", "a"), 6: Link("tasks", "b")})
    assert document.pointed == ("tasks", "b")
    assert not document._step(1)
    document.link({2: Link("pools", "p"), 3: Link("agents", "a")})
    assert document.pointed == ("agents", "a")
    document.link({})
    assert document.pointed is None


async def test_the_timeline_leads_to_the_event_and_the_event_to_what_it_is_about() -> None:
    fleet = Fleet()
    async with sit(fleet) as seat:
        await ready(seat)
        await seat.open("pools")
        seat.table.point_at("database")
        await seat.press("T")
        text = await seat.read()
        last = text.splitlines()[-1]
        await seat.press("enter")
        await seat.until(lambda: seat.screen.NAME == "event")
        text = await seat.read()
        assert last.split("  ")[-1].strip().split(" ", 2)[-1][:20] in text
        await seat.press("y")
        await seat.until(lambda: "record:" in seat.screen.query_one(Document).text)


async def test_a_line_that_names_nothing_says_so() -> None:
    async with sit(Fleet()) as seat:
        await ready(seat)
        seat.app.drill(open_thing("pools", "coder"))
        await seat.read()
        await seat.press("enter")
        assert "names nothing" in seat.told
