"""Why an alert is as it is, and what a page about one says: each fact leads to the thing that it names."""

from __future__ import annotations

from typing import Any

import pytest
from engine.gate.alert_pages import measured
from engine.model.alert_commands import AckAlert, CreateRule, SilenceAlerts
from engine.model.alerts import Rule
from engine.model.errors import NotFound
from tests.unit.test_alerter import DEEP, Watch, watch
from tests.unit.test_guardrails import ADMIN


async def explained(one: Watch, word: str) -> tuple[str, str, list[tuple[str, str, str]]]:
    found: Any = await one.world.gate(ADMIN).query("explain", kind="alerts", id=word)
    return found["headline"], found["level"], [(line["text"], line["kind"], line["level"]) for line in found["evidence"]]


def test_from_pending_to_firing_taken_and_over() -> None:
    async def story(one: Watch) -> None:
        await one.do(DEEP)
        await one.show({"coder": 500})
        headline, level, lines = await explained(one, "deep")
        assert (headline, level) == ("it fires in 3 s if its condition holds until then: deep of coder: 500", "info")
        assert lines[0] == ("deep asks whether queue_depth > 100, for 3s", "rules", "info")
        await one.show({"coder": 700}, 3)
        await one.do(AckAlert("deep", "adding agents"))
        headline, level, lines = await explained(one, "deep")
        assert (headline, level) == ("it fires: deep of coder: 700", "error")
        said = [text for text, _kind, _level in lines]
        assert "the condition holds; it reads 700 now" in said
        assert f"{ADMIN.who} takes care of it: adding agents; nobody is reminded" in said
        assert ("pool coder has 1 of 1 agents", "pools", "info") in lines
        assert any(text.startswith(f"its rule was set by {ADMIN.who}") and kind == "plans" for text, kind, _level in lines)
        alert = one.only().id
        await one.show({"coder": 1})
        headline, level, lines = await explained(one, alert)
        assert (headline.partition(":")[0], level) == ("it is resolved", "info")
        with pytest.raises(NotFound, match="no alert 'alt_none'"):
            await explained(one, "alt_none")

    watch(story)


def test_what_keeps_it_quiet_and_what_else_is_wrong_are_named() -> None:
    async def story(one: Watch) -> None:
        await one.do(CreateRule("grave", "queue_depth > 400", severity="critical"))
        await one.do(CreateRule("deep", "queue_depth > 100"))
        await one.do(SilenceAlerts("rule=grave,pool=tester", 600.0, why="moving house"))
        await one.show({"coder": 500, "tester": 500}, 3)
        grave, deep = ({alert.labels["pool"]: alert for alert in one.world.state.alerting.alerts.values() if alert.rule == rule} for rule in ("grave", "deep"))
        _headline, level, lines = await explained(one, deep["coder"].id)
        assert level == "info", "what a graver one explains needs nobody"
        assert ("grave is critical and explains it, so nobody is told of this one: grave of coder: 500", "alerts", "warn") in lines
        _headline, level, lines = await explained(one, grave["tester"].id)
        assert level == "info"
        assert (f"{ADMIN.who} silenced rule=grave,pool=tester: moving house; nobody is told of it", "silences", "warn") in lines
        _headline, _level, lines = await explained(one, grave["coder"].id)
        assert ("deep fires for coder, too: deep of coder: 500", "alerts", "warn") in lines

    watch(story)


def test_the_page_has_the_rule_and_what_it_looks_at() -> None:
    async def story(one: Watch) -> None:
        await one.do(DEEP)
        await one.show({"coder": 500}, 5)
        page: Any = await one.world.gate(ADMIN).query("alert", id="deep")
        assert (page["rule"], page["reads"], page["rule_row"]["expr"]) == ("deep", "500", "queue_depth > 100")
        assert page["measured"] == {"metric": "queue_depth", "label": "coder", "quantile": 95, "limit": 100.0, "operator": ">"}
        assert len(page["fires"]) == 1

    watch(story)


@pytest.mark.parametrize(
    ("expr", "metric", "label", "limit"),
    [
        ("p99(allocation_ms, 5m) > 250", "allocation_ms", "coder", 250.0),
        ("host_cpu > 90%", "host_cpu", "", 0.9),
        ("drop(succeeded, 10m) > 10%", "succeeded", "coder", None),
        ("agent_rss_mb > 2000", "agent_rss_mb", "coder-1", 2000.0),
    ],
)
def test_the_figures_of_an_alert_are_those_of_its_first_comparison(expr: str, metric: str, label: str, limit: float | None) -> None:
    found = measured(Rule("one", expr), {"pool": "coder", "agent": "coder-1"})
    assert found is not None
    assert (found["metric"], found["label"], found["limit"]) == (metric, label, limit)
    assert found["quantile"] == (99 if "p99" in expr else 95)


@pytest.mark.parametrize("expr", ["event(act.refused, 5m) >= 10", "recorded.checkout_ms > 500"])
def test_events_and_recorded_figures_have_no_history_that_is_drawn(expr: str) -> None:
    assert measured(Rule("one", expr), {}) is None
