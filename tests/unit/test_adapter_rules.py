"""The rules that every adapter of real agents keeps to, each of which was paid for by somebody; each has a test for each adapter.

A test names the rule and the adapters that it shows: `@pytest.mark.rule(3, "claude", "acp")`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from engine.agents.sessions.starting import StartGate
from engine.simulation.loop import VirtualClock, run_virtual

ADAPTERS = frozenset({"command", "lines", "claude", "codex", "acp", "openai"})
SESSIONS = frozenset({"lines", "claude", "codex", "acp"})
PROGRAMS = ADAPTERS - {"openai"}
RULES = {
    1: (PROGRAMS, "standard input is closed, or ends when nothing more comes: who waits for its end is not kept"),
    2: (ADAPTERS, "only a last word that says so is a success; an end without it is none, whatever the exit code"),
    3: (PROGRAMS, "what was written to standard error is in the failure"),
    4: (frozenset({"command", "claude", "acp"}), "a limit of the agent's own is told as such, and not tried again"),
    5: (ADAPTERS, "the engine has a deadline of its own; a model that does not answer is life and no progress, and not for ever"),
    6: (PROGRAMS, "it has a process group of its own that is ended whole, also when it lives on after its last word"),
    7: (PROGRAMS, "it does not learn that it runs inside another agent, and brings no servers of its user's along"),
    8: (ADAPTERS, "silence is watched by kind, starts are staggered, and requests with the same key wait together"),
}
"""Rule -> the adapters that it is about, and what it says."""
TESTS = Path(__file__).parents[1]


def marked() -> Iterator[tuple[int, str]]:
    """Yield the rule and the adapter of each mark of a test."""
    for path in TESTS.rglob("test_*.py"):
        source = path.read_text("utf-8")
        if "mark.rule(" not in source:
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.rule":
                number, *adapters = [ast.literal_eval(word) for word in node.args]
                yield from ((number, adapter) for adapter in adapters)


def test_each_rule_has_a_test_for_each_adapter_that_it_is_about() -> None:
    wanted = {(number, adapter) for number, (adapters, _) in RULES.items() for adapter in adapters}
    assert wanted - set(marked()) == set()
    assert {adapter for _, adapter in marked()} == ADAPTERS


def test_starts_are_as_many_a_second_as_is_said_and_as_many_at_once() -> None:
    async def story() -> None:
        clock = VirtualClock()
        gate, now = StartGate(clock, 4.0), clock.now()
        assert [round(gate.book() - now, 3) for _ in range(8)] == [0, 0, 0, 0, 0.25, 0.5, 0.75, 1.0]
        assert gate.before(now + 1.0) == 4
        slow = StartGate(clock, 0.5)
        assert [round(slow.book() - now, 3) for _ in range(3)] == [0, 2, 4]
        assert {StartGate(clock, 0.0).book() for _ in range(100)} == {now}

    run_virtual(story())
