"""What somebody may ask for, why not, and under which conditions."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import pytest
from engine.model.commands import VERBS
from engine.model.errors import Denied, UsageError
from engine.model.plans import Origin
from engine.model.verbs import Role
from engine.simulation.world import World
from tests.unit.test_guardrails import live, rules

RULES = rules(
    {"name": "frozen", "verbs": ["pause"], "targets": ["coder"], "deny": "ask the platform team"},
    {"name": "few", "verbs": ["scale"], "max_bulk": 2, "reason_required": True},
    {"name": "nights", "verbs": ["drain"], "window": {"only": ["20:00-24:00"], "zone": "Europe/Zurich"}},
    {"name": "api stays out", "verbs": ["stop"], "faces": ["api"], "deny": "stop it from its own machine"},
    {"name": "named", "verbs": ["undrain"], "confirm": "type-name"},
)

SAMPLES = {"str": "nowhere", "int": 1, "float": 1.0, "tuple[str, ...]": ("a",), "dict[str, Any]": {"a": 1}}


async def outlook(world: World, origin: Origin, **parameters: str) -> dict[str, dict[str, Any]]:
    answer = cast("list[dict[str, Any]]", await world.gate(origin).query("can-i", **parameters))
    return {verb["verb"]: verb for verb in answer}


def test_every_verb_is_judged_by_role_rule_and_hour() -> None:
    async def story(world: World) -> None:
        verbs = await outlook(world, Origin("ada", "cli", "", Role.OPERATOR))
        assert list(verbs) == list(VERBS)
        assert (verbs["submit"]["may"], verbs["submit"]["conditions"]) == (True, [])
        assert verbs["stop"]["why"] == "engine.stop needs the role admin; ada is operator"
        assert verbs["pause"]["conditions"] == ["frozen on coder: refused: ask the platform team"]
        assert verbs["scale"]["conditions"] == ["few: at most 2 at once", "few: a reason is given"]
        assert verbs["undrain"]["conditions"] == ["named: the target's name is typed"]
        assert verbs["drain"]["why"].startswith("nights: only 20:00-24:00 (Europe/Zurich; it is mon 12:00 there")
        api = await outlook(world, Origin("root", "api", "", Role.ADMIN))
        assert api["stop"]["why"] == "api stays out: refused: stop it from its own machine"

    live(RULES, story)


def test_on_a_thing_only_its_rules_count() -> None:
    async def story(world: World) -> None:
        ada = Origin("ada", "cli", "", Role.OPERATOR)
        agent = next(agent for agent in world.state.agents.values() if agent.spec.pool == "coder")
        for target, may in (("coder", False), (agent.spec.id, False), ("ui", True)):
            [verb] = (await outlook(world, ada, verb="pool.pause", target=target)).values()
            assert verb["may"] is may, target
        with pytest.raises(UsageError, match="no verb 'paus'; did you mean 'pause'"):
            await outlook(world, ada, verb="paus")

    live(RULES, story)


@pytest.mark.parametrize("origin", [Origin("eve", "cli", "", Role.VIEWER), Origin("ada", "cli", "", Role.OPERATOR, mode="read-only")])
def test_what_is_said_to_be_refused_is_refused(origin: Origin) -> None:
    async def story(world: World) -> None:
        verbs = await outlook(world, origin)
        assert not any(verb["may"] for verb in verbs.values())
        for word, kind in VERBS.items():
            # The gate looks at who asks before it looks for what is named.
            needed = [spec for spec in dataclasses.fields(kind) if spec.default is spec.default_factory is dataclasses.MISSING]
            with pytest.raises(Denied) as refusal:
                await world.gate(origin).plan([kind(**{spec.name: spec.metadata.get("choices", [SAMPLES[str(spec.type)]])[0] for spec in needed})])
            assert str(refusal.value).startswith(verbs[word]["why"])

    live(RULES, story)
