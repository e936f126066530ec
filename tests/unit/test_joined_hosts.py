"""Where agents start once hosts have joined, why, and what becomes of them when a host goes or is drained."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from engine.booster.book import BoosterBook
from engine.coordinator import hosts
from engine.gate.boosting import Boosting
from engine.model import reports as r
from engine.model.agent_events import Cordon
from engine.model.agents import AgentStatus
from engine.model.errors import CommandRefused, ConfigError, NotFound
from engine.model.host_commands import CordonHost, DrainHost, UncordonHost
from engine.model.ids import HostId
from engine.model.machines import Room
from engine.model.pool_commands import AskGang, ScalePool
from engine.model.task_commands import SubmitTask
from engine.model.tasks import TaskState
from tests.unit.core_fleet import Fleet

MODEL: dict[str, Any] = {"kind": "openai", "openai": {"base_url": "https://models.example.com/v1", "model": "m", "key_env": "MODEL_API_KEY"}}
ROOM = Room({"cpu": 2_000, "memory": 4_000_000})


def fleet(pools: dict[str, Any], **more: Any) -> Fleet:
    return Fleet(pools, room=ROOM, **more)


def machines(subject: Fleet, pool: str = "coder") -> list[str]:
    return [agent.spec.machine for agent in subject.state.agents_in(pool)]


def waits(subject: Fleet, pool: str = "coder") -> str:
    found = subject.state.pools[pool].waits
    return found.text if found else ""


def up(subject: Fleet, host: str) -> None:
    subject.report(r.AgentsUp(HostId(host), tuple(agent.spec.id for agent in hosts.agents_of(subject.state, host))))


def test_agents_start_where_the_fewest_are_for_the_cores_and_say_why() -> None:
    subject = fleet({"coder": {"min": 2, "max": 9}})
    subject.join("b", cores=1.0)
    subject.join("a")
    subject.do(ScalePool("coder", "8"))
    assert sorted(machines(subject)) == ["", "", "", "a", "a", "a", "b", "b"]
    first, *_, newest = (agent for agent in subject.state.agents_in("coder"))
    assert (first.spec.placed, newest.spec.placed) == ("", "it had room, and the fewest agents: 1 a core; here 1.5, a 1.5 (hosts = 'any')")
    up(subject, "a")
    assert [agent.status for agent in subject.state.agents_in("coder") if agent.spec.machine == "a"] == [AgentStatus.IDLE] * 3


@pytest.mark.parametrize(
    ("pool", "offer", "text"),
    [
        ({"hosts": "local"}, {}, ""),
        ({"hosts": "gpu=a100"}, {"labels": {"gpu": "t4"}}, "lab is not gpu=a100"),
        ({"hosts": "joined"}, {"kinds": ("command",)}, "lab takes no agents of kind python"),
        ({"hosts": "joined"}, {"pools": ("ui",)}, "lab takes no agents of coder"),
        ({"hosts": "joined"}, {"agents_max": 1}, "lab has all of its 1 agents"),
        ({"hosts": "joined", **MODEL}, {"kinds": ("openai",)}, "lab has no MODEL_API_KEY in its worker's environment"),
        ({"hosts": "joined", "resources": {"memory": "600MB", "reserved": True}}, {}, "lab has 400 MB left"),
    ],
)
def test_a_pool_waits_for_a_host_that_takes_its_agents_and_says_what_is_missing(pool: dict[str, Any], offer: dict[str, Any], text: str) -> None:
    subject = fleet({"coder": {"min": 2, "max": 9, **pool}})
    subject.join("lab", **offer)
    subject.report(r.RoomSeen())
    assert waits(subject) == (text and f"waits for hosts: {text}")
    if text:
        subject.join("more", agents_max=9, labels={"gpu": "a100"}, kinds=("python", "openai"), keys=("MODEL_API_KEY",))
        subject.report(r.RoomSeen())
        assert "more" in machines(subject)
        assert not waits(subject)


@pytest.mark.parametrize(
    ("url", "hosts", "places"),
    [
        ("http://localhost:8000/v1", "any", {""}), ("http://[::1]:8000/v1", "any", {""}), ("http://localhost:8000/v1", "joined", {"lab"}),
        ("https://models.example.com/v1", "any", {"", "lab"}), ("http://[broken/v1", "any", {"", "lab"}),
    ],
)  # fmt: skip
def test_a_model_at_an_address_of_this_machine_is_asked_from_here_unless_its_pool_names_hosts(url: str, hosts: str, places: set[str]) -> None:
    subject = fleet({"coder": {"min": 4, "max": 9, "hosts": hosts, **MODEL, "openai": {**MODEL["openai"], "base_url": url}}}, up=False)
    subject.join("lab", kinds=("openai",), keys=("MODEL_API_KEY",))
    subject.do(ScalePool("coder", "9"))
    assert set(machines(subject)) == places


@pytest.mark.parametrize(("given", "places", "is_short"), [({}, {""}, False), ({"hosts": "any"}, {"", "lab"}, False), ({"hosts": "joined"}, {"lab"}, True)])
def test_instances_of_the_booster_run_here_unless_hosts_may_have_them(given: dict[str, str], places: set[str], is_short: bool) -> None:  # noqa: FBT001  # a table of cases
    subject = fleet({"coder": {"min": 0, "max": 9}}, booster=given, up=False)
    boosting = Boosting(SimpleNamespace(book=BoosterBook()), SimpleNamespace(now=lambda: 0.0), "")  # type: ignore[arg-type]
    task = SubmitTask("code.outline", payload={"source": "a = 1"})
    subject.join("old")
    subject.join("lab", kinds=("booster",))
    subject.down("lab")
    subject.report(r.RoomSeen())
    assert waits(subject, "booster") == ("waits for hosts: old takes no agents of kind booster" if is_short else "")
    assert ("no host takes the booster's agents" in str(boosting.classify(subject.state, task))) is is_short
    subject.join("lab", kinds=("booster",), agents_max=9)
    subject.report(r.RoomSeen())
    subject.do(ScalePool("booster", "4"))
    assert set(machines(subject, "booster")) == places
    assert "no host takes" not in str(boosting.classify(subject.state, task))


def test_a_place_of_the_booster_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="'somewhere' is no label"):
        fleet({"coder": {"min": 0, "max": 9}}, booster={"hosts": "somewhere"})


def test_a_gang_starts_whole_over_hosts_or_not_at_all() -> None:
    subject = fleet({"coder": {"min": 0, "max": 9, "hosts": "joined"}})
    subject.join("a", agents_max=2)
    subject.do(AskGang("coder", 3))
    assert machines(subject) == []
    subject.join("b", agents_max=1)
    subject.report(r.RoomSeen())
    assert sorted(machines(subject)) == ["a", "a", "b"]


def test_what_a_lost_host_had_waits_again_and_its_agents_start_elsewhere_or_wait() -> None:
    subject = fleet({"coder": {"min": 2, "max": 9, "hosts": "joined"}, "ui": {"min": 1, "max": 9}}, up=False)
    subject.join("a", agents_max=3)
    subject.report(r.RoomSeen())
    up(subject, "a")
    held = subject.submit()
    assert subject.place()[held].startswith("coder")
    subject.join("b", agents_max=1)
    subject.down("a")
    assert (subject.state.tasks[held].state, subject.state.tasks[held].attempt) == (TaskState.PENDING, 1)
    assert sorted(machines(subject)) == ["b"]
    assert waits(subject) == "waits for hosts: b has all of its 1 agents"
    assert set(subject.state.machines) == {"local", "b"}
    subject.join("a")
    subject.report(r.RoomSeen())
    assert (sorted(machines(subject)), waits(subject)) == (["a", "b"], "")


def test_a_drained_host_gives_up_free_agents_at_once_and_others_when_their_task_ends() -> None:
    subject = fleet({"coder": {"min": 2, "max": 9, "hosts": "joined"}}, up=False)
    subject.join("a")
    subject.report(r.RoomSeen())
    up(subject, "a")
    held = subject.submit()
    subject.place()
    subject.join("b")
    subject.do(DrainHost("a"))
    assert (sorted(machines(subject)), subject.state.hosts[HostId("a")].cordon) == (["a", "b"], Cordon.DRAINING)
    subject.end(held)
    assert machines(subject) == ["b", "b"]
    subject.do(UncordonHost("a"), UncordonHost("b"))
    subject.do(CordonHost("b"))
    subject.do(ScalePool("coder", "3"))
    assert sorted(machines(subject)) == ["a", "b", "b"]
    with pytest.raises(NotFound):
        subject.do(CordonHost("nowhere"))
    subject.up("hst_1")
    with pytest.raises(CommandRefused, match="a process of the engine's own"):
        subject.do(CordonHost("hst_1"))


@pytest.mark.parametrize("has_hosts", [True, False])
def test_a_new_leader_goes_on_with_hosts_and_what_they_run_where_it_knows_of_them(*, has_hosts: bool) -> None:
    subject = fleet({"coder": {"min": 1, "max": 9}})
    subject.down()
    subject.up()
    subject.join("a")
    subject.do(ScalePool("coder", "2"))
    up(subject, "a")
    ids = [subject.submit() for _ in range(2)]
    subject.place()
    there = next(agent for agent in subject.state.agents.values() if agent.spec.machine == "a")
    assert there.task in ids
    subject.report(r.EngineStarted("eng_2", "1.0", 9, epoch=2, has_hosts=has_hosts))
    held = [id_ for id_ in ids if subject.state.tasks[id_].state is not TaskState.PENDING]
    assert (held == [there.task], "a" in subject.state.hosts, there.spec.machine) == ((True, True, "a") if has_hosts else (False, False, ""))


def test_a_wrong_selector_is_refused_with_what_to_write() -> None:
    with pytest.raises(ConfigError, match="'gpu' is no label: write k=v"):
        fleet({"coder": {"min": 1, "max": 2, "hosts": "gpu"}})
