"""The rules that every fleet begins with.

Owner: nobody; values only. They can be changed and disabled, not removed. What each of them is right and wrong about over a day
with known faults is measured by tests/simulation/test_alert_day.py, and told in docs/monitoring.md.
"""

from __future__ import annotations

from engine.model.alert_words import AUTO, Severity
from engine.model.alerts import Rule

_CRITICAL, _WARNING, _INFO = (severity.value for severity in (Severity.CRITICAL, Severity.WARNING, Severity.INFO))

BUILTIN: tuple[Rule, ...] = tuple(
    Rule(id_, expr, name, for_s, keep_s, severity, summary=summary, source="builtin")
    for id_, expr, name, for_s, keep_s, severity, summary in (
        # Agents' health gets worse.
        ("agents-failing", "event(agent.failed, 5m) >= 3", "Agents fail", 0, 60, _WARNING, "{value} agents of {pool} failed to start within 5 minutes"),
        ("agents-down", "agents_failed > 0 and agents_idle == 0 and agents_busy == 0", "No agent works", 60, 0, _CRITICAL, "no agent of {pool} works: {value} cannot start"),
        ("agents-at-risk", "agents_at_risk > 0", "Agents are likely to fail", 120, 300, _WARNING, "{value} agents of {pool} are likely to fail: `fleet-tui risks {pool}` says why and what helps"),
        ("hosts-lost", "event(host.lost, 5m) >= 2", "Hosts are lost", 0, 60, _WARNING, "{value} hosts of kind {kind} were lost within 5 minutes"),
        # Tasks cannot be given to agents.
        ("tasks-not-placed", "oldest_waiting_s > 120 and agents_busy == 0", "Tasks are not placed", 60, 0, _CRITICAL, "a task of {pool} has waited for {value}, and no agent works"),
        ("tasks-dead", "avg(dead, 5m) > 0.01", "Tasks are given up", 0, 60, _WARNING, "{value} tasks of {pool} are given up"),
        # Figures beyond what they should be: the five thresholds.
        ("response-time", "p95(response_ms, 1m) > 5000", "Slow answers", 300, 120, AUTO, "95 % of the answers of {pool} take up to {value}, the limit is {limit}"),
        ("error-rate", "avg(error_rate, 5m) > 5%", "Errors", 60, 120, AUTO, "{value} of the attempts in {pool} end badly, the limit is {limit}"),
        ("memory-usage", "avg(memory, 2m) > 80%", "Memory runs out", 60, 120, AUTO, "agents of {pool} use {value} of their memory, the limit is {limit}"),
        ("cpu-usage", "avg(cpu, 5m) > 80%", "Processors are busy", 300, 120, _INFO, "agents of {pool} use {value} of their cores, the limit is {limit}"),
        ("queue-depth", "min(queue_depth, 2m) > 100", "Deep queue", 60, 60, AUTO, "{value} tasks wait in {pool}, the limit is {limit}"),
        # Speed.
        ("allocation-slow", "p95(allocation_ms, 1m) > 100 and min(agents_idle, 2m) > 0", "Slow hand-over", 120, 60, _WARNING, "95 % of the hand-overs in {pool} take up to {value} although agents are idle"),
        ("throughput-drop", "drop(succeeded, 10m) > 10% and min(queue_depth, 5m) > 0", "Throughput drops", 120, 120, _WARNING, "{pool} does {value} less than ten minutes before, and tasks wait"),
        ("runs-slower", "rise(run_ms, 10m) > 50%", "Runs take longer", 120, 120, _INFO, "half of the runs in {pool} take {value} longer than ten minutes before"),
        ("machine-memory", "min(host_memory, 1m) > 95%", "The machine's memory runs out", 60, 120, _CRITICAL, "{value} of the machine's memory is in use"),
        # Somebody tries what they may not.
        ("acts-refused", "event(act.refused, 5m) >= 10", "Many refused acts", 0, 300, _WARNING, "{who} was refused {value} times within 5 minutes"),
        ("guardrail-refused", "event(guardrail.refused, 10m)", "A guardrail refused", 0, 0, _INFO, "a guardrail refused {value} acts of {who}"),
        # The booster.
        ("booster-failing", 'event(host.lost{kind="booster"}, 5m)', "The booster fails", 0, 60, _WARNING, "{value} of the booster's processes were lost within 5 minutes"),
        ("booster-broken", 'event(agent.failed{kind="booster"}, 5m)', "Booster instances fail", 0, 60, _WARNING, "{value} instances of {pool} failed to start within 5 minutes"),
    )
)
"""By their ids."""
